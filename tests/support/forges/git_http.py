"""git over HTTP for fakes of forges: real repositories behind `git http-backend`, and who pushed what."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode

from tests.support.forges.faulty import Reply, Request
from tests.support.repos import Repo

_REFUSING = """#!/bin/sh
if [ -z "$FAKE_FORGE" ] && grep -qxF "$1" "$GIT_DIR/protected"; then
    echo "protected branch" >&2
    exit 1
fi
"""


class Moved(NamedTuple):
    """A ref that a push moved; "" where there was or is nothing."""

    ref: str
    old: str
    new: str


def made(path: Path, *hidden: str) -> Repo:
    """A bare repository that gives out and takes what forges give out and take, but for refs in `hidden` folders."""
    repo = Repo(path, bare=True)
    for key, value in (
        ("http.receivepack", "true"),
        ("uploadpack.allowFilter", "true"),
        ("uploadpack.allowAnySHA1InWant", "true"),
        ("core.hooksPath", str(path / "hooks")),
    ):
        repo.git("config", key, value)
    for folder in hidden:
        repo.git("config", "--add", "uploadpack.hideRefs", folder)
    (path / "protected").write_text("")
    hook = path / "hooks" / "update"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(_REFUSING)
    hook.chmod(0o755)
    return repo


def served(root: Path, request: Request, user: str) -> tuple[Reply, list[Moved]]:
    """Answer one request below `root` by git. Returns the reply, and the refs that it moved."""
    repo = root / request.found[0]
    pushing = request.path.endswith("/git-receive-pack")
    before = refs(repo) if pushing else {}
    body: bytes = request.body if isinstance(request.body, bytes) else b""
    environment = {
        "PATH": os.environ["PATH"],
        "GIT_PROJECT_ROOT": str(root),
        "GIT_HTTP_EXPORT_ALL": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "REQUEST_METHOD": request.method,
        "PATH_INFO": request.path,
        "QUERY_STRING": urlencode(request.query),
        "CONTENT_TYPE": request.headers.get("content-type", ""),
        "CONTENT_LENGTH": str(len(body)),
        "REMOTE_USER": user,
        "REMOTE_ADDR": "127.0.0.1",
        **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in request.headers.items()},
    }
    done = subprocess.run(["git", "http-backend"], input=body, env=environment, capture_output=True, check=False)
    head, _, content = done.stdout.partition(b"\r\n\r\n")
    fields = dict(line.partition(": ")[::2] for line in head.decode().split("\r\n") if line)
    status = int(fields.pop("Status", "200").split()[0])
    after = refs(repo) if pushing else {}
    names = sorted(before.keys() | after.keys())
    moved = [Moved(name, before.get(name, ""), after.get(name, "")) for name in names]
    return Reply(status, content, fields), [one for one in moved if one.old != one.new]


def refs(repo: Path) -> Mapping[str, str]:
    """All branches and tags."""
    command = ["git", "--git-dir", str(repo), "for-each-ref", "--format=%(refname) %(objectname)"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return dict(line.partition(" ")[::2] for line in listed)
