"""Design model of a product as values, in the form of `design.toml`. Each list is `[[singular]]` in the file.

Identifiers are the names that other entries refer to. A field that is left out is unknown, never permitted: an actor
without `outside` comes from outside, a guard without `on_failure` has an unknown failure.
"""

import datetime
from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta, Struct, field

Identifier = Annotated[
    str,
    Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]*$", max_length=100, description="Name that other entries refer to."),
]
DesignSentence = Annotated[str, Meta(min_length=1, max_length=400)]
Mechanism = Annotated[
    str,
    Meta(
        pattern=r"^[a-z0-9][a-z0-9-]*$",
        description="One protection that an attacker must defeat, such as sign-in, second-factor or network.",
    ),
]
ActionPattern = Annotated[
    str, Meta(pattern=r"^[A-Za-z0-9*][A-Za-z0-9._/*-]*$", description="Action, or several by the wildcard *.")
]
CallName = Annotated[
    str, Meta(pattern=r"^[\w.]+:[\w.]+$", description="Function or method as module:name, such as app.rights:may.")
]


class Verb(StrEnum):
    """Effect of an action on its resource."""

    CREATE = "create"
    READ = "read"
    MODIFY = "modify"
    DELETE = "delete"


CHANGING = frozenset({Verb.CREATE, Verb.MODIFY, Verb.DELETE})


class FailureMode(StrEnum):
    """Answer of a guard that fails itself."""

    DENY = "deny"
    ALLOW = "allow"
    UNKNOWN = "unknown"


class Undo(StrEnum):
    """State that an operation leaves when it stops half-way."""

    TRANSACTION = "transaction"
    COMPENSATION = "compensation"
    NONE = "none"
    UNKNOWN = "unknown"


class ComponentKind(StrEnum):
    """Shape of a component in a data-flow diagram."""

    PROCESS = "process"
    STORE = "store"
    EXTERNAL = "external"


class Sensitivity(StrEnum):
    """Damage that a disclosure of data causes, in four steps."""

    PUBLIC = "public"
    INTERNAL = "internal"
    CONFIDENTIAL = "confidential"
    SECRET = "secret"  # noqa: S105 -- a step of sensitivity


class ActingKind(StrEnum):
    """Way in which one holder of rights acts with those of another."""

    IMPERSONATION = "impersonation"
    SERVICE_ACCOUNT = "service-account"
    TOKEN = "token"  # noqa: S105 -- a way of acting


class Measure(StrEnum):
    """Quantity of friction that a budget limits."""

    PROMPTS = "prompts-per-task"
    OVERRULED = "overruled-refusals"
    LOCKOUTS = "lock-outs"
    MINUTES = "minutes-waited"
    OPT_OUTS = "opt-outs"
    SUPPRESSIONS = "suppressions"


