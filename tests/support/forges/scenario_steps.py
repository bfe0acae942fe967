"""The whole story of a protected branch at a forge, run against the fake and against real ones alike.

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
from tests.support.forges import evaluating
from tests.support.forges.acting import Refused
from tests.support.forges.forge_under_test import MAIN, ForgeUnderTest, now

_LONGEST_WAIT = 30  # seconds that a real forge may take to notice what was done


def eventually(holds: Callable[[], bool], what: str) -> None:
    """Waits for a forge that does its work in the background."""
    end = time.monotonic() + _LONGEST_WAIT
    while not holds():
        assert time.monotonic() < end, what
        time.sleep(0.2)


def settle(tested: ForgeUnderTest) -> None:
    """Real forges count in seconds, and end approvals some time after a push: also those given meanwhile."""
    if tested.real:
        time.sleep(2)


def connect(tested: ForgeUnderTest) -> None:
    """Our account sees the repository and misses nothing; one that may only read misses nearly everything."""
    assert tested.listed.missing_abilities == ()
    assert tested.repository.path in [listed.repository.path for listed in tested.forge.reader.list_repositories()]
    about = tested.forge.reader.describe_forge()
    assert about.ours.login == tested.acting.login("muniment")
    assert about.vendor is tested.connection.vendor


def protect(tested: ForgeUnderTest) -> None:
    """The plan is shown, done, and then there is nothing left to do; a rule that was weakened shows up."""
    wanted = WantedProtection(MAIN, make_context(MAIN), approvals=1)
    plan = tested.forge.protector.plan_protection(tested.repository, wanted)
    assert plan.steps
    after = tested.forge.protector.apply_protection(tested.repository, plan)
    assert after.protected
    assert [required.context for required in after.required_statuses] == [make_context(MAIN)]
    assert after.stale_dismissed
    assert after.pushers == ()
    assert after.bypass == ()
    assert tested.forge.protector.plan_protection(tested.repository, wanted).steps == ()
    tested.acting.weaken(MAIN)
    drifted = tested.forge.protector.plan_protection(tested.repository, wanted)
    assert drifted.steps
    assert tested.forge.protector.apply_protection(tested.repository, drifted) == after


def direct_push_is_refused(tested: ForgeUnderTest) -> None:
    base = tested.work.tip("main")
    with pytest.raises(Refused):
        tested.work.push("ada", tested.work.commit("ada", {"direct.txt": "1\n"}, base), "main")


def open_and_push(tested: ForgeUnderTest) -> int:
    """A new change is denied, and the forge does not merge it."""
    base = tested.work.tip("main")
    first = tested.work.commit("ada", {"app.py": "x = 1\n"}, base)
    tested.work.push("ada", first, "topic")
    number = tested.acting.open("ada", "topic", "main", "a topic")
    eventually(lambda: tested.forge.reader.read_change(tested.repository, number).head == first, "it has its head")
    eventually(lambda: pushers(tested, number) == {"ada"}, "it is known who pushed")
    assert tested.list_codes(tested.evaluate(number)) == ["too-few-approvals"]
    assert tested.evaluate_and_publish(number) is Outcome.DENY
    refuses_to_merge(tested, number)
    return number


def approve(tested: ForgeUnderTest, number: int) -> None:
    """Two others who may write are enough; one who may only read, and the author, are not others."""
    tested.acting.approve("bob", number)
    tested.acting.approve("eve", number)
    assert tested.evaluate_and_publish(number) is Outcome.DENY
    refuses_to_merge(tested, number)
    tested.acting.approve("carol", number)
    assert tested.list_codes(tested.evaluate(number)) == ["reviewed"]
    assert tested.evaluate_and_publish(number) is Outcome.ALLOW


def stale(tested: ForgeUnderTest, number: int) -> None:
    """A push ends approvals; who pushed is a contributor, and the old decision does not cover the new head."""
    head = tested.forge.reader.read_change(tested.repository, number).head
    second = tested.work.commit("carol", {"app.py": "x = 2\n"}, head)
    tested.work.push("carol", second, "topic")
    eventually(lambda: tested.forge.reader.read_change(tested.repository, number).head == second, "it has its new head")
    eventually(lambda: pushers(tested, number) == {"ada", "carol"}, "it is known who pushed")
    refuses_to_merge(tested, number)
    assert tested.list_codes(tested.evaluate(number)) == ["too-few-approvals"]
    assert tested.evaluate_and_publish(number) is Outcome.DENY


def force_push(tested: ForgeUnderTest, number: int) -> None:
    """Commits removed by a force push still count for contributors: carol's is gone, her approval does not count."""
    base = tested.work.tip("main")
    third = tested.work.commit("ada", {"app.py": "x = 3\n"}, base)
    tested.work.push("ada", third, "topic", force=True)
    eventually(lambda: tested.forge.reader.read_change(tested.repository, number).head == third, "it has its new head")
    eventually(lambda: len(moves(tested, number)) >= 3 and "" not in pushers(tested, number), "it is known who pushed")
    settle(tested)
    tested.acting.approve("bob", number)
    tested.acting.approve("carol", number)
    assert tested.list_codes(tested.evaluate(number)) == ["too-few-approvals"]
    assert tested.evaluate_and_publish(number) is Outcome.DENY
    tested.acting.approve("dave", number)
    assert tested.list_codes(tested.evaluate(number)) == ["reviewed"]
    assert tested.evaluate_and_publish(number) is Outcome.ALLOW


