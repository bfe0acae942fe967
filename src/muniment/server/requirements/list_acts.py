"""Acts on official lists of requirements: import one, end one."""

from typing import Annotated, ClassVar, Self

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from muniment.access.actions import Action
from muniment.access.authorization import ORGANISATION, Resource
from muniment.errors import ParseError, RefusedError, UsageError
from muniment.facts import canonical
from muniment.scanners.requirements.checklist import OfficialList, parse_official_list
from muniment.server.acts.act import Act, ActContext
from muniment.server.acts.guarded_state import GuardedFacts
from muniment.server.acts.inputs import InputCode, Label, Text
from muniment.server.requirements.act_fields import ListNumber
from muniment.server.requirements.models import OfficialRequirementList

LARGEST_LIST = 2_000_000  # characters
_LONGEST_TITLE = 200


class ImportRequirementList(Act, frozen=True):
    """Import an official list. A policy that names it has its requirements evaluated."""

    actions: ClassVar[tuple[Action, ...]] = (Action.IMPORT_REQUIREMENTS,)
    title: ClassVar[Label] = gettext_lazy("Import requirement list")

    content: Annotated[
        str,
        Text(
            label=gettext_lazy("Official list (JSON)"),
            hint=gettext_lazy("In the JSON of the OWASP ASVS, as its release has it."),
            most=LARGEST_LIST,
            multiline=True,
            verbatim=True,
        ),
    ]

    @classmethod
    def guarded_state(cls) -> GuardedFacts:
        """The lists in force, each with the digest of its content."""
        rows = OfficialRequirementList.objects.filter(ended_at=None)
        return GuardedFacts(permitted=frozenset(rows.values_list("title", "digest")))

    def normalise_fields(self) -> Self:
        """Act unchanged. Raises ParseError for a list that cannot be read whole."""
        self.read_list()
        return self

    def read_list(self) -> OfficialList:
        """The list. Raises ParseError."""
        try:
            found = parse_official_list(self.content.encode())
        except UsageError as error:
            raise ParseError(InputCode.MALFORMED, error.message, error.remedy, "content") from None
        if not 0 < len(found.full_title.strip()) <= _LONGEST_TITLE or not found.full_title.isprintable():
            sentence = _("Its name and version have to be one line of at most %(most)d characters.")
            remedy = _("Take the file of the standard's own release.")
            raise ParseError(InputCode.MALFORMED, sentence % {"most": _LONGEST_TITLE}, remedy, "content")
        return found

    def find_resource(self) -> Resource:
        return ORGANISATION

    def format_subject(self) -> str:
        return "requirement-lists"

    def describe_act(self) -> str:
        found = self.read_list()
        details = {"title": found.full_title, "count": len(found.requirements)}
        return _("import the list %(title)s with %(count)d requirements") % details

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse a list whose title is in force."""
        if OfficialRequirementList.objects.filter(title=self.read_list().full_title, ended_at=None).exists():
            raise RefusedError(
                "list-imported",
                _("A list with this name and version is imported already."),
                _("End it first if its content is wrong."),
            )

    def carry_out(self, context: ActContext) -> None:
        """Add the list, with the digest of its content."""
        found = self.read_list()
        OfficialRequirementList.objects.create(
            title=found.full_title,
            digest=canonical.digest_bytes(self.content.encode()),
            content=self.content,
            count=len(found.requirements),
            importer_id=context.requester,
            approver_id=context.approver,
        )


class EndRequirementList(Act, frozen=True):
    """End an official list. A clause that names it is then unknown."""

    actions: ClassVar[tuple[Action, ...]] = (Action.END_REQUIREMENT_LIST,)
    title: ClassVar[Label] = gettext_lazy("End requirement list")

    listing: ListNumber

    def find_resource(self) -> Resource:
        return ORGANISATION

    def format_subject(self) -> str:
        return f"requirement-list:{self.listing}"

    def describe_act(self) -> str:
        return _("end the list %(title)s") % {"title": OfficialRequirementList.objects.get(pk=self.listing).title}

    def check_preconditions(self, context: ActContext) -> None:
        """Require that it is in force."""
        if OfficialRequirementList.objects.get(pk=self.listing).ended_at is not None:
            raise RefusedError("list-over", _("It is over already."), _("There is nothing left to do."))

    def carry_out(self, context: ActContext) -> None:
        """End it from now on."""
        OfficialRequirementList.objects.filter(pk=self.listing).update(ended_at=timezone.now())
