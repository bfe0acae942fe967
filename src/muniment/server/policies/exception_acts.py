"""Acts on exceptions: request an exception, end it early."""

from typing import Annotated, ClassVar, Self

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from msgspec import structs

from muniment.access.actions import Action
from muniment.access.authorization import Actor, Resource
from muniment.decision.exceptions import LONGEST_DAYS
from muniment.errors import RefusedError
from muniment.facts import canonical
from muniment.facts import moments as times
from muniment.policy.exception_files import ArmoredSignature, ExceptionTerms, SignedException
from muniment.server import moments
from muniment.server.acts.act import Act, ActContext
from muniment.server.acts.fields import commit_input, reason_input
from muniment.server.acts.guarded_state import GuardedFacts
from muniment.server.acts.inputs import Integer, Label, Reference, Text
from muniment.server.job_queue import enqueue
from muniment.server.policies.act_fields import ClauseId, find_clause_name
from muniment.server.policies.exception_proofs import ACT
from muniment.server.policies.models import PolicyException
from muniment.server.products.act_fields import find_repository_name, make_permitted_repository_input
from muniment.server.products.models import Repository
from muniment.server.records.installation import open_store
from muniment.server.records.models import ExceptionFile as ExceptionRow

_HEADS = "refs/heads/"
_SHORT = 7  # digits of a commit in a sentence
_ID_DIGITS = slice(7, 15)  # of "sha256:" and 64 digits


class RequestException(Act, frozen=True, kw_only=True):
    """Permit a repository's branch to proceed for some days although one clause fails."""

    actions: ClassVar[tuple[Action, ...]] = (Action.REQUEST_EXCEPTION,)
    title: ClassVar[Label] = gettext_lazy("Request exception")

    repository: Annotated[int, make_permitted_repository_input(Action.REQUEST_EXCEPTION)]
    clause: ClauseId
    branch: Annotated[
        str,
        Text(
            label=gettext_lazy("Branch"),
            most=300,
            pattern=r"(?!refs/(?!heads/\S))\S+",
            form=gettext_lazy("Write a branch, such as main."),
            monospace=True,
            recorded=True,
        ),
    ] = "refs/heads/main"
    head: Annotated[
        str,
        commit_input(
            label=gettext_lazy("Commit; empty for every commit"),
            form=gettext_lazy("Write the whole id of the commit: 40 or 64 digits and letters a to f."),
        ),
    ] = ""
    days: Annotated[
        int, Integer(label=gettext_lazy("Ends after days, 90 at most"), least=1, most=LONGEST_DAYS, recorded=True)
    ] = 14
    reason: Annotated[str, reason_input(label=gettext_lazy("Reason, and what is done about it meanwhile"))]

    @classmethod
    def guarded_state(cls) -> GuardedFacts:
        """The exceptions that are proven, as evaluations read them, with what each one permits."""
        found = [canonical.decode(data, SignedException) for _id, data in open_store().load_exceptions()]
        return GuardedFacts(
            permitted=frozenset((one.exception.id, canonical.digest_bytes(one.exception.signed_bytes)) for one in found)
        )

    def normalise_fields(self) -> Self:
        """With the branch in full."""
        return self if self.branch.startswith(_HEADS) else structs.replace(self, branch=_HEADS + self.branch)

    def find_resource(self) -> Resource:
        """The product of the repository."""
        return Resource(product=self._find_repository().product.slug)

    def format_subject(self) -> str:
        """The repository and the clause."""
        return f"exception:{self.repository}/{self.clause}"

    def describe_act(self) -> str:
        """The repository, the branch and commit, the clause and the time."""
        details = {"repository": find_repository_name(self.repository), "days": self.days}
        details |= {"clause": find_clause_name(self.clause), "branch": self.branch.removeprefix(_HEADS)}
        details |= {"commit": self.head[:_SHORT]}
        if self.head:
            return (
                _(
                    "permit commit %(commit)s on branch %(branch)s of %(repository)s to proceed for %(days)d days, "
                    "although the clause “%(clause)s” fails"
                )
                % details
            )
        return (
            _(
                "permit branch %(branch)s of %(repository)s to proceed for %(days)d days, "
                "although the clause “%(clause)s” fails"
            )
            % details
        )

    def shown_details(self) -> tuple[str, ...]:
        """The whole commit, of which the summary has the beginning."""
        return (_("Commit: %(commit)s") % {"commit": self.head},) if self.head else ()

    def recorded_details(self, context: ActContext) -> dict[str, str]:
        """The exception's id, and the digest of its terms: these records are its proof."""
        terms = self.make_terms(context)
        return {"exception": terms.id, "terms": canonical.digest_bytes(terms.signed_bytes)}

    def check_preconditions(self, context: ActContext) -> None:
        """Require that it would not be over before it began."""
        self._find_repository()
        if self.make_terms(context).expires <= moments.current_moment():
            raise RefusedError("exception-over", _("It would be over already."), _("Request a new one."))

    def carry_out(self, context: ActContext) -> None:
        """Put it in force: the records of the request and of the approval prove it."""
        terms, approver = self.make_terms(context), str(context.approver)
        proofs = (
            ArmoredSignature(context.requester, ACT + context.request_record),
            ArmoredSignature(approver, ACT + context.record),
        )
        ExceptionRow.objects.create(name=terms.id, data=canonical.encode(SignedException(terms, proofs)))
        PolicyException.objects.create(
            slug=terms.id,
            repository=self._find_repository(),
            clause=self.clause,
            branch=self.branch,
            head=self.head,
            reason=self.reason,
            requester_id=context.requester,
            approver_id=approver,
            approved_at=moments.parse_moment(terms.granted),
            expires_at=moments.parse_moment(terms.expires),
        )
        enqueue("reevaluate-all")

    def make_terms(self, context: ActContext) -> ExceptionTerms:
        """Terms of the exception: they follow from the act, its requester and the moment of the request alone."""
        granted = context.requested_at
        seed = canonical.digest_bytes(f"{self.digest_act()} {context.requester} {granted}".encode())
        return ExceptionTerms(
            id=f"{granted[:10]}-{seed[_ID_DIGITS]}",
            clause=self.clause,
            repository=find_repository_name(self.repository),
            branch=self.branch,
            head=self.head,
            owner=context.requester,
            reason=self.reason,
            granted=granted,
            expires=times.add_time(granted, days=self.days),
        )

    def _find_repository(self) -> Repository:
        found = Repository.objects.select_related("product").filter(pk=self.repository).first()
        if found is None:
            raise RefusedError("no-repository", _("Its repository is gone."), _("Request one for another repository."))
        return found


