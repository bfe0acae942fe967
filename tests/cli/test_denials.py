"""Commands shown after a denial work word for word, on laptops with only git, the program and a key."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from muniment.policy.built_in_policy import format_built_in_policy
from tests.support.hooked_remote import HookedRemote
from tests.support.laptops import Laptop, Ran

POLICY = format_built_in_policy("sec@example.test", "shop").replace("# [tags]\n# protected", "[tags]\nprotected")
DENIED = 1


def policy_without_history_clause(policy: str) -> str:
    """Policy whose protected refs may be deleted and rewound, with approvals."""
    match = re.search(r'\[\[clause\]\]\nid = "history\.protected".*?(?=\n\[\[|\Z)', policy, re.DOTALL)
    assert match is not None
    return policy.replace(match[0], "")


Open = Callable[[str], Laptop]


@pytest.fixture
def remote(tmp_path: Path, keys: dict[str, Path]) -> HookedRemote:
    return HookedRemote(tmp_path, keys, policy=POLICY)


@pytest.fixture
def laptop(remote: HookedRemote, tmp_path: Path) -> Open:
    opened: dict[str, Laptop] = {}

    def open_(person: str) -> Laptop:
        if person not in opened:
            opened[person] = Laptop(remote, person, tmp_path)
        return opened[person]

    return open_


def denied(laptop: Laptop, push: str) -> Ran:
    """Push, and assert that the server denies the push as a whole; the result."""
    ran = laptop.run(push)
    assert ran.code == DENIED, ran.text
    assert "muniment: denied" in ran.line
    return ran


def test_commands_of_a_denial_lead_to_the_merge(laptop: Open, remote: HookedRemote) -> None:
    ada = laptop("ada")
    head = ada.commit({"lib.py": "x = 2\n"})
    push = "git push origin topic:main"
    refused = denied(ada, push)
    ada.follow(*refused.commands("git push"))  # the server does not have the commit: "push your branch first"
    for person in ("bob", "carol"):
        laptop(person).settle(refused)
    ada.follow(push)
    assert remote.tip() == head


def test_head_known_to_the_server_is_fetched_from_its_branch(laptop: Open, remote: HookedRemote) -> None:
    ada = laptop("ada")
    head = ada.commit({"lib.py": "x = 2\n"})
    ada.follow("git push origin topic")
    refused = denied(ada, "git push origin topic:main")
    assert refused.commands("git push") == []
    for person in ("bob", "carol"):
        laptop(person).settle(refused)
    ada.follow("git push origin topic:main")
    assert remote.tip() == head


def test_person_required_by_several_clauses_is_asked_once(laptop: Open, remote: HookedRemote) -> None:
    ada = laptop("ada")
    head = ada.commit({"auth/login.py": "y = 1\n" * 500, ".github/workflows/ci.yml": "on: push\n"})
    ada.follow("git push origin topic")
    refused = denied(ada, "git push origin topic:main")
    _, answering = refused.commands("muniment approve")
    assert answering.count("--answer") == 6
    laptop("bob").settle(refused)
    sue = laptop("sue")
    sue.follow(*refused.commands("git fetch"))
    made = sue.follow(answering, typed="an answer\n" * 6)
    sue.follow(*made.commands("git push"))
    ada.follow("git push origin topic:main")
    assert remote.tip() == head


def test_answers_of_several_statements_are_combined(laptop: Open, remote: HookedRemote) -> None:
    ada = laptop("ada")
    head = ada.commit({".github/workflows/ci.yml": "on: push\n"})
    ada.follow("git push origin topic")
    refused = denied(ada, "git push origin topic:main")
    laptop("bob").settle(refused)
    sue = laptop("sue")
    sue.follow(*refused.commands("git fetch"))
    approve = refused.commands("muniment approve")[0]
    for option in ('--answer pipeline-reach="none at all"', '--answer pipeline-pinned="all of it"', ""):
        made = sue.follow(f"{approve} {option}")
        sue.follow(*made.commands("git push"))
    ada.follow("git push origin topic:main")
    assert remote.tip() == head


def test_unknown_answer_is_not_recorded(laptop: Open) -> None:
    ada = laptop("ada")
    ada.commit({".github/workflows/ci.yml": "on: push\n"})
    ada.follow("git push origin topic")
    refused = denied(ada, "git push origin topic:main")
    sue = laptop("sue")
    sue.follow(*refused.commands("git fetch"))
    made = sue.run(refused.commands("muniment approve")[1])
    assert made.code == 2
    assert "Which secrets, networks or releases" in made.line
    assert sue.run("git for-each-ref refs/muniment/approvals").text == ""


def test_new_protected_branch_is_approved_by_the_shown_commands(laptop: Open, remote: HookedRemote) -> None:
    ada = laptop("ada")
    head = ada.commit({"lib.py": "x = 2\n"})
    ada.follow("git push origin topic")
    refused = denied(ada, "git push origin topic:refs/heads/release/2")
    for person in ("bob", "carol"):
        laptop(person).settle(refused)
    ada.follow("git push origin topic:refs/heads/release/2")
    assert remote.tip("release/2") == head


@pytest.mark.parametrize("tag", ["git tag v1", "git tag -a -m one v1"])
def test_protected_tag_is_approved_by_the_shown_commands(laptop: Open, remote: HookedRemote, tag: str) -> None:
    ada = laptop("ada")
    ada.commit({"lib.py": "x = 2\n"})
    ada.follow(tag)
    refused = denied(ada, "git push origin v1")
    ada.follow(*refused.commands("git push"))
    for person in ("bob", "carol"):
        laptop(person).settle(refused)
    ada.follow("git push origin v1")
    assert remote.tip("refs/tags/v1")


@pytest.mark.parametrize(
    "push",
    [
        "git push origin :refs/heads/release/1",
        "git push origin :refs/tags/v1",
        "git push -f origin v1~1:refs/tags/v1",
        "git push -f origin v1~1:main",
    ],
)
def test_deletion_and_rewind_are_approved_by_the_shown_commands(laptop: Open, remote: HookedRemote, push: str) -> None:
    (remote.home / "policy.toml").write_text(policy_without_history_clause(POLICY))
    carol, bob = laptop("carol"), laptop("bob")
    bob.follow("git tag v1")  # an older one than the server's
    ada = laptop("ada")
    ada.commit({"lib.py": "x = 2\n"})
    ada.follow("git tag v1", "git push origin topic")
    refused = denied(ada, "git push origin topic:main")
    for one in (bob, carol):
        one.settle(refused)
    for ref in ("main", "refs/heads/release/1", "v1:refs/tags/v1"):
        ada.follow(f"git push origin {ref if ':' in ref else f'topic:{ref}'}")
    refused = denied(ada, push)
    for one in (bob, carol):
        one.settle(refused)
    ada.follow(push)


@pytest.mark.parametrize("push", ["git push origin :refs/heads/release/1", "git push -f origin v1~1:main"])
def test_no_approval_is_requested_for_a_forbidden_push(laptop: Open, remote: HookedRemote, push: str) -> None:
    ada = laptop("ada")
    ada.commit({"lib.py": "x = 2\n"})
    ada.follow("git tag v1", "git push origin topic")
    refused = denied(ada, "git push origin topic:main")
    for person in ("bob", "carol"):
        laptop(person).settle(refused)
    ada.follow("git push origin topic:main", "git push origin topic:refs/heads/release/1")
    refused = denied(ada, push)
    assert "history.protected" in refused.line
    assert refused.commands() == []
    assert "Next:" in refused.line


def test_unknown_address_is_attested_by_the_shown_commands(laptop: Open, remote: HookedRemote) -> None:
    ada = laptop("ada")
    head = ada.commit({"lib.py": "x = 2\n"}, email="ada@old.test")
    ada.follow("git push origin topic")
    refused = denied(ada, "git push origin topic:main")
    _, attest = refused.commands("muniment approve")
    for person in ("bob", "carol"):
        laptop(person).settle(refused)
    sue = laptop("sue")
    sue.follow(*refused.commands("git fetch"))
    made = sue.follow(attest, typed="ada\n")
    sue.follow(*made.commands("git push"))
    ada.follow("git push origin topic:main")
    assert remote.tip() == head


def test_own_wrong_address_is_corrected_by_the_shown_commands(laptop: Open, remote: HookedRemote) -> None:
    ada = laptop("ada")
    for number in (1, 2):
        ada.commit({"lib.py": f"x = {number + 1}\n"}, email="ada@old.test")
    (ada.clone / "lib.py").write_text("x = 4\n")
    ada.follow("git -c user.email=ada@old.test commit -q -a -m more")
    refused = denied(ada, "git push origin topic:main")
    (amend,) = refused.commands("git rebase") or refused.commands("git commit")
    ada.follow(amend)
    refused = denied(ada, "git push origin topic:main")
    assert "old.test" not in refused.line
    ada.follow(*refused.commands("git push"))
    for person in ("bob", "carol"):
        laptop(person).settle(refused)
    ada.follow("git push origin topic:main")
    assert remote.tip() == ada.run("git rev-parse HEAD").text.strip()


def test_forge_address_is_declared_as_a_machine_and_not_attested(laptop: Open, remote: HookedRemote) -> None:
    ada = laptop("ada")
    ada.commit({"lib.py": "x = 2\n"})
    ada.follow("GIT_COMMITTER_EMAIL=noreply@github.com git commit -q --amend --no-edit")
    head = ada.run("git rev-parse HEAD").text.strip()
    ada.follow("git push origin topic")
    refused = denied(ada, "git push origin topic:main")
    assert '[[machine]]: id = "github", emails = ["noreply@github.com"]' in refused.line
    assert "--attest" not in refused.line
    people = remote.home / "people.toml"
    people.write_text(people.read_text() + '\n[[machine]]\nid = "github"\nemails = ["noreply@github.com"]\n')
    for person in ("bob", "carol"):
        laptop(person).settle(refused)
    ada.follow("git push origin topic:main")
    assert remote.tip() == head


def test_requested_changes_are_withdrawn_by_the_shown_commands(laptop: Open, remote: HookedRemote) -> None:
    ada = laptop("ada")
    head = ada.commit({"lib.py": "x = 2\n"})
    ada.follow("git push origin topic")
    refused = denied(ada, "git push origin topic:main")
    for person in ("bob", "carol"):
        laptop(person).settle(refused)
    dan = laptop("dan")
    dan.follow(*refused.commands("git fetch"))
    made = dan.follow(f"{refused.commands('muniment approve')[0]} --request-changes")
    dan.follow(*made.commands("git push"))
    refused = denied(ada, "git push origin topic:main")
    (withdraw,) = refused.commands("muniment approve")
    made = dan.follow(*refused.commands("git fetch"), withdraw)
    dan.follow(*made.commands("git push"))
    ada.follow("git push origin topic:main")
    assert remote.tip() == head


class TestStatementsThatCanNeverCount:
    """Statements that can never count are refused when they are pushed, and the shown commands work."""

    @pytest.fixture
    def approve(self, laptop: Open) -> str:
        ada = laptop("ada")
        ada.commit({"lib.py": "x = 2\n"})
        ada.follow("git push origin topic")
        refused = denied(ada, "git push origin topic:main")
        for person in ("bob", "sue"):
            laptop(person).follow(*refused.commands("git fetch"))
        return refused.commands("muniment approve")[0]

    def refused(self, laptop: Laptop, command: str, why: str) -> Ran:
        made = laptop.follow(command)
        (push,) = made.commands("git push")
        ran = denied(laptop, push)
        assert why in ran.line
        return ran

    def test_refuses_statement_for_another_repository(self, laptop: Open, remote: HookedRemote, approve: str) -> None:
        bob = laptop("bob")
        other = approve.replace("--repository shop", "--repository 'sh op'")
        assert bob.run(other).code == 2
        ran = self.refused(bob, approve.replace("--repository shop", "--repository shap"), "This one is shop")
        made = bob.follow(*ran.commands("muniment approve"))
        bob.follow(*made.commands("git push"))

    def test_refuses_statement_for_an_unprotected_branch(self, laptop: Open, approve: str) -> None:
        ran = self.refused(laptop("bob"), approve.replace("heads/main", "heads/free"), "is not protected here")
        assert "Protected here: main" in ran.line

    def test_refuses_statement_by_an_unknown_key(self, laptop: Open, approve: str) -> None:
        bob = laptop("bob")
        bob.follow("ssh-keygen -q -t ed25519 -N '' -f stranger")
        ran = self.refused(bob, f"{approve} --key stranger", "is not known: SHA256:")
        visible = bob.run("ssh-keygen -l -f stranger").text.split()[1]
        assert visible in ran.text.replace("\n", "")

    def test_refuses_statement_by_a_machine(self, laptop: Open, remote: HookedRemote, approve: str) -> None:
        signed = f"{approve} --attest pushers=ada --key '{remote.keys['ci']}'"
        self.refused(laptop("bob"), signed, "signed by the machine ci. Only people approve and attest.")

    def test_refuses_statement_by_a_person_without_write_access(
        self, laptop: Open, remote: HookedRemote, approve: str
    ) -> None:
        people = remote.home / "people.toml"
        people.write_text(people.read_text().replace('write_access = ["*"]', 'write_access = ["else"]'))
        self.refused(laptop("bob"), approve, "bob may not write to shop")

    def test_refuses_attestation_without_the_security_role(self, laptop: Open, approve: str) -> None:
        ran = self.refused(laptop("bob"), f"{approve} --attest pushers=ada", "does not have the security role")
        assert "sue" in ran.line

    def test_refuses_attestation_of_an_unknown_person(self, laptop: Open, approve: str) -> None:
        self.refused(laptop("sue"), f"{approve} --attest pushers=zoe", "attests zoe, which is no person's id")


def test_own_approval_is_reported_as_not_counting(laptop: Open) -> None:
    ada = laptop("ada")
    head = ada.commit({"lib.py": "x = 2\n"})
    made = ada.follow(f"muniment approve {head} --repository shop --onto refs/heads/main")
    assert "your approval does not count" in made.line


def test_approval_replaced_by_a_later_one_is_not_reported(laptop: Open) -> None:
    ada = laptop("ada")
    ada.commit({"lib.py": "x = 2\n"})
    ada.follow("git push origin topic")
    refused = denied(ada, "git push origin topic:main")
    for person in ("bob", "bob", "ada", "carol"):
        laptop(person).settle(refused)
    again = denied(ada, "git push origin topic:refs/heads/release/1")
    assert "bob does not count: it is for another branch" in again.line
    assert "ada does not count: it is for another branch; they contributed to the change" in again.line
    pushed = ada.follow("git push origin topic:main")
    assert "does not count" not in pushed.line


def test_security_reviewer_with_missing_answers_is_named(laptop: Open) -> None:
    ada = laptop("ada")
    ada.commit({"big.py": "y = 1\n" * 500})
    ada.follow("git push origin topic")
    refused = denied(ada, "git push origin topic:main")
    laptop("sue").settle(refused)
    assert "Split the change, or ask sue to approve it" in denied(ada, "git push origin topic:main").line
