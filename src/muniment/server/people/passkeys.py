"""Passkeys: the first one of a person without a password can sign them in alone, and is tried before setup goes on."""

from typing import Any

from allauth.mfa.webauthn.forms import AddWebAuthnForm, LoginWebAuthnForm
from allauth.mfa.webauthn.internal.auth import begin_authentication
from allauth.mfa.webauthn.views import AddWebAuthnView
from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from muniment.server.people.actors import signed_in_person
from muniment.server.people.models import Person


class AddPasskeyForm(AddWebAuthnForm):  # type: ignore[misc]
    """Form that adds a discoverable passkey if a person has no password; otherwise as they choose."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        name, box = self.fields["name"], self.fields["passwordless"]
        self.initial["name"], name.help_text = "", gettext_lazy("Such as: work laptop.")
        box.label = gettext_lazy("Sign in with this passkey alone")
        box.help_text = gettext_lazy("The device keeps it, and asks for a PIN, a fingerprint or your face.")
        box.initial = box.disabled = has_no_password(self.user)  # a disabled box keeps its initial value

    def clean(self) -> dict[str, object]:
        """Validate the device's response. ValidationError for a key that it cannot find by itself at the next
        sign-in.
        """
        values: dict[str, Any] = super().clean()
        properties = (values.get("credential") or {}).get("clientExtensionResults", {}).get("credProps", {})
        if values.get("passwordless") and properties.get("rk") is False:
            raise forms.ValidationError(
                _("This device did not keep the passkey, so it could not sign you in. Use another device.")
            )
        return values


def has_no_password(person: Person) -> bool:
    """Whether a person has no password: a passkey that the device cannot find by itself would lock them out."""
    return not person.has_usable_password()


class AddPasskeyView(AddWebAuthnView):  # type: ignore[misc]
    """Page of allauth, after which a passkey that is the only way to sign in is tried."""

    def get_success_url(self) -> str:
        """Address of the page where the passkey is tried, or allauth's next page."""
        url: str = super().get_success_url()
        return reverse("try-passkey") if has_no_password(self.request.user) else url


add_passkey = AddPasskeyView.as_view()


@require_http_methods(["GET", "POST"])
def try_passkey(request: HttpRequest) -> HttpResponse:
    """Sign in once with the passkey that was just made, as at the next sign-in: the device has to find it by itself."""
    if request.method == "POST":
        form = LoginWebAuthnForm(data=request.POST)
        if form.is_valid() and form.cleaned_data["credential"].user_id == signed_in_person(request).pk:
            form.save()
            messages.success(request, _("The passkey signs you in."))
            return redirect("mfa_view_recovery_codes")
        messages.error(request, _("The passkey did not sign you in. Add another one, or set a password."))
    return render(request, "people/try_passkey.html", {"js_data": {"request_options": begin_authentication(None)}})
