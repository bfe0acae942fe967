"""Fills a new home with the demonstration company: each event as the process that would carry it out, at its moment."""

import os
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from importlib import import_module
from pathlib import Path

import psycopg
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from muniment.access.authorization import Actor
from muniment.server.acts.act import Act
from muniment.server.acts.execution import execute_act
from muniment.server.acts.parser import parse_act
from muniment.server.demonstration_story import ActRunner, Demonstration, DemonstrationEvent
from muniment.server.people.models import Person
from muniment.server.records.permission_signing import sign_permissions
from muniment.server.records.sequencer import assign_positions, record_heartbeat
from muniment.server.registration import read_contributions
from muniment.server.requests.execution import approve_request
from muniment.server.requests.models import Request
from muniment.server.running import demonstration_clock, operator_login
from muniment.server.running.database_settings import ROLE_VARIABLE, make_django_settings
from muniment.server.running.demonstration_size import add_products

_SEQUENCER, _WORKER, _OWNER, _OPERATOR = "sequencer", "worker", "owner", "operator"


class KeptConnections:
    """Connections of this process to the database, one for each role, since it changes its role some thousand times."""

    def __init__(self, role: str) -> None:
        """`role` is the one that this process has now."""
        self._role = role
        self._kept: dict[str, psycopg.Connection[tuple[object, ...]] | None] = {}

    def switch_role(self, role: str) -> None:
        """Be another role to the database, outside of a transaction. The connection of the former role waits."""
        if role == self._role:
            return
        self._kept[self._role], connection.connection = connection.connection, self._kept.pop(role, None)
        self._role = os.environ[ROLE_VARIABLE] = role
        found = make_django_settings(Path(settings.HOME), os.environ)
        if connection.connection is None:
            operator_login.add_password(found, Path(settings.HOME), os.environ)
        connection.settings_dict.update(found)

    def close_connections(self) -> None:
        """Close those that wait."""
        for waiting in self._kept.values():
            if waiting is not None:
                waiting.close()
        self._kept.clear()


def fill_demonstration(
    folder: Path,
    switch_role: Callable[[str], None],
    progress: Callable[[int, int], None] = lambda _done, _total: None,
    *,
    large: bool = False,
) -> int:
    """Carry out all events of the demonstration, in the order of their moments; their number. `progress` is called
    after each, with the number of those done and of all.

    The home is new, marked, and up to date. `switch_role` connects this process as another role of the database;
    afterwards it is the operator. `large`: with many further products.
    """
    demonstration = Demonstration(timezone.now(), folder, ActRunner(_perform_act, _request_act, _approve_act))
    events = sorted(_list_events(demonstration), key=lambda event: event.at)
    with demonstration_clock.replace_clock():
        for done, event in enumerate(events, 1):
            if event.process == _WORKER:  # it relies on records with a position; persons do not
                switch_role(_SEQUENCER)
                _assign_positions()
            switch_role(event.process)
            demonstration_clock.move_clock(event.at)
            event.run()
            progress(done, len(events))
    if large:
        add_products(folder, switch_role)
    switch_role(_SEQUENCER)
    _assign_positions()
    record_heartbeat()
    switch_role(_OWNER)
    _empty_queue()
    switch_role(_OPERATOR)
    return len(events)


def _list_events(demonstration: Demonstration) -> Iterator[DemonstrationEvent]:
    """Events of every app; those at one moment in the order of the apps."""
    for app in read_contributions():
        if app.demonstration:
            yield from import_module(app.demonstration).list_events(demonstration)


def _assign_positions() -> None:
    """Assign positions to waiting records, and sign what waits for that, as the sequencer does all the time."""
    while assign_positions():
        pass
    sign_permissions()


def _empty_queue() -> None:
    """Leave no job: what waits was carried out, and the worker looks at everything when it starts."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_events")
        cursor.execute("DELETE FROM procrastinate_jobs")


def _load_actor(handle: str) -> Actor:
    """Actor of a person who is signed in with a second factor."""
    person = Person.objects.get(slug=handle)
    return Actor(person=person.pk, active=person.active, grants=person.load_roles(), second_factor=True)


@transaction.atomic
def _perform_act(handle: str, act: type[Act], values: Mapping[str, object]) -> object:
    actor, secret = _load_actor(handle), {"token": "none"} if act.carries_secret else None
    outcome = execute_act(actor, parse_act(act, values, actor), secret=secret)
    return outcome.result


@transaction.atomic
def _request_act(handle: str, act: type[Act], values: Mapping[str, object]) -> int:
    actor = _load_actor(handle)
    outcome = execute_act(actor, parse_act(act, values, actor))
    if outcome.request is None:
        raise LookupError(f"{act.act_tag()} did not wait for a second person")
    return outcome.request


@transaction.atomic
def _approve_act(handle: str, number: int) -> object:
    demonstration_clock.MovedClock.distance += timedelta(minutes=25)
    return approve_request(_load_actor(handle), Request.objects.get(pk=number))