class _Entry(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """Common form of all tables: an unknown key is an error."""


class DesignActor(_Entry, frozen=True):
    """Person, service or attacker that uses the product. `outside`: not trusted before a guard let it pass."""

    id: Identifier
    label: str = ""
    outside: bool = True
    roles: tuple[Identifier, ...] = ()


class DesignRole(_Entry, frozen=True):
    """Role, with the roles that it includes. `sign_up`: a person gets it without anybody's approval."""

    id: Identifier
    label: str = ""
    inherits: tuple[Identifier, ...] = ()
    sign_up: bool = False


class Task(_Entry, frozen=True):
    """Task of normal work of a role or an actor, and the actions that it needs."""

    id: Identifier
    by: tuple[Identifier, ...]
    actions: tuple[Identifier, ...]
    label: str = ""
    prompts: Annotated[int | None, Meta(description="How often a person is asked for a proof during the task.")] = None


class DesignAction(_Entry, frozen=True):
    """Operation on a resource. `changes` left out: the action can change every protected property."""

    id: Identifier
    resource: Identifier
    verb: Verb
    changes: Annotated[
        tuple[Identifier, ...] | None, Meta(description="Protected properties of the resource that it can change.")
    ] = None
    undo: Undo = Undo.UNKNOWN


class Boundary(_Entry, frozen=True):
    """Trust boundary: the components in it trust each other more than what is outside."""

    id: Identifier
    label: str = ""


class Component(_Entry, frozen=True):
    """Process, store or external system of the product."""

    id: Identifier
    kind: ComponentKind = ComponentKind.PROCESS
    label: str = ""
    boundary: Identifier = ""


class Data(_Entry, frozen=True):
    """Kind of data, with purpose and period as the processing record needs them."""

    id: Identifier
    sensitivity: Sensitivity
    label: str = ""
    personal: bool = False
    purpose: str = ""
    keep_days: int | None = None


class Flow(_Entry, frozen=True):
    """Call from one actor or component to another. All `guards` are passed, in this order.

    The callee is `to` (a component or a resource), or `interface`: one that another repository offers.
    """

    source: Identifier = field(name="from")
    target: Identifier = field(name="to", default="")
    interface: Identifier = ""
    data: tuple[Identifier, ...] = ()
    guards: tuple[Identifier, ...] = ()
    encrypted: bool | None = None


class Interface(_Entry, frozen=True):
    """Named entrance of a component for other repositories."""

    id: Identifier
    component: Identifier


class DesignResource(_Entry, frozen=True):
    """Asset that is protected, in a component. `guards` stand directly before it.

    `public` is the reason why everybody may reach it; "" for all others.
    """

    id: Identifier
    component: Identifier
    label: str = ""
    data: tuple[Identifier, ...] = ()
    properties: tuple[Identifier, ...] = ()
    guards: tuple[Identifier, ...] = ()
    public: str = ""


class DesignGrant(_Entry, frozen=True):
    """Actions that a role or an actor holds, as read on a day."""

    to: Identifier
    actions: tuple[ActionPattern, ...]
    read_on: datetime.date | None = None


class Use(_Entry, frozen=True):
    """Actions that a role or an actor used in the window that ends on a day."""

    by: Identifier
    actions: tuple[Identifier, ...]
    read_on: datetime.date


class Guard(_Entry, frozen=True):
    """Check that lets some requests pass, with its mechanisms and what it asks.

    `mechanisms` are the protections that it consists of: two guards with the same single sign-on are one mechanism.
    `code` names the guard in the code (a decorator, dependency or permission class).
    """

    id: Identifier
    mechanisms: Annotated[tuple[Mechanism, ...], Meta(min_length=1)]
    label: str = ""
    asks: tuple[CallName, ...] = ()
    on_failure: FailureMode = FailureMode.UNKNOWN
    code: tuple[str, ...] = ()


class SecondPerson(_Entry, frozen=True):
    """Rule that an action needs another person, of one of these roles."""

    action: Identifier
    by: Annotated[tuple[Identifier, ...], Meta(min_length=1)]


class ActingAs(_Entry, frozen=True):
    """Permission of a role or actor to act with the rights of another."""

    who: Identifier
    rights_of: Identifier = field(name="as")
    kind: ActingKind = ActingKind.IMPERSONATION
    reason: str = ""


class ModelConflict(_Entry, frozen=True):
    """Set of actions of which no holder may have two, such as author, approve and deploy."""

    id: Identifier
    actions: Annotated[tuple[Identifier, ...], Meta(min_length=2)]


class Limit(_Entry, frozen=True):
    """Largest number of roles and actors that can create, modify or delete a resource or one of its properties."""

    resource: Identifier
    most: Annotated[int, Meta(ge=0)]
    protected: Identifier = field(name="property", default="")


class Budget(_Entry, frozen=True):
    """Largest amount of friction in the window."""

    measure: Measure
    most: Annotated[int, Meta(ge=0)]


class Measurement(_Entry, frozen=True):
    """Amount of friction as measured on a day. `control` names what caused it, "" for all together."""

    measure: Measure
    value: Annotated[int, Meta(ge=0)]
    read_on: datetime.date
    control: str = ""


class PublicRoute(_Entry, frozen=True):
    """Route that needs no guard on purpose. `method` is one HTTP method, or * for all."""

    route: DesignSentence
    reason: DesignSentence
    by: DesignSentence
    method: Annotated[str, Meta(pattern=r"^([A-Z]+|\*)$")] = "GET"


class SampleObject(_Entry, frozen=True):
    """Object of one owner, on which tests act as another owner."""

    resource: Identifier
    owner: DesignSentence
    other: DesignSentence
    create: CallName


class Application(_Entry, frozen=True):
    """Program whose routes are compared with the model. `root`: folder of its code below the repository."""

    framework: Annotated[str, Meta(pattern=r"^(django|express|fastapi|flask|openapi)$")]
    root: str = "."
    environment: str = "production"
    factory: str = ""


class DesignEnvironment(_Entry, frozen=True):
    """Environment in which the product runs, and the names of its hosts. Probes never call `production`."""

    id: Identifier
    hosts: Annotated[tuple[DesignSentence, ...], Meta(min_length=1)]
    production: bool = False


class DesignModel(_Entry, frozen=True):
    """Design of a product, or of the part of it that one repository holds."""

    schema: Annotated[int, Meta(ge=1, le=1, description="Form of the file: 1.")]
    product: Identifier
    owner: DesignSentence
    window_days: Annotated[int, Meta(ge=1, le=3650, description="Age from which grants and use are unknown.")] = 90
    applications: tuple[Application, ...] = field(name="application", default=())
    environments: tuple[DesignEnvironment, ...] = field(name="environment", default=())
    actors: tuple[DesignActor, ...] = field(name="actor", default=())
    roles: tuple[DesignRole, ...] = field(name="role", default=())
    tasks: tuple[Task, ...] = field(name="task", default=())
    actions: tuple[DesignAction, ...] = field(name="action", default=())
    boundaries: tuple[Boundary, ...] = field(name="boundary", default=())
    components: tuple[Component, ...] = field(name="component", default=())
    data: tuple[Data, ...] = ()
    flows: tuple[Flow, ...] = field(name="flow", default=())
    interfaces: tuple[Interface, ...] = field(name="interface", default=())
    resources: tuple[DesignResource, ...] = field(name="resource", default=())
    grants: tuple[DesignGrant, ...] = field(name="grant", default=())
    uses: tuple[Use, ...] = field(name="use", default=())
    guards: tuple[Guard, ...] = field(name="guard", default=())
    second_persons: tuple[SecondPerson, ...] = field(name="second_person", default=())
    acting_as: tuple[ActingAs, ...] = ()
    conflicts: tuple[ModelConflict, ...] = field(name="conflict", default=())
    limits: tuple[Limit, ...] = field(name="limit", default=())
    budgets: tuple[Budget, ...] = field(name="budget", default=())
    measurements: tuple[Measurement, ...] = field(name="measurement", default=())
    public_routes: tuple[PublicRoute, ...] = field(name="public", default=())
    samples: tuple[SampleObject, ...] = field(name="sample", default=())


def build_design_schema() -> bytes:
    """JSON Schema of `design.toml`, for editors and for the reference."""
    return msgspec.json.format(msgspec.json.encode(msgspec.json.schema(DesignModel), order="sorted"))
