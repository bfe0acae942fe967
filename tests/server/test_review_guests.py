"""Guests take part in one review without an account: a link, a code to the same address, and nothing by GET or HEAD."""
# ruff: noqa: F811 (a fixture of another file)

import datetime
import re
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone

from muniment.server.meetings.models import ProductMeeting
from muniment.server.minutes.models import Minutes
from muniment.server.people import messages
from muniment.server.reviews.guests import send_guest_mails
from muniment.server.reviews.models import GuestAnswer, MarketRequirement, ReviewGuest
from tests.server.test_minutes import lead, review, who  # noqa: F401
from tests.support.service import as_role, post

pytestmark = pytest.mark.usefixtures("service")
ADDRESS = "o.brandt@clinics.example"


@pytest.fixture
def mailbox(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    from django.core.mail import get_connection

    backend = get_connection("django.core.mail.backends.locmem.EmailBackend")
    monkeypatch.setattr(messages, "open_mail_backend", lambda: backend)
    mail.outbox = []
    return mail.outbox


def invite(review: ProductMeeting, by: str = "sam", **other: str) -> str:
    fields = {"name": "Ottilie Brandt", "organisation": "Northern Clinics", "email": ADDRESS} | other
    return post(who(by), f"/reviews/{review.pk}/guests/invite", **fields)


def send_mails() -> int:
    with as_role("worker"):
        return send_guest_mails()


def read_link(mailbox: list[Any]) -> str:
    found = re.search(r"(/guests/\S+)", mailbox[-1].body)
    assert found is not None
    return found[1]


def read_code(mailbox: list[Any]) -> str:
    found = re.search(r"\b(\d{8})\b", mailbox[-1].body)
    assert found is not None
    return found[1]


def enter(review: ProductMeeting, mailbox: list[Any]) -> tuple[Client, str]:
    """Invite a guest, who follows the link and enters the code."""
    assert "Invited" in invite(review)
    assert send_mails() == 1
    link, client = read_link(mailbox), Client(HTTP_HOST="localhost")
    client.post(link, {"act": "send-code"})
    assert send_mails() == 1
    assert client.post(link, {"act": "enter-code", "code": read_code(mailbox)}).status_code == 302
    return client, link


def test_guest_answers_with_a_code_to_the_same_address(review: ProductMeeting, mailbox: list[Any]) -> None:
    add_requirement(review, "Delete accounts", "Northern Clinics, questionnaire")
    add_requirement(review, "Escrow of code", "Southern Clinics")
    client, link = enter(review, mailbox)
    assert {each.to[0] for each in mailbox} == {ADDRESS}
    page = client.get(link).content.decode()
    assert "Delete accounts" in page
    assert "Escrow of code" not in page
    answer = client.post(link, {"act": "answer", "sign-in": "hard", "topic": "Reports <in> 24 hours", "law": "NIS2"})
    assert f"confirmed by a code sent to {ADDRESS}" in answer.content.decode()
    agenda = who("dora").get(f"/meetings/{review.pk}/hold").content.decode()
    assert "Reports &lt;in&gt; 24 hours" in agenda
    assert f"Confirmed by a code sent to {ADDRESS}" in agenda
    lead(review, "open-meeting")
    assert "The meeting has begun" in client.post(link, {"act": "answer", "topic": "Other"}).content.decode()
    assert ADDRESS in Minutes.objects.get(meeting=review).agenda


def test_mails_to_a_guest_come_in_the_language_that_the_chair_chose(review: ProductMeeting, mailbox: list[Any]) -> None:
    assert "Invited" in invite(review, language="nl")
    assert "Invited" in invite(review, email="second@clinics.example")
    assert "Correct the marked fields" in invite(review, email="third@clinics.example", language="xx")
    assert send_mails() == 2
    Client(HTTP_HOST="localhost").post(read_link(mailbox[:1]), {"act": "send-code"})
    assert send_mails() == 1
    dutch, english, code = mailbox
    assert dutch.subject == "Beveiligingsreview van Shop: uw vragen"
    assert "nodigt u uit" in dutch.body
    assert "invites you" in english.body
    assert code.subject == "Code voor de beveiligingsreview van Shop"
    assert "Hij werkt 15 minuten" in code.body
    for each in (dutch, code):
        assert not {"the", "you", "meeting", "works"} & set(each.body.lower().split())


def add_requirement(review: ProductMeeting, text: str, origin: str) -> None:
    with as_role("owner"):
        MarketRequirement.objects.create(
            product=review.product, text=text, source="customer", origin=origin, added_by_id="ann"
        )


def read_guest_rows() -> list[object]:
    with as_role("owner"):
        return [*ReviewGuest.objects.values(), *GuestAnswer.objects.values()]


def test_link_changes_nothing_on_get_or_head(review: ProductMeeting, mailbox: list[Any]) -> None:
    invite(review)
    send_mails()
    link, before = read_link(mailbox), read_guest_rows()
    for _each in range(3):
        assert Client(HTTP_HOST="localhost").get(link).status_code == 200
        assert Client(HTTP_HOST="localhost").head(link).status_code == 200
    assert read_guest_rows() == before
    assert send_mails() == 0


def test_without_the_code_nothing_is_shown_or_stored(review: ProductMeeting, mailbox: list[Any]) -> None:
    add_requirement(review, "Delete accounts", "Northern Clinics")
    invite(review)
    send_mails()
    link, client = read_link(mailbox), Client(HTTP_HOST="localhost")
    client.post(link, {"act": "answer", "topic": "Other"})
    assert not GuestAnswer.objects.exists()
    assert "No code works now" in client.post(link, {"act": "enter-code", "code": ""}).content.decode()
    client.post(link, {"act": "send-code"})
    assert "a moment ago" in client.post(link, {"act": "send-code"}).content.decode()
    send_mails()
    code = read_code(mailbox)
    wrong = "00000000" if code != "00000000" else "11111111"
    for _each in range(5):
        page = client.post(link, {"act": "enter-code", "code": wrong}).content.decode()
        assert "not the code" in page
        assert "Delete accounts" not in page
    assert "too often" in client.post(link, {"act": "enter-code", "code": code}).content.decode()


def test_code_works_once_and_for_a_quarter_of_an_hour(review: ProductMeeting, mailbox: list[Any]) -> None:
    _client, link = enter(review, mailbox)
    code, other = read_code(mailbox), Client(HTTP_HOST="localhost")
    assert "No code works now" in other.post(link, {"act": "enter-code", "code": code}).content.decode()
    earlier = timezone.now() - datetime.timedelta(minutes=2)
    with as_role("owner"):
        ReviewGuest.objects.update(code_wanted_at=earlier, code_sent_at=earlier - datetime.timedelta(seconds=1))
    send_mails()
    with as_role("owner"):
        ReviewGuest.objects.update(code_sent_at=timezone.now() - datetime.timedelta(minutes=16))
    page = other.post(link, {"act": "enter-code", "code": read_code(mailbox)}).content.decode()
    assert "No code works now" in page


def test_link_ends_after_thirty_days_or_by_the_chair(review: ProductMeeting, mailbox: list[Any]) -> None:
    client, link = enter(review, mailbox)
    guest = ReviewGuest.objects.get()
    assert guest.expires_at.date() == (timezone.now() + datetime.timedelta(30)).date()
    assert who("olga").post(f"/reviews/guests/{guest.pk}/end").status_code == 403
    with as_role("owner"):
        ReviewGuest.objects.update(expires_at=timezone.now() - datetime.timedelta(1))
    assert client.get(link).status_code == 404
    with as_role("owner"):
        ReviewGuest.objects.update(expires_at=timezone.now() + datetime.timedelta(1))
    assert "Ended" in post(who("sam"), f"/reviews/guests/{guest.pk}/end")
    assert client.get(link).status_code == 404


def test_only_the_chair_invites_and_only_people_without_account(review: ProductMeeting, mailbox: list[Any]) -> None:
    assert who("olga").post(f"/reviews/{review.pk}/guests/invite", {"name": "A", "email": ADDRESS}).status_code == 403
    assert "has an account" in invite(review, email="ann@example.test")
    assert "Invited" in invite(review)
    assert "invited already" in invite(review)
    assert ADDRESS in who("sam").get(f"/reviews/{review.pk}/guests").content.decode()
    assert ADDRESS not in who("olga").get(f"/reviews/{review.pk}/guests").content.decode()


def test_cookie_of_one_guest_opens_no_other_page(review: ProductMeeting, mailbox: list[Any]) -> None:
    client, _link = enter(review, mailbox)
    invite(review, email="p@other.example", organisation="", name="Pat")
    send_mails()
    other = read_link(mailbox)
    page = client.get(other).content.decode()
    assert "Get a code" in page
    client.post(other, {"act": "answer", "topic": "Mine"})
    assert not GuestAnswer.objects.exists()
