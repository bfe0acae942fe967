"""Actors of the API: the person of a token, limited to the token's scopes."""

from muniment.access.actions import Action
from muniment.access.authorization import Actor
from muniment.server.people.models import ApiToken
from muniment.server.records.record_writing import action_code

_BY_CODE = {action_code(action): action for action in Action}


def load_token_actor(token: ApiToken) -> Actor:
    """Actor of a token: the person with the roles held now. A scope that no action has any more permits nothing."""
    return Actor(
        person=token.person.pk,
        active=token.person.active,
        grants=token.person.load_roles(),
        second_factor=token.second_factor,
        suspended=token.person.approvals_suspended,
        scopes=frozenset(_BY_CODE[scope] for scope in token.scopes if scope in _BY_CODE),
    )
