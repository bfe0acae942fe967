"""Makes GitLab insist, as far as its tier can: who may merge, and that the pipeline or the external check is green.

Premium can name our account as the only one that may merge. Below it, only roles can be named: merging is left to
maintainers, and it binds as long as nobody else is one.
"""

from typing import Any
from urllib.parse import quote

from muniment.errors import ForgeCode, ForgeError
from muniment.forges.gitlab import protection, wire
from muniment.forges.gitlab.client import MAINTAINER, Lab, at, short
from muniment.forges.gitlab.protection import Found
from muniment.forges.rules import BranchRules, Plan, Step, Wanted
from muniment.forges.shapes import Repo

_RULE = "Muniment"
_HEARD = ("push_events", "merge_requests_events", "note_events", "pipeline_events", "job_events")
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
_UNTOLD = "The external status check is made as soon as Muniment's hook is set, for it needs its address."


class GitLabProtector:
    """See `forges.forge.Protector`. Our account has to be a maintainer."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._hooks: dict[str, tuple[str, str]] = {}

    def _us(self) -> int:
        return self._lab.one(wire.User, "user").id

    def plan(self, repository: Repo, wanted: Wanted) -> Plan:
        """What would change."""
        there = protection.found(self._lab, repository, wanted.ref)
        steps = tuple(self._steps(there, wanted))
        return Plan(repository.path, wanted, protection.effective(there), steps, self._open_ends(there, wanted))

    def _steps(self, there: Found, wanted: Wanted) -> list[Step]:
        before = protection.effective(there)
        compared = [
            ("who may merge", _list(before.mergers), _list(self._mergers(there, wanted))),
            ("who may push past changes", _list(before.pushers), "nobody"),
            ("force pushes", _yes(before.force_push), "no"),
            ("a failed pipeline blocks", _yes(there.project.only_allow_merge_if_pipeline_succeeds), "yes"),
            ("a skipped pipeline is good enough", _yes(there.project.allow_merge_on_skipped_pipeline is True), "no"),
        ]
        if there.settings is not None:
            needed = f"{min(before.approvals, wanted.approvals)}"
            compared += [
                ("approvals that GitLab itself asks for", needed, str(wanted.approvals)),
                ("a push ends approvals", _yes(before.stale_dismissed), "yes"),
                ("authors approve their own", _yes(there.settings.merge_requests_author_approval is True), "no"),
            ]
        if there.checks is not None:
            given = any(one.context == wanted.context for one in protection.required(there))
            compared.append((f"the external check {wanted.context} has to pass", _yes(given), "yes"))
        return [Step(what, was, becomes) for what, was, becomes in compared if was != becomes]

    def _mergers(self, there: Found, wanted: Wanted) -> tuple[str, ...]:
        if not wanted.only_we_merge:
            before = protection.effective(there).mergers
            return before if there.fitting else ("maintainers",)
        if there.settings is None:
            return ("maintainers",)
        return tuple(sorted({f"user:{self._us()}", *wanted.break_glass}))

    def _open_ends(self, there: Found, wanted: Wanted) -> tuple[str, ...]:
        ends = [_STATUS, _MAINTAINERS]
        if wanted.only_we_merge and there.settings is None:
            ends.append(_ROLES_ONLY)
        if not wanted.only_we_merge:
            ends.append(_MERGED_BY_OTHERS)
        if there.checks is not None and str(there.project.id) not in self._hooks:
            ends.append(_UNTOLD)
        others = [one.name for one in there.fitting if one.name != short(wanted.ref)]
        ends += [
            f"The pattern {name} fits this branch too, and the more permissive of the two counts." for name in others
        ]
        return tuple(ends)

    def apply(self, repository: Repo, plan: Plan) -> BranchRules:
        """Do it, and read back what holds."""
        wanted = plan.wanted
        there = protection.found(self._lab, repository, wanted.ref)
        if protection.effective(there) != plan.before or repository.path != plan.repository:
            raise ForgeError(
                ForgeCode.CHANGED_MEANWHILE, "the branch's rules are other than they were", "Look at the new plan."
            )
        base = at(repository)
        if plan.steps:
            self._branch(base, there, self._mergers(there, wanted))
            self._project(base, there)
            self._approvals(base, there, wanted)
            self._check(base, repository, wanted)
        return protection.rules(self._lab, repository, wanted.ref)

    def _branch(self, base: str, there: Found, mergers: tuple[str, ...]) -> None:
        exact = there.exact()
        path = f"{base}/protected_branches"
        levels = [_level(name) for name in mergers]
        if exact is None:
            body = {"name": short(there.ref), "push_access_level": 0, "allow_force_push": False}
            named = {"allowed_to_merge": levels} if there.settings is not None else {}
            role = {} if named else {"merge_access_level": levels[0].get("access_level", MAINTAINER)}
            self._lab.rest.send("POST", path, {**body, **named, **role})
            return
        body = {"allow_force_push": False}
        body |= _changed("allowed_to_push", exact.push_access_levels, [{"access_level": 0}])
        body |= _changed("allowed_to_merge", exact.merge_access_levels, levels)
        if there.settings is None:  # only whole rules can be made here
            self._made_anew(base, there, exact, mergers)
            return
        self._lab.rest.send("PATCH", f"{path}/{quote(exact.name, safe='')}", body)

    def _made_anew(self, base: str, there: Found, exact: wire.ProtectedBranch, mergers: tuple[str, ...]) -> None:
        """Where a rule cannot be changed: it goes, and the new one comes, or at least the old one again."""
        path = f"{base}/protected_branches"
        self._lab.rest.send("DELETE", f"{path}/{quote(exact.name, safe='')}")
        try:
            self._branch(base, _without(there, exact), mergers)
        except ForgeError:
            roles = {
                "push_access_level": _role(exact.push_access_levels),
                "merge_access_level": _role(exact.merge_access_levels),
            }
            self._lab.rest.send("POST", path, {"name": exact.name, "allow_force_push": False, **roles})
            raise

    def _project(self, base: str, there: Found) -> None:
        body: dict[str, Any] = {"only_allow_merge_if_pipeline_succeeds": True, "allow_merge_on_skipped_pipeline": False}
        if there.checks is not None:
            body["only_allow_merge_if_all_status_checks_passed"] = True
        self._lab.rest.send("PUT", base, body)

    def _approvals(self, base: str, there: Found, wanted: Wanted) -> None:
        if there.settings is None:
            return
        settings = {"reset_approvals_on_push": True, "merge_requests_author_approval": False}
        self._lab.rest.send("POST", f"{base}/approvals", settings)
        rule = {"name": _RULE, "approvals_required": wanted.approvals, "applies_to_all_protected_branches": True}
        ours = next((one for one in there.needed if one.name == _RULE), None)
        if ours is None:
            self._lab.rest.send("POST", f"{base}/approval_rules", {**rule, "rule_type": "regular"})
        else:
            self._lab.rest.send("PUT", f"{base}/approval_rules/{ours.id}", rule)

    def _check(self, base: str, repository: Repo, wanted: Wanted) -> None:
        there = protection.found(self._lab, repository, wanted.ref)
        told, exact = self._hooks.get(repository.id), there.exact()
        if there.checks is None or told is None or exact is None:
            return
        body = {
            "name": wanted.context,
            "external_url": told[0],
            "shared_secret": told[1],
            "protected_branch_ids": [exact.id],
        }
        ours = next((one for one in there.checks if one.name == wanted.context), None)
        path = f"{base}/external_status_checks"
        if ours is None:
            self._lab.rest.send("POST", path, body)
        else:
            self._lab.rest.send("PUT", f"{path}/{ours.id}", body)

    def delete_secret(self, repository: Repo, name: str) -> None:
        """Delete a variable of the project. GitLab refuses one that several scopes have."""
        self._lab.rest.send("DELETE", f"{at(repository)}/variables/{quote(name, safe='')}")

    def hook(self, repository: Repo, url: str, secret: str) -> None:
        """Tell our address of what happens in the project; the same address and secret serve the external check."""
        if not secret:
            raise ForgeError(ForgeCode.REFUSED, "a hook without a secret could be anybody's", "Give it a secret.")
        path = f"{at(repository)}/hooks"
        body: dict[str, Any] = {"url": url, "token": secret, "enable_ssl_verification": True}
        body |= dict.fromkeys(_HEARD, True)
        ours = next((one for one in self._lab.many(wire.Hook, path) if one.url == url), None)
        if ours is None:
            self._lab.rest.send("POST", path, body)
        else:
            self._lab.rest.send("PUT", f"{path}/{ours.id}", body)
        self._hooks[repository.id] = (url, secret)


def _role(levels: list[wire.Level]) -> int:
    """The least role that was enough; nobody, if there was none."""
    return min((level.access_level for level in levels if level.access_level), default=0)


def _without(there: Found, gone: wire.ProtectedBranch) -> Found:
    fitting = tuple(one for one in there.fitting if one.id != gone.id)
    return Found(there.ref, there.project, fitting, there.settings, there.needed, there.checks)


def _level(name: str) -> dict[str, int]:
    """Somebody who may merge: `maintainers`, `user:17`, `group:5`."""
    if name == "maintainers":
        return {"access_level": MAINTAINER}
    if name == protection.ANYBODY:
        return {"access_level": 30}
    kind, _, number = name.partition(":")
    if kind not in ("user", "group") or not number.isdigit():
        raise ForgeError(
            ForgeCode.UNSUPPORTED,
            f"GitLab cannot name {name} as who may merge",
            "Name user:17, group:5, or maintainers.",
        )
    return {f"{kind}_id": int(number)}


def _changed(field: str, there: list[wire.Level], wanted: list[dict[str, int]]) -> dict[str, Any]:
    """What replaces who is there by who is wanted."""
    gone = [{"id": level.id, "_destroy": True} for level in there]
    return {field: [*gone, *wanted]}


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _list(names: tuple[str, ...]) -> str:
    return ", ".join("anybody who may write" if name == protection.ANYBODY else name for name in names) or "nobody"
