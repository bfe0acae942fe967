"""Addresses that name no action by themselves, each with the reason: those of allauth, and those before the sign-in."""

from typing import NamedTuple

from muniment.access.actions import Action


class OpenRoute(NamedTuple):
    """Reason why the route is listed. `action`: the required action, None if no sign-in is needed. `writes`: tables.

    `early`: answered before the session is read, and without the database (`early_answers.py`).
    """

    why: str
    action: Action | None = None
    writes: frozenset[str] = frozenset()
    early: bool = False


ACCOUNT_TABLES = frozenset({"account_emailaddress"})
_OWN = OpenRoute(
    "one's own account",
    Action.MANAGE_OWN_ACCOUNT,
    frozenset({"mfa_authenticator", "people_person", "people_bootstrap"}),  # a second factor may end the bootstrap
)

_NO_MAIL = "refuses to confirm by mail who one is; allauth has it since 65.22"

API = "api"  # the namespace of its addresses; checks.py looks at each operation

_SOCIAL = frozenset({"socialaccount_socialaccount"})

OPEN = {
    "account_login": OpenRoute("signing in"),
    "account_logout": OpenRoute("signing out"),
    "account_inactive": OpenRoute("says that the account is closed"),
    "account_signup": OpenRoute("says that nobody signs up here"),
    "account_reset_password": OpenRoute("a forgotten password"),
    "account_reset_password_done": OpenRoute("a forgotten password"),
    "account_reset_password_from_key": OpenRoute("a forgotten password", writes=frozenset({"people_person"})),
    "account_reset_password_from_key_done": OpenRoute("a forgotten password"),
    "account_confirm_login_code": OpenRoute("says that nobody signs in by mail"),
    "openid_connect_login": OpenRoute("signing in with the company's account"),
    "openid_connect_callback": OpenRoute("signing in with the company's account", writes=_SOCIAL),
    "socialaccount_login_cancelled": OpenRoute("says that signing in was given up"),
    "socialaccount_login_error": OpenRoute("says that signing in failed"),
    "socialaccount_signup": OpenRoute("says that nobody signs up here"),
    "socialaccount_connections": OpenRoute("one's own account", Action.MANAGE_OWN_ACCOUNT, _SOCIAL),
    "account_reauthenticate": _OWN,
    "account_request_reauthentication_code": OpenRoute(_NO_MAIL, Action.MANAGE_OWN_ACCOUNT),
    "account_confirm_reauthentication_code": OpenRoute(_NO_MAIL, Action.MANAGE_OWN_ACCOUNT),
    "account_change_password": _OWN,
    "account_set_password": _OWN,
    "account_email": _OWN,
    "account_confirm_email": OpenRoute("a link from a mail"),
    "account_email_verification_sent": OpenRoute("says that a mail was sent"),
    "mfa_authenticate": OpenRoute("the second step of signing in", writes=frozenset({"mfa_authenticator"})),
    "mfa_login_webauthn": OpenRoute("signing in with a passkey", writes=frozenset({"mfa_authenticator"})),
    "mfa_reauthenticate": _OWN,
    "mfa_reauthenticate_webauthn": _OWN,
    "mfa_index": _OWN,
    "mfa_activate_totp": _OWN,
    "mfa_deactivate_totp": _OWN,
    "mfa_view_recovery_codes": _OWN,
    "mfa_generate_recovery_codes": _OWN,
    "mfa_download_recovery_codes": _OWN,
    "mfa_list_webauthn": _OWN,
    "mfa_add_webauthn": _OWN,
    "try-passkey": _OWN,  # it notes that the passkey was used, as a sign-in does
    "mfa_edit_webauthn": _OWN,
    "mfa_remove_webauthn": _OWN,
    "invitation": OpenRoute(
        "the link that lets somebody in the first time, or anew",
        writes=frozenset({"mfa_authenticator", "people_invitation"}) | _SOCIAL,  # a recovery ends what was before
    ),
    "forgotten": OpenRoute("says who can help with a forgotten password"),
    "change-status": OpenRoute(
        "what is missing of one open change, at an address that only its status at the forge has"
    ),
    "calendar-feed": OpenRoute("the calendar of the person who has its address, which nobody can guess"),
    "feedback": OpenRoute(
        "the answer to a team's retro: it knows a code, and nothing of who has it",
        writes=frozenset({"retros_feedbackround"}),
    ),
    "guest": OpenRoute(
        "the page of a guest of a review, at an address that nobody can guess, with a code to their mail address",
        writes=frozenset({"reviews_reviewguest", "reviews_guestanswer"}),
    ),
    "receive-delivery": OpenRoute(
        "a forge tells of an event; it is signed",
        writes=frozenset({"connections_webhookdelivery", "connections_observedpush"}),
    ),
    f"{API}:api-root": OpenRoute("says that nothing is there: the addresses of operations are built from it"),
    "health": OpenRoute("for a supervisor: whether this process answers", early=True),
    "ready": OpenRoute("for a supervisor: whether the service works"),
}
