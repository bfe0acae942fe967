"""Proposed alterations of protected branches, and every decision on them."""
