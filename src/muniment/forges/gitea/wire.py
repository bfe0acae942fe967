"""The parts of the answers of Gitea and Forgejo that we read, typed: an answer of another form is MALFORMED.

Source: https://docs.gitea.com/api/. Moments are text as the forge writes them. A field without a default is one that
every supported version sends, and that an evaluation rests on.
"""

from msgspec import Struct


class InstalledVersion(Struct, frozen=True):
    """Version of an installation."""

    version: str


class User(Struct, frozen=True):
    """An account. Ids below zero are the forge's own: a deleted account, or its actions."""

    id: int
    login: str


class Permissions(Struct, frozen=True):
    """Our own permissions on a repository."""

    admin: bool = False
    push: bool = False
    pull: bool = False


class Repository(Struct, frozen=True):
    """A repository, with our own permissions on it."""

    id: int
    full_name: str
    default_branch: str
    clone_url: str
    html_url: str
    private: bool = True
    permissions: Permissions | None = None
    topics: tuple[str, ...] | None = None
    archived: bool = False
    has_actions: bool | None = None


class AccountPermission(Struct, frozen=True):
    """Permission of an account on a repository."""

    permission: str
    user: User


class PullRepository(Struct, frozen=True):
    """Repository of one end of a pull request."""

    id: int
    full_name: str = ""


class PullEnd(Struct, frozen=True):
    """Source or target of a pull request. `repo` is None once it was deleted."""

    ref: str
    sha: str
    repo: PullRepository | None = None


class Label(Struct, frozen=True):
    """Label of a pull request."""

    name: str


class RepositoryLabel(Struct, frozen=True):
    """Label that a repository has for its pull requests."""

    id: int
    name: str


class PullRequest(Struct, frozen=True):
    """A pull request, open, closed or merged."""

    number: int
    title: str
    head: PullEnd
    base: PullEnd
    user: User | None = None
    body: str | None = None
    state: str = ""
    draft: bool = False
    merged: bool = False
    merge_base: str | None = None
    merge_commit_sha: str | None = None
    merged_by: User | None = None
    merged_at: str | None = None
    labels: list[Label] | None = None
    created_at: str | None = None
    updated_at: str | None = None
    html_url: str | None = None
    allow_maintainer_edit: bool | None = None


class TimelineEvent(Struct, frozen=True):
    """An event in a pull request's timeline. Only events of some types have the fields after `updated_at`."""

    id: int
    type: str
    user: User | None = None
    created_at: str | None = None
    updated_at: str | None = None
    body: str | None = None
    old_ref: str | None = None
    new_ref: str | None = None
    assignee: User | None = None
    removed_assignee: bool = False
    review_id: int = 0


class Review(Struct, frozen=True):
    """A review, also one that was only requested."""

    id: int
    state: str
    commit_id: str
    user: User | None = None
    submitted_at: str | None = None
    dismissed: bool = False


class FeedRow(Struct, frozen=True):
    """A row of a repository's activity feed. `content` of a push is JSON itself: `PushContent`."""

    id: int
    op_type: str
    ref_name: str = ""
    act_user: User | None = None
    created: str | None = None
    content: str = ""


class PushedCommit(Struct, frozen=True, rename="pascal"):
    """A commit of a push."""

    sha1: str = ""


class PushContent(Struct, frozen=True):
    """Content of a feed's row about a push. The names are the forge's."""

    CompareURL: str = ""
    HeadCommit: PushedCommit | None = None
    Commits: list[PushedCommit] | None = None


class Address(Struct, frozen=True):
    """Address of an author, a committer or a signer, "" if it is not known."""

    email: str = ""


class CommitVerification(Struct, frozen=True):
    """The forge's verification of a commit's signature."""

    verified: bool | None = None
    signer: Address | None = None
    signature: str | None = None


class CommitContent(Struct, frozen=True):
    """A commit as git has it."""

    author: Address | None = None
    committer: Address | None = None
    verification: CommitVerification | None = None


class ListedCommit(Struct, frozen=True):
    """A commit, with the accounts that verified its addresses."""

    sha: str
    commit: CommitContent
    author: User | None = None
    committer: User | None = None


class BranchCommit(Struct, frozen=True):
    """Commit at which a branch is."""

    id: str


class Branch(Struct, frozen=True):
    """A branch, with the name of the rule that applies to it, "" if none does."""

    name: str
    commit: BranchCommit
    effective_branch_protection_name: str
    protected: bool = False


class BranchProtection(Struct, frozen=True):
    """A rule for branches. Which of the two fields about administrators there is depends on the vendor."""

    enable_push: bool = False
    enable_push_whitelist: bool = False
    push_whitelist_usernames: list[str] | None = None
    push_whitelist_teams: list[str] | None = None
    push_whitelist_deploy_keys: bool = False
    enable_force_push: bool = False
    enable_merge_whitelist: bool = False
    merge_whitelist_usernames: list[str] | None = None
    merge_whitelist_teams: list[str] | None = None
    enable_status_check: bool = False
    status_check_contexts: list[str] | None = None
    required_approvals: int = 0
    dismiss_stale_approvals: bool = False
    block_on_rejected_reviews: bool = False
    block_on_outdated_branch: bool = False
    unprotected_file_patterns: str = ""
    block_admin_merge_override: bool | None = None
    apply_to_admins: bool | None = None


class CommitStatus(Struct, frozen=True):
    """A status of a commit."""

    id: int
    context: str
    status: str
    creator: User | None = None
    description: str | None = None
    target_url: str | None = None
    created_at: str | None = None
    updated_at: str | None = None


class Comment(Struct, frozen=True):
    """A comment on a pull request."""

    id: int
    body: str
    user: User | None = None


class HookConfig(Struct, frozen=True):
    """Where a webhook leads."""

    url: str = ""


class Hook(Struct, frozen=True):
    """A webhook of a repository."""

    id: int
    config: HookConfig | None = None


class SecretName(Struct, frozen=True):
    """Name of a secret, whose value no request returns."""

    name: str


class Team(Struct, frozen=True):
    """Team of an organisation, with its access to each unit of its repositories. By `permission`, to all of them."""

    id: int
    name: str
    units_map: dict[str, str]
    permission: str | None = None
