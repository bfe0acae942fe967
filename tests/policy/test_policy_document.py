import datetime

import pytest

from muniment.errors import PolicyError
from muniment.policy import patterns
from muniment.policy.document import _LARGEST_NUMBER, _MOST_ENTRIES, LONGEST_NAME, locate_clause, parse_policy
from muniment.policy.model import Clause, Confirmation, EnforcementPoint, Retention, Section
from muniment.policy.toml_reading import _LONGEST_SHOWN, LARGEST_TOML, quote_value

POLICY = """schema = 1
owner = "security@example.test"
repository = "shop"
source = "policy.md"

[branches]
protected = ["main", "release/*"]

[unenforced]
deploy = "nothing is deployed from here"

[[clause]]
id = "review.two-reviewers"
name = "Two reviewers"
section = "review"
text = "All code is reviewed by at least two others."
control = "independent-review"
enforce = ["merge"]
with = { reviewers = 2 }

[[clause]]
id = "tidy"
name = "Tidy code"
section = "review"
text = "Code is tidy."
enforce = ["merge", "deploy"]
branches = ["main"]
paths = ["src/**"]
monitoring_until = 2027-01-31
owner = "lead@example.test"

[[section]]
id = "review"
name = "Code review"
owner = "review@example.test"
"""

FAR_TOO_MANY = [f"f{number}" for number in range(201)]


def refusal(text: str) -> PolicyError:
    with pytest.raises(PolicyError) as caught:
        parse_policy(text, "policy.toml")
    error = caught.value
    assert error.remedy
    assert error.exit_code == 2
    return error


def describe_error(error: PolicyError) -> tuple[str, str]:
    return error.where, error.key


def changed(old: str, new: str) -> str:
    assert POLICY.count(old) == 1
    return POLICY.replace(old, new)


def test_policy_is_read_as_written() -> None:
    policy = parse_policy(POLICY, "policy.toml")
    assert (policy.owner, policy.repository, policy.source) == ("security@example.test", "shop", "policy.md")
    assert policy.protected_branches == ("main", "release/*")
    assert policy.protected_tags == ()
    tagged = POLICY.replace("[unenforced]", '[tags]\nprotected = ["v*"]\n[unenforced]')
    assert parse_policy(tagged, "policy.toml").protected_tags == ("v*",)
    assert policy.confirmation == Confirmation(proof=(), delay_hours=24)
    confirmed = POLICY.replace("[unenforced]", "[confirmation]\nproof = ['b', 'a']\ndelay_hours = 48\n[unenforced]")
    assert parse_policy(confirmed, "policy.toml").confirmation == Confirmation(("a", "b"), 48)
    assert policy.retention == Retention(message_days=180)
    stored = POLICY.replace("[unenforced]", "[retention]\nmessage_days = 3650\nincident_days = 1\n[unenforced]")
    assert parse_policy(stored, "policy.toml").retention == Retention(message_days=3650, incident_days=1)
    assert policy.unenforced == {EnforcementPoint.DEPLOY: "nothing is deployed from here"}
    assert policy.sections == (Section("review", "Code review", "review@example.test"),)
    assert [policy.find_owner(clause) for clause in policy.clauses] == ["review@example.test", "lead@example.test"]
    assert policy.clauses == (
        Clause(
            id="review.two-reviewers",
            name="Two reviewers",
            section="review",
            text="All code is reviewed by at least two others.",
            control="independent-review",
            enforce=(EnforcementPoint.MERGE,),
            parameters={"reviewers": 2},
        ),
        Clause(
            id="tidy",
            name="Tidy code",
            section="review",
            text="Code is tidy.",
            control="",
            enforce=(EnforcementPoint.MERGE, EnforcementPoint.DEPLOY),
            parameters={},
            branches=("main",),
            paths=("src/**",),
            monitoring_until=datetime.date(2027, 1, 31),
            owner="lead@example.test",
        ),
    )


