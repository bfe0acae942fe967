"""Sample in Django: guards as decorators, mixin, middleware and permission class of Django REST framework."""

import functools
import logging
import os

import django
from django.conf import settings


class NoTrace(logging.Filter):
    def filter(self, record):
        record.exc_info = None
        return True


def create():
    if not settings.configured:
        settings.configure(
            SECRET_KEY=os.environ["SHOP_DATABASE"],
            ALLOWED_HOSTS=["*"],
            ROOT_URLCONF="shop_urls",
            MIDDLEWARE=["django.middleware.csrf.CsrfViewMiddleware", "shop_urls.check_path"],
            DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ["SHOP_DATABASE"]}},
            INSTALLED_APPS=["rest_framework"],
            REST_FRAMEWORK={"DEFAULT_AUTHENTICATION_CLASSES": [], "UNAUTHENTICATED_USER": None},
            LOGGING={
                "version": 1,
                "filters": {"no_trace": {"()": NoTrace}},
                "loggers": {"django.request": {"filters": ["no_trace"]}},
            },
        )
        django.setup()
    from django.core.wsgi import get_wsgi_application

    return get_wsgi_application()


def guarded(check):
    def decorate(view):
        @functools.wraps(view)
        def inner(request, *args, **kwargs):
            from django.http import HttpResponse

            allowed = check(request.headers.get("X-User", ""))
            if allowed is not True:
                return HttpResponse(allowed or "refused", status=403)
            return view(request, *args, **kwargs)

        return inner

    return decorate
