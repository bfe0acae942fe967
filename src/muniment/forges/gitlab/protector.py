"""Protects branches at GitLab, as far as its tier can: who may merge, and a passing pipeline or external check.

Premium can name our account as the only one that may merge. Below it, only roles can be named: only maintainers may
merge, and the protection is complete as long as no other account is one.
"""

from urllib.parse import quote

from muniment.errors import ForgeCode, ForgeError
from muniment.forges.branch_rules import BranchRules, ProtectionPlan, ProtectionStep, WantedProtection
from muniment.forges.gitlab import protection, wire
from muniment.forges.gitlab.client import MAINTAINER, GitLabClient, branch_name, project_path
from muniment.forges.gitlab.protection import BranchProtection
from muniment.forges.shapes import ForgeRepository

_RULE = "Muniment"
_SUBSCRIBED_EVENTS = ("push_events", "merge_requests_events", "note_events", "pipeline_events", "job_events")
_MAINTAINERS = (
    "Maintainers can change all of this, and administrators of GitLab too: a weakened rule is an incident, found at "
    "the next pass."
)
_ROLES_ONLY = (
    "This tier can only name roles: our account alone may merge as long as nobody else is a maintainer or owner of the "
    "project."
)
_STATUS = "Every developer may also post our status, or answer the external check: alone it enforces nothing."
_MERGED_BY_OTHERS = (
    "Everybody who may merge can bypass this with a forged status; let our account alone merge to prevent it."
)
_CHECK_NEEDS_WEBHOOK = "The external status check is made as soon as Muniment's hook is set, for it needs its address."


