"""Notices that how a person signs in was changed, whatever changed it: an act, their own page, or SQL.

The web alone has sign-in data, so no record proves who changed it. The person knows whether they did.
"""

import hashlib
import json
from collections.abc import Iterator

from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from muniment.server.incidents.account_notices import mail_all_addresses
from muniment.server.people import messages
from muniment.server.people.bootstrap import is_bootstrap_finished
from muniment.server.people.models import AccountNotice, Person, SignInState

_MOST = 100
_REPORTED = (AccountNotice.Kind.RECOVERED, AccountNotice.Kind.ADDRESS)
_CHANGES_BY_ITSELF = {"used_mask", "name"}  # of a factor: codes that were used, and what its person calls it


def find_changed_people() -> Iterator[tuple[Person, SignInState | None, str]]:
    """Active people who sign in otherwise than the worker saw last, with the state of then and the digest of now.

    Of somebody who left, a change is seen once they are active again.
    """
    factors: dict[str, list[object]] = {}
    for row in Authenticator.objects.order_by("pk"):
        data = {name: value for name, value in row.data.items() if name not in _CHANGES_BY_ITSELF}
        factors.setdefault(row.user_id, []).append([row.pk, row.type, data])
    for account in SocialAccount.objects.order_by("pk"):
        factors.setdefault(account.user_id, []).append([account.provider, account.uid])
    states = {state.person_id: state for state in SignInState.objects.all()}
    for person in Person.objects.filter(active=True, erased_at=None).order_by("pk"):
        content = json.dumps([person.password, person.email, factors.get(person.pk, [])], sort_keys=True)
        digest = f"sha256:{hashlib.sha256(content.encode()).hexdigest()}"
        state = states.get(person.pk)
        if state is None or state.digest != digest:
            yield person, state, digest


def notify_of_sign_in_changes() -> None:
    """Notify people of changes. A person who is seen for the first time signs in as they were added."""
    if settings.DEMONSTRATION:
        return
    for person, _state, digest in list(find_changed_people())[:_MOST]:
        _notify_person(person, digest)
    for number in SignInState.objects.filter(changed_at__isnull=False, mailed_at=None).values_list("pk", flat=True):
        _mail_change(number)


@transaction.atomic
def _notify_person(person: Person, digest: str) -> None:
    recoveries = AccountNotice.objects.filter(person=person, kind__in=_REPORTED).count()
    values = {"digest": digest, "recovery_count": recoveries, "addresses": person.email or ""}
    # Locked, so that two workers that see one change notify the person once.
    state, added = SignInState.objects.select_for_update().get_or_create(person=person, defaults=values)
    if added or state.digest == digest:  # another worker was here
        return
    known = recoveries > state.recovery_count or not is_bootstrap_finished()
    addresses = dict.fromkeys([*state.addresses.splitlines(), *([person.email] if person.email else [])])
    values["addresses"] = "\n".join(addresses)
    if not known:
        values |= {"changed_at": timezone.now(), "mailed_at": None}
        messages.notify_people([person], _describe_change(person), "/me")
    SignInState.objects.filter(pk=state.pk).update(**values)


@transaction.atomic
def _mail_change(number: int) -> None:
    rows = SignInState.objects.filter(pk=number, mailed_at=None)
    # A worker that mails it holds the row as long as the mail server takes: another one skips it, and does not wait.
    state = rows.select_for_update(of=("self",), skip_locked=True).select_related("person").first()
    if state is None:
        return
    mail_all_addresses(state.person, state.addresses.splitlines(), _describe_change(state.person))
    messages.post_to_chat(_("Security notice about an account. Sign in to read it:"))
    SignInState.objects.filter(pk=number).update(mailed_at=timezone.now(), addresses=state.person.email or "")


def _describe_change(person: Person) -> str:
    return _(
        "How %(person)s signs in was changed: the password, a second factor, a company account or the address."
    ) % {"person": person.name}
