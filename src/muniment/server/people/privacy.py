"""Personal data: what is kept of a person, given to them, kept for a claim, or erased; and how long each kind is kept.

The ledger names nobody and stays. What lies beside it is erased by the eraser, which alone may; each erasure is an
entry, so that `verify` can say by which rule something is gone.
"""

import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from typing import Any, NamedTuple

from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.apps import apps
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from muniment.facts.people import Person as KnownPerson
from muniment.policy.model import Retention
from muniment.server.changes.models import Change
from muniment.server.connections.models import (
    BypassReview,
    CachedResponse,
    FirstPush,
    PostedStatus,
    ReviewStatement,
    WebhookDelivery,
)
from muniment.server.connections.pushers import forget_pushers
from muniment.server.deployments.models import BreakGlassPermission, RunningArtifact
from muniment.server.incidents.models import Incident
from muniment.server.people.models import AccountVerification, ApiToken, ForgeMachine, Invitation, Message, Person
from muniment.server.people.people_facts import people_of
from muniment.server.people.session_store import read_session_content
from muniment.server.records import row_checks
from muniment.server.records.entering import recording_erasure
from muniment.server.records.installation import store
from muniment.server.records.models import Document
from muniment.server.requests.models import IdempotentResponse, Request
from muniment.server.secrets.models import Secret, SecretRead
from muniment.store.erasure import mentioning
from muniment.workflows.erase import read_objects

REASON = "a person asked for it"  # of an erasure
NAMELESS = "(erased)"


class Rule(NamedTuple):
    """One kind of data, and what drops those that are older than a moment; how many it did.

    `key` is the key of the policy's table `retention` that says how many days it is stored, "" for what ends by itself.
    """

    kind: Any
    why: Any
    key: str
    drop: Callable[[Any], int]


RULES = (
    Rule(
        _("sessions"), _("to stay signed in"), "", lambda moment: _gone(Session.objects.filter(expire_date__lt=moment))
    ),
    Rule(
        _("links and tokens that are over"),
        _("to tell who was let in"),
        "invitation_and_token_days",
        lambda moment: (
            _gone(Invitation.objects.filter(expires_at__lt=moment))
            + _gone(ApiToken.objects.filter(expires_at__lt=moment))
        ),
    ),
    Rule(
        _("messages"),
        _("to read again"),
        "message_days",
        lambda moment: _gone(Message.objects.filter(created_at__lt=moment)),
    ),
    Rule(
        _("what environments reported to run"),
        _("to see what came there without leave"),
        "running_artifact_days",
        lambda moment: _gone(RunningArtifact.objects.filter(last_seen_at__lt=moment)),
    ),
    Rule(
        _("incidents that were closed"),
        _("to see whether they come again"),
        "incident_days",
        lambda moment: _gone(Incident.objects.filter(closed_at__lt=moment)),
    ),
    Rule(
        _("who read secrets, by the vault's audit log"),
        _("to see that only pipelines do"),
        "secret_read_days",
        lambda moment: _gone(SecretRead.objects.filter(last_read_at__lt=moment)),
    ),
    Rule(
        _("answers of the API"),
        _("so that nothing is done twice"),
        "api_response_days",
        lambda moment: _gone(IdempotentResponse.objects.filter(created_at__lt=moment)),
    ),
    Rule(
        _("what forges told of, by ids"),
        _("so that nothing is taken twice"),
        "webhook_delivery_days",
        lambda moment: _gone(WebhookDelivery.objects.filter(received_at__lt=moment)),
    ),
    Rule(
        _("answers of forges"),
        _("to ask again cheaply"),
        "forge_response_days",
        lambda moment: _gone(CachedResponse.objects.filter(cached_at__lt=moment)),
    ),
    Rule(
        _("who pushed commits first"),
        _("to know who contributed to a change"),
        "first_push_days",
        lambda moment: forget_pushers(FirstPush.objects.filter(recorded_at__lt=moment)),
    ),
    Rule(
        _("accounts that forges call machines"),
        _("to propose that they are declared"),
        "machine_proposal_days",
        lambda moment: _gone(ForgeMachine.objects.filter(first_seen_at__lt=moment)),
    ),
    Rule(
        _("what was shown at forges"),
        _("to find out what others post in our name"),
        "posted_status_days",
        lambda moment: _gone(PostedStatus.objects.filter(posted_at__lt=moment)),
    ),
    Rule(
        _("what reviewers answered on our page"),
        _("to read again what a change was approved with"),
        "review_answer_days",
        lambda moment: _gone(
            ReviewStatement.objects.filter(stated_at__lt=moment).exclude(change__state=Change.State.OPEN)
        ),
    ),
    Rule(
        _("who let an escape stay, and why"),
        _("to tell an auditor"),
        "bypass_review_days",
        lambda moment: _gone_on_the_record(
            BypassReview.objects.filter(reviewed_at__lt=moment, branch_update__incident__closed_at__isnull=False)
        ),
    ),
)


