import pytest

from muniment.decision.binding import BoundPolicy, bind_clauses, bind_known_clauses
from muniment.decision.catalogue import CONTROLS
from muniment.decision.comparison import Direction, PolicyDifference, compare_policies
from muniment.policy.document import parse_policy

PLANNED = frozenset({"later-control", "even-later"})  # the catalogue has fewer with each version

STRICTER, WEAKER, NEUTRAL = Direction.STRICTER, Direction.WEAKER, Direction.NEUTRAL
POLICY = """schema = 1
owner = "sec@example.test"
repository = "shop"
source = "policy.md"

[branches]
protected = ["main", "release/*"]

[unenforced]
deploy = "nothing is deployed"

[[section]]
id = "z"
name = "Other"
owner = "lead@example.test"

[[section]]
id = "s"
name = "Section"
owner = "lead@example.test"

[[clause]]
id = "two"
name = "Two"
section = "s"
text = "All code is reviewed by two others."
control = "independent-review"
enforce = ["merge"]
branches = ["main"]
with = { reviewers = 2 }

[[clause]]
id = "small"
name = "Small"
section = "s"
text = "Small."
control = "small-changes"
enforce = ["merge", "deploy"]
monitoring_until = 2027-01-31
with = { lines = 400, generated = ["a", "b"] }

[[clause]]
id = "later"
name = "Later"
section = "s"
text = "Tests pass."
control = "later-control"
enforce = []
paths = ["src/**", "lib/**"]
with = { suites = ["unit"] }

[[clause]]
id = "kind"
name = "Kind"
section = "s"
text = "We are kind."
enforce = []
"""
KIND = '[[clause]]\nid = "kind"\nname = "Kind"\nsection = "s"\ntext = "We are kind."\nenforce = []\n'


def policy(text: str) -> BoundPolicy:
    return bind_clauses(parse_policy(text, "policy.toml"), CONTROLS, PLANNED, "policy.toml", text)


def differences(old: str, new: str) -> tuple[PolicyDifference, ...]:
    assert POLICY.count(old) == 1, old
    return compare_policies(policy(POLICY), policy(POLICY.replace(old, new)))


def test_policy_does_not_differ_from_itself() -> None:
    assert compare_policies(policy(POLICY), policy(POLICY)) == ()


def test_order_and_comments_make_no_difference() -> None:
    assert differences('protected = ["main", "release/*"]', 'protected = ["release/*", "main"]  # x') == ()
    assert differences('enforce = ["merge", "deploy"]', 'enforce = ["deploy", "merge"]') == ()


def test_explicit_default_makes_no_difference() -> None:
    assert differences("lines = 400, ", "") == ()


