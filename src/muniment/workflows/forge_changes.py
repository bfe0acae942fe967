"""Fetch the commits of changes at a forge, and create the collector of their facts. Callers evaluate, and act."""

from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from pathlib import Path

from muniment.errors import GitError, HttpError, UsageError
from muniment.facts import moments
from muniment.facts.change import Contributor, ContributorRole
from muniment.facts.people import email_identity
from muniment.facts.statements import Approval
from muniment.forges.first_pushes import ReadFirstPushes
from muniment.forges.forge import Forge
from muniment.forges.forge_collector import ForgeCollector, list_commits_to_keep
from muniment.forges.forge_connection import Connection
from muniment.forges.past_reading import suppose_writers
from muniment.forges.shapes import Account, Change, ForgeRepository, Reading
from muniment.git import history, machine_merges
from muniment.git.approvals import PREFIX
from muniment.git.git_collector import ReadLandedHeads
from muniment.git.mirror import Mirror
from muniment.git.repository import Repository
from muniment.http.addresses import parse_server_address
from muniment.http.proxies import select_proxy
from muniment.workflows.rule_sources import Rules

PUSHES_DAYS = 30  # before a change was opened, for which pushes to other branches are looked through


def open_mirror(folder: str | Path, forge: Forge, repository: ForgeRepository, proxy: str = "") -> Mirror:
    """Open the copy of a repository in `folder`, fetched with the connection's own token through its proxy.

    `proxy` is the connection's setting (`http.proxies.select_proxy`). Raises GitError.
    """
    try:
        through = select_proxy(parse_server_address(repository.clone, plain=True), proxy)
    except HttpError as error:
        raise GitError(f"the repository cannot be fetched: {error.message}", error.remedy) from None
    return Mirror(
        folder, repository.clone, forge.reader.fetch_header(), through.proxy_url if through is not None else ""
    )


def fetch_change(forge: Forge, mirror: Mirror, reading: Reading) -> str:
    """Fetch the commits that an evaluation of this change reads. Returns the tip of its branch.

    Raises GitError if the tip or the head cannot be fetched.
    """
    change = reading.change
    wanted = list_commits_to_keep(reading)
    gone = mirror.fetch_refs((change.target, forge.reader.change_ref(change.number)), (f"{PREFIX}*",), wanted)
    if change.head in gone:
        raise GitError(f"the forge does not give out the head {change.head}", "It is read again.")
    tip = require_tip(mirror, change.target)
    mirror.fetch_large_files((tip, commit) for commit in wanted if commit not in gone)
    return tip


def fetch_changes(forge: Forge, mirror: Mirror, readings: Sequence[Reading]) -> dict[int, str]:
    """Fetch the commits that evaluations of these changes read, at once. Returns the tips of their branches.

    A change whose tip or head cannot be fetched is missing, for `fetch_change` to say why. Raises GitError.
    """
    wanted = {reading.change.number: list_commits_to_keep(reading) for reading in readings}
    targets = dict.fromkeys(reading.change.target for reading in readings)
    refs = (*targets, *map(forge.reader.change_ref, wanted))
    gone = mirror.fetch_refs(refs, (f"{PREFIX}*",), [commit for commits in wanted.values() for commit in commits])
    tips = {ref: mirror.find_ref_value(ref) for ref in targets}
    changes = [reading.change for reading in readings if reading.change.head not in gone]
    found = {change.number: tips[change.target] for change in changes if tips[change.target]}
    mirror.fetch_large_files(
        (tip, commit) for number, tip in found.items() for commit in wanted[number] if commit not in gone
    )
    return found


def require_tip(mirror: Mirror, ref: str) -> str:
    """Tip of a branch when it was fetched. Raises GitError if there is none."""
    tip = mirror.find_ref_value(ref)
    if not tip:
        raise GitError(f"there is no branch {ref} at the forge", "Point the change at a branch that is there.")
    return tip


def open_revert(
    connection: Connection,
    forge: Forge,
    mirror: Mirror,
    repository: ForgeRepository,
    ref: str,
    commit: str,
    asker: str,
    now: str,
) -> Change:
    """Open a change, by our account, that undoes `commit` on the branch `ref`; it needs approvals like any other.

    `asker` (`name <address>`) requested it, so its commit says so: their approval does not count. Raises UsageError if
    another person requested it before, and GitError where it cannot be undone cleanly, so that a person has to do it by
    hand.
    """
    title = f"Revert {commit[:12]}"
    text = f"This undoes {commit}, which no decision allowed."
    source = f"refs/heads/muniment/revert-{commit[:12]}"
    there = mirror.list_remote_refs([source])
    mirror.fetch_refs([ref, *there])
    tip = require_tip(mirror, ref)
    with mirror.open_copy() as git:
        if there:  # asked for once before
            _require_requester(git, there[source], asker, source)
            return forge.publisher.open_change(repository, source, ref, title, text)
        tree = machine_merges.revert_commit(git, tip, commit)
        if not tree:
            raise GitError(f"{commit} cannot be undone cleanly", "Revert it manually, in a change of its own.")
        who = connection.format_address(forge.reader.describe_forge().ours)
        seconds = int(moments.parse_moment(now).timestamp())
        undoing = machine_merges.make_commit(
            git, tree, tip, who, seconds, f"{title}\n\n{text}\n\nRequested-by: {asker}"
        )
        mirror.push_commit(git, undoing, source)
    return forge.publisher.open_change(repository, source, ref, title, text)


def _require_requester(git: Repository, commit: str, asker: str, source: str) -> None:
    """Require that the existing change counts `asker` among its contributors. Raises UsageError if it does not."""
    (found,) = history.read_commits(git, [commit])
    address = asker.rpartition("<")[2].removesuffix(">")
    if Contributor(email_identity(address), ContributorRole.REQUESTER) not in found.contributors:
        branch = source.removeprefix("refs/heads/")
        raise UsageError(
            f"somebody else asked for it: the branch {branch} is there already",
            "Review the change that comes from it, or delete the branch and ask again.",
        )


def create_collector(
    connection: Connection,
    forge: Forge,
    repository: ForgeRepository,
    reading: Reading,
    git: Repository,
    rules: Rules,
    now: str,
    statements: Iterable[Approval] = (),
    landed: ReadLandedHeads | None = None,
    merged_at: str = "",
    first_pushes: ReadFirstPushes | None = None,
    was_said: Callable[[Approval], bool] | None = None,
    supposed_writers: Collection[str] = (),
) -> ForgeCollector:
    """Create the collector for the facts of this change. Statuses of its head are read only if a clause needs them.

    Of a change that was `merged_at` a moment ("" for one that was not), statuses until then count. Accounts with
    the ids `supposed_writers` may write, whatever the forge says now.
    """

    def can_write(account: Account) -> bool:
        return account.id in supposed_writers or forge.reader.can_write(repository, account)

    return ForgeCollector(
        connection.name,
        suppose_writers(reading, supposed_writers),
        git,
        rules.people,
        now,
        noreply=connection.noreply_domains,
        numbered=connection.has_numbered_addresses,
        statements=statements,
        read_statuses=partial(forge.reader.list_statuses, repository, until=merged_at),
        can_write=can_write,
        read_landed_heads=landed,
        read_first_pushes=first_pushes,
        existed_at_merge=was_said,
    )


def find_forks(repository: ForgeRepository, change: Change) -> tuple[str, ...]:
    """Repository from which a change comes, as the forge names it, if it is another one."""
    return tuple({change.source_repository} - {"", repository.path, repository.id})
