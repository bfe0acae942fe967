"""Test runs without a forge: signed by a machine, evaluated on a laptop and by the server hook."""

import json
from pathlib import Path
from typing import Any

import pytest

from muniment.cli.command_line import run_command_line
from muniment.git import run_statements
from muniment.git.repository import Repository
from muniment.policy.built_in_policy import format_built_in_policy
from tests.support.gated import Gated
from tests.support.shop import Shop, people_toml

TESTS = "pipeline.tests"
POLICY = format_built_in_policy("sec@example.test", "shop").replace(
    'control = "tests-passed"\nenforce = []', 'control = "tests-passed"\nenforce = ["merge", "deploy"]'
)


def report(folder: Path, count: int = 3, bad: str = "") -> str:
    cases = "".join(f'<testcase name="t{number}">{bad if not number else ""}</testcase>' for number in range(count))
    file = folder / "report.xml"
    file.write_text(f"<testsuite>{cases}</testsuite>")
    return str(file)


@pytest.fixture
def shop_requiring_tests(shop: Shop) -> Shop:
    """Product whose policy requires tests at merge."""
    shop.base = shop.repo.commit({".muniment/policy.toml": POLICY})
    return shop


def submit(shop: Shop, rev: str, *more: str, key: str = "ci", **options: Any) -> tuple[int, str, str]:
    return shop.muniment(
        *("tests", "submit", shop.repo.id(rev), "--repo", str(shop.repo.path), "--onto", "main"),
        *("--pipeline", "tests", "--junit", report(shop.repo.path.parent, **options), "--key", str(shop.keys[key])),
        *more,
    )


def change(shop: Shop, text: str = "x = 2\n") -> str:
    head = shop.repo.commit({"lib.py": text}, on="topic", parents=["main"])
    shop.approve("bob", head)
    shop.approve("carol", head)
    return head


def result_codes(shop: Shop, head: str) -> list[str]:
    return [reason["code"] for reason in shop.said(shop.check(head), TESTS)["reasons"]]


def test_change_is_accepted_after_its_tests_ran_on_its_exact_head(shop_requiring_tests: Shop) -> None:
    head = change(shop_requiring_tests)
    assert shop_requiring_tests.check(head)["decision"] == "deny"
    assert result_codes(shop_requiring_tests, head) == ["not-run"]
    code, out, _ = submit(shop_requiring_tests, head)
    assert (code, "3 tests ran, 0 failed" in out) == (0, True)
    assert shop_requiring_tests.check(head)["decision"] == "allow"
    assert result_codes(shop_requiring_tests, change(shop_requiring_tests, "x = 3\n")) == ["not-run"]


def test_newest_run_counts(shop_requiring_tests: Shop) -> None:
    head = change(shop_requiring_tests)
    submit(shop_requiring_tests, head, bad="<failure/>")
    assert result_codes(shop_requiring_tests, head) == ["tests-failed"]
    submit(shop_requiring_tests, head)
    assert result_codes(shop_requiring_tests, head) == ["passed"]
    submit(shop_requiring_tests, head, "--failed")
    assert result_codes(shop_requiring_tests, head) == ["pipeline-failed"]


def test_fewer_tests_than_before_are_reported(shop_requiring_tests: Shop) -> None:
    submit(shop_requiring_tests, "main", count=4)
    head = change(shop_requiring_tests)
    submit(shop_requiring_tests, head, count=3)
    assert result_codes(shop_requiring_tests, head) == ["fewer-tests"]
    submit(shop_requiring_tests, head, count=4, bad="<skipped/>")
    assert result_codes(shop_requiring_tests, head) == ["fewer-tests"]
    submit(shop_requiring_tests, head, count=4)
    assert result_codes(shop_requiring_tests, head) == ["passed"]


def test_run_without_tests_proves_nothing(shop_requiring_tests: Shop) -> None:
    head = change(shop_requiring_tests)
    submit(shop_requiring_tests, head, count=0)
    assert result_codes(shop_requiring_tests, head) == ["too-few-tests"]


