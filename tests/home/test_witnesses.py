"""A witness on loopback that follows the protocol, and some that do not."""

import base64
import http.server
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from muniment.errors import HomeError, LedgerError
from muniment.home.settings import Witness
from muniment.home.witnesses import ask
from muniment.ledger import keys, notes, proofs
from muniment.ledger.checkpoints import read_checkpoint
from tests.ledger.stored import Stored, numbered

PRIVATE = keys.generate("witness.example.test")[0]
Answer = tuple[int, bytes]


class Honest:
    """Remembers what it signed, and signs only what grew out of it (C2SP tlog-witness)."""

    def __init__(self, public: str) -> None:
        self.public = public
        self.size, self.root = 0, b""

    def __call__(self, body: bytes) -> Answer:
        head, _, data = body.partition(b"\n\n")
        first, *lines = head.decode().split("\n")
        checkpoint = read_checkpoint(data, self.public)
        old = int(first.removeprefix("old "))
        if old != self.size:
            return 409, f"{self.size}\n".encode()
        path = tuple(base64.b64decode(line) for line in lines)
        if old and not proofs.check_consistency(old, self.root, checkpoint.size, checkpoint.root, path):
            return 422, b""
        self.size, self.root = checkpoint.size, checkpoint.root
        return 200, notes.cosign(notes.parse(data), PRIVATE, 1_700_000_000).encode()


@contextmanager
def serving(answer: Callable[[bytes], Answer]) -> Iterator[Witness]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            code, body = answer(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(code)
            self.send_header("Content-Length", str(len(body)))
            if code == 302:
                self.send_header("Location", "http://127.0.0.1:1/")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Silence."""

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield Witness(notes.cosigner(PRIVATE), f"http://127.0.0.1:{server.server_address[1]}/")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def asked(stored: Stored, witness: Witness) -> str:
    prove = lambda old: proofs.consistency(stored.files.get, stored.size, old)  # noqa: E731 -- one line
    return ask(witness, stored.checkpoint, stored.size, prove)


def test_it_signs_what_grew_out_of_what_it_signed() -> None:
    stored = Stored(numbered(5))
    with serving(Honest(stored.public)) as witness:
        for more in (0, 3, 300):
            stored.append([b"more"] * more)
            note = notes.parse(notes.with_signatures(stored.checkpoint, asked(stored, witness)))
            assert notes.cosigned(note, witness.key) == 1_700_000_000


def test_an_older_ledger_is_found_out() -> None:
    stored = Stored(numbered(5))
    honest = Honest(stored.public)
    honest.size = 9
    with serving(honest) as witness, pytest.raises(LedgerError, match="has seen 9 entries, and this ledger has 5"):
        asked(stored, witness)


def test_a_forked_one_is_refused() -> None:
    stored = Stored(numbered(5))
    honest = Honest(stored.public)
    honest.size, honest.root = 3, b"x" * 32
    with serving(honest) as witness, pytest.raises(HomeError, match="answered 422"):
        asked(stored, witness)


OTHER = keys.generate("witness.example.test")[0]


@pytest.mark.parametrize(
    ("code", "body"),
    [
        (200, b""),
        (200, b"nonsense"),
        (200, b"x" * 100_000),
        (200, notes.cosign(notes.Note("other\n", ()), PRIVATE, 1).encode()),
        (200, notes.cosign(notes.Note("other\n", ()), OTHER, 1).encode()),
        (409, b"many"),
        (302, b""),
        (500, b""),
    ],
    ids=["empty", "nonsense", "endless", "of another note", "by another", "conflict", "elsewhere", "broken"],
)
def test_one_that_lies_signs_nothing(code: int, body: bytes) -> None:
    with serving(lambda _: (code, body)) as witness, pytest.raises((HomeError, LedgerError)):
        asked(Stored(numbered(5)), witness)


def test_one_that_is_away() -> None:
    with serving(lambda _: (200, b"")) as witness:
        gone = witness
    with pytest.raises(HomeError, match="cannot be reached"):
        asked(Stored(numbered(5)), gone)
