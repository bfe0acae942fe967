"""Pipelines: what they say they are, what they tested and built, what their files do. Nothing is judged here."""
