"""Machines whose word on tests can be checked: each key is added by two people, and taken away by one at once."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from muniment.git.signatures import fingerprint
from muniment.server.people.acts import account_value
from muniment.server.people.models import SLUG, Account, Machine, Person
from muniment.server.work import soon

What = dict[str, Any]


def told_of(what: What) -> str:
    """What such an act is, in words that name the key: whoever agrees compares it with the machine's own."""
    told = f"have what the machine {what['id'].strip()} says of tests checked"
    try:
        return f"{told}, by the key {fingerprint(account_value(Account.Kind.KEY, what['key'])[1])}"
    except ValueError:
        return told


def check_trust(what: What) -> None:
    """ValueError for an id or a key that is none, or that somebody else has."""
    slug = what["id"].strip()
    try:
        SLUG(slug)
    except ValidationError:
        raise ValueError(_("Give it an id, such as ci: small letters and digits.")) from None
    if Person.objects.filter(slug=slug).exists():
        raise ValueError(_("A person has that id."))
    kind, key = account_value(Account.Kind.KEY, what["key"])
    if Account.objects.filter(same=Account.sameness(kind, key)).exists():
        raise ValueError(_("That belongs to somebody already."))


def trust(what: What, asker: str, second: str | None) -> None:
    """What it signs with that key can be checked; whether its word counts, the policy says."""
    machine, _made = Machine.objects.get_or_create(slug=what["id"].strip())
    kind, key = account_value(Account.Kind.KEY, what["key"])
    by = Person.objects.get(slug=asker)
    Account.objects.create(machine=machine, kind=kind, value=key, proof=Account.Proof.ADMINISTRATOR, by=by)
    soon("rejudge-all")


def check_close(what: What) -> None:
    """ValueError for one whose word is not taken anyway."""
    if not _keys(what).exists():
        raise ValueError(_("Its word is not taken anyway."))


def close(what: What, asker: str, second: str | None) -> None:
    """Its word is not taken any more, not even on what it said before."""
    _keys(what).delete()
    soon("rejudge-all")


def known() -> QuerySet[Account]:
    """Every key of a machine that is known."""
    return Account.objects.filter(machine__isnull=False, kind=Account.Kind.KEY).select_related("machine", "by")


def _keys(what: What) -> QuerySet[Account]:
    return known().filter(machine__slug=what["id"])
