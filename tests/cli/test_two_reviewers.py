"""Hostile and honest changes, built with plain git and evaluated by the real command."""

from pathlib import Path

import pytest

from tests.support.repos import ADA
from tests.support.shop import BOB, CAROL, MALLORY, Shop, people_toml

TWO = "review.two-reviewers"


def _approved_topic(shop: Shop, author: str = ADA) -> str:
    """Change of lib.py with the approvals of bob and carol."""
    head = shop.repo.commit({"lib.py": "x = 2\n"}, on="topic", parents=["main"], author=author)
    shop.approve("bob", head)
    shop.approve("carol", head)
    return head


def test_two_approvals_by_others_allow(shop: Shop) -> None:
    report = shop.check(_approved_topic(shop))
    assert report["decision"] == "allow"
    assert report["preview"]
    assert [c["person"] for c in report["contributors"]] == ["ada"]


def test_one_approval_by_another_denies(shop: Shop) -> None:
    head = shop.repo.commit({"lib.py": "x = 2\n"}, on="topic", parents=["main"])
    shop.approve("bob", head)
    assert shop.check(head)["decision"] == "deny"


def test_approval_by_the_author_does_not_count(shop: Shop) -> None:
    head = _approved_topic(shop, BOB)
    report = shop.check(head)
    assert report["decision"] == "deny"
    assert shop.why_not(report, "bob") == [["contributor"]]


@pytest.mark.parametrize("trailer", ["Co-authored-by", "co-AUTHORED-by", "  Co-Authored-By"])
def test_approval_by_a_co_author_does_not_count(shop: Shop, trailer: str) -> None:
    message = f"change\n\n{trailer}: Bob <bob@example.test>\n\nmore text after it\n"
    head = shop.repo.commit({"lib.py": "x = 2\n"}, on="topic", parents=["main"], message=message)
    shop.approve("bob", head)
    shop.approve("carol", head)
    assert shop.check(head)["decision"] == "deny"


def test_reviewed_by_trailer_does_not_count_as_approval(shop: Shop) -> None:
    message = "change\n\nReviewed-by: Bob <bob@example.test>\nApproved-by: Carol <carol@example.test>\n"
    head = shop.repo.commit({"lib.py": "x = 2\n"}, on="topic", parents=["main"], message=message)
    assert shop.check(head)["decision"] == "deny"


def test_approval_by_an_author_behind_a_second_parent_does_not_count(shop: Shop) -> None:
    side = shop.repo.commit({"side.py": "y\n"}, on="side", parents=["main"], author=BOB)
    first = shop.repo.commit({"lib.py": "x = 2\n"}, on="topic", parents=["main"])
    merged = shop.repo.merged_tree(first, side)
    head = shop.repo.commit(on="topic", parents=[first, side], tree=merged)
    shop.approve("bob", head)
    shop.approve("carol", head)
    report = shop.check(head)
    assert report["decision"] == "deny"
    assert shop.why_not(report, "bob") == [["contributor"]]


def test_unknown_author_address_denies_and_names_commit_and_address(shop: Shop) -> None:
    head = _approved_topic(shop, MALLORY)
    result = shop.find_result(shop.check(head), TWO)
    assert result["status"] == "unknown"
    reasons = [reason for reason in result["reasons"] if reason["code"] == "unknown-contributor"]
    assert {reason["subject"] for reason in reasons} == {"account:mallory@evil.test"}
    assert head in reasons[0]["message"]


def test_security_role_may_attest_an_address_and_then_cannot_approve(shop: Shop) -> None:
    head = _approved_topic(shop, "Dan <dan@old.test>")
    assert shop.check(head)["decision"] == "deny"
    shop.approve("sue", head, "--attest", "account:dan@old.test=dan")
    report = shop.check(head)
    assert report["decision"] == "allow"
    assert [c["person"] for c in report["contributors"]] == ["dan"]
    assert shop.why_not(report, "sue") == [["attested-a-contributor"]]


def test_attestation_without_the_security_role_is_ignored(shop: Shop) -> None:
    head = _approved_topic(shop, "Dan <dan@old.test>")
    shop.approve("dan", head, "--attest", "account:dan@old.test=ada")
    assert shop.check(head)["decision"] == "deny"


def test_person_with_two_keys_counts_once(shop: Shop) -> None:
    head = shop.repo.commit({"lib.py": "x = 2\n"}, on="topic", parents=["main"], author=BOB)
    shop.approve("ada", head)
    shop.approve("ada", head, key="ada2")
    report = shop.check(head)
    assert report["decision"] == "deny"
    assert len([a for a in report["approvals"] if a["counted"]]) == 1


