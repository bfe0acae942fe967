"""Guests of a review: their link, the code to the same address, and their answers. Nobody signs in.

A link changes nothing by itself, since scanners of mail open each. The worker makes links and codes, mails them, and
stores their hashes alone; a code works for 15 minutes and five attempts.
"""

import datetime
import hashlib
import secrets
from collections.abc import Mapping

from django.conf import settings
from django.contrib.auth.hashers import check_password, make_password
from django.core import signing
from django.core.signing import BadSignature
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone, translation
from django.utils.dateformat import format as format_date
from django.utils.translation import gettext as _

from muniment.errors import RefusedError
from muniment.server.job_queue import enqueue
from muniment.server.people.messages import send_mail_to
from muniment.server.reviews.models import GuestAnswer, GuestQuestion, MarketRequirement, ReviewGuest

GUEST_DAYS = 30
CODE_MINUTES = 15
COOKIE = "review_guest"
COOKIE_SECONDS = 8 * 3600
_WAIT = datetime.timedelta(minutes=1)  # between two codes
_MOST_WRONG = 5
_TOKEN_BYTES = 32
_SALT = "muniment.review-guest"


def hash_token(token: str) -> str:
    """Hash of the secret part of a link, as stored."""
    return hashlib.sha256(token.encode()).hexdigest()


def find_guests_in_force() -> "QuerySet[ReviewGuest]":
    """Guests whose link works: neither ended nor expired, of a meeting that was not cancelled."""
    rows = ReviewGuest.objects.filter(ended_at=None, expires_at__gt=timezone.now(), meeting__cancelled_at=None)
    return rows.select_related("meeting__product", "invited_by")


def find_guest(token: str) -> ReviewGuest | None:
    """Guest of a link; None for one that does not work any more."""
    return find_guests_in_force().filter(token_hash=hash_token(token)).first()


def request_code(guest: ReviewGuest) -> None:
    """Have a new code mailed. Raises RefusedError if the last one was requested a moment ago."""
    now = timezone.now()
    due = Q(code_wanted_at=None) | Q(code_wanted_at__lte=now - _WAIT)
    if not ReviewGuest.objects.filter(due, pk=guest.pk).update(code_wanted_at=now):
        raise RefusedError(
            "code-on-its-way", _("A code was requested a moment ago."), _("Wait a minute, and look into your mail.")
        )
    enqueue("mail-guests")


def is_code_waiting(guest: ReviewGuest) -> bool:
    """Whether a code was requested that can still be entered."""
    wanted = guest.code_wanted_at
    if wanted is None or (guest.code_sent_at is not None and guest.code_sent_at > wanted and not guest.code_hash):
        return False
    return timezone.now() < max(wanted, guest.code_sent_at or wanted) + datetime.timedelta(minutes=CODE_MINUTES)


def enter_code(guest: ReviewGuest, code: str) -> str:
    """Value of the cookie that lets the guest in. A code works once. Raises RefusedError."""
    typed, now = "".join(code.split()), timezone.now()
    with transaction.atomic():
        row = ReviewGuest.objects.select_for_update().get(pk=guest.pk)  # two attempts at once count as two
        problem = _find_code_problem(row)
        if problem is None and not check_password(typed, row.code_hash):
            problem = RefusedError(
                "wrong-code", _("This is not the code that was mailed."), _("Type the newest code, or send a new one.")
            )
            ReviewGuest.objects.filter(pk=row.pk).update(wrong_codes=F("wrong_codes") + 1)
        if problem is None:
            ReviewGuest.objects.filter(pk=row.pk).update(code_hash="", proven_at=now)
    if problem is not None:  # outside the transaction, which has counted the attempt
        raise problem
    return signing.dumps([guest.pk, now.isoformat()], salt=_SALT)


def is_proven(guest: ReviewGuest, cookie: str) -> bool:
    """Whether a cookie was given for the newest code of this guest, not too long ago."""
    if guest.proven_at is None:
        return False
    try:
        found = signing.loads(cookie, salt=_SALT, max_age=COOKIE_SECONDS)
    except BadSignature:
        return False
    return bool(found == [guest.pk, guest.proven_at.isoformat()])


def can_answer(guest: ReviewGuest) -> bool:
    """Whether the facts of the review are not fixed yet."""
    return guest.meeting.is_open and not hasattr(guest.meeting, "held_minutes")


