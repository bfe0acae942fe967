"""Personal data: what is kept of a person, given to them, kept for a claim, or erased; and how long each kind is kept.

The ledger names nobody and stays. What lies beside it is erased by the worker, which alone may; each erasure is an
entry, so that `verify` can say by which rule something is gone.
"""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, NamedTuple

from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.apps import apps
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from muniment.errors import ErasedError
from muniment.facts import canonical
from muniment.facts.people import Person as KnownPerson
from muniment.home.erasure import mentioning
from muniment.ledger import entries, objects
from muniment.policy.people import read_people
from muniment.server import moments
from muniment.server.changes.models import Change
from muniment.server.connections.models import Afterwards, Delivery, Remembered, Shown, Statement
from muniment.server.deployments.models import Glass, Sighting
from muniment.server.incidents.models import Incident
from muniment.server.installation import home
from muniment.server.people import document
from muniment.server.people.models import Claim, Invitation, Message, Person, Token
from muniment.server.policies.models import Leave
from muniment.server.proposals.models import Answer, Proposal
from muniment.server.record.entering import enter
from muniment.server.record.models import ExceptionFile
from muniment.server.secrets.models import Fetch, Secret
from muniment.server.work import soon

What = dict[str, Any]
NAMELESS = "(erased)"


class Rule(NamedTuple):
    """One kind of record, how long it is kept, and what drops those that are older than a moment; how many it did."""

    kind: Any
    why: Any
    days: int
    drop: Callable[[Any], int]


RULES = (
    Rule(
        _("sessions"), _("to stay signed in"), 0, lambda moment: _gone(Session.objects.filter(expire_date__lt=moment))
    ),
    Rule(
        _("links and tokens that are over"),
        _("to tell who was let in"),
        90,
        lambda moment: (
            _gone(Invitation.objects.filter(expires__lt=moment)) + _gone(Token.objects.filter(expires__lt=moment))
        ),
    ),
    Rule(_("messages"), _("to read again"), 180, lambda moment: _gone(Message.objects.filter(made__lt=moment))),
    Rule(
        _("what environments reported to run"),
        _("to see what came there without leave"),
        365,
        lambda moment: _gone(Sighting.objects.filter(last__lt=moment)),
    ),
    Rule(
        _("incidents that were closed"),
        _("to see whether they come again"),
        3 * 365,
        lambda moment: _gone(Incident.objects.filter(closed__lt=moment)),
    ),
    Rule(
        _("who read secrets, by the vault's audit log"),
        _("to see that only pipelines do"),
        2 * 365,
        lambda moment: _gone(Fetch.objects.filter(last__lt=moment)),
    ),
    Rule(
        _("answers of the API"),
        _("so that nothing is done twice"),
        7,
        lambda moment: _gone(Answer.objects.filter(at__lt=moment)),
    ),
    Rule(
        _("what forges told of, by ids"),
        _("so that nothing is taken twice"),
        30,
        lambda moment: _gone(Delivery.objects.filter(received__lt=moment)),
    ),
    Rule(
        _("answers of forges"),
        _("to ask again cheaply"),
        30,
        lambda moment: _gone(Remembered.objects.filter(at__lt=moment)),
    ),
    Rule(
        _("what was shown at forges"),
        _("to find out what others post in our name"),
        90,
        lambda moment: _gone(Shown.objects.filter(at__lt=moment)),
    ),
    Rule(
        _("what reviewers answered on our page"),
        _("to read again what a change was approved with"),
        400,
        lambda moment: _gone(Statement.objects.filter(at__lt=moment).exclude(change__where=Change.Where.OPEN)),
    ),
    Rule(
        _("who let an escape stay, and why"),
        _("to tell an auditor"),
        1100,
        lambda moment: _gone(Afterwards.objects.filter(at__lt=moment, arrival__incident__closed__isnull=False)),
    ),
)


def keep_to_rules() -> None:
    """Drop what each rule says is over. For the worker, again and again."""
    now = timezone.now()
    for rule in RULES:
        rule.drop(now - timedelta(days=rule.days))


def known_as(person: Person) -> KnownPerson:
    """Who they are to the core: every name by which objects may speak of them."""
    found = next(one for one in read_people(document.text(), "the tables").persons if one.id == person.slug)
    emails = (*found.emails, *([person.email] if person.email else []))
    return KnownPerson(
        found.id, found.name, tuple(dict.fromkeys(emails)), found.keys, found.accounts, (), active=False, writes=()
    )