class ShownRule(NamedTuple):
    """A retention rule as a page shows it; `days` is 0 for what ends by itself."""

    kind: Any
    why: Any
    days: int


def shown_rules() -> list[ShownRule]:
    """The rules with the periods of the policy in force, those of the built-in policy where there is none."""
    policy = store().policy()
    periods = Retention() if policy is None else policy.policy.retention
    return [ShownRule(rule.kind, rule.why, _days_of(rule, periods)) for rule in RULES]


def keep_to_rules() -> None:
    """Drop what each rule of the policy in force says is over. For the eraser, again and again.

    Raises RowsDifferError, or PolicyError, where it cannot be told which policy that is: then nothing is dropped. Where
    none is in force, no rule is either.
    """
    policy = row_checks.read_recorded(lambda: store().policy(), Document)
    if policy is None:
        return
    now = timezone.now()
    for rule in RULES:
        rule.drop(now - timedelta(days=_days_of(rule, policy.policy.retention)))


def _days_of(rule: Rule, periods: Retention) -> int:
    return int(getattr(periods, rule.key)) if rule.key else 0


def known_as(person: Person) -> KnownPerson:
    """Who they are to the core: every name by which objects may speak of them."""
    found = people_of().by_id[person.pk]
    emails = (*found.emails, *([person.email] if person.email else []))
    return KnownPerson(
        *(found.id, found.name, tuple(dict.fromkeys(emails)), found.keys, found.accounts, ()),
        active=False,
        write_access=(),
        handle=found.handle,
        unconfirmed=found.unconfirmed,
    )


def _sessions_of(person: Person) -> Iterator[dict[str, Any]]:
    """Each session in which somebody is signed in, without its key, which would let a reader in."""
    for row in Session.objects.order_by("expire_date").iterator():
        if (read_session_content(row.session_data) or {}).get(SESSION_KEY) == str(person.pk):
            yield {"expires_at": row.expire_date}


def _as_written(data: bytes) -> Any:
    """An object beside the ledger as the JSON that it is; as text where it is none."""
    text = data.decode("utf-8", "replace")
    try:
        return json.loads(text)
    except ValueError:
        return text


def kept_of(person: Person) -> dict[str, Any]:
    """All that is kept of a person, for themselves (GDPR, article 15): what stands in tables, and beside the ledger."""
    beside = dict(read_objects(store()))
    speaking = mentioning(beside.items(), known_as(person))
    return {
        "person": {
            "id": person.pk,
            "handle": person.slug,
            "name": person.name,
            "email": person.email,
            "active": person.active,
            "former_handles": list(person.former_handles.values_list("handle", flat=True)),
        },
        "accounts": list(person.accounts.values("kind", "value", "verification", "linked_at", "forge_account__number")),
        "roles": list(person.role_grants.values("role", "product__slug", "granted_at", "ended_at", "bootstrap")),
        "second_factors": list(Authenticator.objects.filter(user=person).values("type", "created_at", "last_used_at")),
        "enrolled_authenticators": list(
            person.enrolled_authenticators.values("kind", "identifier", "public_key", "enrolled_at", "removed_at")
        ),
        "company_accounts": list(SocialAccount.objects.filter(user=person).values("provider", "uid", "date_joined")),
        "account_verifications": list(
            AccountVerification.objects.filter(person=person).values("kind", "value", "created_at")
        ),
        "tokens": list(person.api_tokens.values("name", "created_at", "expires_at", "ended_at", "scopes")),
        "requests": list(Request.objects.filter(requester=person).values("summary", "reason", "requested_at", "state")),
        "incidents": list(
            Incident.objects.filter(
                Q(owner=person) | Q(closed_by=person) | Q(involved_people__contains=[person.pk])
            ).values("kind", "summary", "opened_at", "closed_at", "cause")
        ),
        "secrets": list(
            Secret.objects.filter(set_by=person).values(
                "environment__product__slug", "environment__name", "name", "set_at"
            )
        ),
        "break_glass_permissions": list(
            BreakGlassPermission.objects.filter(Q(requester=person) | Q(approver=person)).values(
                "artifact", "reason", "created_at", "expires_at"
            )
        ),
        "reviews": list(
            ReviewStatement.objects.filter(person=person).values("head", "target", "kind", "answers", "stated_at")
        ),
        "bypass_reviews": list(
            BypassReview.objects.filter(reviewer=person).values("branch_update__commit", "reason", "reviewed_at")
        ),
        "messages": list(person.messages.values("text", "created_at", "read_at")),
        "sessions": list(_sessions_of(person)),
        "invitations": list(person.invitations.values("created_at", "expires_at", "ended_at", "recovers")),
        "idempotency_keys": list(
            IdempotentResponse.objects.filter(token__person=person).values("idempotency_key", "created_at")
        ),
        "record_details": {digest: _as_written(beside[digest]) for digest in speaking},
    }


