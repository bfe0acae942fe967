"""Time limit of a test: one that waits for ever fails, as for a signal that a shell has its children ignore."""

import signal

LONGEST_SECONDS = 600  # of one test, or of one step of a test with many, on the slowest machine


def begin_step() -> None:
    """Give the test under way its whole time again: one with a number of steps is bounded by that number."""
    signal.alarm(LONGEST_SECONDS)
