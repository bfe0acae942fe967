"""What GitHub's answers are in our shapes. An App is an account of its own kind: its number is none of a user's."""

from functools import partial
from urllib.parse import urlsplit

from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.forges import checks, http
from muniment.forges.github.wire import (
    App,
    Branch,
    CheckRun,
    CommitStatus,
    Context,
    Pull,
    Pulled,
    Repository,
    User,
    Who,
)
from muniment.forges.rules import Tip
from muniment.forges.shapes import NOBODY, Account, Change, Check, Repo, State

_NO_COMMIT = "0" * 40

moment = partial(http.moment, where="GitHub's answer")
NO_OWNER = "the account no longer exists at GitHub"
OWN_ADDRESS = "noreply@github.com"  # the committer of what is done in GitHub's pages


def own_addresses(base: str) -> tuple[str, ...]:
    """The addresses that GitHub at `base` commits with itself."""
    return OWN_ADDRESS, f"noreply@{host(base)}"


def noreply(base: str) -> tuple[str, ...]:
    """The domains of the addresses that belong to accounts: `17+ada@users.noreply.github.com`."""
    return (f"users.noreply.{host(base)}",)


def host(base: str) -> str:
    """The host that people see, of the API's address."""
    return (urlsplit(base).hostname or "").removeprefix("api.")


def account(user: User | None) -> Account:
    """An account; nobody if it is gone."""
    return Account(str(user.id), user.login, user.type in ("Bot", "App")) if user else NOBODY


def app_account(app: App | None) -> Account:
    """The account of an App. Its id says that it is one, for apps and users are counted apart."""
    return Account(f"app:{app.id}", f"{app.slug}[bot]", machine=True) if app else NOBODY


def known(user: User | None) -> Maybe[Account]:
    """An account, or that it is gone."""
    return Known(account(user)) if user else Unknown(NO_OWNER)


def repo(found: Repository) -> Repo:
    """A repository."""
    default = f"refs/heads/{found.default_branch}" if found.default_branch else ""
    return Repo(str(found.id), found.full_name, default, found.clone_url, found.html_url, private=found.private)


def commit(text: str) -> str:
    """A commit's id; "" for the zeros that stand for none."""
    return "" if text == _NO_COMMIT else text


def change(pull: Pull) -> Change:
    """A change."""
    merged = pull.merged_at is not None
    state = State.MERGED if merged else State.OPEN if pull.state == "open" else State.CLOSED
    return Change(
        number=pull.number,
        title=pull.title,
        text=pull.body or "",
        state=state,
        draft=pull.draft,
        opener=account(pull.user),
        target=f"refs/heads/{pull.base.ref}",
        base=pull.base.sha,
        source=f"refs/heads/{pull.head.ref}",
        source_repository=pull.head.repo.full_name if pull.head.repo else "",
        head=pull.head.sha,
        labels=tuple(label.name for label in pull.labels),
        opened=moment(pull.created_at),
        updated=moment(pull.updated_at),
        url=pull.html_url,
        merged=(pull.merge_commit_sha or "") if merged else "",
        merged_by=known(pull.merged_by) if merged else Unknown("it was not merged"),
        merged_at=moment(pull.merged_at) if pull.merged_at else "",
        writable_by_target=pull.maintainer_can_modify,
    )


def tip(branch: Branch) -> Tip:
    """A branch."""
    return Tip(f"refs/heads/{branch.name}", branch.commit.sha, branch.protected)


_PASSED = ("success", "neutral", "skipped")  # what GitHub itself counts as passed


def check_run(run: CheckRun, until: str = "") -> Check:
    """A check run as it was at `until` ("" for now): whatever is not completed is pending."""
    completed = moment(run.completed_at) if run.completed_at else ""
    ended = run.status == "completed" and (not until or checks.is_ended(completed, until))
    state = "pending" if not ended else "success" if run.conclusion in _PASSED else "failure"
    started = moment(run.started_at) if run.started_at else ""
    at = (completed or started) if ended else (started or completed)
    return Check(run.name, state, app_account(run.app), "", run.details_url or "", at)


def status(found: CommitStatus) -> Check:
    """A commit status."""
    return Check(
        found.context,
        found.state,
        account(found.creator),
        found.description or "",
        found.target_url or "",
        moment(found.created_at),
    )


# GraphQL


def who(found: Who | None) -> Account:
    """An account; nobody if it is gone."""
    if found is None:
        return NOBODY
    bot = found.typename == "Bot"
    login = f"{found.login}[bot]" if bot and not found.login.endswith("[bot]") else found.login
    return Account(str(found.database_id or ""), login, machine=bot)


def known_who(found: Who | None) -> Maybe[Account]:
    """An account, or that it is gone."""
    return Known(who(found)) if found else Unknown(NO_OWNER)


def pulled(found: Pulled) -> Change:
    """A change; its labels have to be all there are."""
    if len(found.labels.nodes) != found.labels.total_count:
        raise http.truncated("graphql", len(found.labels.nodes))
    merged = found.merged_at is not None
    state = State.MERGED if merged else State.OPEN if found.state == "OPEN" else State.CLOSED
    return Change(
        number=found.number,
        title=found.title,
        text=found.body,
        state=state,
        draft=found.is_draft,
        opener=who(found.author),
        target=f"refs/heads/{found.base_ref_name}",
        base=found.base_ref_oid,
        source=f"refs/heads/{found.head_ref_name}",
        source_repository=found.head_repository.name_with_owner if found.head_repository else "",
        head=found.head_ref_oid,
        labels=tuple(label.name for label in found.labels.nodes),
        opened=moment(found.created_at),
        updated=moment(found.updated_at),
        url=found.url,
        merged=found.merge_commit.oid if merged and found.merge_commit else "",
        merged_by=known_who(found.merged_by) if merged else Unknown("it was not merged"),
        merged_at=moment(found.merged_at) if found.merged_at else "",
        writable_by_target=found.maintainer_can_modify,
    )


_STATES = {"SUCCESS": "success", "FAILURE": "failure", "ERROR": "error", "PENDING": "pending", "EXPECTED": "pending"}


def context(found: Context) -> Check:
    """A check run or commit status."""
    if found.typename == "CheckRun":
        app = found.check_suite.app if found.check_suite else None
        return check_run(
            CheckRun(
                id=0,
                name=found.name,
                head_sha="",
                status=found.status.lower(),
                conclusion=found.conclusion.lower() if found.conclusion else None,
                app=App(app.database_id, app.slug) if app else None,
                details_url=found.details_url,
                started_at=found.started_at,
                completed_at=found.completed_at,
            )
        )
    return Check(
        found.context,
        _STATES.get(found.state, "error"),
        who(found.creator),
        found.description or "",
        found.target_url or "",
        moment(found.created_at),
    )
