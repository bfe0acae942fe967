"""Operating system accounts of the processes, where root starts them: none reads the files of another.

Each is a system account without a password, a home folder or a shell. All are in one group, which passes through
the home to the sockets of database and vault, and lists nothing there that is another's.
"""

import grp
import os
import pwd
import shutil
from pathlib import Path
from typing import NamedTuple

from muniment.errors import ProgramError
from muniment.programs.catalogue import REMEDIES, Program
from muniment.programs.command import ProgramOption, build_command
from muniment.programs.environment import minimal_environment
from muniment.programs.process import find_last_line, run_program
from muniment.programs.service_process import SystemAccount

GROUP = "muniment"
WEB, WORKER, CONFIRMATION = "muniment-web", "muniment-worker", "muniment-confirmation"
SEQUENCER, ERASER, VAULT, DATABASE = "muniment-sequencer", "muniment-eraser", "muniment-vault", "muniment-database"

# The vault's primary group is the worker's: what it writes for that group, its audit logs, the worker reads.
PRIMARY_GROUPS = {
    DATABASE: DATABASE,
    WEB: WEB,
    WORKER: WORKER,
    CONFIRMATION: CONFIRMATION,
    SEQUENCER: SEQUENCER,
    ERASER: ERASER,
    VAULT: WORKER,
}
ACCOUNT_NAMES = tuple(PRIMARY_GROUPS)
UNPRIVILEGED = "nobody"  # runs PostgreSQL where root may make no account
NO_FOLDER = "/nonexistent"

_SYSTEM_FOLDERS = "/usr/sbin:/sbin"  # are not on every PATH of root


class ProcessAccount(NamedTuple):
    """Account as the system knows it: ids of user, group, and of the other groups it is in, GROUP first."""

    name: str
    user: int
    group: int
    groups: tuple[int, ...] = ()

    @property
    def account_ids(self) -> SystemAccount:
        """Form in which a program is started as this account."""
        return SystemAccount(self.user, self.group, self.groups)


def find_process_account(name: str) -> ProcessAccount | None:
    """Account from NAMES as the system knows it; None if it, its group or GROUP does not exist."""
    try:
        user, shared = pwd.getpwnam(name), grp.getgrnam(GROUP)
        group = grp.getgrnam(PRIMARY_GROUPS[name])
    except KeyError:
        return None
    others = set(os.getgrouplist(name, group.gr_gid)) - {group.gr_gid, shared.gr_gid}  # that an administrator added
    return ProcessAccount(name, user.pw_uid, group.gr_gid, (shared.gr_gid, *sorted(others)))


def find_process_accounts_by_name() -> dict[str, ProcessAccount]:
    """Each of NAMES that the system knows."""
    found = {name: find_process_account(name) for name in ACCOUNT_NAMES}
    return {name: account for name, account in found.items() if account is not None}


def make_process_accounts(*names: str) -> dict[str, ProcessAccount]:
    """Accounts of these names; missing ones are made. For root. Raises ProgramError."""
    made: dict[str, ProcessAccount] = {}
    for name in names:
        account = find_process_account(name) or _make_account(name)
        made[name] = account
    return made


def _make_account(name: str) -> ProcessAccount:
    for group in dict.fromkeys((GROUP, PRIMARY_GROUPS[name])):
        _run_account_program(
            Program.GROUPADD, ["--force", "--system"], group
        )  # forced: another start may make it at this moment
    options: list[ProgramOption] = [
        "--system",
        "--no-user-group",
        "--no-create-home",
        f"--gid={PRIMARY_GROUPS[name]}",
        f"--groups={GROUP}",
        f"--home-dir={NO_FOLDER}",
        "--shell=/usr/sbin/nologin",
        f"--comment=Muniment {name.removeprefix('muniment-')}",
    ]
    try:
        _run_account_program(Program.USERADD, options, name)
    except ProgramError:
        if find_process_account(name) is None:  # otherwise another start made it meanwhile
            raise
    account = find_process_account(name)
    if account is None:
        raise _make_account_error(f"{name} is not there after it was made", "See that /etc/passwd can be written.")
    return account


def _run_account_program(program: Program, options: list[ProgramOption], name: str) -> None:
    path = f"{os.environ.get('PATH', os.defpath)}:{_SYSTEM_FOLDERS}"
    location = shutil.which(program, path=path)
    if location is None:
        raise _make_account_error(f"there is no program {program}", REMEDIES[program])
    command = build_command(program, [*options, ("--", name)], _make_account_error, Path(location).absolute())
    done = run_program(command, minimal_environment(PATH=path), _make_account_error)
    if done.code:
        raise _make_account_error(
            find_last_line(done.err), "Make them as docs/guides/service.md says, or free what is in the way."
        )


def _make_account_error(why: str, remedy: str) -> ProgramError:
    return ProgramError(f"accounts for the processes cannot be made: {why}", remedy)
