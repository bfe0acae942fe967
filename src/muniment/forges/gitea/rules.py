"""Branch protection in Gitea: a rule as our own type, and the fields for the protection that we want."""

from collections.abc import Iterator
from typing import Any

from muniment.errors import ForgeCode, ForgeError
from muniment.forges.branch_rules import BranchRules, ProtectionStep, RequiredStatus, WantedProtection
from muniment.forges.gitea.client import GiteaClient, api_path, branch_name, quote_segment, require_field
from muniment.forges.shapes import ForgeRepository, Vendor

RuleFields = dict[str, Any]  # of one rule, as the API names them

_ADMINS = {Vendor.GITEA: "block_admin_merge_override", Vendor.FORGEJO: "apply_to_admins"}


def read_effective_rule(gitea: GiteaClient, repository: ForgeRepository, ref: str) -> tuple[RuleFields, BranchRules]:
    """The rule that applies to a branch, as the API returns it ({} if none does), and as our own type."""
    where = api_path(repository.path, "branches", branch_name(ref))
    name = require_field(gitea.client.get_json(where), "effective_branch_protection_name", str, where)
    if not name:
        return {}, BranchRules(ref)
    where = f"{api_path(repository.path, 'branch_protections')}/{quote_segment(name)}"
    fields = gitea.client.get_json(where)
    require_field(fields, "rule_name", str, where)
    return fields, convert_rule(ref, fields, gitea.vendor)


def convert_rule(ref: str, fields: RuleFields, vendor: Vendor) -> BranchRules:
    """A rule as our own type."""
    admins = _ADMINS[vendor]
    unread = () if admins in fields else ("whether administrators may bypass the rule",)
    contexts = fields.get("status_check_contexts") or ()
    return BranchRules(
        ref=ref,
        protected=True,
        required_statuses=tuple(RequiredStatus(context) for context in contexts)
        if fields.get("enable_status_check")
        else (),
        approvals=int(fields.get("required_approvals") or 0),
        stale_dismissed=fields.get("dismiss_stale_approvals") is True,
        rejection_blocks=fields.get("block_on_rejected_reviews") is True,
        outdated_blocks=fields.get("block_on_outdated_branch") is True,
        pushers=_list_pushers(fields),
        mergers=_list_allowed(fields, "enable_merge_whitelist", "merge_whitelist"),
        force_push=fields.get("enable_force_push") is True,
        deletable=False,
        bypass=_list_bypass(fields, admins),
        unread_settings=unread,
    )


def make_fields(wanted: WantedProtection, fields: RuleFields, our_login: str, vendor: Vendor) -> RuleFields:
    """Fields that a rule needs for the wanted protection; stricter values stay."""
    contexts = [context for context in fields.get("status_check_contexts") or () if context != wanted.context]
    asked: RuleFields = {
        "enable_push": False,
        "enable_push_whitelist": False,
        "enable_status_check": True,
        "status_check_contexts": [*(contexts if fields.get("enable_status_check") else ()), wanted.context],
        "required_approvals": max(int(fields.get("required_approvals") or 0), wanted.approvals),
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
        same = sorted(was or ()) == sorted(value) if isinstance(value, list) else (was or False) == (value or False)
        if not same:
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


def _format_value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "nobody"
    return str(value) if value not in (None, "") else "none"


def _list_pushers(fields: RuleFields) -> tuple[str, ...]:
    if not fields.get("enable_push"):
        return ()
    return _list_allowed(fields, "enable_push_whitelist", "push_whitelist")


def _list_allowed(fields: RuleFields, switch: str, names: str) -> tuple[str, ...]:
    if not fields.get(switch):
        return ("*",)
    keys = ("deploy keys",) if fields.get(f"{names}_deploy_keys") else ()
    teams = tuple(f"team {name}" for name in fields.get(f"{names}_teams") or ())
    return (*(fields.get(f"{names}_usernames") or ()), *teams, *keys)


def _list_bypass(fields: RuleFields, admins: str) -> tuple[str, ...]:
    bound = ("administrators of the repository",) if not fields.get(admins) else ()
    files = (
        (f"whoever changes {fields['unprotected_file_patterns']}",) if fields.get("unprotected_file_patterns") else ()
    )
    return (*bound, *files, *(() if not fields.get("enable_push") else _list_pushers(fields)))
