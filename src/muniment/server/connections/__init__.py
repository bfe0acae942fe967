"""Connections to forges: their events, the evaluation of changes, published statuses, and protected branches."""
