"""Answers of controls that depend on one condition: bounds, ties in time, and names in sentences."""

from typing import Any

import pytest
from msgspec import structs

from muniment.controls.control import Case, unknown, violated
from muniment.decision.catalogue import CONTROLS
from muniment.decision.decision import format_sentences
from muniment.facts.change import CommitPusher, Contributor, ContributorRole, Pushes, UpdateKind
from muniment.facts.maybe import Known, Unknown
from muniment.facts.pipeline import Deployments, DueTask, PipelineRuns, Provenance, RunCounts
from muniment.facts.vault_facts import EnvironmentAccess, SecretAge
from muniment.policy import guide
from tests.support.changes import (
    ARTIFACT,
    BASE,
    BUILDER,
    CI_FILE,
    FORGE,
    HEAD,
    NOW,
    REVISION,
    approval,
    commit,
    deployment,
    file,
    hand,
    ran,
    values,
)

GONE = Unknown("it is gone")


def answers(control: str, parameters: Any = None, **changed: Any) -> list[tuple[str, str, str]]:
    """Code, subject and joined sentences of each answer."""
    found = CONTROLS[control]
    case = Case(values(**changed), found.parameters(**(parameters or {})), NOW, {})
    return [
        (reason.code, reason.subject, " ".join(format_sentences(found.codes, reason)))
        for reason in found.evaluate(case)
    ]


def explain(control: str, parameters: Any = None, **changed: Any) -> str:
    """Sentences of the single answer."""
    ((_code, _subject, text),) = answers(control, parameters, **changed)
    return text


def codes(control: str, parameters: Any = None, **changed: Any) -> list[str]:
    return [code for code, _subject, _text in answers(control, parameters, **changed)]


class TestDeployments:
    def test_names_deployments_without_pipeline(self) -> None:
        made = Deployments("2026-08-26T00:00:00.000000Z", (deployment(), deployment(id="d9", by_pipeline=Known(False))))
        (text,) = (
            text
            for code, _, text in answers("automated-deployment", deployments=Known(made))
            if code == "manual-deployment"
        )
        assert "d9" in text
        assert "d1" not in text

    def test_names_only_builders_of_this_artifact(self) -> None:
        other = Provenance("sha256:" + "b" * 64, "https://other.example.test", "git+https://x", HEAD.id, Known("ci"))
        ours = Provenance(ARTIFACT, BUILDER, "git+https://git.example.test/shop", HEAD.id, Known("ci"))
        text = explain("deployment-permitted", {"builders": (BUILDER,)}, provenance=Known((other, ours)))
        assert BUILDER in text
        assert "other.example.test" not in text

    @pytest.mark.parametrize(("builders", "named"), [((), "nobody yet"), (("https://b.example",), "https://b.example")])
    def test_names_trusted_builders(self, builders: tuple[str, ...], named: str) -> None:
        assert named in explain("deployment-permitted", {"builders": builders})

    def test_names_environments(self) -> None:
        elsewhere = structs.replace(values()["deployment_request"].value, environment="moon")  # type: ignore[union-attr]
        more = {"deployment_request": Known(elsewhere)}
        assert "staging, production" in explain("deployment-permitted", {"builders": (BUILDER,)}, **more)
        assert "none yet" in explain("deployment-permitted", {"builders": (BUILDER,)}, environments=Known(()), **more)

    @pytest.mark.parametrize(("due", "over"), [(NOW, False), ("2026-11-24T08:59:59.999999Z", True)])
    def test_deadline_is_overdue_only_after_its_time(self, due: str, over: bool) -> None:
        found = codes(
            "deployment-permitted", {"builders": (BUILDER,)}, deadlines=Known((DueTask("d", "mend it", due),))
        )
        assert found == (["deadline-overdue"] if over else ["permitted"])


