"""Worker process: a supervisor with a process for each slot, and one for the rounds."""

import fcntl
import os
import time
from pathlib import Path

from django.db import connections

from muniment.server.job_queue import enqueue_first, requeue_all, requeue_from_ended_slot
from muniment.server.running.rounds import run_rounds
from muniment.server.running.vault_watch_process import run_vault_watch
from muniment.server.running.worker_slots import run_slot
from muniment.server.running.worker_supervisor import Body, Supervisor
from muniment.server.worker_slot_locks import SLOTS

_LOCK = "workers.lock"
_LOCK_SECONDS = 2.0  # in which what is left of a worker that was killed ends


def run_worker(at_once: int, home: Path, *, alone: bool) -> None:
    """Run until a signal: `at_once` slots do waiting jobs. `alone`: no other machine has workers on this database."""
    lock = os.open(home / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)  # its children hold it too
    if alone and _is_only_worker(lock):
        requeue_all()
    fcntl.flock(lock, fcntl.LOCK_SH)
    enqueue_first("begin-passes")  # by a task: nobody waits for it, and what stands in the queue is done in fair order
    connections.close_all()
    os.environ[SLOTS] = str(at_once)
    bodies: dict[str, Body] = {f"slot-{number}": run_slot for number in range(1, at_once + 1)}
    for loss in Supervisor({**bodies, "rounds": run_rounds, "vault-watch": run_vault_watch}).run_children():
        requeue_from_ended_slot(loss.worker, loss.job, loss.seconds)


def _is_only_worker(lock: int) -> bool:
    """Whether no worker of this home lives, and no child of one: the kernel releases the locks of the dead."""
    last = time.monotonic() + _LOCK_SECONDS
    while time.monotonic() < last:
        try:
            # Tried again for a while: children of a worker that was killed hold the lock until they notice.
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.05)
        else:
            return True
    return False
