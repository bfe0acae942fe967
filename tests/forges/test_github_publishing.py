"""GitHub's publisher and protector: statuses per head, a single comment, and planned branch rules."""

import pytest
from msgspec import structs

from muniment.errors import ForgeCode, ForgeError
from muniment.forges.branch_rules import BranchRules, RequiredStatus, WantedProtection
from muniment.forges.forge import Forge
from muniment.forges.github import connect, manifest
from muniment.forges.shapes import ChangeEdit, ForgeRepository
from muniment.forges.statuses import Annotation, Status, StatusState
from muniment.workflows.rule_weakening import find_weakenings
from tests.support.forges import ours
from tests.support.forges.fake_github import UNATTRIBUTED, FakeGitHub
from tests.support.forges.faulty import Fault

MAIN = "refs/heads/main"
WANTED = WantedProtection(MAIN, "muniment/main", approvals=2, break_glass=("shop/security", "owners"))
MARKER = "muniment-decision"


@pytest.fixture(name="repository")
def _repository(hub: Forge) -> ForgeRepository:
    return hub.reader.read_repository("shop/api").repository


def _status(saying: StatusState, annotations: int = 0) -> Status:
    remarks = tuple(Annotation("a.py", line, line, "look here", "Two others") for line in range(1, annotations + 1))
    return Status("muniment/main", saying, "Denied\nBob is missing", "https://m.example/1", "All of it", remarks)


def test_pending_run_is_completed_and_next_evaluation_creates_new_run(
    github: FakeGitHub, hub: Forge, repository: ForgeRepository
) -> None:
    head = github.world.base
    for saying in (StatusState.PENDING, StatusState.DENIED, StatusState.PENDING, StatusState.ALLOWED):
        hub.publisher.publish_status(repository, head, _status(saying))
    assert [(run["status"], run["conclusion"]) for run in github.runs] == [
        ("completed", "failure"),
        ("completed", "success"),
    ]
    (check,) = hub.reader.list_statuses(repository, head)
    assert (check.context, check.state, check.by) == ("muniment/main", "success", hub.reader.describe_forge().ours)


def test_newest_run_is_pending_during_evaluation(github: FakeGitHub, hub: Forge, repository: ForgeRepository) -> None:
    for saying in (StatusState.ALLOWED, StatusState.PENDING):
        hub.publisher.publish_status(repository, github.world.base, _status(saying))
    (check,) = hub.reader.list_statuses(repository, github.world.base)
    assert check.state == "pending"


def test_annotations_beyond_one_request_are_all_posted(
    github: FakeGitHub, hub: Forge, repository: ForgeRepository
) -> None:
    hub.publisher.publish_status(repository, github.world.base, _status(StatusState.DENIED, annotations=120))
    assert github.runs[0]["pieces"] == 120
    assert github.runs[0]["conclusion"] == "failure"


def test_status_with_lost_response_is_published_again(
    github: FakeGitHub, hub: Forge, repository: ForgeRepository
) -> None:
    github.fail("make run", Fault.LOST, times=1)
    with pytest.raises(ForgeError):
        hub.publisher.publish_status(repository, github.world.base, _status(StatusState.PENDING))
    hub.publisher.publish_status(repository, github.world.base, _status(StatusState.DENIED))
    assert github.runs_of(github.world.base)[0]["conclusion"] == "failure"


def test_single_comment_is_edited_and_deleted(github: FakeGitHub, hub: Forge, repository: ForgeRepository) -> None:
    github.world.push("ada", "topic", {"a": "1"})
    number = github.world.open("ada", "topic")
    comments = github.world.changes[number].comments
    github.world.comment("eve", number, f"{MARKER} I am Muniment")
    hub.publisher.update_comment(repository, number, MARKER, "Bob is missing")
    hub.publisher.update_comment(repository, number, MARKER, "Carol is missing")
    hub.publisher.update_comment(repository, number, MARKER, "Carol is missing")
    assert [comment.text for comment in comments[1:]] == [f"Carol is missing\n\n<!-- {MARKER} -->"]
    assert github.calls.count("edit comment") == 1
    hub.publisher.update_comment(repository, number, MARKER, "")
    hub.publisher.update_comment(repository, number, MARKER, "")
    assert [comment.by.login for comment in comments] == ["eve"]


def test_comment_with_former_visible_marker_is_edited(
    github: FakeGitHub, hub: Forge, repository: ForgeRepository
) -> None:
    github.world.push("ada", "topic", {"a": "1"})
    number = github.world.open("ada", "topic")
    hub.publisher.update_comment(repository, number, MARKER, "Bob is missing")
    old = github.world.changes[number].comments[0]
    old.text = f"Bob is missing\n\n{MARKER}"
    hub.publisher.update_comment(repository, number, MARKER, "Carol is missing")
    assert [(one.id, one.text) for one in github.world.changes[number].comments] == [
        (old.id, f"Carol is missing\n\n<!-- {MARKER} -->")
    ]


