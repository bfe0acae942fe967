"""Environments, the pipelines that may deploy there, and every deployment: asked, judged, let through, reported."""
