"""Every kind of fact there is, by name."""

from muniment.facts.change import ApprovedHead, Commit, File, Pushes, Revision
from muniment.facts.facts import Kind
from muniment.facts.maybe import Known, Unknown
from muniment.facts.people import People
from muniment.facts.statements import Approval, Freeze, PolicyException

REVISION: Kind[Revision] = Kind("revision", Known[Revision] | Unknown)
COMMITS: Kind[tuple[Commit, ...]] = Kind("commits", Known[tuple[Commit, ...]] | Unknown)
FILES: Kind[tuple[File, ...]] = Kind("files", Known[tuple[File, ...]] | Unknown)
PUSHES: Kind[Pushes] = Kind("pushes", Known[Pushes] | Unknown)
APPROVED_HEADS: Kind[tuple[ApprovedHead, ...]] = Kind("approved_heads", Known[tuple[ApprovedHead, ...]] | Unknown)
APPROVALS: Kind[tuple[Approval, ...]] = Kind("approvals", Known[tuple[Approval, ...]] | Unknown)
PEOPLE: Kind[People] = Kind("people", Known[People] | Unknown)
EXCEPTIONS: Kind[tuple[PolicyException, ...]] = Kind("exceptions", Known[tuple[PolicyException, ...]] | Unknown)
FREEZES: Kind[tuple[Freeze, ...]] = Kind("freezes", Known[tuple[Freeze, ...]] | Unknown)

KINDS = {
    kind.name: kind
    for kind in (REVISION, COMMITS, FILES, PUSHES, APPROVED_HEADS, APPROVALS, PEOPLE, EXCEPTIONS, FREEZES)
}
