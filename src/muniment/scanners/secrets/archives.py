"""Contents of archives, read in memory within limits. Nothing is unpacked to a file."""

import io
import tarfile
import zipfile
import zlib
from collections.abc import Iterator

MOST_ENTRIES = 2_000
MOST_UNPACKED_BYTES = 32_000_000


class ArchiveError(Exception):
    """An archive cannot be read whole; the text says why."""


def list_contents(content: bytes) -> Iterator[tuple[str, bytes]]:
    """List the files of an archive by name; none if the content is no archive. Raises ArchiveError."""
    left = MOST_UNPACKED_BYTES
    try:
        for count, (name, data) in enumerate(_open_archive(content)):
            left -= len(data)
            if count >= MOST_ENTRIES or left < 0:
                raise ArchiveError(f"the archive has more than {MOST_ENTRIES} files or {MOST_UNPACKED_BYTES} bytes")
            yield name, data
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, OSError, EOFError, NotImplementedError):
        raise ArchiveError("the archive is damaged") from None
    except RuntimeError:
        raise ArchiveError("the archive is encrypted") from None


def _open_archive(content: bytes) -> Iterator[tuple[str, bytes]]:
    if content[:4] == b"PK\x03\x04":
        yield from _read_zip(content)
    elif content[:2] == b"\x1f\x8b":
        data = _decompress_gzip(content)
        yield from _read_tar(data) if data[257:262] == b"ustar" else iter([("", data)])
    elif content[257:262] == b"ustar":
        yield from _read_tar(content)


def _read_zip(content: bytes) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for entry in archive.infolist():
            if not entry.is_dir():
                with archive.open(entry) as file:
                    yield entry.filename, file.read(MOST_UNPACKED_BYTES + 1)


def _read_tar(content: bytes) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as archive:
        for entry in archive:
            file = archive.extractfile(entry) if entry.isreg() else None
            if file is not None:
                yield entry.name, file.read(MOST_UNPACKED_BYTES + 1)


def _decompress_gzip(content: bytes) -> bytes:
    machine = zlib.decompressobj(31)
    data = machine.decompress(content, MOST_UNPACKED_BYTES + 1)
    if len(data) > MOST_UNPACKED_BYTES:
        raise ArchiveError(f"the archive has more than {MOST_UNPACKED_BYTES} bytes")
    return data
