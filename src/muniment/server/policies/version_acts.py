"""Acts on versions of the policy: draft one, apply one. Two people apply one that is weaker anywhere."""

from typing import Annotated, ClassVar, Self

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from msgspec import Struct, structs

from muniment.access.actions import Action
from muniment.access.authorize import ORGANISATION, Actor, Resource
from muniment.decision.binding import BoundPolicy
from muniment.decision.comparison import Direction, compare
from muniment.errors import ParseError, PolicyError, RefusedError
from muniment.policy.document import read_policy
from muniment.policy.pack import pack_text
from muniment.server.acts.act import Act, ActContext
from muniment.server.acts.fields import LONGEST_REASON, number_input
from muniment.server.acts.inputs import Generated, Label, Text
from muniment.server.policies.differences import find_differences, is_weaker
from muniment.server.policies.models import PolicyVersion
from muniment.server.policies.proof_demands import refuse_undemandable
from muniment.server.records.installation import store
from muniment.server.records.store import POLICY
from muniment.server.work import soon

LARGEST = 256 << 10  # characters of a policy
_OWNER, _REPOSITORY = "security@example.test", "organisation"  # of the built-in policy


PolicyText = Annotated[
    str, Text(label=gettext_lazy("Policy"), most=LARGEST, multiline=True, verbatim=True, monospace=True)
]


def policy_digest(text: str) -> str:
    """The digest of a policy. Raises PolicyError for what is none."""
    return read_policy(text, POLICY).digest


def refuse_no_policy(text: str) -> None:
    """Raise ParseError for what is no policy."""
    try:
        find_differences(text)
    except PolicyError as error:
        raise ParseError("no-policy", f"{error.message}.", error.remedy, "text") from None


class PolicyAct(Act, frozen=True):
    """An act on the policy of the organisation."""

    actions: ClassVar[tuple[Action, ...]] = (Action.DRAFT_POLICY,)

    def resource(self) -> Resource:
        """The organisation."""
        return ORGANISATION


class DraftPolicy(PolicyAct, frozen=True):
    """Draft a version of the policy: it is shown and tried, and not in force."""

    title: ClassVar[Label] = gettext_lazy("Draft policy")

    text: PolicyText
    note: Annotated[str, Text(label=gettext_lazy("Reason"), most=LONGEST_REASON, multiline=True)] = ""

    def normalised(self) -> Self:
        """As it is. Raises ParseError for what is no policy."""
        refuse_no_policy(self.text)
        return self

    def subject(self) -> str:
        """The policy, by the digest of the draft."""
        return f"policy:{policy_digest(self.text)}"

    def summary(self) -> str:
        """The digest of the draft."""
        return _("draft the policy %(digest)s") % {"digest": policy_digest(self.text)}

    def given_reason(self) -> str:
        """The note."""
        return self.note

    def details(self, context: ActContext) -> dict[str, str]:
        """The digest of the draft."""
        return {"digest": policy_digest(self.text)}

    def check(self, context: ActContext) -> None:
        """It is not the policy in force."""
        current = PolicyVersion.objects.filter(in_force=True).first()
        if current is not None and self.text == current.text:
            raise RefusedError(
                "policy-in-force", _("This is the policy that is in force already."), _("Change something first.")
            )

    def execute(self, context: ActContext) -> PolicyVersion:
        """Add the version, and have it tried on the changes of the past."""
        version = PolicyVersion.objects.create(
            text=self.text, digest=policy_digest(self.text), note=self.note, proposed_by_id=context.requesting_person
        )
        soon("replay-policy", version=version.pk)
        return version


def _visible_versions(actor: Actor) -> "QuerySet[PolicyVersion]":
    return PolicyVersion.objects.all()


class GuardedPolicy(Struct, frozen=True):
    """The policy in force."""

    policy: BoundPolicy | None

    def is_looser_than(self, earlier: Self) -> bool:
        """Whether it is weaker anywhere; what cannot be compared counts as weaker."""
        if earlier.policy is None or self.policy is None:
            return earlier.policy is not None
        return any(one.direction is Direction.WEAKER for one in compare(earlier.policy, self.policy))


