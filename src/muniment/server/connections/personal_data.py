"""Erases what stored answers of forges, pushes and our comments say of a person."""

import re
import zlib

from muniment.facts.people import Person as KnownPerson
from muniment.server.changes.models import Change
from muniment.server.connections.first_push_store import erase_pusher_accounts
from muniment.server.connections.models import CachedResponse, FirstPush, ForgeChange
from muniment.server.people.privacy import erase_words


def erase_comments(known: KnownPerson, words: re.Pattern[str]) -> int:
    """Erase a person from our comments on changes that have ended; from how many."""
    ended, found = Change.objects.exclude(state=Change.State.OPEN), 0
    for comment in ForgeChange.objects.filter(change__in=ended).exclude(comment="").only("pk", "comment").iterator():
        if not words.search(comment.comment or ""):
            continue
        ForgeChange.objects.filter(pk=comment.pk).update(comment=erase_words(words, comment.comment))
        found += 1
    return found


def delete_copies(known: KnownPerson, words: re.Pattern[str]) -> int:
    """Delete stored answers that name a person, which are read anew where they are needed, and their pushes."""
    answers = [row.pk for row in CachedResponse.objects.iterator() if words.search(_decompress_body(row.body))]
    found = CachedResponse.objects.filter(pk__in=answers).delete()[0]
    logins = [account.partition("/")[2] for account in known.accounts]
    return found + erase_pusher_accounts(FirstPush.objects.filter(login__in=logins))


def _decompress_body(body: bytes | memoryview) -> str:
    return zlib.decompress(bytes(body)).decode("utf-8", "replace")
