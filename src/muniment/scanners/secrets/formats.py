"""Formats of credentials by their issuers' prefixes, as regular expressions over bytes. Each takes linear time."""

import re
from functools import cache

from msgspec import Struct

from muniment.scanners.secrets.issuer_formats import ISSUER_FORMATS


class SecretFormat(Struct, frozen=True):
    """Format of one kind of credential. The value is the first group of the pattern; of a
    private key, what follows it.

    `keywords`: one of these words is in every text that the pattern matches. They are looked for first, which is a
    hundred times faster.
    """

    name: str
    title: str
    source: bytes
    keywords: tuple[bytes, ...] = ()

    @property
    def compiled_pattern(self) -> re.Pattern[bytes]:
        """The pattern, compiled when it is first needed: a hook that looks at one file needs few."""
        return _compile_pattern(self.source)


@cache
def _compile_pattern(source: bytes) -> re.Pattern[bytes]:
    return re.compile(source)


FORMATS = tuple(
    SecretFormat(name, title, pattern, tuple(word.encode() for word in words.split()))
    for name, title, words, pattern in ISSUER_FORMATS
)
SLACK_WEBHOOK = SecretFormat(
    "slack-webhook",
    "Slack webhook",
    rb"hooks\.slack\.com/services/(T[A-Z0-9]{6,12}/B[A-Z0-9]{6,12}/[A-Za-z0-9]{20,30})",
    (b"hooks.slack.com",),
)
PRIVATE_KEY = SecretFormat(
    "private-key",
    "private key",
    rb"-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----",
    (b"PRIVATE KEY",),
)
URL_PASSWORD = SecretFormat(
    "password-in-url",
    "password in an address",
    rb"[a-z0-9]://[A-Za-z0-9._~%-]{0,64}:([^\s:/@\"'<>`\\]{6,128})@([A-Za-z0-9._-]{1,253})",
)
_WORDS = (
    rb"(?i:password|passwd|passphrase|pwd|secret|api_?key|token|private_?key|access_?key|encryption_?key|signing_?key|"
    rb"credential|(?:app|admin|auth|master|account|shared|storage)_?key|_pass)(?i:_?(?:key|base)){0,2}s?"
)
QUOTED = SecretFormat(
    "generic-credential",
    "credential",
    rb"(" + _WORDS + rb")\\?[\"']?\]?[ \t]{0,8}(?::=|=>|[:=])[ \t]{0,8}"
    rb"[rbuf]?\\?[\"']([^\s\"'\\]{8,256})\\?[\"']",
)
UNQUOTED = SecretFormat(
    "generic-credential",
    "credential",
    rb"(" + _WORDS + rb")[ \t]{0,8}[:=][ \t]{0,8}([^\s\"'\\#][^\s\"'\\]{7,255})[ \t\r]{0,8}(?:\n|\Z)",
)
TAGGED = SecretFormat(
    "generic-credential",
    "credential",
    rb"(" + _WORDS + rb")(?: [^<>\s]{0,80})?>([^\s<>]{8,256})</",
)

ATTRIBUTE = SecretFormat(
    "generic-credential",
    "credential",
    rb"(?:key|name)=[\"'][A-Za-z0-9_.:-]{0,60}?(" + _WORDS + rb")[\"'][ \t]{1,8}value=[\"']([^\s\"'<>]{8,256})[\"']",
    (b"value=",),
)
ARGUMENT = SecretFormat(
    "generic-credential",
    "credential",
    rb"(?i:define|setdefault|putenv|setenv)\([ \t]{0,4}[\"'][A-Za-z0-9_.-]{0,60}?(" + _WORDS + rb")[\"'][ \t]{0,4},"
    rb"[ \t]{0,4}[\"']([^\s\"'\\]{8,256})[\"']",
    (b"define(", b"setdefault(", b"putenv(", b"setenv("),
)
NAMED = (QUOTED, UNQUOTED, TAGGED, ATTRIBUTE, ARGUMENT)

# Credentials by what stands around them. The value is the first group.
BASIC_VALUE = SecretFormat(
    "basic-credential",
    "user and password in base64",
    rb"(?i:authorization[\"']?[ \t]{0,4}[:=,][ \t]{0,4}[\"'`]{0,1}basic[ \t]{1,4}|\b_auth[ \t]{0,4}=[ \t]{0,4}[\"']?|"
    rb"\"auth\"[ \t]{0,4}:[ \t]{0,4}\")([A-Za-z0-9+/_-]{12,256}={0,2})",
    (b"asic ", b"_auth", b'"auth"'),
)
HEADER_VALUE = SecretFormat(
    "bearer-credential",
    "token in a header",
    rb"(?i:authorization[\"']?[ \t]{0,4}[:=,][ \t]{0,4}[\"'`]?(?:bearer|token|ssws)[ \t]{1,4})"
    rb"([A-Za-z0-9+/_.~=-]{20,512})",
    (b"uthorization", b"UTHORIZATION"),
)
COMMAND_VALUE = SecretFormat(
    "command-credential",
    "password in a command",
    rb"curl[^\n]{0,400}?[ \t](?:-u|--user)[ \t=]{1,2}[\"']?[^\s:\"']{1,64}:([^\s\"'\\]{8,128})",
    (b"curl",),
)
NETRC_VALUE = SecretFormat(
    "netrc-credential",
    "password for a host",
    rb"machine[ \t\n]{1,4}[^\s]{1,253}[ \t\n]{1,8}login[ \t]{1,4}[^\s]{1,128}[ \t\n]{1,8}"
    rb"password[ \t]{1,4}([^\s]{8,128})",
    (b"machine",),
)
CONNECTION_VALUE = SecretFormat(
    "connection-credential",
    "password in the address of a database",
    rb"[;?&](?i:password|pwd)=([^;&\s\"'<>`\\]{8,128})",
    (b"assword=", b"wd=", b"WD="),
)
AROUND = (BASIC_VALUE, HEADER_VALUE, COMMAND_VALUE, NETRC_VALUE, CONNECTION_VALUE)
