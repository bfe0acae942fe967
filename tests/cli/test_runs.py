"""Runs of tests without a forge: signed by a machine, judged on a laptop and at the gate."""

import json
from pathlib import Path
from typing import Any

import pytest

from muniment.cli.running import run
from muniment.git import runs
from muniment.git.repository import Repository
from muniment.policy.pack import pack_text
from tests.support.gated import Gated
from tests.support.shop import Shop, people_toml

TESTS = "pipeline.tests"
POLICY = pack_text("sec@example.test", "shop").replace(
    'control = "tests-passed"\nenforce = []', 'control = "tests-passed"\nenforce = ["merge", "deploy"]'
)


def report(folder: Path, count: int = 3, bad: str = "") -> str:
    cases = "".join(f'<testcase name="t{number}">{bad if not number else ""}</testcase>' for number in range(count))
    file = folder / "report.xml"
    file.write_text(f"<testsuite>{cases}</testsuite>")
    return str(file)


@pytest.fixture
def tested(shop: Shop) -> Shop:
    """A shop whose policy lets nothing in without tests."""
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


def codes(shop: Shop, head: str) -> list[str]:
    return [reason["code"] for reason in shop.said(shop.check(head), TESTS)["reasons"]]


def test_a_change_gets_in_once_its_tests_ran_on_exactly_its_head(tested: Shop) -> None:
    head = change(tested)
    assert tested.check(head)["decision"] == "deny"
    assert codes(tested, head) == ["not-run"]
    code, out, _ = submit(tested, head)
    assert (code, "3 tests ran, 0 failed" in out) == (0, True)
    assert tested.check(head)["decision"] == "allow"
    assert codes(tested, change(tested, "x = 3\n")) == ["not-run"]


def test_the_newest_run_speaks(tested: Shop) -> None:
    head = change(tested)
    submit(tested, head, bad="<failure/>")
    assert codes(tested, head) == ["tests-failed"]
    submit(tested, head)
    assert codes(tested, head) == ["passed"]
    submit(tested, head, "--failed")
    assert codes(tested, head) == ["pipeline-failed"]


def test_tests_that_got_lost_are_missed(tested: Shop) -> None:
    submit(tested, "main", count=4)
    head = change(tested)
    submit(tested, head, count=3)
    assert codes(tested, head) == ["fewer-tests"]
    submit(tested, head, count=4, bad="<skipped/>")
    assert codes(tested, head) == ["fewer-tests"]
    submit(tested, head, count=4)
    assert codes(tested, head) == ["passed"]


def test_no_test_is_no_proof(tested: Shop) -> None:
    head = change(tested)
    submit(tested, head, count=0)
    assert codes(tested, head) == ["too-few-tests"]


def test_a_person_cannot_hand_in_runs(tested: Shop) -> None:
    head = change(tested)
    code, _, err = submit(tested, head, key="ada")
    assert (code, "belongs to no machine" in err) == (2, True)
    assert codes(tested, head) == ["not-run"]


def forged(shop: Shop, at: str, signer: str = "ci", **changed: Any) -> None:
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
    data = runs.statement(runs.Predicate(**(fields | changed)))
    with Repository.open(str(shop.repo.path)) as repository:
        runs.write(repository, at, "tests", "", data, shop.sign(signer, data, runs.NAMESPACE))


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
def test_a_run_is_what_the_right_machine_signed_about_this_commit(
    tested: Shop, signer: str, changed: dict[str, Any], code: str
) -> None:
    head = change(tested)
    forged(tested, head, signer, **changed)
    assert codes(tested, head) == [code]


def test_an_approval_is_no_run(tested: Shop) -> None:
    head = change(tested)
    tip = tested.repo.tip(f"refs/muniment/approvals/{head}/bob")
    tested.repo.branch(f"refs/muniment/runs/{head}/tests", tip)
    assert codes(tested, head) == ["not-run"]


def test_what_cannot_name_a_pipeline_is_refused(tested: Shop) -> None:
    code, _, err = submit(tested, change(tested), "--pipeline", "../x")
    assert (code, "cannot name a pipeline" in err) == (2, True)


def test_a_report_that_is_not_there_is_told(tested: Shop) -> None:
    code, _, err = submit(tested, change(tested), "--junit", "/no/such/report.xml")
    assert (code, "cannot be read" in err) == (2, True)


def test_programs_read_it_too(tested: Shop) -> None:
    _, out, _ = submit(tested, change(tested), "--format", "json", "--url", "https://ci.example.test/7")
    told = json.loads(out)
    assert (told["machine"], told["statement"]["executed"]) == ("ci", 3)


class TestGate:
    """The gate takes runs that a known machine signed, and judges by them."""

    @pytest.fixture
    def gated(self, tmp_path: Path, keys: dict[str, Path]) -> Gated:
        return Gated(tmp_path, keys, policy=POLICY)

    def submit(self, gated: Gated, head: str, folder: Path, key: str = "ci") -> str:
        arguments = ["tests", "submit", head, "--repo", str(gated.repo.path), "--home", str(gated.home)]
        arguments += ["--pipeline", "tests", "--junit", report(folder), "--key", str(gated.keys[key])]
        assert run([*arguments, "--onto", "main"]) == 0
        return f"refs/muniment/runs/{head}/tests"

    def test_a_push_waits_for_its_tests(self, gated: Gated, tmp_path: Path) -> None:
        head = gated.change()
        gated.push("ada", "topic")
        for person in ("bob", "carol"):
            gated.approve(person, head)
            gated.push(person, "refs/muniment/approvals/*")
        assert "has not run" in gated.push("ada", "topic:main").said
        ref = self.submit(gated, head, tmp_path)
        assert gated.push("bob", ref).code == 0
        assert gated.push("ada", "topic:main").code == 0

    def test_a_clause_about_the_pipeline_itself_can_bite(self, tmp_path: Path, keys: dict[str, Path]) -> None:
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

    def test_run_and_merge_in_one_push(self, gated: Gated, tmp_path: Path) -> None:
        head = gated.change()
        for person in ("bob", "carol"):
            gated.approve(person, head)
        ref = self.submit(gated, head, tmp_path)
        assert gated.push("ada", "topic:main", ref, "refs/muniment/approvals/*").code == 0

    def test_a_run_is_never_deleted_rewound_or_put_elsewhere(self, gated: Gated, tmp_path: Path) -> None:
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

    def test_what_no_machine_signed_is_not_taken(self, gated: Gated, tmp_path: Path, shop: Shop) -> None:
        head = gated.change()
        gated.push("ada", "topic")
        shop.repo.git("fetch", "-q", str(gated.repo.path), "topic:refs/heads/topic")
        forged(shop, head, "ada")
        gated.repo.git("fetch", "-q", str(shop.repo.path), "refs/muniment/runs/*:refs/muniment/runs/*")
        assert "not validly signed" in gated.push("ada", "refs/muniment/runs/*").said


def test_people_toml_names_the_machine(keys: dict[str, Path]) -> None:
    assert 'id = "ci"' in people_toml(keys)
