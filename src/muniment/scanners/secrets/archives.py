"""Contents of archives, read in memory within limits, archives inside them too. Nothing is unpacked to a file."""

import io
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator

from muniment.scanners.secrets import signs
from muniment.scanners.secrets.compressed import StreamError, decompress_stream, is_compressed
from muniment.scanners.secrets.signs import ArchiveError

MOST_ENTRIES = 2_000
MOST_UNPACKED_BYTES = 32_000_000
MOST_LEVELS = 5  # of archives in archives
_BLOCK = 512  # of tar
_LOCAL_SIZE = 30


class _Budget:
    """Entries and bytes that are left, shared by all levels of one archive."""

    def __init__(self) -> None:
        self._entries, self._bytes = MOST_ENTRIES, MOST_UNPACKED_BYTES

    def take_entry(self, data: bytes) -> None:
        self._entries -= 1
        self._bytes -= len(data)
        if min(self._entries, self._bytes) < 0:
            raise ArchiveError(f"the archive has more than {MOST_ENTRIES} files or {MOST_UNPACKED_BYTES} bytes")


def list_contents(content: bytes) -> Iterator[tuple[str, bytes]]:
    """List the files of an archive by name; none if the content is no archive. Raises ArchiveError."""
    yield from _list_level(content, "", _Budget(), MOST_LEVELS)


def _list_level(content: bytes, outer: str, budget: _Budget, levels: int) -> Iterator[tuple[str, bytes]]:
    for name, data in _read_archive(content, levels):
        budget.take_entry(data)
        path = f"{outer}/{name}" if outer and name else outer or name
        yield path, data
        yield from _list_level(data, path, budget, levels - 1)


def _read_archive(content: bytes, levels: int) -> Iterator[tuple[str, bytes]]:
    try:
        for entry in _open_archive(content):
            if not levels:
                raise ArchiveError(f"it has archives in more than {MOST_LEVELS} levels")
            yield entry
    except StreamError as error:
        raise ArchiveError(str(error)) from None
    except NotImplementedError:
        raise ArchiveError("the archive has a format that cannot be read") from None
    except RuntimeError:
        raise ArchiveError("the archive is encrypted") from None
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, struct.error):
        raise ArchiveError("the archive is damaged") from None
    except (OSError, EOFError, ValueError, OverflowError):
        raise ArchiveError("the archive is damaged") from None


def _open_archive(content: bytes) -> Iterator[tuple[str, bytes]]:
    for sign, name in signs.UNREADABLE:
        if content.startswith(sign):
            raise ArchiveError(f"{name} archives cannot be read")
    if content.startswith(signs.ZIP_SIGNS) or (signs.may_end_like_zip(content) and _is_zip(content)):
        yield from _read_zip(content)
    elif is_compressed(content):
        yield "", decompress_stream(content, MOST_UNPACKED_BYTES)
    elif signs.is_tar(content):
        yield from _read_tar(content)


def _is_zip(content: bytes) -> bool:
    """Whether content has the end record of a zip file behind something else, as a self-extracting program does."""
    return zipfile.is_zipfile(io.BytesIO(content))


def _read_zip(content: bytes) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = archive.infolist()
        _require_listed_entries(content, entries, archive.start_dir)
        for entry in entries:
            with archive.open(entry) as file:
                yield entry.filename, file.read(MOST_UNPACKED_BYTES + 1)


def _require_listed_entries(content: bytes, entries: list[zipfile.ZipInfo], directory: int) -> None:
    """Raise ArchiveError if there are files between those that the directory of a zip file lists."""
    position = 0
    for entry in sorted(entries, key=lambda one: one.header_offset):
        if signs.LOCAL_HEADER in content[position : entry.header_offset]:
            break
        lengths = struct.unpack("<HH", content[entry.header_offset + 26 : entry.header_offset + _LOCAL_SIZE])
        position = max(position, entry.header_offset + _LOCAL_SIZE + sum(lengths) + entry.compress_size)
    else:
        if signs.LOCAL_HEADER not in content[position:directory]:
            return
    raise ArchiveError("the archive has files that its directory does not list")


def _read_tar(content: bytes) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as archive:
        for entry in archive:
            file = archive.extractfile(entry) if entry.isreg() else None
            data = b"" if file is None else file.read(MOST_UNPACKED_BYTES + 1)
            if file is not None and len(data) < min(entry.size, MOST_UNPACKED_BYTES + 1):
                raise ArchiveError("the archive is cut off")
            texts = [entry.linkname, *(f"{key}={value}" for key, value in entry.pax_headers.items() if key != "path")]
            yield entry.name, data
            if any(texts):
                yield entry.name, "\n".join(texts).encode("utf-8", "surrogateescape")
        rest = content[archive.offset :]
    # The reader takes a damaged header for the end.
    if len(rest) < _BLOCK or rest.strip(b"\0"):
        raise ArchiveError("the archive is cut off, or has data after its end")
