"""Routes and guards of Django projects and of Django REST framework are found by parsing."""

import pytest

from muniment.design.routes.registry import read_routes
from muniment.design.routes.route import RouteList

SETTINGS = 'ROOT_URLCONF = "site.urls"\nMIDDLEWARE = []\n'
HEAD = """
from django.contrib import admin
from django.contrib.auth.decorators import login_required
from django.contrib.auth.mixins import LoginRequiredMixin
from django.core.exceptions import PermissionDenied
from django.urls import include, path, re_path
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_POST
from django.views.generic import TemplateView, UpdateView, View
from rest_framework import permissions, routers, viewsets
from rest_framework.decorators import action, api_view, permission_classes
from rest_framework.permissions import AllowAny, BasePermission, IsAuthenticated, IsAuthenticatedOrReadOnly
from rest_framework.views import APIView
"""


def read(urls: str, settings: str = SETTINGS, **others: str) -> RouteList:
    files = {"site/__init__.py": "", "site/settings.py": settings, "site/urls.py": HEAD + urls}
    return read_routes("django", files | {f"site/{name}.py": text for name, text in others.items()})


def summary(found: RouteList) -> list[tuple[str, bool]]:
    assert not found.unread
    return [(route.name, route.is_guarded) for route in found.routes]


@pytest.mark.parametrize(
    ("view", "name", "guarded"),
    [
        ("def v(request): pass", "v", [("* /a/", False)]),
        ("@login_required\ndef v(request): pass", "v", [("* /a/", True)]),
        ("@require_POST\n@login_required\ndef v(request): pass", "v", [("POST /a/", True)]),
        ("def v(request): pass", "login_required(v)", [("* /a/", True)]),
        (
            "def v(request):\n    if not request.user.is_staff:\n        raise PermissionDenied\n",
            "v",
            [("* /a/", True)],
        ),
        (
            "def v(request):\n    save()\n    if not request.user.is_staff:\n        raise PermissionDenied\n",
            "v",
            [("* /a/", False)],
        ),
        ("class V(LoginRequiredMixin, View):\n    def get(self, r): pass", "V.as_view()", [("GET /a/", True)]),
        (
            "class V(View):\n    def get(self, r): pass\n"
            "    @method_decorator(login_required)\n    def post(self, r): pass",
            "V.as_view()",
            [("GET /a/", False), ("POST /a/", True)],
        ),
        (
            '@method_decorator(login_required, name="dispatch")\nclass V(TemplateView): pass',
            "V.as_view()",
            [("GET /a/", True)],
        ),
        ("class V(UpdateView): pass", "V.as_view()", [("GET /a/", False), ("POST /a/", False)]),
        ("", 'TemplateView.as_view(template_name="x")', [("GET /a/", False)]),
        (
            "class V(APIView):\n    permission_classes = [IsAuthenticated]\n    def get(self, r): pass",
            "V.as_view()",
            [("GET /a/", True)],
        ),
        (
            "class V(APIView):\n    permission_classes = []\n    def get(self, r): pass",
            "V.as_view()",
            [("GET /a/", False)],
        ),
        (
            "class V(APIView):\n    permission_classes = [IsAuthenticatedOrReadOnly]\n    def get(self, r): pass\n"
            "    def post(self, r): pass",
            "V.as_view()",
            [("GET /a/", False), ("POST /a/", True)],
        ),
        (
            "class Open(BasePermission):\n    def has_permission(self, r, v):\n        return True\n"
            "class V(APIView):\n    permission_classes = [Open]\n    def get(self, r): pass",
            "V.as_view()",
            [("GET /a/", False)],
        ),
        (
            "class Own(BasePermission):\n    def has_permission(self, r, v):\n        return r.user.is_staff\n"
            "class V(APIView):\n    permission_classes = [Own | AllowAny]\n    def get(self, r): pass",
            "V.as_view()",
            [("GET /a/", False)],
        ),
        ("@api_view(['GET'])\n@permission_classes([IsAuthenticated])\ndef v(request): pass", "v", [("GET /a/", True)]),
        ("@api_view(['GET'])\ndef v(request): pass", "v", [("GET /a/", False)]),
    ],
)
def test_the_guards_of_a_view_are_found(view: str, name: str, guarded: list[tuple[str, bool]]) -> None:
    assert summary(read(f'{view}\nurlpatterns = [path("a/", {name})]')) == guarded


