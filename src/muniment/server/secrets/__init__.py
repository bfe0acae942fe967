"""Secrets of environments: their names and ages, who set them; never a value."""
