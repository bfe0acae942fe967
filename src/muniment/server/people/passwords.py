"""Refuses passwords that are easily guessed (NIST SP 800-63B, 3.1.1.2; OWASP ASVS 5.0, V6.2)."""

from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from zxcvbn import zxcvbn

from muniment.server.people import breached_passwords

_LEAST = 3  # of 4: more than 10 ** 8 guesses
_LONGEST = 128


class GuessableValidator:
    """Validator that refuses guessable passwords by zxcvbn; the person's own name and address count as known words."""

    def validate(self, password: str, user: Any = None) -> None:
        """Raise ValidationError for a guessable password, with advice, and for none."""
        if not password:  # of which zxcvbn has no opinion, but an error
            raise ValidationError(_("Enter a password."), code="empty")
        if len(password) > _LONGEST:
            raise ValidationError(_("Use at most %(most)d characters.") % {"most": _LONGEST}, code="too-long")
        own = [str(getattr(user, name, "") or "") for name in ("slug", "name", "email")]
        found = zxcvbn(password[:72], user_inputs=[word for word in own if word])
        if found["score"] < _LEAST:
            advice = " ".join([found["feedback"]["warning"], *found["feedback"]["suggestions"]]).strip()
            raise ValidationError(advice or _("This is easily guessed. Use a few words more."), code="guessable")

    def get_help_text(self) -> str:
        return _("Four or more unusual words, or what a password manager makes.")


class BreachedValidator:
    """Validator that refuses passwords on the list of breached ones at `path`, if one is configured (breached.py)."""

    def __init__(self, path: str = "") -> None:
        self._path = path

    def validate(self, password: str, user: Any = None) -> None:
        """Raise ValidationError for a password on the list, and for any while the list cannot be read."""
        if not self._path:
            return
        try:
            known = breached_passwords.is_breached(self._path, password)
        except breached_passwords.UnreadableListError:
            problem = _(
                "The list of known passwords cannot be read now. Use a passkey, and tell whoever runs Muniment."
            )
            raise ValidationError(problem, code="list-unreadable") from None
        if known:
            problem = _("This password was found in a breach elsewhere, so others try it. Use another.")
            raise ValidationError(problem, code="breached")

    def get_help_text(self) -> str:
        return _("One that you use nowhere else.")
