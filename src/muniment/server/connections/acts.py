"""What people change about connections, and what they say of changes and escapes."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext as _

from muniment.facts import canonical
from muniment.facts.statements import Verdict
from muniment.policy import guide
from muniment.server.changes.again import read_again
from muniment.server.changes.models import Change
from muniment.server.connections.models import Afterwards, Arrival, Connected, Connection, Listed, Statement
from muniment.server.connections.reaching import address_of, connected_of
from muniment.server.people.models import Person
from muniment.server.products.models import FORGE, Product, Repository
from muniment.server.work import soon

What = dict[str, Any]
_LONGEST = 5_000  # characters of one answer


# Connections


def check_connection(what: What) -> None:
    """ValueError for what is no forge, or a connection that is over."""
    if what["do"] == "add":
        parts = urlsplit(what["url"])
        loopback = parts.hostname in ("localhost", "127.0.0.1", "::1")
        if (parts.scheme != "https" and not (parts.scheme == "http" and loopback)) or not parts.hostname:
            raise ValueError(_("Write the forge's address like https://forge.example.com"))
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError(_("The address has nothing but the forge's name and path."))
        _clean(Connection(slug=what["id"], vendor=what["vendor"], url=what["url"].rstrip("/")))
        return
    row = _connection(what)
    if what["do"] == "end" and row.connected.exists():
        raise ValueError(_("Repositories of products live there. Move them first."))


def change_connection(what: What, asker: str, second: str | None) -> None:
    """Add one, say that its credential is there, have its webhooks' secret renewed, look again, or end it."""
    match what["do"]:
        case "add":
            Connection.objects.create(slug=what["id"], vendor=what["vendor"], url=what["url"].rstrip("/"))
        case "key":
            Connection.objects.filter(slug=what["id"]).update(keyed=timezone.now(), problem="")
            soon("list-repositories", connection=_connection(what).pk)
        case "turn":
            row = _connection(what)
            row.turn += 1
            row.save(update_fields=["turn"])
            _have_hooks_made(row)
        case "look":
            row = _connection(what)
            soon("list-repositories", connection=row.pk)
            _have_hooks_made(row)
        case "end":
            Connection.objects.filter(slug=what["id"]).update(ended=timezone.now())
        case other:
            raise ValueError(f"There is no such step: {other}.")


def _have_hooks_made(connection: Connection) -> None:
    """Have every repository gone through, and its webhook made anew: whoever asks may know that it is gone."""
    rows = Connected.objects.filter(connection=connection, repository__product__retired=None)
    for number in rows.values_list("repository", flat=True):
        soon("reconcile", repository=number, hook=True)


def check_connecting(what: What) -> None:
    """ValueError for a repository that the connection does not see, or that belongs to a product already."""
    listed = _listed(what)
    if Connected.objects.filter(connection=listed.connection, forge_id=listed.forge_id).exists():
        raise ValueError(_("It belongs to a product already."))
    if Repository.objects.filter(name=_name(what, listed)).exists():
        raise ValueError(_("Give the repository a name that no other has."))


def connect_repository(what: What, product: Product) -> None:
    """It is a repository of that product, and lives at the forge."""
    listed = _listed(what)
    path = f"{FORGE}{listed.connection.slug}/{listed.forge_id}"
    repository = Repository.objects.create(product=product, name=_name(what, listed), path=path)
    Connected.objects.create(
        repository=repository,
        connection=listed.connection,
        forge_id=listed.forge_id,
        path=listed.path,
        default=listed.default,
        clone=listed.clone,
        url=listed.url,
    )
    soon("reconcile", repository=repository.pk)


def _name(what: What, listed: Listed) -> str:
    return str(what["name"]).strip() or listed.path


def _listed(what: What) -> Listed:
    number = str(what.get("listed", ""))
    rows = Listed.objects.select_related("connection").filter(connection__ended=None)
    found = rows.filter(pk=int(number)).first() if number.isascii() and number.isdigit() else None
    if found is None:
        raise ValueError(_("Choose a repository that a connection sees."))
    return found


def _connection(what: What) -> Connection:
    found = Connection.objects.filter(slug=what["id"], ended=None).first()
    if found is None:
        raise ValueError(_("There is no such connection."))
    return found


def _clean(row: Connection) -> None:
    given = ("slug", "vendor", "url")
    try:
        row.full_clean(exclude=[field.name for field in row._meta.fields if field.name not in given])
    except ValidationError as error:
        raise ValueError(
            " ".join(f"{name}: {' '.join(texts)}" for name, texts in error.message_dict.items())
        ) from error


# Changes


def terms(change: Change, head: str, verdict: Verdict, words: Mapping[str, str]) -> str:
    """What a recorded act and what is kept of it both have to say."""
    about = {"repository": change.repository.name, "target": change.target, "head": head, "words": dict(words)}
    return canonical.digest_of({**about, "verdict": verdict.value})


