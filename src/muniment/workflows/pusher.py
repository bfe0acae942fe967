"""Who pushes, as the server says it: in one variable, which the home names, and in no other."""

import re
from collections.abc import Callable, Mapping

from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.people import People

_NAME = re.compile(r"[^\s\x00-\x1f/]{1,200}")
_FORGES = {"GL_USER": "gitolite", "REMOTE_USER": "http"}  # under which a login stands in people.toml


def create_pusher_finder(variable: str, environment: Mapping[str, str]) -> Callable[[Maybe[People]], Maybe[str]]:
    """Create a function from people to the pusher's identity (`facts.people`); Unknown if the server identifies nobody.

    A login that people.toml links to a person is theirs; else one that is a person's id is that person's.
    """
    name = environment.get(variable, "")

    def find_pusher(people: Maybe[People]) -> Maybe[str]:
        if not name:
            return Unknown(f"the server named no pusher in {variable}")
        if not _NAME.fullmatch(name):
            return Unknown(f"what the server wrote in {variable} is no name")
        if variable not in _FORGES:
            return Known(f"person:{name}")
        login, person = f"login:{_FORGES[variable]}/{name}", f"person:{name}"
        known = people.value.by_identity if isinstance(people, Known) else {}
        return Known(person if login not in known and person in known else login)

    return find_pusher
