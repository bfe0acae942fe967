"""home.toml: what an installation decides for itself, each with what holds if it is not said."""

from msgspec import Struct

from muniment.errors import HomeFileError
from muniment.ledger import keys
from muniment.policy.reading import Document, Table, shown

PUSHERS = ("MUNIMENT_PUSHER", "GL_USER", "REMOTE_USER")

_SECONDS = (1, 600)
_OUTSIDE = r"/[^\0]*|git:[^\s\0]+"
_URL = r"https?://[^\s?#]+"


class Witness(Struct, frozen=True):
    """Somebody else who signs what they saw of the ledger: public key (C2SP tlog-cosignature) and address."""

    key: str
    url: str


class Settings(Struct, frozen=True):
    """`pusher`: the one environment variable that says who pushes, in which the server alone can write.

    `timeout_seconds`: how long a push may be judged. `outside`: where the newest checkpoint is kept as well, a path or
    `git:URL`, "" for nowhere.
    """

    pusher: str = PUSHERS[0]
    timeout_seconds: int = 30
    outside: str = ""
    witnesses: tuple[Witness, ...] = ()


def read_settings(text: str | None, where: str) -> Settings:
    """What home.toml says; None if there is no such file. Raises HomeFileError."""
    if text is None:
        return Settings()
    top = Document(text, where, HomeFileError).top
    gate, ledger = top.table("gate"), top.table("ledger")
    usual = Settings()
    settings = Settings(
        pusher=_pusher(gate) if gate.has("pusher") else usual.pusher,
        timeout_seconds=_seconds(gate) if gate.has("timeout_seconds") else usual.timeout_seconds,
        outside=ledger.text("outside", 'a full path, or "git:URL"', _OUTSIDE) if ledger.has("outside") else "",
        witnesses=tuple(_witness(table) for table in top.tables("witness")),
    )
    for table in (gate, ledger, top):
        table.done()
    return settings


def home_text() -> str:
    """The first home.toml: what holds, with what else could."""
    return f"""# What this installation decides for itself. A line that begins with # says what holds without it.

[gate]
# The one environment variable that says who pushes. Only the server may be able to set it:
#   MUNIMENT_PUSHER  a person's id, set for each SSH key in authorized_keys
#   GL_USER          the name that gitolite gives; in people.toml: accounts = {{ gitolite = ["name"] }}
#   REMOTE_USER      the name that a web server gives; in people.toml: accounts = {{ http = ["name"] }}
# pusher = "{PUSHERS[0]}"

# How long judging a push may take; then it is denied.
# timeout_seconds = {Settings().timeout_seconds}

[ledger]
# Keep the newest checkpoint where this machine's backup does not reach: a full path, or a git repository.
# An older or other ledger is then found out, and signs nothing until a person looks at it.
# outside = "/mnt/elsewhere/checkpoint"
# outside = "git:ssh://git@elsewhere.example.test/checkpoints.git"

# Others who sign what they saw of the ledger, when you run: muniment ledger witness
# [[witness]]
# key = "witness.example.test+..."
# url = "https://witness.example.test"
"""


def _pusher(table: Table) -> str:
    return table.text("pusher", "one of " + ", ".join(PUSHERS), "|".join(PUSHERS))


def _seconds(table: Table) -> int:
    least, most = _SECONDS
    found: int = table.value("timeout_seconds", int, "a whole number")
    if not least <= found <= most:
        raise table.wrong("timeout_seconds", f"a number of seconds from {least} to {most}", shown(found))
    return found


def _witness(table: Table) -> Witness:
    witness = Witness(
        table.text("key", "a witness' public key", r"\S+"), table.text("url", "an address, http or https", _URL)
    )
    table.done()
    try:
        kind = keys.read_public(witness.key).kind
    except ValueError:
        kind = 0
    if kind != keys.COSIGNER:
        raise table.wrong("key", "a witness' public key (name+hash+key, of kind 4)", shown(witness.key))
    return witness
