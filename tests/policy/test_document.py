import datetime

import pytest

from muniment.errors import PolicyError
from muniment.policy.document import place_of_clause, read_policy
from muniment.policy.model import Clause, Point
from muniment.policy.reading import LARGEST

POLICY = """schema = 1
owner = "security@example.test"
repository = "shop"
source = "policy.md"

[branches]
protected = ["main", "release/*"]

[unjudged]
deploy = "nothing is deployed from here"

[[clause]]
id = "review.two-others"
text = "All code is reviewed by at least two others."
control = "reviewed-by-others"
bites = "merge"
with = { reviewers = 2 }

[[clause]]
id = "tidy"
text = "Code is tidy."
bites = ["report", "merge"]
branches = ["main"]
paths = ["src/**"]
report_until = 2027-01-31
"""


def refusal(text: str) -> PolicyError:
    with pytest.raises(PolicyError) as caught:
        read_policy(text, "policy.toml")
    error = caught.value
    assert error.remedy
    assert error.exit_code == 2
    return error


def told(error: PolicyError) -> tuple[str, str]:
    return error.where, error.key


def changed(old: str, new: str) -> str:
    assert POLICY.count(old) == 1
    return POLICY.replace(old, new)


def test_a_policy_is_read_as_it_is_written() -> None:
    policy = read_policy(POLICY, "policy.toml")
    assert (policy.owner, policy.repository, policy.source) == ("security@example.test", "shop", "policy.md")
    assert policy.protected == ("main", "release/*")
    assert policy.protected_tags == ()
    tagged = POLICY.replace("[unjudged]", '[tags]\nprotected = ["v*"]\n[unjudged]')
    assert read_policy(tagged, "policy.toml").protected_tags == ("v*",)
    assert policy.unjudged == {Point.DEPLOY: "nothing is deployed from here"}
    assert policy.clauses == (
        Clause(
            id="review.two-others",
            text="All code is reviewed by at least two others.",
            control="reviewed-by-others",
            bites=(Point.MERGE,),
            parameters={"reviewers": 2},
        ),
        Clause(
            id="tidy",
            text="Code is tidy.",
            control="",
            bites=(Point.REPORT, Point.MERGE),
            parameters={},
            branches=("main",),
            paths=("src/**",),
            report_until=datetime.date(2027, 1, 31),
        ),
    )


def test_a_policy_keeps_its_digest_when_only_its_comments_change() -> None:
    with_comment = changed("schema = 1\n", "schema = 1  # the form\n\n")
    assert read_policy(POLICY, "a").digest == read_policy(with_comment, "b").digest
    assert read_policy(POLICY, "a").digest != read_policy(changed("reviewers = 2", "reviewers = 3"), "a").digest


