"""Acts for which the policy in force demands signatures of both persons."""

from muniment.access.actions import Action
from muniment.server.records.installation import open_store
from muniment.server.records.record_writing import action_code


def is_proof_demanded(action: Action) -> bool:
    """Whether the policy in force demands signatures for an action. Raises PolicyError where it cannot be read."""
    policy = open_store().load_policy()
    return policy is not None and is_proof_in_list(policy.policy.confirmation.proof, action)


def is_proof_in_list(acts: tuple[str, ...], action: Action) -> bool:
    """Whether a policy that demands signatures for `acts` demands them for an action.

    An enrolment requires one wherever any act does: a key that a mere session could enrol would sign for that session.
    """
    return bool(acts) and (action_code(action) in acts or action is Action.ENROL_AUTHENTICATOR)
