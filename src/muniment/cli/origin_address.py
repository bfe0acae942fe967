"""Web address of the forge that a clone names as its origin: for commands that are shown, and nothing else."""

import re

from muniment.cli import keys

_PATH = r"(?P<path>[\w.~-]+(?:/[\w.~-]+)+)/?"
_HOST = r"(?P<host>[A-Za-z0-9.-]+)"
_FORMS = (
    re.compile(rf"https?://(?:[^/@\s]*@)?{_HOST}(?P<port>:\d{{1,5}})?/{_PATH}", re.ASCII),
    re.compile(rf"(?:ssh|git)://(?:[^/@\s]*@)?{_HOST}(?::\d{{1,5}})?/{_PATH}", re.ASCII),
    re.compile(rf"@{_HOST}:{_PATH}", re.ASCII),
)
_USER = re.compile(r"[\w.-]+", re.ASCII)


def find_origin_address(repo: str) -> str:
    """Address of the forge's page of a clone's origin, without any credential; "" if it has no such origin."""
    return convert_remote(keys.read_git_setting("remote.origin.url", repo))


def convert_remote(remote: str) -> str:
    """Convert the address of a remote, in any of git's forms, to that of a page; "" for any other text."""
    user = _USER.match(remote)
    for form in _FORMS:
        is_short = form is _FORMS[-1]  # user@host:path, whose user is matched apart: together that takes quadratic time
        if is_short and user is None:
            continue
        found = form.fullmatch(remote, user.end() if is_short and user else 0)
        if found and found["host"] == found["host"].strip(".-"):
            scheme = "http" if remote.startswith("http:") else "https"
            port = found.groupdict().get("port") or ""
            return f"{scheme}://{found['host']}{port}/{found['path'].removesuffix('.git')}"
    return ""
