"""Refuses passwords that are easily guessed (NIST SP 800-63B, 3.1.1.2; OWASP ASVS 5.0, V6.2)."""

from typing import Any

from django.core.exceptions import ValidationError
from zxcvbn import zxcvbn

_LEAST = 3  # of 4: more than 10 ** 8 guesses
_LONGEST = 128


class GuessableValidator:
    """By what zxcvbn knows of how passwords are guessed; the person's own name and address count as known."""

    def validate(self, password: str, user: Any = None) -> None:
        """Raises ValidationError, with what would be better."""
        if len(password) > _LONGEST:
            raise ValidationError(f"Use at most {_LONGEST} characters.", code="too-long")
        own = [str(getattr(user, name, "") or "") for name in ("slug", "name", "email")]
        found = zxcvbn(password[:72], user_inputs=[word for word in own if word])
        if found["score"] < _LEAST:
            advice = " ".join([found["feedback"]["warning"], *found["feedback"]["suggestions"]]).strip()
            raise ValidationError(advice or "This is easily guessed. Use a few words more.", code="guessable")

    def get_help_text(self) -> str:
        """What to do."""
        return "Four or more unusual words, or what a password manager makes."
