"""Branch protection in Gitea: a rule as our own type, and the fields for the protection that we want."""

from collections.abc import Iterator

from muniment.errors import ForgeCode, ForgeError
from muniment.forges.branch_rules import BranchRules, ProtectionStep, RequiredStatus, WantedProtection
from muniment.forges.forge_client import decode_answer, malformed_error
from muniment.forges.gitea import wire
from muniment.forges.gitea.client import GiteaClient, api_path, branch_name, quote_segment
from muniment.forges.shapes import ForgeRepository, Vendor

RuleFields = dict[str, object]  # all of one rule, as the API names them: those that we do not know stay as they are

_ADMINS = {Vendor.GITEA: "block_admin_merge_override", Vendor.FORGEJO: "apply_to_admins"}


def read_effective_rule(gitea: GiteaClient, repository: ForgeRepository, ref: str) -> tuple[RuleFields, BranchRules]:
    """The rule that applies to a branch, as the API returns it ({} if none does), and as our own type."""
    where = api_path(repository.path, "branches", branch_name(ref))
    name = gitea.client.read_one(wire.Branch, where).effective_branch_protection_name
    if not name:
        return {}, BranchRules(ref)
    where = f"{api_path(repository.path, 'branch_protections')}/{quote_segment(name)}"
    fields = gitea.client.read_one(RuleFields, where)
    if not isinstance(fields.get("rule_name"), str):
        raise malformed_error(where)
    return fields, convert_rule(ref, fields, gitea.vendor)


def convert_rule(ref: str, fields: RuleFields, vendor: Vendor) -> BranchRules:
    """A rule as our own type. Raises MALFORMED for fields of another form."""
    rule = _decode_rule(fields)
    unread = () if _ADMINS[vendor] in fields else ("whether administrators may bypass the rule",)
    contexts = rule.status_check_contexts or ()
    return BranchRules(
        ref=ref,
        protected=True,
        required_statuses=tuple(RequiredStatus(context) for context in contexts) if rule.enable_status_check else (),
        approvals=rule.required_approvals,
        stale_dismissed=rule.dismiss_stale_approvals,
        rejection_blocks=rule.block_on_rejected_reviews,
        outdated_blocks=rule.block_on_outdated_branch,
        pushers=_list_pushers(rule),
        mergers=_list_mergers(rule),
        force_push=rule.enable_force_push,
        deletable=False,
        bypass=_list_bypass(rule, vendor),
        unread_settings=unread,
    )


def make_fields(wanted: WantedProtection, fields: RuleFields, our_login: str, vendor: Vendor) -> RuleFields:
    """Fields that a rule needs for the wanted protection; stricter values stay."""
    rule = _decode_rule(fields)
    contexts = [context for context in rule.status_check_contexts or () if context != wanted.context]
    asked: RuleFields = {
        "enable_push": False,
        "enable_push_whitelist": False,
        "enable_status_check": True,
        "status_check_contexts": [*(contexts if rule.enable_status_check else ()), wanted.context],
        "required_approvals": max(rule.required_approvals, wanted.approvals),
        "dismiss_stale_approvals": True,
        "block_on_rejected_reviews": True,
        "unprotected_file_patterns": "",
        _ADMINS[vendor]: True,
    }
    if vendor is Vendor.GITEA:
        asked["enable_force_push"] = False
    if wanted.only_we_merge:
        asked |= {
            "enable_merge_whitelist": True,
            "merge_whitelist_usernames": sorted({our_login, *wanted.break_glass}),
            "merge_whitelist_teams": [],
        }
    return asked


def compare_fields(fields: RuleFields, wanted_fields: RuleFields) -> Iterator[ProtectionStep]:
    """A step, in words, for each field that differs from the wanted one."""
    if not fields:
        yield ProtectionStep("protect the branch", "not protected", "protected")
    for name, value in wanted_fields.items():
        was = fields.get(name)
        if not _is_same(was, value):
            yield ProtectionStep(_WORDS.get(name, name.replace("_", " ")), _format_value(was), _format_value(value))


def require_applied(fields: RuleFields, wanted_fields: RuleFields) -> None:
    """Raises REFUSED if the forge did not apply a field."""
    left = [step.setting for step in compare_fields(fields, wanted_fields)]
    if left:
        raise ForgeError(
            ForgeCode.REFUSED,
            f"the forge left some of the rule as it was: {', '.join(left)}",
            "Look at the branch's rule at the forge: another rule may come before it, or the version lacks this.",
        )


_WORDS = {
    "enable_push": "push to the branch without a change",
    "enable_push_whitelist": "some may push without a change",
    "enable_force_push": "rewrite the branch",
    "enable_status_check": "demand statuses",
    "status_check_contexts": "statuses that are demanded",
    "required_approvals": "approvals that the forge itself demands",
    "dismiss_stale_approvals": "a push ends approvals",
    "block_on_rejected_reviews": "changes requested block",
    "unprotected_file_patterns": "files that anybody may change without a change",
    "block_admin_merge_override": "administrators are bound too",
    "apply_to_admins": "administrators are bound too",
    "enable_merge_whitelist": "only some may merge",
    "merge_whitelist_usernames": "who alone may merge",
    "merge_whitelist_teams": "teams that may merge",
}


def _format_value(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "nobody"
    return str(value) if value not in (None, "") else "none"


def _is_same(was: object, wanted: object) -> bool:
    """Whether two values of a field are the same: lists in any order, none like an empty or a switched off one."""
    if isinstance(wanted, list) and (was is None or isinstance(was, list)):
        return sorted(was or ()) == sorted(wanted)
    return (was or False) == (wanted or False)


def _decode_rule(fields: RuleFields) -> wire.BranchProtection:
    return decode_answer(wire.BranchProtection, fields, "branch_protections")


def _list_pushers(rule: wire.BranchProtection) -> tuple[str, ...]:
    if not rule.enable_push:
        return ()
    if not rule.enable_push_whitelist:
        return ("*",)
    keys = ("deploy keys",) if rule.push_whitelist_deploy_keys else ()
    return (*_name_allowed(rule.push_whitelist_usernames, rule.push_whitelist_teams), *keys)


def _list_mergers(rule: wire.BranchProtection) -> tuple[str, ...]:
    if not rule.enable_merge_whitelist:
        return ("*",)
    return _name_allowed(rule.merge_whitelist_usernames, rule.merge_whitelist_teams)


def _name_allowed(accounts: list[str] | None, teams: list[str] | None) -> tuple[str, ...]:
    return (*(accounts or ()), *(f"team {name}" for name in teams or ()))


def _list_bypass(rule: wire.BranchProtection, vendor: Vendor) -> tuple[str, ...]:
    applies = rule.block_admin_merge_override if vendor is Vendor.GITEA else rule.apply_to_admins
    bound = () if applies else ("administrators of the repository",)
    files = (f"whoever changes {rule.unprotected_file_patterns}",) if rule.unprotected_file_patterns else ()
    return (*bound, *files, *_list_pushers(rule))
