"""One PostgreSQL for the tests of the service; the process is the web, and can be another role for a while."""

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from muniment.server.running import database_settings
from muniment.server.running.embedded_postgres import EmbeddedPostgres
from muniment.server.running.installation_folder import make_installation_folder

HOME = Path(tempfile.mkdtemp(prefix="muniment-"))
atexit.register(shutil.rmtree, HOME, ignore_errors=True)
make_installation_folder(HOME)
os.environ |= {
    "MUNIMENT_HOME": str(HOME),
    "MUNIMENT_ROLE": "web",
    "MUNIMENT_URL": "http://localhost:8000",
    "MUNIMENT_REPOSITORY_FOLDERS": "/",  # what is refused outside has tests of its own
    "DJANGO_SETTINGS_MODULE": "muniment.server.settings",
}
os.environ.pop("DATABASE_URL", None)

import django  # noqa: E402 -- its settings read the environment

django.setup()
for name in ("MUNIMENT_HOME", "MUNIMENT_ROLE", "MUNIMENT_URL", "MUNIMENT_REPOSITORY_FOLDERS"):
    del os.environ[name]  # they were read, and other tests' commands would read them too

from django.contrib.auth.hashers import make_password  # noqa: E402
from django.core.cache import cache  # noqa: E402
from django.db import connections  # noqa: E402
from whitenoise.middleware import WhiteNoiseMiddleware  # noqa: E402

from muniment.forges.shapes import Vendor  # noqa: E402
from muniment.server.running import embedded_postgres, preparation  # noqa: E402
from tests.support.database import find_template, restore_template, store_template  # noqa: E402
from tests.support.database_connections import keep_connections, leave_connection  # noqa: E402
from tests.support.forge_setup import ForgeSetup, start_setup  # noqa: E402
from tests.support.service import as_role, compare_rows, empty, trust_rows  # noqa: E402

_UNSAFE_AND_FAST = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}  # no crash is survived
PASSWORD = make_password("violet otter carries lantern")  # once: it is slow on purpose


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    """A server with the schema and the rights of today, which are brought up to date in a copy of a former run's."""
    template, data = find_template(), HOME / "postgres" / "data"
    restored = restore_template(template, data)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in _UNSAFE_AND_FAST.items():
            patch.setitem(embedded_postgres._SETTINGS, name, value)
        running = database_settings.embedded_server(HOME)
        running.start()
        try:
            with as_role("owner"):
                preparation.migrate_schema()
            if not restored:
                connections.close_all()
                running.stop()
                store_template(template, data)
                running.start()
        except BaseException:
            running.stop()
            raise
    try:
        with keep_connections():
            yield running
    finally:
        running.stop()


@pytest.fixture(scope="session", autouse=True)
def _static_files() -> Iterator[None]:
    """Look for the files of the pages once, and not for each browser of a test: they do not change."""
    look = WhiteNoiseMiddleware.add_files_from_finders
    found: dict[str, object] = {}

    def look_once(self: WhiteNoiseMiddleware) -> None:
        if not found:
            look(self)
            found.update(self.files)
        self.files.update(found)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WhiteNoiseMiddleware, "add_files_from_finders", look_once)
        yield


@pytest.fixture
def service(postgres: EmbeddedPostgres) -> Iterator[None]:
    """An empty service with the built-in policy. Rows that a test makes without an act are relied on all the same."""
    with as_role("owner"):
        empty()
    with as_role("operator"):
        preparation.apply_first_policy()
    cache.clear()
    with pytest.MonkeyPatch.context() as patch:
        trust_rows(patch)
        yield
    leave_connection()
    connections.close_all()


@pytest.fixture
def compared_rows(service: None) -> Iterator[None]:
    """Rows are compared with the ledger, as they are in a service: a test makes them by acts, or `by_an_act`."""
    with pytest.MonkeyPatch.context() as patch:
        compare_rows(patch)
        yield


@pytest.fixture(name="setup")
def _setup(service: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ForgeSetup]:
    """A product whose one repository is connected at a fake forge."""
    with start_setup(tmp_path, monkeypatch) as found:
        found.connect()
        yield found


@pytest.fixture(name="any_setup", params=[Vendor.GITEA, Vendor.GITHUB, Vendor.GITLAB])
def _any_setup(
    service: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[ForgeSetup]:
    """A product whose one repository is connected, at the fake of each kind of forge."""
    with start_setup(tmp_path, monkeypatch, request.param) as found:
        found.connect()
        yield found
