"""Addresses that more than one place has to know."""

SIGN_IN = "/account/login/"
SECOND_FACTOR = "/account/2fa/"