def changes_requested(tested: ForgeUnderTest, number: int) -> None:
    """Requested changes block, and no other person's dismissal ends that."""
    tested.acting.reject("bob", number)
    assert tested.list_codes(tested.evaluate(number)) == ["too-few-approvals", "changes-requested"]
    tested.acting.dismiss("muniment", number, "bob")
    assert "changes-requested" in tested.list_codes(tested.evaluate(number))
    assert tested.evaluate_and_publish(number) is Outcome.DENY
    settle(tested)
    tested.acting.approve("bob", number)
    assert tested.evaluate_and_publish(number) is Outcome.ALLOW


def retarget(tested: ForgeUnderTest, number: int) -> None:
    """An approval is for one branch, and ends when the change is pointed at another: also once it points back."""
    tested.work.push("ada", tested.work.tip("main"), "release")
    settle(tested)
    tested.acting.retarget("ada", number, "release")
    assert tested.list_codes(tested.evaluate(number)) == ["too-few-approvals"]
    settle(tested)
    tested.acting.retarget("ada", number, "main")
    evaluation = tested.evaluate(number)
    assert tested.list_codes(evaluation) == ["too-few-approvals"]
    assert tested.evaluate_and_publish(number) is Outcome.DENY
    settle(tested)
    for name in ("bob", "dave"):
        tested.acting.approve(name, number)
    assert tested.evaluate_and_publish(number) is Outcome.ALLOW


def squash(tested: ForgeUnderTest, number: int) -> None:
    """The forge squashes it; what landed is what was approved, and who pressed the button is no contributor."""
    eventually(lambda: merged(tested, "bob", number, "squash"), "it merges")
    reading = tested.read_change(number)
    assert reading.change.state is ChangeState.MERGED
    evaluation, _ = evaluating.evaluate_merged_change(*tested.at, reading, tested.rules_at, now())
    assert tested.list_codes(evaluation) == ["reviewed"]
    assert evaluation.decision.head == tested.work.tip("main")
    assert evaluation.decision.outcome is Outcome.ALLOW
    assert number in [
        change.number for change in tested.forge.reader.list_changes(tested.repository, ChangeState.MERGED)
    ]


