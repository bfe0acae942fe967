"""The service at a real forge: what is merged, spent and pushed first, as tests of the fake play it."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from muniment.forges.shapes import Vendor

NAMES = ("MUNIMENT_LIVE_FORGE", "MUNIMENT_LIVE_FORGE_URL", "MUNIMENT_LIVE_FORGE_TOKEN")
if any(not os.environ.get(name) for name in NAMES):
    pytest.skip(f"no real forge is named: set {', '.join(NAMES)}", allow_module_level=True)

from tests.server.conftest import postgres, service  # noqa: E402, F401, I001 -- it sets Django up

from tests.live_forge.live_town import live_town  # noqa: E402
from tests.server.test_first_pushes import (  # noqa: E402, F401
    test_a_branch_that_is_made_from_anothers_by_the_api_has_no_known_pusher_but_whoever_pushed_it,
    test_a_commit_that_is_older_than_the_connection_has_an_unknown_pusher,
    test_whoever_pushed_it_first_cannot_approve_once_that_branch_is_gone,
    test_whoever_pushed_it_first_to_another_branch_cannot_approve,
)
from tests.server.test_merge_evaluation import (  # noqa: E402, F401
    test_a_merge_after_an_approval_was_dismissed_is_a_bypass,
    test_a_merge_after_an_approver_lost_write_access_is_a_bypass,
    test_a_merge_that_is_still_allowed_is_no_bypass,
    test_a_rebase_and_then_a_merge_commit_after_main_moved_is_no_bypass,
    test_a_release_branch_cut_right_after_an_allowed_merge_is_no_bypass,
    test_a_release_branch_with_a_commit_of_its_own_is_a_bypass,
    test_each_change_of_a_pass_is_evaluated_on_the_branch_before_it,
)
from tests.server.test_spent_approvals import (  # noqa: E402, F401
    test_a_bypass_spends_the_approvals_of_what_it_brought,
    test_a_change_that_is_approved_anew_is_allowed_again,
    test_a_change_whose_head_another_change_brought_loses_its_approvals,
    test_a_reverted_change_that_is_still_open_is_not_merged_by_its_old_approvals,
    test_a_revert_of_the_revert_needs_approvals_of_its_own,
    test_an_amended_earlier_head_is_spent_for_another_change_too,
    test_approvals_of_a_merged_change_count_for_no_other,
    test_what_a_rewound_branch_took_stays_spent,
    test_what_landed_of_a_stack_leaves_the_rest_its_approvals,
    test_what_one_branch_took_spends_nothing_of_another,
)
from tests.server.test_stale_decisions import (  # noqa: E402, F401
    test_a_check_that_begins_again_ends_what_its_success_allowed,
    test_a_check_that_failed_turns_green_red_without_an_event,
    test_an_approval_that_was_dismissed_turns_green_red_without_an_event,
    test_green_does_not_stay_once_a_check_fails_nor_red_once_it_succeeds,
)
from tests.support.connected import Town  # noqa: E402


@pytest.fixture(name="fresh_town")
def _fresh_town(service: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Town]:  # noqa: F811
    vendor, url, token = (os.environ[name] for name in NAMES)
    with live_town(tmp_path, monkeypatch, Vendor(vendor), url, token) as found:
        yield found


@pytest.fixture(name="town")
def _town(fresh_town: Town) -> Town:
    fresh_town.connect()
    return fresh_town


@pytest.fixture(name="any_town")
def _any_town(town: Town) -> Town:
    return town
