"""Find statements on revisions that could never count, so that a push says so instead of recording them."""

from muniment.controls.control import Reason
from muniment.facts.people import SECURITY, Machine, People, Person
from muniment.facts.statements import Approval, ReviewAction, SignatureResult
from muniment.git import approvals, signatures
from muniment.policy.patterns import matches_any
from muniment.workflows.approval_commands import format_statement_command
from muniment.workflows.refusals import Refusals
from muniment.workflows.repository_rules import RepositoryRules

_OPTIONS = {
    ReviewAction.REQUEST_CHANGES: "--request-changes",
    ReviewAction.WITHDRAW: "--withdraw",
    ReviewAction.DELETE: "--delete",
    ReviewAction.REWIND: "--rewind",
}
_NAMED = 5


def repeat_command(statement: Approval, *options: str, repository: str = "") -> str:
    """Command that makes a statement like this one about the commit where it lies."""
    own = _OPTIONS.get(statement.action)
    given = options or ((own,) if own else ())
    return format_statement_command(repository or statement.repository, statement.target, statement.ref_head, *given)


def find_signature_problem(statement: Approval, signer: str, people: People, subject: str) -> Reason | None:
    """Reason why a statement is not one of the signer whom its ref names; None if it is."""
    if statement.signature is SignatureResult.UNKNOWN_PERSON:
        machine = _find_machine(signer, people)
        if machine is not None:
            command = repeat_command(statement) if statement.head else ""
            return Refusals.APPROVAL_BY_MACHINE(subject, statement=statement.id, machine=machine.id, command=command)
        label = approvals.key_fingerprint(signer) or signer
        return Refusals.APPROVAL_BY_NOBODY(subject, statement=statement.id, signer=label)
    if statement.signature is not SignatureResult.VALID:
        return Refusals.APPROVAL_NOT_SIGNED(
            subject,
            statement=statement.id,
            person=statement.ref_person,
            signature=statement.signature.value,
            command=repeat_command(statement) if statement.head else "",
        )
    if statement.head != statement.ref_head:
        return Refusals.APPROVAL_ELSEWHERE(
            subject,
            head=statement.ref_head,
            statement=statement.id,
            about=statement.head,
            command=repeat_command(statement),
        )
    return None


def _find_machine(signer: str, people: People) -> Machine | None:
    """The machine that a ref names as its signer, by id or key."""
    fingerprint = approvals.key_fingerprint(signer)
    for machine in people.machines:
        if signer == machine.id or fingerprint in map(signatures.make_fingerprint, machine.keys):
            return machine
    return None


def find_permanent_problem(statement: Approval, standing: RepositoryRules, subject: str, tree: str) -> Reason | None:
    """Reason why a signed statement could never count here; None if it can. `tree`: of its head, "" if that is not
    here.
    """
    if not standing.is_protected(statement.target):
        patterns = ", ".join(standing.protected_patterns())
        return Refusals.APPROVAL_UNPROTECTED(
            subject, statement=statement.id, about=statement.target, protected=patterns
        )
    repository = standing.rules_for(statement.target).policy.policy.repository
    details = {"statement": statement.id, "repository": repository, "head": statement.head}
    if statement.repository != repository:
        command = repeat_command(statement, repository=repository)
        return Refusals.APPROVAL_OTHER_REPOSITORY(subject, about=statement.repository, command=command, **details)
    if tree and statement.tree != tree:
        return Refusals.APPROVAL_OTHER_TREE(subject, command=repeat_command(statement), **details)
    if statement.action is ReviewAction.WITHDRAW:
        return None
    person = standing.people.by_id[statement.ref_person]
    if not person.active or not matches_any(repository, person.write_access):
        return Refusals.APPROVAL_NOT_ENTITLED(subject, person=person.id, repository=repository)
    return _find_attestation_problem(statement, person, standing, subject)


def _find_attestation_problem(
    statement: Approval, person: Person, standing: RepositoryRules, subject: str
) -> Reason | None:
    if statement.action is not ReviewAction.ATTEST:
        return None
    people = standing.people
    if SECURITY not in person.roles:
        others = [one.id for one in people.persons if one.active and SECURITY in one.roles]
        names = ", ".join(others[:_NAMED]) or "nobody has it yet"
        return Refusals.ATTESTATION_NOT_ENTITLED(subject, person=person.id, ask=names)
    unknown = [who for who in statement.attests.values() if who not in people.by_id]
    if unknown:
        options = [f"--attest {about}=PERSON" for about in statement.attests]
        return Refusals.ATTESTED_NOBODY(
            subject, statement=statement.id, about=unknown[0], command=repeat_command(statement, *options)
        )
    return None
