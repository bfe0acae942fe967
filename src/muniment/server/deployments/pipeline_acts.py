"""Acts on the pipelines that get an environment's secrets: two people trust one, one person revokes it at once."""

import re
from collections.abc import Callable
from typing import Annotated, ClassVar, Self

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from msgspec import structs

from muniment.access.actions import Action
from muniment.errors import ParseError, RefusedError
from muniment.server.acts.act import ActContext
from muniment.server.acts.guarded_state import GuardedFacts
from muniment.server.acts.inputs import Choice, InputCode, Label, Text, TextLines
from muniment.server.deployments.environment_acts import EnvironmentAct
from muniment.server.deployments.issuer_addresses import is_issuer_address
from muniment.server.deployments.models import PipelineIdentity
from muniment.server.job_queue import enqueue

GITHUB = "https://token.actions.githubusercontent.com"

_REF = r"refs/(?:heads|tags)/[^\s?\[\\^~:]+"
_FILE = r"[^\s@*/][^\s@*]*\.ya?ml"
_NUMBER = r"[0-9]{1,20}"
_ACCOUNT = re.compile(r"system:serviceaccount:[a-z0-9.-]{1,63}:[a-z0-9.-]{1,253}")
_BY_NUMBER = gettext_lazy("Name the repository by its number at the forge: a name can come to be another's.")
_WHOLE_REFS = gettext_lazy(
    "Write the refs that it may deploy from, one a line, such as refs/heads/main or refs/tags/v*."
)
_WHOLE_FILES = gettext_lazy(
    "Write the paths of the pipeline files, one a line, such as .github/workflows/test.yml or .gitlab-ci.yml."
)