class ApplyPolicy(PolicyAct, frozen=True):
    """Apply a version of the policy: at once if it is nowhere weaker than the one in force, else by two people.

    `policy` and `replaced` are the digests of the version and of the policy in force, as the requester saw them.
    """

    actions: ClassVar[tuple[Action, ...]] = (Action.APPLY_POLICY, Action.WEAKEN_POLICY)
    title: ClassVar[Label] = gettext_lazy("Apply policy")

    version: Annotated[
        int,
        number_input(
            label=gettext_lazy("Version"),
            rows=_visible_versions,
            missing=gettext_lazy("There is no such version."),
            remedy=gettext_lazy("Choose a version that the page Policy shows."),
            recorded=True,
        ),
    ]
    policy: Annotated[str, Generated(label="policy", recorded=True)] = ""
    replaced: Annotated[str, Generated(label="replaced", recorded=True)] = ""

    @classmethod
    def guarded_state(cls) -> GuardedPolicy:
        """The policy in force."""
        return GuardedPolicy(store().policy())

    def normalised(self) -> Self:
        """With the digests of now. Raises ParseError for a version from which a name was erased."""
        if not self._is_whole():
            sentence = _("The name of a person who was erased is no longer in this version.")
            raise ParseError("version-erased", sentence, _("Draft the policy anew, without the name."), "version")
        current = PolicyVersion.objects.filter(in_force=True).first()
        replaced = current.digest if current is not None else ""
        return structs.replace(self, policy=self._row().digest, replaced=replaced)

    def action(self) -> Action:
        """Another action, with a second person, for a version that is weaker anywhere."""
        return Action.WEAKEN_POLICY if is_weaker(self._row().text) else Action.APPLY_POLICY

    def subject(self) -> str:
        """The version."""
        return f"policy:{self.version}"

    def summary(self) -> str:
        """The version, and whether it is weaker."""
        if self.action() is Action.WEAKEN_POLICY:
            return _("apply version %(version)d of the policy, which is weaker") % {"version": self.version}
        return _("apply version %(version)d of the policy") % {"version": self.version}

    def shown_details(self) -> tuple[str, ...]:
        """Each difference from the policy in force, and the digests of both. Raises RefusedError for another text."""
        if not self._is_whole() or self._row().digest != self.policy:
            raise RefusedError(
                "version-altered",
                _("That version is not the one that was requested."),
                _("Draft the policy anew, and apply it again."),
            )
        found = find_differences(self._row().text)
        lines = (f"{one.clause or 'policy'}, {one.what}: {one.old} -> {one.new} ({one.direction})" for one in found)
        return (*lines, f"policy in force: {self.replaced}", f"new policy: {self.policy}")

    def given_reason(self) -> str:
        """The note of the version."""
        return self._row().note

    def check(self, context: ActContext) -> None:
        """The version was not applied yet, and the policy in force is the one that it was compared with."""
        refuse_undemandable(read_policy(self._row().text, POLICY).confirmation.proof)
        row = self._row()
        if row.applied_at is not None or row.digest != self.policy:
            raise RefusedError(
                "version-applied",
                _("That version was applied already, or was changed."),
                _("Draft the policy anew, to apply it again."),
            )
        if PolicyVersion.objects.filter(in_force=True).exclude(digest=self.replaced).exists():
            raise RefusedError(
                "policy-changed",
                _("Another policy is in force by now."),
                _("Apply the version again, so that its differences from that policy are seen."),
            )

    def execute(self, context: ActContext) -> None:
        """Put the version in force, and evaluate everything again."""
        row = self._row()
        PolicyVersion.objects.filter(in_force=True).update(in_force=False)
        row.in_force, row.applied_at, row.approver_id = True, timezone.now(), context.approver
        row.save()
        store().write(POLICY, row.text.encode())
        soon("reevaluate-all")

    def _row(self) -> PolicyVersion:
        return PolicyVersion.objects.get(pk=self.version)

    def _is_whole(self) -> bool:
        """Whether the text is the one that was drafted."""
        row = self._row()
        try:
            return policy_digest(row.text) == row.digest
        except PolicyError:
            return False


class AdoptBuiltInPolicy(PolicyAct, frozen=True):
    """Put the built-in policy in force where no policy was yet."""

    actions: ClassVar[tuple[Action, ...]] = (Action.APPLY_POLICY,)
    title: ClassVar[Label] = gettext_lazy("Adopt built-in policy")

    def subject(self) -> str:
        """The built-in policy."""
        return "policy:built-in"

    def summary(self) -> str:
        """That it is the built-in one."""
        return _("put the built-in policy in force")

    def details(self, context: ActContext) -> dict[str, str]:
        """The digest of the policy."""
        return {"digest": policy_digest(self._text())}

    def check(self, context: ActContext) -> None:
        """No policy is in force."""
        if PolicyVersion.objects.filter(in_force=True).exists():
            raise RefusedError(
                "policy-in-force", _("A policy is in force already."), _("Draft another version, and apply it.")
            )

    def execute(self, context: ActContext) -> None:
        """Add the version, in force from now on."""
        text = self._text()
        PolicyVersion.objects.create(
            text=text,
            digest=policy_digest(text),
            note="The built-in policy",
            applied_at=timezone.now(),
            in_force=True,
        )
        store().write(POLICY, text.encode())

    @staticmethod
    def _text() -> str:
        return pack_text(_OWNER, _REPOSITORY)
