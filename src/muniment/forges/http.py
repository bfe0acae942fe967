"""One small HTTP client for all forges: bounded in time and size, on one host, and silent about its token.

- No redirect to another scheme, host or port is followed, and none of a request that changes something.
- Nothing is taken from the environment (no proxy, no .netrc) but SSL_CERT_FILE, the authorities that OpenSSL trusts.
- What cannot be had whole is a `ForgeError`. Its text names the method and path, never a header or a body.
- A list is complete only with proof: a total that it reaches, or a last page that says there is no next.
"""

import datetime
import ssl
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, Protocol
from urllib.parse import urlencode, urljoin, urlsplit

import msgspec
import requests
from msgspec import Struct

from muniment.errors import ForgeCode, ForgeError
from muniment.facts import moments
from muniment.forges.limits import Limits, again_at, exhausted, heard

_CONNECT_SECONDS = 5
_LARGEST = 16 << 20  # bytes of an answer
_MOST_PAGES = 200
_READINGS = 2  # of a list that is not proven complete
_MOST_REDIRECTS = 3
_PIECE = 1 << 16
_KEPT = 512  # answers that a cache in memory holds


class Answer(Struct, frozen=True):
    """What came back: `status`, headers by lower-case name, and the body, read to its end."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self, where: str) -> Any:
        """The body decoded. Raises MALFORMED."""
        try:
            return msgspec.json.decode(self.body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise malformed(where) from None


class Cache(Protocol):
    """Keeps answers with their validators (`ETag`), by address. What it lost costs a request and nothing else."""

    def get(self, key: str) -> tuple[str, Answer] | None:
        """The validator and the answer kept for it."""

    def put(self, key: str, validator: str, answer: Answer) -> None:
        """Keep an answer."""


class MemoryCache:
    """The newest answers, in this process."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, tuple[str, Answer]] = OrderedDict()

    def get(self, key: str) -> tuple[str, Answer] | None:
        """The validator and the answer kept for it."""
        return self._kept.get(key)

    def put(self, key: str, validator: str, answer: Answer) -> None:
        """Keep an answer, and forget the oldest."""
        self._kept[key] = (validator, answer)
        self._kept.move_to_end(key)
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)


class Proof(Enum):
    """What proves that a list is complete."""

    TOTAL = "total"  # a header says how many there are, and so many came
    LINK = "link"  # each page but the last links to the next
    WHOLE = "whole"  # one answer has everything, and a header says how many


TOTALS = ("x-total-count", "x-total")