def _find_exception(slug: str, actor: Actor) -> str | None:
    return slug if PolicyException.objects.filter(slug=slug).exists() else None


class EndException(Act, frozen=True):
    """End an exception early."""

    actions: ClassVar[tuple[Action, ...]] = (Action.END_EXCEPTION,)
    title: ClassVar[Label] = gettext_lazy("End exception")

    exception: Annotated[
        str,
        Reference(
            label=gettext_lazy("Exception"),
            find=_find_exception,
            name=str,
            missing=gettext_lazy("There is no such exception."),
            remedy=gettext_lazy("Choose an exception that the page Exceptions shows."),
            recorded=True,
            most=64,
        ),
    ]

    def find_resource(self) -> Resource:
        """The product of its repository."""
        return Resource(product=PolicyException.objects.get(slug=self.exception).repository.product.slug)

    def format_subject(self) -> str:
        return f"exception:{self.exception}"

    def describe_act(self) -> str:
        row = PolicyException.objects.select_related("repository").get(slug=self.exception)
        details = {"clause": find_clause_name(row.clause), "repository": row.repository.name}
        return _("end the exception from the clause “%(clause)s” for %(repository)s") % details

    def check_preconditions(self, context: ActContext) -> None:
        """Require that it is not ended."""
        if not PolicyException.objects.filter(slug=self.exception, ended_at=None).exists():
            raise RefusedError("exception-over", _("It is over already."), _("There is nothing left to do."))

    def carry_out(self, context: ActContext) -> None:
        """End it, and evaluate again what it covered."""
        PolicyException.objects.filter(slug=self.exception).update(ended_at=timezone.now())
        ExceptionRow.objects.filter(name=self.exception).delete()
        enqueue("reevaluate-all")
