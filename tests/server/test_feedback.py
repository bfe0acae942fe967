"""Anonymous feedback: a code that nobody can link, no count before the closing, all at once, or nothing at all."""

import datetime
import random
import re
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.db import connection
from django.test import Client
from django.utils import timezone

from muniment.access.roles import Role
from muniment.calendars.meetings import MeetingKind
from muniment.server.guarding.home_keys import FEEDBACK, make_feedback_key
from muniment.server.meetings.models import MeetingAttendee, ProductMeeting
from muniment.server.people.models import Person
from muniment.server.products.models import Product
from muniment.server.retros import feedback_cells, feedback_rounds
from muniment.server.retros.feedback_cells import (
    AnswerSheet,
    decrypt_content,
    encrypt_content,
    list_sheets,
    make_content,
    take_code,
    use_code,
)
from muniment.server.retros.models import (
    ConfidentialAnswer,
    FeedbackCodeTaken,
    FeedbackRound,
    RetroCard,
    Subject,
)
from tests.support.service import as_role, browser, person, post, product

pytestmark = pytest.mark.usefixtures("service")

WRITERS = tuple(f"dev{number}" for number in range(7))
_CODE = 'id="feedback-code">'


@pytest.fixture
def retro(service: None) -> ProductMeeting:
    """Retro in two days, with seven members of the team, of whom the first one leads."""
    shop = product("shop")
    for name in WRITERS:
        person(name, Role.DEVELOPER, product=shop)
    person("olga", Role.OWNER, product=shop)
    person("dora", Role.DPO)
    return make_retro(1)


def make_retro(number: int) -> ProductMeeting:
    day = timezone.localdate() + datetime.timedelta(2)
    days = {"due_on": day, "date": day, "dated_on": timezone.localdate()}
    with as_role("owner"):
        row = ProductMeeting.objects.create(
            product=Product.objects.get(),
            kind=MeetingKind.RETRO,
            number=number,
            time=datetime.time(10),
            sequence=1,
            **days,
        )
        for name in WRITERS:
            role = "facilitator" if name == WRITERS[0] else "member"
            MeetingAttendee.objects.create(meeting=row, role=role, person=Person.objects.get(slug=name))
        owner = Person.objects.get(slug="olga")
        MeetingAttendee.objects.create(meeting=row, role="owner", person=owner)
    return row


def who(slug: str) -> Any:
    return browser(Person.objects.get(slug=slug))


def take(retro: ProductMeeting, slug: str) -> str:
    """Code that a person takes on the page."""
    seat = retro.attendees.get(person__slug=slug).pk
    page = who(slug).post(f"/meetings/seats/{seat}/code").content.decode()
    assert _CODE in page
    return str(page.split(_CODE)[1].split("<")[0])


def answer(retro: ProductMeeting, code: str, browser: Client | None = None, **fields: str) -> Any:
    """Answer by a code: the response of the page."""
    values = {"code": code, "mood": "help", "well": "", "slow": "", "next": "", "few": "destroy", **fields}
    return (browser or Client(HTTP_HOST="localhost")).post(f"/feedback/{retro.pk}", values)


def close(retro: ProductMeeting) -> None:
    """Let the closing pass: the retro is today."""
    with as_role("owner"):
        ProductMeeting.objects.filter(pk=retro.pk).update(date=timezone.localdate())


def show(retro: ProductMeeting) -> str:
    return post(who(WRITERS[0]), f"/meetings/{retro.pk}/retro/answers")


def board(slug: str, retro: ProductMeeting) -> str:
    return str(who(slug).get(f"/meetings/{retro.pk}/retro").content.decode())


def _hide_tokens(page: str) -> str:
    return re.sub(r'csrfmiddlewaretoken" value="\w+"', "", page)


def dump() -> list[tuple[str, str]]:
    """Every row of every table as text, in the order of its storage: what an attacker reads in a copy."""
    found = []
    with as_role("owner"), connection.cursor() as cursor:
        for table in sorted(connection.introspection.table_names(cursor)):
            cursor.execute(f'SELECT t::text FROM "{table}" t ORDER BY ctid')
            found += [(table, text) for (text,) in cursor.fetchall()]
    return found


