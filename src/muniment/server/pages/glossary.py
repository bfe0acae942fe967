"""The words that Muniment uses, for people who are not developers."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET

from muniment.access.actions import Action
from muniment.access.roles import Role
from muniment.server.guarding.mediation import own, requires

WORDS = (
    (_("product"), _("What the company sells or runs.")),
    (_("change"), _("A proposed alteration of a product's program, before it becomes part of it.")),
    (_("policy, clause"), _("What the company wrote about how it develops securely; one statement of it.")),
    (_("approval"), _("One person's yes to one state of a change.")),
    (_("decision"), _("What the policy says of a change: allowed, or denied and why.")),
    (
        _("exception"),
        _("A written leave to proceed although the policy says no. Two people agree, and it ends by itself."),
    ),
    (_("incident"), _("A rule was broken, or somebody went past one with leave. It has an end, and a day for that.")),
    (_("ledger, entry"), _("The record of all that was decided and done. Lines are only ever added.")),
    (_("checkpoint"), _("A signed summary of the whole ledger. If one line were altered, it would no longer fit.")),
    (_("second factor"), _("Something besides a password: a passkey, or a code from an app on your phone.")),
    (_("commit"), _("One saved state of a program, with who made it. Its name is a long number.")),
    (_("branch"), _("A line of commits. A protected one is what the company ships.")),
    (_("unknown"), _("It could not be learnt. Muniment then says no, and tells who can settle it.")),
)


def _labels(roles: frozenset[Role]) -> list[str]:
    return [gettext(role.label) for role in Role if role in roles]


@require_GET
@requires(Action.SEE_POLICY)
def access(request: HttpRequest) -> HttpResponse:
    """Who may do what: the one table, as authorize() reads it."""
    rows = [(action.rule, _labels(action.rule.roles), _labels(action.rule.second)) for action in Action]
    return render(request, "access.html", {"rows": rows, "all": len(Role)})


@require_GET
@requires(Action.MANAGE_OWN_ACCOUNT, own)
def glossary(request: HttpRequest) -> HttpResponse:
    """All of them."""
    return render(request, "glossary.html", {"words": WORDS})
