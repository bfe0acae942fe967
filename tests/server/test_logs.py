"""Logs contain no person's name, address or secret."""

import io
import json
import logging
import logging.config
from typing import Any

import pytest
from django.test import Client

from muniment.access.roles import Role
from muniment.server import logs
from tests.support.service import browser, person

pytestmark = pytest.mark.usefixtures("service")


@pytest.fixture
def log_output() -> Any:
    logging.config.dictConfig(logs.build_log_settings("json"))
    written = io.StringIO()
    for handler in logging.getLogger().handlers:
        if type(handler) is logging.StreamHandler:
            handler.setStream(written)
    return written.getvalue


def test_request_is_logged_by_route_without_personal_data(log_output: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    client = browser(person("ada", Role.ADMIN))
    client.get("/people/somebody-particular")
    Client(HTTP_HOST="localhost", raise_request_exception=False).get("/welcome/the-secret-of-a-link")
    monkeypatch.setattr("muniment.server.people.entry_views.Invitation.find_valid", lambda text: 1 / 0)
    Client(HTTP_HOST="localhost", raise_request_exception=False).get("/welcome/the-secret-of-a-link")
    lines = [json.loads(line) for line in log_output().splitlines()]
    (defect,) = [line for line in lines if line["event"].startswith("500 at welcome/<str:text>: ZeroDivisionError at ")]
    assert "entry_views.py:" in defect["event"]
    assert "exception" not in defect
    for word in ("somebody-particular", "the-secret-of-a-link", "ada@example.test"):
        assert word not in json.dumps(lines)


@pytest.mark.parametrize(
    "place",
    ["muniment.server.guarding.mediation.authorize", "muniment.server.guarding.mediation._find_actor"],
)
def test_failure_of_the_access_check_is_one_line_without_data(
    log_output: Any, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    client = browser(person("ada", Role.ADMIN))
    client.raise_request_exception = False

    def fail(*_: object) -> None:
        raise ValueError("ada@example.test\nsecond line")

    monkeypatch.setattr(place, fail)
    assert client.get("/people/somebody-particular").status_code == 500
    (line,) = log_output().splitlines()
    assert json.loads(line)["event"].startswith("500 at ")
    assert "ValueError at test_logs.py:" in line
    for word in ("ada@", "second line", "somebody-particular", "Traceback"):
        assert word not in line
