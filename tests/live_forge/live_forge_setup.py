"""A real Gitea or Forgejo, in place of the fake, for tests of the service."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from muniment.forges.shapes import Vendor
from muniment.server.connections import credentials
from tests.support.forge_setup import ForgeSetup
from tests.support.forges.acting import GiteaActing, Refused
from tests.support.forges.scenario_steps import eventually

SETTLING = 2.0  # seconds after which a forge has worked off what it does behind a push or a review


class LiveActing(GiteaActing):
    """Accounts at a real forge, which reports their acts with a short delay."""

    def open(self, name: str, source: str, target: str, title: str) -> int:
        number = super().open(name, source, target, title)
        time.sleep(SETTLING)
        return number

    def merge(self, name: str, number: int, method: str, *, force: bool = False) -> None:
        """Merge as soon as the forge knows that there is no conflict."""

        def merges() -> bool:
            try:
                super(LiveActing, self).merge(name, number, method, force=force)
            except Refused as refused:
                if "405" not in str(refused):
                    raise
                return False
            return True

        eventually(merges, "the forge merges")
        time.sleep(SETTLING)


class LiveSetup(ForgeSetup):
    """A `ForgeSetup` with its repository at a real forge."""

    def set_level(self, name: str, level: str) -> None:
        self.acting._at("PUT", f"collaborators/{self.acting.login(name)}", self.acting._admin, {"permission": level})

    def get_status(self, head: str, context: str = "muniment/main") -> str:
        rows = self.acting._at("GET", f"commits/{head}/statuses?sort=recentupdate", self.acting.token("ada"))
        found = [row for row in rows if row["context"] == context]
        return str(max(found, key=lambda row: row["id"])["status"]) if found else ""

    def evaluate(self, number: int) -> None:
        time.sleep(SETTLING)
        super().evaluate(number)

    def read_updates(self) -> None:
        time.sleep(SETTLING)
        super().read_updates()


class _Address:
    """Stands in for the fake forge before anything is connected."""

    def __init__(self, url: str) -> None:
        self.url = url


@contextmanager
def live_forge_setup(
    folder: Path, monkeypatch: pytest.MonkeyPatch, vendor: Vendor, url: str, token: str
) -> Iterator[ForgeSetup]:
    """An organisation at the real forge, with the credential where the vault would have it."""
    acting = LiveActing(url, token)
    monkeypatch.setattr(credentials, "read_credential", lambda connection: {"token": acting.token("muniment")})
    fake: Any = _Address(url)
    yield LiveSetup(fake, acting, folder, vendor)
