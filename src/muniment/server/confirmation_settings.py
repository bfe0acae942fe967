"""Settings of the confirmation process: no session, cookie or sign-in, no app of the service, no key of the web."""

import os
from pathlib import Path
from urllib.parse import urlsplit

from muniment.server import logs
from muniment.server.guarding.trusted_proxies import read_trusted_networks
from muniment.server.running import database_settings

HOME = Path(os.environ.get("MUNIMENT_HOME", ".")).absolute()
URL = os.environ.get("MUNIMENT_URL", "http://localhost:8000")
CONFIRMATION_URL = os.environ.get("MUNIMENT_CONFIRMATION_URL", "")
_ADDRESS = urlsplit(CONFIRMATION_URL)
_SECURE = _ADDRESS.scheme == "https"

SECRET_KEY = os.urandom(32).hex()  # Django asks for one; nothing is signed with it
DEBUG = False
ALLOWED_HOSTS = [_ADDRESS.hostname or "localhost", "127.0.0.1"]  # a supervisor on this machine asks by number
ROOT_URLCONF = "muniment.server.confirmation.urls"
APPEND_SLASH = False
INSTALLED_APPS = ["django.contrib.staticfiles"]
MIDDLEWARE = [
    "muniment.server.guarding.trusted_proxies.TrustedProxies",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "muniment.server.guarding.response_headers.SecurityHeaders",
    "django.middleware.common.CommonMiddleware",
    "muniment.server.guarding.direction_marks.DirectionMarks",  # within what tells the length of an answer
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [Path(__file__).parent / "templates"],
        "OPTIONS": {"builtins": ["muniment.server.components.library"]},
    }
]
DATABASE_ROLE = database_settings.read_role(os.environ)
DATABASES = {"default": database_settings.make_django_settings(HOME, os.environ)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
SIGN_IN_ELSEWHERE = ""  # no form leads anywhere else

TRUSTED_PROXIES = read_trusted_networks(os.environ, secure=_SECURE)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if _SECURE else None
SECURE_SSL_REDIRECT = _SECURE
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if _SECURE else 0
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_MEMORY_SIZE = 1 << 20
DATA_UPLOAD_MAX_NUMBER_FIELDS = 10

LANGUAGE_CODE = "en"
USE_I18N = True
LOCALE_PATHS = [Path(__file__).parent / "locale"]
USE_TZ = True
TIME_ZONE = "UTC"
STATIC_URL = "/static/"
STATICFILES_DIRS = [Path(__file__).parent / "static"]
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False
WHITENOISE_MAX_AGE = 365 * 24 * 3600  # an address of a file has the digest of its content
WHITENOISE_IMMUTABLE_FILE_TEST = r"^/static/"
STORAGES = {"staticfiles": {"BACKEND": "muniment.server.components.static_files.DigestStorage"}}
LOGGING = logs.build_log_settings(os.environ.get("MUNIMENT_LOG", ""))
