"""The whole story of a protected branch at a forge, told against the fake and against real ones alike.

Every step says what must be so by then; the first that is not ends it.
"""

import time
from collections.abc import Callable

import pytest

from muniment.decision.decision import Outcome
from muniment.errors import ForgeError
from muniment.facts.maybe import Known
from muniment.forges.branch_rules import WantedProtection
from muniment.forges.shapes import Account, ChangeState, Move
from muniment.forges.statuses import StatusState, make_context
from muniment.workflows import forge_changes
from tests.support.forges.acting import Refused
from tests.support.forges.stage import MAIN, Stage, now

_PATIENCE = 30  # seconds that a real forge may take to notice what was done


def eventually(holds: Callable[[], bool], what: str) -> None:
    """Waits for a forge that does its work in the background."""
    end = time.monotonic() + _PATIENCE
    while not holds():
        assert time.monotonic() < end, what
        time.sleep(0.2)


def settle(stage: Stage) -> None:
    """Real forges count in seconds, and end approvals some time after a push: also those given meanwhile."""
    if stage.real:
        time.sleep(2)


def connect(stage: Stage) -> None:
    """Our account sees the repository and misses nothing; one that may only read misses nearly everything."""
    assert stage.listed.missing_abilities == ()
    assert stage.repository.path in [listed.repository.path for listed in stage.forge.reader.list_repositories()]
    about = stage.forge.reader.describe_forge()
    assert about.ours.login == stage.acting.login("muniment")
    assert about.vendor is stage.connection.vendor


def protect(stage: Stage) -> None:
    """The plan is shown, done, and then there is nothing left to do; a rule that was weakened shows up."""
    wanted = WantedProtection(MAIN, make_context(MAIN), approvals=1)
    plan = stage.forge.protector.plan_protection(stage.repository, wanted)
    assert plan.steps
    after = stage.forge.protector.apply_protection(stage.repository, plan)
    assert after.protected
    assert [required.context for required in after.required_statuses] == [make_context(MAIN)]
    assert after.stale_dismissed
    assert after.pushers == ()
    assert after.bypass == ()
    assert stage.forge.protector.plan_protection(stage.repository, wanted).steps == ()
    stage.acting.weaken(MAIN)
    drifted = stage.forge.protector.plan_protection(stage.repository, wanted)
    assert drifted.steps
    assert stage.forge.protector.apply_protection(stage.repository, drifted) == after


def direct_push_is_refused(stage: Stage) -> None:
    base = stage.work.tip("main")
    with pytest.raises(Refused):
        stage.work.push("ada", stage.work.commit("ada", {"direct.txt": "1\n"}, base), "main")


def open_and_push(stage: Stage) -> int:
    """A new change is denied, and the forge does not merge it."""
    base = stage.work.tip("main")
    first = stage.work.commit("ada", {"app.py": "x = 1\n"}, base)
    stage.work.push("ada", first, "topic")
    number = stage.acting.open("ada", "topic", "main", "a topic")
    eventually(lambda: stage.forge.reader.read_change(stage.repository, number).head == first, "it has its head")
    eventually(lambda: pushers(stage, number) == {"ada"}, "it is known who pushed")
    assert stage.codes(stage.judge(number)) == ["too-few-approvals"]
    assert stage.verdict(number) is Outcome.DENY
    refuses_to_merge(stage, number)
    return number


def approve(stage: Stage, number: int) -> None:
    """Two others who may write are enough; one who may only read, and the author, are not others."""
    stage.acting.approve("bob", number)
    stage.acting.approve("eve", number)
    assert stage.verdict(number) is Outcome.DENY
    refuses_to_merge(stage, number)
    stage.acting.approve("carol", number)
    assert stage.codes(stage.judge(number)) == ["reviewed"]
    assert stage.verdict(number) is Outcome.ALLOW


def stale(stage: Stage, number: int) -> None:
    """A push ends approvals; who pushed is a contributor, and the old verdict does not speak for the new head."""
    head = stage.forge.reader.read_change(stage.repository, number).head
    second = stage.work.commit("carol", {"app.py": "x = 2\n"}, head)
    stage.work.push("carol", second, "topic")
    eventually(lambda: stage.forge.reader.read_change(stage.repository, number).head == second, "it has its new head")
    eventually(lambda: pushers(stage, number) == {"ada", "carol"}, "it is known who pushed")
    refuses_to_merge(stage, number)
    assert stage.codes(stage.judge(number)) == ["too-few-approvals"]
    assert stage.verdict(number) is Outcome.DENY


def force_push(stage: Stage, number: int) -> None:
    """What was pushed away still makes contributors: carol's commit is gone, her approval does not count."""
    base = stage.work.tip("main")
    third = stage.work.commit("ada", {"app.py": "x = 3\n"}, base)
    stage.work.push("ada", third, "topic", force=True)
    eventually(lambda: stage.forge.reader.read_change(stage.repository, number).head == third, "it has its new head")
    eventually(lambda: len(moves(stage, number)) >= 3 and "" not in pushers(stage, number), "it is known who pushed")
    settle(stage)
    stage.acting.approve("bob", number)
    stage.acting.approve("carol", number)
    assert stage.codes(stage.judge(number)) == ["too-few-approvals"]
    assert stage.verdict(number) is Outcome.DENY
    stage.acting.approve("dave", number)
    assert stage.codes(stage.judge(number)) == ["reviewed"]
    assert stage.verdict(number) is Outcome.ALLOW


