"""What re-evaluates a change at a forge once an input of its decision is another one: per forge, and how soon.

The one list of inputs. A kind of fact without a row here is one that could change unnoticed: `uncovered` names it, and
the service does not start. docs/reference/reevaluation.md is made of these rows.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum

from msgspec import Struct

from muniment.facts import kinds
from muniment.forges.shapes import Vendor
from muniment.policy.model import Point


class Input(StrEnum):
    """What a decision about a change at a forge depends on."""

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
    REPOSITORY_FILES = "pipeline files and hardening"
    DELIVERY_FACTS = "environments, deadlines and deployments"
    VAULT_STATE = "state of the vault"
    DELIVERY = "delivery that is asked for"


class Fallback(StrEnum):
    """What re-reads an input whose event is lost, or that has none."""

    POLLING = "the pass over each repository: 10 minutes, or what its tenth of the rate limit allows"
    PROBE = "the probe of green changes: the seconds that the page of the connection shows"
    EXPIRY = "a new evaluation when the fact is too old, within a minute after"
    ACT = "nothing is lost: the act puts the evaluation into the queue within its own transaction"
    START = "each start of a worker: a new version of the program comes with one"
    NONE = "nothing: such a decision is made anew each time that it is asked for"


class Row(Struct, frozen=True):
    """How one input makes decisions stale. `facts`: names of the kinds that it is read as.

    `events`: per forge, the deliveries that re-evaluate; empty for a forge that sends none. `by`: what does it where
    it is no delivery of a forge.
    """

    input: Input
    facts: tuple[str, ...]
    fallback: Fallback
    events: Mapping[Vendor, tuple[str, ...]] = {}
    by: str = ""

    def events_of(self, vendor: Vendor) -> tuple[str, ...]:
        """The deliveries of one forge. Forgejo sends what Gitea does."""
        return self.events.get(Vendor.GITEA if vendor is Vendor.FORGEJO else vendor, ())


_GITEA, _GITHUB, _GITLAB = Vendor.GITEA, Vendor.GITHUB, Vendor.GITLAB
_EVERYTHING = "the act, which has every open change evaluated again"

ROWS = (
    Row(
        Input.HEAD,
        (kinds.REVISION.name, kinds.COMMITS.name, kinds.FILES.name, kinds.PUSHES.name, kinds.APPROVED_HEADS.name),
        Fallback.POLLING,
        {_GITHUB: ("pull_request",), _GITLAB: ("merge_request",), _GITEA: ("pull_request_sync",)},
    ),
    Row(
        Input.TARGET,
        (kinds.REVISION.name, kinds.APPROVALS.name),
        Fallback.POLLING,
        {_GITHUB: ("pull_request",), _GITLAB: ("merge_request",), _GITEA: ("pull_request",)},
    ),
    Row(
        Input.BASE,
        (kinds.REVISION.name,),
        Fallback.POLLING,
        {_GITHUB: ("push",), _GITLAB: ("push",), _GITEA: ("push",)},
    ),
    Row(
        Input.REVIEWS,
        (kinds.APPROVALS.name, kinds.APPROVED_HEADS.name),
        Fallback.PROBE,
        {_GITHUB: ("pull_request_review",), _GITLAB: ("merge_request", "note"), _GITEA: ("pull_request_review",)},
    ),
    Row(
        Input.WRITE_ACCESS,
        (kinds.APPROVALS.name,),
        Fallback.PROBE,
        {_GITHUB: ("member", "membership", "organization", "team", "team_add"), _GITLAB: ("user_remove_from_team",)},
    ),
    Row(
        Input.CHECKS,
        (kinds.TEST_RUNS.name,),
        Fallback.PROBE,
        {_GITHUB: ("check_run", "check_suite", "status"), _GITLAB: ("pipeline", "build"), _GITEA: ("status",)},
    ),
    Row(Input.SIGNED, (kinds.APPROVALS.name, kinds.APPROVED_HEADS.name), Fallback.POLLING),
    Row(Input.OWN_REVIEWS, (kinds.APPROVALS.name,), Fallback.ACT, by="the act on our page"),
    Row(Input.PEOPLE, (kinds.PEOPLE.name,), Fallback.ACT, by=_EVERYTHING),
    Row(Input.POLICY, (), Fallback.ACT, by=_EVERYTHING),
    Row(
        Input.CONTROLS,
        (),
        Fallback.START,
        by="the start of a worker: what another version of a control evaluated is evaluated again",
    ),
    Row(
        Input.EXCEPTIONS,
        (kinds.EXCEPTIONS.name,),
        Fallback.ACT,
        by=f"{_EVERYTHING}; its end, within a minute",
    ),
    Row(Input.FREEZES, (kinds.FREEZES.name,), Fallback.ACT, by=f"{_EVERYTHING}; its start and end, within a minute"),
    Row(
        Input.LANDED_HEADS,
        (kinds.LANDED_HEADS.name,),
        Fallback.POLLING,
        {_GITHUB: ("push",), _GITLAB: ("push",), _GITEA: ("push",)},
    ),
    Row(Input.BRANCH_RULES, (kinds.BRANCH_RULES.name,), Fallback.EXPIRY),
    Row(Input.FORGE_SETTINGS, (kinds.FORGE_SETTINGS.name,), Fallback.EXPIRY),
    Row(Input.REPOSITORY_FILES, (kinds.PIPELINE_FILES.name, kinds.HARDENING.name), Fallback.EXPIRY),
    Row(
        Input.DELIVERY_FACTS,
        (kinds.ENVIRONMENTS.name, kinds.DEADLINES.name, kinds.DEPLOYMENTS.name),
        Fallback.EXPIRY,
    ),
    Row(
        Input.VAULT_STATE,
        (kinds.VAULT_ACCESS.name, kinds.VAULT_SECRETS.name, kinds.RETRIEVALS.name),
        Fallback.EXPIRY,
    ),
    Row(
        Input.DELIVERY,
        (
            kinds.DEPLOYMENT_REQUEST.name,
            kinds.DEPLOYMENT_APPROVALS.name,
            kinds.PROVENANCE.name,
            kinds.COMMIT_DECISION.name,
        ),
        Fallback.NONE,
        by=f"at {Point.DEPLOY.value} alone",
    ),
)
_BY_INPUT = {row.input: row for row in ROWS}


def has_event(input: Input, vendor: Vendor) -> bool:
    """Whether a forge surely reports each change of an input, so that no probe has to read it."""
    return bool(_BY_INPUT[input].events_of(vendor)) and (input, vendor) not in _PARTLY


# Their events do not tell of every change: of a review that is dismissed or deleted (Gitea; GitHub's is read along with
# write access), of a role that a group or a base permission gives, or of a status that leaves its pipeline as it was.
_PARTLY = frozenset(
    {
        (Input.REVIEWS, Vendor.GITHUB),
        (Input.REVIEWS, Vendor.GITEA),
        (Input.REVIEWS, Vendor.FORGEJO),
        (Input.WRITE_ACCESS, Vendor.GITHUB),
        (Input.WRITE_ACCESS, Vendor.GITLAB),
        (Input.CHECKS, Vendor.GITLAB),
        (Input.CHECKS, Vendor.GITEA),
        (Input.CHECKS, Vendor.FORGEJO),
    }
)


def uncovered(names: Iterable[str]) -> tuple[str, ...]:
    """Those kinds of facts, by name, that no row says how to notice a change of."""
    covered = {name for row in ROWS for name in row.facts}
    return tuple(sorted(set(names) - covered))
