"""Reviews as one person attacks them: nobody holds one alone, or names the Data Protection Officer."""

import datetime

import pytest
from django.utils import timezone

from muniment.access.roles import Role
from muniment.calendars.meetings import MeetingKind
from muniment.server.meetings.meeting_state import find_all_seats
from muniment.server.meetings.models import MeetingAttendee, ProductMeeting, RoleHolder, SentNotice
from muniment.server.meetings.product_activity import find_activities
from muniment.server.minutes.models import Minutes, MinutesSignature
from muniment.server.people.models import Person, RoleGrant
from muniment.server.products.models import Product
from muniment.server.products.product_acts import ChangeProduct
from muniment.server.requests.models import Request
from tests.server.test_api import Program
from tests.server.test_minutes import attend, finish_items, hold, lead, review, seat_of, sign, who
from tests.support.one_person import request
from tests.support.service import as_role, person, post

__all__ = ["review"]
pytestmark = pytest.mark.usefixtures("service")

WEEKS = datetime.timedelta(21)


def close(row: ProductMeeting, *present: str) -> str:
    """Hold a review up to its end, and try to end it."""
    lead(row, "open-meeting")
    attend(row, *present)
    finish_items(row)
    return lead(row, "close-meeting")


def excuse_officer(row: ProductMeeting) -> None:
    """Have the Data Protection Officer invited in time and reminded twice, without an answer."""
    with as_role("owner"):
        ProductMeeting.objects.filter(pk=row.pk).update(dated_on=timezone.localdate() - WEEKS)
        row.attendees.update(invited_at=timezone.now() - WEEKS)
        for days in (7, 1):
            row.sent_notices.create(key=f"{row.pk}/reminder-{days}", sent_at=timezone.now() - datetime.timedelta(days))


def name(by: str, role: str, slug: str, **more: str) -> str:
    values = {"act": "name-for-meetings", "role": role, "person": slug, **more}
    return post(who(by), "/products/shop/meetings/roles", **values)


def find_seat(role: str) -> str:
    """Handle of the person who gets a seat of the next review; "" for nobody."""
    seats = find_all_seats({("shop", MeetingKind.REVIEW): 1})["shop", MeetingKind.REVIEW]
    found = next((seat.person for seat in seats if seat.role == role), "")
    return Person.objects.get(pk=found).slug if found else ""


def test_one_person_in_several_seats_counts_once(review: ProductMeeting) -> None:
    excuse_officer(review)
    sam = Person.objects.get(slug="sam")
    with as_role("owner"):
        review.attendees.filter(role__in=("analyst", "stakeholder")).update(person=sam)
    page = close(review, "sam")
    assert "Nobody was there as stakeholder. Each person counts for one role." in page
    assert not Minutes.objects.get(meeting=review).is_closed


def test_absence_of_officer_named_yesterday_is_not_excused_by_invitation_of_another(review: ProductMeeting) -> None:
    excuse_officer(review)
    dina = person("dina", Role.DPO)
    with as_role("worker"):
        review.attendees.filter(role="dpo").delete()
        MeetingAttendee.objects.create(meeting=review, role="dpo", person=dina)
    assert "Nobody was there as Data Protection Officer" in close(review, "sam", "ann", "stan")
    assert SentNotice.objects.count() == 2


def test_officer_who_was_invited_and_reminded_is_excused(review: ProductMeeting) -> None:
    excuse_officer(review)
    assert "Saved" in close(review, "sam", "ann", "stan")


def test_planner_names_no_other_data_protection_officer(review: ProductMeeting) -> None:
    assert "is not the Data Protection Officer" in name("olga", "dpo", "dev")
    assert not RoleHolder.objects.exists()
    assert "Saved" in name("olga", "dpo", "dev", deputy="yes")
    assert find_seat("dpo") == "dora", "a deputy has the seat only once she gave it away"
    with as_role("owner"):
        RoleGrant.objects.filter(person__slug="dora").update(ended_at=timezone.now())
    assert find_seat("dpo") == ""


