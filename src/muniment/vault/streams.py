"""What a command writes reaches whoever reads us, masked, in order and at once."""

import os
import select
from contextlib import suppress

from muniment.vault.masking import Masker, Piece

_PIECE = 1 << 16
_SHOWN = 2  # letters of a secret that may show before a pause at a terminal: somebody waits for what they typed


class Stream:
    """From `source`, which is ours to close, to `sink`; `waited` if a person looks at it."""

    def __init__(self, source: int, sink: int, masker: Masker, *, waited: bool = False) -> None:
        self.source, self._sink = source, sink
        self._masker = masker
        os.set_blocking(source, False)
        self._waited = waited

    @property
    def waiting(self) -> bool:
        """Whether a person may be waiting for what is held back."""
        return self._waited and self._masker.holds

    def relay(self) -> bool:
        """Hand on one piece; False at the end, or when nobody reads us any more."""
        pieces, goes_on = self._read()
        return (not pieces or self._write(self._masker.feed(b"".join(pieces))) or self._waited) and goes_on

    def _read(self) -> tuple[list[bytes], bool]:
        """What is there, up to _PIECE: a terminal gives it in small parts. And whether more may come."""
        pieces: list[bytes] = []
        size = 0
        while size < _PIECE:
            try:
                piece = os.read(self.source, _PIECE - size)
            except BlockingIOError:
                break
            except OSError:  # what a terminal says when nobody has it open any more
                return pieces, False
            if not piece:
                return pieces, False
            pieces.append(piece)
            size += len(piece)
        return pieces, True

    def release(self) -> None:
        """Nothing comes: show the little that is held back."""
        self._write(self._masker.release(_SHOWN))

    def end(self) -> None:
        """Show what is left, and let the source go: a command that still writes there is told that nobody reads."""
        self._write(self._masker.flush())
        os.close(self.source)

    def _write(self, data: Piece) -> bool:
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self._sink, view) :]
            except BlockingIOError:
                with suppress(InterruptedError):
                    select.select([], [self._sink], [])
            except OSError:
                return False
        return True
