"""A bare repository with the server hook, a home with a policy and people, and people who push to it."""

import contextlib
import os
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from muniment.cli.command_line import run_command_line
from muniment.git import approvals
from muniment.ledger import record_kinds
from muniment.policy.built_in_policy import format_built_in_policy
from muniment.store.files_store import FilesStore
from muniment.store.new_home import make_home
from tests.support.repos import Repo
from tests.support.servers import Server
from tests.support.shop import people_toml

APPROVALS = approvals.PREFIX


class PushOutcome(NamedTuple):
    """Outcome of a push for the pusher: git's exit code, and its output."""

    code: int
    text: str

    @property
    def line(self) -> str:
        """The text as one line."""
        return " ".join(self.text.replace("remote:", " ").split())


class HookedRemote:
    """`server` is the bare repository, `repo` everybody's clone of it, `home` the home with the ledger."""

    def __init__(
        self,
        folder: Path,
        keys: Mapping[str, Path],
        *install: str,
        policy: str = "",
        served: Server | None = None,
        **changed: str,
    ) -> None:
        """`served`: by a real server; else pushed to as a folder, with MUNIMENT_PUSHER in the pusher's environment."""
        self.keys = dict(keys)
        self.home = folder / "home"
        texts = {
            "policy.toml": policy or format_built_in_policy("sec@example.test", "shop"),
            "people.toml": people_toml(self.keys, **changed),
        }
        make_home(str(self.home), texts, "muniment/shop")
        self.repo = Repo(folder / "clone")
        self.base = self.repo.commit({"app.py": "".join(f"line {n}\n" for n in range(40)), "lib.py": "x = 1\n"})
        self.served = served
        path = served.repo("shop") if served is not None else folder / "shop.git"
        self.server = Repo(path, bare=True)
        self.url = str(path)
        self.server.git("fetch", "-q", str(self.repo.path), "main:main")
        if served is not None:
            (self.home / "home.toml").write_text(f'[server_hook]\npusher_variable = "{served.variable}"\n')
            hooks = served.hooks("shop")
            install = (*install, *(("--hooks", str(hooks)) if hooks is not None else ()))
        self.install_hook(*install)
        if served is not None:
            served.refresh()

    def install_hook(self, *more: str) -> None:
        """Run `muniment hook install` on the repository."""
        assert (
            run_command_line(["hook", "install", "--home", str(self.home), "--repo", str(self.server.path), *more]) == 0
        )

    def push(self, person: str, *refspecs: str, **variables: str) -> PushOutcome:
        """`git push` to the server, which says that it is by `person` ("" for nobody)."""
        own = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "MUNIMENT_"))}
        own |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"} | variables
        url = self.url
        if self.served is not None:
            own |= self.served.environment(person)
            url = self.served.url("shop", person)
        elif person:
            own["MUNIMENT_PUSHER"] = person
        command = ["git", "-C", str(self.repo.path), "push", url, *refspecs]
        done = subprocess.run(command, env=own, capture_output=True, check=False, timeout=120)
        self.wait_for_hooks()
        return PushOutcome(done.returncode, done.stderr.decode("utf-8", "replace"))

    def wait_for_hooks(self) -> None:
        """Waits for the hooks that nobody else waits for."""
        while any(b"post-receive" in command for command in self.find_processes().values()):
            time.sleep(0.02)

    def find_processes(self) -> dict[int, bytes]:
        """Command lines of the processes that work for this home, by their ids; also of hooks that just begin."""
        found: dict[int, bytes] = {}
        home = bytes(self.home)
        for name in os.listdir("/proc"):
            if not name.isdigit():
                continue
            with contextlib.suppress(OSError), open(f"/proc/{name}/cmdline", "rb", buffering=0) as file:
                line = file.read()
                if home in line or b"hooks/post-receive" in line:
                    found[int(name)] = line
        return found

    def commit(self, name: str = "topic", author: str = "ada", text: str = "x = 2\n") -> str:
        """A commit on a branch of its own, not pushed yet."""
        self.repo.branch(name, self.repo.tip(name) or "main")
        who = f"{author.title()} <{author}@example.test>"
        return self.repo.commit({"lib.py": text}, on=name, author=who)

    def approve(self, person: str, rev: str, *more: str, onto: str = "main") -> None:
        """`muniment approve` in the clone; it still has to be pushed."""
        arguments = ["approve", self.repo.id(rev), "--repo", str(self.repo.path), "--home", str(self.home)]
        assert run_command_line([*arguments, "--onto", onto, "--key", str(self.keys[person]), *more]) == 0

    def tip(self, ref: str = "main") -> str:
        """Where a ref of the server is."""
        return self.server.git("rev-parse", "-q", "--verify", ref if "/" in ref else f"refs/heads/{ref}", check=False)

    def read_records(self) -> list[record_kinds.AnyEntry]:
        """Read all records of the ledger."""
        log = FilesStore(str(self.home)).open_log()
        return [
            record_kinds.decode_record(data, at) for at, data in enumerate(log.read_entries(0, log.read_head().size))
        ]
