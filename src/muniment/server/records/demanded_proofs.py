"""For which acts the policy in force demands signatures of both persons."""

from muniment.access.actions import Action
from muniment.server.records.entering import code
from muniment.server.records.installation import store


def is_proof_demanded(action: Action) -> bool:
    """Whether the policy in force demands signatures for an action. Raises PolicyError where it cannot be read."""
    policy = store().policy()
    return policy is not None and demands(policy.policy.confirmation.proof, action)


def demands(acts: tuple[str, ...], action: Action) -> bool:
    """Whether a policy that demands signatures for `acts` demands them for an action.

    An enrolment needs one wherever any act does: whoever could enrol a key by a session alone would sign with that key.
    """
    return bool(acts) and (code(action) in acts or action is Action.ENROL_AUTHENTICATOR)
