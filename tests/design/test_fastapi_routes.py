"""Routes and guards of FastAPI applications are found by parsing."""

import pytest

from muniment.design.routes.registry import read_routes
from muniment.design.routes.route import Route, RouteList

DEPS = """
from typing import Annotated
from fastapi import Depends, HTTPException, status
from fastapi.security import OAuth2PasswordBearer

scheme = OAuth2PasswordBearer(tokenUrl="/token")

def get_db():
    yield 1

def current_user(token: Annotated[str, Depends(scheme)]):
    user = find(token)
    if user is None:
        raise HTTPException(status_code=status.HTTP_401_UNAUTHORIZED)
    return user

def current_admin(user: Annotated[object, Depends(current_user)]):
    return user

CurrentUser = Annotated[object, Depends(current_user)]
Database = Annotated[object, Depends(get_db)]

class Denial:
    def __init__(self, request):
        if not self.may(request):
            raise HTTPException(status_code=403)

class IsAdmin(Denial):
    def may(self, request): return False

class Permissions:
    def __init__(self, classes): self.classes = classes
    def __call__(self, request):
        for each in self.classes:
            each(request)

class RoleChecker:
    def __init__(self, role): self.role = role
    def __call__(self, user: CurrentUser):
        if user.role != self.role:
            raise HTTPException(403)
"""

APP = """
from fastapi import APIRouter, Depends, FastAPI
from .deps import CurrentUser, Database, IsAdmin, Permissions, RoleChecker, current_admin, current_user, get_db, scheme

app = FastAPI()
router = APIRouter(prefix="/items")
"""


def read(app: str) -> RouteList:
    return read_routes("fastapi", {"shop/__init__.py": "", "shop/deps.py": DEPS, "shop/app.py": APP + app})


def only(found: RouteList) -> Route:
    assert not found.unread
    assert len(found.routes) == 1
    return found.routes[0]


@pytest.mark.parametrize(
    ("app", "guards"),
    [
        ('@app.get("/")\ndef view(): pass', []),
        ('@app.get("/")\ndef view(db: Database): pass', []),
        ('@app.get("/")\ndef view(db=Depends(get_db)): pass', []),
        ('@app.get("/")\ndef view(user: CurrentUser): pass', ["shop.deps.current_user"]),
        ('@app.get("/")\nasync def view(user=Depends(current_admin)): pass', ["shop.deps.current_admin"]),
        ('@app.get("/", dependencies=[Depends(current_user)])\ndef view(): pass', ["shop.deps.current_user"]),
        ('@app.get("/", dependencies=[Depends(RoleChecker("a"))])\ndef view(): pass', ["shop.deps.RoleChecker('a')"]),
        (
            'inner = APIRouter(dependencies=[Depends(current_user)])\n@inner.get("/a")\ndef view(): pass\n'
            "app.include_router(inner)",
            ["shop.deps.current_user"],
        ),
        (
            '@router.get("/a")\ndef view(): pass\napp.include_router(router, dependencies=[Depends(current_user)])',
            ["shop.deps.current_user"],
        ),
        (
            '@app.get("/", dependencies=[Depends(Permissions([IsAdmin]))])\ndef view(): pass',
            ["shop.deps.Permissions([IsAdmin])"],
        ),
        (
            "class Guarded(APIRouter):\n    def __init__(self, **more):\n"
            "        super().__init__(dependencies=[Depends(current_user)], **more)\n"
            'own = Guarded()\n@own.get("/a")\ndef view(): pass\napp.include_router(own)',
            ["shop.deps.current_user"],
        ),
        ('@app.websocket("/ws")\nasync def view(socket): pass', []),
    ],
)
def test_the_guards_of_a_route_are_found(app: str, guards: list[str]) -> None:
    route = only(read(app))
    assert [guard.name for guard in route.guards] == guards
    assert all(guard.is_certain for guard in route.guards)


def test_a_scheme_alone_proves_nothing() -> None:
    route = only(read('@app.get("/")\ndef view(token=Depends(scheme)): pass'))
    assert route.guards
    assert not route.is_guarded


def test_prefixes_of_included_routers_are_joined() -> None:
    found = read(
        'outer = APIRouter(prefix="/v1")\n@router.post("/{id}")\ndef view(): pass\n'
        "outer.include_router(router)\napp.include_router(outer, prefix='/api')\napp.include_router(router)"
    )
    assert [route.name for route in found.routes] == ["POST /api/v1/items/{id}", "POST /items/{id}"]


def test_a_mounted_application_does_not_inherit_the_guards_of_the_outer_one() -> None:
    found = read(
        "inner = FastAPI()\nouter = FastAPI(dependencies=[Depends(current_user)])\n"
        '@inner.get("/a")\ndef view(): pass\n@outer.get("/b")\ndef other(): pass\nouter.mount("/in", inner)'
    )
    assert [(route.pattern, route.is_guarded) for route in found.routes] == [("/b", True), ("/in/a", False)]


def test_a_router_that_is_not_included_serves_nothing() -> None:
    assert not read('@router.get("/a")\ndef view(): pass').routes


def test_a_router_that_cannot_be_followed_is_named() -> None:
    assert [each.why for each in read("app.include_router(plugin.router)").unread] == [
        "the router plugin.router cannot be followed"
    ]
