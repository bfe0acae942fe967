"""Lists the pages of the service whose addresses have no parameter, from the addresses: `python -m dev.page_addresses`.

Tests in a browser try each of them for accessibility and narrow screens, so that the pages of a new app are tried too.
"""

import inspect
import os
from collections.abc import Iterator

import django

_SETTINGS = "dev.django_settings"
UNTRIED = {
    "account/email/": "leads to the page of one's own account",
    "connections/made": "a forge sends people there, with what it made",
    "exceptions/request": "its form needs a role in a product",
    "me/export": "a file",
    "policy/change": "its form needs a security officer",
    "policy/propose": "its form needs a security officer",
}


def find_pages() -> Iterator[str]:
    """The addresses, in the order in which the service looks at them. Django is set up."""
    from django.urls import URLPattern, get_resolver

    for pattern in get_resolver().url_patterns:
        if not isinstance(pattern, URLPattern) or not hasattr(pattern.callback, "action"):
            continue
        address = str(pattern.pattern)
        methods = inspect.getclosurevars(pattern.callback).nonlocals.get("request_method_list", ())
        if "GET" in methods and "<" not in address and address not in UNTRIED:
            yield f"/{address}"


def main() -> None:
    """Print one address a line."""
    os.environ["DJANGO_SETTINGS_MODULE"] = _SETTINGS
    django.setup()
    print("\n".join(find_pages()))


if __name__ == "__main__":
    main()
