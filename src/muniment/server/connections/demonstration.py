"""Part of the demonstration about forges: connections in several states, pull requests good and bad, and a bypass."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial

from muniment.errors import MunimentError
from muniment.forges.shapes import MISSING_ABILITY_EFFECTS, Ability, ChangeState, RefusedRequest, ReviewState
from muniment.server import moments
from muniment.server.changes.demonstration_git import CommitDetails, DemonstrationRepository
from muniment.server.connections import change_readings, tasks
from muniment.server.connections.bypass_acts import ReviewBypass
from muniment.server.connections.connection_acts import AddConnection, StoreCredential
from muniment.server.connections.demonstration_forge_file import (
    MAIN,
    OURS,
    StoredChange,
    StoredForge,
    StoredForges,
    StoredMove,
    StoredRepository,
    StoredReview,
    save_forges,
)
from muniment.server.connections.demonstration_proposals import OPEN_PROPOSALS, DemonstrationProposal
from muniment.server.connections.models import BranchUpdate, Connection, VisibleRepository
from muniment.server.connections.repository_acts import ConnectRepository
from muniment.server.demonstration_story import (
    ADMINISTRATOR,
    BY_HANDLE,
    DEMONSTRATION_PEOPLE,
    FIRST_DAY,
    FORGEJO,
    GITEA,
    GITHUB,
    GITLAB,
    PRODUCTS,
    Demonstration,
    DemonstrationEvent,
    StoryProduct,
)
from muniment.server.products.models import Repository

_CONNECTIONS = (
    (GITHUB, "github", "https://github.alderhealth.example"),
    (GITLAB, "gitlab", "https://gitlab.alderhealth.example"),
    (GITEA, "gitea", "https://git.alderhealth.example"),
    (FORGEJO, "forgejo", "https://forge.northern-clinics.example"),
)
_REFUSED = RefusedRequest("read who may write", "members: read", MISSING_ABILITY_EFFECTS[Ability.PERMISSIONS])
_TITLES = (
    "Raise upload limit for scans",
    "Cache clinic opening hours",
    "Log failed sign-ins",
    "Show lab results per visit",
    "Fix date format in appointments",
    "Check the target after sign-in",
    "Add a health check",
    "Retry requests that time out",
    "Move settings to the environment",
    "Describe the release process",
)
_WORKFLOW = """name: tests
on: [push, pull_request]
permissions:
  contents: read
jobs:
  tests:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@08c6903cd8c0fde910a37f88322edcfb5dd907a8
        with:
          persist-credentials: false
      - run: make test
