"""What changes the policy, its exceptions, and whether anything may be merged at all."""

import secrets
from datetime import date, timedelta
from typing import Any

import msgspec
from django.utils import timezone
from django.utils.translation import gettext as _

from muniment.decision.comparison import Difference, Direction, compare
from muniment.decision.exceptions import LONGEST
from muniment.errors import PolicyError
from muniment.facts import canonical
from muniment.policy.exceptions import ArmoredSignature, ExceptionFile, Terms
from muniment.server import moments
from muniment.server.changes.proofs import ACT
from muniment.server.installation import home
from muniment.server.people.models import Person
from muniment.server.policies.current import clauses
from muniment.server.policies.models import Freeze, Gentle, Leave, Source, Version
from muniment.server.products.models import Product, Repository
from muniment.server.record.home import POLICY
from muniment.server.record.models import ExceptionFile as ExceptionRow
from muniment.server.work import soon
from muniment.workflows.sources import bound

What = dict[str, Any]
LONGEST_GENTLE = 366  # days


def differences(text: str) -> tuple[Difference, ...]:
    """What another policy would change, against the one in force. Raises ValueError for what is no policy."""
    try:
        new = bound(text, POLICY)
    except PolicyError as error:
        raise ValueError(f"{error.message} {error.remedy}") from error
    old = home().policy_text()
    return compare(bound(old, POLICY), new) if old is not None else ()


def weakens(text: str) -> bool:
    """Whether it is weaker anywhere; what cannot be compared counts as weaker."""
    return any(difference.direction is Direction.WEAKER for difference in differences(text))


def check_policy(what: What) -> None:
    """ValueError for what is no policy, or for a version that is not there or was applied."""
    version = Version.objects.filter(pk=what["version"]).first()
    if version is None or version.applied is not None:
        raise ValueError(_("That version was applied already, or is gone."))
    if Version.objects.filter(holds=True).exclude(digest=what["from"]).exists():
        raise ValueError(_("Another policy holds by now: propose yours again, so that its differences are seen."))
    differences(version.text)


def apply(what: What, asker: str, second: str | None) -> None:
    """It holds from now on."""
    version = Version.objects.get(pk=what["version"])
    Version.objects.filter(holds=True).update(holds=False)
    version.holds, version.applied = True, timezone.now()
    version.second = Person.objects.filter(slug=second).first() if second else None
    version.save()
    home().write(POLICY, version.text.encode())
    soon("rejudge-all")


def check_source(what: What) -> None:
    """ValueError for a branch or path that cannot be one."""
    if what["do"] == "no-source":
        return
    if not Repository.objects.filter(name=what["repository"], product__retired=None).exists():
        raise ValueError(_("Choose a repository."))
    for name in ("branch", "path"):
        text = what[name]
        if not text or not text.isprintable() or text.startswith(("/", "-", "refs/")) or ".." in text:
            raise ValueError(_("%(name)s: write it in short, such as main, or policy.toml.") % {"name": name})


def set_source(what: What, asker: str, second: str | None) -> None:
    """Policies are read from there from now on, or from nowhere."""
    Source.objects.all().delete()
    if what["do"] == "source":
        Source.objects.create(
            id=1,
            repository=Repository.objects.get(name=what["repository"]),
            branch=what["branch"],
            path=what["path"],
            by=Person.objects.get(slug=asker),
        )
        soon("read-policy")


def terms(repository: Repository, what: What, owner: str) -> Terms:
    """What an exception says. Raises ValueError for what none may say."""
    now = timezone.now()
    days = int(what["days"])
    if not 1 <= days <= LONGEST:
        raise ValueError(_("An exception lasts from 1 to %(longest)s days.") % {"longest": LONGEST})
    if not what["reason"].strip():
        raise ValueError(_("Say why: whoever looks at it later was not there."))
    return Terms(
        id=f"{timezone.now():%Y-%m-%d}-{secrets.token_hex(3)}",
        clause=what["clause"],
        repository=repository.name,
        branch=what["branch"],
        head=what["head"],
        owner=owner,
        reason=what["reason"].strip(),
        granted=moments.text(now),
        expires=moments.text(now + timedelta(days=days)),
    )