def check_review(what: What) -> None:
    """ValueError for a head that is not the newest any more, or a question that nobody asked."""
    change = _open(what)
    if what["head"] != change.head:
        raise ValueError(_("It has another head by now: read that first."))
    if what["terms"] != terms(change, what["head"], Verdict(what["do"]), what["answers"]):
        raise ValueError(_("It is not what was recorded."))
    known = {question.id for question in guide.QUESTIONS}
    if any(name not in known or len(text) > _LONGEST for name, text in what["answers"].items()):
        raise ValueError(_("Answer the questions that are asked, each in a few sentences."))


def review(what: What, asker: str, second: str | None) -> None:
    """This person's word on that head: yes with its answers, or that they take it back."""
    _say(_open(what), asker, Verdict(what["do"]), what["answers"], what["done"])


def check_attest(what: What) -> None:
    """ValueError for a change that moved on, or somebody who is not here."""
    change = _open(what)
    if what["head"] != change.head:
        raise ValueError(_("It has another head by now: look at that first."))
    if not what["subject"].startswith(("account:", "commit:")):
        raise ValueError(_("Choose whose hand is not known."))
    if not Person.objects.filter(slug=what["who"]).exists():
        raise ValueError(_("There is nobody of that id."))
    if what["terms"] != terms(change, what["head"], Verdict.ATTEST, {what["subject"]: what["who"]}):
        raise ValueError(_("It is not what was recorded."))


def attest(what: What, asker: str, second: str | None) -> None:
    """This person says whose hand it was, and so cannot approve."""
    _say(_open(what), asker, Verdict.ATTEST, {what["subject"]: what["who"]}, what["done"])


def check_asking(what: What) -> None:
    """ValueError for a change that is not open, or an escape that is not, or that this person cannot have reverted."""
    if what["do"] == "revert":
        row = _arrival(what)
        if not row.commit or not row.before:
            raise ValueError(_("There is nothing that a revert could take back."))
        connected = connected_of(row.repository)
        if connected is None or not address_of(Person.objects.get(slug=what["person"]), connected.connection):
            raise ValueError(
                _(
                    "The change has to name you, for who asks for it cannot approve it. Add your login at the forge or "
                    "an e-mail address to your account first, or ask somebody else."
                )
            )
    else:
        _open(what)


def ask(what: What, asker: str, second: str | None) -> None:
    """Have others asked to review, have it merged, have a revert prepared."""
    match what["do"]:
        case "ask":
            soon("ask-review", change=_open(what).pk)
        case "merge":
            soon("merge-change", change=_open(what).pk, head=what["head"], person=_pk(asker))
        case "revert":
            soon("prepare-revert", arrival=_arrival(what).pk, person=_pk(asker))
        case other:
            raise ValueError(f"There is no such step: {other}.")


def _say(change: Change, person: str, verdict: Verdict, words: dict[str, str], proof: str) -> None:
    Statement.objects.create(
        change=change,
        person=Person.objects.get(slug=person),
        head=change.head,
        target=change.target,
        verdict=verdict.value,
        words=words,
        proof=proof,
    )
    number = change.at_forge.number
    read_again(change.repository_id, number)


def _pk(asker: str) -> int:
    number: int = Person.objects.get(slug=asker).pk
    return number


def _open(what: What) -> Change:
    rows = Change.objects.select_related("repository", "at_forge")
    found = rows.filter(pk=what["id"], where=Change.Where.OPEN, at_forge__isnull=False).first()
    if found is None:
        raise ValueError(_("It is not open at a forge any more."))
    return found


# Escapes


def check_afterwards(what: What) -> None:
    """ValueError for an escape that is closed, or that this person said so of already."""
    row = _arrival(what)
    if not what["reason"].strip():
        raise ValueError(_("Say what you looked at, and why it may stay."))
    if row.reviews.filter(person__slug=what["person"]).exists():
        raise ValueError(_("You said so already."))
    if what["person"] in row.hands:
        raise ValueError(_("You had a hand in it: others have to review it."))


def afterwards(what: What, asker: str, second: str | None) -> None:
    """This person reviewed it, and says that it may stay. With enough of them it is closed."""
    row = _arrival(what)
    Afterwards.objects.create(arrival=row, person=Person.objects.get(slug=asker), reason=what["reason"].strip())
    soon("settle-escapes", repository=row.repository_id)


def _arrival(what: What) -> Arrival:
    rows = Arrival.objects.filter(pk=what["id"], how=Arrival.How.ESCAPE, incident__closed=None)
    found = rows.select_related("incident").first()
    if found is None:
        raise ValueError(_("It is not open any more."))
    return found
