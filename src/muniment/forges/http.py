"""The client of all forges, over the one HTTP client: answers in JSON, kept with their validators, and whole lists.

- What cannot be had whole is a `ForgeError`. Its text names the method and path, never a header or a body.
- A list is complete only with proof: a total that it reaches, or a last page that says there is no next.
"""

import datetime
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlencode, urlsplit

import msgspec

from muniment.errors import ForgeCode, ForgeError, HttpCode, HttpError
from muniment.facts import moments
from muniment.http import client as http
from muniment.http.connections import Response
from muniment.http.rate_limits import Limiter, MemoryStore, RateLimit, RateLimitStore

_LARGEST = 16 << 20  # bytes of an answer
_MOST_PAGES = 200
_READINGS = 2  # of a list that is not proven complete
_MOST_REDIRECTS = 3
_REUSE = 4  # connections
REST = "rest"  # the resource of most requests, as rate limits name it
_KEPT = 512  # answers that a cache in memory holds


class Cache(Protocol):
    """Keeps answers with their validators (`ETag`), by address. What it lost costs a request and nothing else."""

    def get(self, key: str) -> tuple[str, Response] | None:
        """The validator and the answer kept for it."""

    def put(self, key: str, validator: str, answer: Response) -> None:
        """Keep an answer."""