def store_answers(guest: ReviewGuest, answers: Mapping[GuestQuestion, str]) -> None:
    """Store the answers in place of the former ones; a blank one is removed. Raises RefusedError after the opening."""
    if not can_answer(guest):
        raise RefusedError("facts-fixed", _("The meeting has begun."), _("Say it in the meeting."))
    with transaction.atomic():
        for question, text in answers.items():
            if text:
                values = {"text": text, "written_at": timezone.now()}
                GuestAnswer.objects.update_or_create(guest=guest, question=question, defaults=values)
            else:
                GuestAnswer.objects.filter(guest=guest, question=question).delete()


def find_wishes(guest: ReviewGuest) -> list[MarketRequirement]:
    """Requirements that came from the organisation of a guest: all that the guest sees of the product."""
    if not guest.organisation:
        return []
    rows = MarketRequirement.objects.filter(product=guest.meeting.product, origin__istartswith=guest.organisation)
    return list(rows.order_by("pk")[:40])


def send_guest_mails() -> int:
    """Mail links and codes that are due; how many. For the worker. Raises OSError after all were tried."""
    refused: OSError | None = None
    sent = 0
    for guest in find_guests_in_force().filter(Q(mailed_at=None) | Q(code_wanted_at__isnull=False)):
        for is_due, send in ((guest.mailed_at is None, _send_link), (_is_code_due(guest), _send_code)):
            if not is_due:
                continue
            try:
                sent += send(guest)
            except OSError as error:
                refused = error
    if refused is not None:
        raise refused
    return sent


def _find_code_problem(row: ReviewGuest) -> RefusedError | None:
    oldest = timezone.now() - datetime.timedelta(minutes=CODE_MINUTES)
    if not row.code_hash or row.code_sent_at is None or row.code_sent_at < oldest:
        return RefusedError("no-code", _("No code works now."), _("Send a new one."))
    if row.wrong_codes >= _MOST_WRONG:
        return RefusedError("too-many-attempts", _("That was tried too often."), _("Send a new code."))
    return None


def _is_code_due(guest: ReviewGuest) -> bool:
    wanted = guest.code_wanted_at
    if wanted is None or wanted < timezone.now() - datetime.timedelta(minutes=CODE_MINUTES):
        return False
    return guest.code_sent_at is None or guest.code_sent_at < wanted


def _send_link(guest: ReviewGuest) -> bool:
    """Mail the link. The hash is stored before: a link that arrives must work, also if the process ends then."""
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    rows = ReviewGuest.objects.filter(pk=guest.pk)
    rows.update(token_hash=hash_token(token))
    with translation.override(guest.language):
        subject, text = _write_link_mail(guest, f"{settings.URL}/guests/{token}")
    if not send_mail_to(guest.email, subject, text):
        return False
    rows.update(mailed_at=timezone.now())
    return True


def _write_link_mail(guest: ReviewGuest, link: str) -> tuple[str, str]:
    """Subject and text of the mail with a guest's link, in the language that is active."""
    details = {
        "name": guest.invited_by.name,
        "product": guest.meeting.product.name,
        "day": format_date(guest.meeting.date, "l j F Y"),
        "last": format_date(guest.expires_at, "l j F Y"),
    }
    lines = [
        _("%(name)s invites you to the security review of %(product)s.") % details,
        _("The meeting is on %(day)s. Before it, please answer five questions: about five minutes.") % details,
        "",
        link,
        "",
        _("No account is needed. The link works until %(last)s.") % details,
        _("Opening it changes nothing. A code is sent to this address when you ask for it."),
    ]
    return _("Security review of %(product)s: your questions") % details, "\n".join(lines)


def _send_code(guest: ReviewGuest) -> bool:
    code = f"{secrets.randbelow(10**8):08}"
    rows = ReviewGuest.objects.filter(pk=guest.pk)
    rows.update(code_hash=make_password(code), code_sent_at=timezone.now(), wrong_codes=0)
    with translation.override(guest.language):
        subject, text = _write_code_mail(guest, code)
    try:
        return send_mail_to(guest.email, subject, text)
    except OSError:
        rows.update(code_sent_at=guest.code_sent_at, code_hash="")
        raise


def _write_code_mail(guest: ReviewGuest, code: str) -> tuple[str, str]:
    """Subject and text of the mail with a code, in the language that is active."""
    details = {"product": guest.meeting.product.name, "code": code, "minutes": CODE_MINUTES}
    lines = [
        _("Your code for the security review of %(product)s: %(code)s") % details,
        _("It works for %(minutes)d minutes, once.") % details,
    ]
    return _("Code for the security review of %(product)s") % details, "\n".join(lines)
