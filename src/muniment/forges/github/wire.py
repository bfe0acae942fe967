"""The parts of GitHub's answers that we read, typed: an answer of another form is MALFORMED.

Source: https://docs.github.com/en/rest and the published description (`@octokit/openapi`). Moments are text as GitHub
writes them; `conversion` converts them to our form.
"""

from typing import Generic, TypeVar

from msgspec import Struct, field

T = TypeVar("T")


class User(Struct, frozen=True):
    """An account; `type` is User, Bot, Organization or Mannequin."""

    id: int
    login: str
    type: str = "User"


class RepositoryAnswer(Struct, frozen=True):
    """A repository, with its merge settings where it is read alone."""

    id: int
    full_name: str
    default_branch: str = ""
    clone_url: str = ""
    html_url: str = ""
    private: bool = True
    topics: tuple[str, ...] = ()
    archived: bool = False
    allow_merge_commit: bool | None = None
    allow_squash_merge: bool | None = None
    allow_rebase_merge: bool | None = None


class PullEnd(Struct, frozen=True):
    """Head or base of a pull request; `repo` is null if the fork is gone."""

    ref: str
    sha: str
    repo: RepositoryAnswer | None = None


class Label(Struct, frozen=True):
    """A label of a pull request."""

    name: str


class AutoMerge(Struct, frozen=True):
    """Automatic merge, with the account that enabled it."""

    enabled_by: User | None
    merge_method: str


class Pull(Struct, frozen=True):
    """A pull request; the counts are present only when it is read alone."""

    number: int
    title: str
    state: str
    user: User | None
    head: PullEnd
    base: PullEnd
    labels: list[Label]
    created_at: str
    updated_at: str
    html_url: str
    body: str | None = None
    draft: bool = False
    merged_at: str | None = None
    merge_commit_sha: str | None = None
    merged_by: User | None = None
    auto_merge: AutoMerge | None = None
    maintainer_can_modify: bool = False
    comments: int = -1
    review_comments: int = -1


class Activity(Struct, frozen=True):
    """Move of a branch, as GitHub's activity reports it."""

    before: str
    after: str
    ref: str
    timestamp: str
    activity_type: str
    actor: User | None


class App(Struct, frozen=True):
    """An App, with our permissions where it is our own."""

    id: int
    slug: str = ""
    permissions: dict[str, str] = field(default_factory=dict)
    events: list[str] = field(default_factory=list)


class CheckRun(Struct, frozen=True):
    """A check run of an App."""

    id: int
    name: str
    head_sha: str
    status: str
    conclusion: str | None
    app: App | None
    details_url: str | None = None
    started_at: str | None = None
    completed_at: str | None = None


class CommitStatus(Struct, frozen=True):
    """A commit status of the older kind."""

    context: str
    state: str
    creator: User | None
    created_at: str
    description: str | None = None
    target_url: str | None = None


class Branch(Struct, frozen=True):
    """A branch and its tip."""

    class Tip(Struct, frozen=True):
        """Commit at the tip of the branch."""

        sha: str

    name: str
    commit: Tip
    protected: bool


class Meta(Struct, frozen=True):
    """Description of a server; github.com returns no version."""

    installed_version: str = ""


class Comment(Struct, frozen=True):
    """A comment on a pull request or in a review."""

    id: int
    user: User | None
    body: str | None = None
    created_at: str = ""


class RepositoryPermission(Struct, frozen=True):
    """Permission of an account in a repository: `admin`, `write`, `read` or `none`."""

    permission: str
    user: User | None


class Team(Struct, frozen=True):
    """A team of an organisation."""

    id: int
    slug: str


# GraphQL, asked in `queries`


class GraphQLActor(Struct, frozen=True, rename="camel"):
    """An account; a bot's login is written without the `[bot]` that it has elsewhere."""

    typename: str = field(name="__typename")
    login: str
    database_id: int | None = None


class Oid(Struct, frozen=True):
    """The id of a commit."""

    oid: str


class Id(Struct, frozen=True):
    """The id of an object."""

    id: str


