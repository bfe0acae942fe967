"""Fixtures and settings that several rooms share, and temporary folders that PostgreSQL's account can pass through."""

import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import Phase, settings

from tests.support.shop import keys, shop
from tests.support.time_limit import LONGEST_SECONDS

__all__ = ["keys", "shop"]

_PASSABLE = 0o711
_LONG_SECONDS = 120
_BEGUN, _LIMIT = "MUNIMENT_TESTS_BEGUN", "MUNIMENT_SLOW_MINUTES"
_LAST = (  # of the slow files: each has many cases of one kind
    "test_job_faults.py",
    "test_design_from_inside.py",
    "test_one_person_over_http.py",
    "test_schemathesis.py",
    "test_fail_open_samples.py",
)

if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.pop("COLUMNS", None)  # of the progress lines, and of no command that a test runs

settings.register_profile("shared-machine", deadline=None)  # how long one case takes says nothing about the code
settings.register_profile(  # of dev/mutation: a case that fails is neither made smaller nor kept
    "mutation", deadline=None, database=None, phases=[Phase.explicit, Phase.generate]
)
settings.load_profile("shared-machine")


@pytest.hookimpl(tryfirst=True)  # before pytest reads the option
def pytest_configure(config: pytest.Config) -> None:
    """Give root's run a temporary folder of its own: pytest's, which all runs share, is closed at the start of each."""
    os.environ.setdefault(_BEGUN, str(time.time()))  # before any worker
    if os.geteuid() == 0 and not config.option.basetemp:
        own = Path(tempfile.mkdtemp(prefix="muniment-tests-"))
        own.chmod(_PASSABLE)
        config.option.basetemp = str(own / "run")
        config.add_cleanup(lambda: shutil.rmtree(own, ignore_errors=True))


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not even import a file in which every test is slow where none of them runs."""
    if config.getoption("markexpr") != "not slow" or collection_path.suffix != ".py":
        return None
    return True if "\npytestmark = pytest.mark.slow" in collection_path.read_text() else None


@pytest.hookimpl(trylast=True)  # once it is known which tests run
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that have slow tests: two workers end together if what is left for the end is short."""
    if len({item.nodeid for item in items}) < len(items):
        raise pytest.UsageError("several tests have one id: workers that share files would run one of them")
    if "PYTEST_XDIST_WORKER" in os.environ:
        slow = {item.path for item in items if item.get_closest_marker("slow")}
        items.sort(key=lambda item: (item.path not in slow, item.path.name in _LAST))


@pytest.hookimpl(tryfirst=True)  # before a fixture starts anything
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a slow test once the minutes for them are over, on a machine that is far slower than most: it is named."""
    limit = float(os.environ.get(_LIMIT, "inf"))
    if item.get_closest_marker("slow") and time.time() - float(os.environ[_BEGUN]) > 60 * limit:
        pytest.skip(f"{item.path.name}: the {limit:.0f} minutes of slow tests are over")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Say at once which test failed or took long: a run that is ended from outside never comes to its summary."""
    if "PYTEST_XDIST_WORKER" not in os.environ and (report.failed or report.duration > _LONG_SECONDS):
        sys.stdout.write(
            f"\n{time.strftime('%X')} {report.nodeid} {report.when} {report.outcome}: {report.duration:.0f} s\n"
        )


@pytest.fixture(scope="session")
def tmp_path_factory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[pytest.TempPathFactory]:
    """Folders that other accounts can pass through, as below /srv: root's PostgreSQL runs as another account."""
    if os.geteuid() != 0:
        yield tmp_path_factory
        return
    make = tmp_path_factory.mktemp

    def make_passable(basename: str, numbered: bool = True) -> Path:
        folder = make(basename, numbered)
        folder.chmod(_PASSABLE)
        return folder

    base = tmp_path_factory.getbasetemp()
    base.chmod(_PASSABLE)
    if "PYTEST_XDIST_WORKER" in os.environ:
        base.parent.chmod(_PASSABLE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tmp_path_factory, "mktemp", make_passable)
        yield tmp_path_factory


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Fail a test that waits for ever, as for a signal that a shell has its children ignore."""

    def expire(*_: object) -> None:
        raise TimeoutError(f"{item.nodeid} took more than {LONGEST_SECONDS} seconds")

    before = signal.signal(signal.SIGALRM, expire)
    signal.alarm(LONGEST_SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
