"""Filter of records by the person or product that they are about.

Both stand in the content of records and in their details, not in columns: whoever is erased is found nowhere. So a
filter reads the newest records, and goes on from there on the next page.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import msgspec
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _

from muniment.access.actions import Action
from muniment.server.changes.models import Change
from muniment.server.guarding.mediation import current_actor, is_action_allowed
from muniment.server.page_lists import PAGE, RowPage, read_row_number
from muniment.server.pages.record_filters import RecordFilter
from muniment.server.people.models import Person
from muniment.server.products.models import Product
from muniment.server.products.visible_products import visible_product_filter
from muniment.server.records.installation import open_store
from muniment.server.records.models import Record

MOST_READ = 5_000  # records for one page
_CHUNK = 250
_OF_PRODUCT = frozenset({"product", "environment", "secret", "policy"})  # kinds of a resource that begins with one


class RecordSubject(NamedTuple):
    """Person by internal id, and product by handle, that records are about; "" for all. `repositories` are names and
    numbers of those of the product. `problem` says whom or what nobody knows.
    """

    person: str = ""
    product: str = ""
    repositories: frozenset[str] = frozenset()
    problem: str = ""

    @property
    def is_everything(self) -> bool:
        """Whether the filter leaves out no record."""
        return not (self.person or self.product or self.problem)


class FoundRecords(NamedTuple):
    """Records that match, newest first, and the number of the last one that was read; 0 once all were."""

    rows: list[Record]
    last: int


def find_subject(request: HttpRequest, chosen: RecordFilter) -> RecordSubject:
    """Person and product that a filter names, by name or handle. Who may not see acts filters by no person."""
    person_text, product_text = chosen.person, chosen.product
    person, product, repositories = "", "", frozenset[str]()
    if person_text and is_action_allowed(request, Action.SEE_ACTIVITY):
        people = Person.objects.filter(Q(slug=person_text) | Q(name__iexact=person_text)).order_by("slug")
        person = people.values_list("pk", flat=True).first() or ""
        if not person:
            return RecordSubject(problem=_("Nobody has the name or handle %(text)s.") % {"text": person_text})
    if product_text:
        rows = Product.objects.filter(visible_product_filter(current_actor(request)))
        found = rows.filter(Q(slug=product_text) | Q(name__iexact=product_text)).order_by("slug").first()
        if found is None:
            return RecordSubject(problem=_("No product has the name or id %(text)s.") % {"text": product_text})
        product = found.slug
        known = found.repositories.values_list("pk", "name")
        repositories = frozenset(str(value) for pair in known for value in pair)
    return RecordSubject(person, product, repositories)


def page_by_subject(request: HttpRequest, rows: "QuerySet[Record, Record]", subject: RecordSubject) -> RowPage:
    """Part of the list of the records about a subject, below `?below=N`. It may be short where they are rare."""
    if subject.problem:
        return RowPage([], 0)
    below = read_row_number(request.GET.get("below", ""))
    found = find_records_about(rows.filter(pk__lt=below) if below else rows, subject, PAGE, MOST_READ)
    return RowPage(found.rows, found.last)


def find_records_about(
    rows: "QuerySet[Record, Record]", subject: RecordSubject, most: int, most_read: int
) -> FoundRecords:
    """The newest `most` records about a subject, among the newest `most_read` ones."""
    found: list[Record] = []
    last = 0
    for chunk in _read_chunks(rows, most_read):
        for row, matches in zip(chunk, _match_records(chunk, subject), strict=True):
            last = row.pk
            if matches:
                found.append(row)
            if len(found) == most:
                return FoundRecords(found, last)
        if len(chunk) < _CHUNK:
            return FoundRecords(found, 0)
    return FoundRecords(found, last)


def _read_chunks(rows: "QuerySet[Record, Record]", most_read: int) -> Iterator[list[Record]]:
    """Records by falling number, some hundred at a time."""
    ordered = rows.order_by("-pk")
    chunk = list(ordered[:_CHUNK])
    for _number in range(most_read // _CHUNK):
        yield chunk
        if len(chunk) < _CHUNK:
            return
        chunk = list(ordered.filter(pk__lt=chunk[-1].pk)[:_CHUNK])


def _match_records(rows: list[Record], subject: RecordSubject) -> list[bool]:
    """Whether each record is about the subject."""
    stored = open_store().get_objects([row.details_digest for row in rows if row.details_digest])
    contents = [(_read_object(bytes(row.data)), _read_object(stored.get(row.details_digest, b"{}"))) for row in rows]
    changes = _find_changes(contents, subject.product) if subject.product else frozenset()
    return [
        (not subject.person or _names_person(details, subject.person))
        and (not subject.product or any(_names_product(one, subject, changes) for one in (content, details)))
        for content, details in contents
    ]


def _read_object(data: bytes) -> Mapping[str, object]:
    """Fields of canonical JSON, none of a value that is no object."""
    found = msgspec.json.decode(data)
    return found if isinstance(found, dict) else {}


def _names_person(details: Mapping[str, object], person: str) -> bool:
    """Whether it is an act or statement of the person, or an act on them."""
    return details.get("person") == person or details.get("resource") == f"person:{person}"


def _names_product(fields: Mapping[str, object], subject: RecordSubject, changes: frozenset[str]) -> bool:
    """Whether a record or its details name the product, one of its repositories or one of its changes."""
    details = fields.get("details")
    named = {**(details if isinstance(details, dict) else {}), **fields}
    if named.get("product") == subject.product or named.get("repository") in subject.repositories:
        return True
    kind, _colon, name = str(fields.get("resource", "")).partition(":")
    first = name.partition("/")[0]
    if kind in _OF_PRODUCT:
        return first == subject.product
    if kind in ("repository", "exception"):
        return first in subject.repositories
    return kind == "change" and name in changes


def _find_changes(contents: list[tuple[Mapping[str, object], Mapping[str, object]]], product: str) -> frozenset[str]:
    """Numbers of the changes of a product, among those that some acts are about."""
    named = {str(details.get("resource", "")).removeprefix("change:") for _content, details in contents}
    rows = Change.objects.filter(pk__in=[int(one) for one in named if one.isascii() and one.isdigit()])
    return frozenset(map(str, rows.filter(repository__product__slug=product).values_list("pk", flat=True)))
