"""Contributions of the apps: what each adds to the pages and services that serve all apps.

An app has a module `contributions` with one value, `CONTRIBUTIONS`. The services read those of all apps, so that no app
is imported by a lower one, and a new app changes no other. docs/guides/add-an-app.md is the recipe.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from functools import cache
from importlib import import_module
from typing import NamedTuple

from django.http import HttpRequest
from django.utils.translation import gettext_lazy

from muniment.access.actions import Action
from muniment.access.authorization import Actor
from muniment.facts.people import Person as KnownPerson
from muniment.server.acts.act import Act
from muniment.server.acts.inputs import Label
from muniment.server.acts.system_actors import SystemActor
from muniment.server.app_list import APPS
from muniment.workflows.fact_suppliers import Supplier


class MenuGroup(Enum):
    """Groups of the menu, in their order."""

    DELIVER = gettext_lazy("Deliver")
    ASSURE = gettext_lazy("Assure")
    IMPROVE = gettext_lazy("Improve")
    PROVE = gettext_lazy("Prove")
    ADMIN = gettext_lazy("Admin")


class MenuEntry(NamedTuple):
    """Entry of the menu, shown to people who may do `action` somewhere. `name` is the name of its address, `icon` of a
    vendored outline; entries of a group stand by rising `position`.
    """

    group: MenuGroup
    position: int
    name: str
    text: Label
    icon: str
    action: Action


class SearchKind(NamedTuple):
    """Kind of thing that the search finds: its template shows the `rows` that `find` gives for an actor and a text.

    Kinds stand by rising `position`, the first rows of each are shown.
    """

    position: int
    template: str
    find: Callable[[Actor, str], Iterable[object]]


class InboxKind(NamedTuple):
    """Kind of thing that waits for a person: its template shows the `rows` that `find` gives for an actor, as a list.

    `title` is the heading of its list in the inbox.
    """

    position: int
    template: str
    find: Callable[[Actor], Iterable[object]]
    title: Label = ""


class OverviewCard(NamedTuple):
    """Part of the overview: its template, and what that reads as `card`, None where there is nothing to show.

    Cards stand by rising `position`: below 100 above all else, below 200 before the policy, below 300 after it.
    """

    position: int
    template: str
    read: Callable[[HttpRequest], Mapping[str, object] | None]


class ChangeCard(NamedTuple):
    """Card of the page of a change: its template, and what that reads as `card` for the primary key of the change,
    None where there is nothing to show. Cards stand by rising `position`.
    """

    position: int
    template: str
    read: Callable[[HttpRequest, int], Mapping[str, object] | None]


class ProductTab(NamedTuple):
    """Tab of a product, shown to people who may do `action` on it. Tabs stand by rising `position`.

    `address` is the name of its page, which takes the id of the product. `count_rows` gives the number next to the
    text, for the primary key of the product, in one query.
    """

    position: int
    address: str
    text: Label
    action: Action
    count_rows: Callable[[int], int] | None = None


class SetupProgress(NamedTuple):
    """Whether a step of the set-up is done, by facts, and a sentence about what is there or missing."""

    done: bool
    text: Label


class SetupStep(NamedTuple):
    """Step of the checklist by which an installation is set up. Steps stand by rising `position`.

    `address` is the name of the page where it is done, `button` what is done there; "" where it is done by `command`.
    `action` is what the page requires; `minutes` is about how long the step takes.
    """

    position: int
    title: Label
    read: Callable[[Actor], SetupProgress]
    action: Action
    minutes: int
    address: str = ""
    button: Label = ""
    command: str = ""


class Metric(NamedTuple):
    """Figure for a monitoring system: one value, or one for each value of the label."""

    name: str
    text: str
    values: int | float | Mapping[str, int] | Mapping[str, float]
    label: str = ""


class RetentionRule(NamedTuple):
    """Kind of rows, why each is kept, and what drops those older than a moment; how many it did.

    `key` is the key of the policy's table `retention` that says how many days, "" for what ends by itself.
    """

    kind: Label
    why: Label
    key: str
    drop: Callable[[datetime], int]


class PersonalData(NamedTuple):
    """Kind of rows about a person, as an export names it, and what reads them for the person's internal id."""

    name: str
    read: Callable[[str], Iterable[Mapping[str, object]]]


class ErasureRequest(NamedTuple):
    """Erasure that was just approved: the person's id, the pattern of what names them, the record of the request."""

    person: str
    words: re.Pattern[str]
    request_record: str


class GlossaryEntry(NamedTuple):
    """Word of the glossary with its meaning; entries stand by rising `position`."""

    position: int
    word: Label
    meaning: Label


@dataclass(frozen=True, kw_only=True)
class AppContributions:
    """Contributions of one app. Addresses and operations are named by their modules, which only the web imports."""

    urls: str = ""  # a module with `urlpatterns`
    api: tuple[str, ...] = ()  # modules with a `router`
    acts: tuple[type[Act], ...] = ()  # of persons
    system_acts: Mapping[SystemActor, tuple[type[Act], ...]] = field(default_factory=dict)
    exact_acts: Mapping[tuple[SystemActor, type[Act]], Callable[[Act], bool]] = field(default_factory=dict)
    menu: tuple[MenuEntry, ...] = ()
    search: tuple[SearchKind, ...] = ()
    inbox: tuple[InboxKind, ...] = ()
    overview: tuple[OverviewCard, ...] = ()
    product_tabs: tuple[ProductTab, ...] = ()
    change_cards: tuple[ChangeCard, ...] = ()
    setup: tuple[SetupStep, ...] = ()
    metrics: tuple[Callable[[], Iterator[Metric]], ...] = ()
    glossary: tuple[GlossaryEntry, ...] = ()
    retention: tuple[RetentionRule, ...] = ()
    personal_data: tuple[PersonalData, ...] = ()
    erasure_obstacles: tuple[Callable[[KnownPerson], tuple[str, ...]], ...] = ()  # sentences: what is changed first
    erasure_preparations: tuple[Callable[[ErasureRequest], None], ...] = ()  # in the act that approves an erasure
    text_erasures: tuple[Callable[[KnownPerson, re.Pattern[str]], int], ...] = ()  # besides `free_texts`; in how many
    policies_in_use: tuple[Callable[[], Iterable[str]], ...] = ()  # digests of policies that cannot be erased
    fact_suppliers: tuple[Supplier, ...] = ()  # asked in this order
    fact_states: tuple[Callable[[], str], ...] = ()  # text of each differs once its suppliers may say something else
    demonstration: str = ""  # a module with `list_events`: see `demonstration_story`


@cache
def read_contributions() -> tuple[AppContributions, ...]:
    """The contributions of every app, lowest first."""
    return tuple(import_module(f"muniment.server.{app}.contributions").CONTRIBUTIONS for app in APPS)
