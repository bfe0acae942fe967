"""Groups of the actions that a token can be for, as its form shows them."""

from collections.abc import Mapping
from types import MappingProxyType

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from muniment.access.actions import Action
from muniment.server.records.record_writing import action_code

_READING, _OTHER = _("Read"), _("Other changes")
_CHANGES: Mapping[Promise, tuple[Action, ...]] = MappingProxyType(
    {
        _("Change pull requests and branches"): (
            *(Action.REVIEW_CHANGE, Action.ATTEST_CONTRIBUTOR, Action.REQUEST_REVIEW, Action.REVIEW_BYPASS),
        ),
        _("Change secrets, environments and deployments"): (
            *(Action.SET_SECRET, Action.REMOVE_SECRET, Action.CHANGE_ENVIRONMENT, Action.REVOKE_PIPELINE),
            *(Action.APPROVE_DEPLOYMENT, Action.BREAK_GLASS_DEPLOYMENT, Action.TRUST_BUILDER, Action.REVOKE_BUILDER),
            *(Action.TRUST_TEST_RUNNER, Action.REVOKE_TEST_RUNNER),
        ),
        _("Change the policy, exceptions, incidents and freezes"): (
            *(Action.DRAFT_POLICY, Action.APPLY_POLICY, Action.WEAKEN_POLICY, Action.REQUEST_EXCEPTION),
            *(Action.START_MONITORING, Action.END_EXCEPTION, Action.HANDLE_INCIDENT, Action.FREEZE),
            *(Action.LIFT_FREEZE, Action.CORRECT_RECORD),
        ),
        _("Change products"): (
            *(Action.ADD_PRODUCT, Action.CHANGE_PRODUCT, Action.REMOVE_SENSITIVE_PATHS, Action.RETIRE_PRODUCT),
            *(Action.KEEP_REQUIREMENTS, Action.ANSWER_REQUIREMENT, Action.ACCEPT_THREAT),
            Action.DESCRIBE_PERSONAL_DATA,
        ),
        _("Take part in security reviews and retros"): (
            *(Action.PLAN_MEETING, Action.TAKE_PART_IN_MEETING, Action.CHAIR_MEETING, Action.SIGN_MINUTES),
            *(Action.ANSWER_ADVICE, Action.WRITE_DPO_FEEDBACK),
        ),
        _("Change people, accounts and personal data"): (
            *(Action.MANAGE_OWN_ACCOUNT, Action.LINK_ACCOUNT, Action.ENROL_AUTHENTICATOR, Action.CHANGE_PERSON),
            *(Action.RECOVER_ACCOUNT, Action.CONFIRM_ACCOUNT, Action.GRANT_ROLE, Action.GRANT_CHANGING_ROLE),
            *(Action.DECLARE_MACHINE, Action.EXPORT_PERSONAL_DATA, Action.ERASE_PERSONAL_DATA),
            Action.PLACE_LEGAL_HOLD,
        ),
        _("Change the installation"): (Action.CHANGE_CONNECTION, Action.CHANGE_SETTINGS, Action.RETRY_JOB),
    }
)
_GROUPS = {action_code(action): group for group, actions in _CHANGES.items() for action in actions}
_READ_CODES = frozenset(action_code(action) for action in Action if action.name.startswith("SEE_"))


def find_scope_group(code: str) -> Promise:
    """Group of the action with this code."""
    return _READING if code in _READ_CODES else _GROUPS.get(code, _OTHER)
