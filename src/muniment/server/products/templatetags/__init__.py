"""Template filters of ids and durations."""