@pytest.mark.parametrize(
    ("old", "new", "clause", "what", "direction", "incomparable"),
    [
        ('owner = "sec@example.test"', 'owner = "x@example.test"', "", "owner", NEUTRAL, False),
        ('source = "policy.md"', 'source = "page.md"', "", "source", NEUTRAL, False),
        ('repository = "shop"', 'repository = "web"', "", "repository", WEAKER, True),
        ('protected = ["main", "release/*"]', 'protected = ["main"]', "", "protected branches", WEAKER, False),
        ('"release/*"]', '"release/*", "dev"]', "", "protected branches", STRICTER, False),
        ('"release/*"]', '"release/**"]', "", "protected branches", WEAKER, True),
        ('deploy = "nothing is deployed"', 'deploy = "not yet"', "", "unenforced.deploy", NEUTRAL, False),
        ('deploy = "nothing is deployed"', "", "", "unenforced", STRICTER, False),
        (
            'deploy = "nothing is deployed"',
            'deploy = "nothing is deployed"\nmerge = "x"',
            "",
            "unenforced",
            WEAKER,
            False,
        ),
        (
            'deploy = "nothing is deployed"',
            'deploy = "nothing is deployed"\n[confirmation]\nproof = ["weaken-policy"]',
            *("", "confirmation.proof", STRICTER, False),
        ),
        (
            'deploy = "nothing is deployed"',
            'deploy = "nothing is deployed"\n[confirmation]\ndelay_hours = 1',
            *("", "confirmation.delay_hours", WEAKER, False),
        ),
        (
            'deploy = "nothing is deployed"',
            'deploy = "nothing is deployed"\n[retention]\nmessage_days = 1',
            *("", "retention.message_days", WEAKER, True),
        ),
        (
            'deploy = "nothing is deployed"',
            'deploy = "nothing is deployed"\n[retention]\nmessage_days = 3650',
            *("", "retention.message_days", WEAKER, True),
        ),
        ('"All code is reviewed by two others."', '"Reviewed."', "two", "text", NEUTRAL, False),
        ('branches = ["main"]', 'branches = ["main", "dev"]', "two", "branches", STRICTER, False),
        ('branches = ["main"]\n', "", "two", "branches", STRICTER, False),
        ('branches = ["main"]', 'branches = ["m*"]', "two", "branches", WEAKER, True),
        (
            "monitoring_until = 2027-01-31\n",
            'monitoring_until = 2027-01-31\nbranches = ["main"]\n',
            "small",
            "branches",
            WEAKER,
            False,
        ),
        ('paths = ["src/**", "lib/**"]', 'paths = ["src/**"]', "later", "paths", WEAKER, False),
        ('paths = ["src/**", "lib/**"]\n', "", "later", "paths", STRICTER, False),
        ('enforce = ["merge"]', "enforce = []", "two", "enforce", WEAKER, False),
        ('enforce = ["merge"]', 'enforce = ["deploy"]', "two", "enforce", WEAKER, True),
        ('enforce = ["merge"]', 'enforce = ["merge", "deploy"]', "two", "enforce", STRICTER, False),
        ('enforce = ["merge", "deploy"]', 'enforce = ["merge"]', "small", "enforce", WEAKER, False),
        ('enforce = ["merge", "deploy"]', "enforce = []", "small", "enforce", WEAKER, False),
        ('name = "Two"', 'name = "Two reviewers"', "two", "name", NEUTRAL, False),
        ('name = "Two"\nsection = "s"', 'name = "Two"\nsection = "z"', "two", "section", NEUTRAL, False),
        ('name = "Two"', 'name = "Two"\nowner = "x@example.test"', "two", "owner", NEUTRAL, False),
        ('name = "Section"', 'name = "Code"', "", "section s", NEUTRAL, False),
        ("enforce = []\npaths", 'enforce = ["merge"]\npaths', "later", "enforce", STRICTER, False),
        ("monitoring_until = 2027-01-31", "monitoring_until = 2027-02-01", "small", "monitoring_until", WEAKER, False),
        (
            "monitoring_until = 2027-01-31",
            "monitoring_until = 2027-01-30",
            "small",
            "monitoring_until",
            STRICTER,
            False,
        ),
        ("monitoring_until = 2027-01-31\n", "", "small", "monitoring_until", STRICTER, False),
        (
            'branches = ["main"]',
            'branches = ["main"]\nmonitoring_until = 2027-01-31',
            "two",
            "monitoring_until",
            WEAKER,
            False,
        ),
        ("reviewers = 2", "reviewers = 3", "two", "with.reviewers", STRICTER, False),
        ("reviewers = 2", "reviewers = 1", "two", "with.reviewers", WEAKER, False),
        ("lines = 400", "lines = 300", "small", "with.lines", STRICTER, False),
        ("lines = 400", "lines = 500", "small", "with.lines", WEAKER, False),
        ('generated = ["a", "b"]', 'generated = ["a"]', "small", "with.generated", STRICTER, False),
        ('generated = ["a", "b"]', 'generated = ["c"]', "small", "with.generated", WEAKER, True),
        ('suites = ["unit"]', 'suites = ["unit", "all"]', "later", "with.suites", WEAKER, True),
        ('suites = ["unit"]', 'suites = ["unit"], x = 1', "later", "with.x", WEAKER, True),
        ('control = "later-control"', 'control = "even-later"', "later", "control", WEAKER, True),
        (
            'text = "We are kind."',
            'text = "We are kind."\ncontrol = "later-control"',
            "kind",
            "control",
            STRICTER,
            False,
        ),
        (KIND, "", "kind", "removed", WEAKER, False),
        (KIND, KIND + KIND.replace("kind", "late"), "late", "added", STRICTER, False),
    ],
)
def test_difference_has_direction(
    old: str, new: str, clause: str, what: str, direction: Direction, incomparable: bool
) -> None:
    found = [(d.clause, d.what, d.direction, d.incomparable) for d in differences(old, new)]
    assert found == [(clause, what, direction, incomparable)]


@pytest.mark.parametrize(
    ("old", "new", "before", "after"),
    [
        ("monitoring_until = 2027-01-31", "monitoring_until = 2027-02-01", "2027-01-31", "2027-02-01"),
        ("monitoring_until = 2027-01-31\n", "", "2027-01-31", ""),
        (
            'branches = ["main"]',
            'branches = ["main"]\nmonitoring_until = 2027-01-31',
            "",
            "2027-01-31",
        ),
        ('name = "Section"', 'name = "Code"', "Section (lead@example.test)", "Code (lead@example.test)"),
        ('paths = ["src/**", "lib/**"]', 'paths = ["src/**"]', "src/**, lib/**", "src/**"),
        ('suites = ["unit"]', 'suites = ["unit", "all"]', "unit", "unit, all"),
    ],
)
def test_difference_has_old_and_new_value(old: str, new: str, before: str, after: str) -> None:
    assert [(one.old, one.new) for one in differences(old, new)] == [(before, after)]


def test_clause_that_loses_its_control_is_weaker() -> None:
    covered = KIND.replace("enforce", 'control = "later-control"\nenforce')
    (found,) = compare_policies(policy(POLICY.replace(KIND, covered)), policy(POLICY))
    assert (found.what, found.direction, found.incomparable, found.new) == ("control", WEAKER, False, "")


def test_correcting_a_clause_that_cannot_be_evaluated_is_incomparable() -> None:
    text = POLICY.replace("lines = 400, ", "lines = 0, ")
    assert text != POLICY
    broken = bind_known_clauses(parse_policy(text, "p"), CONTROLS, PLANNED)
    for old, new in ((broken, policy(POLICY)), (policy(POLICY), broken)):
        (found,) = compare_policies(old, new)
        assert (found.what, found.direction, found.incomparable) == ("with.lines", WEAKER, True)
