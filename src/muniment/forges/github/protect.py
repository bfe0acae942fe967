"""Makes GitHub insist: one ruleset for each protected branch, which requires the check from our App and no other's.

Nobody may set it aside but break-glass. Reviews, the end of stale ones, and no pushing past changes are a second layer.
Where our App alone is to merge, a second ruleset restricts updates of the branch, and our App may set that one aside
by merging a pull request, and in no other way. The first binds it all the same.
"""

from typing import Any
from urllib.parse import quote

from muniment.errors import ForgeCode, ForgeError
from muniment.forges.github import app, protection, wire
from muniment.forges.github.client import at
from muniment.forges.rules import BranchRules, Plan, Step, Wanted
from muniment.forges.shapes import Repo

_ROLES = {"role:maintain": 2, "role:write": 4, "role:admin": 5}

OPEN_ENDS = (
    "Whoever administers the repository or its organisation can change or switch off the ruleset; "
    "Muniment notices at its next pass, and opens an incident.",
    "A break-glass merge is a bypass: it is found afterwards, not prevented.",
    "Other rulesets may be added by whoever administers the repository; none of them weakens this one.",
)


class GitHubProtector:
    """Protects as an installation of our App, which needs Administration: write."""

    def __init__(self, ours: app.Identity) -> None:
        self._app = ours
        self._hub = ours.hub

    def plan(self, repository: Repo, wanted: Wanted) -> Plan:
        """What would change."""
        before = protection.rules(self._hub, repository, wanted.ref)
        allowed = tuple(sorted(self._named(name)[0] for name in wanted.break_glass))
        if wanted.only_we_merge and self._app.permissions().get("contents") != "write":
            raise ForgeError(
                ForgeCode.UNSUPPORTED,
                "our App may not merge, and no other account could",
                "Give the App the permission Contents: write, or protect with --merge status.",
            )
        steps = tuple(_steps(before, wanted, self._app.account().id, allowed, self._knows_unattributed()))
        ends = (*(f"Not read: {what}." for what in before.unread_settings), *OPEN_ENDS)
        return Plan(repository.path, wanted, before, steps, ends)

    def apply(self, repository: Repo, plan: Plan) -> BranchRules:
        """Make or renew our ruleset, and read back what holds."""
        wanted = plan.wanted
        before = protection.rules(self._hub, repository, wanted.ref)
        if before != plan.before or repository.path != plan.repository:
            raise ForgeError(
                ForgeCode.CHANGED_MEANWHILE, "the branch's rules are other than they were", "Look at the new plan."
            )
        if plan.steps:
            self._write(repository, wanted)
        return protection.rules(self._hub, repository, wanted.ref)

    def _write(self, repository: Repo, wanted: Wanted) -> None:
        path = f"{at(repository)}/rulesets"
        bodies = [self._ruleset(wanted), *([self._merging(wanted)] if wanted.only_we_merge else [])]
        try:
            listed = self._hub.many(wire.Ruleset, path, includes_parents=False)
            for body in bodies:
                ours = [one for one in listed if one.name == body["name"] and one.source_type == "Repository"]
                if ours:
                    self._hub.rest.send("PUT", f"{path}/{ours[0].id}", body)
                else:
                    self._hub.rest.send("POST", path, body)
        except ForgeError as error:
            if error.code in (ForgeCode.FORBIDDEN, ForgeCode.NOT_FOUND):
                raise _no_rulesets() from None
            raise

    def _ruleset(self, wanted: Wanted) -> dict[str, Any]:
        return {
            "name": f"Muniment: {wanted.ref.removeprefix('refs/heads/')}",
            "target": "branch",
            "enforcement": "active",
            "bypass_actors": [self._named(name)[1] for name in wanted.break_glass],
            "conditions": {"ref_name": {"include": [wanted.ref], "exclude": []}},
            "rules": [
                {"type": "deletion"},
                {"type": "non_fast_forward"},
                {"type": "pull_request", "parameters": self._reviews(wanted)},
                {"type": "required_status_checks", "parameters": _checks(wanted, app.number_of(self._app.account()))},
            ],
        }

    def _merging(self, wanted: Wanted) -> dict[str, Any]:
        """The ruleset that leaves merging to our App alone: in pull requests, where the other ruleset binds it too."""
        ours = {**_bypass("Integration", app.number_of(self._app.account())), "bypass_mode": "pull_request"}
        return {
            "name": f"Muniment merges: {wanted.ref.removeprefix('refs/heads/')}",
            "target": "branch",
            "enforcement": "active",
            "bypass_actors": [ours, *(self._named(name)[1] for name in wanted.break_glass)],
            "conditions": {"ref_name": {"include": [wanted.ref], "exclude": []}},
            "rules": [{"type": "update", "parameters": {"update_allows_fetch_and_merge": False}}],
        }

    def _reviews(self, wanted: Wanted) -> dict[str, Any]:
        return {**_reviews(wanted), **({protection.UNATTRIBUTED: True} if self._knows_unattributed() else {})}

    def _knows_unattributed(self) -> bool:
        """Whether GitHub there has the setting. No Enterprise Server is known to."""
        return not self._app.itself.one(wire.Meta, "meta").installed_version

    def _named(self, name: str) -> tuple[str, dict[str, Any]]:
        """Somebody who may break the glass: `owners`, `role:admin`, `app:17`, or a team `shop/security`."""
        if name == "owners":
            return name, _bypass("OrganizationAdmin", 1)
        if name in _ROLES:
            return name, _bypass("RepositoryRole", _ROLES[name])
        kind, _, number = name.partition(":")
        if kind in ("app", "team") and number.isdigit():
            return name, _bypass("Integration" if kind == "app" else "Team", int(number))
        organisation, _, slug = name.removeprefix("@").partition("/")
        if not organisation or not slug:
            raise ForgeError(
                ForgeCode.UNSUPPORTED,
                f"GitHub's rulesets have no exception for {name}",
                "Name a team, like shop/security, or owners, or role:admin.",
            )
        path = f"orgs/{quote(organisation, safe='')}/teams/{quote(slug, safe='')}"
        team = self._hub.one(wire.Team, path)
        return f"team:{team.id}", _bypass("Team", team.id)

    def delete_secret(self, repository: Repo, name: str) -> None:
        """Delete a secret of the repository; needs Secrets: write."""
        self._hub.rest.send("DELETE", f"{at(repository)}/actions/secrets/{quote(name, safe='')}")

    def hook(self, repository: Repo, url: str, secret: str) -> None:  # noqa: ARG002 -- one hook for all
        """The App's own hook: it hears of every repository that the App is installed for."""
        config = {"url": url, "content_type": "json", "secret": secret, "insecure_ssl": "0"}
        self._app.itself.rest.send("PATCH", "app/hook/config", config)


