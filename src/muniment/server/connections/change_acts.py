"""Acts on a change at a forge: approve it, withdraw that, attest a contributor, request a review, merge it."""

from typing import Annotated, ClassVar, Self

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from msgspec import structs

from muniment.access.actions import Action
from muniment.access.authorization import Actor, Resource, list_permitted_products
from muniment.controls.review_statements import ALL_PUSHERS
from muniment.errors import RefusedError
from muniment.facts.statements import ReviewAction
from muniment.policy import guide
from muniment.server.acts.act import Act, ActContext
from muniment.server.acts.fields import commit_input, number_input
from muniment.server.acts.inputs import Answers, Generated, Label, Text
from muniment.server.changes.models import Change
from muniment.server.changes.reevaluation_requests import request_reading
from muniment.server.connections.models import ReviewStatement
from muniment.server.connections.older_changes import find_older_changes
from muniment.server.job_queue import enqueue
from muniment.server.people.act_fields import PersonId, label_person

_LONGEST = 5_000  # characters of one answer
_SHORT = 12  # digits of a commit in a sentence


def _visible_changes(actor: Actor) -> "QuerySet[Change]":
    rows = Change.objects.filter(forge_change__isnull=False)
    visible = list_permitted_products(actor, Action.SEE_CHANGE)
    return rows if visible is None else rows.filter(repository__product__slug__in=visible)


ChangeNumber = Annotated[
    int,
    number_input(
        label=gettext_lazy("Change"),
        rows=_visible_changes,
        missing=gettext_lazy("There is no such change at a forge."),
        remedy=gettext_lazy("Choose one that the page of the product shows."),
        recorded=True,
    ),
]
Head = Annotated[
    str, commit_input(label=gettext_lazy("Commit"), form=gettext_lazy("Write the whole id of the commit."))
]


class ChangeAct(Act, frozen=True):
    """An act on one change that is open at a forge."""

    change: ChangeNumber

    def find_resource(self) -> Resource:
        """The product of the change."""
        return Resource(product=self.load_change().repository.product.slug)

    def format_subject(self) -> str:
        return f"change:{self.change}"

    def load_change(self) -> Change:
        """The row of the change."""
        return Change.objects.select_related("repository__product", "forge_change").get(pk=self.change)

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse a change that is not open."""
        if self.load_change().state != Change.State.OPEN:
            raise RefusedError(
                "change-not-open", _("It is not open at a forge any more."), _("Look at the page of the change.")
            )


class StatementAct(ChangeAct, frozen=True):
    """A statement on one head of a change. `repository` and `target` bind it to the branch that it is made for.

    It counts as long as the stored statement is the one whose digest the record has (`rebuild_statement_act`).
    """

    kind: ClassVar[ReviewAction]

    head: Head
    repository: Annotated[str, Generated(label=gettext_lazy("Repository"), recorded=True)] = ""
    target: Annotated[str, Generated(label=gettext_lazy("Branch"), recorded=True)] = ""

    def normalise_fields(self) -> Self:
        """Act with the present repository and branch."""
        row = self.load_change()
        return structs.replace(self, repository=row.repository.name, target=row.target)

    def stored_answers(self) -> dict[str, str]:
        """Answers of the statement, as `ReviewStatement.answers` stores them."""
        return {}

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse unless the change is open, still has this head, and is for the same branch."""
        super().check_preconditions(context)
        row = self.load_change()
        if (self.head, self.repository, self.target) != (row.head, row.repository.name, row.target):
            raise RefusedError("head-changed", _("It has another head by now."), _("Read that head first."))

    def carry_out(self, context: ActContext) -> None:
        """Add the statement with the digest of its record, and have the change read again."""
        row = self.load_change()
        ReviewStatement.objects.create(
            change=row,
            person_id=context.requester,
            head=self.head,
            target=self.target,
            kind=self.kind.value,
            answers=self.stored_answers(),
            act_digest=context.record,
        )
        request_reading(row.repository_id, row.forge_change.number)


