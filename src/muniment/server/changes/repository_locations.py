"""Assigns each repository named by its path to a worker: a path means something on one machine alone.

A worker that has the path claims the repository; the others leave its tasks to that one. So a worker that lacks the
path never says that nothing is there.
"""

import os
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from muniment.errors import UsageError
from muniment.git.repository import Repository as Git
from muniment.server.job_queue import OtherWorkerError, enqueue, move_jobs, release_jobs
from muniment.server.products.models import FORGE, Repository
from muniment.server.products.repository_folders import REMEDY, UNNAMED, is_in_named_folder
from muniment.server.records import row_checks

_GONE_AFTER = timedelta(minutes=5)  # without a sign of life, after which another worker that has the path claims it


def open_repository(repository: Repository) -> Git:
    """Open the git of a repository that lies here.

    Raises OtherWorker where another worker has it, UsageError for one that lies in no folder that the operator named,
    UsageError or GitError where no worker has it or it cannot be read,
    RowsDifferError for a path that the ledger does not have.
    """
    row_checks.require_recorded(repository)
    if repository.at_forge:
        return Git.open(repository.git_folder)
    _require_here(repository)
    _require_named(repository.path)
    try:
        git = Git.open(os.path.realpath(repository.path))
    except UsageError as error:
        raise UsageError(error.message, _("Correct its path on the page of the product.")) from error
    try:
        _require_named(git.git_dir)  # git looks in the folders above too, and follows a `.git` that is a file
    except UsageError:
        git.close()
        raise
    return git


def claim_repositories() -> None:
    """Claim each repository that lies here and that no living worker has, and say that this worker lives."""
    now = timezone.now()
    Repository.objects.filter(worker=settings.WORKER_NAME).update(worker_seen_at=now)
    unowned = Q(worker="") | Q(worker_seen_at=None) | Q(worker_seen_at__lt=now - _GONE_AFTER)
    rows = Repository.objects.filter(unowned, product__retired_at=None).exclude(path__startswith=FORGE)
    for repository in rows.exclude(worker=settings.WORKER_NAME):
        if _is_repository_here(repository) and _claim_repository(repository):
            enqueue("scan-repository", repository=repository.pk)
    living = Repository.objects.filter(worker_seen_at__gte=now - _GONE_AFTER).values_list("worker", flat=True)
    release_jobs({settings.WORKER_NAME, *living})


def _require_here(repository: Repository) -> None:
    """Claim a repository that nobody has. Raises OtherWorker where another worker has it."""
    owner, here = _find_owner(repository), _is_repository_here(repository)
    if owner == "" and here:
        _claim_repository(repository)
        owner = _find_owner(repository)
    if owner == settings.WORKER_NAME and not here:
        Repository.objects.filter(pk=repository.pk, worker=owner).update(worker="", worker_seen_at=None)
        owner = ""
    if owner not in ("", settings.WORKER_NAME):
        raise OtherWorkerError(owner)


def _require_named(path: str) -> None:
    """Raise UsageError unless the operator named a folder above: what an act had checked may be a link by now."""
    if not is_in_named_folder(path):
        raise UsageError(_(UNNAMED).rstrip("."), _(REMEDY))


def _claim_repository(repository: Repository) -> bool:
    """Claim a repository for this worker, unless another was faster. Returns whether it did."""
    before = repository.worker
    rows = Repository.objects.filter(pk=repository.pk, worker=before)
    claimed = rows.update(worker=settings.WORKER_NAME, worker_seen_at=timezone.now()) == 1
    if claimed and before:
        move_jobs(repository.pk, before, settings.WORKER_NAME)
    return claimed


def _find_owner(repository: Repository) -> str:
    """Worker that has the repository now, "" for none: an earlier reading may be old."""
    return Repository.objects.filter(pk=repository.pk).values_list("worker", flat=True).first() or ""


def _is_repository_here(repository: Repository) -> bool:
    """Whether a git repository lies at the path on this machine, whatever else is wrong with it."""
    if not is_in_named_folder(repository.path):
        return False
    place = Path(repository.path)
    return (place / "HEAD").is_file() or (place / ".git").exists()
