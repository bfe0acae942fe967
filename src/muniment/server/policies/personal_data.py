"""Erases what the policies and exceptions say of a person, and finds what has to be changed first."""

import re

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from muniment.facts.people import Person as KnownPerson
from muniment.server.people.person_erasure import read_policies_in_use
from muniment.server.people.personal_traces import compile_certain_pattern
from muniment.server.people.privacy import REASON, erase_words
from muniment.server.policies.models import PolicyException, PolicyVersion
from muniment.server.records.installation import open_store
from muniment.server.records.models import ExceptionFile
from muniment.server.records.record_writing import recording_erasure
from muniment.server.registration import ErasureRequest


def find_policies_naming(known: KnownPerson) -> tuple[str, ...]:
    """The lines of the policy in force that name a person, and the other policies by which something was evaluated."""
    pattern = compile_certain_pattern(known)
    current = PolicyVersion.objects.filter(in_force=True).first()
    lines = current.text.splitlines() if current is not None else []
    found = [f"line {number}: {line.strip()}" for number, line in enumerate(lines, 1) if pattern.search(line)]
    in_use = read_policies_in_use() - {current.digest if current is not None else ""}
    texts = {digest: open_store().get_objects([digest]).get(digest, b"") for digest in sorted(in_use)}
    return (*found, *(f"policy {digest}" for digest, data in texts.items() if pattern.search(data.decode())))


def end_exceptions(erasure: ErasureRequest) -> None:
    """End the exceptions of a person whose erasure was approved: what proves who agreed to them is about to go."""
    now = timezone.now()
    theirs = PolicyException.objects.filter(Q(requester=erasure.person) | Q(approver=erasure.person))
    ExceptionFile.objects.filter(name__in=theirs.values("slug")).delete()
    theirs.filter(ended_at=None).update(ended_at=now)
    over = PolicyException.objects.filter(Q(expires_at__lt=now) | ~Q(ended_at=None)).values_list("slug", "reason")
    naming = [slug for slug, reason in over if erasure.words.search(reason)]
    ExceptionFile.objects.filter(name__in=naming).delete()


def erase_old_policies(known: KnownPerson, words: re.Pattern[str]) -> int:
    """Erase names from the versions of the policy that are not in force; from how many. They cannot be applied then."""
    rows = [row for row in PolicyVersion.objects.filter(in_force=False).iterator() if words.search(row.text)]
    if rows:
        with transaction.atomic(), recording_erasure(REASON):
            for row in rows:
                PolicyVersion.objects.filter(pk=row.pk).update(text=erase_words(words, row.text))
    return len(rows)
