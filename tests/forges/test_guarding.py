"""What a forge's rules are worth: a check that anybody may post, a bypass, a way past a change are told as such."""

import pytest

from muniment.facts import pipeline
from muniment.facts.maybe import Known, Unknown
from muniment.facts.pipeline import BypassPath
from muniment.forges.guarding import guards
from muniment.forges.rules import BranchRules, Required
from muniment.forges.shapes import About, Account, Vendor

MAIN, OURS = "refs/heads/main", "muniment/main"
ANYBODY = "Everybody with write access"
US = {
    Vendor.GITHUB: Account("app:77", "muniment[bot]", machine=True),
    Vendor.GITLAB: Account("9", "group_1_bot"),
    Vendor.GITEA: Account("9", "muniment"),
}


def rules(*required: Required, **more: object) -> BranchRules:
    """Protected, with no way around."""
    closed = {"pushers": (), "bypass": (), "deletable": False, "protected": True}
    return BranchRules(MAIN, required_statuses=required, **{**closed, **more})  # type: ignore[arg-type]


def told(vendor: Vendor, found: BranchRules) -> pipeline.BranchRules:
    return guards(found, About(vendor, "1", "", US[vendor]), ("tests",))


@pytest.mark.parametrize(
    ("vendor", "found", "required"),
    [
        (Vendor.GITHUB, rules(Required(OURS, "app:77")), ("tests",)),
        (Vendor.GITHUB, rules(Required(OURS, "app:77"), Required("lint", "app:5")), ("tests", "lint")),
        (Vendor.GITHUB, rules(Required(OURS, "app:77"), Required("lint")), ("tests",)),
        (Vendor.GITHUB, rules(Required("tests", "app:5")), ("tests",)),
        (Vendor.GITLAB, rules(mergers=("user:9",), bypass=("user:9",)), ("tests",)),
        (Vendor.GITEA, rules(Required(OURS), mergers=("muniment",)), ("tests",)),
    ],
)
def test_what_nobody_gets_around_is_required(vendor: Vendor, found: BranchRules, required: tuple[str, ...]) -> None:
    assert told(vendor, found) == pipeline.BranchRules(MAIN, vendor.value, required, Known(()))


@pytest.mark.parametrize(
    ("vendor", "found", "required", "who"),
    [
        (Vendor.GITHUB, rules(Required(OURS, "app:5")), (), ()),  # another App's word is not ours
        (Vendor.GITHUB, rules(Required(OURS)), (), (ANYBODY,)),
        (Vendor.GITHUB, rules(Required(OURS, "app:77"), bypass=("owners", "app:77")), ("tests",), ("owners",)),
        (Vendor.GITHUB, rules(Required(OURS, "app:77"), bypass=("*",)), ("tests",), (ANYBODY,)),
        (Vendor.GITHUB, rules(Required(OURS, "app:77"), deletable=True), ("tests",), (ANYBODY,)),
        (Vendor.GITHUB, rules(Required(OURS, "app:77"), pushers=("*",)), ("tests",), ()),  # checks bind pushes too
        (Vendor.GITLAB, rules(mergers=("user:9",), pushers=("maintainers",)), ("tests",), ("maintainers",)),
        (Vendor.GITLAB, rules(mergers=("user:9", "user:3"), bypass=("user:9", "user:3")), (), ("user:3",)),
        (Vendor.GITLAB, rules(Required("pipeline"), mergers=()), ("pipeline",), (ANYBODY,)),
        (Vendor.GITEA, rules(Required("tests")), ("tests",), (ANYBODY,)),
        (Vendor.GITEA, rules(mergers=("9",)), (), ()),  # a login that looks like our id is not us
        (Vendor.GITEA, rules(mergers=("muniment",), bypass=("administrators",)), ("tests",), ("administrators",)),
    ],
)
def test_what_somebody_gets_around_is_told_with_who(
    vendor: Vendor, found: BranchRules, required: tuple[str, ...], who: tuple[str, ...]
) -> None:
    given = told(vendor, found)
    assert isinstance(given.bypass_paths, Known)
    assert (given.required_pipelines, tuple(way.actor for way in given.bypass_paths.value)) == (required, who)


def test_a_branch_that_is_not_protected_is_guarded_by_nothing() -> None:
    given = told(Vendor.GITEA, BranchRules(MAIN))
    assert (given.enforced_by, given.required_pipelines) == ("", ())
    assert isinstance(given.bypass_paths, Known)
    assert BypassPath(ANYBODY, "the rules do not bind them") in given.bypass_paths.value


def test_a_bypass_list_that_was_not_read_is_not_known_to_be_empty() -> None:
    given = told(Vendor.GITHUB, rules(Required(OURS, "app:77"), unread_settings=("who may bypass it",)))
    assert given.bypass_paths == Unknown("not read: who may bypass it")
