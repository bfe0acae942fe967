"""Form that signs people in."""

from typing import Any

from allauth.account.forms import LoginForm
from django.utils.translation import gettext_lazy as _


class SignInForm(LoginForm):  # type: ignore[misc]
    """Form of allauth without the promise of a mail: a new link comes from an administrator."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["login"].label = _("Id or e-mail address")
        self.fields["password"].help_text = _("Forgotten? An administrator can give you a new link.")
