"""Contributors are found once per identity, with the same result as one lookup per contribution."""

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from muniment.controls import code_review
from muniment.controls.control import Case
from muniment.facts.change import Commit, CommitPusher, Contributor, ContributorRole, Pushes
from muniment.facts.maybe import Known, Unknown
from muniment.facts.people import FORGE_ACCOUNT, Machine
from tests.support.changes import NOW, PEOPLE, commit, oid, values

AGENTS = (Machine("agent2", ("agent2@example.test",), (), (), needs_requester=True),)
EVERYONE = structs.replace(PEOPLE, machines=(*PEOPLE.machines, *AGENTS))
NAMES = ("ada", "bob", "bot", "agent", "agent2", "nobody")
UNKNOWN = Unknown("the server did not say")

identities = st.sampled_from(("", f"{FORGE_ACCOUNT}:github", *(f"email:{name}@example.test" for name in NAMES)))
contributors = st.builds(Contributor, identities, st.sampled_from(ContributorRole))
commits = st.lists(
    st.builds(lambda number, hands: commit(number, hands=tuple(hands)), st.integers(1, 5), st.lists(contributors)),
    max_size=4,
).map(tuple)
pushers = st.one_of(st.just(UNKNOWN), identities.filter(bool).map(Known))
pushes = st.builds(
    Pushes,
    st.booleans(),
    st.dictionaries(st.integers(1, 5).map(oid), pushers).map(
        lambda by: tuple(CommitPusher(*one) for one in by.items())
    ),
    st.just(()),
    commits,
)


def find_each(own: tuple[Commit, ...], brought: Pushes) -> list[tuple[str, str, ContributorRole]]:
    """(commit, identity, role) of every contribution to a change that no machine merged."""
    history = {one.id: one for one in (*own, *brought.earlier_commits)}
    found = [(one.id, hand.identity, hand.role) for one in history.values() for hand in one.contributors]
    if not brought.preview:
        first = {push.commit: push.pusher for push in brought.first_pushes}
        for at in history:
            pusher = first.get(at)
            found.append((at, pusher.value if isinstance(pusher, Known) else "", ContributorRole.PUSHER))
    return found


@given(commits, pushes)
def test_each_contribution_belongs_to_its_identity_owner_or_unknown_contributor(
    own: tuple[Commit, ...], brought: Pushes
) -> None:
    known: dict[str, set[code_review.RoleInCommit]] = defaultdict(set)
    strange: set[tuple[str, str, ContributorRole]] = set()
    agents, requested = set(), set()
    for at, identity, role in find_each(own, brought):
        holder = EVERYONE.by_identity.get(identity)
        if identity.startswith(FORGE_ACCOUNT):
            who = "machine:github"
        elif holder is None:
            strange.add((f"account:{identity[6:]}" if identity else f"commit:{at}", at, role))
            continue
        else:
            who = f"machine:{holder.id}" if isinstance(holder, Machine) else f"person:{holder.id}"
        known[who].add(code_review.RoleInCommit(at, role))
        if isinstance(holder, Machine) and holder.needs_requester:
            agents.add(at)
        elif role is ContributorRole.REQUESTER:
            requested.add(at)
    strange |= {(f"commit:{at}", at, ContributorRole.REQUESTER) for at in agents - requested}

    case = Case(values(commits=Known(own), pushes=Known(brought), people=Known(EVERYONE)), None, NOW, {})
    found = code_review.read_code_review(case)
    assert found.contributors == {who: tuple(sorted(parts)) for who, parts in known.items()}
    assert list(found.contributors) == sorted(known)
    assert {(one.subject, one.commit, one.role) for one in found.unknown_contributors} == strange
    assert list(found.unknown_contributors) == sorted(found.unknown_contributors)
