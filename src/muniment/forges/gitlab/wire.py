"""The parts of GitLab's answers that we read, typed: an answer of another form is MALFORMED.

Source: https://docs.gitlab.com/api/rest/. Moments are text as GitLab writes them.
"""

from msgspec import Struct


class User(Struct, frozen=True):
    """An account of a person or a bot."""

    id: int
    username: str
    bot: bool = False


class Metadata(Struct, frozen=True):
    """Description of an installation."""

    version: str
    enterprise: bool = False


class TokenInfo(Struct, frozen=True):
    """Scopes of a token."""

    scopes: list[str] = []
    scope: list[str] = []


class Access(Struct, frozen=True):
    """A level of access: 20 reporter, 30 developer, 40 maintainer, 50 owner."""

    access_level: int = 0


class Permissions(Struct, frozen=True):
    """Our own access, by the project and by its group."""

    project_access: Access | None = None
    group_access: Access | None = None


class Project(Struct, frozen=True):
    """A project, with its settings for merges and jobs."""

    id: int
    path_with_namespace: str
    default_branch: str | None = None
    http_url_to_repo: str = ""
    web_url: str = ""
    visibility: str = "private"
    topics: tuple[str, ...] = ()
    archived: bool = False
    permissions: Permissions | None = None
    merge_method: str = "merge"
    squash_option: str = "default_off"
    only_allow_merge_if_pipeline_succeeds: bool = False
    allow_merge_on_skipped_pipeline: bool | None = None
    only_allow_merge_if_all_status_checks_passed: bool | None = None
    merge_trains_enabled: bool | None = None
    builds_access_level: str | None = None
    ci_push_repository_for_job_token_allowed: bool | None = None
    ci_allow_fork_pipelines_to_run_in_parent_project: bool | None = None


class DiffRefs(Struct, frozen=True):
    """Commits between which a merge request stands."""

    base_sha: str | None = None
    head_sha: str | None = None
    start_sha: str | None = None


class MergeRequest(Struct, frozen=True):
    """A merge request as REST returns it."""

    iid: int
    title: str
    state: str
    author: User | None
    source_branch: str
    target_branch: str
    source_project_id: int | None
    target_project_id: int
    sha: str | None
    labels: list[str]
    created_at: str
    updated_at: str
    web_url: str
    description: str | None = None
    draft: bool = False
    merged_at: str | None = None
    merge_user: User | None = None
    merge_commit_sha: str | None = None
    squash_commit_sha: str | None = None
    diff_refs: DiffRefs | None = None
    merge_when_pipeline_succeeds: bool = False
    squash: bool = False
    allow_collaboration: bool | None = None
    reviewers: list[User] | None = None


class MergeRequestVersion(Struct, frozen=True):
    """State of a merge request that GitLab stored."""

    id: int
    head_commit_sha: str
    created_at: str


class DiscussionNote(Struct, frozen=True):
    """A comment, or with `system` GitLab's own note of an act, and by GraphQL of which kind it is."""

    id: int
    body: str
    author: User | None
    created_at: str
    system: bool = False
    action: str = ""


class Approval(Struct, frozen=True):
    """An approval that stands."""

    user: User
    approved_at: str | None = None


class Approvals(Struct, frozen=True):
    """The approvals that stand."""

    approved_by: list[Approval]


class Reviewer(Struct, frozen=True):
    """An account requested to review, with the state of the review."""

    user: User
    state: str
    created_at: str | None = None


class PushData(Struct, frozen=True):
    """Details of a push; `ref` is null where one push moved many branches."""

    action: str
    ref_type: str
    ref: str | None = None
    commit_from: str | None = None
    commit_to: str | None = None


class ProjectEvent(Struct, frozen=True):
    """An event in a project, such as a push."""

    created_at: str
    author: User | None = None
    push_data: PushData | None = None


class ProjectMember(Struct, frozen=True):
    """A member of a project, of itself or by a group."""

    id: int
    username: str
    access_level: int
    state: str = "active"


class ListedCommit(Struct, frozen=True):
    """A commit with its committer's address."""

    id: str
    committer_email: str | None = None


class CommitSignature(Struct, frozen=True):
    """GitLab's result of verifying a commit's signature: `verified_system` is its own."""

    verification_status: str = ""


class ListedBranch(Struct, frozen=True):
    """A branch with its tip."""

    name: str
    commit: ListedCommit
    protected: bool = False


class CommitStatus(Struct, frozen=True):
    """A commit status, or a job of a pipeline."""

    name: str
    status: str
    author: User | None = None
    description: str | None = None
    target_url: str | None = None
    created_at: str | None = None
    finished_at: str | None = None


class AccessLevel(Struct, frozen=True):
    """An actor that may do something with a protected branch."""

    id: int
    access_level: int | None = None
    user_id: int | None = None
    group_id: int | None = None
    deploy_key_id: int | None = None


class BranchProtection(Struct, frozen=True):
    """A protected branch, or a pattern of such."""

    id: int
    name: str
    push_access_levels: list[AccessLevel]
    merge_access_levels: list[AccessLevel]
    allow_force_push: bool = False


class ApprovalSettings(Struct, frozen=True):
    """How approvals work in a project (Premium)."""

    reset_approvals_on_push: bool = False
    merge_requests_author_approval: bool | None = None
    merge_requests_disable_committers_approval: bool | None = None


class ApprovalRule(Struct, frozen=True):
    """How many approvals are needed (Premium)."""

    id: int
    name: str
    approvals_required: int
    rule_type: str = ""
    applies_to_all_protected_branches: bool = False
    protected_branches: list[BranchProtection] = []


class ExternalCheck(Struct, frozen=True):
    """An external status check (Ultimate)."""

    id: int
    name: str
    external_url: str = ""
    protected_branches: list[BranchProtection] = []


class Pipeline(Struct, frozen=True):
    """The pipeline of a place in a merge train; `sha` is what the branch would become."""

    sha: str


class TrainMember(Struct, frozen=True):
    """The merge request in a merge train."""

    iid: int


class TrainPlace(Struct, frozen=True):
    """A place in a merge train."""

    merge_request: TrainMember
    pipeline: Pipeline | None = None


class ProjectWebhook(Struct, frozen=True):
    """A webhook of a project."""

    id: int
    url: str
