"""Failed assertions of the story are shown in full."""

import pytest

pytest.register_assert_rewrite("tests.support.forges.scenario_steps")