def test_approvals_of_another_head_do_not_count(shop: Shop) -> None:
    _approved_topic(shop)
    amended = shop.repo.commit({"lib.py": "x = 3\n"}, on="topic", parents=["main"])
    report = shop.check(amended)
    assert report["decision"] == "deny"
    assert shop.why_not(report, "bob") == [["other-head"]]


def test_new_commit_ends_earlier_approvals(shop: Shop) -> None:
    _approved_topic(shop)
    assert shop.check(shop.repo.commit({"lib.py": "x = 3\n"}, on="topic"))["decision"] == "deny"


def test_approvals_for_another_branch_do_not_count(shop: Shop) -> None:
    head = shop.repo.commit({"lib.py": "x = 2\n"}, on="topic", parents=["main"])
    for person in ("bob", "carol"):
        shop.approve(person, head, onto="release/1")
    report = shop.check(head)
    assert report["decision"] == "deny"
    assert shop.why_not(report, "bob") == [["other-branch"]]
    assert shop.check(head, onto="release/1")["decision"] == "allow"


def test_copied_approval_is_ignored(shop: Shop) -> None:
    head = _approved_topic(shop)
    other = shop.repo.commit({"lib.py": "x = 666\n"}, on="evil", parents=["main"])
    for person in ("bob", "carol"):
        tip = shop.repo.tip(f"refs/muniment/approvals/{head}/{person}")
        shop.repo.branch(f"refs/muniment/approvals/{other}/{person}", tip)
    report = shop.check(other)
    assert report["decision"] == "deny"
    assert ["other-head"] in shop.why_not(report, "bob")


def test_approval_under_another_name_is_ignored(shop: Shop) -> None:
    head = shop.repo.commit({"lib.py": "x = 2\n"}, on="topic", parents=["main"])
    shop.approve("bob", head)
    tip = shop.repo.tip(f"refs/muniment/approvals/{head}/bob")
    shop.repo.branch(f"refs/muniment/approvals/{head}/carol", tip)
    report = shop.check(head)
    assert report["decision"] == "deny"
    assert shop.why_not(report, "carol") == [["other-key"]]


def test_withdrawn_approval_pushed_again_is_ignored(shop: Shop) -> None:
    head = _approved_topic(shop)
    ref = f"refs/muniment/approvals/{head}/bob"
    approved = shop.repo.tip(ref)
    shop.approve("bob", head, "--withdraw")
    assert shop.check(head)["decision"] == "deny"
    replayed = shop.repo.raw_commit(shop.repo.tree_of(approved), [shop.repo.tip(ref)])
    shop.repo.branch(ref, replayed)
    report = shop.check(head)
    assert report["decision"] == "deny"
    assert ["out-of-order"] in shop.why_not(report, "bob")


def test_requested_changes_block_until_approved_or_withdrawn(shop: Shop) -> None:
    head = _approved_topic(shop)
    shop.approve("dan", head, "--request-changes")
    report = shop.check(head)
    assert [r["code"] for r in shop.find_result(report, TWO)["reasons"]] == ["reviewed", "changes-requested"]
    shop.approve("dan", head, "--withdraw")
    assert shop.check(head)["decision"] == "allow"


def test_requested_changes_still_block_after_a_new_commit(shop: Shop) -> None:
    head = shop.repo.commit({"lib.py": "x = 2\n"}, on="topic", parents=["main"])
    shop.approve("dan", head, "--request-changes")
    new = shop.repo.commit({"lib.py": "x = 3\n"}, on="topic")
    shop.approve("bob", new)
    shop.approve("carol", new)
    assert shop.check(new)["decision"] == "deny"
    shop.approve("dan", new)
    assert shop.check(new)["decision"] == "allow"


def test_withdrawal_restores_no_older_approval(shop: Shop) -> None:
    head = _approved_topic(shop)
    merge = shop.repo.merge("topic", on="main", author="Dan <dan@example.test>")
    shop.repo.branch("main", shop.base)
    assert shop.check(merge)["decision"] == "allow"
    shop.approve("bob", merge, "--request-changes")
    shop.approve("bob", merge, "--withdraw")
    report = shop.check(merge)
    assert report["decision"] == "deny"
    assert ["replaced"] in shop.why_not(report, "bob"), head