def kept_of(person: Person) -> dict[str, Any]:
    """All that is kept of a person, for themselves (GDPR, article 15): what stands in tables, and beside the ledger."""
    beside = dict(_objects())
    speaking = mentioning(beside.items(), known_as(person))
    return {
        "person": {"id": person.slug, "name": person.name, "email": person.email, "active": person.active},
        "accounts": list(person.accounts.values("kind", "value", "proof", "since", "numbered__number")),
        "roles": list(person.grants.values("role", "product__slug", "since", "ended", "bootstrap")),
        "second_factors": list(Authenticator.objects.filter(user=person).values("type", "created_at", "last_used_at")),
        "company_accounts": list(SocialAccount.objects.filter(user=person).values("provider", "uid", "date_joined")),
        "claims": list(Claim.objects.filter(person=person).values("kind", "value", "made")),
        "tokens": list(person.tokens.values("name", "made", "expires", "ended", "scopes")),
        "asked": list(Proposal.objects.filter(asker=person).values("told", "reason", "asked", "state")),
        "incidents": list(
            Incident.objects.filter(Q(owner=person) | Q(closer=person) | Q(involved__contains=[person.slug])).values(
                "kind", "told", "opened", "closed", "cause"
            )
        ),
        "secrets": list(
            Secret.objects.filter(by=person).values(
                "environment__product__slug", "environment__name", "name", "changed"
            )
        ),
        "broken_glass": list(
            Glass.objects.filter(Q(asker=person) | Q(second=person)).values("artifact", "reason", "since", "until")
        ),
        "reviews": list(Statement.objects.filter(person=person).values("head", "target", "verdict", "words", "at")),
        "reviews_afterwards": list(Afterwards.objects.filter(person=person).values("arrival__commit", "reason", "at")),
        "messages": list(person.messages.values("text", "made", "read")),
        "record": {digest: beside[digest].decode("utf-8", "replace") for digest in speaking},
    }


def check_erase(what: What) -> None:
    """ValueError for somebody who is active, kept for a claim, or erased already."""
    person = _person(what)
    if person.active:
        raise ValueError(_("They have to leave first."))
    if person.held:
        raise ValueError(_("It is kept for a legal claim: %(held)s") % {"held": person.held})
    if person.erased:
        raise ValueError(_("It was erased already."))


def erase(what: What, asker: str, second: str | None) -> None:
    """Have the worker erase it: first what lies beside the ledger, while the tables still say what to look for.

    Their exceptions end here: what proves that they asked or agreed is about to go, and the worker may not write them.
    """
    person = _person(what)
    theirs = Leave.objects.filter(Q(asker=person) | Q(granter=person))
    ExceptionFile.objects.filter(name__in=theirs.values("slug")).delete()
    theirs.filter(ended=None).update(ended=timezone.now())
    words = _words(known_as(person))
    over = Leave.objects.filter(Q(expires__lt=timezone.now()) | ~Q(ended=None)).values_list("slug", "reason")
    ExceptionFile.objects.filter(name__in=[slug for slug, reason in over if words.search(reason)]).delete()
    soon("erase-person", person=person.pk)


def check_hold(what: What) -> None:
    """ValueError for somebody of whom nothing is left."""
    if _person(what).erased:
        raise ValueError(_("It was erased already."))


def hold(what: What, asker: str, second: str | None) -> None:
    """Keep everything for a claim, or no longer."""
    Person.objects.filter(slug=what["id"]).update(held=what["reason"])


def erase_beside(person: Person) -> int:
    """Erase the objects that speak of a person; how many. For the worker. Stopped half-way, it is run again."""
    with transaction.atomic():
        found = mentioning(_objects(), known_as(person))
        erased = objects.Erased(found, "the person asked for it", objects.salt())
        entry = entries.Erasure(time=moments.now(), object=canonical.digest_of(erased), objects=len(found))
        row = enter(entry, (erased,))
        home().erase(found, f"under the rule 'a person asked for it', record {row.pk}")
    return len(found)


def erase_texts(person: Person) -> int:
    """Erase their name, id, addresses and accounts wherever people wrote them freely; in how many rows. For the worker.

    What a model calls `free_texts` is looked through. A name that is spelt otherwise nobody can know: docs/privacy.md.
    """
    words = _words(known_as(person))
    return sum(_erase_texts(model, words) for model in apps.get_models() if hasattr(model, "free_texts"))


def _erase_texts(model: Any, words: re.Pattern[str]) -> int:
    found = 0
    for row in model.objects.only("pk", *model.free_texts).iterator():
        texts = {name: _without(words, getattr(row, name)) for name in model.free_texts}
        changed = {name: text for name, text in texts.items() if text != getattr(row, name)}
        if changed:
            model.objects.filter(pk=row.pk).update(**changed)
            found += 1
    return found


def _without(words: re.Pattern[str], value: Any) -> Any:
    """A text, or a list of texts, without them."""
    return words.sub(NAMELESS, value) if isinstance(value, str) else [words.sub(NAMELESS, text) for text in value]


def _words(known: KnownPerson) -> re.Pattern[str]:
    """What names them, as whole words, the longest first, in any case. A login counts without its forge too."""
    logins = (account.partition("/")[2] for account in known.accounts)
    texts = {known.id, known.name, *known.emails, *known.keys, *known.accounts, *logins} - {""}
    longest = sorted(texts, key=len, reverse=True)
    return re.compile(rf"(?<![\w@.-])(?:{'|'.join(_spaced(text) for text in longest)})(?![\w@-])", re.IGNORECASE)


def _spaced(text: str) -> str:
    return r"\s+".join(map(re.escape, text.split()))


def _objects() -> Iterator[tuple[str, bytes]]:
    for digest in home().objects():
        try:
            data = home().get(digest)
        except ErasedError:
            continue
        if data is not None:
            yield digest, data


def _person(what: What) -> Person:
    found = Person.objects.filter(slug=what["id"]).first()
    if found is None:
        raise ValueError(_("There is nobody of that id."))
    return found


def _gone(rows: Any) -> int:
    return int(rows.delete()[0])
