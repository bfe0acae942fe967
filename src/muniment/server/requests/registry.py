"""Every act in the service: those of people, those of no person; and the act that a stored text stands for."""

from collections.abc import Callable, Iterable

import msgspec
from django.utils.translation import gettext as _

from muniment.errors import NotCanonicalError, RefusedError
from muniment.facts import canonical
from muniment.server.acts.act import Act
from muniment.server.acts.system_actors import SystemActor
from muniment.server.changes.repository_acts import AddRepository, AddServerHookLog, CorrectRepository
from muniment.server.connections.bypass_acts import RevertBypass, ReviewBypass
from muniment.server.connections.change_acts import (
    ApproveChange,
    AttestContributor,
    AttestOpenChanges,
    MergeChange,
    RequestReview,
    WithdrawApproval,
)
from muniment.server.connections.connection_acts import (
    AddConnection,
    EndConnection,
    RefreshConnection,
    RenewWebhookSecret,
    StoreCredential,
)
from muniment.server.connections.proxy_acts import SetConnectionProxy
from muniment.server.connections.repository_acts import ConnectRepository
from muniment.server.deployments.approval_acts import ApproveDeployment, WithdrawDeploymentApproval
from muniment.server.deployments.break_glass_acts import BreakGlass
from muniment.server.deployments.builder_acts import RevokeBuilder, TrustBuilder
from muniment.server.deployments.environment_acts import ChangeEnvironment
from muniment.server.deployments.pipeline_acts import RevokePipeline, TrustPipeline
from muniment.server.incidents.incident_acts import CloseIncident, TakeOverIncident
from muniment.server.people.account_acts import ConfirmAccounts, ImportAccounts, UnlinkAccount, VouchForAccount
from muniment.server.people.authenticator_acts import EnrolAuthenticator, RemoveAuthenticator
from muniment.server.people.bootstrap import is_first_administrator
from muniment.server.people.company_acts import GrantGroupRole, LinkCompanyAddress, RevokeGroupRole
from muniment.server.people.machine_acts import DeclareMachine, RemoveMachineAccount
from muniment.server.people.own_account_acts import (
    AcceptInvitation,
    ChangeMailFrequency,
    ConfirmOwnAccount,
    CreateToken,
    ExportOwnData,
    FinishVerification,
    RevokeToken,
    StartVerification,
)
from muniment.server.people.person_acts import (
    AddPerson,
    ChangeHandle,
    ChangePerson,
    DeactivatePerson,
    InvitePerson,
    ReactivatePerson,
)
from muniment.server.people.personal_data_acts import (
    ErasePersonalData,
    ExportPersonalData,
    LiftLegalHold,
    PlaceLegalHold,
)
from muniment.server.people.role_acts import ExpireRole, GrantRole, RevokeRole
from muniment.server.people.test_runner_acts import RevokeTestRunner, TrustTestRunner
from muniment.server.policies.exception_acts import EndException, RequestException
from muniment.server.policies.freeze_acts import LiftFreeze, StartFreeze
from muniment.server.policies.monitoring_acts import EndMonitoring, StartMonitoring
from muniment.server.policies.source_acts import ImportPolicy, RemovePolicySource, SetPolicySource
from muniment.server.policies.version_acts import AdoptBuiltInPolicy, ApplyPolicy, DraftPolicy
from muniment.server.products.environment_acts import AddEnvironment, RemoveEnvironment
from muniment.server.products.product_acts import AddProduct, ChangeProduct, RetireProduct
from muniment.server.records.record_acts import ChangeSettings, CorrectRecord, RetryJob
from muniment.server.records.row_acts import AcceptRow
from muniment.server.secrets.secret_acts import RemoveSecret, SetSecret
from muniment.server.secrets.vault_acts import ChangeVault, EndVaultWatch

