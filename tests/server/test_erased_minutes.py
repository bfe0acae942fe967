"""Erasure of a person who took part in reviews: no text of meetings, minutes and answers names them afterwards."""

import pytest

from muniment.access.roles import Role
from muniment.server.meetings.models import MeetingAttendee, ProductMeeting
from muniment.server.minutes.minutes_text import decode_minutes
from muniment.server.minutes.models import Minutes, MinutesEntry
from muniment.server.people.models import Account, Person
from muniment.server.products.models import Product
from muniment.server.reviews.models import MarketRequirement, PersonalDataField, UsabilityOpinion
from tests.server.test_minutes import attend, finish_items, lead, review, seat_of, sign, who
from tests.server.test_personal_data_erasure import ADDRESS, LOGIN, NAME, approve_erasure, find_name_traces, work
from tests.support.service import as_role, person, post

__all__ = ["review"]
pytestmark = pytest.mark.usefixtures("service")


@pytest.fixture
def zora(review: ProductMeeting) -> Person:
    """A person with an address and a login."""
    person("amy", Role.ADMIN)
    found = person("zora", Role.STAKEHOLDER, id="k3f7")
    with as_role("owner"):
        Person.objects.filter(pk="k3f7").update(name=NAME)
        for kind, value in (("email", ADDRESS), ("login", LOGIN)):
            Account.objects.create(person=found, kind=kind, value=value, verification="vouched")
    return Person.objects.get(pk="k3f7")


@pytest.fixture
def held(review: ProductMeeting, zora: Person) -> Minutes:
    """Minutes of a review in which zora was the stakeholder, and in which every text names her."""
    with as_role("owner"):
        review.attendees.filter(role="stakeholder").delete()
        MeetingAttendee.objects.create(meeting=review, role="stakeholder", person=zora)
        ProductMeeting.objects.filter(pk=review.pk).update(place=f"Room of {NAME}")
        review.moves.create(before=review.date, after=review.date, moved_on=review.date, reason=f"{NAME} is away")
        shop = Product.objects.get(slug="shop")
        olga = Person.objects.get(slug="olga")
        MarketRequirement.objects.create(
            product=shop, text=f"{NAME} asks", origin=NAME, reason=NAME, source="customer", added_by=olga, owner=zora
        )
        PersonalDataField.objects.create(
            product=shop, name=NAME, purpose=NAME, place=NAME, period=NAME, recipients=NAME, described_by=olga
        )
        UsabilityOpinion.objects.create(meeting=review, person=zora, question="errors", text=f"By {NAME}")
    own = f"/meetings/seats/{seat_of(review, 'dora')}/entry"
    post(who("dora"), own, act="write-advice", item="personal-data", text=f"Ask {NAME}.")
    lead(review, "open-meeting")
    lead(review, "record-decision", item="market", text=f"{NAME} decides.")
    lead(review, "add-action", item="market", text=f"Tell {NAME}.", person="zora", due=str(review.date))
    attend(review, "sam", "ann", "dora", "zora", "olga")
    finish_items(review)
    lead(review, "defer-item", item="market", reason=f"{NAME} is ill")
    assert "Saved" in lead(review, "close-meeting")
    lead(review, "add-correction", text=f"{NAME} was there.")
    minutes = Minutes.objects.get(meeting=review)
    sign(minutes, "ann")
    with as_role("owner"):
        Person.objects.filter(pk=zora.pk).update(active=False)
    return minutes


def test_erasure_leaves_no_name_in_meetings_minutes_and_answers(held: Minutes, zora: Person) -> None:
    before = {place for place in find_name_traces() if place.split("_")[0] in ("meetings", "minutes", "reviews")}
    assert {place.split("_")[0] for place in before} == {"meetings", "minutes", "reviews"}
    person("dan", Role.DPO)
    approve_erasure(zora)
    work(zora)
    left = {place for place in find_name_traces() if place.split("_")[0] in ("meetings", "minutes", "reviews")}
    assert left == set()
    minutes = Minutes.objects.get(pk=held.pk)
    assert "(erased) decides." in [one.text for one in decode_minutes(minutes.text).entries]
    assert MinutesEntry.objects.filter(text="Ask (erased).").exists()
    page = who("sam").get(f"/meetings/{minutes.meeting_id}/minutes")
    assert page.status_code == 200
    assert NAME not in page.content.decode()
