"""Contributions of the people: their accounts, roles and messages."""

import re
from collections.abc import Iterable, Mapping

from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.contrib.sessions.models import Session
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from muniment.access.actions import Action
from muniment.access.authorization import AccessResult, Actor, authorize_anywhere
from muniment.facts.people import Person as KnownPerson
from muniment.server.acts.system_actors import SystemActor
from muniment.server.people.account_acts import ConfirmAccounts, ImportAccounts, UnlinkAccount, VouchForAccount
from muniment.server.people.authenticator_acts import EnrolAuthenticator, RemoveAuthenticator
from muniment.server.people.bootstrap import is_first_administrator
from muniment.server.people.company_acts import GrantGroupRole, LinkCompanyAddress, RevokeGroupRole
from muniment.server.people.machine_acts import DeclareMachine, RemoveMachineAccount
from muniment.server.people.models import (
    Account,
    AccountVerification,
    ApiToken,
    EnrolledAuthenticator,
    ForgeMachine,
    IdempotentResponse,
    Invitation,
    Message,
    Person,
    RoleGrant,
)
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
from muniment.server.people.privacy import drop_rows, sessions_of
from muniment.server.people.role_acts import ExpireRole, GrantRole, RevokeRole
from muniment.server.people.role_import_acts import GrantRoles
from muniment.server.people.setup_steps import OWN_ACCOUNT, PEOPLE_STEP
from muniment.server.people.test_runner_acts import RevokeTestRunner, TrustTestRunner
from muniment.server.people.unlinked_accounts import find_unlinked_forge_accounts
from muniment.server.registration import (
    AppContributions,
    GlossaryEntry,
    MenuEntry,
    MenuGroup,
    PersonalData,
    ProductTab,
    RetentionRule,
    SearchKind,
)


def find_people(actor: Actor, text: str) -> Iterable[object]:
    """The people with a text in their name or handle."""
    if authorize_anywhere(actor, Action.SEE_PEOPLE) is not AccessResult.YES:
        return ()
    return Person.objects.filter(Q(name__icontains=text) | Q(slug__icontains=text))


def read_answers(person: str) -> Iterable[Mapping[str, object]]:
    """The keys of the answers of the API to a person's tokens."""
    return list(IdempotentResponse.objects.filter(token__person=person).values("idempotency_key", "created_at"))


def delete_answers(known: KnownPerson, words: re.Pattern[str]) -> int:
    """Delete stored answers of the API that name a person; how many."""
    return IdempotentResponse.objects.filter(body__iregex=words.pattern).delete()[0]


CONTRIBUTIONS = AppContributions(
    setup=(
        OWN_ACCOUNT,
        PEOPLE_STEP,
    ),
    urls="muniment.server.people.urls",
    product_tabs=(ProductTab(90, "product-people", _("People"), Action.SEE_PRODUCT),),
    acts=(
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
        GrantRoles,
        RevokeRole,
        ExportPersonalData,
        PlaceLegalHold,
        LiftLegalHold,
        ErasePersonalData,
        TrustTestRunner,
        RevokeTestRunner,
        DeclareMachine,
        RemoveMachineAccount,
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
    ),
    system_acts={
        SystemActor.OPERATOR: (AddPerson, GrantRole, InvitePerson),
        SystemActor.COMPANY_SIGN_IN: (GrantGroupRole, RevokeGroupRole, LinkCompanyAddress),
        SystemActor.EXPIRY: (ExpireRole,),
    },
    exact_acts={
        (SystemActor.OPERATOR, GrantRole): is_first_administrator,
        (SystemActor.OPERATOR, InvitePerson): bool,  # any: else a company could be locked out. It is an incident
    },
    menu=(MenuEntry(MenuGroup.ADMIN, 20, "people", _("People"), "users", Action.SEE_PEOPLE),),
    search=(SearchKind(80, "people/found.html", find_people),),
    glossary=(
        GlossaryEntry(
            100, _("second factor"), _("A proof besides the password: a passkey, or a code from an app on your phone.")
        ),
    ),
    retention=(
        RetentionRule(
            _("Answers to programs (API)"),
            _("To do nothing twice if a program repeats a request"),
            "api_response_days",
            lambda moment: drop_rows(IdempotentResponse.objects.filter(created_at__lt=moment)),
        ),
        RetentionRule(
            _("Sessions"),
            _("To keep you signed in"),
            "",
            lambda moment: drop_rows(Session.objects.filter(expire_date__lt=moment)),
        ),
        RetentionRule(
            _("Used or expired sign-in links and tokens"),
            _("To know who was admitted, and by whom"),
            "invitation_and_token_days",
            lambda moment: (
                drop_rows(Invitation.objects.filter(expires_at__lt=moment))
                + drop_rows(ApiToken.objects.filter(expires_at__lt=moment))
            ),
        ),
        RetentionRule(
            _("Messages in the inbox"),
            _("To let you read them again"),
            "message_days",
            lambda moment: drop_rows(Message.objects.filter(created_at__lt=moment)),
        ),
        RetentionRule(
            _("Forge accounts that were unlinked, by number"),
            _("To know whose account it was, until no person has it here"),
            "",
            lambda _moment: drop_rows(find_unlinked_forge_accounts()),
        ),
        RetentionRule(
            _("Accounts of programs, as forges report them"),
            _("To propose them as machine accounts"),
            "machine_proposal_days",
            lambda moment: drop_rows(ForgeMachine.objects.filter(first_seen_at__lt=moment)),
        ),
    ),
    personal_data=(
        PersonalData(
            "accounts",
            lambda person: list(
                Account.objects.filter(person=person).values(
                    "kind", "value", "verification", "linked_at", "forge_account__number"
                )
            ),
        ),
        PersonalData(
            "roles",
            lambda person: list(
                RoleGrant.objects.filter(person=person).values(
                    "role", "product__slug", "granted_at", "ended_at", "bootstrap"
                )
            ),
        ),
        PersonalData(
            "second_factors",
            lambda person: list(Authenticator.objects.filter(user=person).values("type", "created_at", "last_used_at")),
        ),
        PersonalData(
            "enrolled_authenticators",
            lambda person: list(
                EnrolledAuthenticator.objects.filter(person=person).values(
                    "kind", "identifier", "public_key", "enrolled_at", "removed_at"
                )
            ),
        ),
        PersonalData(
            "company_accounts",
            lambda person: list(SocialAccount.objects.filter(user=person).values("provider", "uid", "date_joined")),
        ),
        PersonalData(
            "account_verifications",
            lambda person: list(
                AccountVerification.objects.filter(person=person).values("kind", "value", "created_at")
            ),
        ),
        PersonalData(
            "tokens",
            lambda person: list(
                ApiToken.objects.filter(person=person).values("name", "created_at", "expires_at", "ended_at", "scopes")
            ),
        ),
        PersonalData(
            "messages",
            lambda person: list(Message.objects.filter(person=person).values("text", "created_at", "read_at")),
        ),
        PersonalData("sessions", lambda person: list(sessions_of(person))),
        PersonalData(
            "invitations",
            lambda person: list(
                Invitation.objects.filter(person=person).values("created_at", "expires_at", "ended_at", "recovers")
            ),
        ),
        PersonalData("idempotency_keys", read_answers),
    ),
    text_erasures=(delete_answers,),
    demonstration="muniment.server.people.demonstration",
)
