"""Examines every environment variable that sets the service up, before any process of it does anything else.

An impossible value is refused by the name of its variable. The value is not repeated: many contain a password, or
an address with one.
"""

import ipaddress
import os
import re
import stat
from collections.abc import Callable, Mapping
from email.utils import parseaddr
from urllib.parse import SplitResult, parse_qsl

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from muniment.calendars.reply_mailbox import parse_mailbox_address
from muniment.errors import HttpError, ParseError
from muniment.http.addresses import parse_server_address
from muniment.server.guarding.trusted_proxies import parse_networks
from muniment.server.setting_addresses import split_address
from muniment.server.text_marks import gettext_noop

SettingCheck = Callable[[str, str], None]

_LONGEST = 10_000  # characters
_LONGEST_NAME = 200
_LONGEST_PATH = 1000
_DATABASE_OPTIONS = frozenset(  # of libpq, as far as an operator needs them
    {
        *("host", "sslmode", "sslrootcert", "sslcert", "sslkey", "sslcrl", "gssencmode", "channel_binding", "passfile"),
        *("ssl_min_protocol_version", "connect_timeout", "application_name", "options", "target_session_attrs"),
        *("keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout"),
    }
)
_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


def check_environment(environment: Mapping[str, str]) -> None:
    """Examine the variables that are set. Raises ParseError, which names one and does not repeat its value."""
    for variable, check in CHECKS.items():
        value = environment.get(variable, "")
        if not value:
            continue
        if len(value) > _LONGEST or not value.isprintable():
            raise _make_refusal(
                variable,
                gettext_noop("%(variable)s is too long, or has a character that nobody can see"),
                gettext_noop("Write it anew: one line of visible characters."),
            )
        check(variable, value)
    _check_confirmation_address(environment.get("MUNIMENT_URL", ""), environment.get("MUNIMENT_CONFIRMATION_URL", ""))


def _check_confirmation_address(own: str, confirmation: str) -> None:
    """Require another origin than that of the pages, whose passkeys can be used there: its host, or one below it."""
    if not own or not confirmation:
        return
    pages, other = split_address("MUNIMENT_URL", own), split_address("MUNIMENT_CONFIRMATION_URL", confirmation)
    host, where = pages.hostname or "", other.hostname or ""
    same = (pages.scheme, pages.netloc.lower()) == (other.scheme, other.netloc.lower())
    if same or pages.scheme != other.scheme or not (where == host or where.endswith(f".{host}")):
        raise _make_refusal(
            "MUNIMENT_CONFIRMATION_URL",
            gettext_noop("%(variable)s is not another origin at the same host"),
            gettext_noop("Name another port of the host of MUNIMENT_URL, or a host below it."),
        )


def _check_own_address(variable: str, value: str) -> None:
    """Require an address of a host alone, since pages stand at its root."""
    parts = _split_web_address(variable, value)
    if parts.path or parts.query or parts.fragment or not parts.netloc.isascii():
        raise _make_refusal(
            variable,
            gettext_noop("%(variable)s is not the address of a host alone"),
            gettext_noop("Write it like https://muniment.example.test, without a / or a path at its end."),
        )


def _check_web_address(variable: str, value: str) -> None:
    _split_web_address(variable, value)


def _split_web_address(variable: str, value: str) -> SplitResult:
    parts = split_address(variable, value)
    if parts.scheme not in ("https", "http") or not _is_host(parts) or parts.username is not None:
        raise _make_refusal(
            variable,
            gettext_noop("%(variable)s is not an address of a web server, or has a name or password in it"),
            gettext_noop("Write it like https://host.example.test."),
        )
    return parts


def _check_vault_address(variable: str, value: str) -> None:
    try:
        parse_server_address(value)
    except HttpError:
        raise _make_refusal(
            variable,
            gettext_noop("%(variable)s is not the address of a vault, or secrets would be sent there in the clear"),
            gettext_noop("Write it like https://vault.example.test:8200, or unix:/path/of/the/socket."),
        ) from None


def _check_namespace(variable: str, value: str) -> None:
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,100}(/[A-Za-z0-9_-]{1,100}){0,9}/?", value):
        raise _make_refusal(
            variable,
            gettext_noop("%(variable)s is not the name of a namespace"),
            gettext_noop("Write it like team/muniment."),
        )


def _check_mail_server(variable: str, value: str) -> None:
    parts = split_address(variable, value)
    if parts.scheme not in ("smtp", "smtps") or not _is_host(parts) or parts.path.strip("/"):
        raise _make_refusal(
            variable,
            gettext_noop("%(variable)s is not the address of a mail server"),
            gettext_noop("Write it like smtp://user:password@host:587, or smtps://..."),
        )


def _check_mailbox(variable: str, value: str) -> None:
    parts = split_address(variable, value)
    if not _is_host(parts) or parse_mailbox_address(parts) is None:
        raise _make_refusal(
            variable,
            gettext_noop("%(variable)s is not the address of a mailbox"),
            gettext_noop("Write it like imaps://user:password@host:993/INBOX, or imap://... for STARTTLS."),
        )


def _check_sender(variable: str, value: str) -> None:
    try:
        validate_email(parseaddr(value)[1])
    except ValidationError:
        raise _make_refusal(
            variable,
            gettext_noop("%(variable)s is no e-mail address"),
            gettext_noop("Write it like muniment@example.test, or Muniment <muniment@example.test>."),
        ) from None


def _check_yes(variable: str, value: str) -> None:
    if value not in ("yes", "no"):
        raise _make_refusal(
            variable, gettext_noop("%(variable)s is neither yes nor no"), gettext_noop("Write yes, or remove it.")
        )


