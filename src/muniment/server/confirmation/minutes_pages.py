"""Page of the confirmation process on which a person signs the minutes of a meeting with a passkey.

Everybody who has the random address of the minutes sees it. No cookie is read or set: a signature says who signed.
"""

import json
import secrets

import msgspec
from django.conf import settings
from django.db import connection
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods
from fido2.utils import websafe_encode
from msgspec import Struct

from muniment.errors import NotCanonicalError, RefusedError
from muniment.facts import canonical
from muniment.facts.act_statements import RANDOM_BYTES
from muniment.facts.minutes_statements import (
    MinutesStatement,
    decode_minutes_statement,
    digest_minutes_statement,
    encode_minutes_statement,
)
from muniment.server.confirmation.request_pages import EnrolledKey
from muniment.server.people.act_signatures import (
    LONGEST_ACT_SIGNATURE,
    PASSKEY,
    SigningKey,
    find_confirmation_origin,
    require_passkey_signature,
)

_LARGEST_STATEMENT = 2000  # characters
_ADVISER = "dpo"
_WORDS = {  # the values of minutes.models.Statement, whose table is not needed here
    "confirmed": gettext_lazy("I confirm these minutes."),
    "advice": gettext_lazy("I was involved in good time, and this is my advice."),
    "no-advice": gettext_lazy("I have no advice."),
}
_KINDS = {
    "decision": gettext_lazy("Decision"),
    "action": gettext_lazy("Action"),
    "advice": gettext_lazy("Advice"),
    "dissent": gettext_lazy("Dissent"),
}
_INSERT = """
    INSERT INTO minutes_minutesproof (minutes_id, signer_id, authenticator_id, statement, signature)
    VALUES (%s, %s, %s, %s, %s)
"""


class MinutesEntryText(Struct, frozen=True):
    """Entry of the minutes: people by their id, `due` an ISO 8601 day or ""."""

    kind: str
    text: str
    author: str
    owner: str
    due: str


class MinutesItemText(Struct, frozen=True):
    """Item of the agenda, with the reason of a deferred one."""

    title: str
    state: str
    reason: str


class MinutesText(Struct, frozen=True):
    """Minutes as far as this page shows them: their other parts are in the fingerprint all the same."""

    opened_at: str
    closed_at: str
    items: tuple[MinutesItemText, ...]
    entries: tuple[MinutesEntryText, ...]
    excuses: tuple[str, ...]


class SignableMinutes(Struct, frozen=True):
    """Minutes as the database shows them to this process. `roles` are those of the signer in the meeting."""

    number: int
    meeting: int
    kind: str
    product: str
    text: str
    digest: str
    signer_name: str
    roles: tuple[str, ...]
    names: dict[str, str]
    keys: tuple[EnrolledKey, ...]

    @property
    def page_address(self) -> str:
        """Address of the page of the minutes in the service, where the person goes on."""
        return f"{settings.URL}/meetings/{self.meeting}/minutes"


class SignedEntryText(Struct, frozen=True):
    """Entry as the page shows it, with names."""

    kind: str
    text: str
    note: str


@require_http_methods(["GET", "POST"])
def sign_minutes_page(
    request: HttpRequest, minutes_id: str, signer: str, role: str, statement: str
) -> HttpResponseBase:
    """Show the minutes, or take a signature over their fingerprint."""
    found = _read_minutes(minutes_id, signer)
    if role not in found.roles or statement not in _WORDS or (role == _ADVISER) == (statement == "confirmed"):
        raise Http404
    wanted = MinutesStatement(minutes_id, found.digest, role, statement, signer, secrets.token_hex(RANDOM_BYTES))
    if request.method == "POST":
        return _take_signature(request, found, wanted)
    text = msgspec.json.decode(found.text, type=MinutesText)
    data = encode_minutes_statement(wanted)
    context = {
        "minutes": found,
        "text": text,
        "is_retro": found.kind == "retro",
        "entries": [_show_entry(each, found.names) for each in text.entries],
        "deferred": [each for each in text.items if each.reason],
        "words": _WORDS[statement],
        "statement": data.decode(),
        "challenge": websafe_encode(digest_minutes_statement(data)),
        "rp_id": find_confirmation_origin().rp_id,
        "passkeys": " ".join(key.identifier for key in found.keys if key.kind == PASSKEY),
        "page": found.page_address,
    }
    return render(request, "confirmation/minutes.html", context)


def _show_entry(entry: MinutesEntryText, names: dict[str, str]) -> SignedEntryText:
    person = names.get(entry.owner or entry.author, _("a person who was erased"))
    note = _("%(name)s, by %(day)s") % {"name": person, "day": entry.due} if entry.due else person
    return SignedEntryText(str(_KINDS.get(entry.kind, entry.kind)), entry.text, note)


def _read_minutes(minutes_id: str, signer: str) -> SignableMinutes:
    """Read the minutes, as this person may sign them. Raises Http404 for none, and for text without its fingerprint."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT muniment_show_minutes(%s, %s)", [minutes_id, signer])
        row = cursor.fetchone()
    if row is None or row[0] is None:
        raise Http404
    found = msgspec.convert(row[0] if isinstance(row[0], dict) else json.loads(row[0]), SignableMinutes)
    if canonical.digest_bytes(found.text.encode()) != found.digest:  # what is shown must be what is signed
        raise Http404
    return found


def _take_signature(request: HttpRequest, found: SignableMinutes, wanted: MinutesStatement) -> HttpResponse:
    text, signature = str(request.POST.get("statement", "")), str(request.POST.get("signature", ""))
    try:
        key = _require_signature(found, wanted, text, signature)
    except RefusedError as error:
        context = {"error": error, "page": found.page_address, "back": _("Back to the minutes")}
        return render(request, "confirmation/refused.html", context, status=409)
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, [found.number, wanted.signer, key.id, text, signature])
    context = {
        "page": found.page_address,
        "next": _("Your signature is stored. Add it to the minutes on their page, which opens now."),
        "open": _("Open the minutes"),
    }
    return render(request, "confirmation/stored.html", context, status=201)


def _require_signature(found: SignableMinutes, wanted: MinutesStatement, text: str, signature: str) -> EnrolledKey:
    """Authenticator that signed. Raises RefusedError unless the signature is one over these minutes."""
    if len(text) > _LARGEST_STATEMENT or len(signature) > LONGEST_ACT_SIGNATURE:
        raise _make_error(_("it is too long"))
    try:
        signed = decode_minutes_statement(text.encode())
        credential = msgspec.json.decode(signature, type=_CredentialName).id
    except (NotCanonicalError, msgspec.MsgspecError) as error:
        raise _make_error(_("it has another form")) from error
    if msgspec.structs.replace(signed, random=wanted.random) != wanted:
        raise _make_error(_("it is over something else"))
    for key in found.keys:
        if key.kind == PASSKEY and key.identifier == credential:
            digest = digest_minutes_statement(text.encode())
            require_passkey_signature(
                SigningKey(key.kind, key.public_key), digest, signature, find_confirmation_origin()
            )
            return key
    raise _make_error(_("no passkey of yours that is enrolled made it"))


class _CredentialName(Struct, frozen=True):
    id: str


def _make_error(why: str) -> RefusedError:
    return RefusedError(
        "signature-refused",
        _("The signature was not stored: %(why)s.") % {"why": why},
        _("Open the minutes again, and sign what they show."),
    )
