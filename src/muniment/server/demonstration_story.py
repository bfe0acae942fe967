"""The demonstration company: its people, products and calendar, and how each app adds its part.

Alder Health is invented. An app names a module in `AppContributions.demonstration`; its function `list_events` gives
events, which the command `muniment demo` carries out in the order of their moments, with the clock at each.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import NamedTuple

from muniment.access.roles import EVERYWHERE, Role
from muniment.server.acts.act import Act

BUILDER = "https://ci.alderhealth.example/builder"
COMPANY = "Alder Health"
DOMAIN = "alderhealth.example"
FIRST_DAY = 184  # days before now: two whole quarters


class StoryPerson(NamedTuple):
    """Person of the company. `roles` are (role, id of a product, or EVERYWHERE); `login` is that at each forge."""

    handle: str
    name: str
    login: str
    roles: tuple[tuple[Role, str], ...]

    @property
    def email(self) -> str:
        """Address for signing in and in commits."""
        return f"{self.handle.replace('-', '.')}@{DOMAIN}"


class StoryProduct(NamedTuple):
    """Product of the company. `forge` is the name of a connection, "" for a plain git repository.

    `team` are handles, the product's owner first. `signals` are those of `products.models.SIGNALS`.
    """

    slug: str
    name: str
    forge: str
    team: tuple[str, ...]
    environments: tuple[str, ...] = ()
    signals: tuple[bool | None, ...] = (True, True, True, True)
    sensitive: str = ""

    @property
    def owner(self) -> str:
        """Handle of the product's owner."""
        return self.team[0]

    @property
    def developers(self) -> tuple[str, ...]:
        """Handles of the developers."""
        return self.team[1:]


_STAGES = ("staging", "production")
GITHUB, GITLAB, GITEA, FORGEJO = "github", "gitlab", "archive", "partners"

PRODUCTS = (
    StoryProduct(
        *("patient-portal", "Patient Portal", GITHUB),
        ("hana-kim", "priya-nair", "tomas-rivera", "samuel-osei", "noah-patel", "ines-duarte"),
        ("test", *_STAGES),
        sensitive="accounts/**\nsign_in/**",
    ),
    StoryProduct(
        *("claims-api", "Claims API", GITHUB),
        ("karin-holm", "noah-patel", "liam-byrne", "aiko-tanaka", "priya-nair"),
        _STAGES,
        sensitive="payments/**",
    ),
    StoryProduct(
        *("lab-gateway", "Lab Gateway", GITHUB),
        ("karin-holm", "aiko-tanaka", "marek-novak", "liam-byrne"),
        _STAGES,
    ),
    StoryProduct(
        *("mobile-app", "Mobile App", GITHUB),
        ("hana-kim", "tomas-rivera", "zoe-laurent", "samuel-osei"),
        _STAGES,
    ),
    StoryProduct(
        *("clinic-scheduler", "Clinic Scheduler", GITHUB),
        ("pedro-alves", "samuel-osei", "zoe-laurent", "priya-nair"),
        _STAGES,
    ),
    StoryProduct(
        *("identity-service", "Identity Service", GITHUB),
        ("karin-holm", "ines-duarte", "marek-novak", "noah-patel"),
        _STAGES,
        sensitive="tokens/**\npasswords/**",
    ),
    StoryProduct(
        *("billing", "Billing", GITLAB), ("pedro-alves", "liam-byrne", "fatima-haddad", "aiko-tanaka"), _STAGES
    ),
    StoryProduct(
        *("notifications", "Notifications", GITLAB),
        ("pedro-alves", "fatima-haddad", "marek-novak", "zoe-laurent"),
        _STAGES,
        (True, True, None, True),
    ),
    StoryProduct(
        *("consent-manager", "Consent Manager", GITHUB),
        ("hana-kim", "ines-duarte", "priya-nair", "tomas-rivera"),
        _STAGES,
    ),
    StoryProduct(
        *("imaging-viewer", "Imaging Viewer", GITLAB),
        ("karin-holm", "noah-patel", "jun-park", "aiko-tanaka"),
        ("production",),
    ),
    StoryProduct(
        *("admin-console", "Admin Console", GITHUB),
        ("pedro-alves", "zoe-laurent", "jun-park", "fatima-haddad"),
        ("production",),
        (True, False, True, True),
    ),
    StoryProduct(
        *("public-website", "Public Website", GITEA), ("bea-lindqvist", "jun-park", "zoe-laurent"), ("production",)
    ),
    StoryProduct(
        *("analytics", "Analytics", ""), ("pedro-alves", "ines-duarte", "jun-park"), (), (False, None, None, True)
    ),
    StoryProduct(*("data-export", "Data Export", ""), ("karin-holm", "liam-byrne"), (), (False, False, None, None)),
)


def _list_product_roles(handle: str) -> tuple[tuple[Role, str], ...]:
    """Roles that a person has in the teams of products."""
    found: list[tuple[Role, str]] = []
    for product in PRODUCTS:
        if handle == product.owner:
            found.append((Role.OWNER, product.slug))
        elif handle in product.developers:
            found.append((Role.DEVELOPER, product.slug))
    return tuple(found)


