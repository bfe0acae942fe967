"""Acts on builders whose provenance can be checked: two people trust one, one person revokes it."""

from typing import Annotated, ClassVar, Self

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from muniment.access.actions import Action
from muniment.access.authorization import ORGANISATION, Actor, Resource
from muniment.errors import AttestationError, ParseError, RefusedError
from muniment.pipelines import provenance, sigstore_bundles
from muniment.server.acts.act import Act, ActContext
from muniment.server.acts.fields import number_input
from muniment.server.acts.guarded_state import GuardedFacts
from muniment.server.acts.inputs import InputCode, Label, Text
from muniment.server.deployments.models import TrustedBuilder


class BuilderAct(Act, frozen=True):
    """Base of acts on one builder."""

    def find_resource(self) -> Resource:
        return ORGANISATION


class TrustBuilder(BuilderAct, frozen=True):
    """Trust the provenance that a builder signs with a key."""

    actions: ClassVar[tuple[Action, ...]] = (Action.TRUST_BUILDER,)
    title: ClassVar[Label] = gettext_lazy("Trust builder")

    builder_id: Annotated[
        str,
        Text(
            label=gettext_lazy("Id, as its provenance names it"),
            most=200,
            pattern=r"[^ ]+",
            form=gettext_lazy("Write it as the provenance does, such as https://ci.example.test/builder."),
            monospace=True,
            recorded=True,
        ),
    ]
    public_key: Annotated[
        str,
        Text(
            label=gettext_lazy("Public key, or Sigstore identity as JSON"),
            most=sigstore_bundles.LARGEST_TRUST,
            multiline=True,
            monospace=True,
        ),
    ]

    @classmethod
    def guarded_state(cls) -> GuardedFacts:
        """The keys whose provenance is trusted."""
        rows = TrustedBuilder.objects.filter(ended_at=None)
        return GuardedFacts(permitted=frozenset(rows.values_list("builder_id", "public_key")))

    def normalise_fields(self) -> Self:
        """As it is. Raises ParseError for a key that is none."""
        try:
            provenance.check_key(self.public_key)
        except AttestationError:
            raise ParseError(
                InputCode.MALFORMED,
                _("This is neither a public key nor a Sigstore identity with its trusted root."),
                _("Write an Ed25519 or P-256 key in PEM, the line of a .pub file, or the JSON of the guide."),
                "public_key",
            ) from None
        return self

    def format_subject(self) -> str:
        return f"builder:{self.builder_id}"

    def describe_act(self) -> str:
        """The builder, and its identity at Sigstore if it has one."""
        details = {"id": self.builder_id}
        if sigstore_bundles.is_trust(self.public_key):
            trust = sigstore_bundles.read_trust(self.public_key)
            details |= {"identity": trust.identity, "issuer": trust.issuer}
            return _("trust the builder %(id)s by Sigstore, as %(identity)s of %(issuer)s") % details
        return _("trust the builder %(id)s, which signs with its own key") % details

    def shown_details(self) -> tuple[str, ...]:
        """The fingerprint of its key, which the second person compares."""
        return (_("SHA-256 of the key: %(fingerprint)s") % {"fingerprint": provenance.fingerprint(self.public_key)},)

    def check_preconditions(self, context: ActContext) -> None:
        """No other builder has the key."""
        builders = TrustedBuilder.objects.filter(ended_at=None)
        if provenance.fingerprint(self.public_key) in {one.fingerprint for one in builders}:
            raise RefusedError("key-taken", _("A builder has that key already."), _("Use a key of its own."))

    def carry_out(self, context: ActContext) -> None:
        TrustedBuilder.objects.create(builder_id=self.builder_id, public_key=self.public_key)


def _visible_builders(actor: Actor) -> "QuerySet[TrustedBuilder]":
    return TrustedBuilder.objects.filter(ended_at=None)


class RevokeBuilder(BuilderAct, frozen=True):
    """Stop trusting a builder: artifacts that it built before cannot be deployed anew either."""

    actions: ClassVar[tuple[Action, ...]] = (Action.REVOKE_BUILDER,)
    title: ClassVar[Label] = gettext_lazy("Stop trusting builder")

    builder: Annotated[
        int,
        number_input(
            label=gettext_lazy("Builder"),
            rows=_visible_builders,
            missing=gettext_lazy("No builder of this number is trusted."),
            remedy=gettext_lazy("Choose a builder that the page of builders shows."),
            recorded=True,
        ),
    ]

    def format_subject(self) -> str:
        return f"builder:{self._find_row().builder_id}"

    def describe_act(self) -> str:
        return _("stop trusting the builder %(id)s") % {"id": self._find_row().builder_id}

    def carry_out(self, context: ActContext) -> None:
        TrustedBuilder.objects.filter(pk=self.builder).update(ended_at=timezone.now())

    def _find_row(self) -> TrustedBuilder:
        return TrustedBuilder.objects.get(pk=self.builder)
