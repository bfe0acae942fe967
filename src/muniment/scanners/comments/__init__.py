"""Comments in code that ask to ignore a rule."""
