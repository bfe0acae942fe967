"""Acts on versions of the policy: draft one, apply one. Two people apply one that is weaker anywhere."""

from typing import Annotated, ClassVar, Self

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from msgspec import Struct, structs

from muniment.access.actions import Action
from muniment.access.authorization import ORGANISATION, Actor, Resource
from muniment.decision.binding import BoundPolicy
from muniment.decision.comparison import Direction, compare_policies
from muniment.errors import ParseError, PolicyError, RefusedError
from muniment.policy.built_in_policy import format_built_in_policy
from muniment.policy.document import parse_policy
from muniment.server.acts.act import Act, ActContext
from muniment.server.acts.fields import LONGEST_REASON, number_input
from muniment.server.acts.inputs import Generated, Label, Text
from muniment.server.job_queue import enqueue
from muniment.server.policies.differences import find_policy_differences, is_weaker_policy
from muniment.server.policies.models import PolicyVersion
from muniment.server.policies.proof_demands import refuse_undemandable
from muniment.server.records.installation import open_store
from muniment.server.records.postgres_store import POLICY

LARGEST = 256 << 10  # characters of a policy
_OWNER, _REPOSITORY = "security@example.test", "organisation"  # of the built-in policy


PolicyText = Annotated[
    str, Text(label=gettext_lazy("Policy"), most=LARGEST, multiline=True, verbatim=True, monospace=True)
]


def digest_policy(text: str) -> str:
    """Digest of a policy. Raises PolicyError for an invalid text."""
    return parse_policy(text, POLICY).digest


def require_policy_text(text: str) -> None:
    """Raise ParseError for a text that is no policy."""
    try:
        find_policy_differences(text)
    except PolicyError as error:
        raise ParseError("no-policy", f"{error.message}.", error.remedy, "text") from None


class PolicyAct(Act, frozen=True):
    """Base of acts on the policy of the organisation."""

    actions: ClassVar[tuple[Action, ...]] = (Action.DRAFT_POLICY,)

    def find_resource(self) -> Resource:
        return ORGANISATION


class DraftPolicy(PolicyAct, frozen=True):
    """Draft a version of the policy: it is shown and replayed, and not in force."""

    title: ClassVar[Label] = gettext_lazy("Draft policy")

    text: PolicyText
    note: Annotated[str, Text(label=gettext_lazy("Reason"), most=LONGEST_REASON, multiline=True)] = ""

    def normalise_fields(self) -> Self:
        """As it is. Raises ParseError for what is no policy."""
        require_policy_text(self.text)
        return self

    def format_subject(self) -> str:
        """The policy, by the digest of the draft."""
        return f"policy:{digest_policy(self.text)}"

    def describe_act(self) -> str:
        """The draft, by the first digits of its digest."""
        return _("draft the policy %(digest)s") % {"digest": digest_policy(self.text).partition(":")[2][:7]}

    def given_reason(self) -> str:
        """Note of the draft, as the reason."""
        return self.note

    def recorded_details(self, context: ActContext) -> dict[str, str]:
        """The digest of the draft."""
        return {"digest": digest_policy(self.text)}

    def check_preconditions(self, context: ActContext) -> None:
        """Require that it is not the policy in force."""
        current = PolicyVersion.objects.filter(in_force=True).first()
        if current is not None and self.text == current.text:
            raise RefusedError(
                "policy-in-force", _("This is the policy that is in force already."), _("Change something first.")
            )

    def carry_out(self, context: ActContext) -> PolicyVersion:
        """Add the version, and have it tried on the changes of the past."""
        version = PolicyVersion.objects.create(
            text=self.text, digest=digest_policy(self.text), note=self.note, proposed_by_id=context.requesting_person
        )
        enqueue("replay-policy", version=version.pk)
        return version


def _visible_versions(actor: Actor) -> "QuerySet[PolicyVersion]":
    return PolicyVersion.objects.all()


