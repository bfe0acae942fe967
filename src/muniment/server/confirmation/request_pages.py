"""Pages of the confirmation process: one request as a card with two buttons, and the signature that it takes.

Everybody who has the random address of a request sees it. No cookie is read or set: a signature says who signed.
"""

import json
from typing import Any

from django.conf import settings
from django.db import connection
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods
from fido2.utils import websafe_encode
from msgspec import Struct, convert

from muniment.errors import NotCanonicalError, RefusedError
from muniment.facts import canonical
from muniment.facts.act_statements import (
    ActStatement,
    ActStep,
    decode_act_statement,
    digest_to_sign,
    encode_act_statement,
)
from muniment.git.signatures import read_embedded_key
from muniment.server.people.act_signatures import (
    LONGEST_ACT_SIGNATURE,
    PASSKEY,
    SSH_KEY,
    SigningKey,
    find_confirmation_origin,
    require_valid_signature,
)
from muniment.server.requests.confirmation_text import ShownRequest, make_act_statement

_LARGEST_STATEMENT = 1 << 19  # characters: a policy is a part of no act, and everything else is small
_INSERT = """
    INSERT INTO requests_actproof (request_id, step, signer_id, authenticator_id, statement, signature)
    VALUES (%s, %s, %s, %s, %s, %s)
"""


class EnrolledKey(Struct, frozen=True):
    """Authenticator of the signer, by its row's number."""

    id: int
    kind: str
    identifier: str
    public_key: str


class SignableRequest(Struct, frozen=True):
    """Request as the database shows it to this process; `number` is that of its row."""

    number: int
    act: str
    shown: str
    requester: str
    signer_name: str
    waiting: bool
    keys: tuple[EnrolledKey, ...]

    def signing_step(self, signer: str) -> ActStep:
        """Step that a person signs: the requester the request, everybody else the approval."""
        return ActStep.REQUEST if signer == self.requester else ActStep.APPROVE


@require_http_methods(["GET", "POST"])
def confirm_request_page(request: HttpRequest, request_id: str, signer: str) -> HttpResponseBase:
    """Show the request, or take a signature over it."""
    found = _read_signable_request(request_id, signer)
    if request.method == "POST":
        return _take_signature(request, found, request_id, signer)
    made = make_act_statement(request_id, found.act, found.shown, found.signing_step(signer), signer)
    data = encode_act_statement(made)
    passkeys = [key.identifier for key in found.keys if key.kind == PASSKEY]
    context = {
        "shown": canonical.decode(found.shown.encode(), ShownRequest),
        "fields": json.loads(found.act),
        "signer_name": found.signer_name,
        "approves": made.step is ActStep.APPROVE,
        "statement": data.decode(),
        "challenge": websafe_encode(digest_to_sign(data)),
        "rp_id": find_confirmation_origin().rp_id,
        "passkeys": " ".join(passkeys),
        "has_ssh_key": any(key.kind == SSH_KEY for key in found.keys),
        "address": f"{settings.CONFIRMATION_URL}/requests/{request_id}/{signer}",
        "page": _format_page_address(found),
    }
    return render(request, "confirmation/request.html", context)


@require_GET
def show_statement(request: HttpRequest, request_id: str, signer: str) -> HttpResponse:
    """Show the statement that `muniment confirm` prints and signs."""
    found = _read_signable_request(request_id, signer)
    made = make_act_statement(request_id, found.act, found.shown, found.signing_step(signer), signer)
    keys = [key.public_key for key in found.keys if key.kind == SSH_KEY]
    return JsonResponse({"statement": encode_act_statement(made).decode(), "shown": found.shown, "keys": keys})


@require_GET
def check_liveness(request: HttpRequest) -> HttpResponse:
    """Report that this process answers."""
    return HttpResponse("ok", content_type="text/plain")