def test_reviewers_are_requested_and_change_is_opened_once(
    github: FakeGitHub, hub: Forge, repository: ForgeRepository
) -> None:
    github.world.push("ada", "revert", {"a": "1"})
    proposed = [hub.publisher.open_change(repository, "refs/heads/revert", MAIN, "Revert", "why") for _ in range(2)]
    assert proposed[0] == proposed[1]
    assert proposed[0].opener.machine
    hub.publisher.request_reviews(repository, proposed[0].number, ("bob", "carol"))
    asked = [user.login for user in github.world.changes[proposed[0].number].reviewers]
    assert asked == ["bob", "carol"]


def test_own_change_is_edited_labelled_and_closed(github: FakeGitHub, hub: Forge, repository: ForgeRepository) -> None:
    github.world.push("ada", "update", {"a": "1"})
    number = hub.publisher.open_change(repository, "refs/heads/update", MAIN, "Update", "why").number
    change = github.world.changes[number]
    hub.publisher.edit_change(repository, number, ChangeEdit(labels=("dependencies",)))
    assert (change.title, change.text, change.labels, change.state) == ("Update", "why", ["dependencies"], "open")
    hub.publisher.edit_change(repository, number, ChangeEdit("Update two", "because", closes=True))
    assert (change.title, change.text, change.state) == ("Update two", "because", "closed")
    hub.publisher.edit_change(repository, number, ChangeEdit())


def test_merges_only_evaluated_head(github: FakeGitHub, hub: Forge, repository: ForgeRepository) -> None:
    old = github.world.push("ada", "topic", {"a": "1"})
    number = github.world.open("ada", "topic")
    new = github.world.push("eve", "topic", {"b": "1"})
    with pytest.raises(ForgeError) as caught:
        hub.publisher.merge_change(repository, number, old, "squash")
    assert caught.value.code is ForgeCode.CHANGED_MEANWHILE
    assert github.world.changes[number].state == "open"
    hub.publisher.merge_change(repository, number, new, "squash")
    assert github.world.changes[number].state == "merged"


# Protecting


def test_applied_protection_plan_is_in_effect(github: FakeGitHub, hub: Forge, repository: ForgeRepository) -> None:
    plan = hub.protector.plan_protection(repository, WANTED)
    assert {step.setting.partition(",")[0] for step in plan.steps} == {
        "the check muniment/main is required",
        "who may bypass the rules",
        "approvals that GitHub itself asks for",
        "a push ends approvals",
        "pushing past changes",
        "force pushes",
        "deleting the branch",
    }
    assert all(step.weakens for step in plan.steps)
    holds = hub.protector.apply_protection(repository, plan)
    assert holds.required_statuses == (RequiredStatus("muniment/main", "app:77"),)
    assert (holds.approvals, holds.stale_dismissed, holds.pushers, holds.force_push) == (2, True, (), False)
    assert (holds.bypass, holds.methods) == (("owners", "team:9"), ("merge", "squash"))
    again = hub.protector.plan_protection(repository, WANTED)
    assert again.steps == ()
    hub.protector.apply_protection(repository, again)
    assert len(github.rulesets) == 1


@pytest.mark.parametrize(
    ("weakened", "message"),
    [
        ({"enforcement": "disabled"}, "the check muniment/main"),
        ({"bypass_actors": [{"actor_type": "RepositoryRole", "actor_id": 5}]}, "who may bypass the rules"),
        ({"rules": []}, "the check muniment/main"),
    ],
)
def test_weakened_rule_is_detected_and_restored(
    github: FakeGitHub, hub: Forge, repository: ForgeRepository, weakened: dict[str, object], message: str
) -> None:
    hub.protector.apply_protection(repository, hub.protector.plan_protection(repository, WANTED))
    github.rulesets[0] |= weakened
    plan = hub.protector.plan_protection(repository, WANTED)
    assert any(step.setting.startswith(message) for step in plan.steps)
    hub.protector.apply_protection(repository, plan)
    assert hub.protector.plan_protection(repository, WANTED).steps == ()