class MemoryCache:
    """The newest answers, in this process."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, tuple[str, Response]] = OrderedDict()

    def get(self, key: str) -> tuple[str, Response] | None:
        """The validator and the answer kept for it."""
        return self._kept.get(key)

    def put(self, key: str, validator: str, answer: Response) -> None:
        """Keep an answer, and forget the oldest."""
        self._kept[key] = (validator, answer)
        self._kept.move_to_end(key)
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)


class Transport(NamedTuple):
    """How a forge is asked: by which `proxy` (`http.proxies`), with what processes share of answers and rate limits.

    `clock`: seconds since 1970, by which a refusal of the rate limit ends.
    """

    cache: Cache | None = None
    limits: RateLimitStore | None = None
    proxy: str = ""
    clock: Callable[[], float] = time.time

    def share_limits(self) -> "Transport":
        """The same for several clients of one account: in one process, if nobody says where limits are shared."""
        return self if self.limits is not None else self._replace(limits=MemoryStore())


ALONE = Transport()


class Proof(Enum):
    """What proves that a list is complete."""

    TOTAL = "total"  # a header says how many there are, and so many came
    LINK = "link"  # each page but the last links to the next
    WHOLE = "whole"  # one answer has everything, and a header says how many


TOTALS = ("x-total-count", "x-total")


class Client:
    """Speaks to one forge at `base` (`https://forge.example/api/v1`), sending `headers` (the token among them).

    `seconds`: how long one answer may take altogether. `resource`: what the forge counts by itself in its rate limits.
    """

    def __init__(
        self,
        base: str,
        headers: Callable[[], Mapping[str, str]],
        *,
        seconds: float = 15,
        transport: Transport = ALONE,
        resource: str = REST,
    ) -> None:
        """Raises ForgeError for an address that is none."""
        store = transport.limits if transport.limits is not None else MemoryStore()
        self._limiter = Limiter(store, resource, transport.clock)
        try:
            self._http = http.Client(
                base,
                seconds=seconds,
                largest=_LARGEST,
                headers=headers,
                redirects=_MOST_REDIRECTS,
                plain=True,
                proxy=transport.proxy,
                reuse=_REUSE,
                limiter=self._limiter,
            )
        except HttpError as error:
            told = f"this is no address of a forge: {error.message}"
            raise ForgeError(ForgeCode.UNREACHABLE, told, "Write it like https://forge.example.com.") from None
        self.base = base.rstrip("/")
        self.resource = resource
        self._cache = transport.cache or MemoryCache()
        self.asked = 0  # requests sent, for measuring

    def __repr__(self) -> str:
        return f"Client({self.base!r})"

    def get(self, path: str, **query: Any) -> Any:
        """The JSON at `path`, which may come from the cache if the forge says that it is still so."""
        return decode_json(self.fetch(path, query), path)

    def limits(self) -> Mapping[str, RateLimit]:
        """All rate limits of our account as last told, by resource; asks nothing."""
        return self._limiter.all_limits()

    def refuse(self, headers: Mapping[str, str], what: str) -> ForgeError:
        """Keep that an answer was a refusal by the rate limit although its status is not; the error for it."""
        return _failure(self._limiter.refuse(self._http.address.origin, headers), what)

    def fetch(self, path: str, query: Mapping[str, Any] | None = None) -> Response:
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
        answer = self.post(method, path, body, **query)
        return decode_json(answer, path) if answer.body.strip() else None

    def post(self, method: str, path: str, body: Any = None, **query: Any) -> Response:
        """The same with its headers."""
        answer = self._send(method, self._url(path, query), body, {})
        self._insist(method, path, answer)
        return answer

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
        given = {key: _text(value) for key, value in query.items() if value not in ("", None)}
        url = path if path.startswith(("https://", "http://")) else f"{self.base}/{path.lstrip('/')}"
        return f"{url}?{urlencode(given)}" if given else url

    def _send(self, method: str, url: str, body: Any, more: Mapping[str, str]) -> Response:
        self.asked += 1
        data = None if body is None else msgspec.json.encode(body)
        headers = {"Accept": "application/json", **more}
        if data is not None:
            headers["Content-Type"] = "application/json"
        try:
            return self._http.request(method, url, data, headers)
        except HttpError as error:
            raise _failure(error, f"{method} {_path(url)}") from None

    def _insist(self, method: str, path: str, answer: Response) -> None:
        """Raises the ForgeError of an answer that is none."""
        if 200 <= answer.status < 300:
            return
        code, says, remedy = _STATUS.get(answer.status, _FAILED if answer.status >= 500 else _REFUSED)
        raise ForgeError(code, f"{method} {_path(path)}: {says} ({answer.status})", remedy)


# What concerns a connection, so that nothing else of it would fare better.
CONCERNS_ALL = (ForgeCode.NOT_SIGNED_IN, ForgeCode.UNREACHABLE, ForgeCode.TIMED_OUT, ForgeCode.RATE_LIMITED)

_FAILED = (ForgeCode.FAILED, "the forge failed", "Look at the forge's own log; it is asked again.")
_REFUSED = (ForgeCode.REFUSED, "the forge refused", "Look at the forge's page of that repository.")
_STATUS = {
    401: (ForgeCode.NOT_SIGNED_IN, "the token is not accepted", "Make a new token and connect again."),
    403: (ForgeCode.FORBIDDEN, "the token may not do this", "Give our account the permission that is missing."),
    404: (ForgeCode.NOT_FOUND, "it is not there, or hidden from this token", "Check the name, and what the token may."),
    405: (ForgeCode.REFUSED, "the forge cannot do this now", "Look at the forge's page of that repository."),
}


# What failed before there was an answer: the code, what is said after the request, and what to do.
_UNREACHABLE = (
    ForgeCode.UNREACHABLE,
    "got no answer",
    "Check the address, the network, and the forge's certificate.",
)
_WITHOUT_ANSWER = {
    HttpCode.TIMED_OUT: (ForgeCode.TIMED_OUT, "took too long", "It is asked again; look at how busy the forge is."),
    HttpCode.TOO_LARGE: (ForgeCode.TOO_LARGE, f"answers more than {_LARGEST >> 20} MiB", "Ask who runs the forge."),
    HttpCode.REDIRECTED: (
        ForgeCode.REDIRECTED,
        "leads to an address of another host",
        "Check the forge's root address. A renamed repository is found when the connection is read again.",
    ),
    HttpCode.MALFORMED: (ForgeCode.MALFORMED, "is not answered in HTTP", "Check that the address is the forge's."),
    HttpCode.REQUEST: (ForgeCode.REFUSED, "cannot be asked", "See that names and the token have no line breaks."),
}


def _failure(error: HttpError, what: str) -> ForgeError:
    """What it means for the forge that a request got no answer."""
    if error.code is HttpCode.RATE_LIMITED:
        again = error.again_at
        return ForgeError(
            ForgeCode.RATE_LIMITED,
            f"the forge's rate limit is used up ({what})",
            f"It is asked again {'at ' + again if again else 'later'}; until then nothing new is allowed.",
            again,
        )
    code, says, remedy = _WITHOUT_ANSWER.get(error.code, _UNREACHABLE)
    told = f"{what} {says}" if error.code in _WITHOUT_ANSWER else f"{what} {says}: {error.message}"
    return ForgeError(code, told, error.remedy if error.code is HttpCode.PROXY else remedy)


def decode_json(answer: Response, where: str) -> Any:
    """The body decoded. Raises MALFORMED."""
    try:
        return msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise malformed(where) from None


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
        "It is read again; if this continues, inform the operator of the forge.",
    )


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


def _items(answer: Response, path: str) -> list[Any]:
    items = decode_json(answer, path)
    if items is None:  # how some forges write an empty list
        return []
    if not isinstance(items, list):
        raise malformed(path)
    return items
