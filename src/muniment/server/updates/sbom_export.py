"""SBOM of a product: the packages of all its locks at one place, as CycloneDX."""

from muniment.server.products.models import Product
from muniment.server.updates.lock_reading import decode_lock
from muniment.server.updates.models import DependencyLock
from muniment.updates.dependencies import Dependency, Ecosystem, Lock, LockFormat
from muniment.updates.sboms import write_sbom


def list_places(product: Product) -> list[str]:
    """Branches and environments of which locks are known, environments first."""
    rows = DependencyLock.objects.filter(repository__product=product)
    return sorted(set(rows.values_list("place", flat=True)), key=lambda place: (place.startswith("refs/"), place))


def build_product_sbom(product: Product, place: str) -> bytes:
    """SBOM of a product at one place. One of several locks has the packages of each."""
    rows = DependencyLock.objects.filter(repository__product=product, place=place).order_by("repository", "path")
    locks = [decode_lock(row) for row in rows]
    found: dict[tuple[Ecosystem, str], Dependency] = {}
    for each in (each for lock in locks for each in lock.dependencies):
        known = found.setdefault((each.ecosystem, each.key), each)
        if known.development and not each.development:
            found[each.ecosystem, each.key] = each
    return write_sbom(product.slug, Lock(place, LockFormat.CYCLONEDX, tuple(found.values())))
