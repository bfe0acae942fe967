"""python -m bench.run: fetching secrets, masking what a command prints, and starting one, each next to its peer."""

import json
import os
import random
import secrets
import select
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.measure import Row, command, medians, table
from muniment.errors import VaultError
from muniment.vault import engines, layout, vault_program
from muniment.vault.engines import SecretsEngine
from muniment.vault.masking import MASK, Masker
from muniment.vault.role_access import open_role
from muniment.vault.secret_forms import list_forms
from muniment.vault.vault_client import Session, Vault
from tests.support import vaults

PYTHON = sys.executable
KEYS = 20  # secrets of one environment: what is fetched, and what is masked
MANY = 900  # secrets whose forms are all looked for at once
LOG, SCREEN = 200 << 20, 60 << 20  # bytes
_PIECE = 1 << 16
WATCH = """
import json, sys
from muniment.vault import engines, masked_command
from muniment.vault.masking import Masker
values, engine, command = json.loads(sys.argv[1]), sys.argv[2], sys.argv[3:]
masker = Masker(values, getattr(engines, engine) if engine else None)
import os; sys.exit(masked_command.run_masked(command, os.environ, masker).code)
"""


def main() -> None:
    """Measure everything and print the table."""
    sys.stdout.write(table(rows()) + "\n")


