"""A group of a merge queue: each entry stands on the one before it, the first on the branch."""

from muniment.errors import ForgeCode, ForgeError
from muniment.forges.forge_client import decode_answer, truncated_error
from muniment.forges.github import queries
from muniment.forges.github.client import GitHubClient
from muniment.forges.github.wire import ListPage, QueueEntry
from muniment.forges.shapes import ForgeRepository, GroupMember, MergeGroup

_MOST_PAGES = 20


def find_merge_group(hub: GitHubClient, repository: ForgeRepository, target: str, head: str) -> MergeGroup:
    """Group whose head is `head`. Raises CHANGED_MEANWHILE if the queue has none such."""
    by_head = {entry.head_commit.oid: entry for entry in _read_entries(hub, repository, target) if entry.head_commit}
    members: list[GroupMember] = []
    base = head
    while base in by_head:
        entry = by_head.pop(base)
        if entry.pull_request is None or entry.base_commit is None:
            raise _gone_error()
        members.insert(0, GroupMember(entry.pull_request.number, entry.pull_request.head_ref_oid))
        base = entry.base_commit.oid
    if not members:
        raise _gone_error()
    return MergeGroup(target, base, head, tuple(members))


def _read_entries(hub: GitHubClient, repository: ForgeRepository, target: str) -> list[QueueEntry]:
    owner, _, name = repository.path.partition("/")
    found: list[QueueEntry] = []
    after: str | None = None
    for _ in range(_MOST_PAGES):
        branch = target.removeprefix("refs/heads/")
        answer = hub.run_query(queries.QUEUE_QUERY, owner=owner, name=name, branch=branch, after=after)
        why = answer.explain_refusal("repository", "mergeQueue", "entries")
        if why:
            raise ForgeError(
                ForgeCode.FORBIDDEN,
                f"the merge queue could not be read: {why}",
                "Give the App the permission Merge queues: read.",
            )
        queue = (answer.data.get("repository") or {}).get("mergeQueue")
        if queue is None:
            raise ForgeError(ForgeCode.UNSUPPORTED, f"{branch} has no merge queue", "Nothing has to be done.")
        page = decode_answer(ListPage[QueueEntry], queue.get("entries"), "graphql")
        found += page.nodes
        after = page.page_info.end_cursor
        if not page.page_info.has_next_page:
            if len(found) != page.total_count:
                raise truncated_error("graphql", len(found))
            return found
    raise truncated_error("graphql", len(found))


def _gone_error() -> ForgeError:
    return ForgeError(
        ForgeCode.CHANGED_MEANWHILE,
        "the merge queue has no such group any more",
        "A new group is evaluated when it is created.",
    )
