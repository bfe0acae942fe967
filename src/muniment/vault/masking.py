"""Nothing that leaves a masker holds a secret, in any of its forms, however the stream was cut into pieces.

What is masked: every byte of every occurrence, overlapping ones too; each run of overlapping ones becomes one MARK. But
one or two bytes just before a line break stay, though the rest follows behind it: else the end of most lines would have
to wait for the next one. So there is one right answer for a whole text, and the pieces that a masker gives for it,
joined, are exactly that.

How: line breaks, with the blanks after each, are taken out of the stream (`forms` says why). An engine finds where the
first SHORTEST bytes of any form begin; each such place is then compared with the forms that begin so. Only what may
still become a form is held back, until more comes.
"""

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable

from muniment.vault.engines import Engine, installed
from muniment.vault.forms import FOLD, SHORTEST, forms

MARK = b"***"
_FLOOD = 1 << 15  # bytes that come at once, from which a quick look is worth what it takes to begin with
_CUT_OFF = 4  # letters and digits from which the beginning of a form at the end of a stream is masked
_LETTERS = re.compile(rb"[A-Za-z0-9\x80-\xff]")
_PLAIN = re.compile(rb"\S[^\r\n]*")  # text as it is, whatever stands before it
_BEGUN = re.compile(rb"([^\r\n]{1,2})[\r\n]\s*")  # what may have begun just before a line break

Span = tuple[int, int]
Piece = bytes | memoryview


class Masker:
    """One stream. A second stream needs a second one: `again`."""

    def __init__(self, values: Iterable[str], engine: Engine | None = None) -> None:
        """Masks these values. Raises RunError if no engine is installed."""
        found = sorted({form for value in values for form in forms(value)})
        self._forms: dict[bytes, list[bytes]] = defaultdict(list)
        for form in found:
            self._forms[form[:SHORTEST]].append(form)
        self._heads = frozenset(key[:size] for key in self._forms for size in range(1, SHORTEST))
        self._find = (engine or installed())(tuple(self._forms)) if found else None
        self._begin()

    def _begin(self) -> None:
        self._raw = b""  # what came and is held back
        self._text = b""  # the same, unfolded
        self._done = 0  # bytes of _raw that were shown, or stand behind a mark, already
        self._masked = 0  # bytes of _text that stand behind a mark already
        self._places: list[int] = []  # in _text, where a form begins, or may have begun
        self._folding = False  # the last that came is a line break, and blanks

    def again(self) -> "Masker":
        """A masker of the same values, for another stream."""
        other = object.__new__(Masker)
        other._forms, other._heads, other._find = self._forms, self._heads, self._find
        other._begin()
        return other

    def feed(self, data: bytes) -> Piece:
        """What may be shown now."""
        if self._find is None:
            return data
        if len(data) >= _FLOOD and (plain := self._untouched(data)) is not None:
            return plain
        lead = len(data) - len(data.lstrip()) if self._folding and not self._raw else 0
        before = len(self._text)
        self._text, self._folding = _unfolded(data, self._folding, self._text)
        spans, living = self._compared(max(before - SHORTEST + 1, 0))
        kept = self._kept(living)
        if not spans and not self._masked and (plain := self._plain(data, kept)) is not None:
            return plain
        self._raw += data
        return self._shown(spans, kept, lead)

    def flush(self) -> bytes:
        """What is left when the stream has ended: the beginning of a form, cut off there, is masked too."""
        end = len(self._text)
        spans, living = self._compared(end)
        begun = self._kept(living)
        if len(_LETTERS.findall(self._text, begun)) >= _CUT_OFF:
            spans.append((begun, end))
        return self._shown(spans, end, 0)

    @property
    def holds(self) -> bool:
        """Whether something is held back that was not shown."""
        return self._done < len(self._raw)

    def release(self, most: int) -> bytes:
        """What is held back, if it is at most so many bytes, for somebody waits. The rest of a form is masked later."""
        if len(self._text) > most or self._masked:
            return b""
        shown, self._done = self._raw[self._done :], len(self._raw)
        return shown

    def _untouched(self, data: bytes) -> Piece | None:
        """The same as the rest of `feed`, where the engine sees at once that no form begins; None where it does not."""
        if self._find is None or self._find.none is None or self._masked or self._places:
            return None
        raw = self._raw + data
        ending = _ending(raw, SHORTEST - 1)
        if ending is None or not self._find.none(raw):
            return None
        last, self._text, self._folding = ending
        kept, done = self._kept([]), self._done
        cut = len(raw) - len(last) + _place(last, self._text, kept)
        end = max(done, _shown_to(raw, cut))
        self._raw, self._done, self._text = raw[cut:], end - cut, self._text[kept:]
        return memoryview(raw)[done:end]

    def _compared(self, new: int) -> tuple[list[Span], list[int]]:
        """The occurrences, and where a form may have begun; what the engine has not yet seen is from `new` on."""
        spans: list[Span] = []
        living: list[int] = []
        text, end = self._text, len(self._text)
        if self._find is not None and end - new >= SHORTEST:
            self._places += [new + at for at in self._find.keys(text[new:] if new else text)]
        for at in self._places:
            for form in self._forms[text[at : at + SHORTEST]]:
                if text.startswith(form, at):
                    spans.append((at, at + len(form)))
                elif at + len(form) > end and form.startswith(text[at:]):
                    living.append(at)
        return spans, living

    def _kept(self, living: list[int]) -> int:
        """The place in _text from which everything is held back."""
        text, heads, end = self._text, self._heads, len(self._text)
        if living:
            return min(living)
        for at in range(max(end - SHORTEST + 1, 0), end):
            if text[at:] in heads:
                return at
        return end

    def _plain(self, data: bytes, kept: int) -> bytes | None:
        """The same as _shown where there is nothing to mask, without a copy more; None if `kept` is not in `data`."""
        left = len(self._text) - kept
        cut = _from_end(data, left) if left else len(data)
        if cut < 0:
            return None
        end = _shown_to(data, cut)
        held = self._raw[self._done :]
        self._hold(data[cut:], kept, end - cut, 0)
        return b"".join((held, memoryview(data)[:end])) if held else data[:end]

    def _shown(self, spans: list[Span], kept: int, lead: int) -> bytes:
        """All before `kept`, masked; the rest is held back."""
        raw, done, masked = self._raw, self._done, self._masked
        pieces = []
        if spans or masked:
            places = _Places(raw, lead)
            for start, end in _merged([(places.first(at), end) for at, end in spans if at < kept]):
                if start >= masked:
                    pieces += [raw[done : places.of(start)], MARK]
                masked = max(masked, end)
                done = max(done, places.of(masked - 1) + 1)
        left = len(self._text) - kept
        cut = _from_end(raw, left) if left else len(raw)
        end = _shown_to(raw, cut)
        pieces.append(raw[done:end])
        self._hold(raw[cut:], kept, max(done, end) - cut, masked)
        return b"".join(pieces)

    def _hold(self, raw: bytes, kept: int, done: int, masked: int) -> None:
        """From now on, `raw` is held back, whose text begins at `kept`."""
        self._raw, self._done = raw, done
        self._text, self._masked = self._text[kept:], max(masked - kept, 0)
        self._places = [at - kept for at in self._places if at >= kept]