def test_person_cannot_submit_runs(shop_requiring_tests: Shop) -> None:
    head = change(shop_requiring_tests)
    code, _, err = submit(shop_requiring_tests, head, key="ada")
    assert (code, "belongs to no machine" in err) == (2, True)
    assert result_codes(shop_requiring_tests, head) == ["not-run"]


def write_forged_run(shop: Shop, at: str, signer: str = "ci", **changed: Any) -> None:
    fields: dict[str, Any] = {
        "repository": "shop",
        "pipeline": "tests",
        "head": at,
        "machine": "ci",
        "passed": True,
        "executed": 3,
        "failed": 0,
        "skipped": 0,
        "reports": (),
        "url": "",
        "previous": "",
        "time": "2026-01-01T00:00:00.000000Z",
    }
    data = run_statements.encode_run(run_statements.RunPredicate(**(fields | changed)))
    with Repository.open(str(shop.repo.path)) as repository:
        run_statements.write_run(
            repository, at, "tests", "", data, shop.sign(signer, data, run_statements.RUN_NAMESPACE)
        )


@pytest.mark.parametrize(
    ("signer", "changed", "code"),
    [
        ("ci", {}, "passed"),
        ("ada", {}, "runner-not-verified"),
        ("ci", {"machine": "update-bot"}, "runner-not-verified"),
        ("ci", {"machine": "nobody"}, "runner-not-verified"),
        ("ada", {"machine": "ada"}, "runner-not-verified"),
        ("ci", {"previous": "f" * 40}, "runner-not-verified"),
        ("ci", {"executed": -1}, "runner-not-verified"),
        ("ci", {"repository": "bank"}, "not-run"),
        ("ci", {"head": "f" * 40}, "not-run"),
        ("ci", {"pipeline": "lint"}, "not-run"),
        ("ci", {"time": "yesterday"}, "not-run"),
        ("ci", {"time": "2999-01-01T00:00:00.000000Z"}, "runner-not-verified"),
    ],
)
def test_run_counts_only_if_signed_by_its_machine_for_this_commit(
    shop_requiring_tests: Shop, signer: str, changed: dict[str, Any], code: str
) -> None:
    head = change(shop_requiring_tests)
    write_forged_run(shop_requiring_tests, head, signer, **changed)
    assert result_codes(shop_requiring_tests, head) == [code]


def test_approval_does_not_count_as_a_run(shop_requiring_tests: Shop) -> None:
    head = change(shop_requiring_tests)
    tip = shop_requiring_tests.repo.tip(f"refs/muniment/approvals/{head}/bob")
    shop_requiring_tests.repo.branch(f"refs/muniment/runs/{head}/tests", tip)
    assert result_codes(shop_requiring_tests, head) == ["not-run"]


def test_invalid_pipeline_name_is_refused(shop_requiring_tests: Shop) -> None:
    code, _, err = submit(shop_requiring_tests, change(shop_requiring_tests), "--pipeline", "../x")
    assert (code, "cannot name a pipeline" in err) == (2, True)


def test_missing_report_file_is_reported(shop_requiring_tests: Shop) -> None:
    code, _, err = submit(shop_requiring_tests, change(shop_requiring_tests), "--junit", "/no/such/report.xml")
    assert (code, "cannot be read" in err) == (2, True)


def test_result_is_available_as_json(shop_requiring_tests: Shop) -> None:
    _, out, _ = submit(
        shop_requiring_tests, change(shop_requiring_tests), "--format", "json", "--url", "https://ci.example.test/7"
    )
    told = json.loads(out)
    assert (told["machine"], told["statement"]["executed"]) == ("ci", 3)