def test_only_our_app_may_merge_in_sole_merger_mode(
    github: FakeGitHub, hub: Forge, repository: ForgeRepository
) -> None:
    alone = structs.replace(WANTED, only_we_merge=True, approvals=0)
    plan = hub.protector.plan_protection(repository, alone)
    assert ("who merges", "anybody", "app:77, owners, team:9") in [
        (step.setting, step.previous_value, step.new_value) for step in plan.steps
    ]
    holds = hub.protector.apply_protection(repository, plan)
    assert (holds.mergers, holds.bypass) == (("app:77", "owners", "team:9"), ("owners", "team:9"))
    (update,) = [one for one in github.rulesets if one["rules"][0]["type"] == "update"]
    assert update["bypass_actors"][0] == {
        "actor_type": "Integration",
        "actor_id": 77,
        "bypass_mode": "pull_request",
    }, "our App may push past no pull request"
    assert hub.protector.plan_protection(repository, alone).steps == ()
    head = github.world.push("ada", "topic", {"a": "1"})
    number = github.world.open("ada", "topic")
    hub.publisher.publish_status(repository, head, Status("muniment/main", StatusState.ALLOWED, "Yes", "https://m/1"))
    assert not github.mergeable(github.world.changes[number], "ada")
    assert github.mergeable(github.world.changes[number], "muniment[bot]")
    update["enforcement"] = "disabled"
    assert find_weakenings(holds, hub.reader.read_branch_rules(repository, MAIN)) == ("others may merge into it",)


def test_refuses_sole_merger_mode_if_app_may_not_merge(
    github: FakeGitHub, hub: Forge, repository: ForgeRepository
) -> None:
    github.permissions["contents"] = "read"
    with pytest.raises(ForgeError, match="our App may not merge") as caught:
        ours.github(github).protector.plan_protection(repository, structs.replace(WANTED, only_we_merge=True))
    assert caught.value.code is ForgeCode.UNSUPPORTED
    assert github.rulesets == []


def test_unattributed_changes_need_one_more_approval(
    github: FakeGitHub, hub: Forge, repository: ForgeRepository
) -> None:
    github.version = ""
    wanted = structs.replace(WANTED, approvals=1)
    holds = hub.protector.apply_protection(repository, hub.protector.plan_protection(repository, wanted))
    parameters = github.rulesets[0]["rules"][2]["parameters"]
    assert (holds.unattributed_approval, parameters[UNATTRIBUTED]) == (True, True)
    parameters[UNATTRIBUTED] = False
    assert find_weakenings(holds, hub.reader.read_branch_rules(repository, MAIN)) == (
        "changes that are attributed to no person need no further approval",
    )
    plan = hub.protector.plan_protection(repository, wanted)
    assert [step.setting for step in plan.steps] == ["a further approval of what is attributed to no person"]
    assert hub.protector.apply_protection(repository, plan).unattributed_approval


def test_enterprise_server_plan_omits_unsupported_setting(
    github: FakeGitHub, hub: Forge, repository: ForgeRepository
) -> None:
    sent = hub.protector.apply_protection(repository, hub.protector.plan_protection(repository, WANTED))
    assert sent.required_statuses
    body = next(request.body for request in github.requests if request.path.endswith("/rulesets") and request.body)
    assert all(UNATTRIBUTED not in rule.get("parameters", {}) for rule in body["rules"])


def test_required_check_without_app_binding_is_replaced(
    github: FakeGitHub, hub: Forge, repository: ForgeRepository
) -> None:
    hub.protector.apply_protection(repository, hub.protector.plan_protection(repository, WANTED))
    checks = github.rulesets[0]["rules"][3]["parameters"]["required_status_checks"][0]
    del checks["integration_id"]
    (step,) = hub.protector.plan_protection(repository, WANTED).steps
    assert (step.previous_value, step.new_value) == ("anybody", "app:77")


def test_refuses_outdated_protection_plan(github: FakeGitHub, hub: Forge, repository: ForgeRepository) -> None:
    plan = hub.protector.plan_protection(repository, WANTED)
    github.rulesets.append(
        {
            "id": 1,
            "name": "theirs",
            "enforcement": "active",
            "source_type": "Repository",
            "bypass_actors": [],
            "conditions": {"ref_name": {"include": [MAIN]}},
            "rules": [{"type": "deletion"}],
        }
    )
    with pytest.raises(ForgeError) as caught:
        hub.protector.apply_protection(repository, plan)
    assert caught.value.code is ForgeCode.CHANGED_MEANWHILE
    assert len(github.rulesets) == 1


def test_hidden_bypass_list_is_unknown(github: FakeGitHub, hub: Forge, repository: ForgeRepository) -> None:
    hub.protector.apply_protection(repository, hub.protector.plan_protection(repository, WANTED))
    github.permissions["administration"] = "read"
    rules = ours.github(github).reader.read_branch_rules(repository, MAIN)
    assert rules.bypass == ("*",)
    assert "Administration: write" in rules.unread_settings[0]


