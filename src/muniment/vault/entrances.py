"""How the pipelines of an environment get into the vault: by whose word, as whom, and from which events."""

from collections.abc import Iterable

from msgspec import Struct

from muniment.vault import layout

PLAIN = "runner"  # no forge speaks for it: a key of its own, in a mount of its own

_EVENTS = {  # what a forge says a run came from; all others (pull requests, comments, other runs) get nothing
    layout.GITHUB: {"event_name": ("push", "workflow_dispatch", "release", "schedule")},
    layout.GITLAB: {"pipeline_source": ("push", "web", "schedule", "api")},
}
_COMMIT = {layout.GITHUB: "sha", PLAIN: "commit"}  # issuers whose roles are opened for one commit
_RUN = {layout.GITHUB: "run_id", PLAIN: "job"}  # what they call a run


class Issuer(Struct, frozen=True):
    """A forge or cluster that gives its jobs identities: `url` is the issuer in them.

    `keys` are its public keys (PEM), for one whose discovery document the vault cannot reach; else none.
    """

    mount: str
    url: str
    keys: tuple[str, ...] = ()


class Entrance(Struct, frozen=True):
    """One environment's. `issuer` is one of layout.ISSUERS or PLAIN; `subject` is what Muniment can never widen.

    `claims` are what else must be so, each one of several texts: the repository's id, the environment as the forge
    calls it, the protected branch or tag. `keys` are the public keys of its plain runners, PEM.
    """

    product: str
    environment: str
    issuer: str
    subject: str
    claims: dict[str, tuple[str, ...]] = {}
    keys: tuple[str, ...] = ()

    @property
    def mount(self) -> str:
        """Where they sign in."""
        return layout.runner(self.product, self.environment) if self.issuer == PLAIN else self.issuer

    @property
    def role(self) -> str:
        """As what."""
        return layout.role(self.product, self.environment)

    @property
    def opens(self) -> bool:
        """Whether Muniment opens it for one commit at a time; else a person wrote down once what is always so."""
        return self.issuer in _COMMIT

    def bound(self, *commits: str, runs: Iterable[str] = ()) -> dict[str, list[str]]:
        """What the claims of an identity must be, for one of those commits and runs if it is one that is opened."""
        found: dict[str, tuple[str, ...]] = dict(_EVENTS.get(self.issuer, {}))
        if self.issuer in _EVENTS:
            found |= {"ref_protected": ("true",), "environment": (self.environment,)}
        found |= self.claims
        if self.opens:
            found[_COMMIT[self.issuer]] = commits
            if admitted := tuple(runs):
                found[_RUN[self.issuer]] = admitted
        return {name: list(values) for name, values in found.items()}


def problem(entrance: Entrance) -> str:
    """Why it would let in more than one environment's pipelines, in a sentence; "" if it does not."""
    if entrance.issuer == PLAIN:
        return "" if entrance.keys else "A plain runner needs a key of its own."
    if entrance.issuer not in layout.ISSUERS:
        return f"There is no issuer called {entrance.issuer}."
    if not entrance.subject or "*" in entrance.subject:
        return "Write the whole subject of the identity: it is what nobody but a person can change later."
    if entrance.issuer == layout.GITHUB and ":environment:" not in entrance.subject:
        return "The subject must name the environment, as in repo:company/shop:environment:production."
    if entrance.issuer in _EVENTS and not set(entrance.claims) & {"repository_id", "project_id"}:
        return "Name the repository by its id, which nobody else can have after it was renamed or deleted."
    if any(not values or "" in values for values in entrance.claims.values()):
        return "A claim without a value would be no bound."
    return ""
