"""A witness on loopback that follows the protocol, or whatever else answers there."""

import base64
import http.server
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from muniment.ledger import ledger_keys, proofs, signed_notes
from muniment.ledger.checkpoints import read_checkpoint
from muniment.store.settings import WitnessKey

PRIVATE = ledger_keys.generate_key("witness.example.test")[0]
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
        if old and not proofs.is_consistent(old, self.root, checkpoint.size, checkpoint.root, path):
            return 422, b""
        self.size, self.root = checkpoint.size, checkpoint.root
        return 200, signed_notes.make_cosignature(signed_notes.parse_note(data), PRIVATE, 1_700_000_000).encode()


@contextmanager
def serving(answer: Callable[[bytes], Answer]) -> Iterator[WitnessKey]:
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
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield WitnessKey(signed_notes.derive_cosigner_key(PRIVATE), f"http://127.0.0.1:{server.server_address[1]}/")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
