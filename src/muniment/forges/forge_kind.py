"""What differs between kinds of forges, and is needed before a forge is opened. Each folder of a vendor has its own."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import NamedTuple

from msgspec import Struct

from muniment.errors import ForgeCode, ForgeError
from muniment.forges.forge import Forge, Listener
from muniment.forges.forge_client import UNSHARED_TRANSPORT, ForgeClient, Transport
from muniment.forges.shapes import Account, Vendor

_ASKS_FOR_A_TOKEN = (ForgeCode.NOT_SIGNED_IN, ForgeCode.FORBIDDEN)

MakeClient = Callable[[str], ForgeClient]  # for a base address, without a token
SaveCredential = Callable[[Mapping[str, str]], None]  # in the vault


class ForgeSession(NamedTuple):
    """Name and root address of a forge to open, with the clock and the way there."""

    name: str
    url: str
    now: Callable[[], str]
    transport: Transport = UNSHARED_TRANSPORT


class OwnerSyntax(StrEnum):
    """Syntax of a CODEOWNERS file."""

    PATTERNS = "patterns"  # the last one that matches wins
    SECTIONS = "sections"  # the last one of each section
    EXPRESSIONS = "expressions"  # regular expressions, of which all count


class ForgeKind(Struct, frozen=True):
    """Kind of forge. `title`: the vendor's own spelling of its name. `public_hosts`: where everybody may sign up.

    `connect` opens one with a token, which is called for each request. `connect_with_credential` opens one with a
    credential from the vault, and gives None for a credential that is a token. `is_own_host`: whether a host is the
    vendor's, so that nothing has to be asked there. `recognise` asks a root address which vendor answers, and gives
    None if another kind does. `make_noreply_domain`: domain of the forge's own addresses, for its host.

    `id_separator`: what stands between id and login in these addresses, "" where they have no id. `page_prefix`: part
    of a page's path between repository and page. `name_account`: an account as the rules of a branch name it.
    `binds_checks`: whether a required check can be bound to our account, and pushes are held to it; then the forge's
    merge queue can be bound too. `protection_reason`: why its default protection is what it is.

    `has_app`: whether Muniment connects as an App of its own. `reads_repository_by_id`: whether a path that another
    repository took leads nowhere. `reads_reviews_singly`: one change at a time. `limit_window_seconds`: in which it
    counts requests. `can_hide_pushes`: whether an account can hide its pushes from the list of them.
    `internal_ref_folders`: in which the forge alone writes refs. `format_secret_deletion`: command that deletes a
    secret, of the root address, path and name. `owner_folders`: where its CODEOWNERS file is looked for, in this order.
    """

    vendor: Vendor
    title: str
    public_hosts: tuple[str, ...]
    connect: Callable[[ForgeSession, Callable[[], str]], Forge]
    connect_with_credential: Callable[[ForgeSession, Mapping[str, str], SaveCredential | None], Forge | None]
    make_listener: Callable[[], Listener]
    is_own_host: Callable[[str], bool]
    recognise: Callable[[str, MakeClient], Vendor | None]
    make_noreply_domain: Callable[[str], str]
    id_separator: str
    page_prefix: str
    has_nested_groups: bool
    name_account: Callable[[Account], str]
    binds_checks: bool
    protection_reason: str
    has_app: bool
    reads_repository_by_id: bool
    reads_reviews_singly: bool
    limit_window_seconds: int
    can_hide_pushes: bool
    internal_ref_folders: tuple[str, ...]
    format_secret_deletion: Callable[[str, str, str], str]
    owner_syntax: OwnerSyntax
    owner_folders: tuple[str, ...]


def probe_path(client: ForgeClient, path: str) -> object:
    """The answer at `path`, "" if only a token may read it, None if there is none.

    Raises ForgeError if the host does not answer.
    """
    try:
        found: object = client.get_json(path)
    except ForgeError as error:
        if error.code in (ForgeCode.UNREACHABLE, ForgeCode.TIMED_OUT):
            raise
        return "" if error.code in _ASKS_FOR_A_TOKEN and path == "meta" else None
    return found
