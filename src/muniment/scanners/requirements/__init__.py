"""Checklist of requirements on code and operation, and the state of each for a product."""
