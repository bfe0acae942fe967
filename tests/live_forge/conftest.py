"""What the story finds wrong is told in full."""

import pytest

pytest.register_assert_rewrite("tests.support.forges.story")
