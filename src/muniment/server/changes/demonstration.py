"""Part of the demonstration about plain git repositories: small histories, and branches that wait."""

from collections.abc import Iterator
from functools import partial

from muniment.server.changes import tasks
from muniment.server.changes.demonstration_git import CommitDetails, DemonstrationRepository
from muniment.server.changes.models import Change
from muniment.server.changes.repository_acts import AddRepository
from muniment.server.demonstration_story import (
    ADMINISTRATOR,
    BY_HANDLE,
    FIRST_DAY,
    PRODUCTS,
    Demonstration,
    DemonstrationEvent,
    StoryProduct,
)
from muniment.server.products.models import Repository
from muniment.server.products.repository_folders import add_given_folder

_COMMITS = 12
_BRANCH = "refs/heads/new-report"


def list_events(company: Demonstration) -> Iterator[DemonstrationEvent]:
    """Events about repositories on a plain git server."""
    for product in PRODUCTS:
        if not product.forge:
            add = partial(_add_repository, company, product)
            yield DemonstrationEvent(company.find_moment(FIRST_DAY - 3, 13), "web", add)
            for days in (FIRST_DAY - 4, 90, 1):
                evaluate = partial(_evaluate_repository, product)
                yield DemonstrationEvent(company.find_moment(days, 13), "worker", evaluate)


def _add_repository(company: Demonstration, product: StoryProduct) -> None:
    folder = company.folder / "demonstration" / f"{product.slug}.git"
    _write_history(company, product, DemonstrationRepository(folder))
    add_given_folder(str(folder))
    company.perform(ADMINISTRATOR, AddRepository, product=product.slug, name=product.slug, path=str(folder))


def _write_history(company: Demonstration, product: StoryProduct, git: DemonstrationRepository) -> None:
    files = {"README.md": f"# {product.name}\n"}
    parents: tuple[str, ...] = ()
    for number in range(_COMMITS):
        author = BY_HANDLE[product.developers[number % len(product.developers)]]
        at = company.find_moment(FIRST_DAY + 200 - 14 * number, 11)
        files[f"reports/report_{number}.py"] = f"NUMBER = {number}\n"
        message = f"Add report {number + 1}" if number else f"Begin {product.name}"
        details = CommitDetails(f"{author.name} <{author.email}>", at, message)
        parents = (git.write_commit(files, parents, details),)
    git.write_ref("refs/heads/main", parents[0])
    files["reports/new.py"] = "NUMBER = 99\n"
    author = BY_HANDLE[product.developers[0]]
    details = CommitDetails(f"{author.name} <{author.email}>", company.find_moment(FIRST_DAY, 11), "Add a new report")
    git.write_ref(_BRANCH, git.write_commit(files, parents, details))


def _evaluate_repository(product: StoryProduct) -> None:
    row = Repository.objects.get(product__slug=product.slug)
    tasks.scan_repository(repository=row.pk)
    tasks.evaluate_history_task(repository=row.pk)
    if not Change.objects.filter(repository=row, name=_BRANCH).exists():
        tasks.evaluate_branch_task(repository=row.pk, ref=_BRANCH)
