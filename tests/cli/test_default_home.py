"""Default home of a service if no home is named."""

import os
from pathlib import Path

import pytest

from muniment.cli.service_setup import default_home
from muniment.errors import UsageError


@pytest.fixture(autouse=True)
def _unnamed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MUNIMENT_HOME", raising=False)


def test_environment_variable_sets_the_home_for_every_account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUNIMENT_HOME", "/srv/muniment")
    assert default_home() == "/srv/muniment"


def test_default_home_of_root_is_below_a_readable_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("HOME", "/root")
    assert default_home() == "/var/lib/muniment"


def test_default_home_of_other_accounts_is_below_their_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("HOME", "/home/ada")
    assert default_home() == "/home/ada/.local/share/muniment"


def test_account_without_home_folder_must_name_a_home(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(Path, "home", no_home)
    with pytest.raises(UsageError, match="no home folder") as caught:
        default_home()
    assert "--home DIR" in caught.value.remedy
