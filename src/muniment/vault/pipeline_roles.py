"""Vault roles of pipelines: by which issuer, subject and events the pipelines of an environment sign in."""

from collections.abc import Iterable

from msgspec import Struct

from muniment.vault import layout

PLAIN_RUNNER = "runner"  # no forge speaks for it: a key of its own, in a mount of its own

_EVENTS = {  # what a forge says a run came from; all others (pull requests, comments, other runs) get nothing
    layout.GITHUB: {"event_name": ("push", "workflow_dispatch", "release", "schedule")},
    layout.GITLAB: {"pipeline_source": ("push", "web", "schedule", "api")},
}
_COMMIT_CLAIMS = {layout.GITHUB: "sha", PLAIN_RUNNER: "commit"}  # issuers whose roles are opened for one commit
UNIQUE_CLAIM = "jti"  # names one token, which a job asks for anew each time; the vault writes it into its audit log
_RUN_CLAIMS = {layout.GITHUB: "run_id", PLAIN_RUNNER: "job"}  # what they call a run


class VaultIssuer(Struct, frozen=True):
    """Forge or cluster that gives its jobs identities: `url` is the issuer in them.

    `keys` are its public keys (PEM), for one whose discovery document the vault cannot reach; else none.
    """

    mount: str
    url: str
    keys: tuple[str, ...] = ()


class PipelineRole(Struct, frozen=True):
    """Vault role of an environment's pipelines. `issuer` is one of layout.ISSUERS or PLAIN_RUNNER; Muniment cannot
    change `subject`.

    `claims` are further conditions, each one of several texts: the repository's id, the environment as the forge calls
    it, the protected branch or tag. `keys` are the public keys of its plain runners, PEM.
    """

    product: str
    environment: str
    issuer: str
    subject: str
    claims: dict[str, tuple[str, ...]] = {}
    keys: tuple[str, ...] = ()

    @property
    def mount(self) -> str:
        """Auth mount where the pipelines sign in."""
        return layout.runner_mount(self.product, self.environment) if self.issuer == PLAIN_RUNNER else self.issuer

    @property
    def role(self) -> str:
        """Name of the role on its mount."""
        return layout.role_name(self.product, self.environment)

    @property
    def is_opened_per_commit(self) -> bool:
        """Whether Muniment opens the role for one commit at a time; else a person wrote its conditions once."""
        return self.issuer in _COMMIT_CLAIMS

    def bound_claims(self, *commits: str, runs: Iterable[str] = ()) -> dict[str, list[str]]:
        """Conditions on the claims of an identity, for those commits and runs if the role is opened per commit."""
        found: dict[str, tuple[str, ...]] = dict(_EVENTS.get(self.issuer, {}))
        if self.issuer in _EVENTS:
            found |= {"ref_protected": ("true",), "environment": (self.environment,)}
        found |= self.claims
        if self.is_opened_per_commit:
            found[_COMMIT_CLAIMS[self.issuer]] = commits
            if admitted := tuple(runs):
                found[_RUN_CLAIMS[self.issuer]] = admitted
        return {name: list(values) for name, values in found.items()}


def find_role_problem(entrance: PipelineRole) -> str:
    """Reason why a role would admit pipelines of another environment, in a sentence; "" if it does not."""
    if entrance.issuer == PLAIN_RUNNER:
        return "" if entrance.keys else "A plain runner needs a key of its own."
    if entrance.issuer not in layout.ISSUERS:
        return f"There is no issuer called {entrance.issuer}."
    if not entrance.subject or "*" in entrance.subject:
        return "Write the whole subject of the identity: it is what nobody but a person can change later."
    if entrance.issuer == layout.GITHUB and ":environment:" not in entrance.subject:
        return "The subject must name the environment, as in repo:company@815/shop@4711:environment:production."
    if entrance.issuer in _EVENTS and not set(entrance.claims) & {"repository_id", "project_id"}:
        return "Name the repository by its id, which nobody else can have after it was renamed or deleted."
    if any(not values or "" in values for values in entrance.claims.values()):
        return "A claim without a value would be no bound."
    return ""
