"""Web address of the forge that a clone names as its origin: for commands that are shown, and nothing else."""

import re

from muniment.cli import keys

_PATH = r"(?P<path>[\w.~-]+(?:/[\w.~-]+)+)/?"
_HOST = r"(?P<host>[A-Za-z0-9.-]+)"
_WEB = re.compile(rf"https?://(?:[^/@\s]*@)?{_HOST}(?P<port>:\d{{1,5}})?/{_PATH}", re.ASCII)
_GIT = re.compile(rf"(?:ssh|git)://(?:[^/@\s]*@)?{_HOST}(?::\d{{1,5}})?/{_PATH}", re.ASCII)
_USER, _SHORT = re.compile(r"[\w.-]+", re.ASCII), re.compile(rf"@{_HOST}:{_PATH}", re.ASCII)


def find_origin_address(repo: str) -> str:
    """Address of the forge's page of a clone's origin, without any credential; "" if it has no such origin."""
    return convert_remote(keys.read_git_setting("remote.origin.url", repo))


def convert_remote(remote: str) -> str:
    """Convert the address of a remote, in any of git's forms, to that of a page; "" for any other text."""
    user = _USER.match(remote)  # of user@host:path, matched apart: in one expression it takes quadratic time
    short = _SHORT.fullmatch(remote, user.end()) if user else None
    found = _WEB.fullmatch(remote) or _GIT.fullmatch(remote) or short
    if found is None or found["host"] != found["host"].strip(".-"):
        return ""
    scheme = "http" if remote.startswith("http:") else "https"
    port = found.groupdict().get("port") or ""
    return f"{scheme}://{found['host']}{port}/{found['path'].removesuffix('.git')}"
