"""How Gitea protects a branch: its rule in our shape, and the fields that make it hold what we want."""

from collections.abc import Iterator
from typing import Any

from muniment.errors import ForgeCode, ForgeError
from muniment.forges.gitea.client import Gitea, needed, place, quoted, short
from muniment.forges.rules import BranchRules, Required, Step, Wanted
from muniment.forges.shapes import Repo, Vendor

Fields = dict[str, Any]  # of one rule, as the API names them

_ADMINS = {Vendor.GITEA: "block_admin_merge_override", Vendor.FORGEJO: "apply_to_admins"}


def effective(gitea: Gitea, repository: Repo, ref: str) -> tuple[Fields, BranchRules]:
    """The rule that holds for a branch, as the API has it ({} if none does), and in our shape."""
    where = place(repository.path, "branches", short(ref))
    name = needed(gitea.client.get(where), "effective_branch_protection_name", str, where)
    if not name:
        return {}, BranchRules(ref)
    where = f"{place(repository.path, 'branch_protections')}/{quoted(name)}"
    fields = gitea.client.get(where)
    needed(fields, "rule_name", str, where)
    return fields, shaped(ref, fields, gitea.vendor)


def shaped(ref: str, fields: Fields, vendor: Vendor) -> BranchRules:
    """A rule in our shape."""
    admins = _ADMINS[vendor]
    unread = () if admins in fields else ("whether administrators may bypass the rule",)
    contexts = fields.get("status_check_contexts") or ()
    return BranchRules(
        ref=ref,
        protected=True,
        required_statuses=tuple(Required(context) for context in contexts) if fields.get("enable_status_check") else (),
        approvals=int(fields.get("required_approvals") or 0),
        stale_dismissed=fields.get("dismiss_stale_approvals") is True,
        rejection_blocks=fields.get("block_on_rejected_reviews") is True,
        outdated_blocks=fields.get("block_on_outdated_branch") is True,
        pushers=_pushers(fields),
        mergers=_listed(fields, "enable_merge_whitelist", "merge_whitelist"),
        force_push=fields.get("enable_force_push") is True,
        deletable=False,
        bypass=_bypass(fields, admins),
        unread_settings=unread,
    )


def wanted_fields(wanted: Wanted, fields: Fields, ours: str, vendor: Vendor) -> Fields:
    """What has to be set for a rule to hold what is wanted; what it holds beyond that stays."""
    contexts = [context for context in fields.get("status_check_contexts") or () if context != wanted.context]
    asked: Fields = {
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
            "merge_whitelist_usernames": sorted({ours, *wanted.break_glass}),
            "merge_whitelist_teams": [],
        }
    return asked


def steps(fields: Fields, asked: Fields) -> Iterator[Step]:
    """Each field that is not as asked, in words."""
    if not fields:
        yield Step("protect the branch", "not protected", "protected")
    for name, value in asked.items():
        was = fields.get(name)
        same = sorted(was or ()) == sorted(value) if isinstance(value, list) else (was or False) == (value or False)
        if not same:
            yield Step(_WORDS.get(name, name.replace("_", " ")), _said(was), _said(value))


def certain(fields: Fields, asked: Fields) -> None:
    """Raises REFUSED if the forge did not take what it was asked."""
    left = [step.setting for step in steps(fields, asked)]
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


def _said(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "nobody"
    return str(value) if value not in (None, "") else "none"


def _pushers(fields: Fields) -> tuple[str, ...]:
    if not fields.get("enable_push"):
        return ()
    return _listed(fields, "enable_push_whitelist", "push_whitelist")


def _listed(fields: Fields, switch: str, names: str) -> tuple[str, ...]:
    if not fields.get(switch):
        return ("*",)
    keys = ("deploy keys",) if fields.get(f"{names}_deploy_keys") else ()
    teams = tuple(f"team {name}" for name in fields.get(f"{names}_teams") or ())
    return (*(fields.get(f"{names}_usernames") or ()), *teams, *keys)


def _bypass(fields: Fields, admins: str) -> tuple[str, ...]:
    bound = ("administrators of the repository",) if not fields.get(admins) else ()
    files = (
        (f"whoever changes {fields['unprotected_file_patterns']}",) if fields.get("unprotected_file_patterns") else ()
    )
    return (*bound, *files, *(() if not fields.get("enable_push") else _pushers(fields)))
