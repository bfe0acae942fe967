"""Versions of the policy, exceptions from it, monitoring and freezes."""
