"""Fixture: one real vault for the tests of a module."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.vaults import Running, running


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(Path(tmp_path_factory.mktemp("home"))) as one:
        yield one
