"""Addresses that several modules use."""

SIGN_IN = "/account/login/"
SECOND_FACTOR_ROUTE = "/account/2fa/"
