import pytest

from muniment.decision.binding import bind_clauses
from muniment.decision.catalogue import CONTROLS, PLANNED
from muniment.policy.built_in_policy import format_built_in_policy
from muniment.policy.document import parse_policy
from muniment.policy.model import EnforcementPoint

PROMISED = {
    "design.least-privilege": "least-privilege",
    "design.privilege-separation": "privilege-separation",
    "design.complete-mediation": "complete-mediation",
    "design.multiple-security-layers": "multiple-security-layers",
    "design.secure-failure": "secure-failure",
    "design.user-friendly-security": "user-friendly-security",
    "owasp.no-overdue-findings": "no-overdue-findings",
    "owasp.requirements": "requirements-met",
    "review.two-reviewers": "independent-review",
    "review.small-changes": "small-changes",
    "review.security-attention": "security-attention",
    "history.protected": "protected-history",
    "secrets.in-vault": "secrets-in-vault",
    "secrets.fetched-by-pipeline": "automatic-secret-retrieval",
    "secrets.hidden-from-developers": "secrets-hidden-from-developers",
    "secrets.rotated": "secret-rotation",
    "pipeline.hardened": "pipeline-hardened",
    "deployment.permitted": "deployment-permitted",
    "pipeline.tests": "tests-passed",
    "pipeline.required": "pipeline-required",
    "deployment.automated": "automated-deployment",
    "updates.security": "no-known-vulnerabilities",
    "updates.no-new-vulnerability": "no-new-vulnerable-dependency",
    "updates.frameworks": "frameworks-supported",
    "updates.pinned": "pinned",
    "updates.automated": "updates-automated",
    "updates.cool-down": "cool-down",
    "reviews.scheduled": "security-review-scheduled",
    "reviews.quarterly-review": "security-review-held",
    "reviews.quarterly-retro": "security-retro-held",
}


def test_built_in_policy_has_exactly_specified_clauses() -> None:
    policy = parse_policy(format_built_in_policy("sec@example.test", "shop"), "built-in")
    assert {clause.id: clause.control for clause in policy.clauses} == PROMISED


def test_built_in_policy_names_known_and_all_planned_controls() -> None:
    assert set(PLANNED) <= set(PROMISED.values()) <= {*CONTROLS, *PLANNED}


ENFORCED = {
    **dict.fromkeys(
        ("review.two-reviewers", "review.small-changes", "review.security-attention"), (EnforcementPoint.MERGE,)
    ),
    "history.protected": (EnforcementPoint.MERGE,),
    "deployment.permitted": (EnforcementPoint.DEPLOY,),
}


def test_built_in_policy_enforces_only_listed_clauses() -> None:
    text = format_built_in_policy("sec@example.test", "shop")
    for bound in bind_clauses(parse_policy(text, "built-in"), CONTROLS, PLANNED, "built-in", text).clauses:
        assert bound.clause.enforce == ENFORCED.get(bound.clause.id, ())


@pytest.mark.parametrize(
    "odd",
    [
        'a"b',
        "a\\",
        'x"\nenforce = ["merge',
        "\u0000\u007f\u202e",
        "@REPOSITORY@",
        "@OWNER@",
        "\\1",
        "ü",
    ],
)
def test_special_characters_in_owner_or_repository_are_escaped(odd: str) -> None:
    assert parse_policy(format_built_in_policy(odd, "shop"), "built-in").owner == odd
    assert parse_policy(
        format_built_in_policy("sec@example.test", "x" + "".join(odd.split())), "built-in"
    ).repository == "x" + "".join(odd.split())


def test_lone_surrogate_is_replaced() -> None:
    assert parse_policy(format_built_in_policy("caf\udce9", "shop"), "built-in").owner == "caf?"


def test_clause_texts_of_built_in_policy_are_unique() -> None:
    texts = [clause.text for clause in parse_policy(format_built_in_policy("a", "b"), "built-in").clauses]
    assert len(set(texts)) == len(texts)