class GitLabProtector:
    """See `forges.forge.Protector`. Our account has to be a maintainer."""

    def __init__(self, lab: GitLabClient) -> None:
        self._lab = lab
        self._hooks: dict[str, tuple[str, str]] = {}

    def _our_id(self) -> int:
        return self._lab.read_one(wire.User, "user").id

    def plan_protection(self, repository: ForgeRepository, wanted: WantedProtection) -> ProtectionPlan:
        there = protection.read_protection(self._lab, repository, wanted.ref)
        steps = tuple(self._compare_settings(there, wanted))
        return ProtectionPlan(
            repository.path, wanted, protection.merge_rules(there), steps, self._list_gaps(there, wanted)
        )

    def _compare_settings(self, there: BranchProtection, wanted: WantedProtection) -> list[ProtectionStep]:
        before = protection.merge_rules(there)
        compared = [
            ("who may merge", _join_names(before.mergers), _join_names(self._wanted_mergers(there, wanted))),
            ("who may push past changes", _join_names(before.pushers), "nobody"),
            ("force pushes", _yes_or_no(before.force_push), "no"),
            ("a failed pipeline blocks", _yes_or_no(there.project.only_allow_merge_if_pipeline_succeeds), "yes"),
            (
                "a skipped pipeline is good enough",
                _yes_or_no(there.project.allow_merge_on_skipped_pipeline is True),
                "no",
            ),
        ]
        if there.settings is not None:
            needed = f"{min(before.approvals, wanted.approvals)}"
            compared += [
                ("approvals that GitLab itself asks for", needed, str(wanted.approvals)),
                ("a push ends approvals", _yes_or_no(before.stale_dismissed), "yes"),
                ("authors approve their own", _yes_or_no(there.settings.merge_requests_author_approval is True), "no"),
            ]
        if there.checks is not None:
            given = any(one.context == wanted.context for one in protection.list_required(there))
            compared.append((f"the external check {wanted.context} has to pass", _yes_or_no(given), "yes"))
        return [ProtectionStep(what, was, becomes) for what, was, becomes in compared if was != becomes]

    def _wanted_mergers(self, there: BranchProtection, wanted: WantedProtection) -> tuple[str, ...]:
        if not wanted.only_we_merge:
            before = protection.merge_rules(there).mergers
            return before if there.fitting else ("maintainers",)
        if there.settings is None:
            return ("maintainers",)
        return tuple(sorted({f"user:{self._our_id()}", *wanted.break_glass}))

    def _list_gaps(self, there: BranchProtection, wanted: WantedProtection) -> tuple[str, ...]:
        ends = [_STATUS, _MAINTAINERS]
        if wanted.only_we_merge and there.settings is None:
            ends.append(_ROLES_ONLY)
        if not wanted.only_we_merge:
            ends.append(_MERGED_BY_OTHERS)
        if there.checks is not None and str(there.project.id) not in self._hooks:
            ends.append(_CHECK_NEEDS_WEBHOOK)
        others = [one.name for one in there.fitting if one.name != branch_name(wanted.ref)]
        ends += [
            f"The pattern {name} fits this branch too, and the more permissive of the two counts." for name in others
        ]
        return tuple(ends)

    def apply_protection(self, repository: ForgeRepository, plan: ProtectionPlan) -> BranchRules:
        wanted = plan.wanted
        there = protection.read_protection(self._lab, repository, wanted.ref)
        if protection.merge_rules(there) != plan.before or repository.path != plan.repository:
            raise ForgeError(
                ForgeCode.CHANGED_MEANWHILE, "the branch's rules are other than they were", "Look at the new plan."
            )
        base = project_path(repository)
        if plan.steps:
            self._protect_branch(base, there, self._wanted_mergers(there, wanted))
            self._set_project(base, there)
            self._set_approvals(base, there, wanted)
            self._set_external_check(base, repository, wanted)
        return protection.read_rules(self._lab, repository, wanted.ref)

    def _protect_branch(self, base: str, there: BranchProtection, mergers: tuple[str, ...]) -> None:
        exact = there.find_exact_rule()
        path = f"{base}/protected_branches"
        levels = [_make_level(name) for name in mergers]
        if exact is None:
            body = {"name": branch_name(there.ref), "push_access_level": 0, "allow_force_push": False}
            named = {"allowed_to_merge": levels} if there.settings is not None else {}
            role = {} if named else {"merge_access_level": levels[0].get("access_level", MAINTAINER)}
            self._lab.rest.send_json("POST", path, {**body, **named, **role})
            return
        body = {"allow_force_push": False}
        body |= _replace_levels("allowed_to_push", exact.push_access_levels, [{"access_level": 0}])
        body |= _replace_levels("allowed_to_merge", exact.merge_access_levels, levels)
        if there.settings is None:  # only whole rules can be made here
            self._replace_rule(base, there, exact, mergers)
            return
        self._lab.rest.send_json("PATCH", f"{path}/{quote(exact.name, safe='')}", body)

    def _replace_rule(
        self, base: str, there: BranchProtection, exact: wire.BranchProtection, mergers: tuple[str, ...]
    ) -> None:
        """Replace a rule that cannot be changed: delete it, create the new one, or at least the old one again."""
        path = f"{base}/protected_branches"
        self._lab.rest.send_json("DELETE", f"{path}/{quote(exact.name, safe='')}")
        try:
            self._protect_branch(base, _without_rule(there, exact), mergers)
        except ForgeError:
            roles = {
                "push_access_level": _lowest_role(exact.push_access_levels),
                "merge_access_level": _lowest_role(exact.merge_access_levels),
            }
            self._lab.rest.send_json("POST", path, {"name": exact.name, "allow_force_push": False, **roles})
            raise

    def _set_project(self, base: str, there: BranchProtection) -> None:
        body: dict[str, object] = {
            "only_allow_merge_if_pipeline_succeeds": True,
            "allow_merge_on_skipped_pipeline": False,
        }
        if there.checks is not None:
            body["only_allow_merge_if_all_status_checks_passed"] = True
        self._lab.rest.send_json("PUT", base, body)

    def _set_approvals(self, base: str, there: BranchProtection, wanted: WantedProtection) -> None:
        if there.settings is None:
            return
        settings = {"reset_approvals_on_push": True, "merge_requests_author_approval": False}
        self._lab.rest.send_json("POST", f"{base}/approvals", settings)
        rule = {"name": _RULE, "approvals_required": wanted.approvals, "applies_to_all_protected_branches": True}
        ours = next((one for one in there.needed if one.name == _RULE), None)
        if ours is None:
            self._lab.rest.send_json("POST", f"{base}/approval_rules", {**rule, "rule_type": "regular"})
        else:
            self._lab.rest.send_json("PUT", f"{base}/approval_rules/{ours.id}", rule)

    def _set_external_check(self, base: str, repository: ForgeRepository, wanted: WantedProtection) -> None:
        there = protection.read_protection(self._lab, repository, wanted.ref)
        hook, exact = self._hooks.get(repository.id), there.find_exact_rule()
        if there.checks is None or hook is None or exact is None:
            return
        body = {
            "name": wanted.context,
            "external_url": hook[0],
            "shared_secret": hook[1],
            "protected_branch_ids": [exact.id],
        }
        ours = next((one for one in there.checks if one.name == wanted.context), None)
        path = f"{base}/external_status_checks"
        if ours is None:
            self._lab.rest.send_json("POST", path, body)
        else:
            self._lab.rest.send_json("PUT", f"{path}/{ours.id}", body)

    def delete_secret(self, repository: ForgeRepository, name: str) -> None:
        """Delete a variable of the project. GitLab refuses one that several scopes have."""
        self._lab.rest.send_json("DELETE", f"{project_path(repository)}/variables/{quote(name, safe='')}")

    def register_webhook(self, repository: ForgeRepository, url: str, secret: str) -> None:
        """Send events of the project to our address; the same address and secret serve the external check."""
        if not secret:
            raise ForgeError(ForgeCode.REFUSED, "a hook without a secret could be anybody's", "Give it a secret.")
        path = f"{project_path(repository)}/hooks"
        body: dict[str, object] = {"url": url, "token": secret, "enable_ssl_verification": True}
        body |= dict.fromkeys(_SUBSCRIBED_EVENTS, True)
        ours = next((one for one in self._lab.read_list(wire.ProjectWebhook, path) if one.url == url), None)
        if ours is None:
            self._lab.rest.send_json("POST", path, body)
        else:
            self._lab.rest.send_json("PUT", f"{path}/{ours.id}", body)
        self._hooks[repository.id] = (url, secret)


