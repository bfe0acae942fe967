"""Answers "Are we affected by X?" over all products, with the path to each package; what is unknown is said.

X is a package, a package with a version, or an identifier of an advisory. The answer is read from an index, so it takes
no longer with a thousand products.
"""

import re
from collections.abc import Iterator
from itertools import groupby
from typing import NamedTuple

from django.utils.translation import gettext as _

from muniment.access.actions import Action
from muniment.access.authorization import Actor
from muniment.server.products.models import Product, Repository
from muniment.server.products.visible_products import visible_product_filter, within_reach
from muniment.server.updates.advisory_lists import visible_advisories
from muniment.server.updates.models import DependencyReading, LockEntry, StoredAdvisory, format_place
from muniment.updates.lock_values import normalise_python_name

_IDENTIFIER = re.compile(r"(?:CVE|GHSA|PYSEC|MAL|RUSTSEC|GO|OSV)-[A-Za-z0-9-]{1,60}", re.IGNORECASE)
_MOST = 200  # uses that are listed
_LONGEST = 300


class PackageUse(NamedTuple):
    """Use of a package: in which lock of which product, at which places, with the path to it."""

    product: Product
    path: str
    package: str
    version: str
    route: tuple[str, ...]
    places: tuple[str, ...]
    is_development: bool
    is_certain: bool = True


class UnknownProduct(NamedTuple):
    """Product whose dependencies are not all known, with the reason."""

    product: Product
    reason: str


class AffectedAnswer(NamedTuple):
    """Answer about one package or advisory. `is_known` is false for an advisory that no source has.

    `known_count` is how many products have no unknown dependencies.
    """

    text: str
    is_advisory: bool
    is_known: bool
    uses: tuple[PackageUse, ...]
    more: int
    unknown: tuple[UnknownProduct, ...]
    known_count: int

    @property
    def product_count(self) -> int:
        """How many products use or have it."""
        return len({use.product.pk for use in self.uses})


def find_affected(actor: Actor, text: str) -> AffectedAnswer:
    """Find what a package, `package@version` or advisory affects, of the products that an actor may see."""
    text = text.strip()[:_LONGEST]
    is_advisory = bool(_IDENTIFIER.fullmatch(text))
    uses = list(_find_by_advisory(actor, text) if is_advisory else _find_by_package(actor, text))
    is_known = not is_advisory or StoredAdvisory.objects.filter(names__contains=[text.upper()]).exists()
    unknown = tuple(find_unknown_products(actor))
    total = Product.objects.filter(visible_product_filter(actor, Action.SEE_FINDINGS), retired_at=None).count()
    return AffectedAnswer(
        text, is_advisory, is_known, tuple(uses[:_MOST]), max(len(uses) - _MOST, 0), unknown, total - len(unknown)
    )


def _find_by_advisory(actor: Actor, text: str) -> Iterator[PackageUse]:
    rows = visible_advisories(actor).filter(names__contains=[text.upper()], ended_at=None)
    for row in rows.order_by("product__name", "lock_path", "package"):
        places = tuple(map(format_place, row.places))
        yield PackageUse(
            *(row.product, row.lock_path, row.package, row.shown_versions, tuple(row.route), places),
            *(row.is_development, row.is_certain),
        )


def _find_by_package(actor: Actor, text: str) -> Iterator[PackageUse]:
    """Uses of a package in any ecosystem; with `@` in one version."""
    name, _sign, version = text[1:].rpartition("@") if "@" in text[1:] else (text[1:], "", "")
    name = text[:1] + name
    rows = LockEntry.objects.filter(name__in={name, name.lower(), normalise_python_name(name)})
    rows = rows.filter(within_reach(actor, Action.SEE_FINDINGS, "lock__repository__product"))
    if version:
        rows = rows.filter(version=version)
    rows = rows.filter(lock__repository__product__retired_at=None).defer("lock__content")
    rows = rows.select_related("lock__repository__product")
    order = ("lock__repository__product__name", "lock__path", "ecosystem", "name", "version", "lock__place")
    for _key, group in groupby(rows.order_by(*order)[: _MOST * 10], key=_use_key):
        found = list(group)
        first = found[0]
        yield PackageUse(
            first.lock.repository.product,
            first.lock.path,
            first.name,
            first.version,
            tuple(first.route),
            tuple(format_place(row.lock.place) for row in found),
            all(row.is_development for row in found),
        )


def _use_key(row: LockEntry) -> tuple[int, str, str, str, str]:
    return row.lock.repository_id, row.lock.path, row.ecosystem, row.name, row.version


def find_unknown_products(actor: Actor) -> list[UnknownProduct]:
    """Products whose dependencies are not all known: no repository, no reading, or a file that could not be read."""
    products = Product.objects.filter(visible_product_filter(actor, Action.SEE_FINDINGS), retired_at=None)
    repositories: dict[int, list[Repository]] = {}
    rows = Repository.objects.filter(product__in=products).select_related("dependency_reading").order_by("pk")
    for row in rows.defer("dependency_reading__plan"):
        repositories.setdefault(row.product_id, []).append(row)
    found = ((product, _explain_unknown(repositories.get(product.pk, []))) for product in products)
    return [UnknownProduct(product, reason) for product, reason in found if reason]


def _explain_unknown(repositories: list[Repository]) -> str:
    """Why the dependencies of a product are not all known, "" if they are."""
    for repository in repositories:
        reading: DependencyReading | None = getattr(repository, "dependency_reading", None)
        details = {"repository": repository.name}
        if reading is None or (reading.first_read_at is None and not reading.problem):
            return _("The lock files of %(repository)s were not read yet.") % details
        if reading.problem:
            return _("The lock files of %(repository)s could not be read.") % details
        if reading.unread:
            _place, path, why = reading.unread[0]
            return _("%(path)s of %(repository)s: %(reason)s.") % (details | {"path": path, "reason": why})
    return "" if repositories else _("The product has no repository.")
