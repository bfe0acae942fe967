"""Output of a command on its way to our own output: masked, in order and at once."""

import errno
import os
import select
from contextlib import suppress

from muniment.vault.masking import Masker, Piece

_PIECE_BYTES = 1 << 16
_STANDARD_ERROR = 2
_MOST_SHOWN = 2  # letters of a secret that may show before a pause at a terminal: somebody waits for what they typed


class MaskedStream:
    """Stream from `source`, which is ours to close, to `sink`; `waited` if a person looks at it."""

    def __init__(self, source: int, sink: int, masker: Masker, *, waited: bool = False) -> None:
        self.source, self._sink = source, sink
        self._masker = masker
        os.set_blocking(source, False)
        self._waited = waited
        self._has_failed = False

    @property
    def is_awaited(self) -> bool:
        """Whether a person may be waiting for output that is held back."""
        return self._waited and self._masker.has_held_output

    def relay_piece(self) -> bool:
        """Pass on one piece; False at the end, or when nobody reads us any more."""
        pieces, goes_on = self._read_pieces()
        return (not pieces or self._write_sink(self._masker.feed(b"".join(pieces))) or self._waited) and goes_on

    def _read_pieces(self) -> tuple[list[bytes], bool]:
        """Read the available output, up to _PIECE_BYTES: a terminal gives it in small parts. And whether more
        may come.
        """
        pieces: list[bytes] = []
        size = 0
        while size < _PIECE_BYTES:
            try:
                piece = os.read(self.source, _PIECE_BYTES - size)
            except BlockingIOError:
                break
            except OSError:  # what a terminal says when nobody has it open any more
                return pieces, False
            if not piece:
                return pieces, False
            pieces.append(piece)
            size += len(piece)
        return pieces, True

    def release_held(self) -> None:
        """Show the little that is held back, since no more output comes."""
        self._write_sink(self._masker.release_held(_MOST_SHOWN))

    def end_stream(self) -> None:
        """Show the rest, and close the source: a command that still writes there learns that nobody reads."""
        self._write_sink(self._masker.flush())
        os.close(self.source)

    def _write_sink(self, data: Piece) -> bool:
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self._sink, view) :]
            except BlockingIOError:
                with suppress(InterruptedError):
                    select.select([], [self._sink], [])
            except OSError as error:
                self._name_write_failure(error)
                return False
        return True

    def _name_write_failure(self, error: OSError) -> None:
        """Say once why the command loses its output. A reader that is gone needs no message, as without us."""
        if error.errno in (errno.EPIPE, errno.EBADF) or self._has_failed:
            return
        self._has_failed = True
        text = f"muniment: the output of the command cannot be written: {os.strerror(error.errno or errno.EIO)}\n"
        with suppress(OSError):
            os.write(_STANDARD_ERROR, text.encode())