class _Places:
    """Where in `raw` each byte of its unfolded text stands; `lead` bytes before the first are blanks of a fold."""

    def __init__(self, raw: bytes, lead: int = 0) -> None:
        self._raw = raw
        self._texts, self._raws = [0], [lead]
        for fold in FOLD.finditer(raw, lead):
            self._texts.append(self._texts[-1] + fold.start() - self._raws[-1])
            self._raws.append(fold.end())

    def first(self, place: int) -> int:
        """Where the masking of a form at `place` begins."""
        begun = _BEGUN.match(self._raw, self.of(place))
        return place + len(begun[1]) if begun else place

    def of(self, place: int) -> int:
        """The place in raw."""
        at = bisect_right(self._texts, place) - 1
        return self._raws[at] + place - self._texts[at]


def _shown_to(raw: bytes, cut: int) -> int:
    """Up to where raw is shown, of which everything from `cut` on is held back: what begins before a break is not."""
    seen = _BEGUN.match(raw, cut)
    return seen.end() if seen else cut


def _from_end(raw: bytes, count: int) -> int:
    """Where in raw the last `count` bytes of its text begin, -1 if before it."""
    ending = _ending(raw, count)
    if ending is None:
        return -1
    last, text, _ = ending
    return len(raw) - len(last) + _place(last, text, len(text) - count)


def _place(raw: bytes, text: bytes, place: int) -> int:
    """Where in raw a place in its text is."""
    return place if len(text) == len(raw) else _Places(raw).of(place)


def _ending(raw: bytes, count: int) -> tuple[bytes, bytes, bool] | None:
    """An end of raw with `count` bytes of text in it, and what `_unfolded` says of it: not much more than must be."""
    last = raw[-count:]
    if len(last) == count and _PLAIN.fullmatch(last):
        return last, last, False
    width = count
    while True:
        width = min(len(raw), 2 * width + 64)
        last = raw[-width:].lstrip()  # blanks at its beginning may be of a fold or not: they are not counted
        text, folds = _unfolded(last, False)
        if len(text) >= count:
            return last, text, folds
        if width == len(raw):
            return None


def _unfolded(data: bytes, folding: bool, before: bytes = b"") -> tuple[bytes, bool]:
    """`before`, then `data` without line breaks and the blanks after them; and whether it ends in such."""
    if folding:
        data = data.lstrip()
        if not data:
            return before, True
    if b"\r" in data:
        data = data.replace(b"\r", b"\n")
    if b"\n" not in data:
        return before + data, False
    folds = data[data.rfind(b"\n") :].isspace()
    first, *others = data.split(b"\n")
    return b"".join((before, first, *map(bytes.lstrip, others))), folds


def _merged(spans: list[Span]) -> list[Span]:
    """In order, and those that overlap made one."""
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start < merged[-1][1]:
            merged[-1] = merged[-1][0], max(merged[-1][1], end)
        else:
            merged.append((start, end))
    return merged