def rows() -> list[Row]:
    """Everything about running a command with secrets."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        values = [secrets.token_urlsafe(24) for _ in range(KEYS)]
        many = [secrets.token_urlsafe(24) for _ in range(MANY)]
        log, screen = _log(folder / "log", LOG), _log(folder / "screen", SCREEN)
        return [
            _fetch(folder),
            _pipe(log, values, engines.create_ahocorasick_finder, ">= 0.18 x"),
            _pipe(log, values, engines.create_hyperscan_finder, ">= 0.5 x"),
            _many(screen, many, values, engines.create_ahocorasick_finder, ">= 0.5 x"),
            _many(screen, many, values, engines.create_hyperscan_finder, ">= 0.25 x"),
            _terminal(screen, values),
            _peer(screen.read_bytes(), values),
            _start(folder),
        ]


def _log(file: Path, size: int) -> Path:
    """Write a file like the log of a build: words, numbers, some of them indented."""
    chance = random.Random(1)
    words = [
        "building",
        "module",
        "[INFO]",
        "2026-11-24T20:37:04",
        "/usr/lib/python3",
        "ok",
        "warn",
        "error:",
        "0.123s",
    ]
    lines = [
        ("    " if chance.random() < 0.02 else "") + " ".join(chance.choices(words, k=chance.randint(3, 14))) + "\n"
        for _ in range(20_000)
    ]
    written = 0
    with file.open("wb") as log:
        while written < size:
            written += log.write("".join(chance.sample(lines, len(lines))).encode())
    return file


def _fetch(folder: Path) -> Row:
    with _dev(folder) as session:
        one = {f"NAME_{n}": secrets.token_urlsafe(24) for n in range(KEYS)}
        session.patch_secrets("shop", "all", dict(one))
        for name, value in one.items():
            session.patch_secrets("shop", name.lower().replace("_", "-"), {name: value})
        found = medians(
            {
                "ours": lambda: session.read_secrets("shop", "all"),
                "peer": lambda: [session.read_secrets("shop", name.lower().replace("_", "-")) for name in one],
            },
            51,
        )
    return Row(
        f"{KEYS} secrets from OpenBao",
        f"one read of one path ({found['ours'] * 1e3:.1f} ms)",
        f"{KEYS} reads of {KEYS} paths ({found['peer'] * 1e3:.1f} ms)",
        f"{found['peer'] / found['ours']:.1f} x faster",
        ">= 15 x",
    )


@contextmanager
def _dev(folder: Path) -> Iterator[Session]:
    """A vault in memory, and everything allowed there."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    token = secrets.token_hex(16)
    options = ["-dev", "-dev-no-store-token", f"-dev-root-token-id={token}", f"-dev-listen-address={address}"]
    with subprocess.Popen(
        [str(vault_program.find_vault_program(os.environ)), "server", *options],
        env={"PATH": os.environ["PATH"], "HOME": str(folder)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as server:
        session = Vault(f"http://{address}").use_token(token)
        try:
            _until(lambda: session.request("POST", f"sys/mounts/{layout.SECRETS}", _KV))
            _until(lambda: session.patch_secrets("shop", "first", {"A": "b"}))
            yield session
        finally:
            server.terminate()


_KV = {"type": "kv", "options": {"version": "2"}}


def _until(done: Callable[[], object]) -> None:
    for _ in range(200):
        try:
            done()
        except VaultError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("the vault never was ready")


def _watched(values: Sequence[str], engine: str, *arguments: str) -> list[str]:
    return [PYTHON, "-c", WATCH, json.dumps(values), engine, *arguments]


def _pipe(log: Path, values: Sequence[str], engine: SecretsEngine, bound: str) -> Row:
    def piped(*arguments: str) -> Callable[[], None]:
        return command("bash", "-c", '"$@" | cat > /dev/null', "-", *arguments)

    name = engine.__name__
    found = medians(
        {
            "ours": piped(*_watched(values, name, "cat", str(log))),
            "peer": piped(*_watched([], "", "cat", str(log))),
            "bare": piped("cat", str(log)),
        },
        9,
    )
    size = log.stat().st_size / 1e6
    return Row(
        f"a log of {size:.0f} MB through a pipe, {_forms(values)} forms",
        f"run -- cat LOG | cat, {name} ({size / found['ours']:.0f} MB/s)",
        f"the same, nothing to mask ({size / found['peer']:.0f} MB/s); cat LOG | cat: {size / found['bare']:.0f} MB/s",
        f"{found['peer'] / found['ours']:.2f} x",
        bound,
    )


def _terminal(log: Path, values: Sequence[str]) -> Row:
    found = medians(
        {
            "ours": lambda: _seen(_watched(values, engines.find_engine().__name__, "cat", str(log))),
            "peer": lambda: _seen(_watched([], "", "cat", str(log))),
            "script": lambda: _seen(["script", "-qec", f"cat {log}", "/dev/null"]),
        },
        5,
    )
    size = log.stat().st_size / 1e6
    return Row(
        f"a log of {size:.0f} MB at a terminal",
        f"run -- cat LOG ({size / found['ours']:.0f} MB/s)",
        f"the same, nothing to mask ({size / found['peer']:.0f} MB/s); script -qec 'cat LOG' /dev/null: "
        f"{size / found['script']:.0f} MB/s",
        f"{found['peer'] / found['ours']:.2f} x",
        ">= 0.7 x",
    )


def _seen(arguments: Sequence[str]) -> None:
    """Run it at a terminal that somebody reads as fast as they can."""
    master, slave = os.openpty()
    with subprocess.Popen(["setsid", "-c", "-w", *arguments], stdin=slave, stdout=slave, stderr=slave) as process:
        os.close(slave)
        while True:
            select.select([master], [], [])
            try:
                if not os.read(master, _PIECE):
                    break
            except OSError:
                break
        assert process.wait() == 0
    os.close(master)


def _peer(log: bytes, values: Sequence[str]) -> Row:
    """In pieces, as they come."""
    ours = Masker(values, engines.create_ahocorasick_finder)
    peer = PyAhoCorasick(values)
    pieces = [log[at : at + _PIECE] for at in range(0, len(log), _PIECE)]
    found = medians(
        {
            "ours": lambda: [ours.feed(piece) for piece in pieces],
            "peer": lambda: [peer.feed(piece) for piece in pieces],
        },
        5,
    )
    size = len(log) / 1e6
    return Row(
        f"masking alone, {_forms(values)} forms",
        f"Masker, ahocorasick_rs ({size / found['ours']:.0f} MB/s)",
        f"pyahocorasick, iter_long ({size / found['peer']:.0f} MB/s)",
        f"{found['peer'] / found['ours']:.1f} x faster",
        ">= 5 x",
    )


def _many(file: Path, many: Sequence[str], few: Sequence[str], engine: SecretsEngine, bound: str) -> Row:
    """How much slower the forms of many secrets are looked for than those of few."""
    log = file.read_bytes()
    pieces = [log[at : at + _PIECE] for at in range(0, len(log), _PIECE)]
    ours, peer = Masker(many, engine), Masker(few, engine)
    found = medians(
        {
            "ours": lambda: [ours.feed(piece) for piece in pieces],
            "peer": lambda: [peer.feed(piece) for piece in pieces],
        },
        5,
    )
    size = len(log) / 1e6
    return Row(
        f"masking alone, {len(many)} secrets, {_forms(many)} forms",
        f"Masker, {engine.__name__} ({size / found['ours']:.0f} MB/s)",
        f"the same, {len(few)} secrets, {_forms(few)} forms ({size / found['peer']:.0f} MB/s)",
        f"{found['peer'] / found['ours']:.2f} x",
        bound,
    )


class PyAhoCorasick:
    """The shortest masker that one would write with pyahocorasick: it holds back as much as the longest form."""

    def __init__(self, values: Sequence[str]) -> None:
        import ahocorasick

        self._automaton = ahocorasick.Automaton()
        found = {form.decode("latin-1") for value in values for form in list_forms(value)}
        for form in found:
            self._automaton.add_word(form, len(form))
        self._automaton.make_automaton()
        self._longest = max(map(len, found))
        self._held = ""

    def feed(self, data: bytes) -> bytes:
        """Mask a piece of output, and return the part that may be shown now."""
        text = self._held + data.decode("latin-1")
        pieces, done = [], 0
        for end, length in self._automaton.iter_long(text):
            pieces += [text[done : end + 1 - length], MASK.decode()]
            done = end + 1
        keep = max(done, len(text) - self._longest + 1)
        pieces.append(text[done:keep])
        self._held = text[keep:]
        return "".join(pieces).encode("latin-1")


def _start(folder: Path) -> Row:
    key = vaults.Key()
    entrance = vaults.by_runner(key)
    file = folder / "runner.key"
    file.write_bytes(key.pem)
    file.chmod(0o600)
    with vaults.running(folder / "home") as vault:
        vault.make((), (entrance,))
        vault.web.patch_secrets("shop", "plain", {f"NAME_{n}": secrets.token_urlsafe(24) for n in range(KEYS)})
        open_role(vault.worker, entrance, vaults.COMMIT)
        os.environ |= {
            "MUNIMENT_VAULT_URL": vault.server.address,
            "MUNIMENT_RUNNER_KEY": str(file),
            "MUNIMENT_COMMIT": vaults.COMMIT,
        }
        named = [text for n in range(KEYS) for text in ("--file", f"NAME_{n}")]
        ours = (PYTHON, "-m", "muniment", "run", "--product", "shop", "--env", "plain", *named, "--", "true")
        imports = "import click, msgspec, http.client, ssl, cryptography.hazmat.primitives.asymmetric.ec"
        found = medians(
            {"ours": command(*ours), "peer": command(PYTHON, "-c", imports), "bare": command(PYTHON, "-c", "pass")}, 15
        )
    return Row(
        f"start a command with {KEYS} secrets",
        f"muniment run -- true ({found['ours'] * 1e3:.0f} ms)",
        f'python -c "{imports}" ({found["peer"] * 1e3:.0f} ms); pass: {found["bare"] * 1e3:.0f} ms',
        f"+ {(found['ours'] - found['peer']) * 1e3:.0f} ms",
        "",
    )


def _forms(values: Sequence[str]) -> int:
    return len({form for value in values for form in list_forms(value)})


if __name__ == "__main__":
    main()