ACTS_OF_PERSONS: tuple[type[Act], ...] = (  # one a line
    AddPerson,
    ChangePerson,
    ChangeHandle,
    DeactivatePerson,
    ReactivatePerson,
    InvitePerson,
    VouchForAccount,
    ImportAccounts,
    ConfirmAccounts,
    UnlinkAccount,
    GrantRole,
    RevokeRole,
    TakeOverIncident,
    CloseIncident,
    DraftPolicy,
    ApplyPolicy,
    SetPolicySource,
    RemovePolicySource,
    RequestException,
    EndException,
    StartMonitoring,
    EndMonitoring,
    StartFreeze,
    LiftFreeze,
    ApproveChange,
    WithdrawApproval,
    AttestContributor,
    AttestOpenChanges,
    RequestReview,
    MergeChange,
    ReviewBypass,
    RevertBypass,
    ExportPersonalData,
    PlaceLegalHold,
    LiftLegalHold,
    ErasePersonalData,
    TrustTestRunner,
    RevokeTestRunner,
    DeclareMachine,
    RemoveMachineAccount,
    AddProduct,
    ChangeProduct,
    RetireProduct,
    AddRepository,
    CorrectRepository,
    AddServerHookLog,
    AddEnvironment,
    RemoveEnvironment,
    AcceptInvitation,
    ChangeMailFrequency,
    CreateToken,
    RevokeToken,
    StartVerification,
    FinishVerification,
    ConfirmOwnAccount,
    EnrolAuthenticator,
    RemoveAuthenticator,
    ExportOwnData,
    AddConnection,
    StoreCredential,
    RenewWebhookSecret,
    RefreshConnection,
    EndConnection,
    ConnectRepository,
    ChangeEnvironment,
    TrustPipeline,
    RevokePipeline,
    TrustBuilder,
    RevokeBuilder,
    BreakGlass,
    ApproveDeployment,
    WithdrawDeploymentApproval,
    SetSecret,
    RemoveSecret,
    CorrectRecord,
    ChangeSettings,
    RetryJob,
    SetConnectionProxy,
)
ACTS_OF_SYSTEM: dict[SystemActor, tuple[type[Act], ...]] = {  # nothing else is done without a person
    SystemActor.OPERATOR: (
        AdoptBuiltInPolicy,
        AddPerson,
        GrantRole,
        InvitePerson,
        AddProduct,
        AddRepository,
        ChangeVault,
        EndVaultWatch,
        AcceptRow,
    ),
    SystemActor.COMPANY_SIGN_IN: (GrantGroupRole, RevokeGroupRole, LinkCompanyAddress),
    SystemActor.EXPIRY: (ExpireRole,),
    SystemActor.POLICY_BRANCH: (ImportPolicy,),
}
EXACT_ACTS: dict[tuple[SystemActor, type[Act]], Callable[[Act], bool]] = {  # no other act of the class is permitted
    (SystemActor.OPERATOR, GrantRole): is_first_administrator,
    (SystemActor.OPERATOR, InvitePerson): bool,  # any: else a company could be locked out. It is an incident
}
ALL_ACTS = (*ACTS_OF_PERSONS, *(act for acts in ACTS_OF_SYSTEM.values() for act in acts if act not in ACTS_OF_PERSONS))
GUARDING_ACTS = tuple(act for act in ALL_ACTS if any(action.rule.second for action in act.actions))
ACTS_BY_TAG = {act.tag(): act for act in ACTS_OF_PERSONS}


def decode_act(text: str, digest: str) -> Act:
    """The act that was stored. Raises RefusedError unless it is the one that was requested, to the byte."""
    data = text.encode()
    try:
        tag = msgspec.json.decode(data, type=_Tagged).act
        act: Act = canonical.decode(data, ACTS_BY_TAG[tag])
    except (NotCanonicalError, msgspec.MsgspecError, KeyError):
        raise _altered() from None
    if canonical.digest(data) != digest:
        raise _altered()
    return act


class _Tagged(msgspec.Struct):
    act: str


def _altered() -> RefusedError:
    return RefusedError(
        "request-altered",
        _("The stored act is not the one that was requested."),
        _("Reject it, and find out who can write to the database."),
    )


def refuse_unguarded(acts: Iterable[type[Act]]) -> None:
    """Raise TypeError for an act that can need a second person and does not say which state that guards."""
    for act in acts:
        needs_second = any(action.rule.second for action in act.actions)
        if needs_second and act.guarded_state.__func__ is Act.guarded_state.__func__:  # type: ignore[attr-defined]
            raise TypeError(f"{act.__name__} can need a second person: define its guarded_state()")


refuse_unguarded(ALL_ACTS)