class GuardedPolicy(Struct, frozen=True):
    """Policy in force, as guarded state."""

    policy: BoundPolicy | None

    def is_looser_than(self, earlier: Self) -> bool:
        """Whether it is weaker anywhere; what cannot be compared counts as weaker."""
        if earlier.policy is None or self.policy is None:
            return earlier.policy is not None
        return any(one.direction is Direction.WEAKER for one in compare_policies(earlier.policy, self.policy))


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
        """Policy in force, as guarded state."""
        return GuardedPolicy(open_store().load_policy())

    def normalise_fields(self) -> Self:
        """With the digests of now. Raises ParseError for a version from which a name was erased."""
        if not self._is_text_unaltered():
            sentence = _("The name of a person who was erased is no longer in this version.")
            raise ParseError("version-erased", sentence, _("Draft the policy anew, without the name."), "version")
        current = PolicyVersion.objects.filter(in_force=True).first()
        replaced = current.digest if current is not None else ""
        return structs.replace(self, policy=self._find_row().digest, replaced=replaced)

    def required_action(self) -> Action:
        """Another action, with a second person, for a version that is weaker anywhere."""
        return Action.WEAKEN_POLICY if is_weaker_policy(self._find_row().text) else Action.APPLY_POLICY

    def format_subject(self) -> str:
        return f"policy:{self.version}"

    def describe_act(self) -> str:
        """The version, and whether it is weaker."""
        if self.required_action() is Action.WEAKEN_POLICY:
            return _("apply version %(version)d of the policy, which is weaker") % {"version": self.version}
        return _("apply version %(version)d of the policy") % {"version": self.version}

    def shown_details(self) -> tuple[str, ...]:
        """Each difference from the policy in force, and the digests of both. Raises RefusedError for another text."""
        if not self._is_text_unaltered() or self._find_row().digest != self.policy:
            raise RefusedError(
                "version-altered",
                _("That version is not the one that was requested."),
                _("Draft the policy anew, and apply it again."),
            )
        found = find_policy_differences(self._find_row().text)
        lines = (f"{one.clause or 'policy'}, {one.what}: {one.old} -> {one.new} ({one.direction})" for one in found)
        return (*lines, f"policy in force: {self.replaced}", f"new policy: {self.policy}")

    def given_reason(self) -> str:
        """The note of the version."""
        return self._find_row().note

    def check_preconditions(self, context: ActContext) -> None:
        """The version was not applied yet, and the policy in force is the one that it was compared with."""
        refuse_undemandable(parse_policy(self._find_row().text, POLICY).confirmation.proof)
        row = self._find_row()
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

    def carry_out(self, context: ActContext) -> None:
        """Put the version in force, and evaluate everything again."""
        row = self._find_row()
        PolicyVersion.objects.filter(in_force=True).update(in_force=False)
        row.in_force, row.applied_at, row.approver_id = True, timezone.now(), context.approver
        row.save()
        open_store().write_document(POLICY, row.text.encode())
        enqueue("reevaluate-all")

    def _find_row(self) -> PolicyVersion:
        return PolicyVersion.objects.get(pk=self.version)

    def _is_text_unaltered(self) -> bool:
        """Whether the text is the one that was drafted."""
        row = self._find_row()
        try:
            return digest_policy(row.text) == row.digest
        except PolicyError:
            return False


class AdoptBuiltInPolicy(PolicyAct, frozen=True):
    """Put the built-in policy in force where no policy was yet."""

    actions: ClassVar[tuple[Action, ...]] = (Action.APPLY_POLICY,)
    title: ClassVar[Label] = gettext_lazy("Adopt built-in policy")

    def format_subject(self) -> str:
        return "policy:built-in"

    def describe_act(self) -> str:
        """Sentence that names the built-in policy."""
        return _("put the built-in policy in force")

    def recorded_details(self, context: ActContext) -> dict[str, str]:
        """The digest of the policy."""
        return {"digest": digest_policy(self._make_text())}

    def check_preconditions(self, context: ActContext) -> None:
        """No policy is in force."""
        if PolicyVersion.objects.filter(in_force=True).exists():
            raise RefusedError(
                "policy-in-force", _("A policy is in force already."), _("Draft another version, and apply it.")
            )

    def carry_out(self, context: ActContext) -> None:
        """Add the version, in force from now on."""
        text = self._make_text()
        PolicyVersion.objects.create(
            text=text,
            digest=digest_policy(text),
            note="The built-in policy",
            applied_at=timezone.now(),
            in_force=True,
        )
        open_store().write_document(POLICY, text.encode())

    @staticmethod
    def _make_text() -> str:
        return format_built_in_policy(_OWNER, _REPOSITORY)