def changes_requested(stage: Stage, number: int) -> None:
    """They block, and no other's dismissal lifts them."""
    stage.acting.reject("bob", number)
    assert stage.codes(stage.judge(number)) == ["too-few-approvals", "changes-requested"]
    stage.acting.dismiss("muniment", number, "bob")
    assert "changes-requested" in stage.codes(stage.judge(number))
    assert stage.verdict(number) is Outcome.DENY
    settle(stage)
    stage.acting.approve("bob", number)
    assert stage.verdict(number) is Outcome.ALLOW


def retarget(stage: Stage, number: int) -> None:
    """An approval is for one branch, and ends when the change is pointed at another: also once it points back."""
    stage.work.push("ada", stage.work.tip("main"), "release")
    settle(stage)
    stage.acting.retarget("ada", number, "release")
    assert stage.codes(stage.judge(number)) == ["too-few-approvals"]
    settle(stage)
    stage.acting.retarget("ada", number, "main")
    evaluation = stage.judge(number)
    assert stage.codes(evaluation) == ["too-few-approvals"]
    assert stage.verdict(number) is Outcome.DENY
    settle(stage)
    for name in ("bob", "dave"):
        stage.acting.approve(name, number)
    assert stage.verdict(number) is Outcome.ALLOW


def squash(stage: Stage, number: int) -> None:
    """The forge squashes it; what landed is what was approved, and who pressed the button is no contributor."""
    eventually(lambda: merged(stage, "bob", number, "squash"), "it merges")
    reading = stage.read(number)
    assert reading.change.state is ChangeState.MERGED
    evaluation, _ = forge_changes.evaluate_merged_change(*stage.at, reading, stage.rules_at, now())
    assert stage.codes(evaluation) == ["reviewed"]
    assert evaluation.decision.head == stage.work.tip("main")
    assert evaluation.decision.outcome is Outcome.ALLOW
    assert number in [change.number for change in stage.forge.reader.list_changes(stage.repository, ChangeState.MERGED)]


def merge(stage: Stage) -> None:
    """A second change, merged by a commit."""
    base = stage.work.tip("main")
    stage.work.push("dave", stage.work.commit("dave", {"more.py": "y = 1\n"}, base), "more")
    number = stage.acting.open("dave", "more", "main", "more")
    eventually(lambda: pushers(stage, number) == {"dave"}, "it is known who pushed")
    for name in ("ada", "bob"):
        stage.acting.approve(name, number)
    assert stage.verdict(number) is Outcome.ALLOW
    eventually(lambda: merged(stage, "ada", number, "merge"), "it merges")
    reading = stage.read(number)
    evaluation, _ = forge_changes.evaluate_merged_change(*stage.at, reading, stage.rules_at, now())
    assert evaluation.decision.outcome is Outcome.ALLOW


def only_we_merge(stage: Stage) -> None:
    """Where a status binds nobody, our account alone may merge: exactly the head that it was asked to."""
    wanted = WantedProtection(MAIN, make_context(MAIN), only_we_merge=True)
    plan = stage.forge.protector.plan_protection(stage.repository, wanted)
    assert stage.forge.protector.apply_protection(stage.repository, plan).mergers == (stage.acting.login("muniment"),)
    base = stage.work.tip("main")
    head = stage.work.commit("carol", {"ours.py": "y = 1\n"}, base)
    stage.work.push("carol", head, "ours")
    number = stage.acting.open("carol", "ours", "main", "ours")
    eventually(lambda: pushers(stage, number) == {"carol"}, "it is known who pushed")
    for name in ("ada", "bob"):
        stage.acting.approve(name, number)
    assert stage.verdict(number) is Outcome.ALLOW
    refuses_to_merge(stage, number, "bob")
    with pytest.raises(ForgeError):
        stage.forge.publisher.merge_change(stage.repository, number, base, "squash")
    eventually(lambda: we_merged(stage, number, head), "we merge it")
    assert stage.forge.reader.read_change(stage.repository, number).state is ChangeState.MERGED


def we_merged(stage: Stage, number: int, head: str) -> bool:
    """Merge it as ourselves, as soon as the forge has looked at it."""
    try:
        stage.forge.publisher.merge_change(stage.repository, number, head, "squash")
    except ForgeError:
        return False
    return True


def comment(stage: Stage, number: int) -> None:
    """One comment, edited in place, gone when nothing is wrong; and whoever is asked again has not approved."""
    publisher = stage.forge.publisher
    for text in ("one is missing", "two are missing"):
        publisher.update_comment(stage.repository, number, "muniment", text)
    publisher.update_comment(stage.repository, number, "muniment", "")
    settle(stage)
    publisher.request_reviews(stage.repository, number, (stage.acting.login("dave"),))
    assert stage.verdict(number) is Outcome.DENY
    settle(stage)
    stage.acting.approve("dave", number)
    assert stage.verdict(number) is Outcome.ALLOW