class TestServerHook:
    """Server hook accepts runs that a known machine signed, and evaluates changes by them."""

    @pytest.fixture
    def gated(self, tmp_path: Path, keys: dict[str, Path]) -> Gated:
        return Gated(tmp_path, keys, policy=POLICY)

    def submit(self, gated: Gated, head: str, folder: Path, key: str = "ci") -> str:
        arguments = ["tests", "submit", head, "--repo", str(gated.repo.path), "--home", str(gated.home)]
        arguments += ["--pipeline", "tests", "--junit", report(folder), "--key", str(gated.keys[key])]
        assert run_command_line([*arguments, "--onto", "main"]) == 0
        return f"refs/muniment/runs/{head}/tests"

    def test_push_is_denied_until_its_tests_ran(self, gated: Gated, tmp_path: Path) -> None:
        head = gated.change()
        gated.push("ada", "topic")
        for person in ("bob", "carol"):
            gated.approve(person, head)
            gated.push(person, "refs/muniment/approvals/*")
        assert "has not run" in gated.push("ada", "topic:main").said
        ref = self.submit(gated, head, tmp_path)
        assert gated.push("bob", ref).code == 0
        assert gated.push("ada", "topic:main").code == 0

    def test_clause_on_the_pipeline_itself_can_deny_a_push(self, tmp_path: Path, keys: dict[str, Path]) -> None:
        clauses = ('control = "pipeline-required"\nenforce = []', 'control = "pipeline-hardened"\nenforce = []')
        policy = POLICY
        for clause in clauses:
            policy = policy.replace(clause, clause.replace("[]", '["merge"]'))
        gated = Gated(tmp_path, keys, policy=policy)
        head = gated.change()
        for person in ("bob", "carol"):
            gated.approve(person, head)
        ref = self.submit(gated, head, tmp_path)
        assert gated.push("ada", "topic:main", ref, "refs/muniment/approvals/*").code == 0
        gated.repo.branch("worse", "topic")
        worse = gated.repo.commit({"deploy.sh": "curl https://example.test/x | sh\n"}, on="worse")
        for person in ("bob", "sue"):
            gated.approve(person, worse, "--answer", "pipeline-reach=x", "--answer", "pipeline-pinned=x")
        gated.push("ada", "refs/muniment/approvals/*", self.submit(gated, worse, tmp_path), "worse:main")
        gated.repo.branch("later", "worse")
        later = gated.repo.commit({"app.py": "y\n"}, on="later")
        gated.push("ada", self.submit(gated, later, tmp_path))
        assert "a script from the network is not pinned" in gated.push("ada", "later:main").said

    def test_run_and_merge_in_one_push_are_accepted(self, gated: Gated, tmp_path: Path) -> None:
        head = gated.change()
        for person in ("bob", "carol"):
            gated.approve(person, head)
        ref = self.submit(gated, head, tmp_path)
        assert gated.push("ada", "topic:main", ref, "refs/muniment/approvals/*").code == 0

    def test_run_can_never_be_deleted_rewound_or_moved(self, gated: Gated, tmp_path: Path) -> None:
        head = gated.change()
        gated.push("ada", "topic")
        ref = self.submit(gated, head, tmp_path)
        assert gated.push("bob", ref).code == 0
        assert "never deleted" in gated.push("bob", f":{ref}").said
        elsewhere = f"refs/muniment/runs/{gated.base}/tests"
        assert "is about" in gated.push("bob", f"{ref}:{elsewhere}").said
        assert "does not name a run" in gated.push("bob", f"{ref}:refs/muniment/runs/x/tests").said
        first = gated.repo.tip(ref)
        self.submit(gated, head, tmp_path)
        assert gated.push("bob", ref).code == 0
        assert "would be lost" in gated.push("bob", f"+{first}:{ref}").said

    def test_run_without_a_signature_of_a_machine_is_refused(self, gated: Gated, tmp_path: Path, shop: Shop) -> None:
        head = gated.change()
        gated.push("ada", "topic")
        shop.repo.git("fetch", "-q", str(gated.repo.path), "topic:refs/heads/topic")
        write_forged_run(shop, head, "ada")
        gated.repo.git("fetch", "-q", str(shop.repo.path), "refs/muniment/runs/*:refs/muniment/runs/*")
        assert "not validly signed" in gated.push("ada", "refs/muniment/runs/*").said


def test_people_toml_names_the_machine(keys: dict[str, Path]) -> None:
    assert 'id = "ci"' in people_toml(keys)