def test_all_answers_appear_at_once_after_the_closing(retro: ProductMeeting) -> None:
    for number, name in enumerate(WRITERS[:5]):
        fields: dict[str, Any] = {
            "well": f"well {number}",
            "next": f"threat {number}",
            "mood": "way" if number else "help",
        }
        assert "Your answer is stored" in answer(retro, take(retro, name), **fields).content.decode()
    assert "Feedback is still open" in show(retro)
    assert not RetroCard.objects.exists()
    close(retro)
    assert "Show answers" in board(WRITERS[0], retro)
    assert who(WRITERS[1]).post(f"/meetings/{retro.pk}/retro/answers").status_code == 403
    assert "Saved" in show(retro)
    cards = RetroCard.objects.filter(author=None)
    assert sorted(cards.filter(subject=Subject.FEEDBACK).values_list("text", flat=True)) == [
        f"well {number}" for number in range(5)
    ]
    assert cards.filter(subject=Subject.THREATS).count() == 5
    page = board(WRITERS[1], retro)
    assert "In my way: 4." in page
    assert "A help: 1." in page
    assert not FeedbackCodeTaken.objects.exists()
    assert not (Path(settings.HOME) / FEEDBACK / f"{retro.pk}.key").exists()
    assert "no answers to show" in show(retro)


def test_too_few_answers_are_destroyed_or_go_to_the_officer(retro: ProductMeeting) -> None:
    answer(retro, take(retro, WRITERS[1]), slow="destroyed words", few="destroy")
    for number in (2, 3, 4):
        answer(retro, take(retro, WRITERS[number]), slow=f"confidential {number}", few="dpo")
    close(retro)
    show(retro)
    assert not RetroCard.objects.exists()
    assert sorted(ConfidentialAnswer.objects.values_list("text", flat=True)) == [
        f"confidential {number}" for number in (2, 3, 4)
    ]
    page = board(WRITERS[1], retro)
    assert "Fewer than 5 people answered" in page
    assert "confidential 2" not in page
    address = f"/meetings/{retro.pk}/retro/confidential"
    assert who(WRITERS[0]).get(address).status_code == 403
    assert who("olga").get(address).status_code == 403
    assert "confidential 2" in who("dora").get(address).content.decode()
    assert not any("destroyed words" in text for _table, text in dump())


def test_code_is_taken_once_and_used_once(retro: ProductMeeting) -> None:
    code = take(retro, WRITERS[1])
    seat = retro.attendees.get(person__slug=WRITERS[1]).pk
    assert "took a code already" in post(who(WRITERS[1]), f"/meetings/seats/{seat}/code")
    owner_seat = retro.attendees.get(person__slug="olga").pk
    assert "Only the team" in post(who("olga"), f"/meetings/seats/{owner_seat}/code")
    assert who(WRITERS[2]).post(f"/meetings/seats/{seat}/code").status_code == 403
    assert answer(retro, "AAAA-BBBB-CCCC-DDDD", well="x").status_code == 422
    assert answer(retro, code.lower(), well="once").status_code == 200
    second = answer(retro, code, well="twice")
    assert second.status_code == 422
    assert "twice" in second.content.decode()  # what was typed is not lost
    assert FeedbackCodeTaken.objects.count() == 1


def test_answer_needs_words_and_the_choice_for_too_few(retro: ProductMeeting) -> None:
    code = take(retro, WRITERS[1])
    assert "No question is answered" in answer(retro, code, mood="").content.decode()
    assert "No question is answered" in answer(retro, code, mood="other").content.decode()
    assert "You did not choose" in answer(retro, code, few="").content.decode()
    assert "At most 1000" in answer(retro, code, well="x" * 1001).content.decode()
    assert "invisible character" in answer(retro, code, well="a\u202eb").content.decode()
    assert answer(retro, code, well="😀" * 1000, slow="😀" * 1000, next="😀" * 1000).status_code == 200