def foreign_status(stage: Stage, number: int) -> None:
    """Everybody with write access may post our context: it is seen, with who did it."""
    head = stage.forge.reader.read_change(stage.repository, number).head
    other = Stage(stage.acting, stage.connection.vendor, stage.folder / "other", ours="ada")
    other.say(head, MAIN, StatusState.ALLOWED)
    stage.say(head, MAIN, StatusState.DENIED)
    found = stage.forge.reader.list_statuses(stage.repository, head)
    by = {(check.by.login, check.state) for check in found if check.context == make_context(MAIN)}
    assert by == {(stage.acting.login("ada"), "success"), (stage.acting.login("muniment"), "failure")}


def bypass(stage: Stage) -> None:
    """The rule is taken away and somebody pushes: the branch has a commit that no change brought."""
    before = stage.work.tip("main")
    stage.acting.weaken(MAIN)
    assert stage.forge.protector.plan_protection(stage.repository, WantedProtection(MAIN, make_context(MAIN))).steps
    escaped = stage.work.commit("ada", {"escape.txt": "1\n"}, before)
    stage.work.push("ada", escaped, "main")
    assert stage.forge.reader.read_branch_tip(stage.repository, MAIN) == escaped
    landed = [change.merged for change in stage.forge.reader.list_changes(stage.repository, ChangeState.MERGED)]
    assert before in landed
    assert escaped not in landed


def revert(stage: Stage) -> None:
    """The undoing of the escape is a change like any other."""
    tip, asker = stage.work.tip("main"), stage.connection.format_address(Account("2", stage.acting.login("bob")))
    undone = forge_changes.open_revert(
        stage.connection, stage.forge, stage.mirror, stage.repository, MAIN, tip, asker, now()
    )
    assert undone.target == MAIN
    assert undone.state is ChangeState.OPEN
    before = stage.work.repo.git("rev-parse", f"{tip}^^{{tree}}")
    stage.work.fetch()
    assert stage.work.repo.git("rev-parse", f"{stage.work.tip(undone.source[11:])}^{{tree}}") == before


def refuses_to_merge(stage: Stage, number: int, *names: str) -> None:
    """The forge lets neither a writer nor an administrator merge it."""
    for name, force in (("bob", False), ("muniment", True)):
        if names and name not in names:
            continue
        with pytest.raises(Refused):
            stage.acting.merge(name, number, "merge", force=force)


def merged(stage: Stage, name: str, number: int, method: str) -> bool:
    """Merge it, as soon as the forge has looked at it."""
    try:
        stage.acting.merge(name, number, method)
    except Refused:
        return False
    return True


def pushers(stage: Stage, number: int) -> set[str]:
    """The names of those who pushed to a change, "" for somebody unknown."""
    who = [move.who for move in moves(stage, number)]
    return {one.value.login.partition("-")[0] if isinstance(one, Known) else "" for one in who}


def moves(stage: Stage, number: int) -> tuple[Move, ...]:
    """Every push to a change that the forge tells of by now."""
    found = stage.forge.reader.read_full_change(stage.repository, number).moves
    return found.value if isinstance(found, Known) else ()


def tell(stage: Stage) -> None:
    """All of it, in order."""
    connect(stage)
    protect(stage)
    direct_push_is_refused(stage)
    number = open_and_push(stage)
    approve(stage, number)
    stale(stage, number)
    force_push(stage, number)
    changes_requested(stage, number)
    retarget(stage, number)
    first_pusher_elsewhere(stage)
    comment(stage, number)
    squash(stage, number)
    merge(stage)
    only_we_merge(stage)
    foreign_status(stage, open_another(stage))
    bypass(stage)
    revert(stage)


def open_another(stage: Stage) -> int:
    """One more change, to have a head that nobody judged."""
    head = stage.work.commit("bob", {"third.py": "z = 1\n"}, stage.work.tip("main"))
    stage.work.push("bob", head, "third")
    return stage.acting.open("bob", "third", "main", "third")


def first_pusher_elsewhere(stage: Stage) -> None:
    """Whoever pushed a commit first, in another's name and to another branch, is a contributor: they cannot approve."""
    base = stage.work.tip("main")
    head = stage.work.commit("ada", {"disguised.py": "z = 1\n"}, base)
    stage.work.push("bob", head, "bobs")
    settle(stage)
    stage.work.push("ada", head, "adas")
    number = stage.acting.open("ada", "adas", "main", "disguised")
    eventually(lambda: pushers(stage, number) == {"ada"}, "it is known who pushed")
    for name in ("bob", "carol"):
        stage.acting.approve(name, number)
    assert stage.codes(stage.judge(number)) == ["too-few-approvals"]
    assert stage.verdict(number) is Outcome.DENY
    stage.acting.approve("dave", number)
    assert stage.verdict(number) is Outcome.ALLOW
