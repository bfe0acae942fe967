"""Writes docs/reference/acts.md, the reference of acts: `python -m dev.act_reference`. A test keeps it true.

`python -m dev.generate` runs it too. It is apart, since acts take the service's settings.
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

import django

from muniment.access.roles import Role
from muniment.server.acts.act import Act
from muniment.server.acts.parser import find_typed_inputs, make_defaults
from muniment.server.acts.system_actors import SystemActor

DOCUMENT = Path(__file__).parent.parent / "docs" / "reference" / "acts.md"
_SETTINGS = "dev.django_settings"
_HEAD = """# Acts

Generated from the code by `python -m dev.act_reference`; a test keeps it true.
[Add an act](../guides/add-an-act.md) is the recipe.

Each is what one person does, on a page or by the API. [Who may do what](access.md) says who may; a second person, where
one is due, approves exactly the act that was requested.

Some acts are done by no person: "performed by" names the actor that stands in their record. Nothing else is done
without a person. The operator at the shell is whoever runs `muniment up`, `muniment link` or `muniment vault apply` on
the machine; the company sign-in acts when the provider names a person's address and groups; expiry acts when a last
day is over; the policy branch acts when an allowed commit on it holds another policy.
"""


def describe_acts(
    acts: Iterable[type[Act]], of_system: Mapping[SystemActor, tuple[type[Act], ...]] = MappingProxyType({})
) -> str:
    """The reference of acts, by name: what each does, what it takes, who has to second it. `acts` are those of persons,
    `of_system` those of each actor that is no person.
    """
    persons = set(acts)
    everything = persons.union(*of_system.values())
    described = (
        _describe(act, act in persons, [actor for actor, theirs in of_system.items() if act in theirs])
        for act in sorted(everything, key=lambda act: act.act_tag())
    )
    return "\n".join([_HEAD, *described])


def _describe(act: type[Act], of_persons: bool, system: list[SystemActor]) -> str:
    lines = [f"## `{act.act_tag()}`\n", f"{(act.__doc__ or '').strip()}\n"]
    if system:
        names = ", ".join(str(actor.label) for actor in system)
        lines.append(f"- performed by: {'persons, ' if of_persons else ''}{names}")
    for action in act.actions:
        seconds = " or ".join(role.label for role in Role if role in action.rule.second)
        due = f"; seconded by {seconds}" if seconds else ""
        lines.append(f"- needs: {action.rule.text}{due}")
    for name, field in find_typed_inputs(act).items():
        optional = " (may be left out)" if name in make_defaults(act) else ""
        recorded = ", stands in the record" if field.recorded else ""
        lines.append(f"- `{name}`: {field.label}{optional}{recorded}")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the reference of acts."""
    os.environ["DJANGO_SETTINGS_MODULE"] = _SETTINGS
    django.setup()
    from muniment.server.requests.registry import ACTS_OF_PERSONS, ACTS_OF_SYSTEM

    DOCUMENT.write_text(describe_acts(ACTS_OF_PERSONS, ACTS_OF_SYSTEM), encoding="utf-8")


if __name__ == "__main__":
    main()