class ApproveChange(StatementAct, frozen=True):
    """Approve one head of a change, with the questions of the review guide answered."""

    actions: ClassVar[tuple[Action, ...]] = (Action.REVIEW_CHANGE,)
    title: ClassVar[Label] = gettext_lazy("Approve change")
    kind: ClassVar[ReviewAction] = ReviewAction.APPROVE

    answers: Annotated[
        dict[str, str],
        Answers(
            label=gettext_lazy("Answers"),
            questions=tuple((question.id, question.text) for question in guide.QUESTIONS),
            most=_LONGEST,
        ),
    ] = {}

    def stored_answers(self) -> dict[str, str]:
        """The answers, by the ids of their questions."""
        return self.answers

    def describe_act(self) -> str:
        """The head, the repository and the branch."""
        details = {"head": self.head[:_SHORT], "repository": self.repository, "target": self.target}
        return _("approve %(head)s of %(repository)s for %(target)s") % details


class WithdrawApproval(StatementAct, frozen=True):
    """Withdraw one's approval of one head of a change."""

    actions: ClassVar[tuple[Action, ...]] = (Action.REVIEW_CHANGE,)
    title: ClassVar[Label] = gettext_lazy("Withdraw approval")
    kind: ClassVar[ReviewAction] = ReviewAction.WITHDRAW

    def describe_act(self) -> str:
        """The head, the repository and the branch."""
        details = {"head": self.head[:_SHORT], "repository": self.repository, "target": self.target}
        return _("withdraw the approval of %(head)s of %(repository)s for %(target)s") % details


class AttestContributor(StatementAct, frozen=True, kw_only=True):
    """Attest which person an unknown contributor is. The person who attests cannot approve the change."""

    actions: ClassVar[tuple[Action, ...]] = (Action.ATTEST_CONTRIBUTOR,)
    title: ClassVar[Label] = gettext_lazy("Attest contributor")
    kind: ClassVar[ReviewAction] = ReviewAction.ATTEST

    contributor: Annotated[
        str,
        Text(
            label=gettext_lazy("Unknown contributor"),
            most=400,
            pattern=rf"(?:account|commit):.+|{ALL_PUSHERS}",
            form=gettext_lazy("Choose a contributor that the page of the change shows as unknown."),
        ),
    ]
    person: PersonId

    def stored_answers(self) -> dict[str, str]:
        """The contributor, and the internal id of the person."""
        return {self.contributor: self.person}

    def describe_act(self) -> str:
        """The contributor, the repository and the person."""
        details = {"contributor": self.contributor, "repository": self.repository, "person": label_person(self.person)}
        return _("attest that %(contributor)s in %(repository)s is %(person)s") % details