def test_a_policy_keeps_its_digest_when_only_its_comments_change() -> None:
    with_comment = changed("schema = 1\n", "schema = 1  # the form\n\n")
    assert parse_policy(POLICY, "a").digest == parse_policy(with_comment, "b").digest
    assert parse_policy(POLICY, "a").digest != parse_policy(changed("reviewers = 2", "reviewers = 3"), "a").digest


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
        ("[unenforced]", "[tags]\nprotected = [1]\n[unenforced]", 10, "tags.protected", "found 1"),
        ("[unenforced]", "[confirmation]\ndelay_hours = 0\n[unenforced]", 10, "confirmation.delay_hours", "found 0"),
        ("[unenforced]", "[confirmation]\nproof = ['A b']\n[unenforced]", 10, "confirmation.proof", "found"),
        ("[unenforced]", "[retention]\nmessage_days = 0\n[unenforced]", 10, "retention.message_days", "found 0"),
        ("[unenforced]", "[retention]\nmessage_days = 3651\n[unenforced]", 10, "retention.message_days", "3651"),
        ("[unenforced]", "[retention]\nmessage_days = '9'\n[unenforced]", 10, "retention.message_days", "found '9'"),
        ("[unenforced]", "[retention]\nmessages = 1\n[unenforced]", 10, "retention.messages", 'found "messages"'),
        ("[unenforced]", "[confirmation]\nhours = 1\n[unenforced]", 10, "confirmation.hours", 'found "hours"'),
        ('protected = ["main", "release/*"]', "protected = []", 7, "branches.protected", "empty list"),
        ('protected = ["main", "release/*"]', 'protected = "main"', 7, "branches.protected", "found 'main'"),
        ('protected = ["main", "release/*"]', "", 6, "branches.protected", "found nothing"),
        ('protected = ["main", "release/*"]', "protected = [1]", 7, "branches.protected", "found 1"),
        ('"release/*"', '"main"', 7, "branches.protected", "'main' twice"),
        ('"release/*"', '"refs/heads/main"', 7, "branches.protected", "refs/heads/main"),
        ('"release/*"', '"a b"', 7, "branches.protected", "'a b'"),
        ('"release/*"', '"release/["', 7, "branches.protected", "no special meaning"),
        ('"release/*"]', '"release/*"]\nlive = 1', 8, "branches.live", "one of the keys protected"),
        ('deploy = "nothing is deployed from here"', 'deploy = ""', 10, "unenforced.deploy", "reason in words"),
        ('deploy = "nothing is deployed from here"', 'build = "x"', 10, "unenforced.build", 'found "build"'),
        ('id = "tidy"', 'id = "Tidy"', 22, 'clause "Tidy" id', "lower-case"),
        ('id = "tidy"', 'id = "review.two-reviewers"', 22, 'clause "review.two-reviewers" id', "no other clause"),
        ('id = "tidy"\n', "", 21, "clause 2 id", "found nothing"),
        ('name = "Tidy code"\n', "", 21, 'clause "tidy" name', "found nothing"),
        ('name = "Tidy code"', f'name = "{"x" * 61}"', 23, 'clause "tidy" name', "at most 60 characters"),
        ('name = "Tidy code"', 'name = """Tidy\ncode"""', 23, 'clause "tidy" name', "in one line"),
        (
            'name = "Tidy code"\nsection = "review"\n',
            'name = "Tidy code"\n',
            21,
            'clause "tidy" section',
            "found nothing",
        ),
        (
            '[[section]]\nid = "review"',
            '[[section]]\nid = "x"',
            15,
            'clause "review.two-reviewers" section',
            "found 'review'",
        ),
        ('id = "review"\n', "", 32, "section 1 id", "found nothing"),
        ('name = "Code review"\n', "", 32, 'section "review" name', "found nothing"),
        ('owner = "review@example.test"\n', "", 32, 'section "review" owner', "found nothing"),
        ('owner = "review@example.test"\n', 'owner = "x"\nx = 1\n', 36, 'section "review" x', 'found "x"'),
        (
            *(
                'owner = "review@example.test"\n',
                'owner = "x"\n[[section]]\nid = "review"\nname = "y"\nowner = "x"\n',
                37,
            ),
            *('section "review" id', "no other section"),
        ),
        ('owner = "lead@example.test"', 'owner = ""', 30, 'clause "tidy" owner', "found ''"),
        ('text = "Code is tidy."', "text = 1", 25, 'clause "tidy" text', "as the company wrote it"),
        ('control = "independent-review"', 'control = ""', 17, 'clause "review.two-reviewers" control', "found ''"),
        (
            'control = "independent-review"\n',
            "",
            18,
            'clause "review.two-reviewers" with',
            "a control in the same clause",
        ),
        ('enforce = ["merge"]', 'enforce = ["push"]', 18, 'clause "review.two-reviewers" enforce', "merge, deploy"),
        ('enforce = ["merge"]', 'enforce = "merge"', 18, 'clause "review.two-reviewers" enforce', "found 'merge'"),
        ('enforce = ["merge"]', 'enforce = ["state"]', 18, 'clause "review.two-reviewers" enforce', "found 'state'"),
        ('enforce = ["merge"]\n', "", 12, 'clause "review.two-reviewers" enforce', "found nothing"),
        ('enforce = ["merge", "deploy"]', 'enforce = ["merge", "x"]', 26, 'clause "tidy" enforce', "found 'x'"),
        ('enforce = ["merge", "deploy"]', 'enforce = ["merge", "merge"]', 26, 'clause "tidy" enforce', "twice"),
        ('branches = ["main"]', "branches = []", 27, 'clause "tidy" branches', "empty list"),
        ('branches = ["main"]', 'branches = ["/main"]', 27, 'clause "tidy" branches', "begins with /"),
        ('paths = ["src/**"]', "paths = []", 28, 'clause "tidy" paths', "empty list"),
        ('paths = ["src/**"]', 'paths = ["{a,b}"]', 28, 'clause "tidy" paths', "no special meaning"),
        ('paths = ["src/**"]', f"paths = {FAR_TOO_MANY}", 28, 'clause "tidy" paths', "at most 200 patterns, found 201"),
        (
            "monitoring_until = 2027-01-31",
            'monitoring_until = "2027-01-31"',
            29,
            'clause "tidy" monitoring_until',
            "without quotes",
        ),
        (
            *("monitoring_until = 2027-01-31", "monitoring_until = 2027-01-31T10:00:00Z", 29),
            *('clause "tidy" monitoring_until', "found 2027-01-31T10:00:00+00:00"),
        ),
        ("monitoring_until = 2027-01-31", "exempt = true", 29, 'clause "tidy" exempt', 'found "exempt"'),
        ("with = { reviewers = 2 }", "with = 2", 19, 'clause "review.two-reviewers" with', "a table"),
        (
            *("with = { reviewers = 2 }", "with.reviewers = 2.5", 19),
            *('clause "review.two-reviewers" with.reviewers', "found 2.5"),
        ),
        (
            *("with = { reviewers = 2 }", f"with.reviewers = {2**60}", 19),
            *('clause "review.two-reviewers" with.reviewers', "whole number"),
        ),
        (
            *("with = { reviewers = 2 }", f"with.reviewers = {FAR_TOO_MANY}", 19),
            *('clause "review.two-reviewers" with.reviewers', "at most 200 entries, found 201"),
        ),
        (
            *("with = { reviewers = 2 }", "[clause.with]\nx = true\nreviewers = [{}]", 21),
            *('clause "review.two-reviewers" with.reviewers', "found a table"),
        ),
    ],
)
def test_error_names_line_and_key(old: str, new: str, where: int, key: str, problem: str) -> None:
    error = refusal(changed(old, new))
    assert describe_error(error) == (f"policy.toml:{where}", key)
    assert problem in error.problem


