"""An account as it is stored: an address, an SSH key, or a login with its forge before it."""

from django.utils.translation import gettext as _

from muniment.errors import ParseError, RefusedError
from muniment.policy.ssh_keys import KEY_TYPES, KeyCode, parse_ssh_key
from muniment.server.acts.inputs import InputCode
from muniment.server.people.models import Account


def read_account_value(kind: str, text: str, field: str = "value") -> str:
    """The stored form of an account of that kind. Raises ParseError, of the act's field `field`."""
    value = text.strip()
    if kind == Account.Kind.KEY:
        return _parse_ssh_key(value, field)
    if not value.isprintable():
        raise ParseError(InputCode.MALFORMED, _("This cannot be an account."), _("Write it in one line."), field)
    if kind == Account.Kind.LOGIN and (value.count("/") != 1 or value.startswith("/") or value.endswith("/")):
        remedy = _("Write a login with its forge before it, such as github/ada.")
        raise ParseError(InputCode.MALFORMED, _("The login does not name its forge."), remedy, field)
    if kind == Account.Kind.EMAIL and (
        value.count("@") != 1 or any(sign.isspace() or sign in '<>,;"' for sign in value)
    ):
        remedy = _("Write one address, such as ada@example.com.")
        raise ParseError(InputCode.MALFORMED, _("This is no e-mail address."), remedy, field)
    return value


def refuse_taken_account(kind: str, value: str) -> None:
    """Raise RefusedError for an account that is linked to anybody."""
    if Account.objects.filter(identity_hash=Account.hash_identity(kind, value)).exists():
        raise make_account_taken()


def make_account_taken() -> RefusedError:
    """The refusal of an account that is linked to somebody."""
    return RefusedError(
        "account-taken", _("That belongs to somebody already."), _("If it is yours, ask an administrator to unlink it.")
    )


def _parse_ssh_key(text: str, field: str) -> str:
    try:
        return parse_ssh_key(text)
    except ParseError as error:
        sentence = _("This is no SSH public key: %(problem)s.") % {
            "problem": _describe_key_problem(KeyCode(error.code))
        }
        remedy = _("Copy the one line of the file that ends in .pub.")
        raise ParseError(error.code, sentence, remedy, field) from None


def _describe_key_problem(code: KeyCode) -> str:
    return {
        KeyCode.LINES: _("a key is one line, and this has more or has control characters"),
        KeyCode.KIND: _("a key begins with one of %(kinds)s") % {"kinds": ", ".join(KEY_TYPES)},
        KeyCode.CUT_OFF: _("it is cut off or mistyped"),
        KeyCode.OTHER_KIND: _("it holds another type than its first word says"),
        KeyCode.PARTS: _("it has not the parts that such a key has"),
        KeyCode.SHORT: _("the RSA key is too short"),
    }[code]
