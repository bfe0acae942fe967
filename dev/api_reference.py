"""Writes docs/reference/api.md, the operations of the API: `python -m dev.api_reference`. A test keeps it true.

`python -m dev.generate` runs it too. It is apart, since operations take the service's settings.
"""

import os
from collections import defaultdict
from pathlib import Path

import django

DOCUMENT = Path(__file__).parent.parent / "docs" / "reference" / "api.md"
_SETTINGS = "dev.django_settings"
_HEAD = """# API

Generated from the code by `python -m dev.api_reference`; a test keeps it true.

The service describes every field at `/api/openapi.json` (OpenAPI 3.1). A request, this one too, has an API token as
bearer, made on the page of its person for some actions until a day. Pipelines send their own identity instead.

- Lists take `?limit=50&below=N`; lists of people take `?limit=50&after=HANDLE`.
- A request that changes something takes an `Idempotency-Key`: the same request is carried out once.
- A product's `PATCH` takes `If-Match` with the ETag that was read.
- Errors are RFC 9457 problems with a code, such as `urn:muniment:malformed`.
- What needs a second person answers with a request, which that person approves on its page.
- No operation approves a change or attests a contributor, whatever the token: only a person does, signed in on the
  page of the change, or by a signature on a plain git server ([approvals](../guides/approvals.md)).

[Access](access.md) says which roles may do what, [acts](acts.md) what each field means.
"""


def describe_api() -> str:
    """Build the whole reference of the API."""
    import muniment.server.urls  # noqa: F401 -- adds the operations
    from muniment.access.actions import Action
    from muniment.server.api_serving import api

    rows: dict[str, list[str]] = defaultdict(list)
    for prefix, router in api._routers:
        for path, view in router.path_operations.items():
            for operation in view.operations:
                action = getattr(operation.view_func, "action", None)
                needs = action.rule.text if isinstance(action, Action) else "the identity of a pipeline"
                summary = " ".join((operation.description or operation.summary or "").split()).replace("|", "\\|")
                address = f"/api{prefix}{path}"
                rows[_group(address)] += [
                    f"| `{method} {address}` | {summary} | {needs} |" for method in sorted(operation.methods)
                ]
    pieces = [_HEAD]
    for group, lines in sorted(rows.items()):
        pieces.append("\n".join([f"## {group}\n", "| operation | does | needs |", "| --- | --- | --- |", *lines, ""]))
    return "\n".join(pieces)


def _group(address: str) -> str:
    return address.split("/")[2].replace("-", " ").capitalize()


def main() -> None:
    """Write the reference of the API."""
    os.environ["DJANGO_SETTINGS_MODULE"] = _SETTINGS
    django.setup()
    DOCUMENT.write_text(describe_api(), encoding="utf-8")


if __name__ == "__main__":
    main()