_OFFICES = {
    "jonas-weber": (Role.ADMIN,),
    "chloe-martin": (Role.ADMIN,),
    "maya-okafor": (Role.SECURITY,),
    "ravi-shah": (Role.SECURITY,),
    "lena-fischer": (Role.DPO,),
    "ottilie-brandt": (Role.AUDITOR,),
    "bea-lindqvist": (Role.MANAGEMENT,),
    "nils-berg": (Role.MANAGEMENT,),
    "erik-lund": (Role.ANALYST,),
    "grace-mbeki": (Role.ANALYST,),
    "oskar-lind": (Role.STAKEHOLDER,),
}

_NAMES = (
    ("jonas-weber", "Jonas Weber", "jweber"),
    ("chloe-martin", "Chloé Martin", "cmartin"),
    ("maya-okafor", "Maya Okafor", "mokafor"),
    ("ravi-shah", "Ravi Shah", "rshah"),
    ("lena-fischer", "Lena Fischer", ""),
    ("ottilie-brandt", "Ottilie Brandt", ""),
    ("bea-lindqvist", "Bea Lindqvist", ""),
    ("nils-berg", "Nils Berg", ""),
    ("erik-lund", "Erik Lund", ""),
    ("grace-mbeki", "Grace Mbeki", ""),
    ("oskar-lind", "Oskar Lind", ""),
    ("hana-kim", "Hana Kim", "hkim"),
    ("karin-holm", "Karin Holm", "kholm"),
    ("pedro-alves", "Pedro Alves", "palves"),
    ("priya-nair", "Priya Nair", "pnair"),
    ("tomas-rivera", "Tomás Rivera", "trivera"),
    ("samuel-osei", "Samuel Osei", "sosei"),
    ("noah-patel", "Noah Patel", "npatel"),
    ("ines-duarte", "Inês Duarte", "iduarte"),
    ("liam-byrne", "Liam Byrne", "lbyrne"),
    ("aiko-tanaka", "Aiko Tanaka", "atanaka"),
    ("marek-novak", "Marek Novák", "mnovak"),
    ("zoe-laurent", "Zoé Laurent", "zlaurent"),
    ("fatima-haddad", "Fatima Haddad", "fhaddad"),
    ("jun-park", "Jun Park", "jpark"),
)

DEMONSTRATION_PEOPLE = tuple(
    StoryPerson(
        handle,
        name,
        login,
        (*((role, EVERYWHERE) for role in _OFFICES.get(handle, ())), *_list_product_roles(handle)),
    )
    for handle, name, login in _NAMES
)
BY_HANDLE = {person.handle: person for person in DEMONSTRATION_PEOPLE}
FIRST_FOUR = ("jonas-weber", "chloe-martin", "maya-okafor", "ravi-shah")  # who set the service up
SIGN_IN_ROLES = (
    ("priya-nair", "developer"),
    ("hana-kim", "product owner"),
    ("maya-okafor", "security officer"),
    ("ravi-shah", "second security officer"),
    ("lena-fischer", "Data Protection Officer"),
    ("ottilie-brandt", "auditor"),
    ("jonas-weber", "administrator"),
)
ADMINISTRATOR, SECOND_ADMINISTRATOR, SECURITY_OFFICER, SECOND_SECURITY_OFFICER = FIRST_FOUR


class DemonstrationEvent(NamedTuple):
    """One event: `process` is the one that the product would carry it out in (`web`, `worker` or `operator`)."""

    at: datetime
    process: str
    run: Callable[[], object]


class ActRunner(NamedTuple):
    """Ways to carry out an act of a person, by handle and by values as a page would send them.

    `perform`: alone; its result. `request`: it waits for a second person; the number of the request. `approve`: by the
    second person; its result.
    """

    perform: Callable[[str, type[Act], dict[str, object]], object]
    request: Callable[[str, type[Act], dict[str, object]], int]
    approve: Callable[[str, int], object]


@dataclass(frozen=True)
class Demonstration:
    """Demonstration that is being filled: `now` ends its calendar, `folder` is the home."""

    now: datetime
    folder: Path
    acts: ActRunner

    def find_moment(self, days_ago: float, hour: int = 9, minute: int = 0) -> datetime:
        """Moment on an earlier day; of today, a moment that is over."""
        day = (self.now - timedelta(days=days_ago)).date()
        found = datetime.combine(day, time(hour, minute), self.now.tzinfo)
        return min(found, self.now - timedelta(minutes=30))

    def perform(self, handle: str, act: type[Act], /, **values: object) -> object:
        """Carry out an act of one person; its result."""
        return self.acts.perform(handle, act, values)

    def perform_by_two(self, requester: str, approver: str, act: type[Act], /, **values: object) -> object:
        """Carry out an act that a second person approves at once; its result."""
        return self.acts.approve(approver, self.acts.request(requester, act, values))
