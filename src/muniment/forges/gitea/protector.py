"""Makes Gitea insist on our status: a plan that people read first, then exactly that plan, read back."""

from muniment.errors import ForgeCode, ForgeError
from muniment.forges.branch_rules import BranchRules, ProtectionPlan, WantedProtection
from muniment.forges.forge_client import CompletenessProof
from muniment.forges.gitea import wire
from muniment.forges.gitea.client import GiteaClient, api_path, branch_name, quote_segment
from muniment.forges.gitea.rules import compare_fields, make_fields, read_effective_rule, require_applied
from muniment.forges.shapes import ForgeRepository

_BASIC_EVENTS = ("create", "delete", "push", "repository", "status", "pull_request", "pull_request_assign")
_EVENTS = [*_BASIC_EVENTS, "pull_request_comment", "pull_request_label", "pull_request_review", "pull_request_sync"]

_STATUS_IS_OPEN = (
    "everybody who may write to the repository may post this status too; it is enforced because our account alone may "
    "merge, or by the server hook in the forge's own hooks"
)
_WE_MERGE = "merging is ours alone, so somebody has to ask us for it"
_ADMINISTRATORS = (
    "administrators of the repository and of the forge may change this rule; a weakened rule is an incident"
)


class GiteaProtector:
    """Protects branches by rules; see `forges.forge.Protector`."""

    def __init__(self, gitea: GiteaClient) -> None:
        self._gitea = gitea
        self._client = gitea.client

    def plan_protection(self, repository: ForgeRepository, wanted: WantedProtection) -> ProtectionPlan:
        fields, before = read_effective_rule(self._gitea, repository, wanted.ref)
        asked = make_fields(wanted, fields, self._gitea.our_account.login, self._gitea.vendor)
        ends = (_WE_MERGE if wanted.only_we_merge else _STATUS_IS_OPEN, _ADMINISTRATORS)
        return ProtectionPlan(repository.path, wanted, before, tuple(compare_fields(fields, asked)), ends)

    def apply_protection(self, repository: ForgeRepository, plan: ProtectionPlan) -> BranchRules:
        fields, before = read_effective_rule(self._gitea, repository, plan.wanted.ref)
        if before != plan.before or repository.path != plan.repository:
            raise ForgeError(
                ForgeCode.CHANGED_MEANWHILE, "the branch's rules are not what the plan was made for", "Plan it again."
            )
        asked = make_fields(plan.wanted, fields, self._gitea.our_account.login, self._gitea.vendor)
        name, where = branch_name(plan.wanted.ref), api_path(repository.path, "branch_protections")
        if fields.get("rule_name") == name:
            self._client.send_json("PATCH", f"{where}/{quote_segment(name)}", asked)
        else:  # none, or a pattern's, whose other branches are none of our business; of one rank, a name goes first
            others = {key: value for key, value in fields.items() if key not in _OWN}
            self._client.send_json("POST", where, {**others, **asked, "rule_name": name, "branch_name": name})
        fields, after = read_effective_rule(self._gitea, repository, plan.wanted.ref)
        require_applied(fields, asked)
        return after

    def delete_secret(self, repository: ForgeRepository, name: str) -> None:
        self._client.send_json("DELETE", api_path(repository.path, "actions", "secrets", name))

    def register_webhook(self, repository: ForgeRepository, url: str, secret: str) -> None:
        if not secret:
            raise ForgeError(ForgeCode.REFUSED, "a hook without a secret could be anybody's", "Give it a secret.")
        where = api_path(repository.path, "hooks")
        config = {"url": url, "content_type": "json", "secret": secret}
        body = {"type": "gitea", "config": config, "events": _EVENTS, "active": True}
        for found in self._client.list_all_items(wire.Hook, where, CompletenessProof.TOTAL):
            if found.config is not None and found.config.url == url:
                del body["type"]
                self._client.send_json("PATCH", f"{where}/{found.id}", body)
                return
        self._client.send_json("POST", where, body)


_OWN = ("rule_name", "branch_name", "created_at", "updated_at")
