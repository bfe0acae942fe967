"""Describes the act of a request for its page: fields by name, and more for policies, exceptions, roles and recoveries.

Each kind has its own template, which shows what changes and the effect.
"""

from collections.abc import Mapping
from typing import NamedTuple

from django.utils.translation import gettext as _

from muniment.access.actions import AccessRule, Action, Reach
from muniment.access.authorization import Actor
from muniment.access.roles import EVERYWHERE, Grant, Role
from muniment.errors import MunimentError
from muniment.server import moments
from muniment.server.acts.act import Act
from muniment.server.acts.parser import find_inputs
from muniment.server.people.models import Person
from muniment.server.people.person_acts import InvitePerson
from muniment.server.people.recovery import SUSPENDED
from muniment.server.people.role_acts import GrantRole
from muniment.server.policies.exception_acts import RequestException
from muniment.server.policies.models import PolicyException, PolicyVersion
from muniment.server.policies.policy_in_force import current_policy
from muniment.server.policies.version_acts import ApplyPolicy
from muniment.server.policies.version_effect import read_version_effect
from muniment.server.products.models import Repository
from muniment.server.requests.exception_effect import read_clause_history, read_excepted_commit
from muniment.server.requests.execution import make_context
from muniment.server.requests.models import Request
from muniment.server.requests.registry import decode_stored_act

_HEADS = "refs/heads/"
_EVERYBODY = frozenset(Role)


class ShownField(NamedTuple):
    """Field of an act as a page shows it."""

    label: str
    text: str


class RequestDetails(NamedTuple):
    """Part of a request's page that its act decides: the heading, the template, and what that shows."""

    title: str
    template: str
    context: Mapping[str, object]


class ShownPermission(NamedTuple):
    """Row of the access table for a person: whether they have it now, and whether by the role."""

    text: str
    now: bool
    then: bool
    second: bool  # approve the requests of others


def describe_request(row: Request, actor: Actor) -> RequestDetails:
    """Describe the act of a request that waits. One that is over has only its summary: the act is erased."""
    if row.state != Request.State.WAITING:
        return RequestDetails(_make_title(row.summary), "requests/ended_act.html", {})
    try:
        act = decode_stored_act(row.act, row.digest)
        return _describe_act(act, row, actor)
    except MunimentError as error:  # its resource is gone, or it is not what was requested: it can be rejected only
        return RequestDetails(_make_title(row.summary), "requests/unreadable_act.html", {"problem": error})


def _describe_act(act: Act, row: Request, actor: Actor) -> RequestDetails:
    match act:
        case ApplyPolicy():
            return _describe_policy(act, actor)
        case RequestException():
            return _describe_exception(act, row)
        case GrantRole():
            return _describe_role(act)
        case InvitePerson():
            return _describe_recovery(act)
        case _:
            return _describe_fields(act, row)


def list_fields(act: Act) -> tuple[ShownField, ...]:
    """List the fields of an act that are filled in, by their labels."""
    found = (
        ShownField(str(field.label), field.format_for_reader(getattr(act, name)))
        for name, field in find_inputs(type(act)).items()
    )
    return tuple(one for one in found if one.text)


def _make_title(summary: str) -> str:
    return summary[:1].upper() + summary[1:]


def _describe_fields(act: Act, row: Request) -> RequestDetails:
    context = {"fields": list_fields(act), "lines": act.shown_details()}
    return RequestDetails(_make_title(row.summary), "requests/fields.html", context)


def _describe_policy(act: ApplyPolicy, actor: Actor) -> RequestDetails:
    version = PolicyVersion.objects.get(pk=act.version)
    title = _("Put policy version %(number)d in force") % {"number": version.pk}
    context = {"version": version, "effect": read_version_effect(version, actor)}
    return RequestDetails(title, "requests/policy.html", context)


def _describe_exception(act: RequestException, row: Request) -> RequestDetails:
    policy = current_policy()
    clause = next((one for one in policy.clauses if one.id == act.clause), None) if policy is not None else None
    repository = Repository.objects.select_related("product").get(pk=act.repository)
    terms = act.make_terms(make_context(row))
    earlier = PolicyException.objects.filter(repository=repository, clause=act.clause).order_by("-pk")
    context = {
        "clause": clause,
        "clause_name": clause.name if clause is not None else act.clause,
        "repository": repository,
        "branch": act.branch.removeprefix(_HEADS),
        "head": act.head,
        "commit": read_excepted_commit(repository, act.head, act.clause) if act.head else None,
        "history": read_clause_history(repository, act.branch, act.clause),
        "days": act.days,
        "expires": moments.parse_moment(terms.expires),
        "earlier": earlier.select_related("requester", "approver")[:5],
    }
    names = {"clause": context["clause_name"], "product": repository.product.name}
    return RequestDetails(_("Exception: %(clause)s, %(product)s") % names, "requests/exception.html", context)


def _describe_role(act: GrantRole) -> RequestDetails:
    person = Person.objects.get(pk=act.person)
    permissions = _compare_permissions(person.load_roles(), Grant(act.role, act.product))
    context = {
        "person": person,
        "fields": list_fields(act),
        "gained": [one for one in permissions if one.then and not one.now],
        "held": [one for one in permissions if one.now],
        "still_no": sum(not one.then and not one.now for one in permissions),
        "permissions": len(permissions),
    }
    names = {"role": _(act.role.label), "person": person.name}
    return RequestDetails(_("Role for %(person)s: %(role)s") % names, "requests/role.html", context)


def _describe_recovery(act: InvitePerson) -> RequestDetails:
    person = Person.objects.get(pk=act.person)
    context = {
        "person": person,
        "grants": person.role_grants.filter(ended_at=None).select_related("product"),
        "suspended_hours": int(SUSPENDED.total_seconds() // 3600),
    }
    return RequestDetails(
        _("Account recovery for %(person)s") % {"person": person.name}, "requests/recovery.html", context
    )


def _compare_permissions(held: tuple[Grant, ...], new: Grant) -> list[ShownPermission]:
    """Rows of the access table that not everybody has, for a person with the grants `held` who gets another."""
    found: list[ShownPermission] = []
    for action in Action:
        rule = action.rule
        if rule.reach not in (Reach.OWN, Reach.PIPELINE) and rule.roles != _EVERYBODY:
            found.append(_compare_rule(rule, rule.roles, held, new, second=False))
        if rule.second:
            found.append(_compare_rule(rule, rule.second, held, new, second=True))
    return found


def _compare_rule(
    rule: AccessRule, roles: frozenset[Role], held: tuple[Grant, ...], new: Grant, *, second: bool
) -> ShownPermission:
    now = any(_is_granted(rule, roles, grant, new.product) for grant in held)
    return ShownPermission(rule.text, now, _is_granted(rule, roles, new, new.product), second)


def _is_granted(rule: AccessRule, roles: frozenset[Role], grant: Grant, product: str) -> bool:
    """Whether a grant gives a permission for a product, or for the organisation."""
    if grant.role not in roles:
        return False
    if grant.product == EVERYWHERE or rule.reach is Reach.ANYWHERE:
        return True
    return rule.reach is Reach.PRODUCT and grant.product == product
