import pytest

from muniment.policy import guide


@pytest.mark.parametrize(
    ("path", "topic"),
    [
        (".muniment/policy.toml", "policy"),
        (".muniment", "policy"),
        (".muniment/exceptions/x.json", "policy"),
        ("src/.gitattributes", "policy"),
        ("docs/CODEOWNERS", "people"),
        (".github/workflows/ci.yml", "pipeline"),
        (".GitHub/Workflows/CI.yml", "pipeline"),
        (".github", "pipeline"),
        (".gitlab-ci.yml", "pipeline"),
        ("Jenkinsfile", "pipeline"),
        (".forgejo/workflows/a.yaml", "pipeline"),
        ("deploy/Dockerfile.prod", "pipeline"),
        (".ci/run", "pipeline"),
        ("package.json", "dependencies"),
        ("web/package-lock.json", "dependencies"),
        ("requirements-dev.txt", "dependencies"),
        ("a/b/go.sum", "dependencies"),
        ("uv.lock", "dependencies"),
        (".gitmodules", "dependencies"),
        ("App/App.csproj", "dependencies"),
        ("src/auth/token.py", "access-control"),
        ("api/permissions.py", "access-control"),
        ("opa/policies/main.txt", "access-control"),
        ("a/b.rego", "access-control"),
        ("pkg/rbac_test.go", "access-control"),
    ],
)
def test_a_path_brings_up_its_topic(path: str, topic: str) -> None:
    assert guide.topics([path], ()) == (topic,)


def test_people_toml_is_about_policy_and_people() -> None:
    assert guide.topics([".muniment/people.toml"], ()) == ("policy", "people")


@pytest.mark.parametrize("path", ["src/app.py", "README.md", "docs/author.md", "aclocal.m4", "src/lockfile.py", ""])
def test_a_plain_path_brings_up_nothing(path: str) -> None:
    assert guide.topics([path], ()) == ()


def test_a_letter_that_folds_to_another_hides_nothing() -> None:
    assert guide.topics(["pac\u212aage.j\u017fon"], ()) == ("dependencies",)  # Kelvin sign, long s


def test_the_clauses_own_patterns_bring_up_the_general_topic_in_any_case() -> None:
    assert guide.topics(["src/Pay/card.py"], ("src/pay/**",)) == ("sensitive",)
    assert guide.topics(["src/pay/auth/x"], ("src/pay/**",)) == ("access-control", "sensitive")


def test_topics_come_in_one_order_and_once() -> None:
    paths = ["a/auth/x", "go.mod", "go.sum", ".muniment/policy.toml"]
    assert guide.topics(paths, ()) == guide.topics(reversed(paths), ()) == ("policy", "dependencies", "access-control")


def test_no_path_brings_up_nothing() -> None:
    assert guide.topics([], ("**",)) == ()


def test_every_topic_has_one_or_two_questions_and_every_question_another_id() -> None:
    for topic in guide.TOPICS:
        assert 1 <= len(guide.questions([topic])) <= 2
    ids = [question.id for question in guide.QUESTIONS]
    assert len(set(ids)) == len(ids)
    assert {question.topic for question in guide.QUESTIONS} == set(guide.TOPICS)


def test_questions_ask_briefly() -> None:
    for question in guide.QUESTIONS:
        assert question.text.endswith("?")
        assert question.text.count("?") <= 2
        assert len(question.text) <= 160


def test_a_question_knows_the_paths_that_ask_for_it() -> None:
    paths = {question.id: question.paths for question in guide.QUESTIONS}
    assert ".gitlab-ci.yml" in "".join(paths["pipeline-reach"])
    assert paths["sensitive-abuse"] == ()


def test_a_topic_that_is_none_is_an_error() -> None:
    with pytest.raises(KeyError, match="crypto"):
        guide.questions(["policy", "crypto"])