def check_exception(what: What) -> None:
    """ValueError for a repository that is gone, or terms that were over before anybody agreed."""
    read = _terms(what)
    if not Repository.objects.filter(name=read.repository).exists():
        raise ValueError(_("Its repository is gone."))
    if read.expires <= moments.now():
        raise ValueError(_("It would be over already: ask for a new one."))


def grant_exception(what: What, asker: str, second: str | None) -> None:
    """It is in force: the recorded acts of both prove it."""
    read = _terms(what)
    people = {person.slug: person for person in Person.objects.filter(slug__in=[asker, second])}
    proofs = (ArmoredSignature(asker, ACT + what["asked"]), ArmoredSignature(str(second), ACT + what["done"]))
    file = ExceptionFile(read, proofs)
    ExceptionRow.objects.create(name=read.id, data=msgspec.json.encode(file))
    Leave.objects.create(
        slug=read.id,
        repository=Repository.objects.get(name=read.repository),
        clause=read.clause,
        branch=read.branch,
        head=read.head,
        reason=read.reason,
        asker=people[asker],
        granter=people[str(second)],
        granted=moments.read(read.granted),
        expires=moments.read(read.expires),
    )
    soon("rejudge-all")


def check_gently(what: What) -> None:
    """ValueError for a clause, a product or a day that cannot be."""
    if what["clause"] not in {clause.id for clause in clauses()}:
        raise ValueError(_("Choose a clause."))
    if not Product.objects.filter(slug=what["product"], retired=None).exists():
        raise ValueError(_("There is no such product."))
    try:
        until = date.fromisoformat(what["until"])
    except ValueError:
        raise ValueError(_("Write a day, such as 2027-01-31.")) from None
    if not timezone.now().date() < until <= timezone.now().date() + timedelta(days=LONGEST_GENTLE):
        raise ValueError(_("Name a day from tomorrow on, within a year."))
    if not what["reason"].strip():
        raise ValueError(_("Say why: whoever looks at it later was not there."))
    if Gentle.holding().filter(product__slug=what["product"], clause=what["clause"]).exists():
        raise ValueError(_("It only reports there already."))


def begin_gently(what: What, asker: str, second: str | None) -> None:
    """The clause only reports for the product, until the day is over."""
    people = {person.slug: person for person in Person.objects.filter(slug__in=[asker, second])}
    Gentle.objects.create(
        slug=what["id"],
        product=Product.objects.get(slug=what["product"]),
        clause=what["clause"],
        until=date.fromisoformat(what["until"]),
        reason=what["reason"].strip(),
        asker=people[asker],
        granter=people[str(second)],
    )
    soon("rejudge-all")


def check_end(what: What) -> None:
    """ValueError for one that is over."""
    gentle = Gentle.holding().filter(slug=what["id"])
    if not gentle.exists() and not Leave.objects.filter(slug=what["id"], ended=None).exists():
        raise ValueError(_("It is over already."))


def end_exception(what: What, asker: str, second: str | None) -> None:
    """It covers nothing from now on; or the clause bites again."""
    Gentle.objects.filter(slug=what["id"]).update(ended=timezone.now())
    Leave.objects.filter(slug=what["id"]).update(ended=timezone.now())
    ExceptionRow.objects.filter(name=what["id"]).delete()
    soon("rejudge-all")


def check_freeze(what: What) -> None:
    """ValueError for one without a reason."""
    if not what["reason"].strip():
        raise ValueError(_("Say why: everybody who wants to merge reads it."))


def freeze(what: What, asker: str, second: str | None) -> None:
    """All merges stop."""
    Freeze.objects.create(
        slug=what["id"],
        person=Person.objects.get(slug=asker),
        reason=what["reason"].strip(),
        rehearsal=bool(what["rehearsal"]),
        since=timezone.now(),
    )
    soon("rejudge-all")
    if not what["rehearsal"]:
        soon("stop-deployments")


def check_lift(what: What) -> None:
    """ValueError for one that was lifted."""
    if not Freeze.objects.filter(slug=what["id"], lifted=None).exists():
        raise ValueError(_("It was lifted already."))


def lift(what: What, asker: str, second: str | None) -> None:
    """Merges go on."""
    Freeze.objects.filter(slug=what["id"]).update(lifted=timezone.now())
    soon("rejudge-all")


def _terms(what: What) -> Terms:
    read = msgspec.convert(what["exception"], Terms)
    if canonical.digest(read.signed) != what["terms"]:
        raise ValueError(_("It is not what was asked for."))
    return read
