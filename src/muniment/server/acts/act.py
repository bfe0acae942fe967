"""Common shape of acts: one frozen struct that says what is done, to which resource, and who has to approve it.

Pages, the API, imports and commands build the same struct (`parser.py`), and `requests/execution.py` alone carries
it out. Each act is listed in its app's `ACTS`; docs/guides/add-an-act.md is the recipe.
"""

import re
from typing import Any, ClassVar, Self

from django.utils.translation import gettext as _
from msgspec import Struct

from muniment.access.actions import Action
from muniment.access.authorization import Resource
from muniment.access.roles import Role
from muniment.errors import RefusedError
from muniment.facts import canonical
from muniment.server.acts.guarded_state import GuardedState
from muniment.server.acts.inputs import Label
from muniment.server.acts.system_actors import SYSTEM_IDS


def format_act_tag(class_name: str) -> str:
    """Tag of an act in data: `GrantRole` is stored as `grant-role`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "-", class_name).lower()


class ActContext(Struct, frozen=True):
    """Context in which an act is checked or executed. `requester` and `approver` are internal ids of persons; of an
    act that no person does, `requester` is a `SystemActor`.

    `approver` is None where no second person is due. `alone` marks an act that was due for a second person and had
    none, since there were too few people yet. `requested_at` is the moment of the request (RFC 3339), or of now
    where nobody else is due. `record` is the digest of the record of the execution, `request_record` that of the
    request; each is "" until it is written. `second_factor`: the requester proved one. `by_token`: a program
    requested it with a person's API token. `secret` is a value that accompanies the act and is stored nowhere.
    """

    requester: str
    requested_at: str
    approver: str | None = None
    alone: bool = False
    request_record: str = ""
    record: str = ""
    second_factor: bool = False
    by_token: bool = False
    secret: Any = None

    @property
    def requesting_person(self) -> str | None:
        """Internal id of the person who requested it, None where no person did."""
        return None if self.requester in SYSTEM_IDS else self.requester

    def refuse_token(self) -> None:
        """Raise RefusedError for a program: what a person has to confirm, no token of theirs confirms."""
        if self.by_token:
            raise RefusedError(
                "token-confirms-nothing",
                _("An API token confirms nothing for its person."),
                _("Sign in, and confirm it on the page that shows it."),
            )


class Act(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag=format_act_tag, tag_field="act"):
    """Base of all acts. Each field has an `Input` in its annotation, which reads it and says how it is recorded.

    `actions` are the rows of the access table that it can need; `required_action()` picks the one that its content
    needs.
    """

    actions: ClassVar[tuple[Action, ...]]
    title: ClassVar[Label]  # verb and object, as a button has it
    carries_secret: ClassVar[bool] = False  # such an act cannot wait for a second person
    leading_fields: ClassVar[tuple[str, ...]] = ()  # which its form asks first; else those of its base come first

    def required_action(self) -> Action:
        """The row of the access table that this act needs."""
        (only,) = self.actions
        return only

    def required_second(self) -> frozenset[Role]:
        """Roles of the person who has to approve it; none if one person is enough."""
        return self.required_action().rule.second

    def find_resource(self) -> Resource:
        """Resource that authorize() decides on. Raises RefusedError for a resource that is gone."""
        raise NotImplementedError

    def format_subject(self) -> str:
        """Kind and id of the resource, as the record names it, such as `person:4f1c...`."""
        raise NotImplementedError

    def describe_act(self) -> str:
        """Write one sentence for the person who approves it, beginning with a verb, in the reader's language."""
        raise NotImplementedError

    def normalise_fields(self) -> Self:
        """The act as it is stored, once every field was read. Raises ParseError where fields do not fit together."""
        return self

    def check_preconditions(self, context: ActContext) -> None:
        """Raise RefusedError if the present state does not permit it."""

    def carry_out(self, context: ActContext) -> object:
        """Carry it out, within the transaction that records it. Only `requests/execution.py` calls this."""
        raise NotImplementedError

    def finish_after_record(self, context: ActContext) -> None:
        """Do what needs the record of the act itself, which is written after the act wrote its rows."""

    def follow_up(self, result: object) -> "Act | None":
        """An act that the requester requests together with this one, which returned `result`; None for no other."""
        return None

    def recorded_details(self, context: ActContext) -> dict[str, str]:
        """Further details for the record of each step: those that follow from the act, its requester and its
        moment.
        """
        return {}

    @classmethod
    def guarded_state(cls) -> GuardedState:
        """The state of now that this act changes by two people. Raises NotImplementedError where one person is enough.

        Every act that can need a second person has it; the registry refuses to load one that does not. So has an act by
        which each of several people does their own part of one thing, such as signing minutes.
        """
        raise NotImplementedError

    def shown_details(self) -> tuple[str, ...]:
        """Lines that a person reads before they sign, besides summary and reason: of a policy, each difference."""
        return ()

    def given_reason(self) -> str:
        """The reason that the requester gave, "" for acts that take none."""
        return str(getattr(self, "reason", ""))

    def encode_act(self) -> bytes:
        """The whole act as canonical JSON, its tag included."""
        return canonical.encode(self)

    def digest_act(self) -> str:
        """SHA-256 of `encode_act()`: what is approved, and later signed."""
        return canonical.digest_bytes(self.encode_act())

    @classmethod
    def act_tag(cls) -> str:
        """The name of this act in data, such as `grant-role`."""
        return str(cls.__struct_config__.tag)
