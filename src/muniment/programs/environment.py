"""The environment of a program: the variables listed here, and nothing else of ours.

Our own environment has secrets (`DATABASE_URL`, mail, tokens). A program gets variables only by name.
"""

import os
import re
from collections.abc import Mapping
from types import MappingProxyType

# Whatever the repository or its owner configured: no replaced objects, no fetching of what is missing, no
# question to a terminal, no lock that can be spared. HOME does not exist, so nothing is read from there.
_GIT = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "none",
}

# What programs of the account itself need: its files, its agent, its terminal or desktop, its network.
_ACCOUNT = frozenset(
    {
        *("HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR"),
        *("TERM", "DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "DBUS_SESSION_BUS_ADDRESS", "GPG_TTY"),
        *("SSH_AUTH_SOCK", "SSH_AGENT_PID", "SSH_ASKPASS", "SSH_ASKPASS_REQUIRE", "SSH_SK_PROVIDER", "KRB5CCNAME"),
        *("SSL_CERT_FILE", "SSL_CERT_DIR"),
        *("http_proxy", "https_proxy", "all_proxy", "no_proxy", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"),
        *("GIT_SSH", "GIT_SSH_COMMAND", "GIT_SSH_VARIANT", "GIT_ASKPASS"),
        *("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM"),
    }
)
_ACCOUNT_FAMILIES = ("LC_", "XDG_")

# No file of a repository that lies here names a program that runs, and none is locked, packed or indexed by the way.
_IN_PLACE = {
    "safe.directory": "*",
    "core.hooksPath": os.devnull,
    "core.fsmonitor": "false",
    "core.commitGraph": "false",
    "core.multiPackIndex": "false",
    "commit.gpgSign": "false",
    "gc.auto": "0",
}

_PROXY = re.compile(
    r"http://(?:[\w.~%-]*:[\w.~%-]*@)?(?:[A-Za-z0-9_][A-Za-z0-9._-]*|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}", re.ASCII
)
_NOBODY = {"NAME": "muniment", "EMAIL": "muniment@localhost"}
ANONYMOUS: Mapping[str, str] = {  # for commits whose author is nobody's business
    f"GIT_{role}_{field}": value for role in ("AUTHOR", "COMMITTER") for field, value in _NOBODY.items()
}


def minimal_environment(**more: str) -> dict[str, str]:
    """PATH, and `more`: no language but C, and no home."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "HOME": "/nonexistent", **more}


def git_proxy_configuration(proxy: str) -> dict[str, str]:
    """Setting by which git reaches servers through `proxy` (`http://[name:password@]host:port`), "" for none.

    Raises ValueError for another form. The address goes to git by its environment: no command line has it.
    """
    if proxy and not _PROXY.fullmatch(proxy):
        raise ValueError("a proxy for git is of another form")
    return {"http.proxy": proxy, "http.proxyAuthMethod": "basic"}


def git_environment(more: Mapping[str, str], configuration: Mapping[str, str] = MappingProxyType({})) -> dict[str, str]:
    """For a git that trusts no file but its repository's objects and refs, and connects to no server.

    `configuration` outweighs any file of the repository; `more` is added to the environment.
    """
    return {**minimal_environment(), **_GIT, **git_configuration(configuration), **more}


def git_environment_in_place(
    more: Mapping[str, str], configuration: Mapping[str, str] = MappingProxyType({})
) -> dict[str, str]:
    """For a git in a repository with its own configuration: no program that it names is started.

    Only for commands about refs and single objects.
    """
    return git_environment({"GIT_GRAFT_FILE": os.devnull, **more}, {**_IN_PLACE, **configuration})


def account_environment(more: Mapping[str, str] = MappingProxyType({})) -> dict[str, str]:
    """For a program that acts for the account it runs as: with its files, keys, terminal and network, and `more`."""
    own = {name: value for name, value in os.environ.items() if name in _ACCOUNT or name.startswith(_ACCOUNT_FAMILIES)}
    return {"PATH": os.environ.get("PATH", os.defpath), **own, **more}


def git_configuration(configuration: Mapping[str, str]) -> dict[str, str]:
    """Configuration of git as variables, which outweigh any file."""
    pairs = {"GIT_CONFIG_COUNT": str(len(configuration))}
    for place, (key, value) in enumerate(configuration.items()):
        pairs |= {f"GIT_CONFIG_KEY_{place}": key, f"GIT_CONFIG_VALUE_{place}": value}
    return pairs
