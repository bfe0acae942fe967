"""Imports of findings that other tools made."""
