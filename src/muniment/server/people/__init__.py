"""People, the proofs of their identities, and their roles."""