def _check_name(variable: str, value: str) -> None:
    if len(value) > _LONGEST_NAME or value != value.strip():
        raise _make_refusal(
            variable,
            gettext_noop("%(variable)s is no name"),
            gettext_noop("Write at most 200 characters, without white space around them."),
        )


def _check_folder_name(variable: str, value: str) -> None:
    """Accept any folder as a home: opening it reports its problem."""


def _check_path(variable: str, value: str) -> None:
    """Require a full path; if it exists, a file or a folder: a pipe or a device would stop its reader for good."""
    if not value.startswith("/") or len(value) > _LONGEST_PATH:
        raise _make_refusal(
            variable,
            gettext_noop("%(variable)s is no full path"),
            gettext_noop("Write the whole path of the file, beginning with /."),
        )
    try:
        mode = os.stat(value).st_mode
    except OSError:
        return  # each reader says what it misses
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise _make_refusal(
            variable,
            gettext_noop("%(variable)s names neither a file nor a folder"),
            gettext_noop("Write the whole path of the file, beginning with /."),
        )


def _check_folders(variable: str, value: str) -> None:
    for folder in value.split(":"):
        _check_path(variable, folder)


def _check_advisories(variable: str, value: str) -> None:
    for location in value.split():
        if "://" not in location:
            _check_path(variable, location)
        elif _split_web_address(variable, location).scheme != "https":
            raise _make_refusal(
                variable,
                gettext_noop("%(variable)s names an address without https"),
                gettext_noop("Write addresses that begin with https://, or full paths of files."),
            )


def _check_listening(variable: str, value: str) -> None:
    host, _colon, port = value.rpartition(":")
    known = _HOST.fullmatch(host) or re.fullmatch(r"\[[0-9a-fA-F:.]+\]", host)
    if not known or not re.fullmatch("[0-9]{1,5}", port) or not 0 < int(port) < 65536:
        raise _make_refusal(
            variable,
            gettext_noop("%(variable)s is not a host with a port"),
            gettext_noop("Write it like vault.example.test:8200."),
        )


def _check_networks(variable: str, value: str) -> None:
    try:
        parse_networks(value)
    except ValueError:
        raise _make_refusal(
            variable,
            gettext_noop("%(variable)s is no list of addresses and networks"),
            gettext_noop("Write it like 10.0.0.7,10.1.0.0/16."),
        ) from None


def _check_database(variable: str, value: str) -> None:
    parts = split_address(variable, value)
    try:
        given = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    except ValueError:
        given = {"": ""}
    named = bool(parts.path.strip("/")) and (bool(parts.hostname) or "host" in given)
    texts = (parts.path, parts.netloc, *given.values())
    hidden = any(not _is_decoded_visibly(text) for text in texts)
    if parts.scheme not in ("postgres", "postgresql") or not named or hidden or not given.keys() <= _DATABASE_OPTIONS:
        raise _make_refusal(
            variable,
            gettext_noop("%(variable)s does not name a PostgreSQL database, or has an option that is none of libpq's"),
            gettext_noop("Write it like postgresql://user:password@host:5432/muniment?sslmode=verify-full."),
        )


def _check_forges(variable: str, value: str) -> None:
    from muniment.server.people.published_keys import parse_forges

    parse_forges(value)


def _is_host(parts: SplitResult) -> bool:
    host = parts.hostname or ""
    try:
        return bool(_HOST.fullmatch(host) or ipaddress.ip_address(host))
    except ValueError:
        return False


def _is_decoded_visibly(text: str) -> bool:
    """Whether no part hides, behind a %, a character that no name has, such as NUL."""
    return not re.search(r"%(?:[01][0-9a-fA-F]|7[fF])", text) and text.isprintable()


def _make_refusal(variable: str, message: str, remedy: str) -> ParseError:
    return ParseError("setting-refused", message % {"variable": variable}, remedy)


CHECKS: dict[str, SettingCheck] = {
    "MUNIMENT_URL": _check_own_address,
    "MUNIMENT_CONFIRMATION_URL": _check_own_address,
    "MUNIMENT_TRUSTED_PROXIES": _check_networks,
    "MUNIMENT_OUTGOING_NETWORKS": _check_networks,
    "MUNIMENT_HOME": _check_folder_name,
    "DATABASE_URL": _check_database,
    "MUNIMENT_SMTP_URL": _check_mail_server,
    "MUNIMENT_MAIL_FROM": _check_sender,
    "MUNIMENT_MAIL_REPLIES": _check_yes,
    "MUNIMENT_IMAP_URL": _check_mailbox,
    "MUNIMENT_CHAT_URL": _check_web_address,
    "MUNIMENT_WORKER": _check_name,
    "MUNIMENT_FORGES": _check_forges,
    "MUNIMENT_BREACHED": _check_path,
    "MUNIMENT_REPOSITORY_FOLDERS": _check_folders,
    "MUNIMENT_ADVISORIES": _check_advisories,
    "MUNIMENT_EXPLOITED": _check_advisories,
    "MUNIMENT_OIDC_ISSUER": _check_web_address,
    "MUNIMENT_VAULT_URL": _check_vault_address,
    "MUNIMENT_VAULT_CA": _check_path,
    "MUNIMENT_VAULT_NAMESPACE": _check_namespace,
    "MUNIMENT_VAULT_AUDIT": _check_path,
    "MUNIMENT_VAULT_LISTEN": _check_listening,
    "MUNIMENT_VAULT_CERT": _check_path,
    "MUNIMENT_VAULT_KEY": _check_path,
}
