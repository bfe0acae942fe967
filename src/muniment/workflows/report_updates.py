"""Report the vulnerable dependencies of a commit, and plan their updates: read locks and advisories, match, resolve."""

from collections.abc import Sequence

from msgspec import Struct

from muniment.errors import MunimentError
from muniment.git.repository import Repository
from muniment.updates.advisory_exports import AdvisoryExport, fetch_export, official_location
from muniment.updates.advisory_index import AdvisoryIndex
from muniment.updates.dependencies import Lock
from muniment.updates.exploited import fetch_exploited
from muniment.updates.lock_updates import LockUpdate, UpdateRefusal, UpdateSettings, update_lock
from muniment.updates.registry_access import RegistryAccess, RegistrySource
from muniment.updates.registry_offers import CoolDown
from muniment.updates.repository_files import read_dependency_files, read_repository_locks
from muniment.updates.repository_locks import RepositoryLocks, read_locks
from muniment.updates.update_reports import UpdateReport, build_update_report, list_ecosystems


class UpdateRequest(Struct, frozen=True):
    """Choices of a person. `tools`: folders with package managers. `packages`: names to update, () for all.

    `exploited`: file or address of the catalogue of exploited vulnerabilities, "" for none.
    """

    locations: Sequence[str] = ()
    tools: Sequence[str] = ()
    packages: Sequence[str] = ()
    cool_down: CoolDown = CoolDown()
    exploited: str = ""


class UpdatePlan(Struct, frozen=True):
    """Report on a commit, the updates of its locks, and the locks that cannot be updated.

    `after`: the report on the same commit with these updates.
    """

    report: UpdateReport
    after: UpdateReport
    updates: tuple[LockUpdate, ...]
    refusals: tuple[UpdateRefusal, ...]


def report_updates(repository: Repository, commit: str, locations: Sequence[str], now: str) -> UpdateReport:
    """Report on a commit. `locations`: files or addresses of advisories; none for those that OSV publishes.

    A source that cannot be read is a part of the report. Raises GitError if the repository cannot be read.
    """
    found = read_repository_locks(repository, commit)
    exports, failures = _fetch_exports(found.locks, locations, now)
    return build_update_report(commit, found, exports, failures, now)


def plan_updates(
    repository: Repository, commit: str, request: UpdateRequest, now: str, source: RegistrySource | None = None
) -> UpdatePlan:
    """Report on a commit, and find the updates of its locks. Nothing is written.

    Raises GitError, and MunimentError for a catalogue of exploited vulnerabilities that cannot be read.

    Advisories that are too old are used for updates too: the report names them.
    """
    exploited = fetch_exploited(request.exploited) if request.exploited else frozenset()
    found = read_repository_locks(repository, commit)
    exports, failures = _fetch_exports(found.locks, request.locations, now)
    report = build_update_report(commit, found, exports, failures, now)
    if not report.vulnerable:
        return UpdatePlan(report, report, (), ())
    files = read_dependency_files(repository, commit).contents
    index = AdvisoryIndex(each for export in exports.values() for each in export.advisories)
    settings = UpdateSettings(
        index, source or RegistryAccess(), now, request.tools, request.cool_down, request.packages, exploited
    )
    outcomes = [update_lock(lock, files[lock.path], files, settings) for lock in found.locks]
    updates = tuple(each for each in outcomes if isinstance(each, LockUpdate))
    renewed = read_locks({**files, **{each.path: each.content for each in updates}})
    after = RepositoryLocks(renewed.locks, found.unread)
    return UpdatePlan(
        report,
        build_update_report(commit, after, exports, failures, now),
        updates,
        tuple(each for each in outcomes if isinstance(each, UpdateRefusal)),
    )


def _fetch_exports(
    locks: Sequence[Lock], locations: Sequence[str], now: str
) -> tuple[dict[str, AdvisoryExport], dict[str, str]]:
    """Exports by location, and why the others cannot be read."""
    exports: dict[str, AdvisoryExport] = {}
    failures: dict[str, str] = {}
    for location in locations or [official_location(each) for each in list_ecosystems(locks)]:
        try:
            exports[location] = fetch_export(location, now)
        except MunimentError as error:
            failures[location] = error.message
    return exports, failures
