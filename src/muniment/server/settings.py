"""How the service is set up. Everything that differs between installations comes from the environment.

MUNIMENT_WORKER  the name of the workers of this home, unlike that of any other home (host and folder)
MUNIMENT_HOME    the folder with the keys, made by `muniment up`
MUNIMENT_ROLE    which of the database's roles this process is: owner, web or worker
MUNIMENT_LOG     "json" for logs that programs read
MUNIMENT_URL     the address that people type, such as https://muniment.example.test
MUNIMENT_CONFIRMATION_URL    the address where people sign dangerous acts: another port, or a host below MUNIMENT_URL's
MUNIMENT_TRUSTED_PROXIES    addresses and networks of proxies, with commas between: they say who sends a request
DATABASE_URL     a PostgreSQL server of the company's own; without it, the one that comes with Muniment
MUNIMENT_REPOSITORY_FOLDERS    folders below which repositories may be read by their path, with colons between
MUNIMENT_VAULT_URL, MUNIMENT_VAULT_CA    the company's own vault, and who vouches for its certificate; else our own
MUNIMENT_VAULT_NAMESPACE                 the namespace of it that is Muniment's, such as team/muniment
SSL_CERT_FILE    authorities to trust in place of the system's: of forges, issuers, mail, and who signs people in
MUNIMENT_ADVISORIES    exports of OSV in place of those that OSV publishes: addresses or files, with blanks between
MUNIMENT_EXPLOITED     catalogue of exploited vulnerabilities, in the form of CISA's KEV: an address or a file
MUNIMENT_OUTGOING_NETWORKS    internal networks that outgoing webhooks may reach, with commas between
MUNIMENT_VAULT_AUDIT    a copy of the company's vault's audit log (a file), so that it is seen who reads secrets
"""

import os
import secrets
import socket
from pathlib import Path
from urllib.parse import urlsplit

from muniment.server import logs
from muniment.server.app_list import APPS
from muniment.server.guarding import home_keys
from muniment.server.guarding.database_roles import WEB
from muniment.server.guarding.trusted_proxies import read_outgoing_networks, read_trusted_networks
from muniment.server.people import company_sign_in
from muniment.server.routes import SIGN_IN
from muniment.server.running import database_settings, demonstration_mark

HOME = Path(os.environ.get("MUNIMENT_HOME", ".")).absolute()
URL = os.environ.get("MUNIMENT_URL", "http://localhost:8000")
_ADDRESS = urlsplit(URL)
_SECURE = _ADDRESS.scheme == "https"
CONFIRMATION_URL = os.environ.get("MUNIMENT_CONFIRMATION_URL", "")

DEMONSTRATION = demonstration_mark.is_demonstration(HOME)  # its company is invented, and nothing is sent anywhere
WORKER_NAME = os.environ.get("MUNIMENT_WORKER", "") or f"{socket.gethostname()}:{HOME}"
REPOSITORY_FOLDERS = tuple(filter(None, os.environ.get("MUNIMENT_REPOSITORY_FOLDERS", "").split(":")))
OUTGOING_NETWORKS = read_outgoing_networks(os.environ)
ADVISORIES = tuple(os.environ.get("MUNIMENT_ADVISORIES", "").split())
EXPLOITED = os.environ.get("MUNIMENT_EXPLOITED", "").strip()
DATABASE_ROLE = database_settings.read_role(os.environ)
# The web alone signs sessions and links: no other process can, or has to, read its key.
SECRET_KEY = home_keys.read_web_key(HOME) if DATABASE_ROLE == WEB else secrets.token_urlsafe(64)
DEBUG = False
ALLOWED_HOSTS = [_ADDRESS.hostname or "localhost", "127.0.0.1"]  # a supervisor on this machine asks by number
ROOT_URLCONF = "muniment.server.urls"
WSGI_APPLICATION = "muniment.server.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
APPEND_SLASH = False

INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    *(f"muniment.server.{app}" for app in APPS),
    "django_htmx",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "procrastinate.contrib.django",
]
MIDDLEWARE = [
    "muniment.server.guarding.trusted_proxies.TrustedProxies",
    "muniment.server.telemetry.TraceMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "muniment.server.guarding.response_headers.SecurityHeaders",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "muniment.server.guarding.early_answers.EarlyAnswers",  # before what reads the database
    "muniment.server.guarding.anonymous_requests.AnonymousRequests",  # before what reads a cookie
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",  # the reader's language: of a cookie, or of the browser
    "django.middleware.common.CommonMiddleware",
    "muniment.server.guarding.direction_marks.DirectionMarks",  # within what tells the length of an answer
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "muniment.server.guarding.mediation.MediationMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [Path(__file__).parent / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "muniment.server.pages.demonstration_note.demonstration_context",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "muniment.server.pages.page_frame.frame_context",
            ],
            "builtins": ["muniment.server.components.library"],
        },
    }
]

