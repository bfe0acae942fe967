"""Whose word on what artifacts are made of can be checked: added by two people, ended by one."""

from typing import Any

from django.utils import timezone

from muniment.errors import AttestationError
from muniment.pipelines import dsse
from muniment.server.deployments.models import Builder

What = dict[str, Any]


def check_trust(what: What) -> None:
    """ValueError for an id or a key that is none, or a key that is here already."""
    name, key = what["id"].strip(), what["key"].strip()
    if not name or not name.isprintable() or " " in name:
        raise ValueError("Write the builder's id as its provenance names it, such as https://ci.example.test/builder.")
    try:
        dsse.check_key(key)
    except AttestationError:
        raise ValueError("This is no public key: an Ed25519 or P-256 key in PEM, or the one line of a .pub") from None
    if dsse.fingerprint(key) in {one.fingerprint for one in Builder.objects.filter(ended=None)}:
        raise ValueError("A builder has that key already.")


def trust(what: What, asker: str, second: str | None) -> None:
    """Its word can be checked."""
    Builder.objects.create(name=what["id"].strip(), key=what["key"].strip())


def check_close(what: What) -> None:
    """ValueError for one whose word is not taken anyway."""
    if not Builder.objects.filter(pk=what["number"], ended=None).exists():
        raise ValueError("Its word is not taken anyway.")


def close(what: What, asker: str, second: str | None) -> None:
    """Its word is not taken any more: what it made before cannot be deployed anew either."""
    Builder.objects.filter(pk=what["number"]).update(ended=timezone.now())