class TestMachineMerges:
    """Machine-made merges of an approved head keep its approvals; changed content loses them."""

    def moved_main(self, shop: Shop) -> str:
        return shop.repo.commit({"other.py": "z\n"}, on="main", author="Dan <dan@example.test>")

    def merge_of(self, shop: Shop, **files: str) -> str:
        base = self.moved_main(shop)
        merge = shop.repo.merge("topic", on="main", author=BOB, files={k + ".py": v for k, v in files.items()})
        shop.repo.branch("main", base)
        return merge

    def test_clean_merge_keeps_approvals_and_its_committer_is_only_the_merger(self, shop: Shop) -> None:
        _approved_topic(shop)
        report = shop.check(self.merge_of(shop))
        assert report["decision"] == "allow"
        assert report["merger"] == "person:bob"
        assert [c["person"] for c in report["contributors"]] == ["ada"]

    def test_merge_with_an_extra_line_loses_approvals(self, shop: Shop) -> None:
        _approved_topic(shop)
        report = shop.check(self.merge_of(shop, lib="x = 2\nbackdoor()\n"))
        assert report["decision"] == "deny"
        assert "bob" in [c["person"] for c in report["contributors"]]

    def test_merge_by_an_attribute_driver_loses_approvals(self, shop: Shop) -> None:
        shop.repo.commit({".gitattributes": "app.py merge=union\n"}, on="main")
        head = shop.repo.commit({"app.py": "ours\n"}, on="topic", parents=["main"])
        shop.approve("bob", head)
        shop.approve("carol", head)
        base = shop.repo.commit({"app.py": "theirs\n"}, on="main", author="Dan <dan@example.test>")
        union = shop.repo.merge("topic", on="main", author=BOB, files={"app.py": "theirs\nours\n"})
        shop.repo.branch("main", base)
        assert shop.check(union)["decision"] == "deny"

    def test_squash_keeps_approvals(self, shop: Shop) -> None:
        head = _approved_topic(shop)
        base = self.moved_main(shop)
        tree = shop.repo.merged_tree(base, head)
        squash = shop.repo.commit(on="", parents=[base], tree=tree, committer=BOB)
        assert shop.check(squash)["decision"] == "allow"

    def test_squash_with_an_extra_line_loses_approvals(self, shop: Shop) -> None:
        head = _approved_topic(shop)
        base = self.moved_main(shop)
        squash = shop.repo.commit({"lib.py": "x = 2\nevil\n"}, on="", parents=[base], committer=BOB)
        assert shop.check(squash)["decision"] == "deny", head

    def rebased(self, shop: Shop, second: str) -> str:
        lines = [f"line {n}\n" for n in range(40)]
        one = ["first\n", *lines]
        two = [*one, "last\n"]
        first = shop.repo.commit({"app.py": "".join(one)}, on="topic", parents=["main"])
        head = shop.repo.commit({"app.py": "".join(two)}, on="topic", parents=[first])
        shop.approve("bob", head)
        shop.approve("carol", head)
        base = self.moved_main(shop)
        moved = shop.repo.commit({"app.py": "".join(one)}, on="", parents=[base], committer=BOB)
        return shop.repo.commit({"app.py": second or "".join(two)}, on="", parents=[moved], committer=BOB)

    def test_rebase_keeps_approvals(self, shop: Shop) -> None:
        report = shop.check(self.rebased(shop, ""))
        assert report["decision"] == "allow"
        assert [c["person"] for c in report["contributors"]] == ["ada"]

    def test_rebase_that_moves_a_line_loses_approvals(self, shop: Shop) -> None:
        moved = "".join(["first\n", "last\n", *(f"line {n}\n" for n in range(40))])
        assert shop.check(self.rebased(shop, moved))["decision"] == "deny"

    def test_moved_base_alone_keeps_approvals(self, shop: Shop) -> None:
        head = _approved_topic(shop)
        self.moved_main(shop)
        assert shop.check(head)["decision"] == "allow"