def show_missing(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Say that there is no such request."""
    return HttpResponse(_("No such request waits for you."), status=404, content_type="text/plain; charset=utf-8")


def show_bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Say that the request cannot be understood."""
    return HttpResponse(_("This cannot be asked for."), status=400, content_type="text/plain; charset=utf-8")


def show_failure(request: HttpRequest) -> HttpResponse:
    """Say that it failed, and that nothing was stored."""
    text = _("That failed, and nothing was stored. Try again in a moment.")
    return HttpResponse(text, status=500, content_type="text/plain; charset=utf-8")


def _take_signature(request: HttpRequest, signable: SignableRequest, request_id: str, signer: str) -> HttpResponse:
    text, signature = str(request.POST.get("statement", "")), str(request.POST.get("signature", ""))
    wants_json = request.headers.get("Accept") == "application/json"
    try:
        _store_signature(signable, request_id, signer, text, signature)
    except RefusedError as error:
        if wants_json:
            return JsonResponse({"code": error.code, "message": error.message, "remedy": error.remedy}, status=409)
        context = {"error": error, "page": _format_page_address(signable)}
        return render(request, "confirmation/refused.html", context, status=409)
    if wants_json:
        return JsonResponse({"stored": True}, status=201)
    return render(request, "confirmation/stored.html", {"page": _format_page_address(signable)}, status=201)


def _format_page_address(signable: SignableRequest) -> str:
    """Address of the request's page in the service, where the person goes on."""
    return f"{settings.URL}/requests/{signable.number}"


def _store_signature(signable: SignableRequest, request_id: str, signer: str, text: str, signature: str) -> None:
    """Store a signature. Raises RefusedError unless it is valid, over what this request shows."""
    if len(text) > _LARGEST_STATEMENT or len(signature) > LONGEST_ACT_SIGNATURE:
        raise _make_signature_error(_("it is too long"))
    try:
        signed = decode_act_statement(text.encode())
    except NotCanonicalError as error:
        raise _make_signature_error(error.message) from error
    expected = make_act_statement(request_id, signable.act, signable.shown, signable.signing_step(signer), signer)
    if _without_random(signed) != _without_random(expected):
        raise _make_signature_error(_("it is over something else"))
    key = _find_signing_key(signable, signature)
    require_valid_signature(SigningKey(key.kind, key.public_key), text.encode(), signature, find_confirmation_origin())
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, [signable.number, signed.step.value, signer, key.id, text, signature])


def _without_random(one: ActStatement) -> tuple[str, ...]:
    return (one.origin, one.request, one.act, one.shown, one.step.value, one.signer)


def _find_signing_key(signable: SignableRequest, signature: str) -> EnrolledKey:
    """Authenticator of the signer that a signature names. Raises RefusedError."""
    ssh_key = read_embedded_key(signature)
    for key in signable.keys:
        if key.kind == SSH_KEY and key.public_key == ssh_key:
            return key
        if key.kind == PASSKEY and key.identifier == _read_credential_id(signature):
            return key
    raise _make_signature_error(_("no authenticator of yours that is enrolled made it"))


def _read_credential_id(signature: str) -> str:
    """Id of the credential that a passkey's answer names, "" for anything else."""
    try:
        answer: Any = json.loads(signature)
    except ValueError:
        return ""
    return str(answer.get("id", "")) if isinstance(answer, dict) else ""


def _read_signable_request(request_id: str, signer: str) -> SignableRequest:
    """Read the request, as this person may sign it. Raises Http404 for one that is over, or is none."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT muniment_show_request(%s, %s)", [request_id, signer])
        row = cursor.fetchone()
    if row is None or row[0] is None:
        raise Http404
    found = convert(row[0] if isinstance(row[0], dict) else json.loads(row[0]), SignableRequest)
    if not found.waiting or not found.act or not found.shown:
        raise Http404
    return found


def _make_signature_error(why: str) -> RefusedError:
    return RefusedError(
        "signature-refused",
        _("The signature was not stored: %(why)s.") % {"why": why.rstrip(".")},
        _("Open the request again, and sign what it shows."),
    )
