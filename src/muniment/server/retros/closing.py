"""Ends what names people in a retro: votes become totals, and answers to the last question become counts.

Until then votes are rows, since each person sees and withdraws their own. Answers to the last question are encrypted
anew at each write, under a key that no backup has: no copy of the database shows which write added which answer.
"""

import json
import secrets
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.db import transaction
from django.db.models import Count
from django.utils.translation import gettext as _

from muniment.errors import StoreError
from muniment.server.guarding.home_keys import delete_feedback_key, make_feedback_key, read_feedback_key
from muniment.server.meetings.models import ProductMeeting
from muniment.server.retros.models import RetroCard, RetroVote, Worth, WorthAnswer, WorthPool

_KEY_BITS, _NONCE_BYTES = 256, 12
_SIZE = 4096  # bytes of every encrypted pool, so that its length says nothing


def add_worth_answer(meeting: ProductMeeting, worth: Worth) -> None:
    """Add an answer to the last question. In the caller's transaction.

    The row of the meeting is locked, so that two people cannot both make the pool.
    """
    ProductMeeting.objects.select_for_update().get(pk=meeting.pk)
    row = WorthPool.objects.filter(meeting=meeting).first()
    if row is None:
        make_feedback_key(Path(settings.HOME), _key_number(meeting), AESGCM.generate_key(_KEY_BITS))
        row = WorthPool.objects.create(meeting=meeting, cells=b"")
    answers = [*_read_pool(row), worth.value]
    secrets.SystemRandom().shuffle(answers)
    WorthPool.objects.filter(pk=row.pk).update(cells=_encrypt_pool(meeting, answers))


def close_retro(meeting: ProductMeeting) -> None:
    """Replace votes by totals and the pool by counts. What older copies hold of the pool can never be read again."""
    totals = RetroVote.objects.filter(card__meeting=meeting).values_list("card").annotate(Count("pk"))
    for card, total in list(totals):
        RetroCard.objects.filter(pk=card).update(vote_total=total)
    RetroVote.objects.filter(card__meeting=meeting).delete()
    pool = WorthPool.objects.select_for_update().filter(meeting=meeting).first()
    if pool is None:
        return
    answers = _read_pool(pool)
    for worth in Worth:
        if count := answers.count(worth.value):
            WorthAnswer.objects.create(meeting=meeting, answer=worth, count=count)
    pool.delete()
    transaction.on_commit(lambda: delete_feedback_key(Path(settings.HOME), _key_number(meeting)))


def _key_number(meeting: ProductMeeting) -> int:
    """Number of the key of the last question: below zero, since those above are of the feedback before the retro."""
    return -meeting.pk


def _read_key(meeting_number: int) -> bytes:
    key = read_feedback_key(Path(settings.HOME), meeting_number)
    if key is None:
        raise StoreError(_("The key of the answers is gone."), _("End the retro: they can no longer be read."))
    return key


def _read_pool(row: WorthPool) -> list[str]:
    """Answers of a pool; none if its key is gone, as after a restored backup."""
    cells = bytes(row.cells)
    if not cells or read_feedback_key(Path(settings.HOME), -row.meeting_id) is None:
        return []
    plain = AESGCM(_read_key(-row.meeting_id)).decrypt(cells[:_NONCE_BYTES], cells[_NONCE_BYTES:], None)
    return [str(each) for each in json.loads(plain)]


def _encrypt_pool(meeting: ProductMeeting, answers: list[str]) -> bytes:
    nonce = secrets.token_bytes(_NONCE_BYTES)
    plain = json.dumps(answers).encode().ljust(_SIZE)
    return nonce + AESGCM(_read_key(_key_number(meeting))).encrypt(nonce, plain, None)
