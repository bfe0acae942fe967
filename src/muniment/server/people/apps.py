"""Listens to what happens to second factors."""

from typing import Any

from django.apps import AppConfig
from django.http import HttpRequest


class PeopleConfig(AppConfig):
    """The app."""

    name = "muniment.server.people"

    def ready(self) -> None:
        """Whoever sets up a second factor has just proved it; whoever removes one proves anew."""
        from allauth.mfa import signals

        signals.authenticator_added.connect(_added, dispatch_uid="second-factor-added")
        signals.authenticator_removed.connect(_removed, dispatch_uid="second-factor-removed")


def _added(request: HttpRequest, user: Any, authenticator: Any, **_: Any) -> None:
    from muniment.server.people.actors import SECOND_FACTOR
    from muniment.server.requests.bootstrap import finish_if_enough

    if authenticator.type in ("totp", "webauthn"):
        request.session[SECOND_FACTOR] = user.pk
        finish_if_enough()


def _removed(request: HttpRequest, authenticator: Any, **_: Any) -> None:
    """End the enrolment of a passkey that its person removed, by an act on the record: it confirms nothing any more."""
    from muniment.server.people.actors import SECOND_FACTOR, actor_of
    from muniment.server.people.authenticator_acts import RemoveAuthenticator
    from muniment.server.people.authenticators import find_enrolled
    from muniment.server.requests.execution import perform_act

    enrolled = find_enrolled(authenticator)
    if enrolled is not None:
        perform_act(actor_of(request), RemoveAuthenticator(person=enrolled.person_id, authenticator=enrolled.pk))
    request.session.pop(SECOND_FACTOR, None)
