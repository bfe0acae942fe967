"""Manifests of an npm workspace as its resolver gets them: what shapes the resolution, and nothing else.

Left out are scripts and every setting of `.npmrc` but `legacy-peer-deps` and the registries of scopes whose hosts the
lock has. Credentials are never among them. Source: https://docs.npmjs.com/cli/configuring-npm/package-json
"""

import json
import re
from collections.abc import Collection

from muniment.updates.lock_values import decode_lock_json, decode_text, find_registry_host

_KEPT = (
    "name",
    "version",
    "private",
    "license",
    "bin",
    "bundleDependencies",
    "bundledDependencies",
    "cpu",
    "dependencies",
    "devDependencies",
    "engines",
    "funding",
    "optionalDependencies",
    "os",
    "overrides",
    "peerDependencies",
    "peerDependenciesMeta",
    "workspaces",
)
_SCOPE = re.compile(r"@[a-z0-9._~-]+:registry\s*=\s*https://[A-Za-z0-9.-]+(?:/[A-Za-z0-9._/~-]*)?")
_PEERS = re.compile(r"legacy-peer-deps\s*=\s*(?:true|false)")


def reduce_package_json(content: bytes) -> bytes:
    """Content of a package.json with only what shapes the resolution. Raises LockFormatError."""
    document = decode_lock_json(content)
    return json.dumps({key: document[key] for key in _KEPT if key in document}, indent=2).encode()


def reduce_npmrc(content: bytes, hosts: Collection[str]) -> bytes:
    """Lines of an .npmrc that shape the resolution. Raises LockFormatError."""
    lines = [line.strip() for line in decode_text(content).splitlines()]
    return "".join(f"{line}\n" for line in lines if _shapes_resolution(line, hosts)).encode()


def _shapes_resolution(line: str, hosts: Collection[str]) -> bool:
    if _SCOPE.fullmatch(line):
        return find_registry_host(line.partition("=")[2].strip()) in hosts
    return _PEERS.fullmatch(line) is not None
