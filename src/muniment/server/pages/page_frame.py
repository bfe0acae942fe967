"""Frame of every page: the menu for the person, and the number of their unread messages.

The parts of the frame are the same on most pages of a person, so a process remembers those that it rendered.
"""

import functools
from pathlib import Path
from typing import NamedTuple

from django.conf import settings
from django.http import HttpRequest
from django.middleware.csrf import get_token
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language

from muniment.access.actions import Action
from muniment.access.authorization import ORGANISATION, AccessResult, Actor, authorize, authorize_anywhere
from muniment.errors import HomeFileError
from muniment.server.acts.inputs import Label
from muniment.server.guarding.mediation import current_actor
from muniment.server.pages.own_account import APPEARANCE_COOKIE, APPEARANCES
from muniment.server.people.actors import signed_in_person
from muniment.server.people.models import Person, count_unread_messages
from muniment.server.records.installation import open_store
from muniment.server.records.postgres_store import SETTINGS
from muniment.server.records.record_writing import action_code
from muniment.server.registration import MenuGroup, read_contributions
from muniment.server.requests.models import Request
from muniment.store.settings import read_settings

_FORM_FIELD = "<!--field-->"  # no name contains it: names are escaped


class ShownEntry(NamedTuple):
    """Entry of the menu as a page shows it."""

    address: str
    text: Label
    icon: str


class ShownGroup(NamedTuple):
    """Group of the menu that has at least one entry for the person."""

    text: Label
    entries: tuple[ShownEntry, ...]


def frame_context(request: HttpRequest) -> dict[str, object]:
    """Template context of the frame of every page. Its parts are rendered where a template shows them."""
    appearance = request.COOKIES.get(APPEARANCE_COOKIE, "")
    look = {
        "appearance": appearance if appearance in APPEARANCES else "",
        "LANGUAGE_CODE": get_language(),
        "footer": functools.partial(_render_footer, get_language(), sees_ledger=False),
    }
    if not hasattr(request, "actor") or not current_actor(request).person:
        return {"menu": (), **look}
    person, menu = signed_in_person(request), _build_menu(current_actor(request))
    sees_ledger = authorize(current_actor(request), Action.SEE_LEDGER, ORGANISATION) is AccessResult.YES
    unread = count_unread_messages(person.pk)
    return {
        **look,
        "footer": functools.partial(_render_footer, get_language(), sees_ledger=sees_ledger),
        "sees_ledger": sees_ledger,  # pages show a link to a record to those alone who may open it
        "menu": menu,
        "approvals_suspended": current_actor(request).suspended,
        "waits_for_role": functools.partial(_waits_for_role, person),  # for pages that refuse alone
        "unread": unread,
        "sidebar": functools.partial(_render_sidebar, menu, request.path, unread),
        "top_bar": functools.partial(_render_top_bar, request, person.name, unread, bool(menu)),
    }


@functools.lru_cache(maxsize=256)
def _build_menu(actor: Actor) -> tuple[ShownGroup, ...]:
    """Groups of the menu with the entries that the access table lets the person read."""
    entries = sorted((entry for app in read_contributions() for entry in app.menu), key=lambda entry: entry.position)
    visible = [entry for entry in entries if authorize_anywhere(actor, entry.action) is AccessResult.YES]
    groups = (
        ShownGroup(
            group.value,
            tuple(ShownEntry(reverse(entry.name), entry.text, entry.icon) for entry in visible if entry.group is group),
        )
        for group in MenuGroup
    )
    return tuple(group for group in groups if group.entries)


def _render_sidebar(menu: tuple[ShownGroup, ...], path: str, unread: int) -> SafeString:
    addresses = {entry.address for group in menu for entry in group.entries} | {"/", reverse("inbox")}
    current = path if path in addresses else ""
    return _render_sidebar_once(get_language(), menu, current, unread, _find_organisation(open_store().settings_text()))


@functools.lru_cache(maxsize=512)
def _render_sidebar_once(
    language: str | None, menu: tuple[ShownGroup, ...], current: str, unread: int, organisation: str
) -> SafeString:
    context = {"menu": menu, "current": current, "unread": unread, "organisation": organisation}
    return render_to_string("components/sidebar.html", context)


@functools.lru_cache(maxsize=8)
def _find_organisation(settings_text: str | None) -> str:
    """Name of the organisation in home.toml; "" where there is none, also in settings that cannot be read."""
    try:
        return read_settings(settings_text, SETTINGS, Path(settings.HOME)).organisation
    except HomeFileError:
        return ""


def _render_top_bar(request: HttpRequest, name: str, unread: int, menu: bool) -> SafeString:
    """Top bar. The token of its form differs in each answer, so it is filled in afterwards."""
    field = format_html('<input type="hidden" name="csrfmiddlewaretoken" value="{}">', get_token(request))
    search = request.GET.get("q", "").strip() if request.path == reverse("search") else ""
    render = _render_top_bar_once.__wrapped__ if search else _render_top_bar_once  # searched words are not remembered
    text = render(get_language(), name, unread, search, menu)
    return SafeString(text.replace(_FORM_FIELD, field))


@functools.lru_cache(maxsize=512)
def _render_top_bar_once(language: str | None, name: str, unread: int, search: str, menu: bool) -> SafeString:
    context = {"name": name, "unread": unread, "q": search, "menu": menu, "field": SafeString(_FORM_FIELD)}
    return render_to_string("components/top_bar.html", context)


@functools.lru_cache(maxsize=8)
def _render_footer(language: str | None, *, sees_ledger: bool) -> SafeString:
    return render_to_string("components/footer.html", {"sees_ledger": sees_ledger})


def _waits_for_role(person: Person) -> bool:
    """Whether a role for this person waits for its second person."""
    granting = (action_code(Action.GRANT_ROLE), action_code(Action.GRANT_CHANGING_ROLE))
    rows = Request.objects.filter(state=Request.State.WAITING, action__in=granting)
    return rows.filter(subject__in=(f"person:{person.slug}", f"person:{person.pk}")).exists()
