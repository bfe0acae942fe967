"""Follows the audit logs of this worker's vault in a process of its own, for as long as the worker runs."""

import signal

from django.db import close_old_connections, connection

from muniment.server.process_signals import SignalPipe
from muniment.server.running.worker_supervisor import LostTask, SupervisorChannel
from muniment.server.secrets.vault_watch import VaultWatcher, find_watcher

LOOK_SECONDS = 2.0  # between two looks

_LIMIT_SECONDS = 120  # of one look


def run_vault_watch(channel: SupervisorChannel, losses: tuple[LostTask, ...]) -> None:
    """Watch the audit logs until SIGTERM or SIGINT."""
    signals = SignalPipe((signal.SIGTERM, signal.SIGINT))
    channel.start_heartbeat()
    watcher: VaultWatcher | None = None
    wait = 0.0
    while not signals.wait_for_signals(wait):
        channel.report_begin(0, 0, "vault-watch", _LIMIT_SECONDS)
        watcher = watcher or find_watcher()
        if watcher is not None:
            watcher.read_new_entries()
        close_old_connections()
        channel.report_end()
        wait = LOOK_SECONDS
    connection.close()
