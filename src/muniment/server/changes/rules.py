"""Which policy, people and exceptions hold for one repository of a product, and whether merges are stopped."""

import functools
from datetime import datetime

from msgspec import Struct

from muniment.decision.binding import BoundPolicy
from muniment.decision.freezes import select_freezes
from muniment.decision.policies import Monitoring, complete_policy, read_bound_policy
from muniment.facts import canonical
from muniment.facts.people import People
from muniment.facts.people import Person as KnownPerson
from muniment.facts.statements import Freeze, Signature
from muniment.git import documents, signatures
from muniment.git.repository import Repository as Git
from muniment.ledger import objects
from muniment.server.people.models import Account, ForgeAccount, Machine, Person, RoleGrant, today
from muniment.server.people.people_facts import own_machine_tables, people_of
from muniment.server.policies.models import MonitoringPeriod, PolicyVersion
from muniment.server.policies.proofs import ACT
from muniment.server.products.models import Product, Repository
from muniment.server.records import row_checks
from muniment.server.records.installation import store
from muniment.server.records.models import Document, ExceptionFile, Record
from muniment.server.records.reading import beside
from muniment.server.records.store import POLICY
from muniment.workflows.sources import Rules, rules

_TABLES = (Document, ExceptionFile, MonitoringPeriod, PolicyVersion, Person, Machine, Account, RoleGrant)
_BESIDE = (ForgeAccount, Product, Repository)  # read for the rules of a product too
_MOST_PRODUCTS = 64


class ProductRules(Struct, frozen=True):
    """The rules of one product: the organisation's policy with its own sensitive paths, people in its roles.

    `moment` is when they held, None for now. Exceptions that were ended since are gone.
    """

    product: Product
    moment: datetime | None = None

    def policy(self) -> BoundPolicy | None:
        """The policy in force, completed for the product; None if there is none. Raises PolicyError."""
        found = store().policy()
        if self.moment is not None:
            rows = PolicyVersion.objects.filter(applied_at__lte=self.moment).order_by("-applied_at", "-pk")
            text = rows.values_list("text", flat=True).first()
            found = read_bound_policy(text, POLICY) if text is not None else found
        return None if found is None else self.completed(found)

    def completed(self, policy: BoundPolicy) -> BoundPolicy:
        """A policy with a clause more, if the product has sensitive paths, and with clauses in monitoring here."""
        held = MonitoringPeriod.current() if self.moment is None else MonitoringPeriod.at(self.moment)
        rows = held.filter(product=self.product).order_by("pk").values_list("clause", "last_day")
        monitoring = tuple(Monitoring(clause, until) for clause, until in rows)
        return complete_policy(policy, self.product.sensitive_paths, monitoring)

    def people(self) -> People:
        """Everybody, with the roles that hold here. Raises PeopleError."""
        return people_of(self.product, self.moment)

    def exceptions(self) -> tuple[tuple[str, bytes], ...]:
        """All of them: each names its repository."""
        return store().exceptions()

    def read(self) -> "StoredRules":
        """All of it. Raises PolicyError or PeopleError."""
        return StoredRules(self.policy(), self.people(), self.exceptions())


class StoredRules(Struct, frozen=True):
    """The rules of one product as they were read (`workflows.sources.RuleSource`)."""

    stored_policy: BoundPolicy | None
    stored_people: People
    stored_exceptions: tuple[tuple[str, bytes], ...]

    def policy(self) -> BoundPolicy | None:
        """The policy in force, completed for the product."""
        return self.stored_policy

    def people(self) -> People:
        """Everybody, with the roles that hold here."""
        return self.stored_people

    def exceptions(self) -> tuple[tuple[str, bytes], ...]:
        """All of them: each names its repository."""
        return self.stored_exceptions


@functools.cache
def _rule_cache() -> row_checks.ReadCache[StoredRules]:
    return row_checks.ReadCache((*_TABLES, *own_machine_tables()), _BESIDE, _MOST_PRODUCTS)


def rules_of(repository: Repository, git: Git, tip: str, moment: datetime | None = None) -> Rules:
    """The rules for the branch at `tip`, as they are or were at a `moment`.

    Raises ConfigurationError where one is missing or wrong, and RowsDifferError where a row that says one of them is
    not what the ledger says.
    """
    row_checks.require_recorded(repository, repository.product)
    source, branch = ProductRules(repository.product, moment), documents.at(git, tip)
    if moment is not None:
        return row_checks.read_recorded(
            lambda: rules(source, branch, _verify, store().put_people), *_TABLES, *own_machine_tables()
        )
    stored = _rule_cache().read((repository.product_id, repository.product.sensitive_paths, today()), source.read)
    return rules(stored, branch, _verify, store().put_people)


def read_freezes(product: str, now: str, environment: str = "") -> tuple[Freeze, ...]:
    """The freezes that concern a product and are not over, announced ones too, as the ledger's records say.

    For a merge, or for a deployment to an `environment` of the product. The table of freezes is for pages alone.
    """
    return select_freezes(store().freezes(), now, product, environment)


def _verify(data: bytes, proof: str, namespace: str, person: KnownPerson) -> Signature:
    """A signature by a key, or the recorded act of a session: of this person, about exactly this."""
    if not proof.startswith(ACT):
        return signatures.by_person(data, proof, namespace, person)
    digest = proof.removeprefix(ACT)
    if not Record.objects.filter(kind="person-action", details_digest=digest).exists():
        return Signature.BAD
    said = beside(digest, objects.PersonAction)
    if not isinstance(said, objects.PersonAction) or said.person != person.id:
        return Signature.OTHER_KEY
    return Signature.RECORDED if said.details.get("terms") == canonical.digest(data) else Signature.BAD
