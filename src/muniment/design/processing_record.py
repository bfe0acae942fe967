"""Personal data of a design, as the record of processing needs it (GDPR, article 30)."""

from msgspec import Struct

from muniment.design.model import ComponentKind, Data, DesignModel, Verb
from muniment.design.privileges import HeldPrivileges, name_holders


class PersonalDataEntry(Struct, frozen=True):
    """Kind of personal data: why it is there, how long, where, and who gets it. Each is "" or empty where unknown."""

    name: str
    purpose: str
    keep_days: int | None
    places: tuple[str, ...]
    recipients: tuple[str, ...]


def list_personal_data(model: DesignModel) -> tuple[PersonalDataEntry, ...]:
    """Entries of all kinds of data that are personal, by name."""
    entries = [_describe_data(model, data) for data in model.data if data.personal]
    return tuple(sorted(entries, key=lambda entry: entry.name))


def _describe_data(model: DesignModel, data: Data) -> PersonalDataEntry:
    resources = {resource.id: resource for resource in model.resources}
    labels = {component.id: component.label or component.id for component in model.components}
    kinds = {component.id: component.kind for component in model.components}
    holding = {resource.id for resource in model.resources if data.id in resource.data}
    places = {resources[name].component for name in holding}
    receiving: set[str] = set()
    for flow in model.flows:
        if data.id not in flow.data:
            continue
        target = resources[flow.target].component if flow.target in resources else flow.target
        if kinds.get(target) is ComponentKind.STORE:
            places.add(target)
        elif kinds.get(target) is ComponentKind.EXTERNAL:
            receiving.add(labels[target])
        elif flow.interface:
            receiving.add(flow.interface)
    return PersonalDataEntry(
        name=data.label or data.id,
        purpose=data.purpose,
        keep_days=data.keep_days,
        places=tuple(sorted(labels[place] for place in places)),
        recipients=tuple(sorted(receiving | _find_readers(model, holding))),
    )


def _find_readers(model: DesignModel, holding: set[str]) -> set[str]:
    """Roles and actors that may read one of these resources, by their names for people."""
    reading = {action.id for action in model.actions if action.resource in holding and action.verb is Verb.READ}
    held = HeldPrivileges(model)
    names = name_holders(model)
    return {names[holder] for holder in held.holders if reading & set(held.find_holdings(holder))}
