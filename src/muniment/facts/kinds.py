"""Every kind of fact there is, by name."""

from muniment.facts.change import ApprovedHead, Commit, File, Pushes, Revision
from muniment.facts.facts import Kind
from muniment.facts.maybe import Maybe
from muniment.facts.people import People
from muniment.facts.statements import Approval, PolicyException

REVISION: Kind[Revision] = Kind("revision", Maybe[Revision])
COMMITS: Kind[tuple[Commit, ...]] = Kind("commits", Maybe[tuple[Commit, ...]])
FILES: Kind[tuple[File, ...]] = Kind("files", Maybe[tuple[File, ...]])
PUSHES: Kind[Pushes] = Kind("pushes", Maybe[Pushes])
APPROVED_HEADS: Kind[tuple[ApprovedHead, ...]] = Kind("approved_heads", Maybe[tuple[ApprovedHead, ...]])
APPROVALS: Kind[tuple[Approval, ...]] = Kind("approvals", Maybe[tuple[Approval, ...]])
PEOPLE: Kind[People] = Kind("people", Maybe[People])
EXCEPTIONS: Kind[tuple[PolicyException, ...]] = Kind("exceptions", Maybe[tuple[PolicyException, ...]])

KINDS = {
    kind.name: kind
    for kind in (REVISION, COMMITS, FILES, PUSHES, APPROVED_HEADS, APPROVALS, PEOPLE, EXCEPTIONS)
}
