"""One clause of a policy's text is replaced; all else stays, to the character."""

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from muniment.errors import PolicyError
from muniment.policy.built_in_policy import format_built_in_policy
from muniment.policy.clause_editing import replace_clause
from muniment.policy.document import parse_policy
from muniment.policy.model import Clause, EnforcementPoint
from muniment.policy.toml_lines import list_comments

TEXT = format_built_in_policy("security@example.test", "organisation")
CLAUSES = parse_policy(TEXT, "p").clauses


def clause(name: str) -> Clause:
    return next(one for one in CLAUSES if one.id == name)


@given(st.sampled_from(CLAUSES), st.text(min_size=1).filter(str.strip), st.booleans())
def test_replaced_clause_is_read_back_and_all_else_stays(one: Clause, sentence: str, deploys: bool) -> None:
    try:
        sentence.encode()
    except UnicodeEncodeError:
        return  # half a character has no form in TOML
    points = (EnforcementPoint.DEPLOY,) if deploys else ()
    changed = structs.replace(one, text=sentence, enforce=points)
    found = replace_clause(TEXT, changed, "p")
    assert parse_policy(found, "p").clauses == tuple(changed if old.id == one.id else old for old in CLAUSES)
    assert sorted(text for _line, text in list_comments(found)) == sorted(text for _line, text in list_comments(TEXT))


def test_lines_of_other_clauses_stay() -> None:
    before, after = TEXT.split("\n"), replace_clause(TEXT, structs.replace(clause("pipeline.tests"), name="T"), "p")
    start = before.index('id = "pipeline.tests"')
    assert after.split("\n")[: start - 1] == before[: start - 1]
    assert after.split("\n")[-20:] == before[-20:]


def test_every_kind_of_value_is_written() -> None:
    changed = Clause(
        id="secrets.in-vault",
        name="A",
        section="secrets",
        text="A",
        control="secrets-in-vault",
        enforce=(EnforcementPoint.MERGE, EnforcementPoint.DEPLOY),
        parameters={"check_code": False, "allowed_names": ["a", 'b"'], "other": True, "days": 3},
        branches=("main",),
        paths=("src/**",),
        monitoring_until=datetime.date(2027, 1, 31),
        owner="ada@example.test",
    )
    found = parse_policy(replace_clause(TEXT, changed, "p"), "p")
    assert changed in found.clauses


def test_clause_that_the_policy_lacks_is_refused() -> None:
    with pytest.raises(PolicyError, match="begins with"):
        replace_clause(TEXT, structs.replace(CLAUSES[0], id="none"), "p")


def test_clause_within_a_list_is_refused() -> None:
    head, _, _ = TEXT.partition("[branches]")
    text = head + (
        'clause = [{id = "a", name = "A", section = "s", text = "A", enforce = []}]\n'
        '[branches]\nprotected = ["main"]\n[[section]]\nid = "s"\nname = "S"\nowner = "o"\n'
    )
    (only,) = parse_policy(text, "p").clauses
    with pytest.raises(PolicyError, match="begins with"):
        replace_clause(text, only, "p")


def test_clause_whose_lines_are_apart_is_refused() -> None:
    text = TEXT.replace("with = { reviewers = 2 }\n", "[tags]\nprotected = ['v*']\n[clause.with]\nreviewers = 2\n")
    assert parse_policy(text, "p").protected_tags == ("v*",)
    with pytest.raises(PolicyError, match="together"):
        replace_clause(text, clause("review.two-reviewers"), "p")
