"""GitHub, written to: a verdict stands on its head alone, one comment at most, and the rules are what was planned."""

import pytest
from msgspec import structs

from muniment.errors import ForgeCode, ForgeError
from muniment.forges.forge import Forge
from muniment.forges.github import connect, manifest
from muniment.forges.rules import BranchRules, Required, Wanted
from muniment.forges.shapes import Repo
from muniment.forges.statuses import Annotation, Saying, Status
from muniment.workflows.watch_rules import weakened
from tests.support.forges import ours
from tests.support.forges.fake_github import UNATTRIBUTED, FakeGitHub
from tests.support.forges.faulty import Fault

MAIN = "refs/heads/main"
WANTED = Wanted(MAIN, "muniment/main", approvals=2, break_glass=("shop/security", "owners"))
MARKER = "muniment-decision"


@pytest.fixture(name="repository")
def _repository(hub: Forge) -> Repo:
    return hub.reader.repository("shop/api").repository


def _status(saying: Saying, annotations: int = 0) -> Status:
    remarks = tuple(Annotation("a.py", line, line, "look here", "Two others") for line in range(1, annotations + 1))
    return Status("muniment/main", saying, "Denied\nBob is missing", "https://m.example/1", "All of it", remarks)


def test_a_run_that_waits_gets_the_verdict_and_a_new_reading_begins_a_new_one(
    github: FakeGitHub, hub: Forge, repository: Repo
) -> None:
    head = github.world.base
    for saying in (Saying.PENDING, Saying.DENIED, Saying.PENDING, Saying.ALLOWED):
        hub.publisher.publish(repository, head, _status(saying))
    assert [(run["status"], run["conclusion"]) for run in github.runs] == [
        ("completed", "failure"),
        ("completed", "success"),
    ]
    (check,) = hub.reader.statuses(repository, head)
    assert (check.context, check.state, check.by) == ("muniment/main", "success", hub.reader.about().ours)


def test_while_it_is_read_the_newest_run_blocks(github: FakeGitHub, hub: Forge, repository: Repo) -> None:
    for saying in (Saying.ALLOWED, Saying.PENDING):
        hub.publisher.publish(repository, github.world.base, _status(saying))
    (check,) = hub.reader.statuses(repository, github.world.base)
    assert check.state == "pending"


def test_more_remarks_than_fit_at_once_all_arrive(github: FakeGitHub, hub: Forge, repository: Repo) -> None:
    hub.publisher.publish(repository, github.world.base, _status(Saying.DENIED, annotations=120))
    assert github.runs[0]["pieces"] == 120
    assert github.runs[0]["conclusion"] == "failure"


def test_a_verdict_whose_answer_was_lost_is_published_again(github: FakeGitHub, hub: Forge, repository: Repo) -> None:
    github.fail("make run", Fault.LOST, times=1)
    with pytest.raises(ForgeError):
        hub.publisher.publish(repository, github.world.base, _status(Saying.PENDING))
    hub.publisher.publish(repository, github.world.base, _status(Saying.DENIED))
    assert github.runs_of(github.world.base)[0]["conclusion"] == "failure"


def test_there_is_one_comment_edited_in_place_and_taken_away(github: FakeGitHub, hub: Forge, repository: Repo) -> None:
    github.world.push("ada", "topic", {"a": "1"})
    number = github.world.open("ada", "topic")
    comments = github.world.changes[number].comments
    github.world.comment("eve", number, f"{MARKER} I am Muniment")
    hub.publisher.comment(repository, number, MARKER, "Bob is missing")
    hub.publisher.comment(repository, number, MARKER, "Carol is missing")
    hub.publisher.comment(repository, number, MARKER, "Carol is missing")
    assert [comment.text for comment in comments[1:]] == [f"Carol is missing\n\n<!-- {MARKER} -->"]
    assert github.calls.count("edit comment") == 1
    hub.publisher.comment(repository, number, MARKER, "")
    hub.publisher.comment(repository, number, MARKER, "")
    assert [comment.by.login for comment in comments] == ["eve"]


