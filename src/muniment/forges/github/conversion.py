"""Converts GitHub's answers to our types. An App is an account of its own kind: its id is no user's."""

from functools import partial
from urllib.parse import urlsplit

from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.forges import checks, forge_client
from muniment.forges.branch_rules import BranchTip
from muniment.forges.github.wire import (
    App,
    Branch,
    CheckContext,
    CheckRun,
    CommitStatus,
    GraphQLActor,
    Pull,
    PullNode,
    RepositoryAnswer,
    User,
)
from muniment.forges.shapes import UNKNOWN_ACCOUNT, Account, Change, ChangeState, Check, ForgeRepository

_NO_COMMIT = "0" * 40

convert_moment = partial(forge_client.convert_forge_moment, where="GitHub's answer")
NO_OWNER = "the account no longer exists at GitHub"
OWN_ADDRESS = "noreply@github.com"  # the committer of what is done in GitHub's pages


def list_own_addresses(base: str) -> tuple[str, ...]:
    """Addresses with which GitHub at `base` itself commits."""
    return OWN_ADDRESS, f"noreply@{web_host(base)}"


def noreply_domains(base: str) -> tuple[str, ...]:
    """Domains of the noreply addresses of accounts: `17+ada@users.noreply.github.com`."""
    return (f"users.noreply.{web_host(base)}",)


def web_host(base: str) -> str:
    """Host of the web pages, from the API's address."""
    return (urlsplit(base).hostname or "").removeprefix("api.")


def convert_account(user: User | None) -> Account:
    """Account of a user; NOBODY if the user is gone."""
    return Account(str(user.id), user.login, user.type in ("Bot", "App")) if user else UNKNOWN_ACCOUNT


def convert_app(app: App | None) -> Account:
    """Account of an App. Its id says that it is one, because apps and users are counted separately."""
    return Account(f"app:{app.id}", f"{app.slug}[bot]", machine=True) if app else UNKNOWN_ACCOUNT


def convert_known_account(user: User | None) -> Maybe[Account]:
    """Account of a user; Unknown if the user is gone."""
    return Known(convert_account(user)) if user else Unknown(NO_OWNER)


def convert_repository(answer: RepositoryAnswer) -> ForgeRepository:
    """Repository as our own type."""
    default = f"refs/heads/{answer.default_branch}" if answer.default_branch else ""
    return ForgeRepository(
        str(answer.id), answer.full_name, default, answer.clone_url, answer.html_url, private=answer.private
    )


def convert_commit_id(text: str) -> str:
    """Id of a commit; "" for the zeros that stand for none."""
    return "" if text == _NO_COMMIT else text


def convert_change(pull: Pull) -> Change:
    """Change of a pull request that REST returned."""
    merged = pull.merged_at is not None
    state = ChangeState.MERGED if merged else ChangeState.OPEN if pull.state == "open" else ChangeState.CLOSED
    return Change(
        number=pull.number,
        title=pull.title,
        text=pull.body or "",
        state=state,
        draft=pull.draft,
        opener=convert_account(pull.user),
        target=f"refs/heads/{pull.base.ref}",
        base=pull.base.sha,
        source=f"refs/heads/{pull.head.ref}",
        source_repository=pull.head.repo.full_name if pull.head.repo else "",
        head=pull.head.sha,
        labels=tuple(label.name for label in pull.labels),
        opened=convert_moment(pull.created_at),
        updated=convert_moment(pull.updated_at),
        url=pull.html_url,
        merged=(pull.merge_commit_sha or "") if merged else "",
        merged_by=convert_known_account(pull.merged_by) if merged else Unknown("it was not merged"),
        merged_at=convert_moment(pull.merged_at) if pull.merged_at else "",
        writable_by_target=pull.maintainer_can_modify,
    )


def convert_branch(branch: Branch) -> BranchTip:
    """Branch with its tip."""
    return BranchTip(f"refs/heads/{branch.name}", branch.commit.sha, branch.protected)