def merge(tested: ForgeUnderTest) -> None:
    """A second change, merged by a commit."""
    base = tested.work.tip("main")
    tested.work.push("dave", tested.work.commit("dave", {"more.py": "y = 1\n"}, base), "more")
    number = tested.acting.open("dave", "more", "main", "more")
    eventually(lambda: pushers(tested, number) == {"dave"}, "it is known who pushed")
    for name in ("ada", "bob"):
        tested.acting.approve(name, number)
    assert tested.evaluate_and_publish(number) is Outcome.ALLOW
    eventually(lambda: merged(tested, "ada", number, "merge"), "it merges")
    reading = tested.read_change(number)
    evaluation, _ = evaluating.evaluate_merged_change(*tested.at, reading, tested.rules_at, now())
    assert evaluation.decision.outcome is Outcome.ALLOW


def only_we_merge(tested: ForgeUnderTest) -> None:
    """Where a status binds nobody, our account alone may merge: exactly the head that it was asked to."""
    wanted = WantedProtection(MAIN, make_context(MAIN), only_we_merge=True)
    plan = tested.forge.protector.plan_protection(tested.repository, wanted)
    assert tested.forge.protector.apply_protection(tested.repository, plan).mergers == (
        tested.acting.login("muniment"),
    )
    base = tested.work.tip("main")
    head = tested.work.commit("carol", {"ours.py": "y = 1\n"}, base)
    tested.work.push("carol", head, "ours")
    number = tested.acting.open("carol", "ours", "main", "ours")
    eventually(lambda: pushers(tested, number) == {"carol"}, "it is known who pushed")
    for name in ("ada", "bob"):
        tested.acting.approve(name, number)
    assert tested.evaluate_and_publish(number) is Outcome.ALLOW
    refuses_to_merge(tested, number, "bob")
    with pytest.raises(ForgeError):
        tested.forge.publisher.merge_change(tested.repository, number, base, "squash")
    eventually(lambda: we_merged(tested, number, head), "we merge it")
    assert tested.forge.reader.read_change(tested.repository, number).state is ChangeState.MERGED


def we_merged(tested: ForgeUnderTest, number: int, head: str) -> bool:
    """Merge it as ourselves, as soon as the forge has looked at it."""
    try:
        tested.forge.publisher.merge_change(tested.repository, number, head, "squash")
    except ForgeError:
        return False
    return True


def comment(tested: ForgeUnderTest, number: int) -> None:
    """One comment, edited in place, gone when nothing is wrong; and whoever is asked again has not approved."""
    publisher = tested.forge.publisher
    for text in ("one is missing", "two are missing"):
        publisher.update_comment(tested.repository, number, "muniment", text)
    publisher.update_comment(tested.repository, number, "muniment", "")
    settle(tested)
    publisher.request_reviews(tested.repository, number, (tested.acting.login("dave"),))
    assert tested.evaluate_and_publish(number) is Outcome.DENY
    settle(tested)
    tested.acting.approve("dave", number)
    assert tested.evaluate_and_publish(number) is Outcome.ALLOW


def foreign_status(tested: ForgeUnderTest, number: int) -> None:
    """Everybody with write access may post our context: it is seen, with who did it."""
    head = tested.forge.reader.read_change(tested.repository, number).head
    other = ForgeUnderTest(tested.acting, tested.connection.vendor, tested.folder / "other", ours="ada")
    other.publish(head, MAIN, StatusState.ALLOWED)
    tested.publish(head, MAIN, StatusState.DENIED)
    found = tested.forge.reader.list_statuses(tested.repository, head)
    by = {(check.by.login, check.state) for check in found if check.context == make_context(MAIN)}
    assert by == {(tested.acting.login("ada"), "success"), (tested.acting.login("muniment"), "failure")}


def bypass(tested: ForgeUnderTest) -> None:
    """The rule is taken away and somebody pushes: the branch has a commit that no change brought."""
    before = tested.work.tip("main")
    tested.acting.weaken(MAIN)
    assert tested.forge.protector.plan_protection(tested.repository, WantedProtection(MAIN, make_context(MAIN))).steps
    escaped = tested.work.commit("ada", {"escape.txt": "1\n"}, before)
    tested.work.push("ada", escaped, "main")
    assert tested.forge.reader.read_branch_tip(tested.repository, MAIN) == escaped
    landed = [change.merged for change in tested.forge.reader.list_changes(tested.repository, ChangeState.MERGED)]
    assert before in landed
    assert escaped not in landed