def test_rulesets_missing_in_subscription_plan_are_reported(
    github: FakeGitHub, hub: Forge, repository: ForgeRepository
) -> None:
    plan = hub.protector.plan_protection(repository, WANTED)
    github.fail("make ruleset", Fault.FORBIDDEN)
    with pytest.raises(ForgeError) as caught:
        hub.protector.apply_protection(repository, plan)
    assert caught.value.code is ForgeCode.UNSUPPORTED


def test_classic_branch_protection_counts(github: FakeGitHub, hub: Forge, repository: ForgeRepository) -> None:
    github.older["main"] = {
        "required_status_checks": {"strict": True, "checks": [{"context": "build", "app_id": None}]},
        "enforce_admins": {"enabled": False},
        "required_pull_request_reviews": {"required_approving_review_count": 1, "dismiss_stale_reviews": True},
        "allow_force_pushes": {"enabled": False},
        "allow_deletions": {"enabled": True},
    }
    assert hub.reader.read_branch_rules(repository, MAIN) == BranchRules(
        ref=MAIN,
        protected=True,
        required_statuses=(RequiredStatus("build"),),
        approvals=1,
        stale_dismissed=True,
        rejection_blocks=True,
        outdated_blocks=True,
        pushers=(),
        force_push=False,
        deletable=True,
        bypass=("role:admin",),
        methods=("merge", "squash"),
    )


@pytest.mark.parametrize("call", ["rules", "ruleset", "branch", "repository"])
def test_unreadable_rules_are_error(github: FakeGitHub, hub: Forge, repository: ForgeRepository, call: str) -> None:
    hub.protector.apply_protection(repository, hub.protector.plan_protection(repository, WANTED))
    github.fail(call, Fault.FORBIDDEN)
    with pytest.raises(ForgeError):
        hub.reader.read_branch_rules(repository, MAIN)


def test_refuses_break_glass_account_that_rulesets_cannot_name(hub: Forge, repository: ForgeRepository) -> None:
    with pytest.raises(ForgeError, match="ada"):
        hub.protector.plan_protection(repository, WantedProtection(MAIN, "muniment/main", break_glass=("ada",)))


# Becoming an App


def test_app_manifest_requests_only_needed_permissions() -> None:
    small, large = (
        manifest.make_manifest(
            "M", "https://m.example", hook="https://m.example/h", back="b", protects=more, proposes=more
        )
        for more in (False, True)
    )
    assert manifest.find_missing_abilities(large["default_permissions"]) == ()
    lacking = {ability.value for ability in manifest.find_missing_abilities(small["default_permissions"])}
    assert lacking == {"protect", "propose"}
    assert (small["public"], large["redirect_url"]) == (False, "b")
    address = manifest.registration_url("https://github.com/", "shop inc", "s&t")
    assert address == "https://github.com/organizations/shop%20inc/settings/apps/new?state=s%26t"


def test_manifest_code_is_exchanged_once_and_secrets_stay_hidden(github: FakeGitHub) -> None:
    made = manifest.exchange_code(github.url, "the-code")
    assert (made.id, made.slug) == (77, "muniment")
    assert made.pem not in repr(made)
    assert made.webhook_secret not in repr(made)
    with pytest.raises(ForgeError):
        manifest.exchange_code(github.url, "another/../code")


@pytest.mark.parametrize("credential", [{}, {"app_id": "77"}, {"app_id": "77", "pem": "none"}])
def test_refuses_incomplete_credential_without_request(github: FakeGitHub, credential: dict[str, str]) -> None:
    with pytest.raises(ForgeError) as caught:
        connect.connect_app("github", github.url, credential, lambda: ours.NOW)
    assert caught.value.code is ForgeCode.NOT_SIGNED_IN
    assert github.calls == []


def test_app_installed_twice_is_error(github: FakeGitHub) -> None:
    github.twice = True
    with pytest.raises(ForgeError, match="installed 2 times"):
        ours.github(github).reader.list_repositories()


def test_token_connection_is_read_only(github: FakeGitHub) -> None:
    github.tokens["read-only"] = 0
    guest = connect.connect_read_only("github", github.url, lambda: "read-only", lambda: ours.NOW)
    listed = guest.reader.read_repository("shop/api")
    assert {"status", "protect", "propose"} <= {ability.value for ability in listed.missing_abilities}
    with pytest.raises(ForgeError, match="only an App"):
        guest.protector.apply_protection(listed.repository, guest.protector.plan_protection(listed.repository, WANTED))
