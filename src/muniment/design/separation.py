"""Privilege separation: few can change each resource, and no holder can do two actions that are kept apart."""

from collections.abc import Iterator

from muniment.design.findings import DesignFinding, Evidence, FindingCode, Principle, PrincipleResult, combine_findings
from muniment.design.model import DesignModel
from muniment.design.privileges import HeldPrivileges, Holding, can_change


def check_separation(model: DesignModel) -> PrincipleResult:
    """Count who can change each resource and protected property, and close conflict sets over all rights."""
    privileges = HeldPrivileges(model)
    holdings = {holder: privileges.find_holdings(holder) for holder in privileges.holders}
    findings = [] if model.resources else [DesignFinding(FindingCode.NO_RESOURCE, model.product)]
    if not model.grants:  # nobody is known to hold a right, which does not mean that nobody does
        findings.append(DesignFinding(FindingCode.NO_GRANTS, model.product))
    findings += [
        *_check_limits(model, privileges, holdings),
        *_check_conflicts(model, holdings),
        *_check_second_persons(model, privileges),
    ]
    examined = len(model.resources)
    return combine_findings(Principle.PRIVILEGE_SEPARATION, (Evidence.MODEL,), tuple(findings), examined=examined)


def find_changers(
    privileges: HeldPrivileges, holdings: dict[str, dict[str, Holding]], resource: str, protected: str
) -> dict[str, Holding]:
    """Roles and actors that can change a resource or its protected property, each with the first right that it has."""
    changers: dict[str, Holding] = {}
    for holder, held in holdings.items():
        for name, holding in held.items():
            if can_change(privileges.actions[name], resource, protected):
                changers.setdefault(holder, holding)
    return changers


def _check_limits(
    model: DesignModel, privileges: HeldPrivileges, holdings: dict[str, dict[str, Holding]]
) -> Iterator[DesignFinding]:
    limits = {(limit.resource, limit.protected): limit.most for limit in model.limits}
    sign_up = {role.id for role in model.roles if role.sign_up}
    for resource in model.resources:
        for protected in ("", *resource.properties):
            name = f"{resource.id}.{protected}" if protected else resource.id
            changers = find_changers(privileges, holdings, resource.id, protected)
            most = limits.get((resource.id, protected))
            if most is None:
                if changers:
                    yield DesignFinding(FindingCode.NO_LIMIT, name)
                continue
            if len(changers) > most:
                detail = f"{len(changers)} roles and accounts ({', '.join(sorted(changers))}; limit {most})"
                yield DesignFinding(FindingCode.TOO_MANY_HOLDERS, name, detail)
            for holder in sorted(sign_up & set(changers)):
                holding = changers[holder]
                yield DesignFinding(FindingCode.SIGN_UP_HOLDER, name, holder, (*holding.chain, holding.action, name))


def _check_conflicts(model: DesignModel, holdings: dict[str, dict[str, Holding]]) -> Iterator[DesignFinding]:
    for conflict in model.conflicts:
        for holder, held in holdings.items():
            both = [held[action] for action in dict.fromkeys(conflict.actions) if action in held]
            if len(both) > 1:
                path = tuple(" -> ".join((*holding.chain, holding.action)) for holding in both)
                names = " and ".join(holding.action for holding in both)
                yield DesignFinding(FindingCode.CONFLICT, holder, f"{names} ({conflict.id})", path)


def _check_second_persons(model: DesignModel, privileges: HeldPrivileges) -> Iterator[DesignFinding]:
    """Holders that can ask as one identity and approve as another: two signatures of one person."""
    for holder in privileges.holders:
        identities = privileges.find_identities(holder)
        if len(identities) == 1:
            continue
        own = {identity: privileges.find_chains(identity, acting=False) for identity in identities}
        for rule in model.second_persons:
            asking = [
                identity
                for identity, chains in own.items()
                if any(rule.action in privileges.granted[source] for source in chains)
            ]
            approving = [identity for identity, chains in own.items() if any(role in chains for role in rule.by)]
            pair = next(((ask, approve) for ask in asking for approve in approving if ask != approve), None)
            if pair is not None:
                path = tuple(" -> ".join(identities[identity]) for identity in pair)
                yield DesignFinding(FindingCode.SELF_APPROVAL, holder, rule.action, path)
