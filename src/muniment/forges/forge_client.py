"""The client of all forges, over the one HTTP client: JSON answers, cached with their validators, and complete lists.

- An answer that is incomplete or fails is a `ForgeError`. Its text names the method and path, never a header or a body.
- A list is complete only with proof: a total that it reaches, or a last page without a link to a next.
"""

import datetime
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from enum import Enum
from typing import NamedTuple, Protocol, TypeVar
from urllib.parse import urlencode, urlsplit

import msgspec

from muniment.errors import ForgeCode, ForgeError, HttpCode, HttpError
from muniment.facts import moments
from muniment.http import client as http
from muniment.http.connections import Response
from muniment.http.rate_limits import MemoryRateLimitStore, RateLimit, RateLimiter, RateLimitStore

Decoded = TypeVar("Decoded")
_LARGEST = 16 << 20  # bytes of an answer
_MOST_PAGES = 200
_MOST_READS = 2  # of a list that is not proven complete
_MOST_REDIRECTS = 3
_REUSED_CONNECTIONS = 4  # connections
REST_RESOURCE = "rest"  # the resource of most requests, as rate limits name it
QueryValue = str | int | bool | None  # "" and None leave a parameter out
_MOST_CACHED = 512  # answers that a cache in memory holds
_MOST_PLAIN = 10_000  # addresses


class ResponseCache(Protocol):
    """Cache of answers with their validators (`ETag`), by address. A lost answer costs one request."""

    def get_response(self, key: str) -> tuple[str, Response] | None:
        """Validator and answer that are cached for a key."""

    def put_response(self, key: str, validator: str, answer: Response) -> None:
        """Cache an answer with its validator."""


