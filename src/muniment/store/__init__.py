"""Storage of an installation: one interface, and its implementations."""
