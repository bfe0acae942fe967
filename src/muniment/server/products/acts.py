"""What changes products."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Max
from django.utils import timezone
from django.utils.translation import gettext as _

from muniment.ledger.keys import LOG, read_public
from muniment.server.changes.models import GateLog
from muniment.server.connections.acts import check_connecting, connect_repository
from muniment.server.products.models import SIGNALS, Environment, Product, Repository
from muniment.server.work import soon

What = dict[str, Any]


def check_new(what: What) -> None:
    """ValueError for particulars that no product can have."""
    _clean(Product(slug=what["id"], name=what["name"]))


def add(what: What, asker: str, second: str | None) -> None:
    """A product, with nothing in it."""
    Product.objects.create(slug=what["id"], name=what["name"], **_signals(what))


def check_change(what: What) -> None:
    """ValueError for what cannot be."""
    product = _product(what)
    if what["do"] == "repository":
        name, path = what["name"].strip(), what["path"].strip()
        if not name or not name.isprintable() or Repository.objects.filter(name=name).exists():
            raise ValueError(_("Give the repository a name that no other has."))
        if not path.startswith(("/", "file:///")) or not path.isprintable():
            raise ValueError(
                _("Write the full path of the repository on the worker's machine, such as /srv/git/shop.git")
            )
    elif what["do"] == "gate":
        _check_gate(product, what)
    elif what["do"] == "connect":
        check_connecting(what)
    elif what["do"] == "environment":
        if product.environments.filter(name=what["name"], ended=None).exists():
            raise ValueError(_("It has an environment of that name already."))
        _clean(Environment(product=product, name=what["name"]), but=("product",))
    elif what["do"] == "drop-environment" and not product.environments.filter(name=what["name"], ended=None).exists():
        raise ValueError(_("It has no environment of that name."))
    elif what["do"] == "describe" and not what["name"].strip():
        raise ValueError(_("It needs a name."))


def change(what: What, asker: str, second: str | None) -> None:
    """Describe it, or add or drop a repository or environment."""
    product = _product(what)
    match what["do"]:
        case "describe":
            product.name, product.sensitive = what["name"], what.get("sensitive", "")
            for name, value in _signals(what).items():
                setattr(product, name, value)
            product.save()
            soon("rejudge-all")
        case "repository":
            row = Repository.objects.create(product=product, name=what["name"].strip(), path=what["path"].strip())
            soon("look", repository=row.pk)
        case "gate":
            repository = product.repositories.get(name=what["name"])
            log = GateLog.objects.create(repository=repository, path=what["path"].strip(), key=what["key"].strip())
            soon("read-gate", log=log.pk)
        case "connect":
            connect_repository(what, product)
        case "environment":
            _add_environment(product, what["name"])
        case "drop-environment":
            _drop_environment(product.environments.get(name=what["name"], ended=None))
        case other:
            raise ValueError(_("There is no such step: %(other)s.") % {"other": other})


def _add_environment(product: Product, name: str) -> None:
    """After all others, and production until two say otherwise. One that was dropped comes back without pipelines."""
    last = product.environments.filter(ended=None).aggregate(last=Max("order"))["last"]
    values = {"order": 1 if last is None else last + 1, "production": True, "ended": None}
    Environment.objects.update_or_create(product=product, name=name, defaults=values)


def _drop_environment(environment: Environment) -> None:
    now = timezone.now()
    environment.pipelines.filter(ended=None).update(ended=now)
    environment.ended = now
    environment.save(update_fields=["ended"])


def _check_gate(product: Product, what: What) -> None:
    repository = product.repositories.filter(name=what["name"]).first()
    if repository is None or GateLog.objects.filter(repository=repository).exists():
        raise ValueError(_("Choose a repository whose gate's log is not read yet."))
    if not what["path"].strip().startswith("/"):
        raise ValueError(
            _("Write the full path of the gate's home, or of a copy of its ledger, on the worker's machine.")
        )
    try:
        known = read_public(what["key"].strip()).kind == LOG
    except ValueError:
        known = False
    if not known:
        raise ValueError(
            _("This is no public key of a ledger: take the one line of keys/ledger.pub in the gate's home.")
        )


def check_retire(what: What) -> None:
    """ValueError for one that was retired."""
    if _product(what).retired is not None:
        raise ValueError(_("It was retired already."))


def retire(what: What, asker: str, second: str | None) -> None:
    """It is no longer active; nothing of it is deleted."""
    Product.objects.filter(slug=what["id"]).update(retired=timezone.now())


def _signals(what: What) -> dict[str, bool | None]:
    return {name: {"yes": True, "no": False}.get(str(what.get(name, ""))) for name in SIGNALS}


def _product(what: What) -> Product:
    found = Product.objects.filter(slug=what["id"]).first()
    if found is None:
        raise ValueError(_("There is no such product."))
    return found


def _clean(row: Product | Environment, but: tuple[str, ...] = ()) -> None:
    try:
        row.full_clean(exclude=but)
    except ValidationError as error:
        raise ValueError(
            " ".join(f"{name}: {' '.join(texts)}" for name, texts in error.message_dict.items())
        ) from error
