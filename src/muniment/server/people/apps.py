"""Registers the sources of actors and people, and handles changes of second factors."""

from typing import Any

from django.apps import AppConfig
from django.http import HttpRequest


class PeopleConfig(AppConfig):
    """Django app of people, accounts and roles."""

    name = "muniment.server.people"

    def ready(self) -> None:
        """Register the sources of actors and people, and the signals of second factors."""
        from allauth.mfa import signals

        from muniment.server.guarding.mediation import register_actor_source
        from muniment.server.people.actors import load_actor
        from muniment.server.people.people_facts import build_people
        from muniment.server.records.installation import register_people_source

        register_people_source(build_people)
        register_actor_source(load_actor)

        signals.authenticator_added.connect(_note_factor_added, dispatch_uid="second-factor-added")
        signals.authenticator_removed.connect(_note_factor_removed, dispatch_uid="second-factor-removed")


def _note_factor_added(request: HttpRequest, user: Any, authenticator: Any, **_: object) -> None:
    from muniment.server.people.actors import SECOND_FACTOR
    from muniment.server.people.bootstrap import finish_bootstrap_if_ready

    if authenticator.type in ("totp", "webauthn"):
        request.session[SECOND_FACTOR] = user.pk
        finish_bootstrap_if_ready()


def _note_factor_removed(request: HttpRequest, authenticator: Any, **_: object) -> None:
    """End the enrolment of a removed passkey, by a recorded act: it confirms no act from then on."""
    from muniment.server.acts.execution import execute_act
    from muniment.server.people.actors import SECOND_FACTOR, load_actor
    from muniment.server.people.authenticator_acts import RemoveAuthenticator
    from muniment.server.people.authenticators import find_enrolled

    enrolled = find_enrolled(authenticator)
    if enrolled is not None:
        execute_act(load_actor(request), RemoveAuthenticator(person=enrolled.person_id, authenticator=enrolled.pk))
    request.session.pop(SECOND_FACTOR, None)