def test_a_comment_of_before_whose_marker_people_read_is_edited(
    github: FakeGitHub, hub: Forge, repository: Repo
) -> None:
    github.world.push("ada", "topic", {"a": "1"})
    number = github.world.open("ada", "topic")
    hub.publisher.comment(repository, number, MARKER, "Bob is missing")
    old = github.world.changes[number].comments[0]
    old.text = f"Bob is missing\n\n{MARKER}"
    hub.publisher.comment(repository, number, MARKER, "Carol is missing")
    assert [(one.id, one.text) for one in github.world.changes[number].comments] == [
        (old.id, f"Carol is missing\n\n<!-- {MARKER} -->")
    ]


def test_people_are_asked_and_a_change_is_proposed_once(github: FakeGitHub, hub: Forge, repository: Repo) -> None:
    github.world.push("ada", "revert", {"a": "1"})
    proposed = [hub.publisher.propose(repository, "refs/heads/revert", MAIN, "Revert", "why") for _ in range(2)]
    assert proposed[0] == proposed[1]
    assert proposed[0].opener.machine
    hub.publisher.ask(repository, proposed[0].number, ("bob", "carol"))
    asked = [user.login for user in github.world.changes[proposed[0].number].reviewers]
    assert asked == ["bob", "carol"]


def test_only_the_head_that_was_judged_is_merged(github: FakeGitHub, hub: Forge, repository: Repo) -> None:
    old = github.world.push("ada", "topic", {"a": "1"})
    number = github.world.open("ada", "topic")
    new = github.world.push("eve", "topic", {"b": "1"})
    with pytest.raises(ForgeError) as caught:
        hub.publisher.merge(repository, number, old, "squash")
    assert caught.value.code is ForgeCode.CHANGED_MEANWHILE
    assert github.world.changes[number].state == "open"
    hub.publisher.merge(repository, number, new, "squash")
    assert github.world.changes[number].state == "merged"


# Protecting


def test_what_is_planned_is_made_and_then_holds(github: FakeGitHub, hub: Forge, repository: Repo) -> None:
    plan = hub.protector.plan(repository, WANTED)
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
    holds = hub.protector.apply(repository, plan)
    assert holds.required_statuses == (Required("muniment/main", "app:77"),)
    assert (holds.approvals, holds.stale_dismissed, holds.pushers, holds.force_push) == (2, True, (), False)
    assert (holds.bypass, holds.methods) == (("owners", "team:9"), ("merge", "squash"))
    again = hub.protector.plan(repository, WANTED)
    assert again.steps == ()
    hub.protector.apply(repository, again)
    assert len(github.rulesets) == 1


@pytest.mark.parametrize(
    ("weakened", "told"),
    [
        ({"enforcement": "disabled"}, "the check muniment/main"),
        ({"bypass_actors": [{"actor_type": "RepositoryRole", "actor_id": 5}]}, "who may bypass the rules"),
        ({"rules": []}, "the check muniment/main"),
    ],
)
def test_a_rule_that_was_weakened_is_found_and_made_again(
    github: FakeGitHub, hub: Forge, repository: Repo, weakened: dict[str, object], told: str
) -> None:
    hub.protector.apply(repository, hub.protector.plan(repository, WANTED))
    github.rulesets[0] |= weakened
    plan = hub.protector.plan(repository, WANTED)
    assert any(step.setting.startswith(told) for step in plan.steps)
    hub.protector.apply(repository, plan)
    assert hub.protector.plan(repository, WANTED).steps == ()