def revert(tested: ForgeUnderTest) -> None:
    """The undoing of the escape is a change like any other."""
    tip, asker = tested.work.tip("main"), tested.connection.format_address(Account("2", tested.acting.login("bob")))
    undone = forge_changes.open_revert(
        tested.connection, tested.forge, tested.mirror, tested.repository, MAIN, tip, asker, now()
    )
    assert undone.target == MAIN
    assert undone.state is ChangeState.OPEN
    before = tested.work.repo.git("rev-parse", f"{tip}^^{{tree}}")
    tested.work.fetch()
    assert tested.work.repo.git("rev-parse", f"{tested.work.tip(undone.source[11:])}^{{tree}}") == before


def refuses_to_merge(tested: ForgeUnderTest, number: int, *names: str) -> None:
    """The forge lets neither a writer nor an administrator merge it."""
    for name, force in (("bob", False), ("muniment", True)):
        if names and name not in names:
            continue
        with pytest.raises(Refused):
            tested.acting.merge(name, number, "merge", force=force)


def merged(tested: ForgeUnderTest, name: str, number: int, method: str) -> bool:
    """Merge it, as soon as the forge has looked at it."""
    try:
        tested.acting.merge(name, number, method)
    except Refused:
        return False
    return True


def pushers(tested: ForgeUnderTest, number: int) -> set[str]:
    """The names of those who pushed to a change, "" for somebody unknown."""
    who = [move.who for move in moves(tested, number)]
    return {one.value.login.partition("-")[0] if isinstance(one, Known) else "" for one in who}


def moves(tested: ForgeUnderTest, number: int) -> tuple[Move, ...]:
    """Every push to a change that the forge tells of by now."""
    found = tested.forge.reader.read_full_change(tested.repository, number).moves
    return found.value if isinstance(found, Known) else ()


def tell(tested: ForgeUnderTest) -> None:
    """All of it, in order."""
    connect(tested)
    protect(tested)
    direct_push_is_refused(tested)
    number = open_and_push(tested)
    approve(tested, number)
    stale(tested, number)
    force_push(tested, number)
    changes_requested(tested, number)
    retarget(tested, number)
    first_pusher_elsewhere(tested)
    comment(tested, number)
    squash(tested, number)
    merge(tested)
    only_we_merge(tested)
    foreign_status(tested, open_another(tested))
    bypass(tested)
    revert(tested)


def open_another(tested: ForgeUnderTest) -> int:
    """One more change, to have a head that nobody evaluated."""
    head = tested.work.commit("bob", {"third.py": "z = 1\n"}, tested.work.tip("main"))
    tested.work.push("bob", head, "third")
    return tested.acting.open("bob", "third", "main", "third")


def first_pusher_elsewhere(tested: ForgeUnderTest) -> None:
    """The first pusher of a commit, to another branch and in another's name, is a contributor and cannot approve."""
    base = tested.work.tip("main")
    head = tested.work.commit("ada", {"disguised.py": "z = 1\n"}, base)
    tested.work.push("bob", head, "bobs")
    settle(tested)
    tested.work.push("ada", head, "adas")
    number = tested.acting.open("ada", "adas", "main", "disguised")
    eventually(lambda: pushers(tested, number) == {"ada"}, "it is known who pushed")
    for name in ("bob", "carol"):
        tested.acting.approve(name, number)
    assert tested.list_codes(tested.evaluate(number)) == ["too-few-approvals"]
    assert tested.evaluate_and_publish(number) is Outcome.DENY
    tested.acting.approve("dave", number)
    assert tested.evaluate_and_publish(number) is Outcome.ALLOW
