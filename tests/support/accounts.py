"""Another account of this machine, where root runs the tests."""

import os
import pwd
import subprocess
from pathlib import Path

import pytest

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can have another account run something")


def other() -> pwd.struct_passwd:
    """The account that owns nothing."""
    return pwd.getpwnam("nobody")


def runs(command: list[str | Path]) -> bool:
    """Whether it ends well when that account runs it, without any privilege."""
    account = other()
    options = ["--reuid", str(account.pw_uid), "--regid", str(account.pw_gid), "--clear-groups", "--inh-caps=-all"]
    return subprocess.run(["setpriv", *options, *command], capture_output=True, check=False, cwd="/").returncode == 0