class PageInfo(Struct, frozen=True, rename="camel"):
    """Whether a list has a next page."""

    has_next_page: bool
    end_cursor: str | None = None


class ListPage(Struct, Generic[T], frozen=True, rename="camel"):
    """Page of a list, with the length of the whole list."""

    total_count: int
    page_info: PageInfo
    nodes: list[T]


class Signature(Struct, frozen=True, rename="camel"):
    """GitHub's result of verifying a commit's signature."""

    is_valid: bool
    was_signed_by_git_hub: bool = field(name="wasSignedByGitHub")


class CommitActor(Struct, frozen=True):
    """Committer as written in a commit."""

    email: str | None = None


class PullCommit(Struct, frozen=True):
    """A commit of a pull request."""

    class Commit(Struct, frozen=True):
        """The commit itself, with its signature."""

        oid: str
        committer: CommitActor | None = None
        signature: Signature | None = None

    commit: Commit


class ReviewNode(Struct, frozen=True, rename="camel"):
    """A review, and whether its author may push to the repository now."""

    id: str
    full_database_id: str | int
    state: str
    author_can_push_to_repository: bool
    author: GraphQLActor | None
    commit: Oid | None
    submitted_at: str | None = None
    body: str = ""


class TimelineEvent(Struct, frozen=True, rename="camel"):
    """An event in a change's timeline; the fields that are present depend on its kind."""

    typename: str = field(name="__typename")
    created_at: str = ""
    actor: GraphQLActor | None = None
    before_commit: Oid | None = None
    after_commit: Oid | None = None
    previous_ref_name: str = ""
    current_ref_name: str = ""
    old_base: str = ""
    new_base: str = ""
    previous_review_state: str = ""
    review: Id | None = None
    requested_reviewer: GraphQLActor | None = None
    assignee: GraphQLActor | None = None


class CheckContext(Struct, frozen=True, rename="camel"):
    """A check run, or a commit status."""

    class Suite(Struct, frozen=True):
        """The check suite, for its App."""

        class App(Struct, frozen=True, rename="camel"):
            """The App of a check suite."""

            database_id: int
            slug: str

        app: App | None = None

    typename: str = field(name="__typename")
    name: str = ""
    status: str = ""
    conclusion: str | None = None
    details_url: str | None = None
    started_at: str | None = None
    completed_at: str | None = None
    check_suite: Suite | None = None
    context: str = ""
    state: str = ""
    description: str | None = None
    target_url: str | None = None
    created_at: str = ""
    creator: GraphQLActor | None = None


class RepositoryPath(Struct, frozen=True, rename="camel"):
    """The name of a repository."""

    name_with_owner: str


class AutoMergeRequest(Struct, frozen=True, rename="camel"):
    """Automatic merge, with the account that enabled it."""

    merge_method: str
    enabled_by: GraphQLActor | None


class Labels(Struct, frozen=True, rename="camel"):
    """The labels of a change, with how many there are."""

    total_count: int
    nodes: list[Label]


class PullNode(Struct, frozen=True, rename="camel"):
    """A pull request without its lists."""

    number: int
    title: str
    body: str
    state: str
    is_draft: bool
    url: str
    author: GraphQLActor | None
    base_ref_name: str
    base_ref_oid: str
    head_ref_name: str
    head_ref_oid: str
    head_repository: RepositoryPath | None
    created_at: str
    updated_at: str
    merged_at: str | None
    merged_by: GraphQLActor | None
    merge_commit: Oid | None
    maintainer_can_modify: bool
    auto_merge_request: AutoMergeRequest | None
    labels: Labels


class QueuePosition(Struct, frozen=True, rename="camel"):
    """Position of a change in a merge queue: the head of its group."""

    head_commit: Oid | None = None


class QueueEntry(Struct, frozen=True, rename="camel"):
    """Entry of a merge queue; `base_commit` is the head of the one before it."""

    class Pull(Struct, frozen=True, rename="camel"):
        """The pull request of the entry."""

        number: int
        head_ref_oid: str

    position: int
    head_commit: Oid | None
    base_commit: Oid | None
    pull_request: Pull | None
