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
def test_path_selects_its_topic(path: str, topic: str) -> None:
    assert guide.find_topics([path], ()) == (topic,)


def test_people_file_selects_policy_and_people_topics() -> None:
    assert guide.find_topics([".muniment/people.toml"], ()) == ("policy", "people")


@pytest.mark.parametrize("path", ["src/app.py", "README.md", "docs/author.md", "aclocal.m4", "src/lockfile.py", ""])
def test_ordinary_path_selects_no_topic(path: str) -> None:
    assert guide.find_topics([path], ()) == ()


def test_unicode_case_folding_hides_no_topic() -> None:
    assert guide.find_topics(["pac\u212aage.j\u017fon"], ()) == ("dependencies",)  # Kelvin sign, long s


def test_patterns_of_clause_select_sensitive_topic_case_insensitively() -> None:
    assert guide.find_topics(["src/Pay/card.py"], ("src/pay/**",)) == ("sensitive",)
    assert guide.find_topics(["src/pay/auth/x"], ("src/pay/**",)) == ("access-control", "sensitive")


def test_topics_are_ordered_and_unique() -> None:
    paths = ["a/auth/x", "go.mod", "go.sum", ".muniment/policy.toml"]
    assert (
        guide.find_topics(paths, ())
        == guide.find_topics(reversed(paths), ())
        == ("policy", "dependencies", "access-control")
    )


def test_no_paths_select_no_topic() -> None:
    assert guide.find_topics([], ("**",)) == ()


def test_topics_have_one_or_two_questions_with_unique_ids() -> None:
    for topic in guide.TOPICS:
        assert 1 <= len(guide.select_questions([topic])) <= 2
    ids = [question.id for question in guide.QUESTIONS]
    assert len(set(ids)) == len(ids)
    assert {question.topic for question in guide.QUESTIONS} == set(guide.TOPICS)


def test_questions_are_short() -> None:
    for question in guide.QUESTIONS:
        assert question.text.endswith("?")
        assert question.text.count("?") <= 2
        assert len(question.text) <= 160


def test_question_lists_paths_that_select_it() -> None:
    paths = {question.id: question.paths for question in guide.QUESTIONS}
    assert ".gitlab-ci.yml" in "".join(paths["pipeline-reach"])
    assert paths["sensitive-abuse"] == ()


def test_unknown_topic_is_error() -> None:
    with pytest.raises(KeyError, match="crypto"):
        guide.select_questions(["policy", "crypto"])
