"""Values that a project gives in the fixture `muniment_project` of its conftest.py."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_muniment.state import State

if TYPE_CHECKING:
    from pytest_muniment.clients import AppClient
    from pytest_muniment.frameworks import AppRoute


@dataclass(frozen=True)
class AppRequest:
    """Request to the application. `path` may have a query."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class Sample:
    """Object of one owner: values of path parameters, for routes that begin with `below`."""

    values: Mapping[str, object]
    below: str = "/"


SignIn = Callable[["AppClient", str], Mapping[str, str]]
BuildRequest = Callable[["AppRoute", str, Mapping[str, object]], AppRequest | None]


@dataclass(frozen=True)
class Project:
    """Application under test.

    application     the WSGI or ASGI application; None: the factory in design.toml makes it
    state           data that is put back before each changing call; None: changing calls are unknown
    sign_in         gives the request headers of a role or owner; raises, or gives {}, if it cannot sign in
    build_request   a request that passes validation for a route, a path and values; None: the default one
    private         texts that no refused answer and no log may have: data of others, secrets
    health          patterns of health checks, which answer also with empty settings
    """

    application: object = None
    state: State | None = None
    sign_in: SignIn | None = None
    build_request: BuildRequest | None = None
    private: Sequence[str] = ()
    health: Sequence[str] = ()
