"""Finds rows that need signatures of two persons and lack them: the policy demanded these when an act wrote the
row.

The web writes the rows and the records of acts of persons. With its credentials an attacker can write both, so that
they agree, but cannot make the signatures of two persons. The act that a row needs follows from the row, not from
the act that its record names; and a signed act counts once, for the rows that it names.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any, NamedTuple

from django.db import connection, models

from muniment.access.actions import Action
from muniment.access.roles import Role
from muniment.decision.bound_policies import read_policy_in_force
from muniment.decision.comparison import Direction, compare_policies
from muniment.errors import LedgerError, MunimentError, NotCanonicalError, PolicyError
from muniment.facts import canonical
from muniment.ledger import record_kinds
from muniment.policy.exception_files import SignedException as StoredException
from muniment.server import moments
from muniment.server.acts.act import ActContext
from muniment.server.deployments.break_glass_acts import BreakGlass
from muniment.server.deployments.builder_acts import TrustBuilder
from muniment.server.deployments.models import BreakGlassPermission, PipelineIdentity, TrustedBuilder
from muniment.server.deployments.pipeline_acts import TrustPipeline
from muniment.server.findings.models import FindingDecision, LeakedSecret, ToolCoverage
from muniment.server.guarding.database_roles import WORKER
from muniment.server.people.account_acts import ConfirmAccounts
from muniment.server.people.authenticator_acts import EnrolAuthenticator
from muniment.server.people.authenticators import parse_stored
from muniment.server.people.machine_acts import DeclareMachine
from muniment.server.people.models import Account, EnrolledAuthenticator, Machine, Person, RoleGrant
from muniment.server.people.personal_data_acts import ErasePersonalData
from muniment.server.people.role_acts import GrantRole, is_changing_role
from muniment.server.people.role_import_acts import GrantRoles
from muniment.server.people.test_runner_acts import TrustTestRunner
from muniment.server.policies.exception_acts import RequestException
from muniment.server.policies.models import MonitoringPeriod, PolicyVersion
from muniment.server.policies.monitoring_acts import StartMonitoring
from muniment.server.policies.version_acts import ApplyPolicy
from muniment.server.products.act_fields import find_product
from muniment.server.records import row_checks
from muniment.server.records.demanded_proofs import is_proof_in_list
from muniment.server.records.models import Document, ExceptionFile, RowState
from muniment.server.records.postgres_store import POLICY
from muniment.server.records.record_writing import action_code
from muniment.server.records.recorded_rows import Values, list_recorded_columns
from muniment.server.requests import finding_rows, weaker_rows
from muniment.server.requests.models import ProvenRow
from muniment.server.requests.signed_acts import (
    CARRIED_OUT,
    SignedAct,
    find_signed_act,
    is_without_person,
)
from muniment.server.requirements.models import OfficialRequirementList, RequirementStatement

_EVERY_ACT = tuple(map(action_code, Action))
_APPLYING = ("apply-policy", "weaken-policy")

COMPARED = frozenset(  # the actions whose rows are compared here, in `weaker_rows.py` and in `lifted_freezes.py`
    {
        *(Action.WEAKEN_POLICY, Action.GRANT_CHANGING_ROLE, Action.REQUEST_EXCEPTION, Action.START_MONITORING),
        *(Action.BREAK_GLASS_DEPLOYMENT, Action.TRUST_BUILDER, Action.ERASE_PERSONAL_DATA, Action.ENROL_AUTHENTICATOR),
        *(Action.CHANGE_ENVIRONMENT, Action.CONFIRM_ACCOUNT, Action.TRUST_TEST_RUNNER, Action.DECLARE_MACHINE),
        *(Action.REMOVE_SENSITIVE_PATHS, Action.RETIRE_PRODUCT, Action.LIFT_FREEZE),
        *(Action.DECIDE_FINDING, Action.CONFIRM_REVOCATION, Action.DECLARE_COVERAGE),
        *(Action.STATE_REQUIREMENT, Action.IMPORT_REQUIREMENTS),
    }
)
ProvenFields = Mapping[str, Any]  # columns of any table


class _SignatureRule(NamedTuple):
    """Rule of one table: the action that a row needs (None for none), and whether a signed act permits this row."""

    action_of: Callable[[ProvenFields], Action | None]
    says: Callable[[SignedAct, str, ProvenFields], bool]


def find_unproven_rows(model: type[models.Model], rows: Mapping[str, tuple[int, Values]]) -> frozenset[str]:
    """Keys of the rows that lack signatures. `rows`: for each key the id of the record that made the row what it
    is, and its recorded columns.
    """
    if model in weaker_rows.TABLES:
        return _find_weakened_rows(model, rows)
    if model not in _RULES and model not in (PolicyVersion, Document):
        return frozenset()
    history = read_policy_history()
    if not any(one.acts for one in history):
        return frozenset()
    if model is PolicyVersion:
        unproven = {one.version for one in history if not one.accepted}
        known = {one.version for one in history}
        in_force = {key for key, (_, values) in rows.items() if _name_columns(model, values)["in_force"]}
        return frozenset(key for key in in_force if int(key) in unproven or int(key) not in known)
    if model is Document:
        return _find_unproven_policy(rows, history)
    return _find_unsigned_rows(model, rows, history)


def _find_weakened_rows(model: type[models.Model], rows: Mapping[str, tuple[int, Values]]) -> frozenset[str]:
    """Keys of rows that are weaker than the state that the worker accepted before, without signatures."""
    history = read_policy_history()
    found = {key: (record, _name_columns(model, values)) for key, (record, values) in rows.items()}
    return weaker_rows.find_weaker_rows(
        model, found, lambda record, action: is_proof_in_list(_find_demands_at(history, record), action)
    )


class AppliedPolicy(NamedTuple):
    """A version of the policy that an act put in force. `record` is the id of that act's record, `text` None where the
    row is not what its record says, `acts` are those for which the policy demands signatures. `accepted` is False where
    signatures were needed and are missing.
    """

    record: int
    version: int
    text: str | None
    acts: tuple[str, ...]
    accepted: bool


def read_policy_history() -> list[AppliedPolicy]:
    """Every version of the policy that was put in force, in the order of the records."""
    agreed = row_checks.read_matching_rows(PolicyVersion)
    texts = {int(key): str(_name_columns(PolicyVersion, values)["text"]) for key, values in agreed.items()}
    states = RowState.objects.filter(table=PolicyVersion._meta.db_table).order_by("record_id")
    found: dict[int, int] = {}
    for key, record, data in states.values_list("key", "record_id", "record__data"):
        if int(key) not in found and _read_record_action(bytes(data), record) in _APPLYING:
            found[int(key)] = record
    history: list[AppliedPolicy] = []
    for version, record in sorted(found.items(), key=lambda one: one[1]):
        history.append(_accept_version(history, version, record, texts.get(version)))
    return history


def _accept_version(history: list[AppliedPolicy], version: int, record: int, text: str | None) -> AppliedPolicy:
    """State of a version after those before it: accepted, unless it is weaker and its signatures are missing."""
    before = next((one for one in reversed(history) if one.accepted), None)
    accepted = True
    if (
        before is not None
        and is_proof_in_list(before.acts, Action.WEAKEN_POLICY)
        and _is_weaker_text(before.text, text)
    ):
        key, fields = str(version), {"text": text}
        accepted = is_without_person(record) or _is_proven(PolicyVersion, key, record, fields, _permits_policy)
    return AppliedPolicy(record, version, text, _find_demanded_acts(text), accepted)


def _is_weaker_text(old: str | None, new: str | None) -> bool:
    """Whether a policy is weaker anywhere; what cannot be read or compared counts as weaker."""
    if old is None or new is None:
        return True
    try:
        found = compare_policies(read_policy_in_force(old, POLICY), read_policy_in_force(new, POLICY))
    except PolicyError:
        return True
    return any(one.direction is Direction.WEAKER for one in found)


def _find_demanded_acts(text: str | None) -> tuple[str, ...]:
    """The acts for which a policy demands signatures; all where it cannot be read."""
    try:
        if text is None:
            return _EVERY_ACT
        return read_policy_in_force(text, POLICY).policy.confirmation.proof
    except PolicyError:
        return _EVERY_ACT


def _find_demands_at(history: Iterable[AppliedPolicy], record: int) -> tuple[str, ...]:
    """The acts for which signatures were demanded when a record was written."""
    before = [one.acts for one in history if one.accepted and one.record < record]
    return before[-1] if before else ()


def is_demanded_at(record: int, action: Action) -> bool:
    """Whether the policy demanded signatures for an action when a record was written."""
    return is_proof_in_list(_find_demands_at(read_policy_history(), record), action)


def _find_unproven_policy(rows: Mapping[str, tuple[int, Values]], history: list[AppliedPolicy]) -> frozenset[str]:
    """Keys of policy documents, unless a version put in force by the same record, and accepted, has the same text."""
    if POLICY not in rows:
        return frozenset()
    record, values = rows[POLICY]
    text = bytes(_name_columns(Document, values)["data"]).decode("utf-8", "replace")
    agrees = any(one.accepted and (one.record, one.text) == (record, text) for one in history)
    return frozenset() if agrees else frozenset({POLICY})


def _find_unsigned_rows(
    model: type[models.Model], rows: Mapping[str, tuple[int, Values]], history: list[AppliedPolicy]
) -> frozenset[str]:
    rule = _RULES[model]
    unproven: set[str] = set()
    began = _find_first_records(model, rows)
    for key, (newest, values) in rows.items():
        fields = _name_columns(model, values)
        record = newest
        if key in began:
            record, fields = began[key], {**fields, "ended_at": None}
        action = rule.action_of(fields)
        if (
            action is None
            or not is_proof_in_list(_find_demands_at(history, record), action)
            or is_without_person(record)
        ):
            continue
        if not _is_proven(model, key, record, fields, rule.says):
            unproven.add(key)
    return frozenset(unproven)


def _find_first_records(model: type[models.Model], rows: Mapping[str, tuple[int, Values]]) -> dict[str, int]:
    """Records that made rows which ended and count for their past: one person may end them, not make them so."""
    if model not in _COUNT_FOR_PAST:
        return {}
    ended = [key for key, (_, values) in rows.items() if _name_columns(model, values)["ended_at"] is not None]
    states = RowState.objects.filter(table=model._meta.db_table, key__in=ended).values("key")
    return dict(states.annotate(first=models.Min("record_id")).values_list("key", "first"))


def _is_proven(
    model: type[models.Model],
    key: str,
    record: int,
    fields: ProvenFields,
    says: Callable[[SignedAct, str, ProvenFields], bool],
) -> bool:
    """Whether two persons signed the act that the record carried out, and that act says this row."""
    table = model._meta.db_table
    if ProvenRow.objects.filter(record=record, table=table, key=key).exists():
        return True
    signed = find_signed_act(record)
    try:
        proven = signed is not None and says(signed, key, fields)
    except (MunimentError, NotCanonicalError):  # of a resource that is gone: it cannot be compared
        return False
    if proven and connection.settings_dict["USER"] == WORKER:
        ProvenRow.objects.get_or_create(record_id=record, table=table, key=key)
    return proven


def _read_record_action(data: bytes, record: int) -> str:
    """The action that a record names, "" for a record of something else."""
    try:
        return str(getattr(record_kinds.decode_record(data, record), "action", ""))
    except LedgerError:
        return ""


def _name_columns(model: type[models.Model], values: Values) -> ProvenFields:
    return dict(zip(list_recorded_columns(model), values, strict=True))


def _require_always(action: Action) -> Callable[[ProvenFields], Action | None]:
    return lambda _fields_of_row: action


def _require_while_open(action: Action, column: str = "ended_at") -> Callable[[ProvenFields], Action | None]:
    """An action that a row needs until it is ended, which one person may do."""
    return lambda fields: action if fields[column] is None else None


def _find_grant_action(fields: ProvenFields) -> Action | None:
    changing = is_changing_role(Role(fields["role"])) and fields["ended_at"] is None
    return Action.GRANT_CHANGING_ROLE if changing else None


def _permits_grant(signed: SignedAct, key: str, fields: ProvenFields) -> bool:
    act = signed.act
    grants = tuple(act.list_grants()) if isinstance(act, GrantRoles) else (act,)
    is_listed = any(isinstance(one, GrantRole) and _is_grant(one, fields) for one in grants)
    return is_listed and signed.is_signed_before(fields["granted_at"])


def _is_grant(act: GrantRole, fields: ProvenFields) -> bool:
    product = find_product(act.product)
    signed_fields = (act.person, act.role.value, product.pk if product is not None else None, act.until)
    return signed_fields == (fields["person"], fields["role"], fields["product"], fields["last_day"])


def _permits_exception(signed: SignedAct, key: str, fields: ProvenFields) -> bool:
    act, request = signed.act, signed.verification.request
    if not isinstance(act, RequestException):
        return False
    context = ActContext(request.requester.pk, moments.format_moment(request.requested_at))
    stored = canonical.decode(bytes(fields["data"]), StoredException)
    return stored.exception == act.make_terms(context)


def _permits_monitoring(signed: SignedAct, key: str, fields: ProvenFields) -> bool:
    act = signed.act
    if not isinstance(act, StartMonitoring):
        return False
    product = find_product(act.product)
    signed_fields = (product.pk if product is not None else None, act.clause, act.until)
    found = (fields["product"], fields["clause"], fields["last_day"])
    return signed_fields == found and signed.is_signed_before(fields["started_at"])


def _permits_break_glass(signed: SignedAct, key: str, fields: ProvenFields) -> bool:
    act, proof = signed.act, signed.verification.approval_proof
    if not isinstance(act, BreakGlass) or proof is None:
        return False
    latest = proof.made_at + timedelta(minutes=act.minutes) + CARRIED_OUT
    signed_fields = (
        act.find_environment_row().pk,
        act.artifact,
        signed.verification.request.requester.pk,
        proof.signer_id,
    )
    found = (fields["environment"], fields["artifact"], fields["requester"], fields["approver"])
    return signed_fields == found and bool(fields["expires_at"] <= latest)


def _permits_builder(signed: SignedAct, key: str, fields: ProvenFields) -> bool:
    act = signed.act
    return isinstance(act, TrustBuilder) and (act.builder_id, act.public_key) == (
        fields["builder_id"],
        fields["public_key"],
    )


def _find_person_action(fields: ProvenFields) -> Action | None:
    return Action.ERASE_PERSONAL_DATA if fields["erasure_approved_at"] is not None else None


def _permits_erasure(signed: SignedAct, key: str, fields: ProvenFields) -> bool:
    return isinstance(signed.act, ErasePersonalData) and signed.act.person == key


def _permits_enrolment(signed: SignedAct, key: str, fields: ProvenFields) -> bool:
    act = signed.act
    if not isinstance(act, EnrolAuthenticator):
        return False
    stored = parse_stored(act.authenticator)
    signed_fields = (act.person, stored.kind.value, stored.identifier, stored.public_key)
    return signed_fields == (fields["person"], fields["kind"], fields["identifier"], fields["public_key"])


def _permits_policy(signed: SignedAct, key: str, fields: ProvenFields) -> bool:
    act = signed.act
    if not isinstance(act, ApplyPolicy):
        return False
    return (
        fields["text"] is not None
        and str(act.version) == key
        and read_policy_in_force(fields["text"], POLICY).policy.digest == act.policy
    )


def _permits_pipeline(signed: SignedAct, key: str, fields: ProvenFields) -> bool:
    act = signed.act
    if not isinstance(act, TrustPipeline):
        return False
    signed_fields = {**act.recorded_values(), "environment": act.find_environment_row().pk, "ended_at": None}
    return signed_fields == dict(fields)


def _find_account_action(fields: ProvenFields) -> Action | None:
    """Action that an account of a machine needs, and one that a second person confirmed."""
    if fields["machine"] is not None:
        return Action.TRUST_TEST_RUNNER if fields["kind"] == Account.Kind.KEY else Action.DECLARE_MACHINE
    vouched = fields["verification"] == Account.Verification.VOUCHED
    return Action.CONFIRM_ACCOUNT if vouched and fields["confirmed_at"] is not None else None


def _permits_account(signed: SignedAct, key: str, fields: ProvenFields) -> bool:
    act = signed.act
    if isinstance(act, ConfirmAccounts):
        named = fields["machine"] is None and key in act.accounts.split() and signed.still_shows_same()
        return named and signed.is_signed_before(fields["confirmed_at"])
    machine = Machine.objects.filter(pk=fields["machine"]).first()
    if machine is None or not signed.is_signed_before(fields["linked_at"]):
        return False
    if isinstance(act, TrustTestRunner):
        return (act.id, Account.Kind.KEY, act.key) == (machine.slug, fields["kind"], fields["value"])
    if isinstance(act, DeclareMachine):
        signed_fields = (act.id, act.acts_on_request, act.kind, act.value)
        return signed_fields == (machine.slug, machine.acts_on_request, fields["kind"], fields["value"])
    return False


_COUNT_FOR_PAST = (RoleGrant, MonitoringPeriod)  # decisions of an earlier moment are made again with those of then
_RULES: dict[type[models.Model], _SignatureRule] = {
    RoleGrant: _SignatureRule(_find_grant_action, _permits_grant),
    ExceptionFile: _SignatureRule(_require_always(Action.REQUEST_EXCEPTION), _permits_exception),
    MonitoringPeriod: _SignatureRule(_require_while_open(Action.START_MONITORING), _permits_monitoring),
    BreakGlassPermission: _SignatureRule(_require_always(Action.BREAK_GLASS_DEPLOYMENT), _permits_break_glass),
    TrustedBuilder: _SignatureRule(_require_while_open(Action.TRUST_BUILDER), _permits_builder),
    Person: _SignatureRule(_find_person_action, _permits_erasure),
    PipelineIdentity: _SignatureRule(_require_while_open(Action.CHANGE_ENVIRONMENT), _permits_pipeline),
    Account: _SignatureRule(_find_account_action, _permits_account),
    FindingDecision: _SignatureRule(_require_while_open(Action.DECIDE_FINDING), finding_rows.permits_decision),
    LeakedSecret: _SignatureRule(finding_rows.find_secret_action, finding_rows.permits_revocation),
    ToolCoverage: _SignatureRule(_require_while_open(Action.DECLARE_COVERAGE), finding_rows.permits_coverage),
    RequirementStatement: _SignatureRule(_require_while_open(Action.STATE_REQUIREMENT), finding_rows.permits_statement),
    OfficialRequirementList: _SignatureRule(
        _require_while_open(Action.IMPORT_REQUIREMENTS), finding_rows.permits_official_list
    ),
    EnrolledAuthenticator: _SignatureRule(
        _require_while_open(Action.ENROL_AUTHENTICATOR, "removed_at"), _permits_enrolment
    ),
}
