"""Protects branches at GitHub: one ruleset for each, which requires the check from our App and no other's.

Only break-glass actors may bypass it. Required reviews, dismissal of stale ones, and no direct pushes are a second
layer. Where only our App may merge, a second ruleset restricts updates of the branch, and our App may bypass that one
by merging a pull request, and in no other way. The first ruleset applies to our App all the same.
"""

from urllib.parse import quote

from muniment.errors import ForgeCode, ForgeError
from muniment.forges.branch_rules import BranchRules, ProtectionPlan, ProtectionStep, WantedProtection
from muniment.forges.github import app, protection, wire
from muniment.forges.github.client import repository_path
from muniment.forges.github.ruleset_wire import Ruleset
from muniment.forges.shapes import ForgeRepository

_UNATTRIBUTED = "require_extra_approval_for_unattributed_changes"
_ROLES = {"role:maintain": 2, "role:write": 4, "role:admin": 5}

REMAINING_GAPS = (
    "Whoever administers the repository or its organisation can change or switch off the ruleset; "
    "Muniment notices at its next pass, and opens an incident.",
    "A break-glass merge is a bypass: it is found afterwards, not prevented.",
    "Other rulesets may be added by whoever administers the repository; none of them weakens this one.",
)


class GitHubProtector:
    """Protects as an installation of our App, which needs Administration: write."""

    def __init__(self, identity: app.GitHubIdentity) -> None:
        self._app = identity
        self._hub = identity.hub

    def plan_protection(self, repository: ForgeRepository, wanted: WantedProtection) -> ProtectionPlan:
        before = protection.read_rules(self._hub, repository, wanted.ref)
        allowed = tuple(sorted(self._resolve_actor(name)[0] for name in wanted.break_glass))
        if wanted.only_we_merge and self._app.get_permissions().get("contents") != "write":
            raise ForgeError(
                ForgeCode.UNSUPPORTED,
                "our App may not merge, and no other account could",
                "Give the App the permission Contents: write, or protect with --merge status.",
            )
        steps = tuple(
            _compare_rules(before, wanted, self._app.read_account().id, allowed, self._supports_unattributed())
        )
        ends = (*(f"Not read: {what}." for what in before.unread_settings), *REMAINING_GAPS)
        return ProtectionPlan(repository.path, wanted, before, steps, ends)

    def apply_protection(self, repository: ForgeRepository, plan: ProtectionPlan) -> BranchRules:
        """Create or update our ruleset, and read the rules back."""
        wanted = plan.wanted
        before = protection.read_rules(self._hub, repository, wanted.ref)
        if before != plan.before or repository.path != plan.repository:
            raise ForgeError(
                ForgeCode.CHANGED_MEANWHILE, "the branch's rules are other than they were", "Look at the new plan."
            )
        if plan.steps:
            self._write_rulesets(repository, wanted)
        return protection.read_rules(self._hub, repository, wanted.ref)

    def _write_rulesets(self, repository: ForgeRepository, wanted: WantedProtection) -> None:
        path = f"{repository_path(repository)}/rulesets"
        bodies = [self._make_ruleset(wanted), *([self._make_merge_ruleset(wanted)] if wanted.only_we_merge else [])]
        try:
            listed = self._hub.read_list(Ruleset, path, includes_parents=False)
            for body in bodies:
                ours = [one for one in listed if one.name == body["name"] and one.source_type == "Repository"]
                if ours:
                    self._hub.rest.send_json("PUT", f"{path}/{ours[0].id}", body)
                else:
                    self._hub.rest.send_json("POST", path, body)
        except ForgeError as error:
            if error.code in (ForgeCode.FORBIDDEN, ForgeCode.NOT_FOUND):
                raise _no_rulesets_error() from None
            raise

    def _make_ruleset(self, wanted: WantedProtection) -> dict[str, object]:
        return {
            "name": f"Muniment: {wanted.ref.removeprefix('refs/heads/')}",
            "target": "branch",
            "enforcement": "active",
            "bypass_actors": [self._resolve_actor(name)[1] for name in wanted.break_glass],
            "conditions": {"ref_name": {"include": [wanted.ref], "exclude": []}},
            "rules": [
                {"type": "deletion"},
                {"type": "non_fast_forward"},
                {"type": "pull_request", "parameters": self._make_review_parameters(wanted)},
                {
                    "type": "required_status_checks",
                    "parameters": _status_rule(wanted, app.app_number(self._app.read_account())),
                },
            ],
        }

    def _make_merge_ruleset(self, wanted: WantedProtection) -> dict[str, object]:
        """Ruleset that lets only our App merge: in pull requests, where the other ruleset also applies to it."""
        ours = {**_make_bypass("Integration", app.app_number(self._app.read_account())), "bypass_mode": "pull_request"}
        return {
            "name": f"Muniment merges: {wanted.ref.removeprefix('refs/heads/')}",
            "target": "branch",
            "enforcement": "active",
            "bypass_actors": [ours, *(self._resolve_actor(name)[1] for name in wanted.break_glass)],
            "conditions": {"ref_name": {"include": [wanted.ref], "exclude": []}},
            "rules": [{"type": "update", "parameters": {"update_allows_fetch_and_merge": False}}],
        }

    def _make_review_parameters(self, wanted: WantedProtection) -> dict[str, object]:
        return {**_review_rule(wanted), **({_UNATTRIBUTED: True} if self._supports_unattributed() else {})}

    def _supports_unattributed(self) -> bool:
        """Whether GitHub there has the setting. No Enterprise Server is known to."""
        return not self._app.account_client.read_one(wire.Meta, "meta").installed_version

    def _resolve_actor(self, name: str) -> tuple[str, dict[str, object]]:
        """Actor that may use a break-glass merge: `owners`, `role:admin`, `app:17`, or a team `shop/security`."""
        if name == "owners":
            return name, _make_bypass("OrganizationAdmin", 1)
        if name in _ROLES:
            return name, _make_bypass("RepositoryRole", _ROLES[name])
        kind, _, number = name.partition(":")
        if kind in ("app", "team") and number.isdigit():
            return name, _make_bypass("Integration" if kind == "app" else "Team", int(number))
        organisation, _, slug = name.removeprefix("@").partition("/")
        if not organisation or not slug:
            raise ForgeError(
                ForgeCode.UNSUPPORTED,
                f"GitHub's rulesets have no exception for {name}",
                "Name a team, like shop/security, or owners, or role:admin.",
            )
        path = f"orgs/{quote(organisation, safe='')}/teams/{quote(slug, safe='')}"
        team = self._hub.read_one(wire.Team, path)
        return f"team:{team.id}", _make_bypass("Team", team.id)

    def delete_secret(self, repository: ForgeRepository, name: str) -> None:
        """Delete a secret of the repository; needs Secrets: write."""
        self._hub.rest.send_json("DELETE", f"{repository_path(repository)}/actions/secrets/{quote(name, safe='')}")

    def register_webhook(self, repository: ForgeRepository, url: str, secret: str) -> None:  # noqa: ARG002 -- one hook for all
        """Set the App webhook: it receives the events of every repository that the App is installed for."""
        config = {"url": url, "content_type": "json", "secret": secret, "insecure_ssl": "0"}
        self._app.account_client.rest.send_json("PATCH", "app/hook/config", config)


