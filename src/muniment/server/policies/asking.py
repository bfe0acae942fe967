"""Asks for what changes the policy, its exceptions, and whether merges may go on: for pages and programs alike."""

import secrets
from typing import Any

import msgspec
from django.utils.translation import gettext as _

from muniment.access.actions import Action
from muniment.access.authorize import Actor
from muniment.facts import canonical
from muniment.policy.document import read_policy
from muniment.server.people.models import Person
from muniment.server.policies import acts
from muniment.server.policies.current import clauses
from muniment.server.policies.models import Version
from muniment.server.products.models import Repository
from muniment.server.products.reach import repositories_of
from muniment.server.proposals.doing import ask
from muniment.server.proposals.models import Proposal
from muniment.server.record.entering import act
from muniment.server.record.home import POLICY
from muniment.server.work import soon

LARGEST = 256 << 10  # characters of a policy


def propose(actor: Actor, text: str, note: str) -> Version:
    """A version that does not hold yet. Raises ValueError for what is no policy, or is the one that holds."""
    if len(text) > LARGEST:
        raise ValueError(_("A policy has at most %(n)d characters.") % {"n": LARGEST})
    acts.differences(text)
    current = Version.objects.filter(holds=True).first()
    if current is not None and text == current.text:
        raise ValueError(_("This is the policy that holds already."))
    digest = read_policy(text, POLICY).digest
    by = Person.objects.get(slug=actor.person)
    version = Version.objects.create(text=text, digest=digest, note=note, by=by)
    act(actor, Action.PROPOSE_POLICY, f"policy:{version.pk}", {"digest": digest, "note": note})
    soon("try-policy", version=version.pk)
    return version


def read_from(actor: Actor, repository: str, branch: str, path: str) -> Proposal | None:
    """Have policies be read from a branch; from none if no repository is named."""
    where = {"repository": repository, "branch": branch.strip(), "path": path.strip()}
    what = {"id": "source", "do": "source" if repository else "no-source", **where}
    told = f"read policies from {repository}, {branch}: {path}" if repository else "read policies from no branch"
    return ask(actor, Action.PROPOSE_POLICY, what, told)


def apply(actor: Actor, version: Version) -> Proposal | None:
    """Have it hold: at once if it is nowhere weaker, else once a second security officer agrees."""
    current = Version.objects.filter(holds=True).first()
    weaker = acts.weakens(version.text)
    action = Action.WEAKEN_POLICY if weaker else Action.APPLY_POLICY
    what = {
        "id": str(version.pk),
        "version": version.pk,
        "digest": version.digest,
        "from": current.digest if current else "",
    }
    told = f"have version {version.pk} of the policy hold" + (", which is weaker" if weaker else "")
    return ask(actor, action, what, told, version.note)


def exception(actor: Actor, fields: dict[str, str]) -> Proposal | None:
    """Leave to proceed, once a second person agrees: `repository`, `clause`, `branch`, `head`, `reason`, `days`."""
    repository: Repository | None = (
        repositories_of(actor, Action.ASK_EXCEPTION).filter(name=fields["repository"]).first()
    )
    if repository is None:
        raise ValueError(_("Choose a repository."))
    if fields["clause"] not in {clause.id for clause in clauses()}:
        raise ValueError(_("Choose a clause."))
    if not (fields["days"].isascii() and fields["days"].isdigit()) or len(fields["days"]) > 3:
        raise ValueError(_("Write a number of days."))
    if not fields["branch"].startswith("refs/heads/"):
        raise ValueError(_("Write the branch in full, such as refs/heads/main."))
    terms = acts.terms(repository, fields, actor.person)
    what: dict[str, Any] = {
        "id": terms.id,
        "terms": canonical.digest(terms.signed),
        "exception": msgspec.to_builtins(terms),
    }
    told = f"let {repository.name} proceed although {terms.clause} says no, until {terms.expires[:10]}"
    return ask(actor, Action.ASK_EXCEPTION, what, told, terms.reason, product=repository.product.slug)


def gently(actor: Actor, product: str, clause: str, until: str, reason: str) -> Proposal | None:
    """Have a clause only report for a product until a day, once a second person agrees."""
    what = {"id": f"gently-{secrets.token_hex(4)}", "product": product, "clause": clause, "until": until}
    told = f"have {clause} only report for {product}, until {until}"
    return ask(actor, Action.REPORT_ONLY, {**what, "reason": reason}, told, reason, product=product)


def end_exception(actor: Actor, slug: str, product: str) -> Proposal | None:
    """It covers nothing from now on."""
    return ask(actor, Action.END_EXCEPTION, {"id": slug}, f"end the exception {slug}", product=product)


def freeze(actor: Actor, reason: str, *, rehearsal: bool) -> Proposal | None:
    """Stop all merges, or rehearse it."""
    what = {"id": secrets.token_hex(4), "reason": reason, "rehearsal": rehearsal}
    return ask(actor, Action.FREEZE, what, "rehearse a stop of all merges" if rehearsal else "stop all merges", reason)


def lift(actor: Actor, slug: str) -> Proposal | None:
    """Let merges go on, once a second security officer agrees."""
    return ask(actor, Action.UNFREEZE, {"id": slug}, f"lift the stop {slug}")