def test_a_policy_without_any_clause_is_refused() -> None:
    error = refusal(POLICY[: POLICY.index("[[clause]]")])
    assert describe_error(error) == ("policy.toml:1", "clause")


def test_refuses_clauses_that_are_not_tables() -> None:
    error = refusal("clause = [1]\n" + POLICY[: POLICY.index("[[clause]]")])
    assert describe_error(error) == ("policy.toml:1", "clause")
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
        ("#" * (LARGEST_TOML + 1), "p.toml"),
    ],
)
def test_invalid_toml_is_refused_with_line(text: str, where: str) -> None:
    with pytest.raises(PolicyError) as caught:
        parse_policy(text, "p.toml")
    assert caught.value.where == where
    assert caught.value.remedy


def test_error_quotes_limited_text() -> None:
    error = refusal(changed("reviewers = 2", f"reviewers = [{', '.join(['1.5'] * 500)}]"))
    assert len(str(error)) < 300


def test_parameters_may_be_strings_numbers_booleans_and_lists() -> None:
    text = changed("with = { reviewers = 2 }", 'with = { a = "x", b = [1, true, ["y"]], c = -3 }')
    assert parse_policy(text, "p").clauses[0].parameters == {"a": "x", "b": [1, True, ["y"]], "c": -3}