class TestPipelines:
    @pytest.mark.parametrize(
        ("files", "forge", "code"),
        [
            ((), "", "no-pipeline"),
            ((), "github", "hardened"),
            ((CI_FILE,), "", "hardened"),
        ],
    )
    def test_no_pipeline_without_files_and_forge(self, files: tuple[str, ...], forge: str, code: str) -> None:
        read = values()["pipeline_files"].value if files else ()  # type: ignore[union-attr]
        ((found, _, text),) = answers(
            "pipeline-hardened", pipeline_files=Known(read), forge_settings=Known(structs.replace(FORGE, forge=forge))
        )
        assert found == code
        assert not files or forge or "no forge" in text
        assert not forge or forge in text

    @pytest.mark.parametrize("forge", ["", "github"])
    def test_names_forge_with_unknown_settings(self, forge: str) -> None:
        unread = structs.replace(FORGE, forge=forge, job_token_writes=GONE)
        found = answers("pipeline-hardened", forge_settings=Known(unread))
        assert [subject for _, subject, _ in found] == [f"forge:{forge or 'no forge'}"]

    @pytest.mark.parametrize(
        ("files", "forge", "code"),
        [((), "", "nothing-to-check"), ((), "github", "in-vault"), ((CI_FILE,), "", "in-vault")],
    )
    def test_names_places_searched_for_secrets(self, files: tuple[str, ...], forge: str, code: str) -> None:
        read = values()["pipeline_files"].value if files else ()  # type: ignore[union-attr]
        ((found, _, text),) = answers(
            "secrets-in-vault",
            {"check_code": False},
            pipeline_files=Known(read),
            forge_settings=Known(structs.replace(FORGE, forge=forge)),
        )
        assert found == code
        assert code != "in-vault" or (forge or "no forge") in text


class TestSecrets:
    def test_counts_readers_of_secrets(self) -> None:
        reader = values()["vault_access"].value[0].can_read.value[0]  # type: ignore[union-attr]
        access = EnvironmentAccess("production", Known((reader, reader)), Known((reader,)), NOW, Known(NOW))
        text = explain("secrets-hidden-from-developers", vault_access=Known((access,)))
        assert "2 readers have access and 1 read since" in text

    @pytest.mark.parametrize(
        ("changed", "code"),
        [("2026-08-26T09:00:00.000000Z", "rotated"), ("2026-08-26T08:59:59.999999Z", "secret-too-old")],
    )
    def test_secret_is_too_old_after_maximum_age(self, changed: str, code: str) -> None:
        secrets = Known((SecretAge("production", "DB_PASSWORD", Known(changed)),))
        assert codes("secret-rotation", {"max_age_days": 90}, vault_secrets=secrets) == [code]


class TestHistory:
    @pytest.mark.parametrize(("head", "base", "named"), [(HEAD.id, BASE, HEAD.id), ("", BASE, BASE)])
    def test_deletion_names_deleted_head_or_base(self, head: str, base: str, named: str) -> None:
        revision = structs.replace(REVISION, head=head, base=base, update=Known(UpdateKind.DELETED))
        ((_, subject, _),) = answers("protected-history", revision=Known(revision))
        assert subject == f"commit:{named}"

    @pytest.mark.parametrize("update", [UpdateKind.CREATED, UpdateKind.REWOUND])
    def test_tag_that_is_made_or_moved_is_not_reported_as_deleted(self, update: UpdateKind) -> None:
        revision = structs.replace(REVISION, target="refs/tags/v1", update=Known(update))
        assert codes("protected-history", revision=Known(revision)) == [
            "history-preserved" if update is UpdateKind.CREATED else "tag-moved"
        ]


class TestReviews:
    def test_approvers_are_named_in_brackets(self) -> None:
        assert "(bob)" in explain("independent-review", approvals=Known((approval("bob"),)))
        assert "(" not in explain("independent-review", approvals=Known(())).split(".")[0]

    def test_unlinked_and_undetermined_contributors_have_different_codes(self) -> None:
        nobody = commit(1, hands=(hand("nobody"),))
        assert "unknown-contributor" in codes("independent-review", commits=Known((nobody,)))
        unpushed = Known(Pushes(False, (CommitPusher(HEAD.id, Unknown("untold")),), (), ()))
        assert "undetermined-contributor" in codes("independent-review", pushes=unpushed)


