"""Reference of an exception to its approval in the service: the digest of the object of the act's record."""

ACT = "act:"