def test_answer_page_knows_nobody_and_sets_no_cookie(retro: ProductMeeting) -> None:
    code = take(retro, WRITERS[1])
    signed_in = who(WRITERS[1])
    page = signed_in.get(f"/feedback/{retro.pk}")
    assert not page.cookies
    assert WRITERS[1].title() not in page.content.decode()
    assert page.wsgi_request.META["REMOTE_ADDR"] == ""
    assert not page.wsgi_request.COOKIES
    assert not page.wsgi_request.user.is_authenticated
    sent = answer(retro, code, browser=signed_in, well="x")
    assert sent.status_code == 200
    assert not sent.cookies
    for words in (
        "Hidden from your colleagues and from the records.",
        "while you type",
        "not which one",
        "identify you",
    ):
        assert words in page.content.decode()


def test_page_before_the_closing_shows_no_count_and_after_it_takes_nothing(retro: ProductMeeting) -> None:
    code, other = take(retro, WRITERS[1]), take(retro, WRITERS[2])
    before = _hide_tokens(board(WRITERS[3], retro))
    answer(retro, code, well="x")
    assert _hide_tokens(board(WRITERS[3], retro)) == before
    close(retro)
    assert "Feedback is closed" in answer(retro, other, well="late").content.decode()
    seat = retro.attendees.get(person__slug=WRITERS[4]).pk
    assert "Feedback is closed" in post(who(WRITERS[4]), f"/meetings/seats/{seat}/code")
    assert Client(HTTP_HOST="localhost").get("/feedback/99").status_code == 404
    assert answer(make_retro(2), code, well="x").status_code == 422


def test_team_of_two_is_warned(retro: ProductMeeting) -> None:
    with as_role("owner"):
        MeetingAttendee.objects.filter(person__slug__in=WRITERS[2:]).delete()
    assert "Your team has 2 people" in board(WRITERS[1], retro)


def test_answers_without_their_key_are_lost_and_the_retro_goes_on(retro: ProductMeeting) -> None:
    code = take(retro, WRITERS[1])
    (Path(settings.HOME) / FEEDBACK / f"{retro.pk}.key").unlink()
    assert "key of these answers is gone" in answer(retro, code, well="x").content.decode()
    close(retro)
    assert "Saved" in show(retro)
    assert "nobody can read them" in board(WRITERS[1], retro)


def test_codes_are_not_given_twice_and_end() -> None:
    content, codes = make_content(3), set()
    for _each in range(8):
        code, content = take_code(content)
        codes.add(code)
    assert len(codes) == 8
    with pytest.raises(Exception, match="No code is left"):
        take_code(content)


def play_round(retro: ProductMeeting, order: list[str]) -> tuple[list[list[tuple[str, str]]], list[str]]:
    """Have everybody take a code and answer in an order: a copy of the database after each request, and the codes."""
    copies, codes = [], []
    for name in order:
        codes.append(take(retro, name))
        copies.append(dump())
        answer(retro, codes[-1], well=f"words of {name}", slow=f"trouble of {name}")
        copies.append(dump())
    return copies, codes


def test_no_copy_before_the_closing_holds_a_code_or_an_answer(
    retro: ProductMeeting, caplog: pytest.LogCaptureFixture
) -> None:
    order = random.sample(WRITERS, len(WRITERS))
    copies, codes = play_round(retro, order)
    sizes, cells = set(), []
    for copy in copies:
        text = "\n".join(row for _table, row in copy)
        for secret in (*codes, *(code.replace("-", "") for code in codes), "words of", "trouble of"):
            assert secret not in text
            assert secret.encode().hex() not in text
        (found,) = [row for table, row in copy if table == "retros_feedbackround"]
        sizes.add(len(found))
        cells.append(found.split("\\x")[1])
    assert len(sizes) == 1  # neither a code nor an answer changes the size
    assert not any(code in caplog.text for code in codes)
    block = 64
    seen: set[str] = set()
    for text in cells:  # nothing of one copy is in the next, not even moved
        blocks = {text[at : at + block] for at in range(0, len(text) - block, block)}
        assert not blocks & seen
        seen |= blocks


def guess_by_storage(retro: ProductMeeting, order: list[str]) -> int:
    """Hits of an attacker who takes the order of the rows after the closing for the order of the answers."""
    found = list_texts(retro, "well")
    return sum(text == f"words of {name}" for text, name in zip(found, order, strict=True))


def guess_by_questions(retro: ProductMeeting) -> int:
    """Hits of an attacker who knows the second answers, and takes the first one in the same place for the writer's."""
    well = [text.removeprefix("words of ") for text in list_texts(retro, "well")]
    slow = [text.removeprefix("trouble of ") for text in list_texts(retro, "slow")]
    return sum(first == second for first, second in zip(well, slow, strict=True))


