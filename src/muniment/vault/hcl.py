"""OpenBao's configuration, written: HCL, since from JSON it reads some stanzas otherwise."""

import json
from collections.abc import Iterable, Sequence

from muniment.vault.vault_resources import VaultResource


def format_server(*, store: str, socket: str, audits: Sequence[str], seal: str, listener: str) -> str:
    """Format the server's configuration. `seal` is a file with the 32 bytes that unseal it; `listener` one more stanza,
    or "".

    `audits` are the files of its audit devices: each gets every entry.
    """
    devices = "".join(
        f'audit "file" "muniment-{number}" {{\n  options {{ file_path = {_format_value(path)} mode = "0640" }}\n}}\n'
        for number, path in enumerate(audits, 1)
    )
    return f"""# Written by Muniment at each start.
storage "pebbledb" {{ path = {_format_value(store)} }}
listener "unix" {{ address = {_format_value(socket)} }}
{listener}
seal "static" {{
  current_key_id = "muniment-1"
  current_key = {_format_value("file://" + seal)}
}}
{devices}api_addr = {_format_value("unix://" + socket)}
disable_clustering = true
ui = false
"""


def format_listener(host: str, port: int, certificate: str, key: str) -> str:
    """Format a listener for pipelines; without TLS if there is no certificate."""
    tls = (
        f"tls_cert_file = {_format_value(certificate)}\n  tls_key_file = {_format_value(key)}\n"
        '  tls_min_version = "tls12"'
        if certificate
        else "tls_disable = true"
    )
    return f'listener "tcp" {{\n  address = {_format_value(f"{host}:{port}")}\n  {tls}\n}}'


def format_initialization(pieces: Iterable[VaultResource]) -> str:
    """Format the requests that the server performs on itself at its very first start, and never again."""
    requests = "".join(
        f'request "r{number}" {{\n  operation = "update"\n  path = {_format_value(piece.path)}\n'
        f"  data = {_format_value(piece.data)}\n}}\n"
        for number, piece in enumerate(pieces)
    )
    return f'initialize "muniment" {{\n{requests}}}\n'


def _format_value(value: object) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_format_value(name)} = {_format_value(one)}" for name, one in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_format_value, value)) + "]"
    return json.dumps(value)
