"""home.toml: settings of an installation, each with its default."""

from pathlib import Path

from msgspec import Struct

from muniment.errors import HomeFileError, ParseError
from muniment.ledger import ledger_keys
from muniment.policy.toml_reading import TomlDocument, TomlTable, quote_value
from muniment.programs.credential_hiding import hide_credentials

PUSHER_VARIABLES = ("MUNIMENT_PUSHER", "GL_USER", "REMOTE_USER")

_SECONDS = (1, 600)
_NAME = r"\S(?:[^\r\n]{0,58}\S)?"
_URL = r"https?://[^\s?#]+"


class WitnessKey(Struct, frozen=True):
    """Another party that signs the ledger's checkpoints: public key (C2SP tlog-cosignature) and address."""

    key: str
    url: str


class Settings(Struct, frozen=True):
    """`pusher_variable`: the one environment variable that names the pusher, which only the server can set.

    `timeout_seconds`: how long the evaluation of a push may take. `external_copy`: a second place for the newest
    checkpoint, a path or `git:URL`, "" for none. `organisation`: the name that pages show, "" for none.
    """

    pusher_variable: str = PUSHER_VARIABLES[0]
    timeout_seconds: int = 30
    external_copy: str = ""
    witnesses: tuple[WitnessKey, ...] = ()
    organisation: str = ""


def read_settings(text: str | None, where: str, home: Path) -> Settings:
    """Settings in the home.toml of `home`; None if there is no such file. `where` names it. Raises HomeFileError."""
    if text is None:
        return Settings()
    top = TomlDocument(text, where, HomeFileError).top
    server_hook, ledger = top.get_table("server_hook"), top.get_table("ledger")
    usual = Settings()
    settings = Settings(
        organisation=top.get_text("organisation", "the name of the organisation, at most 60 characters", _NAME)
        if top.has_key("organisation")
        else usual.organisation,
        pusher_variable=_read_pusher_variable(server_hook)
        if server_hook.has_key("pusher_variable")
        else usual.pusher_variable,
        timeout_seconds=_read_timeout(server_hook) if server_hook.has_key("timeout_seconds") else usual.timeout_seconds,
        external_copy=_read_external_copy(ledger, home) if ledger.has_key("external_copy") else "",
        witnesses=tuple(_read_witness(table) for table in top.get_tables("witness")),
    )
    for table in (server_hook, ledger, top):
        table.refuse_unread()
    return settings


def make_home_text() -> str:
    """The first home.toml: the defaults, and the alternatives as comments."""
    return f"""# What this installation decides for itself. A line that begins with # shows the default.

# The name of your organisation, as pages show it.
# organisation = "Example Company"

[server_hook]
# The one environment variable that says who pushes. Only the server may be able to set it:
#   MUNIMENT_PUSHER  a person's id, set for each SSH key in authorized_keys
#   GL_USER          the name that gitolite gives; in people.toml: accounts = {{ gitolite = ["name"] }}
#   REMOTE_USER      the name that a web server gives; in people.toml: accounts = {{ http = ["name"] }}
# pusher_variable = "{PUSHER_VARIABLES[0]}"

# How long the evaluation of a push may take; then the push is denied.
# timeout_seconds = {Settings().timeout_seconds}

[ledger]
# Keep the newest checkpoint where this machine's backup does not reach: a full path, or a git repository.
# An older or other ledger is then found out, and signs nothing until a person looks at it.
# external_copy = "/mnt/elsewhere/checkpoint"
# external_copy = "git:ssh://git@elsewhere.example.test/checkpoints.git"

# Others who sign what they saw of the ledger, when you run: muniment ledger witness --home DIR
# [[witness]]
# key = "witness.example.test+..."
# url = "https://witness.example.test"
"""


def _read_pusher_variable(table: TomlTable) -> str:
    return table.get_text("pusher_variable", "one of " + ", ".join(PUSHER_VARIABLES), "|".join(PUSHER_VARIABLES))


def _read_timeout(table: TomlTable) -> int:
    least, most = _SECONDS
    found: int = table.get_value("timeout_seconds", int, "a whole number")
    if not least <= found <= most:
        raise table.create_error("timeout_seconds", f"a number of seconds from {least} to {most}", quote_value(found))
    return found


def _read_external_copy(table: TomlTable, home: Path) -> str:
    from muniment.store.external_copy import explain_invalid_copy  # few have one, and pushers wait for imports

    found = table.get_text("external_copy", 'a full path, or "git:URL"')
    problem = explain_invalid_copy(found, home)
    if problem:
        raise table.create_error(
            "external_copy", f'a full path, or "git:URL" ({problem})', quote_value(hide_credentials(found))
        )
    return found


def _read_witness(table: TomlTable) -> WitnessKey:
    witness = WitnessKey(
        table.get_text("key", "a witness' public key", r"\S+"), table.get_text("url", "an address, http or https", _URL)
    )
    table.refuse_unread()
    try:
        kind = ledger_keys.parse_public_key(witness.key).kind
    except ParseError:
        kind = 0
    if kind != ledger_keys.COSIGNER:
        raise table.create_error("key", "a witness' public key (name+hash+key, of kind 4)", quote_value(witness.key))
    return witness