class TrustPipeline(EnvironmentAct, frozen=True):
    """Trust another pipeline to deploy to an environment, or its jobs with secrets, by the identity that it proves."""

    title: ClassVar[Label] = gettext_lazy("Trust pipeline")

    name: Annotated[str, Text(label=gettext_lazy("Name"), most=64, recorded=True)]
    kind: Annotated[
        PipelineIdentity.Kind,
        Choice(
            label=gettext_lazy("Kind"),
            options=PipelineIdentity.Kind,
            labels=lambda kind: kind.label,
            recorded=True,
        ),
    ]
    issuer: Annotated[
        str,
        Text(
            label=gettext_lazy("Address of its issuer"),
            hint=gettext_lazy("Not for a plain runner; empty for github.com."),
            most=300,
            monospace=True,
            recorded=True,
        ),
    ] = ""
    subject_claim: Annotated[
        str,
        Text(
            label=gettext_lazy("Whole subject of its identity"),
            hint=gettext_lazy(
                "Not for a plain runner. GitHub: repo:OWNER@NUMBER/REPOSITORY@NUMBER:environment:NAME, for repositories"
                " older than June 2026 without the numbers."
            ),
            most=500,
            monospace=True,
            recorded=True,
        ),
    ] = ""
    forge_repository_id: Annotated[
        str,
        Text(
            label=gettext_lazy("Number of the repository or project at the forge"),
            most=20,
            pattern=_NUMBER,
            form=_BY_NUMBER,
            recorded=True,
        ),
    ] = ""
    forge_environment: Annotated[
        str, Text(label=gettext_lazy("Name of the environment at the forge"), most=200, recorded=True)
    ] = ""
    ref_patterns: Annotated[
        tuple[str, ...],
        TextLines(
            label=gettext_lazy("Refs that it may deploy from, one a line"),
            hint=gettext_lazy("Such as refs/heads/main or refs/tags/v*."),
            most=300,
            pattern=_REF,
            form=_WHOLE_REFS,
            monospace=True,
            recorded=True,
        ),
    ] = ()
    purpose: Annotated[
        PipelineIdentity.Purpose,
        Choice(
            label=gettext_lazy("Purpose"),
            hint=gettext_lazy("Jobs without a deployment are tests and scheduled jobs, which call muniment run."),
            options=PipelineIdentity.Purpose,
            labels=lambda purpose: purpose.label,
            recorded=True,
        ),
    ] = PipelineIdentity.Purpose.DEPLOY
    workflow_paths: Annotated[
        tuple[str, ...],
        TextLines(
            label=gettext_lazy("Pipeline files that it may run from, one a line"),
            hint=gettext_lazy("Such as .github/workflows/test.yml or .gitlab-ci.yml. Empty for any; needed for jobs."),
            most=300,
            pattern=_FILE,
            form=_WHOLE_FILES,
            monospace=True,
            recorded=True,
        ),
    ] = ()
    public_key: Annotated[
        str, Text(label=gettext_lazy("Public key of a plain runner"), most=2000, multiline=True, monospace=True)
    ] = ""

    @classmethod
    def guarded_state(cls) -> GuardedFacts:
        """The pipelines that may deploy, with everything that proves an identity."""
        rows = PipelineIdentity.objects.filter(ended_at=None, environment__ended_at=None)
        place = ("environment__product__slug", "environment__name", "name", "kind")
        proof = ("issuer", "subject", "forge_repository_id", "forge_environment", "ref_patterns", "public_key")
        bounds = ("purpose", "workflow_paths")
        return GuardedFacts(permitted=frozenset(rows.values_list(*place, *proof, *bounds)))

    def normalise_fields(self) -> Self:
        """With the issuer of github.com where none is named. Raises ParseError where others would be trusted too."""
        issuer = GITHUB if self.kind is PipelineIdentity.Kind.GITHUB and not self.issuer else self.issuer
        found = structs.replace(self, issuer=issuer)
        _CHECKS[self.kind](found)
        return found

    def describe_act(self) -> str:
        """The pipeline, what proves it, where it may deploy, and from which refs."""
        row = self._make_identity()
        runner = self.kind is PipelineIdentity.Kind.RUNNER
        identity = _("the key %(key)s") % {"key": row.fingerprint} if runner else self.subject_claim
        details = {"name": self.name, "kind": self.kind.label, "identity": identity}
        details |= {"environment": self.environment, "product": self.product, "refs": " ".join(self.ref_patterns)}
        if self.purpose is PipelineIdentity.Purpose.RUN:
            details |= {"files": " ".join(self.workflow_paths) or _("any pipeline file")}
            return (
                _(
                    "let jobs of the pipeline %(name)s (%(kind)s, %(identity)s) get secrets of %(environment)s of "
                    "%(product)s without a deployment, from %(refs)s by %(files)s"
                )
                % details
            )
        if not self.ref_patterns:
            return (
                _("let the pipeline %(name)s (%(kind)s, %(identity)s) deploy to %(environment)s of %(product)s")
                % details
            )
        return (
            _(
                "let the pipeline %(name)s (%(kind)s, %(identity)s) deploy to %(environment)s of %(product)s "
                "from %(refs)s"
            )
            % details
        )

    def check_preconditions(self, context: ActContext) -> None:
        """No other pipeline has its name there, nor its key anywhere."""
        others = PipelineIdentity.objects.filter(ended_at=None)
        if others.filter(environment=self.find_environment_row(), name=self.name).exists():
            raise RefusedError(
                "name-taken",
                _("A pipeline of that name may deploy there already."),
                _("Choose another name, or revoke that pipeline first."),
            )
        keys = {other.fingerprint for other in others.exclude(public_key="")}
        if self.public_key and self._make_identity().fingerprint in keys:
            raise RefusedError(
                "key-taken",
                _("Another pipeline has that key."),
                _("Make a key of its own for each runner and environment."),
            )

    def carry_out(self, context: ActContext) -> None:
        """Add the row, and have its issuer's keys read."""
        row = self._make_identity()
        row.environment = self.find_environment_row()
        row.save()
        if row.issuer:
            enqueue("read-issuer-keys", url=row.issuer)

    def recorded_values(self) -> dict[str, str]:
        """The columns of the row that the act writes, but for its environment."""
        return {
            "name": self.name,
            "kind": self.kind.value,
            "issuer": self.issuer,
            "subject": self.subject_claim,
            "forge_repository_id": self.forge_repository_id,
            "forge_environment": self.forge_environment,
            "ref_patterns": "\n".join(self.ref_patterns),
            "public_key": self.public_key,
            "purpose": self.purpose.value,
            "workflow_paths": "\n".join(self.workflow_paths),
        }

    def _make_identity(self) -> PipelineIdentity:
        """Row of the pipeline, in no environment yet."""
        return PipelineIdentity(**self.recorded_values())


