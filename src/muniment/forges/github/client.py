"""Client of GitHub: REST where it is enough, and GraphQL, whose lists contain their length, where it is not.

A GraphQL answer can be good in one part and refused in another; the refused parts are named, each with its reason.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

from msgspec import Struct

from muniment.errors import ForgeCode, ForgeError
from muniment.forges.answer_cache import AnswerCache
from muniment.forges.forge_client import (
    REST_RESOURCE,
    UNSHARED_TRANSPORT,
    ForgeClient,
    QueryValue,
    Transport,
    decode_answer,
    decode_body,
    decode_items,
    find_next_page,
    malformed_error,
    truncated_error,
)
from muniment.forges.shapes import ForgeRepository

T = TypeVar("T")

_SIZE = 100
_MOST_PAGES = 100
_FIXED_HEADERS = {
    "Accept": "application/vnd.github+json",
    "X-GitHub-Api-Version": "2022-11-28",
    "User-Agent": "muniment",
}


def api_addresses(url: str) -> tuple[str, str]:
    """Addresses of REST and GraphQL of the GitHub with the page `url`."""
    parts = urlsplit(url)
    if (parts.hostname or "") == "github.com" or (parts.hostname or "").endswith(".ghe.com"):
        base = f"https://api.{(parts.hostname or '').removeprefix('api.')}"
        return base, f"{base}/graphql"
    root = url.rstrip("/").removesuffix("/api/v3")
    return f"{root}/api/v3", f"{root}/api/graphql"


def repository_path(repository: ForgeRepository | str) -> str:
    """Path of a repository in the API."""
    path = repository if isinstance(repository, str) else repository.path
    return f"repos/{quote(path, safe='/')}"


def quote_branch(ref: str) -> str:
    """Name of a branch as one segment of a path."""
    return quote(ref.removeprefix("refs/heads/"), safe="")


class GraphQLAnswer(Struct, frozen=True):
    """An answer of GraphQL: `data`, and why parts of it were refused, by the path of field names."""

    data: Any
    refused: dict[tuple[str, ...], str]

    def explain_refusal(self, *names: str) -> str:
        """Reason for the refusal of a part named so; "" if it was not refused.

        An error without a path refuses all parts.
        """
        return next((why for path, why in self.refused.items() if not path or set(path) & set(names)), "")


class GitHubClient:
    """Client of one GitHub, with the headers of one identity."""

    def __init__(
        self,
        url: str,
        authorization: Callable[[], str],
        *,
        seconds: float = 15,
        transport: Transport = UNSHARED_TRANSPORT,
        resource: str = REST_RESOURCE,
    ) -> None:
        base, self._graphql = api_addresses(url)
        transport = transport.share_limits()

        def make_headers() -> Mapping[str, str]:
            given = authorization()
            return {**_FIXED_HEADERS, "Authorization": given} if given else _FIXED_HEADERS

        self.rest = ForgeClient(base, make_headers, seconds=seconds, transport=transport, resource=resource)
        self._questions = ForgeClient(
            self._graphql, make_headers, seconds=seconds, transport=transport, resource="graphql"
        )
        self.answer_cache = AnswerCache(transport.cache)

    def count_requests(self) -> Mapping[str, int]:
        """Number of requests sent so far, by resource."""
        return {client.resource: client.asked for client in (self.rest, self._questions)}

    def read_one(self, kind: type[T], path: str, **query: QueryValue) -> T:
        """Answer at `path`, decoded as `kind`."""
        return self.rest.read_one(kind, path, **query)

    def read_list(
        self, kind: type[T], path: str, *, until: Callable[[T], bool] | None = None, **query: QueryValue
    ) -> tuple[T, ...]:
        """List at `path` to its last page, which has no link to a next.

        With `until`: up to, and without, the first item for which it is true.
        """
        found: list[T] = []
        for number in range(_MOST_PAGES):
            answer = self.rest.fetch_response(path, {} if number else {**query, "per_page": _SIZE})
            for item in decode_items(kind, answer, path):
                found.append(item)
                if until is not None and until(found[-1]):
                    return tuple(found[:-1])
            path = find_next_page(answer.headers.get("link", ""))
            if not path:
                return tuple(found)
        raise truncated_error(path, len(found))

    def read_counted_list(self, kind: type[T], path: str, key: str, **query: QueryValue) -> tuple[T, ...]:
        """List under `key` in the answers of `path`, which also contain its length. Raises TRUNCATED."""
        found: list[T] = []
        for page in range(1, _MOST_PAGES + 1):
            answer = self.rest.get_json(path, **query, per_page=_SIZE, page=page)
            items = answer.get(key) if isinstance(answer, dict) else None
            total = answer.get("total_count") if isinstance(answer, dict) else None
            if not isinstance(items, list) or not isinstance(total, int):
                raise malformed_error(path)
            found += (decode_answer(kind, item, path) for item in items)
            if len(found) == total:
                return tuple(found)
            if not items:
                break
        raise truncated_error(path, len(found))

    def run_query(self, document: str, **variables: Any) -> GraphQLAnswer:
        """Answer of GraphQL to a query. Raises if there is no data."""
        response = self._questions.send_for_response("POST", self._graphql, {"query": document, "variables": variables})
        answer = decode_body(object, response, self._graphql)
        if not isinstance(answer, dict):
            raise malformed_error(self._graphql)
        errors = answer.get("errors") or []
        if not isinstance(errors, list) or not all(isinstance(error, dict) for error in errors):
            raise malformed_error(self._graphql)
        data = answer.get("data")
        if any(_find_code(error) is ForgeCode.RATE_LIMITED for error in errors):
            limited = self._questions.record_refusal(response.headers, "GraphQL")  # the status of such an answer is 200
            if not isinstance(data, dict):
                raise limited
        if not isinstance(data, dict):
            raise _make_refusal(errors)
        return GraphQLAnswer(data, {_find_error_path(error): _explain_error(error) for error in errors})


_CODES = {
    "RATE_LIMITED": ForgeCode.RATE_LIMITED,
    "FORBIDDEN": ForgeCode.FORBIDDEN,
    "INSUFFICIENT_SCOPES": ForgeCode.FORBIDDEN,
    "NOT_FOUND": ForgeCode.NOT_FOUND,
}
_WHY = {
    ForgeCode.RATE_LIMITED: "GitHub's rate limit is used up",
    ForgeCode.FORBIDDEN: "the App may not read it",
    ForgeCode.NOT_FOUND: "it is not there, or hidden from the App",
    ForgeCode.FAILED: "GitHub failed to read it",
}


def _find_code(error: Mapping[str, object]) -> ForgeCode:
    return _CODES.get(str(error.get("type")), ForgeCode.FAILED)


def _explain_error(error: Mapping[str, object]) -> str:
    return _WHY[_find_code(error)]


def _find_error_path(error: Mapping[str, object]) -> tuple[str, ...]:
    path = error.get("path")
    return tuple(str(name) for name in path) if isinstance(path, list) else ()


def _make_refusal(errors: list[dict[str, object]]) -> ForgeError:
    code = _find_code(errors[0]) if errors else ForgeCode.FAILED
    return ForgeError(code, f"GitHub's GraphQL answers nothing: {_WHY[code]}", "It is asked again.")
