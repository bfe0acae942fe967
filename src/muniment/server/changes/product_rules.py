"""Policy, people, exceptions and freezes that apply to one repository of a product."""

import functools
from datetime import datetime

from msgspec import Struct

from muniment.decision.binding import BoundPolicy
from muniment.decision.bound_policies import Monitoring, complete_policy, read_policy_in_force
from muniment.decision.freezes import select_freezes
from muniment.facts import canonical
from muniment.facts.people import People
from muniment.facts.people import Person as KnownPerson
from muniment.facts.statements import Freeze, SignatureResult
from muniment.git import branch_documents, signatures
from muniment.git.repository import Repository as Git
from muniment.ledger import record_objects
from muniment.server.people.models import Account, ForgeAccount, Machine, Person, RoleGrant, current_day
from muniment.server.people.people_facts import build_people, own_machine_tables
from muniment.server.policies.exception_proofs import ACT
from muniment.server.policies.models import MonitoringPeriod, PolicyVersion
from muniment.server.products.models import Product, Repository
from muniment.server.records import row_checks
from muniment.server.records.installation import open_store
from muniment.server.records.models import Document, ExceptionFile, Record
from muniment.server.records.postgres_store import POLICY
from muniment.server.records.record_details import read_details
from muniment.workflows.rule_sources import Rules, load_rules

_TABLES = (Document, ExceptionFile, MonitoringPeriod, PolicyVersion, Person, Machine, Account, RoleGrant)
_OTHER_TABLES = (ForgeAccount, Product, Repository)  # that the rules of a product need too
_MOST_PRODUCTS = 64


class ProductRules(Struct, frozen=True):
    """Rules of one product: the organisation's policy with its own sensitive paths, people in its roles.

    `moment` is when they applied, None for now. Exceptions that were ended since are gone.
    """

    product: Product
    moment: datetime | None = None

    def load_policy(self) -> BoundPolicy | None:
        """Load the policy in force, completed for the product; None if there is none. Raises PolicyError."""
        found = open_store().load_policy()
        if self.moment is not None:
            rows = PolicyVersion.objects.filter(applied_at__lte=self.moment).order_by("-applied_at", "-pk")
            text = rows.values_list("text", flat=True).first()
            found = read_policy_in_force(text, POLICY) if text is not None else found
        return None if found is None else self.complete_policy_here(found)

    def complete_policy_here(self, policy: BoundPolicy) -> BoundPolicy:
        """Add to a policy a clause for the product's sensitive paths, if it has any, and its clauses in monitoring."""
        held = (
            MonitoringPeriod.find_current_periods()
            if self.moment is None
            else MonitoringPeriod.find_periods_at(self.moment)
        )
        rows = held.filter(product=self.product).order_by("pk").values_list("clause", "last_day")
        monitoring = tuple(Monitoring(clause, until) for clause, until in rows)
        return complete_policy(policy, self.product.sensitive_paths, monitoring)

    def load_people(self) -> People:
        """Load everybody, with the roles that they have here. Raises PeopleError."""
        return build_people(self.product, self.moment)

    def load_exceptions(self) -> tuple[tuple[str, bytes], ...]:
        """Load all exceptions: each names its repository."""
        return open_store().load_exceptions()

    def read(self) -> "StoredRules":
        """Read policy and people of a product. Raises PolicyError or PeopleError."""
        return StoredRules(self.load_policy(), self.load_people(), self.load_exceptions())


class StoredRules(Struct, frozen=True):
    """The rules of one product as they were read (`workflows.sources.RuleSource`)."""

    stored_policy: BoundPolicy | None
    stored_people: People
    stored_exceptions: tuple[tuple[str, bytes], ...]

    def load_policy(self) -> BoundPolicy | None:
        """The policy in force, completed for the product."""
        return self.stored_policy

    def load_people(self) -> People:
        """Everybody, with the roles that hold here."""
        return self.stored_people

    def load_exceptions(self) -> tuple[tuple[str, bytes], ...]:
        """Load all exceptions: each names its repository."""
        return self.stored_exceptions


@functools.cache
def _rule_cache() -> row_checks.ReadCache[StoredRules]:
    return row_checks.ReadCache((*_TABLES, *own_machine_tables()), _OTHER_TABLES, _MOST_PRODUCTS)


def load_repository_rules(repository: Repository, git: Git, tip: str, moment: datetime | None = None) -> Rules:
    """Load the rules for the branch at `tip`, as they are or were at a `moment`.

    Raises ConfigurationError where one is missing or wrong, and RowsDifferError where a row that says one of them
    differs from the ledger.
    """
    row_checks.require_recorded(repository, repository.product)
    source, branch = ProductRules(repository.product, moment), branch_documents.read_documents(git, tip)
    if moment is not None:
        return row_checks.read_recorded(
            lambda: load_rules(source, branch, _verify_proof, open_store().put_people), *_TABLES, *own_machine_tables()
        )
    stored = _rule_cache().read((repository.product_id, repository.product.sensitive_paths, current_day()), source.read)
    return load_rules(stored, branch, _verify_proof, open_store().put_people)


def read_product_freezes(product: str, now: str, environment: str = "") -> tuple[Freeze, ...]:
    """Read the freezes that concern a product and are not over, announced ones too, from the ledger's records.

    For a merge, or for a deployment to an `environment` of the product. The table of freezes is for pages alone.
    """
    return select_freezes(open_store().list_freezes(), now, product, environment)


def _verify_proof(data: bytes, proof: str, namespace: str, person: KnownPerson) -> SignatureResult:
    """Verify a signature by a key, or the recorded act of a session: of this person, about exactly this."""
    if not proof.startswith(ACT):
        return signatures.verify_by_person(data, proof, namespace, person)
    digest = proof.removeprefix(ACT)
    if not Record.objects.filter(kind="person-action", details_digest=digest).exists():
        return SignatureResult.BAD
    statement = read_details(digest, record_objects.PersonAction)
    if not isinstance(statement, record_objects.PersonAction) or statement.person != person.id:
        return SignatureResult.OTHER_KEY
    return (
        SignatureResult.RECORDED
        if statement.details.get("terms") == canonical.digest_bytes(data)
        else SignatureResult.BAD
    )
