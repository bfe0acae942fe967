"""Addresses of the app. Each view names its action."""

from django.urls import include, path

from muniment.server.people import entry_views, passkeys, product_people
from muniment.server.people import views as people

urlpatterns = [
    path("products/<slug:slug>/people", product_people.list_product_people, name="product-people"),
    path("test-runners/trust", people.trust_test_runner, name="trust-test-runner"),
    path("test-runners/<str:slug>/revoke", people.revoke_test_runner, name="revoke-test-runner"),
    path("people", people.list_people, name="people"),
    path("people/add", people.add_person, name="add-person"),
    path("machines/declare", people.declare_machine, name="declare-machine"),
    path("machines/accounts/<int:number>/remove", people.remove_machine_account, name="remove-machine-account"),
    path("people/accounts/import", people.import_accounts, name="import-accounts"),
    path("people/accounts/confirm", people.confirm_accounts, name="confirm-accounts"),
    path("people/<str:slug>", people.show_person, name="person"),
    path("people/<str:slug>/change", people.change_person, name="change-person"),
    path("people/<str:slug>/handle", people.change_handle, name="change-handle"),
    path("people/<str:slug>/role", people.change_role, name="grant"),
    path("people/<str:slug>/invite", people.invite_person, name="invite"),
    path("people/<str:slug>/export", people.export_personal_data, name="export"),
    path("people/<str:slug>/erase", people.request_erasure, name="erase"),
    path("people/<str:slug>/hold", people.change_legal_hold, name="hold"),
    path("privacy", people.show_privacy, name="privacy"),
    path("me/verify", people.start_verification, name="start-verification"),
    path("me/verify/finish", people.finish_verification, name="finish-verification"),
    path("me/accounts/<int:number>/confirm", people.confirm_account, name="confirm-account"),
    path("me/authenticators/enrol", people.enrol_authenticator, name="enrol-authenticator"),
    path("me/authenticators/<int:number>/remove", people.remove_authenticator, name="remove-authenticator"),
    path("me/export", people.export_own_data, name="my-export"),
    path("me/tokens", people.create_token, name="create-token"),
    path("me/tokens/<int:number>/revoke", people.revoke_token, name="revoke-token"),
    path("welcome/<str:text>", entry_views.accept_invitation, name="invitation"),
    path("account/password/reset/", entry_views.show_forgotten_password, name="forgotten"),
    path("account/email/", people.redirect_addresses, name="account_email"),
    path("account/2fa/totp/deactivate/", entry_views.remove_totp, name="mfa_deactivate_totp"),
    path("account/2fa/webauthn/add/", passkeys.add_passkey, name="mfa_add_webauthn"),
    path("account/2fa/webauthn/try/", passkeys.try_passkey, name="try-passkey"),
    path("account/2fa/webauthn/keys/<int:pk>/remove/", entry_views.remove_passkey, name="mfa_remove_webauthn"),
    path("account/", include("allauth.account.urls")),
    path("account/2fa/", include("allauth.mfa.urls")),
    path("account/company/", include("allauth.socialaccount.urls")),
    path("account/", include("allauth.socialaccount.providers.openid_connect.urls")),
]
