"""Report the vulnerable dependencies of a commit: read its locks, read the advisories, match."""

from collections.abc import Sequence

from muniment.errors import MunimentError
from muniment.git.repository import Repository
from muniment.updates.advisory_exports import AdvisoryExport, fetch_export, official_location
from muniment.updates.repository_files import read_repository_locks
from muniment.updates.update_reports import UpdateReport, build_update_report, list_ecosystems


def report_updates(repository: Repository, commit: str, locations: Sequence[str], now: str) -> UpdateReport:
    """Report on a commit. `locations`: files or addresses of advisories; none for those that OSV publishes.

    A source that cannot be read is a part of the report. Raises GitError if the repository cannot be read.
    """
    found = read_repository_locks(repository, commit)
    wanted = locations or [official_location(each) for each in list_ecosystems(found.locks)]
    exports: dict[str, AdvisoryExport] = {}
    failures: dict[str, str] = {}
    for location in wanted:
        try:
            exports[location] = fetch_export(location, now)
        except MunimentError as error:
            failures[location] = error.message
    return build_update_report(commit, found, exports, failures, now)