def test_deputy_whom_no_officer_sent_holds_no_review(review: ProductMeeting) -> None:
    with as_role("owner"):
        review.attendees.filter(role="dpo").update(person=Person.objects.get(slug="dev"))
    assert "is not the Data Protection Officer" in close(review, "sam", "ann", "dev", "stan")
    with as_role("owner"):
        review.attendees.filter(role="dpo").update(deputises_for=Person.objects.get(slug="dora"))
    assert "Saved" in lead(review, "close-meeting")


@pytest.mark.parametrize(("slug", "role"), [("stan", Role.DEVELOPER), ("sam", Role.DPO)])
def test_role_that_was_granted_after_naming_ends_what_the_seat_counts(
    review: ProductMeeting, slug: str, role: Role
) -> None:
    shop = Product.objects.get(slug="shop")
    with as_role("owner"):
        RoleGrant.objects.create(
            person=Person.objects.get(slug=slug), role=role.value, product=shop if role is Role.DEVELOPER else None
        )
    assert "conflicts with the role" in close(review, "sam", "ann", "dora", "stan")
    assert not Minutes.objects.get(meeting=review).is_closed


def test_person_of_the_team_is_not_seated_as_stakeholder(review: ProductMeeting) -> None:
    with as_role("owner"):
        RoleGrant.objects.create(
            person=Person.objects.get(slug="stan"), role=Role.DEVELOPER.value, product=Product.objects.get(slug="shop")
        )
        RoleHolder.objects.create(
            product=Product.objects.get(slug="shop"), role="stakeholder", person=Person.objects.get(slug="stan")
        )
    assert find_seat("stakeholder") == ""


@pytest.mark.parametrize("role", ["chair", "analyst", "stakeholder", "owner", "facilitator", "member"])
def test_data_protection_officer_has_no_other_seat(review: ProductMeeting, role: str) -> None:
    person("dina", Role.DPO, Role.ANALYST, Role.STAKEHOLDER)
    assert "conflicts with the role" in name("olga", role, "dina")
    with as_role("owner"):
        RoleGrant.objects.filter(person__slug__in=("ann", "stan")).update(ended_at=timezone.now())
    assert find_seat(role) != "dina"


def test_data_protection_officer_confirms_no_minutes_from_another_seat(review: ProductMeeting) -> None:
    minutes = hold(review)
    with as_role("owner"):
        RoleGrant.objects.create(person=Person.objects.get(slug="ann"), role=Role.DPO.value)
    assert "conflicts with the role" in sign(minutes, "ann")
    assert not MinutesSignature.objects.exists()


def test_token_confirms_no_minutes(review: ProductMeeting) -> None:
    minutes = hold(review)
    program = Program(Person.objects.get(slug="ann"))
    assert program.send("GET", f"/meetings/{review.pk}/minutes")[0] == 200
    body = {"statement": "confirmed", "digest": minutes.digest}
    status, answer = program.send("POST", f"/meetings/seats/{seat_of(review, 'ann')}/signature", body)
    assert (status, answer["type"]) == (409, "urn:muniment:token-confirms-nothing")
    assert not MinutesSignature.objects.exists()


def describe(slug: str, **signals: str) -> None:
    """Describe the product as this person."""
    request(Person.objects.get(slug=slug).pk, ChangeProduct, product="shop", name="Shop", **signals)


def test_one_person_does_not_end_the_use_of_a_product_that_was_retired(review: ProductMeeting) -> None:
    names = ("deployed", "has_users", "holds_personal_data", "supported")
    with as_role("owner"):
        Product.objects.update(
            retired_at=timezone.now(), retired_since=timezone.localdate(), **dict.fromkeys(names, False)
        )
    none = dict.fromkeys(names, "no")
    describe("olga", **{**none, "has_users": "yes"})
    assert find_activities(timezone.localdate())["shop"].is_active
    describe("olga", **none)
    assert find_activities(timezone.localdate())["shop"].is_active, "a second person has to approve it"
    waiting = Request.objects.get(action="retire-product", state="waiting")
    assert "which was retired, is not in use" in waiting.summary
