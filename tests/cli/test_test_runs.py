"""Test runs without a forge: signed by a machine, evaluated on a laptop and by the server hook."""

import json
from pathlib import Path
from typing import Any

import pytest

from muniment.cli.command_line import run_command_line
from muniment.git import run_statements
from muniment.git.repository import Repository
from muniment.policy.built_in_policy import format_built_in_policy
from tests.support.hooked_remote import HookedRemote
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
    return [reason["code"] for reason in shop.find_result(shop.check(head), TESTS)["reasons"]]


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
    content = json.loads(out)
    assert (content["machine"], content["statement"]["executed"]) == ("ci", 3)


class TestServerHook:
    """Server hook accepts runs that a known machine signed, and evaluates changes by them."""

    @pytest.fixture
    def remote(self, tmp_path: Path, keys: dict[str, Path]) -> HookedRemote:
        return HookedRemote(tmp_path, keys, policy=POLICY)

    def submit(self, remote: HookedRemote, head: str, folder: Path, key: str = "ci") -> str:
        arguments = ["tests", "submit", head, "--repo", str(remote.repo.path), "--home", str(remote.home)]
        arguments += ["--pipeline", "tests", "--junit", report(folder), "--key", str(remote.keys[key])]
        assert run_command_line([*arguments, "--onto", "main"]) == 0
        return f"refs/muniment/runs/{head}/tests"

    def test_push_is_denied_until_its_tests_ran(self, remote: HookedRemote, tmp_path: Path) -> None:
        head = remote.commit()
        remote.push("ada", "topic")
        for person in ("bob", "carol"):
            remote.approve(person, head)
            remote.push(person, "refs/muniment/approvals/*")
        assert "has not run" in remote.push("ada", "topic:main").line
        ref = self.submit(remote, head, tmp_path)
        assert remote.push("bob", ref).code == 0
        assert remote.push("ada", "topic:main").code == 0

    def test_clause_on_the_pipeline_itself_can_deny_a_push(self, tmp_path: Path, keys: dict[str, Path]) -> None:
        clauses = ('control = "pipeline-required"\nenforce = []', 'control = "pipeline-hardened"\nenforce = []')
        policy = POLICY
        for clause in clauses:
            policy = policy.replace(clause, clause.replace("[]", '["merge"]'))
        remote = HookedRemote(tmp_path, keys, policy=policy)
        head = remote.commit()
        for person in ("bob", "carol"):
            remote.approve(person, head)
        ref = self.submit(remote, head, tmp_path)
        assert remote.push("ada", "topic:main", ref, "refs/muniment/approvals/*").code == 0
        remote.repo.branch("worse", "topic")
        worse = remote.repo.commit({"deploy.sh": "curl https://example.test/x | sh\n"}, on="worse")
        for person in ("bob", "sue"):
            remote.approve(person, worse, "--answer", "pipeline-reach=x", "--answer", "pipeline-pinned=x")
        remote.push("ada", "refs/muniment/approvals/*", self.submit(remote, worse, tmp_path), "worse:main")
        remote.repo.branch("later", "worse")
        later = remote.repo.commit({"app.py": "y\n"}, on="later")
        remote.push("ada", self.submit(remote, later, tmp_path))
        assert "a script from the network is not pinned" in remote.push("ada", "later:main").line

    def test_run_and_merge_in_one_push_are_accepted(self, remote: HookedRemote, tmp_path: Path) -> None:
        head = remote.commit()
        for person in ("bob", "carol"):
            remote.approve(person, head)
        ref = self.submit(remote, head, tmp_path)
        assert remote.push("ada", "topic:main", ref, "refs/muniment/approvals/*").code == 0

    def test_run_can_never_be_deleted_rewound_or_moved(self, remote: HookedRemote, tmp_path: Path) -> None:
        head = remote.commit()
        remote.push("ada", "topic")
        ref = self.submit(remote, head, tmp_path)
        assert remote.push("bob", ref).code == 0
        assert "never deleted" in remote.push("bob", f":{ref}").line
        elsewhere = f"refs/muniment/runs/{remote.base}/tests"
        assert "is about" in remote.push("bob", f"{ref}:{elsewhere}").line
        assert "does not name a run" in remote.push("bob", f"{ref}:refs/muniment/runs/x/tests").line
        first = remote.repo.tip(ref)
        self.submit(remote, head, tmp_path)
        assert remote.push("bob", ref).code == 0
        assert "would be lost" in remote.push("bob", f"+{first}:{ref}").line

    def test_run_without_a_signature_of_a_machine_is_refused(
        self, remote: HookedRemote, tmp_path: Path, shop: Shop
    ) -> None:
        head = remote.commit()
        remote.push("ada", "topic")
        shop.repo.git("fetch", "-q", str(remote.repo.path), "topic:refs/heads/topic")
        write_forged_run(shop, head, "ada")
        remote.repo.git("fetch", "-q", str(shop.repo.path), "refs/muniment/runs/*:refs/muniment/runs/*")
        assert "not validly signed" in remote.push("ada", "refs/muniment/runs/*").line


def test_people_toml_names_the_machine(keys: dict[str, Path]) -> None:
    assert 'id = "ci"' in people_toml(keys)