def erase_texts(known: KnownPerson) -> int:
    """Erase their name, id, addresses and accounts wherever people wrote them freely; in how many rows. For the eraser.

    What a model calls `free_texts` is looked through. A name that is spelt otherwise nobody can know:
    docs/guides/personal-data.md.
    """
    words = words_naming(known)
    end_requests_naming(words, Request.objects.all())  # those that came since the erasure was approved
    return sum(_erase_texts(model, words) for model in apps.get_models() if hasattr(model, "free_texts"))


def end_requests_naming(words: re.Pattern[str], rows: "QuerySet[Request]") -> None:
    """End the requests that still wait and whose act names somebody: it cannot be changed without its digest."""
    waiting = rows.filter(state=Request.State.WAITING)
    Request.withdraw(waiting.filter(pk__in=[row.pk for row in waiting if _is_named(words, row.act)]))


def _is_named(words: re.Pattern[str], act: str) -> bool:
    """Whether an act names somebody; one that cannot be read may."""
    try:
        return any(words.search(text) for text in _texts_in(json.loads(act)))
    except ValueError:
        return True


def _texts_in(value: object) -> Iterator[str]:
    """Every text of a JSON value, as people typed it: in JSON itself, a line would begin with the n of its escape."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from (text for one in value.values() for text in _texts_in(one))
    elif isinstance(value, list):
        yield from (text for one in value for text in _texts_in(one))


def _erase_texts(model: Any, words: re.Pattern[str]) -> int:
    found = 0
    for row in model.objects.only("pk", *model.free_texts).iterator():
        texts = {name: erase_words(words, getattr(row, name)) for name in model.free_texts}
        changed = {name: text for name, text in texts.items() if text != getattr(row, name)}
        if changed:
            model.objects.filter(pk=row.pk).update(**changed)
            found += 1
    return found


def erase_words(words: re.Pattern[str], value: Any) -> Any:
    """A text, or a JSON value, without them."""
    if isinstance(value, str):
        return words.sub(NAMELESS, value)
    if isinstance(value, dict):
        return {erase_words(words, name): erase_words(words, one) for name, one in value.items()}
    return [erase_words(words, one) for one in value] if isinstance(value, list) else value


NAMES_NOBODY = frozenset({"", "erased", NAMELESS})  # what stands in place of a name is not replaced again


def words_naming(known: KnownPerson) -> re.Pattern[str]:
    """A pattern of what names a person, as whole words, in any case. A login counts without its forge too."""
    unconfirmed = [identity.partition(":")[2] for identity in known.unconfirmed]
    logins = (account.partition("/")[2] for account in (*known.accounts, *unconfirmed))
    accounts = {*known.emails, *known.keys, *known.accounts, *unconfirmed, *logins}
    texts = {known.id, known.handle, known.name, *accounts}
    return compile_words(text for text in texts if text.casefold() not in NAMES_NOBODY)


def compile_words(texts: Iterable[str]) -> re.Pattern[str]:
    """A pattern of texts as whole words, in any case, with any white space within. Without a text nothing matches.

    PostgreSQL uses it too, and knows no case but that of ASCII where the database's locale is C.
    """
    longest = sorted({text for text in texts if text.strip()}, key=len, reverse=True)
    words = "|".join(r"\s+".join(map(_any_case, text.split())) for text in longest)
    return re.compile(rf"(?<![\w@.-])(?:{words})(?![\w@-])" if words else r"(?!)", re.IGNORECASE)


def _any_case(word: str) -> str:
    """A pattern of a word whose letters beyond ASCII stand in each case, composed and decomposed."""
    return "".join(map(_any_form, unicodedata.normalize("NFC", word)))


def _any_form(letter: str) -> str:
    if letter.isascii():
        return re.escape(letter)
    cases = {letter, letter.lower(), letter.upper(), letter.title(), letter.casefold()}
    forms = {unicodedata.normalize(form, one) for one in cases for form in ("NFC", "NFD")}
    return f"(?:{'|'.join(map(re.escape, sorted(forms, key=lambda one: (-len(one), one))))})"


def _gone(rows: Any) -> int:
    return int(rows.delete()[0])


def _gone_on_the_record(rows: Any) -> int:
    """Delete rows that are relied on: their deletion is recorded, for one that no record has is an incident."""
    if not rows.exists():
        return 0
    with transaction.atomic(), recording_erasure("a retention rule"):
        return _gone(rows)
