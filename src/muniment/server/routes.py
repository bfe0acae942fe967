"""Addresses that several modules use."""

SIGN_IN = "/account/login/"
SECOND_FACTOR = "/account/2fa/"
