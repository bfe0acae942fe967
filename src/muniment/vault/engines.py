"""What finds where forms begin: the libraries that do it fast, each asked in the same way.

Text is looked at as `forms` writes it, without line breaks. Taking those out costs more than finding does, so an engine
may also say of raw output that no key stands in it, line breaks or not. Hyperscan can. It looks for three PARTS of each
key. Where all three are broken by line breaks, there is a last one up to the key's middle and a first one behind it,
with five bytes between them at most (with six, the second part were whole): so it looks for such short lines too. Where
it finds any of these, the text around is looked at without its breaks.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import NamedTuple

from muniment.errors import RunCode, RunError
from muniment.vault.secret_forms import FOLD, SHORTEST

_PARTS = (slice(0, 5), slice(2, 7), slice(4, SHORTEST))
_SHORT = tuple(  # either the break stands just before, or blanks, of which more than two are not looked at
    begun + rb"[^ \t\v\f\r\n][^\r\n]{0,4}[\r\n]" for begun in (rb"[\r\n]", rb"[ \t\v\f\r\n]{2}")
)
_SUSPECTS = 16  # in one piece, up to which it is quicker to look at each by itself
_LOOKS = 500  # at parts in one piece, up to which it is quicker to look at each by itself
_AROUND = 64  # bytes on either side of one


class Finder(NamedTuple):
    """Search functions of an engine, for keys of SHORTEST bytes each.

    `keys` gives the places in a text where any of them begins. `none`, where an engine is quick at it, is true of raw
    output only if it contains no key, folded or not.
    """

    keys: Callable[[bytes], Iterable[int]]
    none: Callable[[bytes], bool] | None = None


SecretsEngine = Callable[[Sequence[bytes]], Finder]


def find_engine() -> SecretsEngine:
    """Find the fastest engine that is installed. Raises RunError if there is none."""
    for engine in (create_hyperscan_finder, create_ahocorasick_finder):
        try:
            engine((b"a" * SHORTEST,))
        except ImportError:
            continue
        return engine
    raise RunError(
        RunCode.MASKING_UNAVAILABLE,
        "nothing that masks secrets is installed",
        "Install it: pip install 'muniment[pipeline]'",
    )


def create_ahocorasick_finder(keys: Sequence[bytes]) -> Finder:
    """Create a finder by ahocorasick_rs. Raises ImportError."""
    from ahocorasick_rs import BytesAhoCorasick, Implementation, MatchKind

    automaton = BytesAhoCorasick(keys, matchkind=MatchKind.Standard, implementation=Implementation.DFA)
    return Finder(lambda data: [at for _, at, _ in automaton.find_matches_as_indexes(data, overlapping=True)])


def create_hyperscan_finder(keys: Sequence[bytes]) -> Finder:
    """Create a finder by Hyperscan or Vectorscan. Raises ImportError where it is missing, or the processor is too old
    for it.
    """
    import hyperscan as library

    def compile_expressions(expressions: Sequence[bytes]) -> "library.Database":
        database = library.Database(mode=library.HS_MODE_BLOCK)
        count = len(expressions)
        database.compile(expressions=list(expressions), ids=list(range(count)), elements=count, flags=0)
        return database

    @cache  # each takes a while to make, and a short output needs one of them alone
    def compile_keys() -> "library.Database":
        return compile_expressions([*map(_escape_bytes, keys)])

    known = frozenset(keys)

    @cache
    def list_parts() -> list[tuple[bytes, tuple[int, ...]]]:
        """Each part with the places in keys where it stands."""
        found: dict[bytes, set[int]] = {}
        for part in _PARTS:
            for key in keys:
                found.setdefault(key[part], set()).add(part.start)
        return [(text, tuple(places)) for text, places in sorted(found.items())]

    @cache
    def compile_parts() -> "library.Database":
        return compile_expressions([*(_escape_bytes(text) for text, _ in list_parts()), *_SHORT])

    def is_suspect(raw: bytes, number: int, end: int) -> bool:
        """Whether a key may stand around a part: it does not where other bytes do, and no line break among them."""
        if number >= len(list_parts()):
            return True
        text, places = list_parts()[number]
        return any(_may_be_key(raw, end - len(text) - place, known) for place in places)

    try:
        compile_expressions(_SHORT)
    except library.HyperscanError as error:
        raise ImportError("hyperscan does not run here") from error

    def find_keys(data: bytes) -> list[int]:
        places: list[int] = []
        compile_keys().scan(data, lambda _id, _start, end, _flags, _context: places.append(end - SHORTEST))
        return places

    def has_no_key(raw: bytes) -> bool:
        suspects: list[int] = []
        looks = 0

        def note_match(number: int, _start: int, end: int, _flags: int, _context: object) -> bool:
            nonlocal looks
            looks += 1
            if is_suspect(raw, number, end):
                suspects.append(end)
            return len(suspects) > _SUSPECTS or looks > _LOOKS

        try:
            compile_parts().scan(raw, note_match)
        except library.ScanTerminated:
            return False
        texts = [_surrounding_text(raw, at) for at in suspects]
        return None not in texts and not (texts and find_keys(b"\n".join(filter(None, texts))))

    return Finder(find_keys, has_no_key)


def _may_be_key(raw: bytes, start: int, keys: frozenset[bytes]) -> bool:
    """Whether a key may stand at `start`; blanks at its beginning, and line breaks in it, may be of a fold."""
    window = raw[max(start, 0) : start + SHORTEST]
    if len(window) < SHORTEST or window in keys or window[:1].isspace():
        return True
    return b"\n" in window or b"\r" in window


def _escape_bytes(text: bytes) -> bytes:
    return b"".join(b"\\x%02x" % byte for byte in text)


def _surrounding_text(raw: bytes, at: int) -> bytes | None:
    """Text around `at` that would contain a whole key; None if blanks leave too little of it."""
    first, last = max(at - _AROUND, 0), min(at + _AROUND, len(raw))
    part = raw[first:last]
    begun = len(part) - len(part.lstrip()) if first else 0  # these blanks may be of a fold or not
    before = len(FOLD.sub(b"", raw[first + begun : at]))
    text = FOLD.sub(b"", part[begun:])
    enough = (not first or before >= SHORTEST) and (last == len(raw) or len(text) - before >= SHORTEST)
    return text if enough else None
