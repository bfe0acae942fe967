import pytest

from muniment.decision.binding import BoundPolicy, bind
from muniment.decision.catalogue import CONTROLS, LATER
from muniment.decision.comparison import Difference, Direction, compare
from muniment.policy.document import read_policy

STRICTER, WEAKER, NEUTRAL = Direction.STRICTER, Direction.WEAKER, Direction.NEUTRAL
POLICY = """schema = 1
owner = "sec@example.test"
repository = "shop"
source = "policy.md"

[branches]
protected = ["main", "release/*"]

[unjudged]
deploy = "nothing is deployed"

[[clause]]
id = "two"
text = "All code is reviewed by two others."
control = "reviewed-by-others"
bites = "merge"
branches = ["main"]
with = { reviewers = 2 }

[[clause]]
id = "small"
text = "Small."
control = "small-changes"
bites = ["merge", "report"]
report_until = 2027-01-31
with = { lines = 400, generated = ["a", "b"] }

[[clause]]
id = "later"
text = "Tests pass."
control = "requirements-met"
bites = "report"
paths = ["src/**", "lib/**"]
with = { suites = ["unit"] }

[[clause]]
id = "kind"
text = "We are kind."
bites = "report"
"""
KIND = '[[clause]]\nid = "kind"\ntext = "We are kind."\nbites = "report"\n'


def policy(text: str) -> BoundPolicy:
    return bind(read_policy(text, "policy.toml"), CONTROLS, LATER, "policy.toml", text)


def differences(old: str, new: str) -> tuple[Difference, ...]:
    assert POLICY.count(old) == 1, old
    return compare(policy(POLICY), policy(POLICY.replace(old, new)))


def test_a_policy_does_not_differ_from_itself() -> None:
    assert compare(policy(POLICY), policy(POLICY)) == ()


def test_order_and_comments_are_no_difference() -> None:
    assert differences('protected = ["main", "release/*"]', 'protected = ["release/*", "main"]  # x') == ()
    assert differences('bites = ["merge", "report"]', 'bites = ["report", "merge"]') == ()


def test_a_default_written_out_is_no_difference() -> None:
    assert differences("lines = 400, ", "") == ()


@pytest.mark.parametrize(
    ("old", "new", "clause", "what", "direction", "incomparable"),
    [
        ('owner = "sec@example.test"', 'owner = "x@example.test"', "", "owner", NEUTRAL, False),
        ('source = "policy.md"', 'source = "page.md"', "", "source", NEUTRAL, False),
        ('repository = "shop"', 'repository = "web"', "", "repository", WEAKER, True),
        ('protected = ["main", "release/*"]', 'protected = ["main"]', "", "protected", WEAKER, False),
        ('"release/*"]', '"release/*", "dev"]', "", "protected", STRICTER, False),
        ('"release/*"]', '"release/**"]', "", "protected", WEAKER, True),
        ('deploy = "nothing is deployed"', 'deploy = "not yet"', "", "unjudged.deploy", NEUTRAL, False),
        ('deploy = "nothing is deployed"', "", "", "unjudged", STRICTER, False),
        (
            'deploy = "nothing is deployed"',
            'deploy = "nothing is deployed"\nmerge = "x"',
            "",
            "unjudged",
            WEAKER,
            False,
        ),
        ('"All code is reviewed by two others."', '"Reviewed."', "two", "text", NEUTRAL, False),
        ('branches = ["main"]', 'branches = ["main", "dev"]', "two", "branches", STRICTER, False),
        ('branches = ["main"]\n', "", "two", "branches", STRICTER, False),
        ('branches = ["main"]', 'branches = ["m*"]', "two", "branches", WEAKER, True),
        (
            "report_until = 2027-01-31\n",
            'report_until = 2027-01-31\nbranches = ["main"]\n',
            "small",
            "branches",
            WEAKER,
            False,
        ),
        ('paths = ["src/**", "lib/**"]', 'paths = ["src/**"]', "later", "paths", WEAKER, False),
        ('paths = ["src/**", "lib/**"]\n', "", "later", "paths", STRICTER, False),
        ('bites = "merge"', 'bites = "report"', "two", "bites", WEAKER, False),
        ('bites = "merge"', 'bites = "deploy"', "two", "bites", WEAKER, True),
        ('bites = "merge"', 'bites = ["merge", "deploy"]', "two", "bites", STRICTER, False),
        ('bites = "merge"', 'bites = ["merge", "report"]', "two", "bites", STRICTER, False),
        ('bites = ["merge", "report"]', 'bites = "merge"', "small", "bites", WEAKER, False),
        ('bites = ["merge", "report"]', 'bites = "report"', "small", "bites", WEAKER, False),
        ('bites = ["merge", "report"]', 'bites = ["merge", "deploy"]', "small", "bites", STRICTER, False),
        ('bites = "report"\npaths', 'bites = "merge"\npaths', "later", "bites", STRICTER, False),
        ("report_until = 2027-01-31", "report_until = 2027-02-01", "small", "report_until", WEAKER, False),
        ("report_until = 2027-01-31", "report_until = 2027-01-30", "small", "report_until", STRICTER, False),
        ("report_until = 2027-01-31\n", "", "small", "report_until", STRICTER, False),
        ('branches = ["main"]', 'branches = ["main"]\nreport_until = 2027-01-31', "two", "report_until", WEAKER, False),
        ("reviewers = 2", "reviewers = 3", "two", "with.reviewers", STRICTER, False),
        ("reviewers = 2", "reviewers = 1", "two", "with.reviewers", WEAKER, False),
        ("lines = 400", "lines = 300", "small", "with.lines", STRICTER, False),
        ("lines = 400", "lines = 500", "small", "with.lines", WEAKER, False),
        ('generated = ["a", "b"]', 'generated = ["a"]', "small", "with.generated", STRICTER, False),
        ('generated = ["a", "b"]', 'generated = ["c"]', "small", "with.generated", WEAKER, True),
        ('suites = ["unit"]', 'suites = ["unit", "all"]', "later", "with.suites", WEAKER, True),
        ('suites = ["unit"]', 'suites = ["unit"], x = 1', "later", "with.x", WEAKER, True),
        ('control = "requirements-met"', 'control = "no-known-weakness"', "later", "control", WEAKER, True),
        (
            'text = "We are kind."',
            'text = "We are kind."\ncontrol = "requirements-met"',
            "kind",
            "control",
            STRICTER,
            False,
        ),
        (KIND, "", "kind", "removed", WEAKER, False),
        (KIND, KIND + KIND.replace("kind", "late"), "late", "added", STRICTER, False),
    ],
)
def test_a_difference_is_told_with_its_direction(
    old: str, new: str, clause: str, what: str, direction: Direction, incomparable: bool
) -> None:
    found = [(d.clause, d.what, d.direction, d.incomparable) for d in differences(old, new)]
    assert found == [(clause, what, direction, incomparable)]
