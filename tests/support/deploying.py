"""A shop that is deployed: a commit that was let in, two environments, and pipelines that prove who they are."""

import base64
import functools
import json
import secrets
import time
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.conf import settings
from django.test import Client

from muniment.facts import canonical
from muniment.ledger.ledger_keys import derive_public_key, generate_key
from muniment.pipelines import dsse
from muniment.policy.built_in_policy import format_built_in_policy
from muniment.server.changes.models import Change, Decision, ServerHookLog, ServerHookRecord
from muniment.server.deployments import tasks
from muniment.server.deployments.models import Deployment, PipelineIdentity, TokenIssuer, TrustedBuilder
from muniment.server.products.models import Environment, Product, Repository
from muniment.server.records.installation import open_store
from muniment.server.records.postgres_store import POLICY
from tests.support.repos import Repo
from tests.support.service import as_role, product, sign_permissions

BUILDER = "https://ci.example.test/builder"
ARTIFACT = "sha256:" + "a" * 64
FORGE = "https://forge.example.test"


@functools.cache
def _forge_key() -> rsa.RSAPrivateKey:
    """Made once: it takes a while."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem(key: Any) -> str:
    """The public half of a key."""
    text: bytes = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return text.decode()


def decide(number: int) -> None:
    """Decide a waiting deployment, as worker and sequencer do."""
    with as_role("worker"):
        tasks.evaluate_deployment_task(number)
    if Deployment.objects.select_related("permission").get(pk=number).state == "pending":
        sign_permissions()
        with as_role("worker"):
            tasks.evaluate_deployment_task(number)


def shop_policy() -> str:
    """The built-in policy, which trusts the builder."""
    return format_built_in_policy("sec@example.test", "shop").replace("builders = []", f'builders = ["{BUILDER}"]')


class Shop:
    """`commit` was allowed onto main, and a trusted builder made ARTIFACT of it."""

    def __init__(self, folder: Path) -> None:
        self.repo = Repo(folder / "shop.git", bare=True)
        self.base = self.repo.commit({"app.py": "x = 1\n"})
        self.commit = self.repo.commit({"app.py": "x = 2\n"})
        self.product: Product = product("shop", str(self.repo.path))
        self.builder, _ = generate_key("builder")
        self.runners = {name: ec.generate_private_key(ec.SECP256R1()) for name in ("staging", "production")}
        self.forge = _forge_key()
        self.places: dict[str, Environment] = {}
        with as_role("owner"):
            self._environments()
            TrustedBuilder.objects.create(builder_id=BUILDER, public_key=derive_public_key(self.builder))
            open_store().write_document(POLICY, shop_policy().encode())
        self.log: ServerHookLog | None = None
        self.let_in(self.commit)
        self.sent = 0

    def _environments(self) -> None:
        for order, name in enumerate(self.runners, 1):
            place = Environment.objects.create(product=self.product, name=name, order=order, production=order == 2)
            self.places[name] = place
            PipelineIdentity.objects.create(
                environment=place,
                name="runner",
                kind="runner",
                public_key=pem(self.runners[name]),
                ref_patterns="refs/heads/main",
            )
            PipelineIdentity.objects.create(
                environment=place,
                name="forge",
                kind="github",
                issuer=FORGE,
                subject=f"repo:acme/shop:environment:{name}",
                forge_repository_id="4711",
                ref_patterns="refs/heads/main",
                forge_environment=name,
            )
        jwk = {**json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.forge.public_key())), "kid": "k", "alg": "RS256"}
        TokenIssuer.objects.create(url=FORGE, key_set={"keys": [jwk]})

    def let_in(self, commit: str, *, allowed: bool = True) -> Decision:
        """The server hook decided on a commit when it was pushed."""
        with as_role("owner"):
            repository = Repository.objects.get(product=self.product)
            self.log = self.log or ServerHookLog.objects.create(repository=repository, path="/gate", public_key="k")
            place = ServerHookRecord.objects.filter(log=self.log).count()
            now = "2026-11-24T09:00:00Z"
            entry = ServerHookRecord.objects.create(
                log=self.log, position=place, kind="decision", recorded_at=now, data=b""
            )
            change, _ = Change.objects.get_or_create(
                repository=repository,
                target="refs/heads/main",
                name=commit,
                defaults={"state": "merged", "head": commit, "updated_at": now},
            )
            values = {
                "head": commit,
                "allowed": allowed,
                "decided_at": now,
                "policy_digest": "",
                "inputs_digest": f"{commit}{place}",
            }
            return Decision.objects.create(change=change, hook_record=entry, **values)

    # who asks

    def runner(self, place: str = "production", **changed: Any) -> str:
        """A token that the plain runner of an environment signs."""
        now = int(time.time())
        claims = {
            "iss": "muniment-runner",
            "sub": f"shop.{place}",
            "aud": settings.URL,
            "commit": self.commit,
            "job": "7",
            "iat": now,
            "nbf": now,
            "exp": now + 60,
            "jti": secrets.token_hex(8),
        }
        return jwt.encode(claims | changed, self.runners[place], algorithm="ES256")

    def job(self, place: str = "production", **changed: Any) -> str:
        """A token that the forge gives to a job for an environment. A claim that is None is left out."""
        now = int(time.time())
        claims = {
            "iss": FORGE,
            "sub": f"repo:acme/shop:environment:{place}",
            "aud": settings.URL,
            "repository": "acme/shop",
            "repository_id": "4711",
            "ref": "refs/heads/main",
            "ref_protected": "true",
            "sha": self.commit,
            "environment": place,
            "event_name": "push",
            "run_id": "99",
            "iat": now,
            "nbf": now,
            "exp": now + 300,
        }
        whole = {name: value for name, value in (claims | changed).items() if value is not None}
        return jwt.encode(whole, self.forge, algorithm="RS256", headers={"kid": "k"})

    # what is said

    def provenance(self, artifact: str = ARTIFACT, commit: str = "", key: str = "", builder: str = BUILDER) -> Any:
        """Provenance of an artifact, signed by the builder."""
        content = {
            "_type": dsse.STATEMENT_TYPE,
            "subject": [{"name": "shop", "digest": {"sha256": artifact.removeprefix("sha256:")}}],
            "predicateType": "https://slsa.dev/provenance/v1",
            "predicate": {
                "buildDefinition": {
                    "resolvedDependencies": [
                        {"uri": "git+https://forge.example.test/shop", "digest": {"gitCommit": commit or self.commit}}
                    ]
                },
                "runDetails": {"builder": {"id": builder}},
            },
        }
        return json.loads(dsse.sign_envelope(canonical.encode(content), key or self.builder))

    def send(self, method: str, path: str, body: Any, token: str, key: str = "") -> tuple[int, Any]:
        """One request of a pipeline."""
        headers = {"Authorization": f"Bearer {token}"} | ({"Idempotency-Key": key} if key else {})
        client = Client(HTTP_HOST="localhost", headers=headers)
        data = b"" if body is None else json.dumps(body).encode()
        answer = client.generic(method, f"/api{path}", data, content_type="application/json")
        return answer.status_code, json.loads(answer.content or b"null")

    def ask(self, place: str = "production", token: str = "", key: str = "", **changed: Any) -> tuple[int, Any]:
        """Request a deployment through the API. Returns the HTTP status and the answer."""
        self.sent += 1
        body = {
            "product": "shop",
            "environment": place,
            "artifact": ARTIFACT,
            "commit": self.commit,
            "provenance": [self.provenance()],
        }
        token = token or self.runner(place)
        return self.send("POST", "/deployments", body | changed, token, key or f"k{self.sent}")

    def asked(self, place: str = "production", **changed: Any) -> int:
        """Ask, have the worker decide, and the number."""
        status, answer = self.ask(place, **changed)
        assert status == 202, answer
        self.work(answer["id"])
        return int(answer["id"])

    def work(self, number: int) -> None:
        """Decide a waiting deployment, as worker and sequencer do."""
        decide(number)

    def get(self, number: int, environment: str = "production", token: str = "") -> tuple[int, Any]:
        """How far it is."""
        return self.send("GET", f"/deployments/{number}", None, token or self.runner(environment))

    def report(self, number: int, state: str, environment: str = "production", **more: Any) -> tuple[int, Any]:
        """Report what came of it, and have the worker take it."""
        body = {"state": state, "exit_code": 0 if state == "succeeded" else 1, **more}
        answer = self.send("POST", f"/deployments/{number}/outcome", body, self.runner(environment))
        with as_role("worker"):
            tasks.record_report_task(number)
        return answer

    def deployed(self, environment: str, state: str = "succeeded") -> int:
        """Request a deployment and report its outcome. Returns its number."""
        number = self.asked(environment)
        self.report(number, state, environment)
        return number

    def state(self, number: int) -> str:
        """As the record has it."""
        return Deployment.objects.select_related("permission").get(pk=number).state

    def codes(self, number: int) -> list[str]:
        """Why it was denied, as codes."""
        row = Deployment.objects.select_related("permission__record").get(pk=number)
        assert row.permission.record is not None
        codes: list[str] = json.loads(bytes(row.permission.record.data))["reason_codes"]
        return codes


def payload(envelope: Any) -> Any:
    """Decode the payload of an envelope."""
    return json.loads(base64.b64decode(envelope["payload"]))
