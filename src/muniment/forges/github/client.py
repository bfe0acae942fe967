"""Asks GitHub: REST where it tells enough, and GraphQL, whose lists say how long they are, where it does not.

A GraphQL answer can be good in one part and refused in another; the refused parts are named, each with its reason.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

from msgspec import Struct

from muniment.errors import ForgeCode, ForgeError
from muniment.forges.github.wire import decoded
from muniment.forges.http import ALONE, REST, Client, Transport, decode_json, malformed, next_page, truncated
from muniment.forges.kept import Kept
from muniment.forges.shapes import Repo

T = TypeVar("T")

_SIZE = 100
_MOST_PAGES = 100
_SAYS = {
    "Accept": "application/vnd.github+json",
    "X-GitHub-Api-Version": "2022-11-28",
    "User-Agent": "muniment",
}


def api(url: str) -> tuple[str, str]:
    """The addresses of REST and GraphQL of the GitHub that people see at `url`."""
    parts = urlsplit(url)
    if (parts.hostname or "") == "github.com" or (parts.hostname or "").endswith(".ghe.com"):
        base = f"https://api.{(parts.hostname or '').removeprefix('api.')}"
        return base, f"{base}/graphql"
    root = url.rstrip("/").removesuffix("/api/v3")
    return f"{root}/api/v3", f"{root}/api/graphql"


def at(repository: Repo | str) -> str:
    """The path of a repository in the API."""
    path = repository if isinstance(repository, str) else repository.path
    return f"repos/{quote(path, safe='/')}"


def branch(ref: str) -> str:
    """A branch as one piece of a path."""
    return quote(ref.removeprefix("refs/heads/"), safe="")


class Answered(Struct, frozen=True):
    """What GraphQL answered: `data`, and why parts of it were refused, by the names of the fields on the way there."""

    data: Any
    refused: dict[tuple[str, ...], str]

    def why_not(self, *names: str) -> str:
        """Why a part named so was refused; "" if none was. A refusal of no part is one of every part."""
        return next((why for path, why in self.refused.items() if not path or set(path) & set(names)), "")


class Hub:
    """One GitHub, with the headers of one identity."""

    def __init__(
        self,
        url: str,
        authorization: Callable[[], str],
        *,
        seconds: float = 15,
        transport: Transport = ALONE,
        resource: str = REST,
    ) -> None:
        base, self._graphql = api(url)
        transport = transport.share_limits()

        def headers() -> Mapping[str, str]:
            return {**_SAYS, "Authorization": authorization()}

        self.rest = Client(base, headers, seconds=seconds, transport=transport, resource=resource)
        self._questions = Client(self._graphql, headers, seconds=seconds, transport=transport, resource="graphql")
        self.kept = Kept(transport.cache)

    def requests(self) -> Mapping[str, int]:
        """How many were sent so far, by resource."""
        return {client.resource: client.asked for client in (self.rest, self._questions)}

    def one(self, kind: type[T], path: str, **query: Any) -> T:
        """The thing at `path`."""
        return decoded(kind, self.rest.get(path, **query), path)

    def many(
        self, kind: type[T], path: str, *, until: Callable[[T], bool] | None = None, **query: Any
    ) -> tuple[T, ...]:
        """The list at `path` to its last page, which links to no next; or what comes before an item that ends it."""
        found: list[T] = []
        for number in range(_MOST_PAGES):
            answer = self.rest.fetch(path, {} if number else {**query, "per_page": _SIZE})
            for item in decoded(list[Any], decode_json(answer, path), path):
                found.append(decoded(kind, item, path))
                if until is not None and until(found[-1]):
                    return tuple(found[:-1])
            path = next_page(answer.headers.get("link", ""))
            if not path:
                return tuple(found)
        raise truncated(path, len(found))

    def counted(self, kind: type[T], path: str, key: str, **query: Any) -> tuple[T, ...]:
        """The list under `key` in the answers of `path`, which also tell how long it is. Raises TRUNCATED."""
        found: list[T] = []
        for page in range(1, _MOST_PAGES + 1):
            answer = self.rest.get(path, **query, per_page=_SIZE, page=page)
            items = answer.get(key) if isinstance(answer, dict) else None
            total = answer.get("total_count") if isinstance(answer, dict) else None
            if not isinstance(items, list) or not isinstance(total, int):
                raise malformed(path)
            found += (decoded(kind, item, path) for item in items)
            if len(found) == total:
                return tuple(found)
            if not items:
                break
        raise truncated(path, len(found))

    def query(self, document: str, **variables: Any) -> Answered:
        """What GraphQL answers. Raises if it answers nothing."""
        response = self._questions.post("POST", self._graphql, {"query": document, "variables": variables})
        answer = decode_json(response, self._graphql)
        if not isinstance(answer, dict):
            raise malformed(self._graphql)
        errors = answer.get("errors") or []
        if not isinstance(errors, list) or not all(isinstance(error, dict) for error in errors):
            raise malformed(self._graphql)
        data = answer.get("data")
        if any(_code(error) is ForgeCode.RATE_LIMITED for error in errors):
            limited = self._questions.refuse(response.headers, "GraphQL")  # the status of such an answer is 200
            if not isinstance(data, dict):
                raise limited
        if not isinstance(data, dict):
            raise _refusal(errors)
        return Answered(data, {_path(error): _why(error) for error in errors})


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


def _code(error: Mapping[str, Any]) -> ForgeCode:
    return _CODES.get(str(error.get("type")), ForgeCode.FAILED)


def _why(error: Mapping[str, Any]) -> str:
    return _WHY[_code(error)]


def _path(error: Mapping[str, Any]) -> tuple[str, ...]:
    path = error.get("path")
    return tuple(str(name) for name in path) if isinstance(path, list) else ()


def _refusal(errors: list[dict[str, Any]]) -> ForgeError:
    code = _code(errors[0]) if errors else ForgeCode.FAILED
    return ForgeError(code, f"GitHub's GraphQL answers nothing: {_WHY[code]}", "It is asked again.")