"""


class _Company:
    """Forges of the company while its past is carried out."""

    def __init__(self, demonstration: Demonstration) -> None:
        self.demonstration = demonstration
        accounts = {
            person.login: str(1000 + place) for place, person in enumerate(DEMONSTRATION_PEOPLE) if person.login
        }
        accounts |= {OURS: "1", "update-bot": "2", "ci": "3"}
        self.forges = StoredForges(accounts=accounts)
        self.files: dict[str, dict[str, str]] = {}

    def save(self) -> None:
        save_forges(self.demonstration.folder, self.forges)

    def find_repository(self, product: StoryProduct) -> StoredRepository:
        return self.forges.forges[product.forge].repositories[str(100 + PRODUCTS.index(product))]

    def find_row(self, product: StoryProduct) -> Repository:
        return Repository.objects.get(product__slug=product.slug)

    def open_git(self, product: StoryProduct) -> DemonstrationRepository:
        number = self.find_repository(product).id
        return DemonstrationRepository(self.demonstration.folder / "mirrors" / product.forge / f"{number}.git")

    # what happens

    def set_up_forges(self) -> None:
        """The forges as they are at the first day, each repository with one commit."""
        for name, _vendor, _url in _CONNECTIONS:
            self.forges.forges[name] = StoredForge()
        self.forges.forges[GITLAB].refused_requests = [_REFUSED]
        for product in PRODUCTS:
            if product.forge:
                self._set_up_repository(product)
        self.save()

    def _set_up_repository(self, product: StoryProduct) -> None:
        number = str(100 + PRODUCTS.index(product))
        stored = StoredRepository(number, f"alder/{product.slug}")
        if product.forge == GITLAB:
            stored.missing_abilities = [Ability.PERMISSIONS]
        if product.slug == "mobile-app":
            stored.bypassers = ["jweber"]
        if product.slug == "notifications":
            stored.secrets = ["MAIL_PASSWORD"]
        self.forges.forges[product.forge].repositories[number] = stored
        files = {
            "README.md": f"# {product.name}\n",
            "app/main.py": "def main() -> None:\n    print('ready')\n",
            ".github/workflows/tests.yml": _WORKFLOW,
        }
        at = self.demonstration.find_moment(FIRST_DAY + 30)
        owner = BY_HANDLE[product.developers[0]]
        details = CommitDetails(f"{owner.name} <{owner.email}>", at, f"Begin {product.name}")
        git = self.open_git(product)
        stored.tip = git.write_commit(files, (), details)
        git.write_ref(MAIN, stored.tip)
        stored.moves = [StoredMove(MAIN, "", stored.tip, owner.login, moments.format_moment(at))]
        self.files[product.slug] = files

    def add_connections(self) -> None:
        for name, vendor, url in _CONNECTIONS:
            self.demonstration.perform(ADMINISTRATOR, AddConnection, vendor=vendor, url=url, name=name)
            if name != FORGEJO:
                self.demonstration.perform(ADMINISTRATOR, StoreCredential, connection=name)

    def read_connections(self) -> None:
        for row in Connection.objects.exclude(credential_set_at=None):
            tasks.read_visible_repositories(connection=row.pk)
            tasks.check_connection_permissions(connection=row.pk)

    def connect_repositories(self) -> None:
        for product in PRODUCTS:
            if product.forge:
                path = self.find_repository(product).path
                visible = VisibleRepository.objects.get(path=path)
                values = {"product": product.slug, "repository": visible.pk, "name": product.slug}
                self.demonstration.perform(ADMINISTRATOR, ConnectRepository, **values)

    def read_repositories(self) -> None:
        for product in PRODUCTS:
            if product.forge:
                self.read_repository(product)

    def read_repository(self, product: StoryProduct) -> None:
        number = self.find_row(product).pk
        tasks.read_branch_updates(repository=number)
        tasks.verify_branch_protection(repository=number)

    def evaluate_clauses(self) -> None:
        """Evaluate the clauses about pipelines, secrets and meetings, of each product at a forge."""
        for product in PRODUCTS:
            if product.forge:
                tasks.evaluate_product_clauses(repository=self.find_row(product).pk)

    def open_change(self, product: StoryProduct, number: int, proposal: DemonstrationProposal, at: datetime) -> None:
        """Push a commit, open a pull request with it, and have it reviewed, all within the next hours."""
        stored, git = self.find_repository(product), self.open_git(product)
        by = BY_HANDLE.get(proposal.by)
        login = by.login if by is not None else proposal.by
        author = proposal.author or (f"{by.name} <{by.email}>" if by is not None else f"{login} <{login}@bots.example>")
        files = {**self.files[product.slug], **proposal.files}
        head = git.write_commit(files, (stored.tip,), CommitDetails(author, at, proposal.title))
        git.write_ref(f"refs/pull/{number}/head", head)
        opened, source = moments.format_moment(at), f"refs/heads/change-{number}"
        change = StoredChange(number, proposal.title, login, source, stored.tip, head, opened, opened)
        change.tests_pass = proposal.tests_pass
        change.moves = [StoredMove(source, "", head, login, opened)]
        for place, reviewer in enumerate((*proposal.reviewers, proposal.rejected_by)):
            if reviewer:
                state = ReviewState.CHANGES_REQUESTED if reviewer == proposal.rejected_by else ReviewState.APPROVED
                change.updated = moments.format_moment(at + timedelta(hours=1 + place, minutes=17))
                change.reviews.append(StoredReview(BY_HANDLE[reviewer].login, state, head, change.updated))
        stored.changes[number] = change
        self.save()

    def evaluate_change(self, product: StoryProduct, number: int) -> None:
        change_readings.evaluate_forge_change(repository=self.find_row(product).pk, number=number)

    def merge_change(self, product: StoryProduct, number: int, files: dict[str, str], at: datetime) -> None:
        """Squash a pull request onto its branch, and let the branch be read."""
        stored, git = self.find_repository(product), self.open_git(product)
        change = stored.changes[number]
        opener = next((one for one in DEMONSTRATION_PEOPLE if one.login == change.opener), None)
        author = f"{opener.name} <{opener.email}>" if opener is not None else "update-bot <update-bot@bots.example>"
        self.files[product.slug] |= files
        details = CommitDetails(author, at, f"{change.title} (#{number})")
        landed = git.write_commit(self.files[product.slug], (stored.tip,), details)
        merger = BY_HANDLE[product.developers[0]].login
        self._move_main(stored, git, landed, merger, at)
        change.state, change.merged, change.merged_by = ChangeState.MERGED, landed, merger
        change.merged_at = change.updated = moments.format_moment(at)
        self.save()
        tasks.read_branch_updates(repository=self.find_row(product).pk)

    def push_past_review(self, product: StoryProduct, by: str, title: str, files: dict[str, str], at: datetime) -> None:
        """Push a commit onto the protected branch that no decision allowed."""
        stored, git, person = self.find_repository(product), self.open_git(product), BY_HANDLE[by]
        self.files[product.slug] |= files
        details = CommitDetails(f"{person.name} <{person.email}>", at, title)
        landed = git.write_commit(self.files[product.slug], (stored.tip,), details)
        self._move_main(stored, git, landed, person.login, at)
        self.save()
        tasks.read_branch_updates(repository=self.find_row(product).pk)

    @staticmethod
    def _move_main(
        stored: StoredRepository, git: DemonstrationRepository, landed: str, login: str, at: datetime
    ) -> None:
        stored.moves.append(StoredMove(MAIN, stored.tip, landed, login, moments.format_moment(at)))
        stored.tip = landed
        git.write_ref(MAIN, landed)

    def review_bypass(self, product: StoryProduct, by: str, reason: str) -> None:
        row = BranchUpdate.objects.filter(repository=self.find_row(product), outcome="bypass").latest("pk")
        self.demonstration.perform(by, ReviewBypass, bypass=row.pk, reason=reason)

    def close_bypasses(self, product: StoryProduct) -> None:
        tasks.close_bypasses(repository=self.find_row(product).pk)

    def refuse_credential(self) -> None:
        """One forge does not accept the credential any more: what it has is unknown from now on."""
        self.forges.forges[GITEA].accepts_credential = False
        self.save()
        row = Connection.objects.get(slug=GITEA)
        Connection.objects.filter(pk=row.pk).update(checked_at=None)
        with suppress(MunimentError):
            tasks.poll_connection(connection=row.pk)


def _find_product(slug: str) -> StoryProduct:
    return next(one for one in PRODUCTS if one.slug == slug)


def list_events(demonstration: Demonstration) -> Iterator[DemonstrationEvent]:
    """Events about forges and what happens there."""
    company = _Company(demonstration)
    find = demonstration.find_moment
    yield DemonstrationEvent(find(FIRST_DAY - 3, 8), "worker", company.set_up_forges)
    yield DemonstrationEvent(find(FIRST_DAY - 3, 9), "web", company.add_connections)
    yield DemonstrationEvent(find(FIRST_DAY - 3, 10), "worker", company.read_connections)
    yield DemonstrationEvent(find(FIRST_DAY - 3, 11), "web", company.connect_repositories)
    yield DemonstrationEvent(find(FIRST_DAY - 3, 12), "worker", company.read_repositories)
    for place, product in enumerate(PRODUCTS):
        if product.forge:
            yield from _list_merged(company, product, place)
    yield from _list_bypasses(company)
    yield from _list_open(company)
    for days in (FIRST_DAY - 4, 90, 10):
        yield DemonstrationEvent(find(days, 14), "worker", company.evaluate_clauses)
    yield DemonstrationEvent(find(9, 7), "worker", company.refuse_credential)


def _list_merged(company: _Company, product: StoryProduct, place: int) -> Iterator[DemonstrationEvent]:
    """Pull requests that were merged: four over two quarters, each approved by two others."""
    for turn in range(4):
        title = _TITLES[(place * 3 + turn) % len(_TITLES)]
        by = product.developers[(turn + place) % len(product.developers)]
        others = [one for one in (*product.developers, "maya-okafor", "ravi-shah") if one != by]
        path = f"app/part_{turn}.py"
        files = {path: f'"""{title}."""\n\nVALUE = {turn + place}\n'}
        proposal = DemonstrationProposal(
            title, by, files, (others[0], "ravi-shah" if others[0] != "ravi-shah" else "maya-okafor")
        )
        days = 170 - 42 * turn - place
        number = 20 + 7 * turn + place
        opened = company.demonstration.find_moment(days, 8, 10 + place)
        yield DemonstrationEvent(opened, "worker", partial(company.open_change, product, number, proposal, opened))
        decided = opened + timedelta(hours=4)
        yield DemonstrationEvent(decided, "worker", partial(company.evaluate_change, product, number))
        merged = opened + timedelta(hours=5)
        yield DemonstrationEvent(merged, "worker", partial(company.merge_change, product, number, files, merged))


def _list_bypasses(company: _Company) -> Iterator[DemonstrationEvent]:
    """A bypass that two others accepted afterwards, and one of today that still waits for a second review."""
    find = company.demonstration.find_moment
    billing, claims = _find_product("billing"), _find_product("claims-api")
    at = find(18, 16)
    files = {"release/run.sh": "#!/bin/sh\nset -eu\nmake release\n"}
    push = partial(company.push_past_review, billing, "liam-byrne", "Repair the release script", files, at)
    yield DemonstrationEvent(at, "worker", push)
    for hours, reviewer in ((2, "fatima-haddad"), (3, "maya-okafor")):
        reason = "I read the 3 lines: they repair the release script and touch nothing else."
        review = partial(company.review_bypass, billing, reviewer, reason)
        yield DemonstrationEvent(at + timedelta(hours=hours), "web", review)
    yield DemonstrationEvent(at + timedelta(hours=4), "worker", partial(company.close_bypasses, billing))
    today = find(0, 0, 58) if company.demonstration.now.hour < 9 else find(0, 7, 58)
    files = {"payments/deadline.py": "CLAIM_DAYS = 31\n"}
    push = partial(company.push_past_review, claims, "jonas-weber", "Correct the claim deadline", files, today)
    yield DemonstrationEvent(today, "worker", push)
    reason = "Hotfix for the claim deadline; the difference is one line."
    review = partial(company.review_bypass, claims, "noah-patel", reason)
    yield DemonstrationEvent(today + timedelta(minutes=20), "web", review)


def _list_open(company: _Company) -> Iterator[DemonstrationEvent]:
    """Pull requests that are open: ready, and blocked for each of several reasons."""
    find = company.demonstration.find_moment
    for place, (slug, days, proposal) in enumerate(OPEN_PROPOSALS):
        product, number, opened = _find_product(slug), 480 + place, find(days, 9, 10 + place)
        yield DemonstrationEvent(opened, "worker", partial(company.open_change, product, number, proposal, opened))
        decided = min(opened + timedelta(hours=5), company.demonstration.now - timedelta(minutes=5))
        yield DemonstrationEvent(decided, "worker", partial(company.evaluate_change, product, number))
