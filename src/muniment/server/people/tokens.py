"""Who asks through the API: the token's person, narrowed to what the token is for."""

from muniment.access.actions import Action
from muniment.access.authorize import Actor
from muniment.server.people.models import ApiToken
from muniment.server.records.entering import code

_BY_CODE = {code(action): action for action in Action}


def actor_of_token(token: ApiToken) -> Actor:
    """The person with the roles of now. A scope that no action has any more is for nothing."""
    return Actor(
        person=token.person.pk,
        active=token.person.active,
        grants=token.person.roles(),
        second_factor=token.second_factor,
        suspended=token.person.approvals_suspended,
        scopes=frozenset(_BY_CODE[scope] for scope in token.scopes if scope in _BY_CODE),
    )
