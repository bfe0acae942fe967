"""Registers what the app gives to others, and listens to what happens to second factors."""

from typing import Any

from django.apps import AppConfig
from django.http import HttpRequest


class PeopleConfig(AppConfig):
    """The app."""

    name = "muniment.server.people"

    def ready(self) -> None:
        """Register who asks and who is known; whoever sets up a second factor has just proved it."""
        from allauth.mfa import signals

        from muniment.server.guarding.mediation import register_actor_source
        from muniment.server.people.actors import actor_of
        from muniment.server.people.people_facts import people_of
        from muniment.server.records.installation import register_people_source

        register_people_source(people_of)
        register_actor_source(actor_of)

        signals.authenticator_added.connect(_added, dispatch_uid="second-factor-added")
        signals.authenticator_removed.connect(_removed, dispatch_uid="second-factor-removed")


def _added(request: HttpRequest, user: Any, authenticator: Any, **_: Any) -> None:
    from muniment.server.people.actors import SECOND_FACTOR
    from muniment.server.people.bootstrap import finish_if_enough

    if authenticator.type in ("totp", "webauthn"):
        request.session[SECOND_FACTOR] = user.pk
        finish_if_enough()


def _removed(request: HttpRequest, authenticator: Any, **_: Any) -> None:
    """End the enrolment of a passkey that its person removed, by an act on the record: it confirms nothing any more."""
    from muniment.server.acts.execution import execute_act
    from muniment.server.people.actors import SECOND_FACTOR, actor_of
    from muniment.server.people.authenticator_acts import RemoveAuthenticator
    from muniment.server.people.authenticators import find_enrolled

    enrolled = find_enrolled(authenticator)
    if enrolled is not None:
        execute_act(actor_of(request), RemoveAuthenticator(person=enrolled.person_id, authenticator=enrolled.pk))
    request.session.pop(SECOND_FACTOR, None)
