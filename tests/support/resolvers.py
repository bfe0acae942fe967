"""Resolvers for tests: the uv of this checkout or of PATH, and locks that it writes."""

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from muniment.programs.catalogue import Program
from muniment.updates.advisory_index import AdvisoryIndex
from muniment.updates.dependencies import Ecosystem, Lock, LockFormat
from muniment.updates.npm_resolver import NpmResolver
from muniment.updates.registry_access import RegistrySource
from muniment.updates.registry_offers import CoolDown, VersionOffers
from muniment.updates.resolver_child import ResolverTool
from muniment.updates.resolver_tools import list_tools
from muniment.updates.uv_resolver import UvResolver

_ROOT = Path(__file__).parents[2]
TOOL_FOLDERS = (str(_ROOT / ".tools"), str(Path(sys.executable).parent))
_LOCKED = """[[package]]
name = "any"
version = "1"
source = {{ registry = "https://{0}/simple" }}
wheels = [{{ url = "https://{0}/packages/any/any-1-py3-none-any.whl" }}]
"""
LATER = "2026-12-01T00:00:00.000000Z"


def find_uv() -> ResolverTool:
    """uv; without one, the test is skipped."""
    tools = list_tools(Program.UV, TOOL_FOLDERS)
    if not tools:
        pytest.skip("there is no uv: bin/test installs it")
    return tools[0]


def find_npm() -> ResolverTool:
    """npm; without one, the test is skipped."""
    tools = list_tools(Program.NPM, ())
    if not tools:
        pytest.skip("there is no npm")
    return tools[0]


def make_npm_lock(source: RegistrySource, files: dict[str, bytes], path: str = "package-lock.json") -> bytes:
    """Lock that npm writes for manifests; `source` publishes what it had then."""
    start = b'{\n  "name": "x",\n  "lockfileVersion": 3,\n  "requires": true,\n  "packages": {\n    "": {}\n  }\n}\n'
    empty = Lock(path, LockFormat.NPM, ())
    offers = VersionOffers(Ecosystem.NPM, empty, AdvisoryIndex([]), LATER, CoolDown(0, 0))
    with NpmResolver(empty, start, files, offers, source, find_npm()) as resolver:
        resolver.write_project(None)
        resolver.run_npm()
        content = resolver.read_lock()
        assert content is not None
        return content


def make_uv_lock(
    source: RegistrySource, files: dict[str, bytes], path: str = "uv.lock", hosts: Sequence[str] = ()
) -> bytes:
    """Lock that uv writes for manifests; `source` publishes what it had then."""
    empty = Lock(path, LockFormat.UV, ())
    offers = VersionOffers(Ecosystem.PYPI, empty, AdvisoryIndex([]), LATER, CoolDown(0, 0))
    start = 'version = 1\nrevision = 5\nrequires-python = ">=3.11"\n' + "".join(_LOCKED.format(each) for each in hosts)
    offers.hosts = {f"from-{number}": frozenset({each}) for number, each in enumerate(hosts)}
    with UvResolver(empty, start.encode(), files, offers, source, find_uv()) as resolver:
        resolver.write_project(None)
        done = resolver.run_uv([])
        assert not done.code, done.err.decode()
        content = resolver.read_lock()
        assert content is not None
        return content
