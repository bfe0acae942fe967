"""Rules that are new or changed in this installation: for 14 days their findings are shown, and block nothing."""

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache

import msgspec
from django.utils import timezone
from msgspec import structs

from muniment.controls.no_new_findings import CONTROL, Parameters
from muniment.facts.finding_facts import MonitoredRule
from muniment.policy.clause_editing import replace_clause
from muniment.policy.document import parse_policy
from muniment.scanners.own_rules import load_own_rules
from muniment.scanners.rule_texts import RuleText
from muniment.scanners.rules import ScanRule
from muniment.server import moments
from muniment.server.findings.models import KnownRule
from muniment.server.policies.models import PolicyVersion
from muniment.server.records.postgres_store import POLICY

NEW_RULE_MONITORING = timedelta(days=14)


@cache
def digest_rules() -> Mapping[str, str]:
    """Compute the digest of what each of our rules finds, and how severe it is. Its texts may change freely."""
    return {name: _digest_rule(rule) for name, rule in load_own_rules().items()}


def _digest_rule(rule: RuleText) -> str:
    parts: list[object] = [rule.cwe, rule.severity.value]
    if isinstance(rule, ScanRule):
        parts += [rule.sink, rule.pattern, rule.special]
    return hashlib.sha256(msgspec.json.encode(parts, order="deterministic")).hexdigest()


def note_rules() -> None:
    """Note the rules of this version. One that is new or changed since an older version begins its monitoring.

    Those of the first version are known from its first day: nobody worked without them.
    """
    now, digests = timezone.now(), digest_rules()
    known = dict(KnownRule.objects.values_list("rule", "digest"))
    until = now + NEW_RULE_MONITORING if known else None
    new = [
        KnownRule(rule=rule, digest=digest, first_known_at=now, monitored_until=until)
        for rule, digest in digests.items()
        if rule not in known
    ]
    KnownRule.objects.bulk_create(new, ignore_conflicts=True)
    for rule, digest in known.items():
        if digest and digests.get(rule, digest) != digest:
            changed = {"digest": digests[rule], "changed_at": now, "monitored_until": now + NEW_RULE_MONITORING}
            KnownRule.objects.filter(rule=rule, digest=digest).update(**changed)


def read_monitoring_ends(rules: set[str], now: datetime) -> dict[str, datetime | None]:
    """Read until when each rule is monitored. A rule of another engine is known once it reports something."""
    until = now + NEW_RULE_MONITORING if KnownRule.objects.filter(digest="").exists() else None
    known = dict(KnownRule.objects.filter(rule__in=rules).values_list("rule", "monitored_until"))
    new = sorted(rules - known.keys())
    KnownRule.objects.bulk_create(
        (KnownRule(rule=rule, first_known_at=now, monitored_until=until) for rule in new), ignore_conflicts=True
    )
    return known | dict.fromkeys(new, until)


def draft_monitored_policy(text: str, rule: str) -> str:
    """Text of a policy in which each clause about new findings only monitors a rule. Raises PolicyError."""
    for clause in parse_policy(text, POLICY).clauses:
        if clause.control == CONTROL.name:
            monitored = msgspec.convert(clause.parameters, Parameters).monitored_rules
            parameters = {**clause.parameters, "monitored_rules": [*dict.fromkeys((*monitored, rule))]}
            text = replace_clause(text, structs.replace(clause, parameters=parameters), POLICY)
    return text


def has_blocking_rules() -> bool:
    """Whether a clause of the policy in force lets findings block a change: else there is nothing to monitor."""
    current = PolicyVersion.objects.filter(in_force=True).first()
    clauses = parse_policy(current.text, POLICY).clauses if current is not None else ()
    return any(clause.control == CONTROL.name for clause in clauses)


def list_monitored_rules() -> tuple[MonitoredRule, ...]:
    """List the rules that are monitored now."""
    rows = KnownRule.objects.filter(monitored_until__gt=timezone.now()).order_by("rule")
    ends = rows.values_list("rule", "monitored_until")
    return tuple(MonitoredRule(rule, moments.format_moment(end)) for rule, end in ends if end is not None)
