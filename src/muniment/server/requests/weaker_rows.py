"""Finds rows that are weaker than the state that the worker accepted before, and lack the signatures that this
needs.

Of some tables a row alone does not show which act must have been done: a sensitive path that is missing, an
environment that comes earlier. So the worker stores the two-person state of each row, and compares a later state
with it.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, NamedTuple

from django.db import connection, models

from muniment.access.actions import Action
from muniment.errors import MunimentError
from muniment.server.deployments.environment_acts import ChangeEnvironment
from muniment.server.guarding.database_roles import WORKER
from muniment.server.people.models import Machine
from muniment.server.products.environment_acts import RemoveEnvironment
from muniment.server.products.models import SIGNALS, Environment, Product
from muniment.server.products.product_acts import ChangeProduct, RetireProduct
from muniment.server.records.models import RowState
from muniment.server.requests.models import AcceptedRow
from muniment.server.requests.signed_acts import SignedAct, find_signed_act, is_without_person

WeakerFields = Mapping[str, Any]  # columns of any table
ComparedFacts = dict[str, Any]  # what of a row is compared, as AcceptedRow stores it
RowFacts = Mapping[str, ComparedFacts]  # of each row, by its key


class _Loss(NamedTuple):
    """Row that is weaker: the action that this needs, and whether a signed act permits it."""

    key: str
    action: Action
    says: Callable[[SignedAct], bool]


class _ComparedTable(NamedTuple):
    """Comparison of one table: the two-person facts of a row, and what a later state of the rows has lost."""

    read_facts: Callable[[WeakerFields], ComparedFacts]
    find_losses: Callable[[RowFacts, RowFacts], Iterator[_Loss]]


def find_weaker_rows(
    model: type[models.Model],
    rows: Mapping[str, tuple[int, WeakerFields]],
    is_demanded: Callable[[int, Action], bool],
) -> frozenset[str]:
    """Keys of the rows that are weaker than before, without signatures. `rows`: for each key the id of its newest
    record and its columns. `is_demanded` says whether signatures were demanded for an action when a record was
    written.
    """
    table, name = TABLES[model], model._meta.db_table
    accepted = {row.key: row for row in AcceptedRow.objects.filter(table=name)}
    before = {key: dict(row.facts) for key, row in accepted.items()}
    now = {key: table.read_facts(fields) for key, (_, fields) in rows.items()}
    unproven: set[str] = set()
    for loss in table.find_losses(before, now):
        if loss.key not in rows or before.get(loss.key) == now[loss.key]:
            continue
        record = rows[loss.key][0]
        since = accepted[loss.key].record_id if loss.key in accepted else 0
        if is_demanded(record, loss.action) and not _is_loss_signed(name, loss, since, record):
            unproven.add(loss.key)
    if connection.settings_dict["USER"] == WORKER:
        _store_accepted(
            name, accepted, {key: (record, now[key]) for key, (record, _) in rows.items() if key not in unproven}
        )
    return frozenset(unproven)


def _is_loss_signed(table: str, loss: _Loss, since: int, record: int) -> bool:
    """Whether a signed act permits the loss that was carried out since the accepted state, up to a row's newest
    record.
    """
    if is_without_person(record):
        return True
    states = RowState.objects.filter(table=table, key=loss.key, record__gt=since, record__lte=record)
    return any(_permits_loss(loss, one) for one in states.values_list("record", flat=True))


def _permits_loss(loss: _Loss, record: int) -> bool:
    signed = find_signed_act(record)
    try:
        return signed is not None and loss.says(signed)
    except MunimentError:  # of a resource that is gone
        return False


def _store_accepted(
    table: str, accepted: Mapping[str, AcceptedRow], found: Mapping[str, tuple[int, ComparedFacts]]
) -> None:
    """Store the states that are accepted now. In order, so that two processes that do it at once wait for each
    other.
    """
    for key, (record, facts) in sorted(found.items()):
        if key not in accepted or accepted[key].record_id < record:
            values = {"record_id": record, "facts": facts}
            AcceptedRow.objects.update_or_create(table=table, key=key, defaults=values)


def _read_environment(fields: WeakerFields) -> ComparedFacts:
    return {
        "product": fields["product"],
        "name": fields["name"],
        "order": fields["order"],
        "production": fields["production"],
        "in_use": fields["ended_at"] is None,
    }


def _find_lost_order(before: RowFacts, now: RowFacts) -> Iterator[_Loss]:
    """Environments that are not production, or to which an artifact now goes without one that it needed before."""
    for key, one in now.items():
        was = before.get(key)
        if one["in_use"] and not one["production"] and (was is None or was["production"] or not was["in_use"]):
            yield _make_environment_loss(key, one)
    for later, one in now.items():
        for key in _find_earlier_environments(before, later) if one["in_use"] else ():
            if key not in now or not now[key]["in_use"] or now[key]["order"] >= one["order"]:
                yield from (_make_environment_loss(each, now[each]) for each in (key, later) if each in now)


def _find_earlier_environments(before: RowFacts, later: str) -> Collection[str]:
    """Environments that came before one, where both were in use."""
    own = before.get(later)
    if own is None or not own["in_use"]:
        return ()
    same = {key: one for key, one in before.items() if one["in_use"] and one["product"] == own["product"]}
    return [key for key, one in same.items() if one["order"] < own["order"]]


def _make_environment_loss(key: str, facts: ComparedFacts) -> _Loss:
    def permits_change(signed: SignedAct) -> bool:
        act = signed.act
        if isinstance(act, ChangeEnvironment):
            act_fields = (act.product, act.environment, act.order, act.production, True)
            names = (Product.objects.get(pk=facts["product"]).slug, facts["name"])
            return act_fields == (*names, facts["order"], facts["production"], facts["in_use"])
        if isinstance(act, RemoveEnvironment):
            return (act.product, act.environment) == (Product.objects.get(pk=facts["product"]).slug, facts["name"])
        return False

    return _Loss(key, Action.CHANGE_ENVIRONMENT, permits_change)


def _read_product(fields: WeakerFields) -> ComparedFacts:
    paths = Product(sensitive_patterns=fields["sensitive_patterns"]).sensitive_paths
    retired = fields["retired_at"] is not None
    unused = retired and all(fields[name] is False for name in SIGNALS)
    return {"id": fields["slug"], "paths": list(paths), "retired": retired, "unused": unused}


def _find_lost_paths(before: RowFacts, now: RowFacts) -> Iterator[_Loss]:
    """Products that lost sensitive paths, were retired, or lost the sign of life that they showed after that."""
    for key, one in now.items():
        was: ComparedFacts = {"paths": [], "retired": False, "unused": False} | before.get(key, {})
        if lost := set(was["paths"]) - set(one["paths"]):
            yield _Loss(key, Action.REMOVE_SENSITIVE_PATHS, _make_path_check(one["id"], lost))
        if (one["retired"], one["unused"]) > (was["retired"], was["unused"]):
            yield _Loss(key, Action.RETIRE_PRODUCT, _make_retirement_check(one["id"]))


def _make_path_check(product: str, lost: Collection[str]) -> Callable[[SignedAct], bool]:
    def permits_paths(signed: SignedAct) -> bool:
        act = signed.act
        if not isinstance(act, ChangeProduct) or act.product != product:
            return False
        return not set(lost) & set(Product(sensitive_patterns=act.sensitive).sensitive_paths)

    return permits_paths


def _make_retirement_check(product: str) -> Callable[[SignedAct], bool]:
    def permits_end(signed: SignedAct) -> bool:
        act = signed.act
        if isinstance(act, ChangeProduct):
            return act.product == product and all(value is False for value in act.signal_values().values())
        return isinstance(act, RetireProduct) and act.product == product

    return permits_end


def _read_machine(fields: WeakerFields) -> ComparedFacts:
    return {"acts_on_request": fields["acts_on_request"]}


def _find_lost_requests(before: RowFacts, now: RowFacts) -> Iterator[_Loss]:
    """Machines whose commits needed a requester, and need none now: no act does that."""
    for key, one in now.items():
        if not one["acts_on_request"] and before.get(key, one)["acts_on_request"]:
            yield _Loss(key, Action.DECLARE_MACHINE, lambda _signed: False)


TABLES: dict[type[models.Model], _ComparedTable] = {
    Environment: _ComparedTable(_read_environment, _find_lost_order),
    Product: _ComparedTable(_read_product, _find_lost_paths),
    Machine: _ComparedTable(_read_machine, _find_lost_requests),
}