def test_nobody_but_our_app_merges_where_it_merges_alone(github: FakeGitHub, hub: Forge, repository: Repo) -> None:
    alone = structs.replace(WANTED, only_we_merge=True, approvals=0)
    plan = hub.protector.plan(repository, alone)
    assert ("who merges", "anybody", "app:77, owners, team:9") in [
        (step.setting, step.previous_value, step.new_value) for step in plan.steps
    ]
    holds = hub.protector.apply(repository, plan)
    assert (holds.mergers, holds.bypass) == (("app:77", "owners", "team:9"), ("owners", "team:9"))
    (update,) = [one for one in github.rulesets if one["rules"][0]["type"] == "update"]
    assert update["bypass_actors"][0] == {
        "actor_type": "Integration",
        "actor_id": 77,
        "bypass_mode": "pull_request",
    }, "our App may push past no pull request"
    assert hub.protector.plan(repository, alone).steps == ()
    head = github.world.push("ada", "topic", {"a": "1"})
    number = github.world.open("ada", "topic")
    hub.publisher.publish(repository, head, Status("muniment/main", Saying.ALLOWED, "Yes", "https://m/1"))
    assert not github.mergeable(github.world.changes[number], "ada")
    assert github.mergeable(github.world.changes[number], "muniment[bot]")
    update["enforcement"] = "disabled"
    assert weakened(holds, hub.reader.rules(repository, MAIN)) == ("others may merge into it",)


def test_an_app_that_may_not_merge_is_not_left_as_the_only_one_that_may(
    github: FakeGitHub, hub: Forge, repository: Repo
) -> None:
    github.permissions["contents"] = "read"
    with pytest.raises(ForgeError, match="our App may not merge") as caught:
        ours.github(github).protector.plan(repository, structs.replace(WANTED, only_we_merge=True))
    assert caught.value.code is ForgeCode.UNSUPPORTED
    assert github.rulesets == []


def test_what_is_attributed_to_no_person_takes_one_approval_more(
    github: FakeGitHub, hub: Forge, repository: Repo
) -> None:
    github.version = ""
    wanted = structs.replace(WANTED, approvals=1)
    holds = hub.protector.apply(repository, hub.protector.plan(repository, wanted))
    parameters = github.rulesets[0]["rules"][2]["parameters"]
    assert (holds.unattributed_approval, parameters[UNATTRIBUTED]) == (True, True)
    parameters[UNATTRIBUTED] = False
    assert weakened(holds, hub.reader.rules(repository, MAIN)) == (
        "changes that are attributed to no person need no further approval",
    )
    plan = hub.protector.plan(repository, wanted)
    assert [step.setting for step in plan.steps] == ["a further approval of what is attributed to no person"]
    assert hub.protector.apply(repository, plan).unattributed_approval


def test_an_enterprise_server_is_not_asked_for_a_setting_that_it_lacks(
    github: FakeGitHub, hub: Forge, repository: Repo
) -> None:
    sent = hub.protector.apply(repository, hub.protector.plan(repository, WANTED))
    assert sent.required_statuses
    body = next(request.body for request in github.requests if request.path.endswith("/rulesets") and request.body)
    assert all(UNATTRIBUTED not in rule.get("parameters", {}) for rule in body["rules"])


def test_a_check_that_anybody_may_give_is_not_ours(github: FakeGitHub, hub: Forge, repository: Repo) -> None:
    hub.protector.apply(repository, hub.protector.plan(repository, WANTED))
    checks = github.rulesets[0]["rules"][3]["parameters"]["required_status_checks"][0]
    del checks["integration_id"]
    (step,) = hub.protector.plan(repository, WANTED).steps
    assert (step.previous_value, step.new_value) == ("anybody", "app:77")


def test_a_plan_that_is_old_is_not_done(github: FakeGitHub, hub: Forge, repository: Repo) -> None:
    plan = hub.protector.plan(repository, WANTED)
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
        hub.protector.apply(repository, plan)
    assert caught.value.code is ForgeCode.CHANGED_MEANWHILE
    assert len(github.rulesets) == 1


def test_who_may_bypass_is_not_guessed_where_it_is_hidden(github: FakeGitHub, hub: Forge, repository: Repo) -> None:
    hub.protector.apply(repository, hub.protector.plan(repository, WANTED))
    github.permissions["administration"] = "read"
    rules = ours.github(github).reader.rules(repository, MAIN)
    assert rules.bypass == ("*",)
    assert "Administration: write" in rules.unread_settings[0]