_PASSED = ("success", "neutral", "skipped")  # what GitHub itself counts as passed


def convert_check_run(run: CheckRun, until: str = "") -> Check:
    """A check run as it was at `until` ("" for now): pending unless completed."""
    completed = convert_moment(run.completed_at) if run.completed_at else ""
    ended = run.status == "completed" and (not until or checks.is_ended(completed, until))
    state = "pending" if not ended else "success" if run.conclusion in _PASSED else "failure"
    started = convert_moment(run.started_at) if run.started_at else ""
    at = (completed or started) if ended else (started or completed)
    return Check(run.name, state, convert_app(run.app), "", run.details_url or "", at)


def convert_status(answer: CommitStatus) -> Check:
    """Check of a commit status."""
    return Check(
        answer.context,
        answer.state,
        convert_account(answer.creator),
        answer.description or "",
        answer.target_url or "",
        convert_moment(answer.created_at),
    )


# GraphQL


def convert_actor(actor: GraphQLActor | None) -> Account:
    """Account of an actor in GraphQL; NOBODY if it is gone."""
    if actor is None:
        return UNKNOWN_ACCOUNT
    bot = actor.typename == "Bot"
    login = f"{actor.login}[bot]" if bot and not actor.login.endswith("[bot]") else actor.login
    return Account(str(actor.database_id or ""), login, machine=bot)


def convert_known_actor(actor: GraphQLActor | None) -> Maybe[Account]:
    """Account of an actor in GraphQL; Unknown if it is gone."""
    return Known(convert_actor(actor)) if actor else Unknown(NO_OWNER)


def convert_queried_change(pull: PullNode) -> Change:
    """Change of a pull request that GraphQL returned; its list of labels has to be complete."""
    if len(pull.labels.nodes) != pull.labels.total_count:
        raise forge_client.truncated_error("graphql", len(pull.labels.nodes))
    merged = pull.merged_at is not None
    state = ChangeState.MERGED if merged else ChangeState.OPEN if pull.state == "OPEN" else ChangeState.CLOSED
    return Change(
        number=pull.number,
        title=pull.title,
        text=pull.body,
        state=state,
        draft=pull.is_draft,
        opener=convert_actor(pull.author),
        target=f"refs/heads/{pull.base_ref_name}",
        base=pull.base_ref_oid,
        source=f"refs/heads/{pull.head_ref_name}",
        source_repository=pull.head_repository.name_with_owner if pull.head_repository else "",
        head=pull.head_ref_oid,
        labels=tuple(label.name for label in pull.labels.nodes),
        opened=convert_moment(pull.created_at),
        updated=convert_moment(pull.updated_at),
        url=pull.url,
        merged=pull.merge_commit.oid if merged and pull.merge_commit else "",
        merged_by=convert_known_actor(pull.merged_by) if merged else Unknown("it was not merged"),
        merged_at=convert_moment(pull.merged_at) if pull.merged_at else "",
        writable_by_target=pull.maintainer_can_modify,
    )


_STATES = {"SUCCESS": "success", "FAILURE": "failure", "ERROR": "error", "PENDING": "pending", "EXPECTED": "pending"}


def convert_context(node: CheckContext) -> Check:
    """Check of a check run or commit status that GraphQL returned."""
    if node.typename == "CheckRun":
        app = node.check_suite.app if node.check_suite else None
        return convert_check_run(
            CheckRun(
                id=0,
                name=node.name,
                head_sha="",
                status=node.status.lower(),
                conclusion=node.conclusion.lower() if node.conclusion else None,
                app=App(app.database_id, app.slug) if app else None,
                details_url=node.details_url,
                started_at=node.started_at,
                completed_at=node.completed_at,
            )
        )
    return Check(
        node.context,
        _STATES.get(node.state, "error"),
        convert_actor(node.creator),
        node.description or "",
        node.target_url or "",
        convert_moment(node.created_at),
    )
