"""Makes Gitea insist on our status: a plan that people read first, then exactly that plan, read back."""

from muniment.errors import ForgeCode, ForgeError
from muniment.forges.gitea.client import Gitea, place, quoted, short
from muniment.forges.gitea.rules import certain, effective, steps, wanted_fields
from muniment.forges.http import Proof
from muniment.forges.rules import BranchRules, Plan, Wanted
from muniment.forges.shapes import Repo

_HOOKED = ("create", "delete", "push", "repository", "status", "pull_request", "pull_request_assign")
_EVENTS = [*_HOOKED, "pull_request_comment", "pull_request_label", "pull_request_review", "pull_request_sync"]

_ANYBODY = (
    "whoever may write to the repository may post this status too; what binds them is that our account alone may "
    "merge, or the gate in the forge's own hooks"
)
_WE_MERGE = "merging is ours alone, so somebody has to ask us for it"
_ADMINISTRATORS = (
    "administrators of the repository and of the forge may change this rule; a weakened rule is an incident"
)


class GiteaProtector:
    """See `forges.forge.Protector`."""

    def __init__(self, gitea: Gitea) -> None:
        self._gitea = gitea
        self._client = gitea.client

    def plan(self, repository: Repo, wanted: Wanted) -> Plan:
        fields, before = effective(self._gitea, repository, wanted.ref)
        asked = wanted_fields(wanted, fields, self._gitea.ours.login, self._gitea.vendor)
        ends = (_WE_MERGE if wanted.only_we_merge else _ANYBODY, _ADMINISTRATORS)
        return Plan(repository.path, wanted, before, tuple(steps(fields, asked)), ends)

    def apply(self, repository: Repo, plan: Plan) -> BranchRules:
        fields, before = effective(self._gitea, repository, plan.wanted.ref)
        if before != plan.before or repository.path != plan.repository:
            raise ForgeError(
                ForgeCode.CHANGED_MEANWHILE, "the branch's rules are not what the plan was made for", "Plan it again."
            )
        asked = wanted_fields(plan.wanted, fields, self._gitea.ours.login, self._gitea.vendor)
        name, where = short(plan.wanted.ref), place(repository.path, "branch_protections")
        if fields.get("rule_name") == name:
            self._client.send("PATCH", f"{where}/{quoted(name)}", asked)
        else:  # none, or a pattern's, whose other branches are none of our business; of one rank, a name goes first
            kept = {key: value for key, value in fields.items() if key not in _OWN}
            self._client.send("POST", where, {**kept, **asked, "rule_name": name, "branch_name": name})
        fields, after = effective(self._gitea, repository, plan.wanted.ref)
        certain(fields, asked)
        return after

    def delete_secret(self, repository: Repo, name: str) -> None:
        self._client.send("DELETE", place(repository.path, "actions", "secrets", name))

    def hook(self, repository: Repo, url: str, secret: str) -> None:
        if not secret:
            raise ForgeError(ForgeCode.REFUSED, "a hook without a secret could be anybody's", "Give it a secret.")
        where = place(repository.path, "hooks")
        config = {"url": url, "content_type": "json", "secret": secret}
        body = {"type": "gitea", "config": config, "events": _EVENTS, "active": True}
        for found in self._client.listed(where, Proof.TOTAL):
            if (found.get("config") or {}).get("url") == url:
                del body["type"]
                self._client.send("PATCH", f"{where}/{int(found['id'])}", body)
                return
        self._client.send("POST", where, body)


_OWN = ("rule_name", "branch_name", "created_at", "updated_at")
