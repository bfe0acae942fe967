"""Muniment's service as a pipeline sees it: a fake with a failure switch for each request."""

import http.server
import json
import threading
from typing import Any

from muniment.facts import moments
from muniment.ledger import ledger_keys
from muniment.pipelines import verification_summaries

ARTIFACT = "sha256:" + "a" * 64
PRIVATE, PUBLIC = ledger_keys.generate_key("muniment.example.test")
REASON = {"clause": "review.two-reviewers", "message": "one person is missing", "remedy": "Ask Bob."}


class FakeService:
    """Fake of Muniment's service with preset answers for deployments and runs, which records requests."""

    def __init__(self) -> None:
        self.states = ["pending", "allowed"]
        self.fails: set[str] = set()
        self.asked: list[tuple[str, str, Any]] = []
        service = self

        class Answer(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.answer(None)

            def do_POST(self) -> None:
                self.answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

            def answer(self, body: Any) -> None:
                last = self.path.rpartition("/")[2]
                service.asked.append((self.command, self.path, body))
                assert self.headers["Authorization"].startswith("Bearer eyJ")
                if last in service.fails:
                    return self.send(503, {"detail": "it is being repaired"})
                if last in ("deployments", "runs"):
                    assert self.headers["Idempotency-Key"]
                    return self.send(202, {"id": 7, "state": "pending"})
                if last == "fetched":
                    return self.send(200, {"id": 7, "open": False})
                if last == "withdrawal":
                    return self.send(202, {"id": 7})
                if last == "outcome":
                    return self.send(202, {"id": 7, "state": body["state"]})
                state = service.states.pop(0) if len(service.states) > 1 else service.states[0]
                return self.send(200, service.standing(state))

            def send(self, status: int, body: Any) -> None:
                self.send_response(status)
                self.end_headers()
                self.wfile.write(json.dumps(body).encode())

            def log_message(self, *_: object) -> None:
                """Discard log messages."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def standing(self, state: str) -> dict[str, Any]:
        now = moments.format_moment(moments.parse_moment("2026-11-24T09:00:00.000000Z"))
        permission = verification_summaries.VerifiedPermission(
            ARTIFACT, "shop", "plain", "sha256:" + "b" * 64, (), "muniment.example.test", now
        )
        return {
            "id": 7,
            "state": state,
            "reasons": [REASON] if state == "denied" else [],
            "vsa": json.loads(verification_summaries.sign_permission(permission, PRIVATE))
            if state == "allowed"
            else None,
            "until": now,
        }

    @property
    def reported_outcomes(self) -> list[Any]:
        return [body for _, path, body in self.asked if path.endswith("/outcome")]
