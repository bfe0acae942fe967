"""A limit on the time that several steps take together."""

import time


class Deadline:
    """A moment, `seconds` from now, at which several steps have to be done."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    def seconds_left(self) -> float:
        """Seconds left, more than 0. Raises TimeoutError if there are none."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left
