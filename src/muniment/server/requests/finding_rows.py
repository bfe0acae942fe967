"""Whether a signed act permits a row about findings, leaked secrets, other tools or requirements."""

from collections.abc import Mapping
from typing import Any

from muniment.access.actions import Action
from muniment.facts import canonical
from muniment.server import moments
from muniment.server.acts.act import ActContext
from muniment.server.findings.decision_acts import FindingDecisionAct
from muniment.server.findings.report_acts import DeclareCoverage
from muniment.server.findings.secret_acts import ConfirmRevocation
from muniment.server.products.act_fields import find_product
from muniment.server.requests.signed_acts import CARRIED_OUT, SignedAct
from muniment.server.requirements.list_acts import ImportRequirementList
from muniment.server.requirements.statement_acts import RequirementAct

_Fields = Mapping[str, Any]  # columns of any table


def permits_decision(signed: SignedAct, key: str, fields: _Fields) -> bool:
    """Whether the act decides on this finding so, and until then."""
    act, request = signed.act, signed.verification.request
    if not isinstance(act, FindingDecisionAct):
        return False
    context = ActContext(request.requester.pk, moments.format_moment(request.requested_at))
    end, latest = fields["ends_at"], act.find_end(context)
    in_time = end == latest if end is None or latest is None else end <= latest + CARRIED_OUT
    signed_fields = (act.finding, act.kind.value, act.find_owner())
    found = (fields["finding"], fields["kind"], fields["owner"])
    return in_time and signed_fields == found and signed.is_signed_before(fields["decided_at"])


def find_secret_action(fields: _Fields) -> Action | None:
    """Action that a leaked secret needs which counts as revoked."""
    return Action.CONFIRM_REVOCATION if fields["revoked_at"] is not None else None


def permits_revocation(signed: SignedAct, key: str, fields: _Fields) -> bool:
    """Whether the act confirms that this secret is revoked."""
    act = signed.act
    named = isinstance(act, ConfirmRevocation) and str(act.leak) == key
    return named and signed.is_signed_before(fields["revoked_at"])


def permits_coverage(signed: SignedAct, key: str, fields: _Fields) -> bool:
    """Whether the act declares that this tool scans these files, with this canary."""
    act = signed.act
    if not isinstance(act, DeclareCoverage):
        return False
    signed_fields = (act.repository, act.tool, [*act.paths], [*act.languages], act.canary_rule, act.canary_path)
    columns = ("repository", "tool", "paths", "languages", "canary_rule", "canary_path")
    found = tuple(fields[name] for name in columns)
    return signed_fields == found and signed.is_signed_before(fields["made_at"])


def permits_statement(signed: SignedAct, key: str, fields: _Fields) -> bool:
    """Whether the act states this about the requirement of the product."""
    act = signed.act
    if not isinstance(act, RequirementAct):
        return False
    product = find_product(act.product)
    signed_fields = (
        product.pk if product is not None else None,
        act.requirement,
        act.kind.value,
        act.find_test(),
        act.find_last_day(),
    )
    found = tuple(fields[name] for name in ("product", "requirement", "kind", "test", "until"))
    return signed_fields == found and signed.is_signed_before(fields["made_at"])


def permits_official_list(signed: SignedAct, key: str, fields: _Fields) -> bool:
    """Whether the act imports the list with this content."""
    act = signed.act
    if not isinstance(act, ImportRequirementList):
        return False
    signed_fields = (act.read_list().full_title, canonical.digest_bytes(act.content.encode()))
    return signed_fields == (fields["title"], fields["digest"]) and signed.is_signed_before(fields["imported_at"])