DEFAULTS = (
    SETTINGS + 'REST_FRAMEWORK = {"DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"]}\n'
)


def test_the_default_permissions_of_the_settings_count() -> None:
    view = 'class V(APIView):\n    def get(self, r): pass\nurlpatterns = [path("a/", V.as_view())]'
    assert summary(read(view, DEFAULTS)) == [("GET /a/", True)]
    assert summary(read(view)) == [("GET /a/", False)]


def test_the_routes_of_a_router_are_listed() -> None:
    found = read(
        "class Things(viewsets.ModelViewSet):\n"
        "    permission_classes = [IsAuthenticated]\n"
        "    http_method_names = ['get', 'post']\n"
        "    @action(detail=True, methods=['post'], permission_classes=[AllowAny])\n"
        "    def vote(self, request, pk): pass\n"
        'router = routers.SimpleRouter()\nrouter.register("things", Things)\n'
        'urlpatterns = [path("api/", include(router.urls))]'
    )
    assert summary(found) == [
        ("GET /api/things/", True),
        ("POST /api/things/", True),
        ("GET /api/things/<pk>/", True),
        ("POST /api/things/<pk>/vote/", False),
    ]


def test_permissions_that_code_chooses_are_not_certain() -> None:
    found = read(
        "class V(APIView):\n    def get_permissions(self):\n        return []\n    def get(self, r): pass\n"
        'urlpatterns = [path("a/", V.as_view())]'
    )
    assert [guard.is_certain for guard in found.routes[0].guards] == [False]


def test_included_configurations_and_conditions_are_followed() -> None:
    found = read(
        'urlpatterns = [path("shop/", include("site.shop")), path("admin/", admin.site.urls)]\n'
        'if DEBUG:\n    urlpatterns += [path("debug/", TemplateView.as_view())]',
        shop='from django.urls import path\ndef v(request): pass\nurlpatterns = [path("a/", v)]',
    )
    assert [(route.pattern, route.is_guarded, route.switch) for route in found.routes] == [
        ("/admin/", True, ""),
        ("/debug/", False, "DEBUG"),
        ("/shop/a/", False, ""),
    ]


def test_the_login_middleware_guards_all_but_what_is_marked() -> None:
    settings = SETTINGS.replace("[]", '["django.contrib.auth.middleware.LoginRequiredMiddleware"]')
    found = read(
        "from django.contrib.auth.decorators import login_not_required\n"
        "def a(request): pass\n@login_not_required\ndef b(request): pass\n"
        'urlpatterns = [path("a/", a), path("b/", b)]',
        settings,
    )
    assert summary(found) == [("* /a/", True), ("* /b/", False)]


def test_middleware_with_exempt_prefixes_is_not_certain() -> None:
    settings = SETTINGS.replace("[]", '["site.guard.Guard"]')
    guard = (
        "from django.core.exceptions import PermissionDenied\nclass Guard:\n    def __call__(self, request):\n"
        "        if not request.path.startswith('/open/') and not request.user.is_staff:\n"
        "            raise PermissionDenied\n        return self.get_response(request)\n"
    )
    found = read('def v(request): pass\nurlpatterns = [path("a/", v)]', settings, guard=guard)
    assert [(guard.name, guard.is_certain) for guard in found.routes[0].guards] == [("site.guard.Guard", False)]


def test_configurations_of_others_are_unknown() -> None:
    found = read('urlpatterns = [path("accounts/", include("allauth.urls"))]')
    assert [each.why for each in found.unread] == ["the URL configuration allauth.urls is not in the project"]


@pytest.mark.parametrize(
    "urls",
    [
        "urlpatterns = first\nfirst = second\nsecond = first",
        'v = wrap(v)\nurlpatterns = [path("a/", v)]',
        'E = E("no")\ndef v(request):\n    if not request.user:\n        raise E\nurlpatterns = [path("a/", v)]',
        'urlpatterns = [path("a/", include("site.urls"))]',
    ],
)
def test_names_that_are_defined_by_themselves_guard_nothing(urls: str) -> None:
    assert not any(route.is_guarded for route in read(urls).routes)


def test_a_list_of_permissions_that_grows_keeps_those_that_are_read() -> None:
    found = read(
        "P = []\nP = P + [IsAuthenticated]\nclass V(APIView):\n    permission_classes = P\n"
        '    def get(self, r): pass\nurlpatterns = [path("a/", V.as_view())]'
    )
    assert [route.is_guarded for route in found.routes] == [True]
