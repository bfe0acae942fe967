"""Inputs of a decision about a change at a forge: which events of each forge re-evaluate the change, and how soon.

The one list of inputs. A kind of fact without a row here could change unnoticed: `find_uncovered_facts` names it, and
the service does not start. docs/reference/reevaluation.md is made of these rows.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum

from msgspec import Struct

from muniment.facts import kinds
from muniment.forges.shapes import Vendor
from muniment.policy.model import EnforcementPoint


class DecisionInput(StrEnum):
    """Input of a decision about a change at a forge."""

    HEAD = "head and pushers"
    TARGET = "target branch"
    BASE = "tip of the target branch"
    REVIEWS = "reviews"
    WRITE_ACCESS = "write access of approvers"
    CHECKS = "checks and commit statuses"
    SIGNED = "signed approvals"
    OWN_REVIEWS = "reviews and attestations on our page"
    PEOPLE = "people, accounts, keys and roles"
    POLICY = "policy"
    CONTROLS = "versions of controls"
    EXCEPTIONS = "exceptions"
    FREEZES = "freezes"
    LANDED_HEADS = "heads that a branch took"
    BRANCH_RULES = "branch rules of the forge"
    FORGE_SETTINGS = "settings of the forge"
    REPOSITORY_FILES = "pipeline files, hardening, lock files and secrets in code"
    DELIVERY_FACTS = "environments, deadlines and deployments"
    MEETINGS = "security reviews and retros"
    FINDINGS = "findings and scans of the code"
    DESIGNS = "design of the product"
    UPDATES = "advisories and readings of locks"
    REQUIREMENTS = "security requirements: findings, named tests and statements of people"
    VAULT_STATE = "state of the vault"
    DELIVERY = "delivery that is asked for"


class Fallback(StrEnum):
    """Way in which an input is read again after a lost event, or without any."""

    POLLING = "the pass over each repository: 10 minutes, or what its tenth of the rate limit allows"
    PROBE = "the probe of green changes: the seconds that the page of the connection shows"
    EXPIRY = "a new evaluation when the fact is too old, within a minute after"
    ACT = "nothing is lost: the act puts the evaluation into the queue within its own transaction"
    START = "each start of a worker: a new version of the program comes with one"
    NONE = "nothing: such a decision is made anew each time that it is asked for"


class InputRow(Struct, frozen=True):
    """Row on one input: how it makes decisions stale. `facts`: names of the kinds that it is read as.

    `events`: per forge, the deliveries that re-evaluate; empty for a forge that sends none. `by`: the cause of the
    evaluation where it is no delivery of a forge.
    """

    input: DecisionInput
    facts: tuple[str, ...]
    fallback: Fallback
    events: Mapping[Vendor, tuple[str, ...]] = {}
    by: str = ""

    def list_events(self, vendor: Vendor) -> tuple[str, ...]:
        """Deliveries of one forge. Forgejo sends those of Gitea."""
        return self.events.get(Vendor.GITEA if vendor is Vendor.FORGEJO else vendor, ())


_GITEA, _GITHUB, _GITLAB = Vendor.GITEA, Vendor.GITHUB, Vendor.GITLAB
_EVERYTHING = "the act, which has every open change evaluated again"

ROWS = (
    InputRow(
        DecisionInput.HEAD,
        (
            kinds.REVISION.name,
            kinds.COMMITS.name,
            kinds.FILES.name,
            kinds.PUSHES.name,
            kinds.APPROVED_HEADS.name,
            kinds.CHANGE_SCAN.name,
            kinds.CHANGE_DEPENDENCIES.name,
            kinds.CHANGE_RELEASES.name,
            kinds.DESIGN.name,
        ),
        Fallback.POLLING,
        {_GITHUB: ("pull_request",), _GITLAB: ("merge_request",), _GITEA: ("pull_request_sync",)},
    ),
    InputRow(
        DecisionInput.TARGET,
        (kinds.REVISION.name, kinds.APPROVALS.name),
        Fallback.POLLING,
        {_GITHUB: ("pull_request",), _GITLAB: ("merge_request",), _GITEA: ("pull_request",)},
    ),
    InputRow(
        DecisionInput.BASE,
        (kinds.REVISION.name,),
        Fallback.POLLING,
        {_GITHUB: ("push",), _GITLAB: ("push",), _GITEA: ("push",)},
    ),
    InputRow(
        DecisionInput.REVIEWS,
        (kinds.APPROVALS.name, kinds.APPROVED_HEADS.name),
        Fallback.PROBE,
        {_GITHUB: ("pull_request_review",), _GITLAB: ("merge_request", "note"), _GITEA: ("pull_request_review",)},
    ),
    InputRow(
        DecisionInput.WRITE_ACCESS,
        (kinds.APPROVALS.name,),
        Fallback.PROBE,
        {_GITHUB: ("member", "membership", "organization", "team", "team_add"), _GITLAB: ("user_remove_from_team",)},
    ),
    InputRow(
        DecisionInput.CHECKS,
        (kinds.TEST_RUNS.name,),
        Fallback.PROBE,
        {_GITHUB: ("check_run", "check_suite", "status"), _GITLAB: ("pipeline", "build"), _GITEA: ("status",)},
    ),
    InputRow(DecisionInput.SIGNED, (kinds.APPROVALS.name, kinds.APPROVED_HEADS.name), Fallback.POLLING),
    InputRow(DecisionInput.OWN_REVIEWS, (kinds.APPROVALS.name,), Fallback.ACT, by="the act on our page"),
    InputRow(DecisionInput.PEOPLE, (kinds.PEOPLE.name,), Fallback.ACT, by=_EVERYTHING),
    InputRow(DecisionInput.POLICY, (), Fallback.ACT, by=_EVERYTHING),
    InputRow(
        DecisionInput.CONTROLS,
        (),
        Fallback.START,
        by="the start of a worker: what another version of a control evaluated is evaluated again",
    ),
    InputRow(
        DecisionInput.EXCEPTIONS,
        (kinds.EXCEPTIONS.name,),
        Fallback.ACT,
        by=f"{_EVERYTHING}; its end, within a minute",
    ),
    InputRow(
        DecisionInput.FREEZES,
        (kinds.FREEZES.name,),
        Fallback.ACT,
        by=f"{_EVERYTHING}; its start and end, within a minute",
    ),
    InputRow(
        DecisionInput.LANDED_HEADS,
        (kinds.LANDED_HEADS.name,),
        Fallback.POLLING,
        {_GITHUB: ("push",), _GITLAB: ("push",), _GITEA: ("push",)},
    ),
    InputRow(DecisionInput.BRANCH_RULES, (kinds.BRANCH_RULES.name,), Fallback.EXPIRY),
    InputRow(DecisionInput.FORGE_SETTINGS, (kinds.FORGE_SETTINGS.name,), Fallback.EXPIRY),
    InputRow(
        DecisionInput.REPOSITORY_FILES,
        (
            kinds.PIPELINE_FILES.name,
            kinds.HARDENING.name,
            kinds.DEPENDENCY_LOCKS.name,
            kinds.FRAMEWORKS.name,
            kinds.CODE_SECRETS.name,
        ),
        Fallback.EXPIRY,
    ),
    InputRow(
        DecisionInput.DELIVERY_FACTS,
        (kinds.ENVIRONMENTS.name, kinds.DEADLINES.name, kinds.DEPLOYMENTS.name),
        Fallback.EXPIRY,
    ),
    InputRow(DecisionInput.MEETINGS, (kinds.SECURITY_MEETINGS.name,), Fallback.EXPIRY),
    InputRow(DecisionInput.FINDINGS, (kinds.PRODUCT_FINDINGS.name, kinds.MONITORED_RULES.name), Fallback.EXPIRY),
    InputRow(DecisionInput.DESIGNS, (kinds.DESIGN.name,), Fallback.EXPIRY),
    InputRow(DecisionInput.UPDATES, (kinds.PRODUCT_ADVISORIES.name, kinds.UPDATE_AUTOMATION.name), Fallback.EXPIRY),
    InputRow(DecisionInput.REQUIREMENTS, (kinds.PRODUCT_REQUIREMENTS.name,), Fallback.EXPIRY),
    InputRow(
        DecisionInput.VAULT_STATE,
        (kinds.VAULT_ACCESS.name, kinds.VAULT_SECRETS.name, kinds.RETRIEVALS.name),
        Fallback.EXPIRY,
    ),
    InputRow(
        DecisionInput.DELIVERY,
        (
            kinds.DEPLOYMENT_REQUEST.name,
            kinds.DEPLOYMENT_APPROVALS.name,
            kinds.PROVENANCE.name,
            kinds.COMMIT_DECISION.name,
        ),
        Fallback.NONE,
        by=f"at {EnforcementPoint.DEPLOY.value} alone",
    ),
)
_BY_INPUT = {row.input: row for row in ROWS}


def has_event(input: DecisionInput, vendor: Vendor) -> bool:
    """Whether a forge surely reports each change of an input, so that no probe has to read it."""
    return bool(_BY_INPUT[input].list_events(vendor)) and (input, vendor) not in _PARTLY_REPORTED


# Their events do not tell of every change: of a review that is dismissed or deleted (Gitea; GitHub's is read along with
# write access), of a role that a group or a base permission gives, or of a status that leaves its pipeline as it was.
_PARTLY_REPORTED = frozenset(
    {
        (DecisionInput.REVIEWS, Vendor.GITHUB),
        (DecisionInput.REVIEWS, Vendor.GITEA),
        (DecisionInput.REVIEWS, Vendor.FORGEJO),
        (DecisionInput.WRITE_ACCESS, Vendor.GITHUB),
        (DecisionInput.WRITE_ACCESS, Vendor.GITLAB),
        (DecisionInput.CHECKS, Vendor.GITLAB),
        (DecisionInput.CHECKS, Vendor.GITEA),
        (DecisionInput.CHECKS, Vendor.FORGEJO),
    }
)


def find_uncovered_facts(names: Iterable[str]) -> tuple[str, ...]:
    """Kinds of facts, by name, whose changes no row covers."""
    covered = {name for row in ROWS for name in row.facts}
    return tuple(sorted(set(names) - covered))
