"""Template filters of decisions."""