class AttestOpenChanges(ChangeAct, frozen=True, kw_only=True):
    """Attest the pusher of all commits older than the connection of a repository, for all of its open changes at once.

    `change` is one of them. It covers each whose unknown pushers all pushed before the connection, at its present head.
    The person who attests can approve none of them.
    """

    actions: ClassVar[tuple[Action, ...]] = (Action.ATTEST_CONTRIBUTOR,)
    title: ClassVar[Label] = gettext_lazy("Attest pusher of all open changes")

    person: PersonId
    changes: Annotated[tuple[str, ...], Generated(label=gettext_lazy("Open changes"))] = ()

    def normalise_fields(self) -> Self:
        """Act with the present changes, the first of them as `change`: the stored statements then determine the act."""
        covered = self._find_covered_changes()
        change = covered[0].pk if covered else self.change
        return structs.replace(self, change=change, changes=tuple(map(format_covered_change, covered)))

    def format_subject(self) -> str:
        return f"repository:{self.load_change().repository_id}"

    def describe_act(self) -> str:
        """How many changes, the repository and the person."""
        details = {
            "count": len(self.changes),
            "repository": self.load_change().repository.name,
            "person": label_person(self.person),
        }
        return (
            _(
                "attest that %(person)s pushed what %(count)d open changes of %(repository)s held before it was "
                "connected"
            )
            % details
        )

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse if the changes differ from those of the request, or if there are none."""
        super().check_preconditions(context)
        if not self.changes:
            raise RefusedError(
                "no-older-push",
                _("No open change lacks only who pushed its commits before the repository was connected."),
                _("Attest each contributor on the page of its change."),
            )
        if self.changes != tuple(map(format_covered_change, self._find_covered_changes())):
            raise RefusedError("head-changed", _("It has another head by now."), _("Read that head first."))

    def carry_out(self, context: ActContext) -> None:
        """Add one statement for each change with the digest of the record, and have them read again."""
        for row in self._find_covered_changes():
            ReviewStatement.objects.create(
                change=row,
                person_id=context.requester,
                head=row.head,
                target=row.target,
                kind=ReviewAction.ATTEST.value,
                answers={ALL_PUSHERS: self.person},
                covered_changes=list(self.changes),
                act_digest=context.record,
            )
            request_reading(row.repository_id, row.forge_change.number)

    def _find_covered_changes(self) -> list[Change]:
        return find_older_changes(self.load_change().repository_id)


class RequestReview(ChangeAct, frozen=True):
    """Request reviews, at the forge, from eligible reviewers."""

    actions: ClassVar[tuple[Action, ...]] = (Action.REQUEST_REVIEW,)
    title: ClassVar[Label] = gettext_lazy("Request review")

    def describe_act(self) -> str:
        """The change and its repository."""
        row = self.load_change()
        details = {"change": row.name, "repository": row.repository.name}
        return _("request a review of %(change)s of %(repository)s") % details

    def carry_out(self, context: ActContext) -> None:
        """Enqueue the requests for the worker."""
        enqueue("request-review", change=self.change, record=context.record)


class MergeChange(ChangeAct, frozen=True):
    """Merge a change at its forge, if it still has this head and is allowed then."""

    actions: ClassVar[tuple[Action, ...]] = (Action.REQUEST_REVIEW,)
    title: ClassVar[Label] = gettext_lazy("Merge change")

    head: Head

    def describe_act(self) -> str:
        """The change and its repository."""
        row = self.load_change()
        return _("merge %(change)s of %(repository)s") % {"change": row.name, "repository": row.repository.name}

    def carry_out(self, context: ActContext) -> None:
        """Enqueue the merge for the worker."""
        enqueue("merge-change", change=self.change, head=self.head, person=context.requester, record=context.record)


def format_covered_change(row: Change) -> str:
    """Text for one change within an attestation of several: its number, its head and its branch."""
    return _format_covered(row.pk, row.head, row.target)


def _format_covered(change: int, head: str, target: str) -> str:
    return f"{change} {head} {target}"


def rebuild_statement_act(row: ReviewStatement) -> ChangeAct | None:
    """Act that a stored statement must come from, to compare its digest with the record; None for an invalid
    statement.
    """
    change, repository = row.change_id, row.change.repository.name
    head, target, answers = row.head, row.target, row.answers
    match row.kind:
        case ReviewAction.APPROVE.value:
            return ApproveChange(change=change, head=head, repository=repository, target=target, answers=answers)
        case ReviewAction.WITHDRAW.value if not answers:
            return WithdrawApproval(change=change, head=head, repository=repository, target=target)
        case ReviewAction.ATTEST.value if row.covered_changes:
            covered = tuple(row.covered_changes)
            if set(answers) != {ALL_PUSHERS} or _format_covered(change, head, target) not in covered:
                return None
            first = int(covered[0].partition(" ")[0])
            return AttestOpenChanges(change=first, person=answers[ALL_PUSHERS], changes=covered)
        case ReviewAction.ATTEST.value if len(answers) == 1:
            ((contributor, person),) = answers.items()
            return AttestContributor(
                change=change,
                head=head,
                repository=repository,
                target=target,
                contributor=contributor,
                person=person,
            )
        case _:
            return None