def _make_bypass(kind: str, number: int) -> dict[str, object]:
    return {"actor_type": kind, "actor_id": number, "bypass_mode": "always"}


def _review_rule(wanted: WantedProtection) -> dict[str, object]:
    return {
        "required_approving_review_count": wanted.approvals,
        "dismiss_stale_reviews_on_push": True,
        "require_code_owner_review": False,
        "require_last_push_approval": wanted.approvals > 0,
        "required_review_thread_resolution": False,
    }


def _status_rule(wanted: WantedProtection, number: int) -> dict[str, object]:
    return {
        "required_status_checks": [{"context": wanted.context, "integration_id": number}],
        "strict_required_status_checks_policy": False,
        "do_not_enforce_on_create": False,
    }


def _compare_rules(
    before: BranchRules, wanted: WantedProtection, us: str, allowed: tuple[str, ...], knows_unattributed: bool
) -> list[ProtectionStep]:
    """Steps for each setting that differs from the wanted one; left undone, each weakens the protection."""
    given = {required.context: required.by or "anybody" for required in before.required_statuses}
    extra = sorted(set(before.bypass) - set(allowed))
    merging = wanted.only_we_merge
    compared = (
        (
            f"the check {wanted.context} is required, from Muniment's App alone",
            given.get(wanted.context, "not required"),
            us,
        ),
        ("who may bypass the rules", _join_names(extra or allowed), _join_names(allowed)),
        ("approvals that GitHub itself asks for", str(min(before.approvals, wanted.approvals)), str(wanted.approvals)),
        (
            "a further approval of what is attributed to no person",
            _yes_or_no(before.unattributed_approval or not knows_unattributed),
            "yes",
        ),
        (
            "who merges",
            _join_names(before.mergers),
            _join_names(tuple(sorted({us, *allowed})) if merging else before.mergers),
        ),
        ("a push ends approvals", _yes_or_no(before.stale_dismissed), "yes"),
        ("pushing past changes", _yes_or_no(bool(before.pushers)), "no"),
        ("force pushes", _yes_or_no(before.force_push), "no"),
        ("deleting the branch", _yes_or_no(before.deletable), "no"),
    )
    return [ProtectionStep(what, was, becomes) for what, was, becomes in compared if was != becomes]


def _yes_or_no(value: bool) -> str:
    return "yes" if value else "no"


def _join_names(names: list[str] | tuple[str, ...]) -> str:
    return ", ".join("anybody" if name == protection.ANY_ACTOR else name for name in names) or "nobody"


def _no_rulesets_error() -> ForgeError:
    return ForgeError(
        ForgeCode.UNSUPPORTED,
        "GitHub makes no ruleset here: the App lacks the permission Administration: write, "
        "or the repository is private on a plan without rulesets",
        "Give the App that permission, or see docs/guides/forges.md for what binds on which plan.",
    )