def test_rulesets_that_the_plan_lacks_are_told_as_such(github: FakeGitHub, hub: Forge, repository: Repo) -> None:
    plan = hub.protector.plan(repository, WANTED)
    github.fail("make ruleset", Fault.FORBIDDEN)
    with pytest.raises(ForgeError) as caught:
        hub.protector.apply(repository, plan)
    assert caught.value.code is ForgeCode.UNSUPPORTED


def test_the_older_protection_counts_too(github: FakeGitHub, hub: Forge, repository: Repo) -> None:
    github.older["main"] = {
        "required_status_checks": {"strict": True, "checks": [{"context": "build", "app_id": None}]},
        "enforce_admins": {"enabled": False},
        "required_pull_request_reviews": {"required_approving_review_count": 1, "dismiss_stale_reviews": True},
        "allow_force_pushes": {"enabled": False},
        "allow_deletions": {"enabled": True},
    }
    assert hub.reader.rules(repository, MAIN) == BranchRules(
        ref=MAIN,
        protected=True,
        required_statuses=(Required("build"),),
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
def test_rules_that_cannot_be_read_are_an_error_and_not_weak_or_strong(
    github: FakeGitHub, hub: Forge, repository: Repo, call: str
) -> None:
    hub.protector.apply(repository, hub.protector.plan(repository, WANTED))
    github.fail(call, Fault.FORBIDDEN)
    with pytest.raises(ForgeError):
        hub.reader.rules(repository, MAIN)


def test_somebody_that_rulesets_cannot_name_is_refused(hub: Forge, repository: Repo) -> None:
    with pytest.raises(ForgeError, match="ada"):
        hub.protector.plan(repository, Wanted(MAIN, "muniment/main", break_glass=("ada",)))


# Becoming an App


def test_the_app_asks_for_what_it_needs_and_no_more() -> None:
    small, large = (
        manifest.manifest("M", "https://m.example", hook="https://m.example/h", back="b", protects=more, proposes=more)
        for more in (False, True)
    )
    assert manifest.missing(large["default_permissions"]) == ()
    lacking = {ability.value for ability in manifest.missing(small["default_permissions"])}
    assert lacking == {"protect", "propose"}
    assert (small["public"], large["redirect_url"]) == (False, "b")
    address = manifest.form("https://github.com/", "shop inc", "s&t")
    assert address == "https://github.com/organizations/shop%20inc/settings/apps/new?state=s%26t"


def test_a_code_becomes_an_app_once_and_its_secrets_show_nowhere(github: FakeGitHub) -> None:
    made = manifest.convert(github.url, "the-code")
    assert (made.id, made.slug) == (77, "muniment")
    assert made.pem not in repr(made)
    assert made.webhook_secret not in repr(made)
    with pytest.raises(ForgeError):
        manifest.convert(github.url, "another/../code")


@pytest.mark.parametrize("credential", [{}, {"app_id": "77"}, {"app_id": "77", "pem": "none"}])
def test_a_credential_that_is_none_is_refused_and_goes_nowhere(github: FakeGitHub, credential: dict[str, str]) -> None:
    with pytest.raises(ForgeError) as caught:
        connect.app("github", github.url, credential, lambda: ours.NOW)
    assert caught.value.code is ForgeCode.NOT_SIGNED_IN
    assert github.calls == []


def test_an_app_that_is_installed_twice_says_so(github: FakeGitHub) -> None:
    github.twice = True
    with pytest.raises(ForgeError, match="installed 2 times"):
        ours.github(github).reader.repositories()


def test_a_token_can_only_read(github: FakeGitHub) -> None:
    github.tokens["read-only"] = 0
    guest = connect.guest("github", github.url, lambda: "read-only", lambda: ours.NOW)
    listed = guest.reader.repository("shop/api")
    assert {"status", "protect", "propose"} <= {ability.value for ability in listed.missing_abilities}
    with pytest.raises(ForgeError, match="only an App"):
        guest.protector.apply(listed.repository, guest.protector.plan(listed.repository, WANTED))
