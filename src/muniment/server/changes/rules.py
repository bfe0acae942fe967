"""Which policy, people and exceptions hold for one repository of a product, and whether merges are stopped."""

import json

from msgspec import Struct

from muniment.facts import canonical
from muniment.facts.people import Person
from muniment.facts.statements import Freeze, Signature
from muniment.git import documents, signatures
from muniment.git.repository import Repository as Git
from muniment.ledger import objects
from muniment.server import moments
from muniment.server.changes.proofs import ACT
from muniment.server.installation import home
from muniment.server.people import document
from muniment.server.policies.current import read
from muniment.server.policies.models import Freeze as FreezeRow
from muniment.server.policies.models import Gentle
from muniment.server.products.models import Product, Repository
from muniment.server.record.models import Entry
from muniment.server.record.reading import beside
from muniment.workflows.sources import Rules, rules

_SENSITIVE = """
[[clause]]
id = "review.sensitive-of-product"
text = "What protects this product gets a reviewer who looks at security."
control = "security-attention"
bites = "merge"
with = {{ sensitive = {paths} }}
"""
_GENTLY = """
[[gently]]
clause = "{clause}"
until = {until}
"""


class ProductHome(Struct, frozen=True):
    """The home as one product sees it: the organisation's policy with its own sensitive paths, people in its roles."""

    product: Product

    def policy_text(self) -> str | None:
        """The policy in force, None if there is none."""
        text = home().policy_text()
        return None if text is None else self.completed(text)

    def completed(self, text: str) -> str:
        """A policy with a clause more, if the product has sensitive paths, and with what only reports here."""
        paths = self.product.sensitive_paths
        more = _SENSITIVE.format(paths=json.dumps(paths)) if paths else ""
        known = {clause.id for clause in read(text).clauses}
        for row in Gentle.holding().filter(product=self.product, clause__in=known).order_by("pk"):
            more += _GENTLY.format(clause=row.clause, until=row.until.isoformat())
        return text + more

    def people_text(self) -> str:
        """Everybody, with the roles that hold here."""
        return document.text(self.product)

    def exceptions(self) -> tuple[tuple[str, bytes], ...]:
        """All of them: each names its repository."""
        return home().exceptions()


def rules_of(repository: Repository, git: Git, tip: str) -> Rules:
    """The rules for the branch at `tip`. Raises ConfigurationError where one is missing or wrong."""
    return rules(ProductHome(repository.product), documents.at(git, tip), _verify)


def freezes() -> tuple[Freeze, ...]:
    """The stops that are not lifted."""
    return tuple(
        Freeze(row.slug, row.person.slug, row.reason, moments.text(row.since), row.rehearsal)
        for row in FreezeRow.objects.filter(lifted=None).select_related("person").order_by("since")
    )


def _verify(data: bytes, proof: str, namespace: str, person: Person) -> Signature:
    """A signature by a key, or the recorded act of a session: of this person, about exactly this."""
    if not proof.startswith(ACT):
        return signatures.by_person(data, proof, namespace, person)
    digest = proof.removeprefix(ACT)
    if not Entry.objects.filter(kind="act", object=digest).exists():
        return Signature.BAD
    said = beside(digest, objects.Act)
    if not isinstance(said, objects.Act) or said.person != person.id:
        return Signature.OTHER_KEY
    return Signature.RECORDED if said.details.get("terms") == canonical.digest(data) else Signature.BAD
