"""What changes an environment and who may deploy there: opened by two people, closed by one at once."""

import re
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.utils import timezone

from muniment.server.deployments.models import Pipeline
from muniment.server.products.models import Environment
from muniment.server.work import soon

What = dict[str, Any]

GITHUB = "https://token.actions.githubusercontent.com"
FIELDS = ("pipeline", "kind", "issuer", "subject", "repository", "refs", "at", "key")

_MOST_ORDER = 100
_HERE = ("localhost", "127.0.0.1", "::1")
_REF = re.compile(r"refs/(?:heads|tags)/[^\s?\[\\^~:]+")
_ID = re.compile(r"[0-9]{1,20}")
_ACCOUNT = re.compile(r"system:serviceaccount:[a-z0-9.-]{1,63}:[a-z0-9.-]{1,253}")


def environment(product: str, name: str) -> Environment:
    """An environment that is in use. ValueError for one that is not there."""
    found = Environment.objects.select_related("product").filter(product__slug=product, name=name, ended=None).first()
    if found is None:
        raise ValueError("There is no such environment.")
    return found


def check_change(what: What) -> None:
    """ValueError for what an environment cannot be, or a pipeline that would be trusted too far."""
    found = environment(what["id"], what["environment"])
    if what["do"] == "describe":
        if not 1 <= int(what["order"]) <= _MOST_ORDER:
            raise ValueError(f"Its place is a number from 1 to {_MOST_ORDER}: something goes to lower ones first.")
    elif what["do"] == "trust":
        _check_pipeline(_pipeline(found, what))
    else:
        raise ValueError("There is no such step.")


def change(what: What, asker: str, second: str | None) -> None:
    """Describe it anew, or let one more pipeline deploy there."""
    found = environment(what["id"], what["environment"])
    if what["do"] == "describe":
        found.order, found.production = int(what["order"]), what["production"] == "yes"
        found.save(update_fields=["order", "production"])
    else:
        row = _pipeline(found, what)
        row.save()
        if row.issuer:
            soon("read-issuer", url=row.issuer)


def told_of(what: What) -> str:
    """What such a change is, in a sentence that begins with a verb."""
    where = f"{what['environment']} of {what['id']}"
    if what["do"] == "trust":
        row = Pipeline(**{name: str(what.get(name, "")).strip() for name in ("kind", "subject", "refs", "key")})
        who = f"the key {row.fingerprint}" if row.kind == Pipeline.Kind.RUNNER else row.subject
        from_where = f" from {' '.join(row.patterns)}" if row.patterns else ""
        return f"let the pipeline {what['pipeline']} ({row.get_kind_display()}, {who}) deploy to {where}{from_where}"
    kind = "production" if what["production"] == "yes" else "not production"
    return f"give {where} the place {what['order']}, {kind}"


def check_close(what: What) -> None:
    """ValueError for a pipeline that may not deploy anyway."""
    _trusted(what)


def close(what: What, asker: str, second: str | None) -> None:
    """It may no longer deploy there."""
    row = _trusted(what)
    row.ended = timezone.now()
    row.save(update_fields=["ended"])


def _trusted(what: What) -> Pipeline:
    rows = Pipeline.objects.filter(environment__product__slug=what["id"], environment__name=what["environment"])
    found = rows.filter(name=what["pipeline"], ended=None).first()
    if found is None:
        raise ValueError("It may not deploy there anyway.")
    return found


def _pipeline(found: Environment, what: What) -> Pipeline:
    values = {name: str(what.get(name, "")).strip() for name in FIELDS}
    name = values.pop("pipeline")
    if values["kind"] == Pipeline.Kind.GITHUB and not values["issuer"]:
        values["issuer"] = GITHUB
    return Pipeline(environment=found, name=name, **values)


def _check_pipeline(row: Pipeline) -> None:
    problem = _problem(row)
    if problem:
        raise ValueError(problem)
    try:
        row.clean_fields(exclude=["environment"])
    except ValidationError as error:
        raise ValueError(" ".join(error.messages)) from error
    others = Pipeline.objects.filter(ended=None)
    if others.filter(environment=row.environment, name=row.name).exists():
        raise ValueError("A pipeline of that name may deploy there already.")
    if row.key and row.fingerprint in {other.fingerprint for other in others.exclude(key="")}:
        raise ValueError("Another pipeline has that key: each runner has one of its own for each environment.")


def _problem(row: Pipeline) -> str:
    """Why it would let in more than this one pipeline, in a sentence; "" if it does not."""
    if not row.name or not row.name.isprintable():
        return "Give it a name."
    if row.kind not in Pipeline.Kind.values:
        return "There is no such kind of pipeline."
    if row.kind == Pipeline.Kind.RUNNER:
        return _problem_of_key(row.key) or _problem_of_refs(row)
    if not is_issuer(row.issuer):
        return "Write the issuer's address, such as https://gitlab.example.test, without a / at its end."
    if not row.subject or "*" in row.subject or not row.subject.isprintable():
        return "Write the whole subject of its identity: with a * in it, others would have it too."
    if row.kind == Pipeline.Kind.KUBERNETES:
        return "" if _ACCOUNT.fullmatch(row.subject) else "The subject is system:serviceaccount:NAMESPACE:NAME."
    if not _ID.fullmatch(row.repository):
        return "Name the repository by its number at the forge: a name can come to be another's."
    if not row.at or not row.at.isprintable():
        return "Write what the environment is called at the forge."
    return _problem_of_refs(row)


def _problem_of_refs(row: Pipeline) -> str:
    if not row.patterns or not all(_REF.fullmatch(ref) for ref in row.patterns):
        return "Write the refs that it may deploy from, one a line, such as refs/heads/main or refs/tags/v*"
    return ""


def _problem_of_key(text: str) -> str:
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(text.encode())
    except ValueError:
        return "This is no public key: it begins with -----BEGIN PUBLIC KEY-----"
    if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256R1):
        return "A runner's key is an ECDSA key on P-256: its JWTs are signed with ES256."
    return ""


def is_issuer(text: str) -> bool:
    """Whether it is an address that keys may be read from: over TLS, or on this machine."""
    parts = urlsplit(text)
    safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _HERE)
    plain = not parts.query and not parts.fragment and "@" not in parts.netloc and not text.endswith("/")
    return safe and bool(parts.hostname) and plain and text.isprintable()
