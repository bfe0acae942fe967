"""Step of the set-up that is about the policy."""

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from muniment.access.actions import Action
from muniment.access.authorization import Actor
from muniment.server.policies.policy_in_force import current_policy
from muniment.server.registration import SetupProgress, SetupStep


def check_policy_step(actor: Actor) -> SetupProgress:
    """Whether a policy is in force."""
    policy = current_policy()
    if policy is None:
        return SetupProgress(False, _("No policy is in force. Every change is denied."))
    return SetupProgress(
        True, _("%(count)d clauses. You can change them at any time.") % {"count": len(policy.clauses)}
    )


POLICY = SetupStep(
    20, gettext_lazy("Choose a policy"), check_policy_step, Action.SEE_POLICY, 2, "policy", gettext_lazy("Open policy")
)
