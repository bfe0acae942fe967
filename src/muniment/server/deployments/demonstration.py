"""Part of the demonstration about deployments: trusted pipelines, and what they brought where over two quarters."""

import hashlib
import json
import secrets
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from muniment.facts import canonical
from muniment.forges.shapes import ChangeState
from muniment.ledger.ledger_keys import derive_public_key, generate_key
from muniment.pipelines import dsse, identities
from muniment.server.connections.demonstration_forge_file import load_forges
from muniment.server.demonstration_story import (
    BUILDER,
    FIRST_DAY,
    PRODUCTS,
    SECOND_SECURITY_OFFICER,
    SECURITY_OFFICER,
    Demonstration,
    DemonstrationEvent,
    StoryProduct,
)
from muniment.server.deployments import deployment_requests, tasks
from muniment.server.deployments.break_glass_acts import BreakGlass
from muniment.server.deployments.builder_acts import TrustBuilder
from muniment.server.deployments.deployment_requests import RequestedDeployment
from muniment.server.deployments.environment_acts import ChangeEnvironment
from muniment.server.deployments.models import (
    BreakGlassPermission,
    Deployment,
    DeploymentState,
    RunningArtifact,
)
from muniment.server.deployments.pipeline_acts import TrustPipeline
from muniment.server.deployments.pipeline_identification import find_pipeline
from muniment.server.products.models import Environment

_PRODUCTION = "production"


class _Delivery(NamedTuple):
    """Delivery of the newest merged commit of a product. `state` is what its pipeline reports, "" for nothing."""

    product: StoryProduct
    environment: str
    at: datetime
    state: str = DeploymentState.SUCCEEDED.value
    has_provenance: bool = True


class _Pipelines:
    """Keys of the builder and of the runner of each environment, and the deployments under way."""

    def __init__(self, company: Demonstration) -> None:
        self.company = company
        self.builder, _public = generate_key("builder")
        self.keys: dict[tuple[str, str], ec.EllipticCurvePrivateKey] = {}
        self.numbers: dict[_Delivery, int] = {}

    def trust_builder(self) -> None:
        values = {"builder_id": BUILDER, "public_key": derive_public_key(self.builder)}
        self.company.perform_by_two(SECURITY_OFFICER, SECOND_SECURITY_OFFICER, TrustBuilder, **values)

    def trust_pipelines(self, product: StoryProduct) -> None:
        """Trust a runner for each environment. All but production are said to be none."""
        for order, name in enumerate(product.environments, 1):
            place = {"product": product.slug, "environment": name}
            if name != _PRODUCTION:
                self._act(product, ChangeEnvironment, {**place, "order": order, "production": "no"})
            key = self.keys[product.slug, name] = ec.generate_private_key(ec.SECP256R1())
            public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
            values = {"name": f"deploy-{name}", "kind": "runner", "ref_patterns": "refs/heads/main"}
            self._act(product, TrustPipeline, {**place, **values, "public_key": public})

    def _act(
        self, product: StoryProduct, act: type[TrustPipeline | ChangeEnvironment], values: dict[str, object]
    ) -> None:
        self.company.perform_by_two(product.owner, SECOND_SECURITY_OFFICER, act, **values)

    # one delivery

    def find_commit(self, product: StoryProduct) -> str:
        """Commit that the branch of a product received last from a pull request."""
        forge = load_forges(self.company.folder).forges[product.forge]
        stored = forge.repositories[str(100 + PRODUCTS.index(product))]
        merged = [one for one in stored.changes.values() if one.state is ChangeState.MERGED]
        return max(merged, key=lambda one: one.merged_at).merged

    @transaction.atomic
    def request(self, delivery: _Delivery) -> None:
        commit = self.find_commit(delivery.product)
        artifact = name_artifact(commit)
        token = self._sign_token(delivery, commit)
        place = Environment.objects.get(product__slug=delivery.product.slug, name=delivery.environment)
        pipeline, identity = find_pipeline(place, token)
        provenance = [self._sign_provenance(artifact, commit)] if delivery.has_provenance else []
        requested = RequestedDeployment(artifact, commit, provenance, secrets.token_hex(8), token)
        row = deployment_requests.store_request(place, pipeline, identity, requested)
        self.numbers[delivery] = row.pk

    def evaluate(self, delivery: _Delivery) -> None:
        tasks.evaluate_deployment_task(self.numbers[delivery])

    @transaction.atomic
    def report(self, delivery: _Delivery) -> None:
        row = Deployment.objects.select_related("permission").get(pk=self.numbers[delivery])
        if row.state != DeploymentState.ALLOWED:
            return
        token, succeeded = self._sign_token(delivery, row.commit), delivery.state == DeploymentState.SUCCEEDED.value
        seen = row.artifact if succeeded else ""
        deployment_requests.store_report(row, delivery.state, 0 if succeeded else 1, seen, token)

    def record(self, delivery: _Delivery) -> None:
        tasks.record_report_task(self.numbers[delivery])

    def _sign_token(self, delivery: _Delivery, commit: str) -> str:
        now = int(timezone.now().timestamp())
        claims = {
            "iss": identities.RUNNER,
            "sub": f"{delivery.product.slug}.{delivery.environment}",
            "aud": settings.URL,
            "commit": commit,
            "job": hashlib.sha256(f"{delivery.at}{commit}".encode()).hexdigest()[:8],
            "iat": now,
            "nbf": now,
            "exp": now + 60,
            "jti": secrets.token_hex(8),
        }
        return jwt.encode(claims, self.keys[delivery.product.slug, delivery.environment], algorithm="ES256")

    def _sign_provenance(self, artifact: str, commit: str) -> dict[str, object]:
        """Provenance of an artifact (SLSA 1.0), signed by the builder."""
        source = {"uri": "git+https://github.alderhealth.example", "digest": {"gitCommit": commit}}
        statement = {
            "_type": dsse.STATEMENT_TYPE,
            "subject": [{"name": "app", "digest": {"sha256": artifact.removeprefix("sha256:")}}],
            "predicateType": "https://slsa.dev/provenance/v1",
            "predicate": {
                "buildDefinition": {"resolvedDependencies": [source]},
                "runDetails": {"builder": {"id": BUILDER}},
            },
        }
        signed: dict[str, object] = json.loads(dsse.sign_envelope(canonical.encode(statement), self.builder))
        return signed

    # what goes wrong

    def break_glass(self, product: StoryProduct) -> None:
        artifact = name_artifact(self.find_commit(product))
        values = {"product": product.slug, "environment": _PRODUCTION, "artifact": artifact, "minutes": 30}
        reason = "Claims cannot be paid out, and the builder does not sign."
        self.company.perform_by_two(product.developers[0], product.owner, BreakGlass, **values, reason=reason)

    @staticmethod
    def review_break_glass() -> None:
        tasks.review_break_glass_task(BreakGlassPermission.objects.latest("pk").pk)

    @staticmethod
    def see_artifact(product: StoryProduct) -> None:
        place = Environment.objects.get(product__slug=product.slug, name=_PRODUCTION)
        deployment_requests.store_sighting(place, name_artifact("laptop"))

    @staticmethod
    def record_sighting() -> None:
        tasks.record_sighting_task(RunningArtifact.objects.latest("pk").pk)


