"""Appearance of pages: light, dark or as the system, by a cookie of the browser."""

import pytest

from muniment.access.roles import Role
from tests.support.service import browser, person

pytestmark = pytest.mark.usefixtures("service")


def test_chosen_appearance_is_on_each_page() -> None:
    ada = browser(person("ada", Role.AUDITOR))
    assert b"data-bs-theme" not in ada.get("/me").content
    ada.post("/me/appearance", {"appearance": "dark"})
    assert b'data-bs-theme="dark"' in ada.get("/me").content
    ada.post("/me/appearance", {"appearance": ""})
    assert b"data-bs-theme" not in ada.get("/me").content


def test_other_text_is_no_appearance() -> None:
    ada = browser(person("ada", Role.AUDITOR))
    assert ada.post("/me/appearance", {"appearance": 'x" onload="'}).status_code == 400
    ada.cookies["muniment_appearance"] = 'x" onload="'
    assert b"onload" not in ada.get("/me").content
