"""muniment forge and replay --forge with a fake forge: a replay writes nothing, and a plan is shown first."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from muniment.cli.commands import muniment
from muniment.cli.replay_forge import NEWEST, select_replayed
from muniment.errors import UsageError
from muniment.forges.shapes import Vendor
from tests.support.forges.acting import GiteaActing
from tests.support.forges.fake_gitea import FakeGitea
from tests.support.forges.faulty import Fault
from tests.support.forges.forge_under_test import ForgeUnderTest
from tests.support.forges.memory import change


class ForgeScenario:
    """Fake forge with one merged change, and the command line of a person."""

    def __init__(self, fake: FakeGitea, acting: GiteaActing, monkeypatch: pytest.MonkeyPatch) -> None:
        self.fake = fake
        self.acting = acting
        self.url = f"{fake.url}/{acting.path}"
        self._monkeypatch = monkeypatch

    def run(self, *arguments: str, as_: str = "muniment") -> Result:
        self._monkeypatch.setenv("MUNIMENT_FORGE_TOKEN", self.acting.token(as_) if as_ else "")
        self.fake.calls.clear()
        self.fake.requests.clear()
        return CliRunner().invoke(muniment, list(arguments), standalone_mode=False)


@pytest.fixture(name="place")
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ForgeScenario]:
    with FakeGitea(tmp_path / "forge") as fake:
        acting = GiteaActing(fake.url, fake.administrator)
        tested = ForgeUnderTest(acting, Vendor.GITEA, tmp_path)
        head = tested.work.commit("ada", {"app.py": "x = 1\n"}, tested.work.tip("main"))
        tested.work.push("ada", head, "topic")
        number = acting.open("ada", "topic", "main", "a topic")
        for name in ("bob", "carol"):
            acting.approve(name, number)
        acting.merge("bob", number, "squash")
        yield ForgeScenario(fake, acting, monkeypatch)


def _two_others(result: Result) -> dict[str, int]:
    content = json.loads(result.stdout)
    row = next(row for row in content["clauses"] if row["clause"] == "review.two-reviewers")
    return {status: count for status, count in row["result_counts"].items() if count}


def test_replay_evaluates_merged_changes_and_writes_nothing(place: ForgeScenario) -> None:
    result = place.run("replay", "--forge", place.url, "--format", "json")
    assert _two_others(result) == {"met": 1}
    assert {request.method for request in place.fake.requests if "git-" not in request.path} == {"GET"}
    assert not [request for request in place.fake.requests if "receive-pack" in request.path + str(request.query)]


def test_read_only_token_cannot_report_write_access(place: ForgeScenario) -> None:
    arguments = ("replay", "--forge", place.url, "--format", "json")
    assert _two_others(place.run(*arguments, as_="eve")) == {"unknown": 1}
    assert _two_others(place.run(*arguments, "--suppose", as_="eve")) == {"met": 1}


@pytest.mark.parametrize("call", ["pull", "reviews", "timeline", "feed", "permission", "commits"])
def test_unreadable_fact_in_a_replay_is_unknown_and_never_met(place: ForgeScenario, call: str) -> None:
    place.fake.fail(call, Fault.FAILED)
    assert _two_others(place.run("replay", "--forge", place.url, "--format", "json")) == {"unknown": 1}


def _today(result: Result, clause: str) -> str:
    rows = {row["clause"]: row["current_result"] for row in json.loads(result.stdout)["clauses"]}
    return str(rows[clause])


def test_replay_reports_branch_protection_and_facts_unknown_to_forges(place: ForgeScenario) -> None:
    arguments = ("replay", "--forge", place.url, "--format", "json")
    assert "everybody with write access can push without a pipeline" in _today(
        place.run(*arguments), "pipeline.required"
    )
    assert "not collected" not in _today(place.run(*arguments), "pipeline.hardened")
    for clause in ("secrets.rotated", "deployment.automated"):
        assert "only the service knows it" in _today(place.run(*arguments), clause)
    text = place.run("replay", "--forge", place.url).stdout
    assert "Not evaluated by this version" not in text
    assert "not collected" not in text


@pytest.mark.parametrize(("call", "clause"), [("branch", "pipeline.required"), ("secrets", "secrets.in-vault")])
def test_product_facts_missing_at_the_forge_are_unknown_with_a_reason(
    place: ForgeScenario, call: str, clause: str
) -> None:
    place.fake.fail(call, Fault.FORBIDDEN)
    found = _today(place.run("replay", "--forge", place.url, "--format", "json"), clause)
    assert found.startswith("unknown")
    assert "the token may not do this" in found


def test_without_a_date_the_newest_changes_are_evaluated_and_counted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    taken = tuple(change(number, "1" * 40) for number in range(NEWEST + 1))
    assert select_replayed(taken, "") == taken[1:]
    assert f"the newest {NEWEST} of {NEWEST + 1} changes" in capsys.readouterr().err
    assert select_replayed(taken, "2026-01-01") == taken
    assert capsys.readouterr().err == ""


def test_unreadable_changes_are_reported_by_number_and_cause(place: ForgeScenario) -> None:
    place.fake.fail("pull", Fault.FAILED)
    result = place.run("replay", "--forge", place.url)
    assert "1 could not be read, and count as unknown: " in result.output


def test_only_changes_since_a_date_are_evaluated(place: ForgeScenario) -> None:
    result = place.run("replay", "--forge", place.url, "--since", "2026-12-31", "--format", "json")
    assert json.loads(result.stdout)["change_count"] == 0


@pytest.mark.parametrize("address", ["forge.example", "https://forge.example/alone", "https://a:b@forge.example/o/r"])
def test_address_without_a_repository_is_refused(place: ForgeScenario, address: str) -> None:
    result = place.run("replay", "--forge", address)
    assert result.exception is not None
    assert "no address of a repository" in str(result.exception)


def test_status_shows_the_plan_and_protect_applies_it(place: ForgeScenario) -> None:
    before = place.run("forge", "status", place.url)
    assert before.return_value == 1
    assert "main is not protected" in before.stdout
    assert "statuses that are demanded: none → muniment/main" in before.stdout
    assert before.stdout.splitlines()[-1] == "API quota left: not reported"
    refused = place.run("forge", "protect", place.url)
    assert "there is no terminal to confirm" in str(refused.exception)
    done = place.run("forge", "protect", place.url, "--yes")
    assert "it holds" in done.stdout
    assert "built-in policy" not in done.stdout
    assert place.run("forge", "status", place.url).return_value == 0


def test_protect_restricts_merging_to_our_account_if_lost_approvals_are_unreported(place: ForgeScenario) -> None:
    done = place.run("forge", "protect", place.url, "--yes")
    assert "merges by: muniment. Gitea sends no event when a review is dismissed" in done.stdout
    (rule,) = place.fake.rules[place.acting.path].values()
    assert rule["merge_whitelist_usernames"] == [place.acting.login("muniment")]


def test_protect_by_statuses_alone_reports_the_delay_for_lost_approvals(place: ForgeScenario) -> None:
    done = place.run("forge", "protect", place.url, "--merge", "status", "--yes")
    assert "a lost approval is noticed within N s, and not while Muniment is stopped" in done.stdout
    (rule,) = place.fake.rules[place.acting.path].values()
    assert not rule.get("enable_merge_whitelist")


def test_missing_merge_queue_protects_nothing(place: ForgeScenario) -> None:
    error = place.run("forge", "protect", place.url, "--merge", "queue", "--yes").exception
    assert isinstance(error, UsageError)
    assert "--merge muniment" in error.remedy


def test_status_in_json_includes_rate_limits(place: ForgeScenario, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(place.fake, "headers", {"X-RateLimit-Limit": "60", "X-RateLimit-Remaining": "58"})
    content = json.loads(place.run("forge", "status", place.url, "--format", "json").stdout)
    assert content["plan"]["repository"] == place.acting.path
    assert content["rate_limits"] == {
        "rest": {"limit": 60, "left": 58, "reset": "", "again_at": "", "pause": 0, "reason": None}
    }
    text = place.run("forge", "status", place.url).stdout
    assert text.splitlines()[-1] == "API quota left (rest): 58 of 60 requests"


def test_branch_outside_the_built_in_policy_must_be_named_in_the_own_policy(place: ForgeScenario) -> None:
    done = place.run("forge", "protect", place.url, "--onto", "topic", "--yes")
    assert "The built-in policy protects main, master, release/* alone. Name topic in yours" in done.stdout


def test_branch_pattern_is_refused_with_the_rule_that_it_needs(place: ForgeScenario) -> None:
    error = place.run("forge", "protect", place.url, "--onto", "release/*", "--yes").exception
    assert isinstance(error, UsageError)
    assert "demands muniment/release/*" in error.remedy


def test_list_shows_missing_permissions_and_their_effect(place: ForgeScenario) -> None:
    assert place.run("forge", "list", place.fake.url).return_value == 0
    seen = place.run("forge", "list", place.fake.url, as_="eve")
    assert seen.return_value == 1
    assert "may not permissions: no approval counts" in seen.stdout


def test_no_printed_line_contains_the_token(place: ForgeScenario) -> None:
    place.fake.fail("repository", Fault.FORBIDDEN)
    result = place.run("forge", "status", place.url)
    assert place.acting.token("muniment") not in f"{result.output}{result.exception!r}"
