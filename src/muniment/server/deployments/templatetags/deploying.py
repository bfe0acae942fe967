"""Template filters: the look of a deployment's state, and short digests."""

from django import template

from muniment.server.deployments.deployment_states import StateOnPage, describe_run_state, describe_state

register = template.Library()
_DIGITS = 12  # of a digest, enough to tell artifacts apart


@register.filter
def look(state: str) -> StateOnPage:
    """Status and words for a state of a deployment."""
    return describe_state(state)


@register.filter
def run_look(state: str) -> StateOnPage:
    """Status and words for a state of a run without a deployment."""
    return describe_run_state(state)


@register.filter
def digest(artifact: str) -> str:
    """First digits of the digest of an artifact, with its algorithm."""
    algorithm, colon, digits = artifact.rpartition(":")
    return f"{algorithm}{colon}{digits[:_DIGITS]}"