class MemoryResponseCache:
    """Cache of the newest answers, in this process."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, tuple[str, Response]] = OrderedDict()

    def get_response(self, key: str) -> tuple[str, Response] | None:
        """Validator and answer that are cached for a key."""
        return self._kept.get(key)

    def put_response(self, key: str, validator: str, answer: Response) -> None:
        """Cache an answer, and drop the oldest."""
        self._kept[key] = (validator, answer)
        self._kept.move_to_end(key)
        if len(self._kept) > _MOST_CACHED:
            self._kept.popitem(last=False)


class Transport(NamedTuple):
    """Connection settings of a forge: `proxy` (`http.proxies`), and the answers and rate limits that processes share.

    `clock`: seconds since 1970, by which a refusal of the rate limit ends.
    """

    cache: ResponseCache | None = None
    limits: RateLimitStore | None = None
    proxy: str = ""
    clock: Callable[[], float] = time.time

    def share_limits(self) -> "Transport":
        """A copy for several clients of one account: rate limits are shared in this process, if nowhere else."""
        return self if self.limits is not None else self._replace(limits=MemoryRateLimitStore())


UNSHARED_TRANSPORT = Transport()


class CompletenessProof(Enum):
    """Proof that a list is complete."""

    TOTAL = "total"  # a header says how many there are, and so many came
    LINK = "link"  # each page but the last links to the next
    WHOLE = "whole"  # one answer has everything, and a header says how many


TOTAL_HEADERS = ("x-total-count", "x-total")


class ForgeClient:
    """Client of one forge at `base` (`https://forge.example/api/v1`), sending `headers` (the token among them).

    `seconds`: time limit of one answer altogether. `resource`: name under which the forge counts rate limits.
    """

    def __init__(
        self,
        base: str,
        headers: Callable[[], Mapping[str, str]],
        *,
        seconds: float = 15,
        transport: Transport = UNSHARED_TRANSPORT,
        resource: str = REST_RESOURCE,
    ) -> None:
        """Raises ForgeError for an invalid address."""
        store = transport.limits if transport.limits is not None else MemoryRateLimitStore()
        self._limiter = RateLimiter(store, resource, transport.clock)
        try:
            self._http = http.HttpClient(
                base,
                seconds=seconds,
                largest=_LARGEST,
                headers=headers,
                redirects=_MOST_REDIRECTS,
                plain=True,
                proxy=transport.proxy,
                reuse=_REUSED_CONNECTIONS,
                limiter=self._limiter,
            )
        except HttpError as error:
            problem = f"this is no address of a forge: {error.message}"
            raise ForgeError(ForgeCode.UNREACHABLE, problem, "Write it like https://forge.example.com.") from None
        self._headers = headers
        self.base = base.rstrip("/")
        self.resource = resource
        self._cache = transport.cache or MemoryResponseCache()
        self._plain: set[str] = set()  # addresses whose last answer had no validator: nothing is looked up for them
        self.asked = 0  # requests sent, for measuring

    def __repr__(self) -> str:
        return f"Client({self.base!r})"

    def get_json(self, path: str, **query: QueryValue) -> object:
        """JSON at `path`, from the cache if the forge confirms that it is unchanged."""
        return decode_body(object, self.fetch_response(path, query), path)

    def read_one(self, kind: type[Decoded], path: str, **query: QueryValue) -> Decoded:
        """Answer at `path`, decoded as `kind`; cached like `get_json`. Raises MALFORMED for one of another form."""
        return decode_body(kind, self.fetch_response(path, query), path)

    def get_rate_limits(self) -> Mapping[str, RateLimit]:
        """Rate limits of our account as last returned, by resource. Sends no request."""
        return self._limiter.get_rate_limits()

    def record_refusal(self, headers: Mapping[str, str], request: str) -> ForgeError:
        """Record that an answer was a refusal by the rate limit although its status is not; the error for it."""
        return _convert_error(self._limiter.record_refusal(self._http.address.origin, headers), request)

    def fetch_response(self, path: str, query: Mapping[str, QueryValue] | None = None) -> Response:
        """Answer at `path` with its headers, from the cache if the forge confirms that it is unchanged."""
        url = self._build_url(path, query or {})
        cached = self._cache.get_response(url) if url not in self._plain else None
        answer = self._send_request("GET", url, None, {"If-None-Match": cached[0]} if cached else {})
        if answer.status == 304 and cached:
            return cached[1]
        self._require_success("GET", path, answer)
        validator = answer.headers.get("etag", "")
        if validator:
            self._cache.put_response(url, validator, answer)
            self._plain.discard(url)
        elif len(self._plain) < _MOST_PLAIN:
            self._plain.add(url)
        return answer

    def send_json(self, method: str, path: str, body: object = None) -> object:
        """Send a change; the JSON of the answer, None if it has no body. Never repeated automatically."""
        answer = self.send_for_response(method, path, body)
        return decode_body(object, answer, path) if answer.body.strip() else None

    def send_and_read(self, kind: type[Decoded], method: str, path: str, body: object = None) -> Decoded:
        """Send a change; the answer, decoded as `kind`. Raises MALFORMED for one of another form."""
        return decode_body(kind, self.send_for_response(method, path, body), path)

    def send_for_response(self, method: str, path: str, body: object = None) -> Response:
        """Send a change; the answer with its headers. Never repeated automatically."""
        answer = self._send_request(method, self._build_url(path, {}), body, {})
        self._require_success(method, path, answer)
        return answer

    def list_all_items(
        self,
        kind: type[Decoded],
        path: str,
        proof: CompletenessProof,
        *,
        size: int = 50,
        sized: str = "limit",
        until: Callable[[Decoded], bool] | None = None,
        **query: QueryValue,
    ) -> tuple[Decoded, ...]:
        """Read all items of a list, each decoded as `kind`, page by page.

        Raises TRUNCATED unless `proof` shows that none is missing, MALFORMED for an item of another form.

        The first item for which `until` is true is the last one wanted: the list ends with it, and needs no further
        proof. A list that grew while it was read is read once more.
        """
        found: tuple[Decoded, ...] = ()
        for _ in range(_MOST_READS):
            sizes: dict[str, QueryValue] = {} if proof is CompletenessProof.WHOLE else {sized: size}
            found, complete = self._read_pages(kind, path, proof, {**query, **sizes}, until)
            if complete:
                return found
        raise truncated_error(path, len(found))

    def _read_pages(
        self,
        kind: type[Decoded],
        path: str,
        proof: CompletenessProof,
        query: Mapping[str, QueryValue],
        until: Callable[[Decoded], bool] | None,
    ) -> tuple[tuple[Decoded, ...], bool]:
        """Items that were read, and whether they are proven complete."""
        found: list[Decoded] = []
        totals: set[str] = set()
        whole = proof is CompletenessProof.WHOLE
        url = self._build_url(path, query if whole else {**query, "page": 1})
        for number in range(2, _MOST_PAGES + 2):
            answer = self.fetch_response(url)
            items = decode_items(kind, answer, path)
            last = next((at for at, item in enumerate(items) if until is not None and until(item)), None)
            if last is not None:
                return (*found, *items[: last + 1]), True
            found += items
            totals.update(answer.headers[name] for name in TOTAL_HEADERS if name in answer.headers)
            complete = totals == {str(len(found))}
            if proof is CompletenessProof.LINK:
                url = find_next_page(answer.headers.get("link", ""))
                if not url:
                    return tuple(found), True
            elif complete:
                return tuple(found), True
            elif whole or not items:
                break
            else:
                url = self._build_url(path, {**query, "page": number})
        return tuple(found), False

    def _build_url(self, path: str, query: Mapping[str, QueryValue]) -> str:
        given = {key: _format_query_value(value) for key, value in query.items() if value not in ("", None)}
        url = path if path.startswith(("https://", "http://")) else f"{self.base}/{path.lstrip('/')}"
        return f"{url}?{urlencode(given)}" if given else url

    def _send_request(self, method: str, url: str, body: object, more: Mapping[str, str]) -> Response:
        self.asked += 1
        data = None if body is None else msgspec.json.encode(body)
        headers = {"Accept": "application/json", **more}
        if data is not None:
            headers["Content-Type"] = "application/json"
        try:
            return self._http.request(method, url, data, headers)
        except HttpError as error:
            raise _convert_error(error, f"{method} {_strip_query(url)}") from None

    def _require_success(self, method: str, path: str, answer: Response) -> None:
        """Raises ForgeError for an answer with an error status."""
        if 200 <= answer.status < 300:
            return
        known = _STATUS if "Authorization" in self._headers() else {**_STATUS, **_STATUS_WITHOUT_TOKEN}
        code, says, remedy = known.get(answer.status, _FAILED if answer.status >= 500 else _REFUSED)
        raise ForgeError(code, f"{method} {_strip_query(path)}: {says} ({answer.status})", remedy)


# What concerns a connection, so that nothing else of it would fare better.
CONNECTION_ERRORS = (ForgeCode.NOT_SIGNED_IN, ForgeCode.UNREACHABLE, ForgeCode.TIMED_OUT, ForgeCode.RATE_LIMITED)

_FAILED = (ForgeCode.FAILED, "the forge failed", "Look at the forge's own log; it is asked again.")
_REFUSED = (ForgeCode.REFUSED, "the forge refused", "Look at the forge's page of that repository.")
_STATUS = {
    401: (ForgeCode.NOT_SIGNED_IN, "the token is not accepted", "Make a new token and connect again."),
    403: (ForgeCode.FORBIDDEN, "the token may not do this", "Give our account the permission that is missing."),
    404: (ForgeCode.NOT_FOUND, "it is not there, or hidden from this token", "Check the name, and what the token may."),
    405: (ForgeCode.REFUSED, "the forge cannot do this now", "Look at the forge's page of that repository."),
}
_AUTHENTICATE = "Give a token that may read it."
_STATUS_WITHOUT_TOKEN = {
    401: (ForgeCode.NOT_SIGNED_IN, "it takes a token", _AUTHENTICATE),
    403: (ForgeCode.FORBIDDEN, "it takes a token", _AUTHENTICATE),
    404: (ForgeCode.NOT_FOUND, "it is not there, or not public", _AUTHENTICATE),
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


def _convert_error(error: HttpError, request: str) -> ForgeError:
    """ForgeError for a request that got no answer."""
    if error.code is HttpCode.RATE_LIMITED:
        again = error.again_at
        return ForgeError(
            ForgeCode.RATE_LIMITED,
            f"the forge's rate limit is used up ({request})",
            f"It is asked again {'at ' + again if again else 'later'}; until then nothing new is allowed.",
            again,
        )
    code, says, remedy = _WITHOUT_ANSWER.get(error.code, _UNREACHABLE)
    message = f"{request} {says}" if error.code in _WITHOUT_ANSWER else f"{request} {says}: {error.message}"
    return ForgeError(code, message, error.remedy if error.code is HttpCode.PROXY else remedy)


def decode_body(kind: type[Decoded], answer: Response, where: str) -> Decoded:
    """Body of an answer at `where`, decoded as `kind`. Raises MALFORMED for another form."""
    try:
        return msgspec.json.decode(answer.body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise malformed_error(where) from None


def decode_answer(kind: type[Decoded], answer: object, where: str) -> Decoded:
    """Convert a decoded answer at `where` to a typed form. Raises MALFORMED for another form."""
    try:
        return msgspec.convert(answer, kind)
    except (msgspec.ValidationError, TypeError):
        raise malformed_error(where) from None


def malformed_error(where: str) -> ForgeError:
    """Error for an answer of another form."""
    return ForgeError(
        ForgeCode.MALFORMED,
        f"the answer of {_strip_query(where)} is of another form",
        "Check that the address is the forge's, and its version.",
    )


def moved_repository_error(path: str) -> ForgeError:
    """Error for a path that is another repository than before: renamed, moved, or created again."""
    return ForgeError(
        ForgeCode.REDIRECTED,
        f"{path} is another repository by now",
        "What the connection sees is read again, and finds it under its new name.",
    )


def convert_forge_moment(text: str | None, where: str) -> str:
    """A moment as forges write it (RFC 3339), in our form. Raises MALFORMED."""
    try:
        return moments.format_moment(datetime.datetime.fromisoformat(text or ""))
    except ValueError:
        raise malformed_error(where) from None


def truncated_error(where: str, count: int) -> ForgeError:
    """Error for a list that may be incomplete."""
    return ForgeError(
        ForgeCode.TRUNCATED,
        f"the list at {_strip_query(where)} is not known to be complete ({count} came)",
        "It is read again; if this continues, inform the operator of the forge.",
    )


def _strip_query(url: str) -> str:
    """An address without its query, which may contain secrets."""
    return urlsplit(url).path or "/"


def _format_query_value(value: QueryValue) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def find_next_page(link: str) -> str:
    """Address of `rel="next"` in a Link header (RFC 8288)."""
    for part in link.split(","):
        address, *parameters = (piece.strip() for piece in part.split(";"))
        if 'rel="next"' in parameters and address[:1] == "<" and address[-1:] == ">":
            return address[1:-1]
    return ""


def decode_items(kind: type[Decoded], answer: Response, where: str) -> list[Decoded]:
    """Items of a list at `where`, each decoded as `kind`. Raises MALFORMED for another form."""
    try:
        # Some forges write an empty list as null.
        items = msgspec.json.decode(answer.body, type=list[msgspec.Raw] | None) or ()
        return [msgspec.json.decode(item, type=kind) for item in items]
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise malformed_error(where) from None
