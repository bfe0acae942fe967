"""Default protection of merges: a posted status suffices only if every change of an input is reported."""

import pytest

from muniment.forges.branch_rules import BranchRules
from muniment.forges.merge_protection import MergeMode, choose_default_protection, explain_unsupported_mode
from muniment.forges.shapes import Vendor

MAIN = "refs/heads/main"


@pytest.mark.parametrize("vendor", [Vendor.GITEA, Vendor.FORGEJO, Vendor.GITLAB])
def test_sole_merger_is_default_where_lost_approval_is_not_reported(vendor: Vendor) -> None:
    found = choose_default_protection(vendor, BranchRules(MAIN, queue=True))
    assert found.mode is MergeMode.MUNIMENT
    assert "no event when" in found.reason


def test_github_default_is_merge_queue_or_status_with_stated_delay() -> None:
    assert choose_default_protection(Vendor.GITHUB, BranchRules(MAIN, queue=True)).mode is MergeMode.QUEUE
    found = choose_default_protection(Vendor.GITHUB, BranchRules(MAIN))
    assert found.mode is MergeMode.STATUS
    assert "a lost approval is noticed within N s, and not while Muniment is stopped" in found.reason


def test_default_mode_of_every_forge_is_possible_there() -> None:
    for vendor in Vendor:
        for rules in (BranchRules(MAIN), BranchRules(MAIN, queue=True)):
            assert not explain_unsupported_mode(vendor, rules, choose_default_protection(vendor, rules).mode)


@pytest.mark.parametrize(
    ("vendor", "mode", "queue"),
    [
        (Vendor.GITHUB, MergeMode.QUEUE, False),
        (Vendor.GITHUB, MergeMode.MUNIMENT, True),
        (Vendor.GITLAB, MergeMode.QUEUE, False),
        (Vendor.GITEA, MergeMode.QUEUE, False),
    ],
)
def test_refuses_impossible_protection_mode(vendor: Vendor, mode: MergeMode, queue: bool) -> None:
    assert explain_unsupported_mode(vendor, BranchRules(MAIN, queue=queue), mode)


def test_sole_merger_is_possible_at_github_without_merge_queue() -> None:
    assert not explain_unsupported_mode(Vendor.GITHUB, BranchRules(MAIN), MergeMode.MUNIMENT)
