"""Pages show bidirectional marks by their code points, so no text is shown in another order than it is stored in."""

import pytest
from django.utils import timezone

from muniment.access.roles import Role
from muniment.server.changes.models import Change
from muniment.server.guarding.direction_marks import replace_marks
from muniment.server.products.models import Repository
from tests.support.service import as_role, browser, person, product

MARKS = [*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C]


@pytest.mark.parametrize("mark", MARKS)
def test_each_direction_mark_is_replaced_by_its_code_point(mark: int) -> None:
    assert replace_marks(f"a{chr(mark)}b") == f"a&lt;U+{mark:04X}&gt;b"


def test_text_without_direction_marks_is_unchanged() -> None:
    assert replace_marks("שלום é \u200d") == "שלום é \u200d"


@pytest.mark.usefixtures("service")
def test_page_shows_branch_name_without_direction_marks() -> None:
    product("shop", "/nowhere/shop")
    repository = Repository.objects.get(name="shop")
    with as_role("owner"):
        change = Change.objects.create(
            repository=repository,
            target="refs/heads/main",
            name="fix\u202egnp",
            title="a\u2066b",
            head="a" * 40,
            updated_at=timezone.now(),
        )
    client = browser(person("ada", Role.ADMIN))
    for path in ("/products/shop", f"/changes/{change.pk}"):
        answer = client.get(path)
        page = answer.content.decode()
        assert not {chr(mark) for mark in MARKS} & set(page), path
        assert "U+2066" in page or path == "/products/shop", path  # which lists what was evaluated
        assert int(answer["Content-Length"]) == len(answer.content)
