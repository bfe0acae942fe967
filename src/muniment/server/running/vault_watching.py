"""Follows the audit logs of this worker's vault in a process of its own, for as long as the worker runs."""

import signal

from django.db import close_old_connections, connection

from muniment.server.process_signals import SignalPipe
from muniment.server.running.supervisor import Channel, Loss
from muniment.server.secrets.vault_watch import VaultWatcher, find_watcher

LOOK_SECONDS = 2.0  # between two looks

_LIMIT_SECONDS = 120  # of one look


def run_watch(channel: Channel, losses: tuple[Loss, ...]) -> None:
    """Watch until SIGTERM or SIGINT."""
    signals = SignalPipe((signal.SIGTERM, signal.SIGINT))
    channel.keep_alive()
    watcher: VaultWatcher | None = None
    wait = 0.0
    while not signals.wait(wait):
        channel.begin(0, 0, "vault-watch", _LIMIT_SECONDS)
        watcher = watcher or find_watcher()
        if watcher is not None:
            watcher.look()
        close_old_connections()
        channel.end()
        wait = LOOK_SECONDS
    connection.close()