def test_clause_is_located_in_text_by_id() -> None:
    assert locate_clause("p", POLICY, "tidy", "enforce") == "p:26"
    assert locate_clause("p", POLICY, "tidy", "with", "x") == "p:21"
    assert locate_clause("p", POLICY, "nothing", "enforce") == "p"
    assert locate_clause("p", "", "tidy", "enforce") == "p"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('name = "Tidy code"', f'name = "{"n" * LONGEST_NAME}"'),
        ("with = { reviewers = 2 }", f"with.reviewers = {_LARGEST_NUMBER}"),
        ("with = { reviewers = 2 }", f"with.reviewers = -{_LARGEST_NUMBER}"),
        ("with = { reviewers = 2 }", f"with.reviewers = {[1] * _MOST_ENTRIES}"),
        ('paths = ["src/**"]', f"paths = {[f'f{number}' for number in range(patterns.MOST_PATTERNS)]}"),
        ('paths = ["src/**"]', f'paths = ["{"p" * patterns.MOST_PATTERN_CHARACTERS}"]'),
        ("schema = 1", "schema = 1\n" + "#" * (LARGEST_TOML - len(POLICY) - 1)),
    ],
    ids=["name", "number", "negative", "entries", "patterns", "pattern", "document"],
)
def test_policy_at_size_limits_is_read(old: str, new: str) -> None:
    assert len(parse_policy(changed(old, new), "p").clauses) == 2


@pytest.mark.parametrize("id", ["5", '""'])
def test_unnamed_entry_is_identified_by_number(id: str) -> None:
    assert describe_error(refusal(changed('id = "tidy"', f"id = {id}")))[1] == "clause 2 id"


def test_error_lists_defined_sections() -> None:
    tidy = changed('name = "Tidy code"\nsection = "review"', 'name = "Tidy code"\nsection = "other"')
    assert "name one that is there: review." in refusal(tidy).remedy
    nothing = POLICY[: POLICY.index("[[section]]")]
    assert "name one that is there: none yet." in refusal(nothing).remedy


def test_error_has_default_remedy() -> None:
    assert refusal(changed("schema = 1", "")).remedy.startswith("Write schema as ")
    assert refusal(changed('control = "independent-review"\n', "")).remedy.startswith("Name the control")


def test_value_is_quoted_up_to_length_limit() -> None:
    longest = "x" * (_LONGEST_SHOWN - 2)
    assert quote_value(longest) == f"'{longest}'"
    assert quote_value(longest + "x") == f"'{longest}x"[: _LONGEST_SHOWN - 1] + "…"


def test_a_clause_is_monitored_through_its_last_day() -> None:
    two, tidy = parse_policy(POLICY, "p").clauses
    last = datetime.date(2027, 1, 31)
    assert [tidy.is_monitored(last), tidy.is_monitored(last + datetime.timedelta(days=1))] == [True, False]
    assert not two.is_monitored(last)


def test_owner_of_clause_defaults_to_owner_of_section() -> None:
    other = '[[section]]\nid = "other"\nname = "Other"\nowner = "other@example.test"\n\n[[section]]\nid = "review"'
    policy = parse_policy(changed('[[section]]\nid = "review"', other), "p")
    assert [policy.find_owner(one) for one in policy.clauses] == ["review@example.test", "lead@example.test"]
