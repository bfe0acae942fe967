"""Another account of this machine, where root runs the tests."""

import os
import pwd
import subprocess
from pathlib import Path

import pytest

from muniment.server.running.process_system_accounts import ProcessAccount

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can have another account run something")


def other() -> pwd.struct_passwd:
    """The account that owns nothing."""
    return pwd.getpwnam("nobody")


def as_process_account(account: pwd.struct_passwd) -> ProcessAccount:
    """Convert an account into the form in which the service knows those of its processes."""
    return ProcessAccount(account.pw_name, account.pw_uid, account.pw_gid)


def run_as(account: ProcessAccount, command: list[str | Path]) -> subprocess.CompletedProcess[str]:
    """Run a command in a process of that account."""
    groups = f"--groups={','.join(map(str, account.groups))}" if account.groups else "--clear-groups"
    options = [f"--reuid={account.user}", f"--regid={account.group}", groups, "--inh-caps=-all"]
    return subprocess.run(["setpriv", *options, *command], capture_output=True, text=True, check=False, cwd="/")


def runs(command: list[str | Path]) -> bool:
    """Whether it ends well when that account runs it, without any privilege."""
    account = other()
    options = ["--reuid", str(account.pw_uid), "--regid", str(account.pw_gid), "--clear-groups", "--inh-caps=-all"]
    return subprocess.run(["setpriv", *options, *command], capture_output=True, check=False, cwd="/").returncode == 0
