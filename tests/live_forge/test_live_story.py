"""The whole story against a real forge that the environment names; without one, it says what to set.

    MUNIMENT_LIVE_FORGE=gitea MUNIMENT_LIVE_FORGE_URL=http://localhost:3000 \\
    MUNIMENT_LIVE_FORGE_TOKEN=... bin/test tests/live_forge

The token is an administrator's: the story makes an organisation, people and a repository of its own, and leaves them.
"""

import os
from pathlib import Path

import pytest

from muniment.forges.shapes import Vendor
from tests.support.forges import scenario_steps
from tests.support.forges.acting import GiteaActing
from tests.support.forges.forge_under_test import ForgeUnderTest

ACTING = {Vendor.GITEA: GiteaActing, Vendor.FORGEJO: GiteaActing}


def test_whole_story_at_real_forge(tmp_path: Path) -> None:
    names = ("MUNIMENT_LIVE_FORGE", "MUNIMENT_LIVE_FORGE_URL", "MUNIMENT_LIVE_FORGE_TOKEN")
    missing = [name for name in names if not os.environ.get(name)]
    if missing:
        pytest.skip(f"no real forge is named: set {', '.join(missing)}")
    vendor = Vendor(os.environ["MUNIMENT_LIVE_FORGE"])
    acting = ACTING[vendor](os.environ["MUNIMENT_LIVE_FORGE_URL"], os.environ["MUNIMENT_LIVE_FORGE_TOKEN"])
    tested = ForgeUnderTest(acting, vendor, tmp_path)
    tested.real = True
    scenario_steps.tell(tested)
