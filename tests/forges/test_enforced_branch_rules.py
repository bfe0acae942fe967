"""Effect of a forge's branch rules: checks that anybody may post, and bypasses, are reported as such."""

import pytest

from muniment.facts import pipeline
from muniment.facts.maybe import Known, Unknown
from muniment.facts.pipeline import BypassPath
from muniment.forges.branch_rules import BranchRules, RequiredStatus
from muniment.forges.pipeline_rules import describe_branch_rules
from muniment.forges.shapes import Account, ForgeDescription, Vendor

MAIN, OURS = "refs/heads/main", "muniment/main"
ANYBODY = "Everybody with write access"
US = {
    Vendor.GITHUB: Account("app:77", "muniment[bot]", machine=True),
    Vendor.GITLAB: Account("9", "group_1_bot"),
    Vendor.GITEA: Account("9", "muniment"),
}


def rules(*required: RequiredStatus, **more: object) -> BranchRules:
    """Rules of a protected branch without bypasses."""
    closed = {"pushers": (), "bypass": (), "deletable": False, "protected": True}
    return BranchRules(MAIN, required_statuses=required, **{**closed, **more})  # type: ignore[arg-type]


def describe_rules(vendor: Vendor, found: BranchRules) -> pipeline.BranchPipelineRules:
    return describe_branch_rules(found, ForgeDescription(vendor, "1", "", US[vendor]), ("tests",))


@pytest.mark.parametrize(
    ("vendor", "found", "required"),
    [
        (Vendor.GITHUB, rules(RequiredStatus(OURS, "app:77")), ("tests",)),
        (Vendor.GITHUB, rules(RequiredStatus(OURS, "app:77"), RequiredStatus("lint", "app:5")), ("tests", "lint")),
        (Vendor.GITHUB, rules(RequiredStatus(OURS, "app:77"), RequiredStatus("lint")), ("tests",)),
        (Vendor.GITHUB, rules(RequiredStatus("tests", "app:5")), ("tests",)),
        (Vendor.GITLAB, rules(mergers=("user:9",), bypass=("user:9",)), ("tests",)),
        (Vendor.GITEA, rules(RequiredStatus(OURS), mergers=("muniment",)), ("tests",)),
    ],
)
def test_checks_without_bypass_are_required_pipelines(
    vendor: Vendor, found: BranchRules, required: tuple[str, ...]
) -> None:
    assert describe_rules(vendor, found) == pipeline.BranchPipelineRules(MAIN, vendor.value, required, Known(()))


@pytest.mark.parametrize(
    ("vendor", "found", "required", "who"),
    [
        (Vendor.GITHUB, rules(RequiredStatus(OURS, "app:5")), (), ()),  # another App's word is not ours
        (Vendor.GITHUB, rules(RequiredStatus(OURS)), (), (ANYBODY,)),
        (Vendor.GITHUB, rules(RequiredStatus(OURS, "app:77"), bypass=("owners", "app:77")), ("tests",), ("owners",)),
        (Vendor.GITHUB, rules(RequiredStatus(OURS, "app:77"), bypass=("*",)), ("tests",), (ANYBODY,)),
        (Vendor.GITHUB, rules(RequiredStatus(OURS, "app:77"), deletable=True), ("tests",), (ANYBODY,)),
        (
            Vendor.GITHUB,
            rules(RequiredStatus(OURS, "app:77"), pushers=("*",)),
            ("tests",),
            (),
        ),  # checks bind pushes too
        (Vendor.GITLAB, rules(mergers=("user:9",), pushers=("maintainers",)), ("tests",), ("maintainers",)),
        (Vendor.GITLAB, rules(mergers=("user:9", "user:3"), bypass=("user:9", "user:3")), (), ("user:3",)),
        (Vendor.GITLAB, rules(RequiredStatus("pipeline"), mergers=()), ("pipeline",), (ANYBODY,)),
        (Vendor.GITEA, rules(RequiredStatus("tests")), ("tests",), (ANYBODY,)),
        (Vendor.GITEA, rules(mergers=("9",)), (), ()),  # a login that looks like our id is not us
        (Vendor.GITEA, rules(mergers=("muniment",), bypass=("administrators",)), ("tests",), ("administrators",)),
    ],
)
def test_each_bypass_path_names_its_account(
    vendor: Vendor, found: BranchRules, required: tuple[str, ...], who: tuple[str, ...]
) -> None:
    given = describe_rules(vendor, found)
    assert isinstance(given.bypass_paths, Known)
    assert (given.required_pipelines, tuple(way.actor for way in given.bypass_paths.value)) == (required, who)


def test_unprotected_branch_has_no_enforcement() -> None:
    given = describe_rules(Vendor.GITEA, BranchRules(MAIN))
    assert (given.enforced_by, given.required_pipelines) == ("", ())
    assert isinstance(given.bypass_paths, Known)
    assert BypassPath(ANYBODY, "the rules do not bind them") in given.bypass_paths.value


def test_unread_bypass_list_is_unknown() -> None:
    given = describe_rules(Vendor.GITHUB, rules(RequiredStatus(OURS, "app:77"), unread_settings=("who may bypass it",)))
    assert given.bypass_paths == Unknown("not read: who may bypass it")