def name_artifact(commit: str) -> str:
    """Digest of the artifact that is built from a commit."""
    return f"sha256:{hashlib.sha256(commit.encode()).hexdigest()}"


def list_events(company: Demonstration) -> Iterator[DemonstrationEvent]:
    """List the demonstration's events about deployments."""
    pipelines, find = _Pipelines(company), company.find_moment
    deployed = [product for product in PRODUCTS if product.environments and product.forge]
    yield DemonstrationEvent(find(FIRST_DAY - 5, 9), "web", pipelines.trust_builder)
    for product in deployed:
        trust = partial(pipelines.trust_pipelines, product)
        yield DemonstrationEvent(find(FIRST_DAY - 5, 10), "web", trust)
    for place, product in enumerate(deployed):
        for turn, days in enumerate((125, 36)):
            yield from _list_rollout(pipelines, product, find(days - place, 14), turn)
    claims = next(one for one in PRODUCTS if one.slug == "claims-api")
    urgent_at = find(31, 12)
    yield DemonstrationEvent(urgent_at, "web", partial(pipelines.break_glass, claims))
    yield DemonstrationEvent(urgent_at + timedelta(minutes=26), "worker", pipelines.review_break_glass)
    urgent = _Delivery(claims, _PRODUCTION, urgent_at + timedelta(minutes=28), has_provenance=False)
    yield from _list_delivery(pipelines, urgent)
    notifications = next(one for one in PRODUCTS if one.slug == "notifications")
    yield DemonstrationEvent(find(30, 9), "web", partial(pipelines.see_artifact, notifications))
    yield DemonstrationEvent(find(30, 9, 1), "worker", pipelines.record_sighting)


def _list_rollout(
    pipelines: _Pipelines, product: StoryProduct, at: datetime, turn: int
) -> Iterator[DemonstrationEvent]:
    """One commit through all environments, a day apart. Some fail, and some are denied."""
    place = PRODUCTS.index(product)
    for step, name in enumerate(product.environments):
        state = DeploymentState.FAILED if (place + turn) % 7 == 5 and name == _PRODUCTION else DeploymentState.SUCCEEDED
        state = DeploymentState.ROLLED_BACK if (place + turn) % 9 == 8 and name == _PRODUCTION else state
        has_provenance = not ((place, turn) == (6, 1) and name == _PRODUCTION)
        delivery = _Delivery(product, name, at + timedelta(days=step), state.value, has_provenance)
        yield from _list_delivery(pipelines, delivery)


def _list_delivery(pipelines: _Pipelines, delivery: _Delivery) -> Iterator[DemonstrationEvent]:
    """Request, evaluation, signature and report of one delivery, some seconds apart."""
    steps = (
        (0, "web", pipelines.request),
        (1, "worker", pipelines.evaluate),
        (2, "worker", pipelines.evaluate),
        (150, "web", pipelines.report),
        (152, "worker", pipelines.record),
    )
    for seconds, process, step in steps:
        at = delivery.at + timedelta(seconds=seconds)
        yield DemonstrationEvent(at, process, partial(step, delivery))
