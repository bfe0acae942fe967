"""How an exception says that it was agreed to in the service: by the digest of what lies beside the act's entry."""

ACT = "act:"
