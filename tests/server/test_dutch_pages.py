"""Dutch beside English: pages by the reader's choice, mails by the person's, frozen documents in one language."""

import datetime

import pytest
from django.core import mail
from django.utils import timezone

from muniment.access.roles import Role
from muniment.calendars.meetings import MeetingKind
from muniment.server.meetings.invitation_mails import build_mail, find_due_invitations
from muniment.server.meetings.models import MeetingAttendee, MeetingCalendar, PersonLanguage, ProductMeeting
from muniment.server.meetings.notices import send_notices
from muniment.server.minutes.agendas import decode_agenda
from muniment.server.minutes.models import Minutes
from muniment.server.people import messages
from muniment.server.people.models import Message, Person
from tests.support.service import as_role, browser, person, post, product

pytestmark = pytest.mark.usefixtures("service")


@pytest.fixture
def review(service: None) -> ProductMeeting:
    """Review of today, whose chair and analyst take part."""
    shop = product("shop")
    with as_role("owner"):
        MeetingCalendar.objects.create(zone="UTC", region="NL")
    person("sam", Role.SECURITY)
    person("ann", Role.ANALYST)
    today = timezone.localdate()
    days = {"due_on": today, "date": today, "dated_on": today}
    with as_role("owner"):
        row = ProductMeeting.objects.create(
            product=shop, kind=MeetingKind.REVIEW, number=1, time=datetime.time(10), sequence=1, **days
        )
        for name, role in (("sam", "chair"), ("ann", "analyst")):
            MeetingAttendee.objects.create(meeting=row, role=role, person=Person.objects.get(slug=name))
    return row


def read_dutch(slug: str, path: str) -> str:
    client = browser(Person.objects.get(slug=slug))
    client.cookies["muniment_language"] = "nl"
    return str(client.get(path).content.decode())


def test_pages_and_frozen_agenda_are_shown_in_the_readers_language(review: ProductMeeting) -> None:
    client = browser(Person.objects.get(slug="sam"))
    client.cookies["muniment_language"] = "nl"
    client.post(f"/meetings/{review.pk}/lead", {"act": "open-meeting"})
    sections = decode_agenda(Minutes.objects.get(meeting=review).agenda).sections
    assert sections[0].title == "Earlier decisions"
    dutch = read_dutch("ann", f"/meetings/{review.pk}/hold")
    assert '<html lang="nl"' in dutch
    for words in ("Eerdere besluiten", "Aanwezigheid", "Rollen die moeten meedoen", "Naar de inhoud", "Verbeteren"):
        assert words in dutch
    english = browser(Person.objects.get(slug="ann")).get(f"/meetings/{review.pk}/hold").content.decode()
    assert "Earlier decisions" in english


def test_invitations_and_reminders_come_in_the_language_of_each_person(review: ProductMeeting) -> None:
    answer = post(browser(Person.objects.get(slug="ann")), "/me/calendar", act="set-own-language", language="nl")
    assert "Saved" in answer
    assert PersonLanguage.objects.get().language == "nl"
    due = {each.person.slug: each for each in find_due_invitations()}
    backend = mail.get_connection("django.core.mail.backends.locmem.EmailBackend")
    dutch, english = (build_mail(due[name], "UTC", backend) for name in ("ann", "sam"))
    assert "U bent uitgenodigd: Beveiligingsreview: Shop." in dutch.body
    assert "You are invited: Security review: Shop." in english.body
    with as_role("owner"):
        ProductMeeting.objects.update(
            date=timezone.localdate() + datetime.timedelta(1), dated_on=timezone.localdate() - datetime.timedelta(30)
        )
    with as_role("worker"):
        assert send_notices() > 0
    found = dict(Message.objects.values_list("person__slug", "text"))
    assert "morgen" in found["ann"]
    assert "tomorrow" in found["sam"]


def test_refuses_a_language_without_a_catalogue(review: ProductMeeting) -> None:
    answer = post(browser(Person.objects.get(slug="ann")), "/me/calendar", act="set-own-language", language="xx")
    assert "Correct the marked fields" in answer
    assert not PersonLanguage.objects.exists()


def test_fixed_words_of_a_members_mail_are_in_their_language(
    review: ProductMeeting, monkeypatch: pytest.MonkeyPatch
) -> None:
    mail.outbox = []
    backend = mail.get_connection("django.core.mail.backends.locmem.EmailBackend")
    monkeypatch.setattr(messages, "open_mail_backend", lambda: backend)
    with as_role("owner"):
        PersonLanguage.objects.create(person_id="ann", language="nl")
        Message.objects.bulk_create(
            Message(person_id=name, text=f"Eén. {at}", link="/x") for name in ("ann", "sam") for at in range(2)
        )
    with as_role("worker"):
        messages.send_due_mails(timezone.now())
    found = {each.to[0]: each for each in mail.outbox}
    dutch, english = found["ann@example.test"], found["sam@example.test"]
    assert dutch.subject.startswith("Muniment: 2 berichten. ")
    assert "Instellingen voor e-mail: " in dutch.body
    assert english.subject.startswith("Muniment: 2 messages. ")
    assert "Mail settings: " in english.body
