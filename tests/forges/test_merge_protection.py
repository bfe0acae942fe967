"""The default protection of merges: a posted status decides only where each change of an input is reported."""

import pytest

from muniment.forges.merge_protection import MergeMode, default_protection, unsupported_mode
from muniment.forges.rules import BranchRules
from muniment.forges.shapes import Vendor

MAIN = "refs/heads/main"


@pytest.mark.parametrize("vendor", [Vendor.GITEA, Vendor.FORGEJO, Vendor.GITLAB])
def test_a_forge_that_does_not_report_a_lost_approval_merges_by_our_account_alone(vendor: Vendor) -> None:
    found = default_protection(vendor, BranchRules(MAIN, queue=True))
    assert found.mode is MergeMode.MUNIMENT
    assert "no event when" in found.reason


def test_github_merges_by_its_queue_or_else_by_the_status_and_says_how_late_it_is() -> None:
    assert default_protection(Vendor.GITHUB, BranchRules(MAIN, queue=True)).mode is MergeMode.QUEUE
    found = default_protection(Vendor.GITHUB, BranchRules(MAIN))
    assert found.mode is MergeMode.STATUS
    assert "a lost approval is noticed within N s, and not while Muniment is stopped" in found.reason


def test_every_forge_has_a_default_that_can_hold_there() -> None:
    for vendor in Vendor:
        for rules in (BranchRules(MAIN), BranchRules(MAIN, queue=True)):
            assert not unsupported_mode(vendor, rules, default_protection(vendor, rules).mode)


@pytest.mark.parametrize(
    ("vendor", "mode", "queue"),
    [
        (Vendor.GITHUB, MergeMode.QUEUE, False),
        (Vendor.GITHUB, MergeMode.MUNIMENT, True),
        (Vendor.GITLAB, MergeMode.QUEUE, False),
        (Vendor.GITEA, MergeMode.QUEUE, False),
    ],
)
def test_a_mode_that_cannot_hold_is_refused(vendor: Vendor, mode: MergeMode, queue: bool) -> None:
    assert unsupported_mode(vendor, BranchRules(MAIN, queue=queue), mode)


def test_our_app_alone_may_merge_at_github_where_no_queue_does() -> None:
    assert not unsupported_mode(Vendor.GITHUB, BranchRules(MAIN), MergeMode.MUNIMENT)