class TestSourceOfRules:
    """Policy and people come from the branch's tip or the home, never from the change."""

    def test_policy_changed_by_the_change_has_no_effect(self, shop: Shop) -> None:
        weak = shop.repo.git("show", "main:.muniment/policy.toml").replace("reviewers = 2", "reviewers = 1")
        head = shop.repo.commit({".muniment/policy.toml": weak}, on="topic", parents=["main"])
        shop.approve("sue", head)
        report = shop.check(head)
        assert shop.find_result(report, TWO)["status"] == "violated"
        assert shop.find_result(report, "review.security-attention")["status"] == "violated"

    def test_person_added_by_the_change_does_not_count(self, shop: Shop) -> None:
        text = shop.repo.git("show", "main:.muniment/people.toml") + "\n"
        more = text.replace('"ada@example.test"', '"ada@example.test", "mallory@evil.test"')
        head = shop.repo.commit({".muniment/people.toml": more}, on="topic", parents=["main"], author=MALLORY)
        shop.approve("bob", head)
        shop.approve("carol", head)
        assert shop.find_result(shop.check(head), TWO)["status"] == "unknown"

    def test_older_base_does_not_restore_an_older_policy(self, shop: Shop) -> None:
        strict = shop.repo.git("show", "main:.muniment/policy.toml").replace("reviewers = 2", "reviewers = 3")
        shop.repo.commit({".muniment/policy.toml": strict}, on="main")
        head = shop.repo.commit({"lib.py": "x = 2\n"}, on="topic", parents=[shop.base])
        shop.approve("bob", head)
        shop.approve("carol", head)
        assert shop.check(head)["decision"] == "deny"
        assert shop.check(head, "--base", shop.base)["decision"] == "deny"

    def test_policy_of_the_home_is_a_minimum_and_its_people_take_precedence(self, shop: Shop, tmp_path: Path) -> None:
        head = _approved_topic(shop)
        home = tmp_path / "home"
        home.mkdir()
        policy = shop.repo.git("show", "main:.muniment/policy.toml")
        (home / "policy.toml").write_text(policy.replace("reviewers = 2", "reviewers = 3"))
        assert shop.check(head, "--home", str(home))["decision"] == "deny"
        (home / "policy.toml").write_text(policy.replace("reviewers = 2", "reviewers = 1"))
        (home / "people.toml").write_text(people_toml(shop.keys, carol="active = false"))
        report = shop.check(head, "--home", str(home))
        assert report["decision"] == "deny"
        assert shop.why_not(report, "carol") == [["inactive"]]

    @pytest.mark.parametrize("line", ["active = false", 'write_access = ["other"]', "keys = []"])
    def test_person_who_left_or_lacks_write_access_does_not_count(self, shop: Shop, line: str) -> None:
        head = _approved_topic(shop)
        people = people_toml(shop.keys, carol=line)
        shop.repo.commit({".muniment/people.toml": people}, on="main")
        assert shop.check(head)["decision"] == "deny"


def test_replace_refs_grafts_and_mailmap_have_no_effect(shop: Shop) -> None:
    head = _approved_topic(shop, CAROL)
    disguised = shop.repo.commit({"lib.py": "x = 2\n"}, on="", parents=["main"])
    shop.repo.git("replace", head, disguised)
    shop.repo.git("config", "mailmap.blob", "HEAD:.mailmap")
    (shop.repo.git_dir / "info" / "grafts").write_text(f"{head}\n")
    report = shop.check(head)
    assert report["decision"] == "deny"
    assert [c["person"] for c in report["contributors"]] == ["carol"]


def test_implausible_commit_dates_have_no_effect(shop: Shop) -> None:
    old = shop.repo.commit({"lib.py": "x = 5\n"}, on="topic", parents=["main"], author=BOB, time=1)
    head = shop.repo.commit({"lib.py": "x = 2\n"}, on="topic", parents=[old], time=4_000_000_000)
    shop.approve("bob", head)
    shop.approve("carol", head)
    assert shop.check(head)["decision"] == "deny"


def test_shallow_clone_denies_and_names_the_next_step(shop: Shop, tmp_path: Path) -> None:
    head = _approved_topic(shop)
    clone = tmp_path / "clone"
    refs = "refs/muniment/*:refs/muniment/*"
    shop.repo.git("clone", "-q", "--bare", "--depth=1", "--no-single-branch", f"file://{shop.repo.path}", str(clone))
    shop.repo.git("-C", str(clone), "fetch", "-q", "--depth=1", "origin", refs)
    code, out, _ = shop.muniment("check", "--repo", str(clone), "--onto", "main", "--head", head)
    assert code == 1
    assert "git fetch --unshallow" in out


def test_rewind_is_denied(shop: Shop) -> None:
    shop.repo.commit({"lib.py": "x = 2\n"}, on="main")
    report = shop.check(shop.base)
    assert report["decision"] == "deny"
    assert shop.find_result(report, "history.protected")["status"] == "violated"


def test_approval_by_a_machine_is_ignored(shop: Shop) -> None:
    head = shop.repo.commit({"lib.py": "x = 2\n"}, on="topic", parents=["main"], author="Bot <bot@example.test>")
    shop.approve("bob", head)
    tip = shop.repo.tip(f"refs/muniment/approvals/{head}/bob")
    shop.repo.branch(f"refs/muniment/approvals/{head}/update-bot", tip)
    report = shop.check(head)
    assert report["decision"] == "deny"
    assert shop.why_not(report, "update-bot") == [["unknown-person"]]
    assert report["contributors"][0]["identity"] == "machine:update-bot"
