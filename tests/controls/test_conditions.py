"""What the controls answer where one condition alone decides: bounds, ties in time, and what their sentences name."""

from typing import Any

import pytest
from msgspec import structs

from muniment.controls.control import Case, unknown, violated
from muniment.decision.catalogue import CONTROLS
from muniment.decision.decision import sentences
from muniment.facts.change import Contributor, ContributorRole, Push, Pushes, Update
from muniment.facts.maybe import Known, Unknown
from muniment.facts.pipeline import Counts, Deadline, Deployments, Provenance, Runs
from muniment.facts.vault import EnvironmentAccess, SecretAge
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
    """The code of each answer, its subject, and its sentences as one text."""
    found = CONTROLS[control]
    case = Case(values(**changed), found.parameters(**(parameters or {})), NOW, {})
    return [(reason.code, reason.subject, " ".join(sentences(found.codes, reason))) for reason in found.judge(case)]


def told(control: str, parameters: Any = None, **changed: Any) -> str:
    """The sentences of the one answer."""
    ((_code, _subject, text),) = answers(control, parameters, **changed)
    return text


def codes(control: str, parameters: Any = None, **changed: Any) -> list[str]:
    return [code for code, _subject, _text in answers(control, parameters, **changed)]


class TestDeployments:
    def test_those_that_no_pipeline_made_are_named(self) -> None:
        made = Deployments("2026-08-26T00:00:00.000000Z", (deployment(), deployment(id="d9", by_pipeline=Known(False))))
        (text,) = (
            text
            for code, _, text in answers("automated-deployment", deployments=Known(made))
            if code == "manual-deployment"
        )
        assert "d9" in text
        assert "d1" not in text

    def test_only_builders_of_this_artifact_are_named(self) -> None:
        other = Provenance("sha256:" + "b" * 64, "https://other.example.test", "git+https://x", HEAD.id, Known("ci"))
        ours = Provenance(ARTIFACT, BUILDER, "git+https://git.example.test/shop", HEAD.id, Known("ci"))
        text = told("deployment-permitted", {"builders": (BUILDER,)}, provenance=Known((other, ours)))
        assert BUILDER in text
        assert "other.example.test" not in text

    @pytest.mark.parametrize(("builders", "named"), [((), "nobody yet"), (("https://b.example",), "https://b.example")])
    def test_trusted_builders_are_named(self, builders: tuple[str, ...], named: str) -> None:
        assert named in told("deployment-permitted", {"builders": builders})

    def test_environments_are_named(self) -> None:
        elsewhere = structs.replace(values()["deployment_request"].value, environment="moon")  # type: ignore[union-attr]
        more = {"deployment_request": Known(elsewhere)}
        assert "staging, production" in told("deployment-permitted", {"builders": (BUILDER,)}, **more)
        assert "none yet" in told("deployment-permitted", {"builders": (BUILDER,)}, environments=Known(()), **more)

    @pytest.mark.parametrize(("due", "over"), [(NOW, False), ("2026-11-24T08:59:59.999999Z", True)])
    def test_a_deadline_is_overdue_after_its_moment(self, due: str, over: bool) -> None:
        found = codes(
            "deployment-permitted", {"builders": (BUILDER,)}, deadlines=Known((Deadline("d", "mend it", due),))
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
    def test_without_files_and_without_a_forge_there_is_no_pipeline(
        self, files: tuple[str, ...], forge: str, code: str
    ) -> None:
        read = values()["pipeline_files"].value if files else ()  # type: ignore[union-attr]
        ((found, _, text),) = answers(
            "pipeline-hardened", pipeline_files=Known(read), forge_settings=Known(structs.replace(FORGE, forge=forge))
        )
        assert found == code
        assert not files or forge or "no forge" in text
        assert not forge or forge in text

    @pytest.mark.parametrize("forge", ["", "github"])
    def test_the_forge_whose_settings_are_unknown_is_named(self, forge: str) -> None:
        unread = structs.replace(FORGE, forge=forge, job_token_writes=GONE)
        found = answers("pipeline-hardened", forge_settings=Known(unread))
        assert [subject for _, subject, _ in found] == [f"forge:{forge or 'no forge'}"]

    @pytest.mark.parametrize(
        ("files", "forge", "code"),
        [((), "", "nothing-to-check"), ((), "github", "in-vault"), ((CI_FILE,), "", "in-vault")],
    )
    def test_where_secrets_were_looked_for_is_told(self, files: tuple[str, ...], forge: str, code: str) -> None:
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
    def test_readers_are_counted(self) -> None:
        reader = values()["vault_access"].value[0].can_read.value[0]  # type: ignore[union-attr]
        access = EnvironmentAccess("production", Known((reader, reader)), Known((reader,)), NOW, Known(NOW))
        text = told("secrets-hidden-from-developers", vault_access=Known((access,)))
        assert "2 readers have access and 1 read since" in text

    @pytest.mark.parametrize(
        ("changed", "code"),
        [("2026-08-26T09:00:00.000000Z", "rotated"), ("2026-08-26T08:59:59.999999Z", "secret-too-old")],
    )
    def test_a_secret_is_too_old_after_its_days(self, changed: str, code: str) -> None:
        secrets = Known((SecretAge("production", "DB_PASSWORD", Known(changed)),))
        assert codes("secret-rotation", {"max_age_days": 90}, vault_secrets=secrets) == [code]


class TestHistory:
    @pytest.mark.parametrize(("head", "base", "named"), [(HEAD.id, BASE, HEAD.id), ("", BASE, BASE)])
    def test_the_commit_is_named_that_is_left(self, head: str, base: str, named: str) -> None:
        revision = structs.replace(REVISION, head=head, base=base, update=Known(Update.DELETED))
        ((_, subject, _),) = answers("protected-history", revision=Known(revision))
        assert subject == f"commit:{named}"

    @pytest.mark.parametrize("update", [Update.CREATED, Update.REWOUND])
    def test_only_a_tag_that_is_deleted_is_called_so(self, update: Update) -> None:
        revision = structs.replace(REVISION, target="refs/tags/v1", update=Known(update))
        assert codes("protected-history", revision=Known(revision)) == [
            "history-preserved" if update is Update.CREATED else "rewound"
        ]


class TestReviews:
    def test_who_approved_is_named_in_brackets(self) -> None:
        assert "(bob)" in told("independent-review", approvals=Known((approval("bob"),)))
        assert "(" not in told("independent-review", approvals=Known(())).split(".")[0]

    def test_a_contributor_without_an_account_and_one_who_cannot_be_learnt_are_two_answers(self) -> None:
        nobody = commit(1, hands=(hand("nobody"),))
        assert "unknown-contributor" in codes("independent-review", commits=Known((nobody,)))
        unpushed = Known(Pushes(False, (Push(HEAD.id, Unknown("untold")),), (), ()))
        assert "undetermined-contributor" in codes("independent-review", pushes=unpushed)


@pytest.mark.parametrize(
    ("address", "machine"),
    [
        ("noreply@github.com", "github"),
        ("49699333+dependabot[bot]@users.noreply.github.com", "dependabot"),
        ("ada@users.noreply.github.com", ""),
    ],
)
def test_a_program_of_a_forge_is_told_from_a_person(address: str, machine: str) -> None:
    made = commit(1, hands=(Contributor(f"email:{address}", ContributorRole.AUTHOR),))
    found = codes("independent-review", commits=Known((made,)))
    assert ("unknown-machine" in found, "unknown-contributor" in found) == (bool(machine), not machine)


SENSITIVE = {"sensitive": ("auth/**",)}
AUTH = Known((file("readme"), file("auth/a.py")))


class TestAttention:
    def test_an_approval_with_every_answer_is_enough(self) -> None:
        topics = guide.topics(["readme", "auth/a.py"], SENSITIVE["sensitive"])
        asked = [question.id for question in guide.questions(topics)]
        assert asked
        complete = approval("sue", answers=dict.fromkeys(asked, "looked"))
        assert codes("security-attention", SENSITIVE, files=AUTH, approvals=Known((complete,))) == ["security-approved"]
        blank = approval("sue", answers=dict.fromkeys(asked, "looked") | {asked[0]: "  "})
        ((code, _, text),) = answers("security-attention", SENSITIVE, files=AUTH, approvals=Known((blank,)))
        assert code == "guide-unanswered"
        assert f": {asked[0]}." in text

    def test_the_sensitive_file_is_named(self) -> None:
        ((_, subject, _),) = answers("security-attention", SENSITIVE, files=AUTH, approvals=Known(()))
        assert subject == "path:auth/a.py"


class TestSize:
    @pytest.mark.parametrize(("lines", "files", "code"), [(5, 2, "small"), (6, 2, "too-large"), (5, 1, "too-large")])
    def test_as_much_as_is_allowed_is_small(self, lines: int, files: int, code: str) -> None:
        changed = Known((file("a", 2), file("b", lines - 2)))
        assert codes("small-changes", {"lines": 5, "files": files}, files=changed) == [code]

    def test_a_file_that_was_renamed_to_a_generated_one_or_from_one_counts(self) -> None:
        limits = {"lines": 5, "generated": ("*.lock",)}
        for old, new in (("a.py", "b.lock"), ("b.lock", "a.py")):
            renamed = Known((structs.replace(file(new, 900), old_path=old),))
            assert codes("small-changes", limits, files=renamed) == ["too-large"]


class TestTests:
    def runs(self, *head: Any, before: Any = ()) -> Known[Runs]:
        return Known(Runs(tuple(head), tuple(before)))

    @pytest.mark.parametrize(("runners", "named"), [((), "nobody"), (("machine:ci",), "machine:ci")])
    def test_whose_word_counts_is_named(self, runners: tuple[str, ...], named: str) -> None:
        by_ada = self.runs(ran(runner="person:ada"))
        assert named in told("tests-passed", {"runners": runners}, test_runs=by_ada)

    @pytest.mark.parametrize(("executed", "code"), [(10, "passed"), (11, "too-few-tests")])
    def test_as_many_tests_as_are_asked_for_are_enough(self, executed: int, code: str) -> None:
        assert codes("tests-passed", {"min_executed": executed}) == [code]

    def test_only_the_same_pipeline_is_compared(self) -> None:
        more = ran(commit=BASE, pipeline="lint", counts=Known(Counts(99, 0, 0)))
        assert codes("tests-passed", test_runs=self.runs(ran(), before=[more])) == ["passed"]

    def test_of_two_runs_at_one_moment_the_one_that_did_not_pass_speaks(self) -> None:
        failed = ran(passed=Known(False))
        for told_runs in ((failed, ran()), (ran(), failed)):
            assert codes("tests-passed", test_runs=self.runs(*told_runs)) == ["pipeline-failed"]


def test_an_answer_that_refuses_has_a_message_and_a_remedy() -> None:
    for make in (violated, unknown):
        for message, remedy in (("", "do it"), ("no", ""), ("", "")):
            with pytest.raises(ValueError, match="needs a message and a remedy"):
                make(message, remedy)
        assert make("no", "do it").remedy == "do it"


def test_what_was_derived_once_is_not_derived_again() -> None:
    calls: list[Case] = []

    def compute(case: Case) -> int:
        calls.append(case)
        return len(calls)

    case = Case(values(), None, NOW, {})
    assert [case.derived(compute), case.derived(compute)] == [1, 1]