@pytest.mark.parametrize(
    ("old", "new", "where", "key", "problem"),
    [
        ("schema = 1", "schema = 2", 1, "schema", "found 2"),
        ("schema = 1", "schema = true", 1, "schema", "found true"),
        ("schema = 1\n", "", 1, "schema", "found nothing"),
        ('owner = "security@example.test"', "owner = 7", 2, "owner", "found 7"),
        ('owner = "security@example.test"', 'owner = " "', 2, "owner", "found ' '"),
        ('repository = "shop"', 'repository = "the shop"', 3, "repository", "without blanks"),
        ('source = "policy.md"', 'source = ""', 4, "source", "found ''"),
        ('source = "policy.md"', "surce = 1", 4, "surce", 'found "surce"'),
        ("[unjudged]", "[tags]\nprotected = [1]\n[unjudged]", 10, "tags.protected", "found 1"),
        ('protected = ["main", "release/*"]', "protected = []", 7, "branches.protected", "empty list"),
        ('protected = ["main", "release/*"]', 'protected = "main"', 7, "branches.protected", "found 'main'"),
        ('protected = ["main", "release/*"]', "", 6, "branches.protected", "found nothing"),
        ('protected = ["main", "release/*"]', "protected = [1]", 7, "branches.protected", "found 1"),
        ('"release/*"', '"main"', 7, "branches.protected", "'main' twice"),
        ('"release/*"', '"refs/heads/main"', 7, "branches.protected", "refs/heads/main"),
        ('"release/*"', '"a b"', 7, "branches.protected", "'a b'"),
        ('"release/*"', '"release/["', 7, "branches.protected", "no special meaning"),
        ('"release/*"]', '"release/*"]\nlive = 1', 8, "branches.live", "one of the keys protected"),
        ('deploy = "nothing is deployed from here"', 'deploy = ""', 10, "unjudged.deploy", "reason in words"),
        ('deploy = "nothing is deployed from here"', 'build = "x"', 10, "unjudged.build", 'found "build"'),
        ('id = "tidy"', 'id = "Tidy"', 20, 'clause "Tidy" id', "lower-case"),
        ('id = "tidy"', 'id = "review.two-others"', 20, 'clause "review.two-others" id', "no other clause"),
        ('id = "tidy"\n', "", 19, "clause 2 id", "found nothing"),
        ('text = "Code is tidy."', "text = 1", 21, 'clause "tidy" text', "as the company wrote it"),
        ('control = "reviewed-by-others"', 'control = ""', 15, 'clause "review.two-others" control', "found ''"),
        ('control = "reviewed-by-others"\n', "", 16, 'clause "review.two-others" with', "a control beside it"),
        ('bites = "merge"', 'bites = "push"', 16, 'clause "review.two-others" bites', "merge, deploy, report"),
        ('bites = "merge"\n', "", 12, 'clause "review.two-others" bites', "found nothing"),
        ('bites = ["report", "merge"]', "bites = []", 22, 'clause "tidy" bites', "empty list"),
        ('bites = ["report", "merge"]', 'bites = ["merge", "x"]', 22, 'clause "tidy" bites', "found 'x'"),
        ('bites = ["report", "merge"]', 'bites = ["merge", "merge"]', 22, 'clause "tidy" bites', "twice"),
        ('branches = ["main"]', "branches = []", 23, 'clause "tidy" branches', "empty list"),
        ('branches = ["main"]', 'branches = ["/main"]', 23, 'clause "tidy" branches', "begins with /"),
        ('paths = ["src/**"]', "paths = []", 24, 'clause "tidy" paths', "empty list"),
        ('paths = ["src/**"]', 'paths = ["{a,b}"]', 24, 'clause "tidy" paths', "no special meaning"),
        (
            "report_until = 2027-01-31",
            'report_until = "2027-01-31"',
            25,
            'clause "tidy" report_until',
            "without quotes",
        ),
        (
            *("report_until = 2027-01-31", "report_until = 2027-01-31T10:00:00Z", 25),
            *('clause "tidy" report_until', "found 2027-01-31T10:00:00+00:00"),
        ),
        ("report_until = 2027-01-31", "exempt = true", 25, 'clause "tidy" exempt', 'found "exempt"'),
        ("with = { reviewers = 2 }", "with = 2", 17, 'clause "review.two-others" with', "a table"),
        (
            *("with = { reviewers = 2 }", "with.reviewers = 2.5", 17),
            *('clause "review.two-others" with.reviewers', "found 2.5"),
        ),
        (
            *("with = { reviewers = 2 }", f"with.reviewers = {2**60}", 17),
            *('clause "review.two-others" with.reviewers', "whole number"),
        ),
        (
            *("with = { reviewers = 2 }", "[clause.with]\nx = true\nreviewers = [{}]", 19),
            *('clause "review.two-others" with.reviewers', "found a table"),
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_line_and_key(old: str, new: str, where: int, key: str, problem: str) -> None:
    error = refusal(changed(old, new))
    assert told(error) == (f"policy.toml:{where}", key)
    assert problem in error.problem


def test_a_policy_without_any_clause_is_refused() -> None:
    error = refusal(POLICY[: POLICY.index("[[clause]]")])
    assert told(error) == ("policy.toml:1", "clause")


def test_clauses_that_are_no_tables_are_refused() -> None:
    error = refusal("clause = [1]\n" + POLICY[: POLICY.index("[[clause]]")])
    assert told(error) == ("policy.toml:1", "clause")
    assert "[[clause]]" in error.problem


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("schema = 1\nowner = ", "p.toml:2"),
        ("schema = 1\nschema = 2\nx = 1", "p.toml:2"),
        ('schema = 1\nowner = "x\ny = 1', "p.toml:2"),
        ('schema = 1\nowner = """x\n\n', "p.toml:4"),
        ("\ufeffschema = 1", "p.toml:1"),
        (f"schema = {'9' * 5000}", "p.toml"),
        (f"schema = {'[' * 5000}", "p.toml"),
        ("#" * (LARGEST + 1), "p.toml"),
    ],
)
def test_what_is_not_toml_is_refused_with_its_line(text: str, where: str) -> None:
    with pytest.raises(PolicyError) as caught:
        read_policy(text, "p.toml")
    assert caught.value.where == where
    assert caught.value.remedy


def test_an_error_does_not_quote_a_whole_page() -> None:
    error = refusal(changed("reviewers = 2", f"reviewers = [{', '.join(['1.5'] * 500)}]"))
    assert len(str(error)) < 300


def test_parameters_may_be_texts_numbers_truths_and_lists_of_them() -> None:
    text = changed("with = { reviewers = 2 }", 'with = { a = "x", b = [1, true, ["y"]], c = -3 }')
    assert read_policy(text, "p").clauses[0].parameters == {"a": "x", "b": [1, True, ["y"]], "c": -3}


def test_a_clause_is_found_in_the_text_by_its_id() -> None:
    assert place_of_clause("p", POLICY, "tidy", "bites") == "p:22"
    assert place_of_clause("p", POLICY, "tidy", "with", "x") == "p:19"
    assert place_of_clause("p", POLICY, "nothing", "bites") == "p"
    assert place_of_clause("p", "", "tidy", "bites") == "p"


def test_days_that_stand_apart_delay_their_clauses_and_never_bring_one_forward() -> None:
    apart = POLICY + '\n[[gently]]\nclause = "review.two-others"\nuntil = 2027-03-01\n'
    earlier = '\n[[gently]]\nclause = "tidy"\nuntil = 2026-01-01\n[[gently]]\nclause = "tidy"\nuntil = 2026-06-01\n'
    one, two = read_policy(apart + earlier, "policy.toml").clauses
    assert one.report_until == datetime.date(2027, 3, 1)
    assert two.report_until == datetime.date(2027, 1, 31)
    assert read_policy(apart, "policy.toml").digest != read_policy(POLICY, "policy.toml").digest


@pytest.mark.parametrize("line", ['clause = "no.such"\nuntil = 2027-01-01', 'clause = "tidy"', "until = 2027-01-01"])
def test_a_day_for_no_clause_or_a_clause_without_a_day_is_refused(line: str) -> None:
    assert "gently" in refusal(f"{POLICY}\n[[gently]]\n{line}\n").key