@pytest.mark.parametrize(
    ("address", "machine"),
    [
        ("noreply@github.com", "github"),
        ("49699333+dependabot[bot]@users.noreply.github.com", "dependabot"),
        ("ada@users.noreply.github.com", ""),
    ],
)
def test_forge_machine_address_is_distinguished_from_person(address: str, machine: str) -> None:
    made = commit(1, hands=(Contributor(f"email:{address}", ContributorRole.AUTHOR),))
    found = codes("independent-review", commits=Known((made,)))
    assert ("unknown-machine" in found, "unknown-contributor" in found) == (bool(machine), not machine)


SENSITIVE = {"sensitive": ("auth/**",)}
AUTH = Known((file("readme"), file("auth/a.py")))


class TestAttention:
    def test_approval_with_all_answers_is_enough(self) -> None:
        topics = guide.find_topics(["readme", "auth/a.py"], SENSITIVE["sensitive"])
        asked = [question.id for question in guide.select_questions(topics)]
        assert asked
        complete = approval("sue", answers=dict.fromkeys(asked, "looked"))
        assert codes("security-attention", SENSITIVE, files=AUTH, approvals=Known((complete,))) == ["security-approved"]
        blank = approval("sue", answers=dict.fromkeys(asked, "looked") | {asked[0]: "  "})
        ((code, _, text),) = answers("security-attention", SENSITIVE, files=AUTH, approvals=Known((blank,)))
        assert code == "guide-unanswered"
        assert f": {asked[0]}." in text

    def test_names_sensitive_file(self) -> None:
        ((_, subject, _),) = answers("security-attention", SENSITIVE, files=AUTH, approvals=Known(()))
        assert subject == "path:auth/a.py"


class TestSize:
    @pytest.mark.parametrize(("lines", "files", "code"), [(5, 2, "small"), (6, 2, "too-large"), (5, 1, "too-large")])
    def test_change_at_size_limit_is_small(self, lines: int, files: int, code: str) -> None:
        changed = Known((file("a", 2), file("b", lines - 2)))
        assert codes("small-changes", {"lines": 5, "files": files}, files=changed) == [code]

    def test_file_renamed_to_or_from_generated_file_counts(self) -> None:
        limits = {"lines": 5, "generated": ("*.lock",)}
        for old, new in (("a.py", "b.lock"), ("b.lock", "a.py")):
            renamed = Known((structs.replace(file(new, 900), old_path=old),))
            assert codes("small-changes", limits, files=renamed) == ["too-large"]


class TestTestRuns:
    def runs(self, *head: Any, before: Any = ()) -> Known[PipelineRuns]:
        return Known(PipelineRuns(tuple(head), tuple(before)))

    @pytest.mark.parametrize(("runners", "named"), [((), "nobody"), (("machine:ci",), "machine:ci")])
    def test_names_trusted_test_runners(self, runners: tuple[str, ...], named: str) -> None:
        by_ada = self.runs(ran(runner="person:ada"))
        assert named in explain("tests-passed", {"runners": runners}, test_runs=by_ada)

    @pytest.mark.parametrize(("executed", "code"), [(10, "passed"), (11, "too-few-tests")])
    def test_required_number_of_tests_is_enough(self, executed: int, code: str) -> None:
        assert codes("tests-passed", {"min_executed": executed}) == [code]

    def test_compares_only_runs_of_same_pipeline(self) -> None:
        more = ran(commit=BASE, pipeline="lint", counts=Known(RunCounts(99, 0, 0)))
        assert codes("tests-passed", test_runs=self.runs(ran(), before=[more])) == ["passed"]

    def test_failed_run_counts_among_runs_of_same_time(self) -> None:
        failed = ran(passed=Known(False))
        for both_runs in ((failed, ran()), (ran(), failed)):
            assert codes("tests-passed", test_runs=self.runs(*both_runs)) == ["pipeline-failed"]


def test_violated_reason_has_message_and_remedy() -> None:
    for make in (violated, unknown):
        for message, remedy in (("", "do it"), ("no", ""), ("", "")):
            with pytest.raises(ValueError, match="needs a message and a remedy"):
                make(message, remedy)
        assert make("no", "do it").remedy == "do it"


def test_derived_value_is_cached_per_case() -> None:
    calls: list[Case] = []

    def compute(case: Case) -> int:
        calls.append(case)
        return len(calls)

    case = Case(values(), None, NOW, {})
    assert [case.compute_once(compute), case.compute_once(compute)] == [1, 1]
