"""What changes people: who they are, what roles they hold, that they leave."""

from datetime import date
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from muniment.access.actions import Action
from muniment.access.roles import Role
from muniment.policy.keys import parse_key
from muniment.server.people.models import Account, Grant, Machine, Person, held, today
from muniment.server.products.models import Product
from muniment.server.proposals.models import Proposal
from muniment.server.record.entering import code
from muniment.server.work import soon

What = dict[str, Any]


def changes_things(role: str) -> bool:
    """Whether a role may do anything but look, ask and look after its own."""
    return any(
        Role(role) in action.rule.roles and action.rule.changes for action in Action if action.rule.roles != _ALL
    )


def check_person(what: What) -> None:
    """ValueError for particulars that nobody can have."""
    if what["do"] == "add":
        person = Person(slug=what["id"], name=what["name"], email=what.get("email") or None)
        person.set_unusable_password()
        _clean(person)
        if Machine.objects.filter(slug=person.slug).exists():
            raise ValueError(_("A machine has that id."))
    elif what["do"] == "account":
        account_value(what["kind"], what["value"])
    _found(Person, what["id"]) if what["do"] != "add" else None


def change_person(what: What, asker: str, second: str | None) -> None:
    """Add somebody, change their particulars, or have them leave: at once, everywhere."""
    if what["do"] == "account":
        _account(what, asker)
    else:
        {"add": _add, "change": _change, "leave": _leave, "return": _return, "drop": _drop}[what["do"]](what)
    soon("rejudge-all")


def check_grant(what: What) -> None:
    """ValueError for a role that is not one, of nobody, for no product, or held already."""
    person = _found(Person, what["id"])
    if what["role"] not in set(Role):
        raise ValueError(_("There is no such role."))
    product = _found(Product, what["product"]) if what["product"] else None
    has = Grant.objects.filter(held(), person=person, role=what["role"], product=product).exists()
    if what["do"] == "give" and has:
        raise ValueError(_("%(name)s has that role already.") % {"name": person.name})
    if what["do"] == "give" and not person.active:
        raise ValueError(_("%(name)s has left.") % {"name": person.name})
    if what["do"] == "take" and not has:
        raise ValueError(_("%(name)s does not have that role.") % {"name": person.name})
    if what["do"] == "give" and (last := _last(what)) is not None and last < today():
        raise ValueError(_("That last day is over already."))


def grant_told(what: What) -> str:
    """What giving or taking a role is, in a sentence that begins with a verb."""
    told = f"{what['do']} {what['id']} the role {Role(what['role']).label}"
    told += f" for {what['product']}" if what["product"] else ""
    return f"{told} through {what['last']}" if what["do"] == "give" and what.get("last") else told


def change_grant(what: What, asker: str, second: str | None) -> None:
    """Give a role, through its last day if it has one, or take it away."""
    product = Product.objects.get(slug=what["product"]) if what["product"] else None
    person = Person.objects.get(slug=what["id"])
    former = Grant.objects.filter(person=person, role=what["role"], product=product, ended=None)
    former.update(ended=timezone.now())  # what is to be given anew may have lapsed
    if what["do"] == "give":
        Grant.objects.create(
            person=person,
            role=what["role"],
            product=product,
            by=Person.objects.get(slug=asker),
            second=Person.objects.get(slug=second) if second else None,
            bootstrap=second == "",
            last=_last(what),
        )
    soon("rejudge-all")


def _last(what: What) -> date | None:
    """The last day that was named, None for none. Raises ValueError for what is no day."""
    if not what.get("last"):
        return None
    try:
        return date.fromisoformat(what["last"])
    except ValueError:
        raise ValueError(_("Write the last day like 2030-12-31.")) from None


def _add(what: What) -> None:
    person = Person(slug=what["id"], name=what["name"], email=what.get("email") or None)
    person.set_unusable_password()
    person.save()


def _change(what: What) -> None:
    person = Person.objects.get(slug=what["id"])
    person.name, person.email = what["name"], what.get("email") or None
    _clean(person)
    person.save(update_fields=["name", "email"])


def _leave(what: What) -> None:
    """Sessions end by themselves: nobody who is not active is signed in. Tokens, links and what waits end here."""
    person = Person.objects.get(slug=what["id"])
    person.active = False
    person.save(update_fields=["active"])
    person.tokens.filter(ended=None).update(ended=timezone.now())
    person.invitations.filter(ended=None).update(ended=timezone.now())
    waiting = Proposal.objects.filter(state=Proposal.State.WAITING)
    about = Q(action=code(Action.GRANT_CHANGING_ROLE), what__id=person.slug)
    waiting.filter(Q(asker=person) | about).update(state=Proposal.State.WITHDRAWN, decided=timezone.now(), what={})


def _return(what: What) -> None:
    """Back, without the roles of before: they are given anew."""
    person = Person.objects.get(slug=what["id"])
    person.active = True
    person.set_unusable_password()
    person.save(update_fields=["active", "password"])
    person.grants.filter(ended=None).update(ended=timezone.now())


def _account(what: What, asker: str) -> None:
    """Theirs because an administrator says so, who is named for it."""
    kind, value = account_value(what["kind"], what["value"])
    people = {person.slug: person for person in Person.objects.filter(slug__in=[what["id"], asker])}
    vouched = {"proof": Account.Proof.ADMINISTRATOR, "by": people[asker]}
    try:
        with transaction.atomic():
            Account.objects.create(person=people[what["id"]], kind=kind, value=value, **vouched)
    except IntegrityError:
        raise ValueError(_("That belongs to somebody already.")) from None


def _drop(what: What) -> None:
    Account.objects.filter(person__slug=what["id"], pk=what["account"]).delete()


def account_value(kind: str, text: str) -> tuple[str, str]:
    """An account as it is kept. Raises ValueError for what can be none of its kind."""
    value = text.strip()
    if kind == Account.Kind.KEY:
        try:
            return kind, parse_key(value)
        except ValueError as error:
            raise ValueError(_("This is no SSH public key: %(error)s.") % {"error": error}) from error
    if kind == Account.Kind.LOGIN and value.count("/") != 1:
        raise ValueError(_("Write a login with its forge before it, such as github/ada."))
    if kind == Account.Kind.EMAIL and (value.count("@") != 1 or any(c.isspace() or c in '<>,;"' for c in value)):
        raise ValueError(_("This is no e-mail address."))
    if kind not in Account.Kind.values or not value.isprintable():
        raise ValueError(_("This cannot be an account."))
    return kind, value


def _clean(person: Person) -> None:
    try:
        person.full_clean(exclude=["password"])
    except ValidationError as error:
        raise ValueError(
            " ".join(f"{name}: {' '.join(texts)}" for name, texts in error.message_dict.items())
        ) from error
    if not person.name.isprintable():
        raise ValueError(_("name: letters and signs only."))


def _found(model: Any, slug: str) -> Any:
    found = model.objects.filter(slug=slug).first()
    if found is None:
        raise ValueError("There is nobody of that id." if model is Person else "There is no such product.")
    return found


_ALL = frozenset(Role)
