"""home.toml: what an installation decides for itself, each with what holds if it is not said."""

from pathlib import Path

from msgspec import Struct

from muniment.errors import HomeFileError, ParseError
from muniment.ledger import keys
from muniment.policy.reading import Document, Table, shown
from muniment.programs.addresses import hide_credentials
from muniment.store.outside import problem_with

PUSHERS = ("MUNIMENT_PUSHER", "GL_USER", "REMOTE_USER")

_SECONDS = (1, 600)
_URL = r"https?://[^\s?#]+"


class Witness(Struct, frozen=True):
    """Somebody else who signs what they saw of the ledger: public key (C2SP tlog-cosignature) and address."""

    key: str
    url: str


class Settings(Struct, frozen=True):
    """`pusher_variable`: the one environment variable that says who pushes, in which the server alone can write.

    `timeout_seconds`: how long the evaluation of a push may take. `external_copy`: a second place for the newest
    checkpoint, a path or `git:URL`, "" for none.
    """

    pusher_variable: str = PUSHERS[0]
    timeout_seconds: int = 30
    external_copy: str = ""
    witnesses: tuple[Witness, ...] = ()


def read_settings(text: str | None, where: str, home: Path) -> Settings:
    """What the home.toml of `home` says; None if there is no such file. `where` names it. Raises HomeFileError."""
    if text is None:
        return Settings()
    top = Document(text, where, HomeFileError).top
    server_hook, ledger = top.table("server_hook"), top.table("ledger")
    usual = Settings()
    settings = Settings(
        pusher_variable=_pusher(server_hook) if server_hook.has("pusher_variable") else usual.pusher_variable,
        timeout_seconds=_seconds(server_hook) if server_hook.has("timeout_seconds") else usual.timeout_seconds,
        external_copy=_outside(ledger, home) if ledger.has("external_copy") else "",
        witnesses=tuple(_witness(table) for table in top.tables("witness")),
    )
    for table in (server_hook, ledger, top):
        table.done()
    return settings


def home_text() -> str:
    """The first home.toml: what holds, with what else could."""
    return f"""# What this installation decides for itself. A line that begins with # shows the default.

[server_hook]
# The one environment variable that says who pushes. Only the server may be able to set it:
#   MUNIMENT_PUSHER  a person's id, set for each SSH key in authorized_keys
#   GL_USER          the name that gitolite gives; in people.toml: accounts = {{ gitolite = ["name"] }}
#   REMOTE_USER      the name that a web server gives; in people.toml: accounts = {{ http = ["name"] }}
# pusher_variable = "{PUSHERS[0]}"

# How long judging a push may take; then it is denied.
# timeout_seconds = {Settings().timeout_seconds}

[ledger]
# Keep the newest checkpoint where this machine's backup does not reach: a full path, or a git repository.
# An older or other ledger is then found out, and signs nothing until a person looks at it.
# external_copy = "/mnt/elsewhere/checkpoint"
# external_copy = "git:ssh://git@elsewhere.example.test/checkpoints.git"

# Others who sign what they saw of the ledger, when you run: muniment ledger witness --home DIR
# [[witness]]
# key = "witness.example.test+..."
# url = "https://witness.example.test"
"""


def _pusher(table: Table) -> str:
    return table.text("pusher_variable", "one of " + ", ".join(PUSHERS), "|".join(PUSHERS))


def _seconds(table: Table) -> int:
    least, most = _SECONDS
    found: int = table.value("timeout_seconds", int, "a whole number")
    if not least <= found <= most:
        raise table.wrong("timeout_seconds", f"a number of seconds from {least} to {most}", shown(found))
    return found


def _outside(table: Table, home: Path) -> str:
    found = table.text("external_copy", 'a full path, or "git:URL"')
    problem = problem_with(found, home)
    if problem:
        raise table.wrong("external_copy", f'a full path, or "git:URL" ({problem})', shown(hide_credentials(found)))
    return found


def _witness(table: Table) -> Witness:
    witness = Witness(
        table.text("key", "a witness' public key", r"\S+"), table.text("url", "an address, http or https", _URL)
    )
    table.done()
    try:
        kind = keys.read_public(witness.key).kind
    except ParseError:
        kind = 0
    if kind != keys.COSIGNER:
        raise table.wrong("key", "a witness' public key (name+hash+key, of kind 4)", shown(witness.key))
    return witness