CACHES = {
    "default": {
        "BACKEND": "muniment.server.guarding.json_cache.JsonCache",
        "LOCATION": "muniment_cache",
        "OPTIONS": {"MAX_ENTRIES": 10_000},  # counts of guesses: whoever sends many may not push out those of others
    }
}
VAULT_URL, VAULT_CA = os.environ.get("MUNIMENT_VAULT_URL", ""), os.environ.get("MUNIMENT_VAULT_CA", "")
VAULT_NAMESPACE = os.environ.get("MUNIMENT_VAULT_NAMESPACE", "").strip("/")
VAULT_AUDIT = os.environ.get("MUNIMENT_VAULT_AUDIT", "")
DATABASES = {"default": database_settings.make_django_settings(HOME, os.environ)}
# A statement is parsed and planned once for each connection: that is half of what a small query costs the server.
DATABASES["default"]["OPTIONS"] |= {"server_side_binding": True, "prepare_threshold": 1}

if "SSL_CERT_FILE" in os.environ:  # for the libraries that call it otherwise
    os.environ.setdefault("REQUESTS_CA_BUNDLE", os.environ["SSL_CERT_FILE"])

# --- who signs in, and how --------------------------------------------------------------------------------

AUTH_USER_MODEL = "people.Person"
AUTHENTICATION_BACKENDS = ["muniment.server.people.sign_in_backend.SignInBackend"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "muniment.server.people.passwords.GuessableValidator"},
    {
        "NAME": "muniment.server.people.passwords.BreachedValidator",
        "OPTIONS": {"path": os.environ.get("MUNIMENT_BREACHED", "")},
    },
]
LOGIN_URL = SIGN_IN
LOGIN_REDIRECT_URL = "/"
ACCOUNT_ADAPTER = "muniment.server.people.adapter.AccountAdapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = "slug"
ACCOUNT_USER_MODEL_EMAIL_FIELD = "email"
ACCOUNT_LOGIN_METHODS = {"email", "username"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_SESSION_REMEMBER = False
# Wrong guesses count for each name that one address tries, so that nobody is locked out by guesses from elsewhere, nor
# by those of others behind the same address; codes of second factors count for each person. `adapter.py` makes the key.
ACCOUNT_RATE_LIMITS = {"login": "120/m/ip", "login_failed": "100/m/ip,10/m/key"}
ALLAUTH_TRUSTED_PROXY_COUNT = 0  # TrustedProxies has found out who sent a request
ACCOUNT_REAUTHENTICATION_TIMEOUT = 900
ACCOUNT_REAUTHENTICATION_METHODS = ("password", "mfa", "invitation")  # no codes by mail; a new link proves as much
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_USERNAME_MIN_LENGTH = 1
ACCOUNT_FORMS = {"login": "muniment.server.people.forms.SignInForm"}
SOCIALACCOUNT_ADAPTER = "muniment.server.people.adapter.CompanyAccountAdapter"
SOCIALACCOUNT_PROVIDERS = company_sign_in.read_provider_settings(os.environ)
SOCIALACCOUNT_STORE_TOKENS = False
SOCIALACCOUNT_LOGIN_ON_GET = False
SIGN_IN_ELSEWHERE = company_sign_in.read_provider_origin(os.environ)
MFA_ADAPTER = "muniment.server.people.factor_encryption.FactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_FORMS = {"add_webauthn": "muniment.server.people.passkeys.AddPasskeyForm"}
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_TOTP_ISSUER = "Muniment"
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = not _SECURE

# --- headers and cookies ----------------------------------------------------------------------------------

SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = _SECURE
SESSION_ENGINE = "muniment.server.people.session_store"
SESSION_COOKIE_AGE = 12 * 3600
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
CSRF_TRUSTED_ORIGINS = [URL] if _SECURE else []
TRUSTED_PROXIES = read_trusted_networks(os.environ, secure=_SECURE)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if _SECURE else None
SECURE_SSL_REDIRECT = _SECURE
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if _SECURE else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = _SECURE
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_MEMORY_SIZE = 1 << 20
DATA_UPLOAD_MAX_NUMBER_FIELDS = 500

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("nl", "Nederlands")]  # Dutch: reviews, retros, and the frame of each page
LANGUAGE_COOKIE_NAME = "muniment_language"
LANGUAGE_COOKIE_AGE = 365 * 24 * 3600
LANGUAGE_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_SAMESITE = "Lax"
USE_I18N = True
LOCALE_PATHS = [Path(__file__).parent / "locale"]
USE_TZ = True
TIME_ZONE = "UTC"
DEVELOPMENT = os.environ.get("MUNIMENT_DEVELOPMENT") == "1"  # shows the page of all components
STATIC_URL = "/static/"
STATICFILES_DIRS = [Path(__file__).parent / "static"]
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False
WHITENOISE_MAX_AGE = 365 * 24 * 3600  # an address of a file has the digest of its content
WHITENOISE_IMMUTABLE_FILE_TEST = r"^/static/"
STORAGES = {"staticfiles": {"BACKEND": "muniment.server.components.static_files.DigestStorage"}}

# --- work in the background -------------------------------------------------------------------------------

PROCRASTINATE_AUTODISCOVER_MODULE_NAME = "tasks"

# --- mail and logs ---------------------------------------------------------------------------------------

EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
LOGGING = logs.build_log_settings(os.environ.get("MUNIMENT_LOG", ""))