def _lowest_role(levels: list[wire.AccessLevel]) -> int:
    """The lowest role that was allowed; 0 if there was none."""
    return min((level.access_level for level in levels if level.access_level), default=0)


def _without_rule(there: BranchProtection, gone: wire.BranchProtection) -> BranchProtection:
    fitting = tuple(one for one in there.fitting if one.id != gone.id)
    return BranchProtection(there.ref, there.project, fitting, there.settings, there.needed, there.checks)


def _make_level(name: str) -> dict[str, int]:
    """Access level of an actor that may merge: `maintainers`, `user:17`, `group:5`."""
    if name == "maintainers":
        return {"access_level": MAINTAINER}
    if name == protection.ANY_ROLE:
        return {"access_level": 30}
    kind, _, number = name.partition(":")
    if kind not in ("user", "group") or not number.isdigit():
        raise ForgeError(
            ForgeCode.UNSUPPORTED,
            f"GitLab cannot name {name} as who may merge",
            "Name user:17, group:5, or maintainers.",
        )
    return {f"{kind}_id": int(number)}


def _replace_levels(field: str, there: list[wire.AccessLevel], wanted: list[dict[str, int]]) -> dict[str, object]:
    """Field that replaces the present levels by the wanted ones."""
    gone = [{"id": level.id, "_destroy": True} for level in there]
    return {field: [*gone, *wanted]}


def _yes_or_no(value: bool) -> str:
    return "yes" if value else "no"


def _join_names(names: tuple[str, ...]) -> str:
    return ", ".join("anybody who may write" if name == protection.ANY_ROLE else name for name in names) or "nobody"
