"""Pipelines: their identities, their tests and builds, and their files. Nothing is evaluated here."""
