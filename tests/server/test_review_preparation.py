"""Preparation and meeting: own short lists, drafts that survive a reload, and unchanged items confirmed together."""
# ruff: noqa: F811 (a fixture of another file)

import pytest

from muniment.server.meetings.models import ProductMeeting
from muniment.server.minutes.models import AgendaItem, Minutes
from muniment.server.reviews.models import OpinionDraft, UsabilityOpinion
from tests.server.test_minutes import hold, lead, review, seat_of, sign, who  # noqa: F401
from tests.support.service import post

pytestmark = pytest.mark.usefixtures("service")


def test_each_role_has_its_own_short_list(review: ProductMeeting) -> None:
    lists = {name: who(name).get(f"/reviews/{review.pk}/prepare").content.decode() for name in ("dora", "olga", "dev")}
    assert "Read the facts, and write advice" in lists["dora"]
    assert "Decide who keeps access" not in lists["dora"]
    assert "Decide who keeps access" in lists["olga"]
    assert "Nothing is asked of you" in lists["dev"]
    seat = seat_of(review, "dora")
    post(who("dora"), f"/meetings/seats/{seat}/entry", act="write-advice", item="personal-data", text="Delete sooner.")
    assert "1 of 2 done" in who("dora").get(f"/reviews/{review.pk}/prepare").content.decode()


def test_what_is_typed_survives_a_reload_and_is_seen_by_nobody_else(review: ProductMeeting) -> None:
    draft = f"/reviews/seats/{seat_of(review, 'stan')}/draft"
    assert who("stan").post(draft, {"answers-stopped": "It signs out <often>"}).status_code == 204
    assert who("olga").post(draft, {"answers-stopped": "x"}).status_code in (403, 404)
    page = f"/reviews/{review.pk}/questions"
    assert "It signs out &lt;often&gt;" in who("stan").get(page).content.decode()
    for address in (page, f"/meetings/{review.pk}/hold"):
        assert "It signs out" not in who("olga").get(address).content.decode()
    assert not UsabilityOpinion.objects.exists()
    fields = {"answers-stopped": "It signs out often", "answers-avoided": "", "answers-missing": ""}
    assert "Saved" in post(who("stan"), f"/reviews/seats/{seat_of(review, 'stan')}/opinion", **fields)
    assert not OpinionDraft.objects.exists()


def test_items_without_anything_new_are_confirmed_together(review: ProductMeeting) -> None:
    lead(review, "open-meeting")
    page = who("sam").get(f"/meetings/{review.pk}/hold").content.decode()
    assert "Confirm all together" in page
    assert "Confirm all together" not in who("ann").get(f"/meetings/{review.pk}/hold").content.decode()
    lead(review, "record-decision", item="market", text="We look at NIS2.")
    assert "Saved" in lead(review, "finish-unchanged")
    states = dict(AgendaItem.objects.values_list("code", "state"))
    assert states["market"] == "open"  # somebody wrote something
    assert states["personal-data"] == "open"  # it is unknown
    assert states["incidents"] == "done"
    assert "has something new" in lead(review, "finish-unchanged")


def test_record_for_an_auditor_has_people_facts_and_confirmations(review: ProductMeeting) -> None:
    assert who("ann").get(f"/meetings/{review.pk}/minutes/record").status_code == 404
    minutes = hold(review)
    sign(minutes, "sam")
    page = who("ann").get(f"/meetings/{review.pk}/minutes/record").content.decode()
    for text in ("Attendees and roles", "Market requirements", minutes.digest, "Confirmed by sign-in", "Waiting"):
        assert text in page, text
    assert Minutes.objects.get().agenda_digest in page