class RevokePipeline(EnvironmentAct, frozen=True):
    """Revoke a pipeline's permission to deploy to an environment, at once."""

    actions: ClassVar[tuple[Action, ...]] = (Action.REVOKE_PIPELINE,)
    title: ClassVar[Label] = gettext_lazy("Revoke pipeline")

    pipeline: Annotated[str, Text(label=gettext_lazy("Pipeline"), most=64, recorded=True)]

    def describe_act(self) -> str:
        """The pipeline and the environment."""
        details = {"pipeline": self.pipeline, "environment": self.environment, "product": self.product}
        return _("revoke the pipeline %(pipeline)s from %(environment)s of %(product)s") % details

    def check_preconditions(self, context: ActContext) -> None:
        """Require that it is trusted there; the environment or the product may have ended."""
        self._find_trusted()

    def carry_out(self, context: ActContext) -> None:
        row = self._find_trusted()
        row.ended_at = timezone.now()
        row.save(update_fields=["ended_at"])

    def _find_trusted(self) -> PipelineIdentity:
        rows = PipelineIdentity.objects.filter(
            environment__product__slug=self.product, environment__name=self.environment
        )
        found = rows.filter(name=self.pipeline, ended_at=None).first()
        if found is None:
            raise RefusedError(
                "pipeline-not-trusted",
                _("It may not deploy there anyway."),
                _("Choose a pipeline that the page of the product's environments shows."),
            )
        return found


def _check_runner(act: TrustPipeline) -> None:
    _check_key(act.public_key)
    _check_refs(act)
    _check_no_files(act)


def _check_kubernetes(act: TrustPipeline) -> None:
    _check_identity(act)
    _check_no_files(act)
    if act.purpose is PipelineIdentity.Purpose.RUN:
        _check_refs(act)
    if not _ACCOUNT.fullmatch(act.subject_claim):
        raise _make_malformed_error(
            "subject_claim", _("It is no service account."), _("The subject is system:serviceaccount:NAMESPACE:NAME.")
        )


def _check_forge(act: TrustPipeline) -> None:
    _check_identity(act)
    if not act.forge_repository_id:
        raise _make_malformed_error("forge_repository_id", _("It is missing."), str(_BY_NUMBER))
    if not act.forge_environment:
        raise _make_malformed_error(
            "forge_environment", _("It is missing."), _("Write what the environment is called at the forge.")
        )
    _check_refs(act)
    if act.purpose is PipelineIdentity.Purpose.RUN and not act.workflow_paths:
        raise _make_malformed_error("workflow_paths", _("It is missing."), str(_WHOLE_FILES))


def _check_no_files(act: TrustPipeline) -> None:
    if act.workflow_paths:
        raise _make_malformed_error(
            "workflow_paths",
            _("The identity of this kind of pipeline does not name its file."),
            _("Leave it empty."),
        )


def _check_identity(act: TrustPipeline) -> None:
    if not is_issuer_address(act.issuer):
        raise _make_malformed_error(
            "issuer",
            _("It is no address of an issuer."),
            _("Write the issuer's address, such as https://gitlab.example.test, without a / at its end."),
        )
    if not act.subject_claim or "*" in act.subject_claim:
        raise _make_malformed_error(
            "subject_claim",
            _("It is missing, or has a * in it."),
            _("Write the whole subject of its identity: with a * in it, others would have it too."),
        )


def _check_refs(act: TrustPipeline) -> None:
    if not act.ref_patterns:
        raise _make_malformed_error("ref_patterns", _("It is missing."), str(_WHOLE_REFS))


def _check_key(text: str) -> None:
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(text.encode())
    except ValueError:
        raise _make_malformed_error(
            "public_key", _("This is no public key."), _("It begins with -----BEGIN PUBLIC KEY-----: copy it whole.")
        ) from None
    if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256R1):
        raise _make_malformed_error(
            "public_key",
            _("This is a key of another kind."),
            _("A runner's key is an ECDSA key on P-256: its JWTs are signed with ES256."),
        )


def _make_malformed_error(field: str, message: str, remedy: str) -> ParseError:
    return ParseError(InputCode.MALFORMED, message, remedy, field)


_CHECKS: dict[PipelineIdentity.Kind, Callable[[TrustPipeline], None]] = {
    PipelineIdentity.Kind.GITHUB: _check_forge,
    PipelineIdentity.Kind.GITLAB: _check_forge,
    PipelineIdentity.Kind.KUBERNETES: _check_kubernetes,
    PipelineIdentity.Kind.RUNNER: _check_runner,
}
