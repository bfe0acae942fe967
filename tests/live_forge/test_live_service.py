"""The service at a real forge: the tests of merges, spent approvals and first pushers that also run at the fake."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from muniment.forges.shapes import Vendor

NAMES = ("MUNIMENT_LIVE_FORGE", "MUNIMENT_LIVE_FORGE_URL", "MUNIMENT_LIVE_FORGE_TOKEN")
if any(not os.environ.get(name) for name in NAMES):
    pytest.skip(f"no real forge is named: set {', '.join(NAMES)}", allow_module_level=True)

from tests.server.conftest import postgres, service  # noqa: E402, F401, I001 -- it sets Django up

from tests.live_forge.live_forge_setup import live_forge_setup  # noqa: E402
from tests.server.test_first_pushers import (  # noqa: E402, F401
    test_branch_copied_by_api_keeps_first_pusher_of_source,
    test_commit_older_than_connection_has_unknown_pusher,
    test_refuses_approval_by_first_pusher_after_branch_deletion,
    test_refuses_approval_by_first_pusher_to_another_branch,
    test_refuses_approval_by_first_pusher_to_tag,
)
from tests.server.test_merge_evaluation import (  # noqa: E402, F401
    test_a_merge_after_an_approval_was_dismissed_is_a_bypass,
    test_a_merge_after_an_approver_lost_write_access_is_a_bypass,
    test_merge_that_is_still_allowed_is_no_bypass,
    test_rebase_merge_after_main_moved_is_no_bypass,
    test_a_release_branch_cut_right_after_an_allowed_merge_is_no_bypass,
    test_a_release_branch_with_a_commit_of_its_own_is_a_bypass,
    test_each_merge_in_pass_is_evaluated_on_branch_before_it,
)
from tests.server.test_spent_approvals import (  # noqa: E402, F401
    test_bypass_spends_approvals_of_the_included_heads,
    test_change_with_new_approvals_is_allowed_again,
    test_change_whose_head_was_merged_by_another_change_loses_its_approvals,
    test_reverted_change_cannot_be_merged_again_by_its_old_approvals,
    test_revert_of_a_revert_needs_its_own_approvals,
    test_amended_earlier_head_is_spent_for_another_change_too,
    test_approvals_of_a_merged_change_count_for_no_other_change,
    test_head_stays_spent_after_the_branch_was_rewound,
    test_merging_part_of_a_stack_keeps_approvals_of_the_rest,
    test_merge_into_one_branch_spends_nothing_for_another_branch,
)
from tests.server.test_stale_decisions import (  # noqa: E402, F401
    test_restarted_check_withdraws_the_allow_decision,
    test_failed_check_turns_status_red_without_an_event,
    test_dismissed_approval_turns_status_red_without_an_event,
    test_status_turns_red_when_a_check_fails_and_green_when_it_succeeds,
)
from tests.support.forge_setup import ForgeSetup  # noqa: E402


@pytest.fixture(name="fresh_setup")
def _fresh_setup(service: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ForgeSetup]:  # noqa: F811
    vendor, url, token = (os.environ[name] for name in NAMES)
    with live_forge_setup(tmp_path, monkeypatch, Vendor(vendor), url, token) as found:
        yield found


@pytest.fixture(name="setup")
def _setup(fresh_setup: ForgeSetup) -> ForgeSetup:
    fresh_setup.connect()
    return fresh_setup


@pytest.fixture(name="tag_setup")
def _tag_setup(setup: ForgeSetup) -> ForgeSetup:
    return setup


@pytest.fixture(name="any_setup")
def _any_setup(setup: ForgeSetup) -> ForgeSetup:
    return setup