class Client:
    """Speaks to one forge at `base` (`https://forge.example/api/v1`), sending `headers` (the token among them).

    `seconds`: how long one answer may take altogether.
    """

    def __init__(
        self,
        base: str,
        headers: Callable[[], Mapping[str, str]],
        *,
        seconds: float = 15,
        cache: Cache | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        parts = urlsplit(base)
        if parts.scheme not in ("https", "http") or not parts.hostname or parts.username or parts.password:
            raise ForgeError(
                ForgeCode.UNREACHABLE, "this is no address of a forge", "Write it like https://forge.example.com."
            )
        self.base = base.rstrip("/")
        self._origin = _origin(self.base)
        self._headers = headers
        self._seconds = seconds
        self._cache = cache or MemoryCache()
        self._clock = clock
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = ssl.get_default_verify_paths().cafile or True
        self.limits = Limits()
        self.asked = 0  # requests sent, for measuring

    def __repr__(self) -> str:
        return f"Client({self.base!r})"

    def get(self, path: str, **query: Any) -> Any:
        """The JSON at `path`, which may come from the cache if the forge says that it is still so."""
        return self.fetch(path, query).json(path)

    def fetch(self, path: str, query: Mapping[str, Any] | None = None) -> Answer:
        """The same with its headers."""
        url = self._url(path, query or {})
        kept = self._cache.get(url)
        answer = self._send("GET", url, None, {"If-None-Match": kept[0]} if kept else {})
        if answer.status == 304 and kept:
            return kept[1]
        self._insist("GET", path, answer)
        validator = answer.headers.get("etag", "")
        if validator:
            self._cache.put(url, validator, answer)
        return answer

    def send(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        """Change something; the JSON of the answer, None if it has no body. It is never repeated by itself."""
        answer = self._send(method, self._url(path, query), body, {})
        self._insist(method, path, answer)
        return answer.json(path) if answer.body.strip() else None

    def listed(
        self,
        path: str,
        proof: Proof,
        *,
        size: int = 50,
        sized: str = "limit",
        until: Callable[[Any], bool] | None = None,
        **query: Any,
    ) -> tuple[Any, ...]:
        """All items of a list, page after page. Raises TRUNCATED unless `proof` shows that none is missing.

        An item that `until` holds for is the last one wanted: the list ends with it, and needs no further proof. A list
        that grew while it was read is read once more.
        """
        found: tuple[Any, ...] = ()
        for _ in range(_READINGS):
            sizes = {} if proof is Proof.WHOLE else {sized: size}
            found, complete = self._listed(path, proof, {**query, **sizes}, until)
            if complete:
                return found
        raise truncated(path, len(found))

    def _listed(
        self, path: str, proof: Proof, query: Mapping[str, Any], until: Callable[[Any], bool] | None
    ) -> tuple[tuple[Any, ...], bool]:
        """What came, and whether it is proven complete."""
        found: list[Any] = []
        totals: set[str] = set()
        whole = proof is Proof.WHOLE
        url = self._url(path, query if whole else {**query, "page": 1})
        for number in range(2, _MOST_PAGES + 2):
            answer = self.fetch(url)
            items = _items(answer, path)
            last = next((at for at, item in enumerate(items) if until is not None and until(item)), None)
            if last is not None:
                return (*found, *items[: last + 1]), True
            found += items
            totals.update(answer.headers[name] for name in TOTALS if name in answer.headers)
            complete = totals == {str(len(found))}
            if proof is Proof.LINK:
                url = next_page(answer.headers.get("link", ""))
                if not url:
                    return tuple(found), True
            elif complete:
                return tuple(found), True
            elif whole or not items:
                break
            else:
                url = self._url(path, {**query, "page": number})
        return tuple(found), False

    def _url(self, path: str, query: Mapping[str, Any]) -> str:
        url = path if path.startswith(("https://", "http://")) else f"{self.base}/{path.lstrip('/')}"
        if _origin(url) != self._origin:
            raise ForgeError(
                ForgeCode.REDIRECTED, "the forge points to another host", "Check the forge's own root address."
            )
        given = {key: _text(value) for key, value in query.items() if value not in ("", None)}
        return f"{url}?{urlencode(given)}" if given else url

    def _send(self, method: str, url: str, body: Any, more: Mapping[str, str]) -> Answer:
        deadline = time.monotonic() + self._seconds
        for _ in range(_MOST_REDIRECTS + 1):
            answer = self._once(method, url, body, more, deadline)
            self.limits = heard(answer.headers, self.limits)
            if answer.status not in (301, 302, 303, 307, 308):
                return answer
            target = urljoin(url, answer.headers.get("location", ""))
            if method != "GET" or _origin(target) != self._origin:
                break
            url = target
        raise ForgeError(
            ForgeCode.REDIRECTED,
            f"{method} {_path(url)} was sent elsewhere by the forge",
            "Give the address that the forge has now.",
        )

    def _once(self, method: str, url: str, body: Any, more: Mapping[str, str], deadline: float) -> Answer:
        self.asked += 1
        data = None if body is None else msgspec.json.encode(body)
        headers = {"Accept": "application/json", **self._headers(), **more}
        if data is not None:
            headers["Content-Type"] = "application/json"
        left = max(0.01, deadline - time.monotonic())
        try:
            with self._session.request(
                method,
                url,
                data=data,
                headers=headers,
                timeout=(min(_CONNECT_SECONDS, left), left),
                allow_redirects=False,
                stream=True,
            ) as response:
                return Answer(
                    response.status_code,
                    {name.lower(): value for name, value in response.headers.items()},
                    _body(response, deadline, f"{method} {_path(url)}"),
                )
        except requests.Timeout:
            raise _late(f"{method} {_path(url)}") from None
        except (requests.RequestException, ValueError) as error:
            raise _unreachable(method, url, type(error).__name__) from None

    def _insist(self, method: str, path: str, answer: Answer) -> None:
        """Raises the ForgeError of an answer that is none."""
        if 200 <= answer.status < 300:
            return
        what = f"{method} {_path(path)}"
        if answer.status == 429 or (answer.status == 403 and exhausted(answer.headers)):
            again = again_at(answer.headers, self._clock())
            raise ForgeError(
                ForgeCode.RATE_LIMITED,
                f"the forge's rate limit is used up ({what})",
                f"It is asked again {'at ' + again if again else 'later'}; until then nothing new is allowed.",
                again,
            )
        code, says, remedy = _STATUS.get(answer.status, _FAILED if answer.status >= 500 else _REFUSED)
        raise ForgeError(code, f"{what}: {says} ({answer.status})", remedy)


_FAILED = (ForgeCode.FAILED, "the forge failed", "Look at the forge's own log; it is asked again.")
_REFUSED = (ForgeCode.REFUSED, "the forge refused", "Look at the forge's page of that repository.")
_STATUS = {
    401: (ForgeCode.NOT_SIGNED_IN, "the token is not accepted", "Make a new token and connect again."),
    403: (ForgeCode.FORBIDDEN, "the token may not do this", "Give our account the permission that is missing."),
    404: (ForgeCode.NOT_FOUND, "it is not there, or hidden from this token", "Check the name, and what the token may."),
    405: (ForgeCode.REFUSED, "the forge cannot do this now", "Look at the forge's page of that repository."),
}


def malformed(where: str) -> ForgeError:
    """The error for an answer of another form."""
    return ForgeError(
        ForgeCode.MALFORMED,
        f"the answer of {_path(where)} is of another form",
        "Check that the address is the forge's, and its version.",
    )


def elsewhere(path: str) -> ForgeError:
    """The error for a repository that is another one than had this path before: renamed, moved, or made anew."""
    return ForgeError(
        ForgeCode.REDIRECTED,
        f"{path} is another repository by now",
        "What the connection sees is read again, and finds it under its new name.",
    )


def moment(text: Any, where: str) -> str:
    """A moment as forges write it (RFC 3339), in our form. Raises MALFORMED."""
    try:
        return moments.text(datetime.datetime.fromisoformat(text))
    except (TypeError, ValueError):
        raise malformed(where) from None


def truncated(where: str, count: int) -> ForgeError:
    """The error for a list that may lack something."""
    return ForgeError(
        ForgeCode.TRUNCATED,
        f"the list at {_path(where)} is not known to be complete ({count} came)",
        "It is read again; if it stays so, tell who runs the forge.",
    )


def _body(response: requests.Response, deadline: float, what: str) -> bytes:
    pieces = bytearray()
    for piece in response.iter_content(_PIECE):
        pieces += piece
        if len(pieces) > _LARGEST:
            raise ForgeError(
                ForgeCode.TOO_LARGE, f"{what} answers more than {_LARGEST >> 20} MiB", "Ask who runs the forge."
            )
        if time.monotonic() > deadline:
            raise _late(what)
    return bytes(pieces)


def _late(what: str) -> ForgeError:
    return ForgeError(ForgeCode.TIMED_OUT, f"{what} took too long", "It is asked again; look at how busy the forge is.")


def _unreachable(method: str, url: str, kind: str) -> ForgeError:
    return ForgeError(
        ForgeCode.UNREACHABLE,
        f"{method} {_path(url)} got no answer ({kind})",
        "Check the address, the network, and the forge's certificate.",
    )


def _origin(url: str) -> tuple[str, str, int]:
    parts = urlsplit(url)
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        port = -1
    return parts.scheme, (parts.hostname or "").lower(), port


def _path(url: str) -> str:
    """An address without its query, which may hold what nobody else should read."""
    return urlsplit(url).path or "/"


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def next_page(link: str) -> str:
    """The address of `rel="next"` in a Link header (RFC 8288)."""
    for part in link.split(","):
        address, *parameters = (piece.strip() for piece in part.split(";"))
        if 'rel="next"' in parameters and address[:1] == "<" and address[-1:] == ">":
            return address[1:-1]
    return ""


def _items(answer: Answer, path: str) -> list[Any]:
    items = answer.json(path)
    if items is None:  # how some forges write an empty list
        return []
    if not isinstance(items, list):
        raise malformed(path)
    return items
