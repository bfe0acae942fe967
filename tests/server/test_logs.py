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
    assert any(
        line["event"] == "500 at welcome/<str:text>" and "ZeroDivisionError" in line["exception"] for line in lines
    )
    for word in ("somebody-particular", "the-secret-of-a-link", "ada@example.test"):
        assert word not in json.dumps(lines)
