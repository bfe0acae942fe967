import pytest

from muniment.decision.binding import bind
from muniment.decision.catalogue import CONTROLS, PLANNED
from muniment.policy.document import read_policy
from muniment.policy.model import Point
from muniment.policy.pack import pack_text

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
    "updates.security": "security-updates",
    "reviews.quarterly-review": "quarterly-security-review",
    "reviews.quarterly-retro": "quarterly-security-retro",
}


def test_the_pack_has_every_promised_clause_and_no_other() -> None:
    policy = read_policy(pack_text("sec@example.test", "shop"), "built-in")
    assert {clause.id: clause.control for clause in policy.clauses} == PROMISED


def test_the_pack_names_only_controls_of_the_catalogue_and_all_that_are_to_come() -> None:
    assert set(PLANNED) <= set(PROMISED.values()) <= {*CONTROLS, *PLANNED}


ENFORCED = {
    **dict.fromkeys(("review.two-reviewers", "review.small-changes", "review.security-attention"), (Point.MERGE,)),
    "history.protected": (Point.MERGE,),
    "deployment.permitted": (Point.DEPLOY,),
}


def test_what_a_laptop_can_learn_is_enforced_at_merge_and_the_rest_nowhere() -> None:
    text = pack_text("sec@example.test", "shop")
    for bound in bind(read_policy(text, "built-in"), CONTROLS, PLANNED, "built-in", text).clauses:
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
def test_an_odd_owner_or_repository_stays_a_text(odd: str) -> None:
    assert read_policy(pack_text(odd, "shop"), "built-in").owner == odd
    assert read_policy(
        pack_text("sec@example.test", "x" + "".join(odd.split())), "built-in"
    ).repository == "x" + "".join(odd.split())


def test_half_a_character_is_replaced() -> None:
    assert read_policy(pack_text("caf\udce9", "shop"), "built-in").owner == "caf?"


def test_the_packs_texts_are_written_once() -> None:
    texts = [clause.text for clause in read_policy(pack_text("a", "b"), "built-in").clauses]
    assert len(set(texts)) == len(texts)
