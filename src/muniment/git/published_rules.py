"""Rules that a server publishes for clones: `refs/muniment/rules`, a commit with one file, `rules.json`.

They name no person: no address, login or name. Only a command at the server writes them; no push does, and no hook
can, because git forbids changing refs while it receives a push.
"""

import os
from pathlib import Path

import msgspec
from msgspec import Struct

from muniment.errors import ConfigurationError, LedgerError, NotCanonicalError
from muniment.facts import canonical
from muniment.facts.counting import count_entries
from muniment.git.repository import Repository
from muniment.ledger.checkpoints import read_checkpoint
from muniment.policy.model import Policy
from muniment.programs.environment import ANONYMOUS

RULES_REF = "refs/muniment/rules"
RULES_FILE = "rules.json"

_SEEN = "muniment-rules-seen.json"
_FETCH = f"Fetch it again: git fetch origin '+{RULES_REF}:{RULES_REF}'"


class PublishedRules(Struct, frozen=True, forbid_unknown_fields=True):
    """Rules of a server. `signers`: ids of persons by the fingerprint of their SSH keys.

    `policy` has no owners. `checkpoint` is the newest of the server's ledger when this was written, signed with
    `ledger_key`, "" while nothing was recorded: a clone that has seen a larger ledger refuses it.
    """

    policy: Policy
    signers: dict[str, str]
    ledger_key: str
    checkpoint: str

    def read_ledger_size(self) -> int:
        """Size of the ledger. Raises LedgerError unless the checkpoint is signed with the ledger's key."""
        return read_checkpoint(self.checkpoint.encode(), self.ledger_key).size if self.checkpoint else 0


class _Seen(Struct, frozen=True):
    """The newest ledger that a clone has seen."""

    ledger_key: str
    ledger_size: int


def write_rules(repository: Repository, rules: PublishedRules) -> bool:
    """Publish rules for clones; whether anything had to change. Raises GitError.

    The commit has no parent, so that no history of it names an erased person.
    """
    data = canonical.encode(rules)
    before = repository.read_refs(RULES_REF).get(RULES_REF, "")
    if before and _read_content(repository, before) == data:
        return False
    blob = _decode_id(repository.run_in_place("hash-object", "-w", "--stdin", input=data))
    tree = _decode_id(repository.run_in_place("mktree", input=f"100644 blob {blob}\t{RULES_FILE}\n".encode()))
    made = _decode_id(repository.run_in_place("commit-tree", ("-m", "rules"), values=(tree,), more=ANONYMOUS))
    repository.run_in_place("update-ref", values=(RULES_REF, made, before or "0" * len(made)))
    return True


def read_fetched_rules(repository: Repository) -> PublishedRules | None:
    """Rules that a clone fetched, None if it has none.

    Raises ConfigurationError for rules that cannot be read, or with a smaller ledger than this clone saw, or another
    one; GitError.
    """
    tip = repository.read_refs(RULES_REF).get(RULES_REF, "")
    if not tip:
        return None
    data = _read_content(repository, tip)
    try:
        rules = canonical.decode(data or b"", PublishedRules)
    except (NotCanonicalError, ValueError) as error:
        raise ConfigurationError(RULES_REF, "", "it holds no rules that can be read", _FETCH) from error
    try:
        size = rules.read_ledger_size()
    except LedgerError as error:
        raise ConfigurationError(
            RULES_REF, "", f"its checkpoint is not the ledger's: {error.message}", _FETCH
        ) from error
    _check_not_older(Path(repository.git_dir, _SEEN), rules.ledger_key, size)
    return rules


def read_published_rules(repository: Repository) -> PublishedRules | None:
    """Rules as a server published them last, None if there are none that can be read. Raises GitError."""
    tip = repository.read_refs(RULES_REF).get(RULES_REF, "")
    try:
        return canonical.decode(_read_content(repository, tip) or b"", PublishedRules) if tip else None
    except (NotCanonicalError, ValueError):
        return None


def _check_not_older(file: Path, ledger_key: str, ledger_size: int) -> None:
    """Refuse a ledger older than the one that this clone saw, and remember a newer one."""
    try:
        seen = msgspec.json.decode(file.read_bytes(), type=_Seen)
    except FileNotFoundError:
        seen = _Seen(ledger_key, -1)
    except (OSError, msgspec.MsgspecError) as error:
        raise ConfigurationError(str(file), "", "it cannot be read", "Delete it, then fetch again.") from error
    if seen.ledger_key != ledger_key:
        raise ConfigurationError(
            RULES_REF,
            "",
            "it is of another ledger than before",
            f"Ask the operator of the server why. If it is right: rm {file}",
        )
    if seen.ledger_size > ledger_size:
        older = (
            f"it is older than what this clone saw: a ledger of {count_entries(ledger_size)}, not {seen.ledger_size}"
        )
        raise ConfigurationError(RULES_REF, "", older, _FETCH)
    if seen.ledger_size < ledger_size:
        new = file.with_suffix(".new")
        new.write_bytes(msgspec.json.encode(_Seen(ledger_key, ledger_size)))
        os.replace(new, file)


def _read_content(repository: Repository, commit: str) -> bytes | None:
    """Content of the file at a commit; None if there is no such plain file."""
    found = repository.run_git("ls-tree", "-z", values=(commit,), paths=(RULES_FILE,)).split(b"\0")[0]
    mode, _, rest = found.partition(b" ")
    if mode != b"100644":
        return None
    blob = repository.objects.read_git_object(rest.split(b" ")[1].split(b"\t")[0].decode())
    return None if blob is None else blob.data


def _decode_id(out: bytes) -> str:
    return out.decode().strip()
