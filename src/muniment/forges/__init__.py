"""Interfaces to forges: read changes, publish decisions, protect branches, parse webhook deliveries."""
