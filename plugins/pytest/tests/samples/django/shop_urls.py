import checks
from django.http import HttpResponse, HttpResponseForbidden
from django.urls import include, path, re_path
from django.views import View
from django.views.decorators.http import require_POST
from rest_framework import permissions, viewsets
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter
from shop import guarded


def make_view(number):
    def view(request):
        return HttpResponse(f"secret {number}")

    return guarded(getattr(checks, f"check_{number}"))(view)


class Guarded:
    check = None

    def dispatch(self, request, *args, **kwargs):
        if not type(self).check(request.headers.get("X-User", "")):
            return HttpResponseForbidden("refused")
        return super().dispatch(request, *args, **kwargs)


class Report(Guarded, View):
    check = checks.check_6

    def get(self, request):
        return HttpResponse("secret 6")

    def post(self, request):
        return HttpResponse("secret 6")


def check_path(get_response):
    guards = {"/7/": checks.check_7, "/8/": checks.check_8}

    def middleware(request):
        guard = guards.get(request.path)
        if guard is not None and not guard(request.headers.get("X-User", "")):
            return HttpResponseForbidden("refused")
        return get_response(request)

    return middleware


class HasConsent(permissions.BasePermission):
    def has_permission(self, request, view):
        return checks.check_9(request.headers.get("X-User", ""))


class Orders(viewsets.ViewSet):
    permission_classes = (HasConsent,)

    def list(self, request):
        return Response(["secret 9"])

    def create(self, request):
        return Response(["secret 9"])


def view_7(request): return HttpResponse("secret 7")
def view_8(request): return HttpResponse("secret 8")


@require_POST
def view_11(request):
    if not checks.place_order(request.headers.get("X-User", "")):
        return HttpResponseForbidden("refused")
    return HttpResponse("ordered")


router = SimpleRouter()
router.register("9", Orders, basename="orders")
numbered = [path(f"{number}/", make_view(number)) for number in (1, 2, 3, 4, 5, 10, 12)]
urlpatterns = [
    path("", include(numbered)),
    re_path(r"^6/$", Report.as_view()),
    path("7/", view_7),
    path("8/", view_8),
    path("11/", view_11),
    path("", include(router.urls)),
]
