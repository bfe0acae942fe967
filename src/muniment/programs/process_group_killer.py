"""Ends a program with the process that started it, whatever ended that one: the kernel kills its group (Linux).

A pipe connects the two. The program and all that it starts have its reading end, and only we have the writing
one, which the kernel closes when we end, SIGKILL included. As the pipe's owner is the program's group and its signal
SIGKILL (fcntl(2): O_ASYNC, F_SETOWN, F_SETSIG), the group ends then. PR_SET_PDEATHSIG would need one more program
(`setpriv`) at each start, kill only the first process, and also when the thread ends that started it.
"""

import fcntl
import os
import signal

_IS_KNOWN = hasattr(fcntl, "F_SETSIG")  # on Linux


class ProcessGroupKiller:
    """Kills a program's process group when this process ends. The program has to inherit `inherited`."""

    def __init__(self) -> None:
        self._reading, self._writing = os.pipe() if _IS_KNOWN else (-1, -1)

    @property
    def inherited(self) -> tuple[int, ...]:
        """Descriptors that the program has to inherit."""
        return (self._reading,) if self._reading >= 0 else ()

    def watch_process(self, pid: int, *, group: bool) -> None:
        """Watch the program `pid` that was started, with its `group` if that is its own."""
        if self._reading < 0:
            return
        fcntl.fcntl(self._reading, fcntl.F_SETOWN, -pid if group else pid)
        fcntl.fcntl(self._reading, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(self._reading, fcntl.F_SETFL, fcntl.fcntl(self._reading, fcntl.F_GETFL) | os.O_ASYNC)
        # Ours alone is closed: the program and its children keep theirs, and the signal belongs to the open pipe.
        os.close(self._reading)
        self._reading = -1

    def close(self) -> None:
        """Close the pipe after the program has ended, or was not started. The rest of its group is killed."""
        for descriptor in (self._reading, self._writing):
            if descriptor >= 0:
                os.close(descriptor)
        self._reading = self._writing = -1