def guess_by_changed_cells(copies: list[str]) -> int:
    """Hits of an attacker who finds the one cell that the request of a writer changed."""
    first, size = 2 * (8 * 1024 + 28), 2 * (16 * 1024 + 28)
    hits = 0
    for before, after in zip(copies[::2], copies[1::2], strict=True):
        places = range(first, len(after), size)
        hits += sum(before[at : at + size] != after[at : at + size] for at in places) == 1
    return hits


def list_texts(retro: ProductMeeting, question: str) -> list[str]:
    with as_role("owner"):
        rows = RetroCard.objects.filter(meeting=retro, question=question).order_by("pk")
        return list(rows.values_list("text", flat=True))


def copy_cells(retro: ProductMeeting) -> str:
    """Cells of a round as a copy of the database has them, after each request."""
    with as_role("owner"):
        return bytes(FeedbackRound.objects.get(meeting=retro).cells).hex()


def attack_round(retro: ProductMeeting) -> dict[str, int]:
    """Hits of each attack on a round of seven writers who answer in an order that the attacker knows."""
    order, copies = random.sample(WRITERS, len(WRITERS)), []
    for name in order:
        code = take(retro, name)
        copies.append(copy_cells(retro))
        answer(retro, code, well=f"words of {name}", slow=f"trouble of {name}")
        copies.append(copy_cells(retro))
    close(retro)
    show(retro)
    return {
        "storage": guess_by_storage(retro, order),
        "questions": guess_by_questions(retro),
        "cells": guess_by_changed_cells(copies),
    }


def attack_cells(home: Path) -> dict[str, int]:
    """Hits of the same attacks on the cells alone: 200 rounds of requests take longer than a test may."""
    order, copies = random.sample(WRITERS, len(WRITERS)), []
    make_feedback_key(home, 1, AESGCM.generate_key(256))
    cells = encrypt_content(home, 1, make_content(len(WRITERS)))
    for name in order:
        code, content = take_code(decrypt_content(home, 1, cells))
        copies.append(encrypt_content(home, 1, content).hex())
        sheet = AnswerSheet(mood="help", well=name, slow=name, next="", to_dpo=False)
        cells = encrypt_content(home, 1, use_code(content, code, sheet))
        copies.append(cells.hex())
    sheets = list_sheets(decrypt_content(home, 1, cells))
    well = feedback_cells.shuffle_values([sheet.well for sheet in sheets])
    slow = feedback_cells.shuffle_values([sheet.slow for sheet in sheets])
    return {
        "storage": sum(text == name for text, name in zip(well, order, strict=True)),
        "questions": sum(first == second for first, second in zip(well, slow, strict=True)),
        "cells": guess_by_changed_cells(copies),
    }


@pytest.mark.slow
def test_attacker_with_every_copy_attributes_no_better_than_by_chance(tmp_path: Path) -> None:
    rounds = 200
    hits = {"storage": 0, "questions": 0, "cells": 0}
    for _each in range(rounds):
        for attack, count in attack_cells(tmp_path).items():
            hits[attack] += count
    limit = (1 / len(WRITERS) + 0.03) * rounds * len(WRITERS)
    assert all(count <= limit for count in hits.values()), hits


def test_same_attacks_succeed_where_nothing_is_shuffled(retro: ProductMeeting, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (feedback_cells, feedback_rounds):
        monkeypatch.setattr(module, "shuffle_values", list)
    monkeypatch.setattr("muniment.server.retros.feedback_cells.secrets.token_bytes", bytes)
    assert attack_round(retro) == {"storage": 7, "questions": 7, "cells": 7}


def test_round_of_an_earlier_copy_cannot_be_read_after_the_closing(retro: ProductMeeting) -> None:
    answer(retro, take(retro, WRITERS[1]), well="x")
    former = bytes(FeedbackRound.objects.get().cells)
    close(retro)
    show(retro)
    with as_role("owner"):
        FeedbackRound.objects.update(cells=former, state="open")
    show(retro)
    assert FeedbackRound.objects.get().state == "lost"
