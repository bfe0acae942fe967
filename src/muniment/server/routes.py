"""Addresses that several modules use."""

SIGN_IN = "/account/login/"
SECOND_FACTOR_ROUTE = "/account/2fa/"
ANONYMOUS_PREFIX = "/feedback/"  # pages that know no session, account or address: `guarding.anonymous_requests`