def _bypass(kind: str, number: int) -> dict[str, Any]:
    return {"actor_type": kind, "actor_id": number, "bypass_mode": "always"}


def _reviews(wanted: Wanted) -> dict[str, Any]:
    return {
        "required_approving_review_count": wanted.approvals,
        "dismiss_stale_reviews_on_push": True,
        "require_code_owner_review": False,
        "require_last_push_approval": wanted.approvals > 0,
        "required_review_thread_resolution": False,
    }


def _checks(wanted: Wanted, number: int) -> dict[str, Any]:
    return {
        "required_status_checks": [{"context": wanted.context, "integration_id": number}],
        "strict_required_status_checks_policy": False,
        "do_not_enforce_on_create": False,
    }


def _steps(
    before: BranchRules, wanted: Wanted, us: str, allowed: tuple[str, ...], knows_unattributed: bool
) -> list[Step]:
    """What differs from what is wanted; each, left undone, weakens."""
    given = {required.context: required.by or "anybody" for required in before.required_statuses}
    extra = sorted(set(before.bypass) - set(allowed))
    merging = wanted.only_we_merge
    compared = (
        (
            f"the check {wanted.context} is required, from Muniment's App alone",
            given.get(wanted.context, "not required"),
            us,
        ),
        ("who may bypass the rules", _list(extra or allowed), _list(allowed)),
        ("approvals that GitHub itself asks for", str(min(before.approvals, wanted.approvals)), str(wanted.approvals)),
        (
            "a further approval of what is attributed to no person",
            _yes(before.unattributed_approval or not knows_unattributed),
            "yes",
        ),
        ("who merges", _list(before.mergers), _list(tuple(sorted({us, *allowed})) if merging else before.mergers)),
        ("a push ends approvals", _yes(before.stale_dismissed), "yes"),
        ("pushing past changes", _yes(bool(before.pushers)), "no"),
        ("force pushes", _yes(before.force_push), "no"),
        ("deleting the branch", _yes(before.deletable), "no"),
    )
    return [Step(what, was, becomes) for what, was, becomes in compared if was != becomes]


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _list(names: list[str] | tuple[str, ...]) -> str:
    return ", ".join("anybody" if name == protection.ANYBODY else name for name in names) or "nobody"


def _no_rulesets() -> ForgeError:
    return ForgeError(
        ForgeCode.UNSUPPORTED,
        "GitHub makes no ruleset here: the App lacks the permission Administration: write, "
        "or the repository is private on a plan without rulesets",
        "Give the App that permission, or see docs/guides/forges.md for what binds on which plan.",
    )
