"""Signs by which content is known to be an archive, without the modules that read one."""

LOCAL_HEADER = b"PK\x03\x04"
END_OF_ZIP = b"PK\x05\x06"
ZIP_SIGNS = (LOCAL_HEADER, END_OF_ZIP, b"PK\x07\x08")
ZIP_TAIL = 65_557  # the end record of a zip file with its longest comment
COMPRESSED_SIGNS = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0")
UNREADABLE = (
    (b"7z\xbc\xaf\x27\x1c", "7-Zip"),
    (b"Rar!\x1a\x07", "RAR"),
    (b"\x28\xb5\x2f\xfd", "Zstandard"),
    (b"\x04\x22\x4d\x18", "LZ4"),
    (b"LZIP", "lzip"),
    (b"MSCF\0\0\0\0", "cabinet"),
    (b"\x1f\x9d", "compress"),
    (b"\x5d\0\0\x80\0", "LZMA"),
)


class ArchiveError(Exception):
    """An archive cannot be read whole; the text says why."""


def is_tar(content: bytes) -> bool:
    """Whether content begins like a tar archive."""
    return content[257:262] == b"ustar"


def may_end_like_zip(content: bytes) -> bool:
    """Whether content may have the end record of a zip file behind something else, as a program that unpacks itself."""
    return END_OF_ZIP in content[-ZIP_TAIL:]


def is_archive(content: bytes) -> bool:
    """Whether content may be an archive, one that cannot be read among them."""
    signs = (*ZIP_SIGNS, *COMPRESSED_SIGNS, *(sign for sign, _ in UNREADABLE))
    return content.startswith(signs) or is_tar(content) or may_end_like_zip(content)
