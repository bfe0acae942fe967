"""How allauth behaves here: nobody makes an account for themselves."""

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest


class Adapter(DefaultAccountAdapter):  # type: ignore[misc]
    """An administrator adds people; nobody else does."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Never."""
        return False
