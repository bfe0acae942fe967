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

from muniment.vault.engines import SecretsEngine, find_engine
from muniment.vault.secret_forms import FOLD, SHORTEST, list_forms

MASK = b"***"
_QUICK_LOOK_BYTES = 1 << 15  # bytes that come at once, from which a quick look is worth what it takes to begin with
_CUT_OFF = 4  # letters and digits from which the beginning of a form at the end of a stream is masked
_LETTERS = re.compile(rb"[A-Za-z0-9\x80-\xff]")
_PLAIN = re.compile(rb"\S[^\r\n]*")  # text as it is, whatever stands before it
_BEGUN = re.compile(rb"([^\r\n]{1,2})[\r\n]\s*")  # what may have begun just before a line break

Span = tuple[int, int]
Piece = bytes | memoryview


class Masker:
    """Masks one stream. A second stream needs a second masker: `copy_for_stream`."""

    def __init__(self, values: Iterable[str], engine: SecretsEngine | None = None) -> None:
        """Mask these values. Raises RunError if no engine is installed."""
        found = sorted({form for value in values for form in list_forms(value)})
        self._forms: dict[bytes, list[bytes]] = defaultdict(list)
        for form in found:
            self._forms[form[:SHORTEST]].append(form)
        self._heads = frozenset(key[:size] for key in self._forms for size in range(1, SHORTEST))
        self._find = (engine or find_engine())(tuple(self._forms)) if found else None
        self._reset_state()

    def _reset_state(self) -> None:
        self._raw = b""  # what came and is held back
        self._text = b""  # the same, unfolded
        self._done = 0  # bytes of _raw that were shown, or stand behind a mark, already
        self._masked = 0  # bytes of _text that stand behind a mark already
        self._places: list[int] = []  # in _text, where a form begins, or may have begun
        self._folding = False  # the last that came is a line break, and blanks

    def copy_for_stream(self) -> "Masker":
        """Create a masker of the same values, for another stream."""
        other = object.__new__(Masker)
        other._forms, other._heads, other._find = self._forms, self._heads, self._find
        other._reset_state()
        return other

    def feed(self, data: bytes) -> Piece:
        """Take output, and return the part that may be shown now."""
        if self._find is None:
            return data
        if len(data) >= _QUICK_LOOK_BYTES and (plain := self._pass_unmasked(data)) is not None:
            return plain
        lead = len(data) - len(data.lstrip()) if self._folding and not self._raw else 0
        before = len(self._text)
        self._text, self._folding = _unfold_bytes(data, self._folding, self._text)
        spans, living = self._find_spans(max(before - SHORTEST + 1, 0))
        releasable = self._find_held_start(living)
        if not spans and not self._masked and (plain := self._output_plain(data, releasable)) is not None:
            return plain
        self._raw += data
        return self._output_masked(spans, releasable, lead)

    def flush(self) -> bytes:
        """Return the rest after the end of the stream: a form that is cut off there is masked too."""
        end = len(self._text)
        spans, living = self._find_spans(end)
        begun = self._find_held_start(living)
        if len(_LETTERS.findall(self._text, begun)) >= _CUT_OFF:
            spans.append((begun, end))
        return self._output_masked(spans, end, 0)

    @property
    def has_held_output(self) -> bool:
        """Whether output is held back that was not shown."""
        return self._done < len(self._raw)

    def release_held(self, most: int) -> bytes:
        """Return the held-back output if it is at most so many bytes, for a person waits. The rest of a form is masked
        later.
        """
        if len(self._text) > most or self._masked:
            return b""
        rest, self._done = self._raw[self._done :], len(self._raw)
        return rest

    def _pass_unmasked(self, data: bytes) -> Piece | None:
        """Do the rest of `feed` where the engine sees at once that no form begins; None where it does not."""
        if self._find is None or self._find.none is None or self._masked or self._places:
            return None
        raw = self._raw + data
        ending = _find_ending(raw, SHORTEST - 1)
        if ending is None or not self._find.none(raw):
            return None
        last, self._text, self._folding = ending
        releasable, done = self._find_held_start([]), self._done
        cut = len(raw) - len(last) + _find_raw_place(last, self._text, releasable)
        end = max(done, _find_shown_end(raw, cut))
        self._raw, self._done, self._text = raw[cut:], end - cut, self._text[releasable:]
        return memoryview(raw)[done:end]

    def _find_spans(self, new: int) -> tuple[list[Span], list[int]]:
        """Find the occurrences, and where a form may have begun; the engine has not seen the text from `new` on."""
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

    def _find_held_start(self, living: list[int]) -> int:
        """Place in _text from which everything is held back."""
        text, heads, end = self._text, self._heads, len(self._text)
        if living:
            return min(living)
        for at in range(max(end - SHORTEST + 1, 0), end):
            if text[at:] in heads:
                return at
        return end

    def _output_plain(self, data: bytes, releasable: int) -> bytes | None:
        """Output the text as `_output_masked` does where no form is in it, without a copy more; None if
        `releasable` is not in `data`.
        """
        left = len(self._text) - releasable
        cut = _find_from_end(data, left) if left else len(data)
        if cut < 0:
            return None
        end = _find_shown_end(data, cut)
        held = self._raw[self._done :]
        self._hold_back(data[cut:], releasable, end - cut, 0)
        return b"".join((held, memoryview(data)[:end])) if held else data[:end]

    def _output_masked(self, spans: list[Span], releasable: int, lead: int) -> bytes:
        """Output all before `releasable`, masked; the rest is held back."""
        raw, done, masked = self._raw, self._done, self._masked
        pieces = []
        if spans or masked:
            places = _RawPlaces(raw, lead)
            for start, end in _merge_spans([(places.find_mask_start(at), end) for at, end in spans if at < releasable]):
                if start >= masked:
                    pieces += [raw[done : places.find_raw_place(start)], MASK]
                masked = max(masked, end)
                done = max(done, places.find_raw_place(masked - 1) + 1)
        left = len(self._text) - releasable
        cut = _find_from_end(raw, left) if left else len(raw)
        end = _find_shown_end(raw, cut)
        pieces.append(raw[done:end])
        self._hold_back(raw[cut:], releasable, max(done, end) - cut, masked)
        return b"".join(pieces)

    def _hold_back(self, raw: bytes, releasable: int, done: int, masked: int) -> None:
        """Hold back `raw`, whose text begins at `releasable`."""
        self._raw, self._done = raw, done
        self._text, self._masked = self._text[releasable:], max(masked - releasable, 0)
        self._places = [at - releasable for at in self._places if at >= releasable]


class _RawPlaces:
    """Place in `raw` of each byte of its unfolded text; `lead` bytes before the first are blanks of a fold."""

    def __init__(self, raw: bytes, lead: int = 0) -> None:
        self._raw = raw
        self._texts, self._raws = [0], [lead]
        for fold in FOLD.finditer(raw, lead):
            self._texts.append(self._texts[-1] + fold.start() - self._raws[-1])
            self._raws.append(fold.end())

    def find_mask_start(self, place: int) -> int:
        """Place where the masking of a form at `place` begins."""
        begun = _BEGUN.match(self._raw, self.find_raw_place(place))
        return place + len(begun[1]) if begun else place

    def find_raw_place(self, place: int) -> int:
        """Place in `raw` of a place in the unfolded text."""
        at = bisect_right(self._texts, place) - 1
        return self._raws[at] + place - self._texts[at]


def _find_shown_end(raw: bytes, cut: int) -> int:
    """End of the part of raw that is shown, of which everything from `cut` on is held back, except before a break."""
    seen = _BEGUN.match(raw, cut)
    return seen.end() if seen else cut


def _find_from_end(raw: bytes, count: int) -> int:
    """Place in raw where the last `count` bytes of its text begin, -1 if before it."""
    ending = _find_ending(raw, count)
    if ending is None:
        return -1
    last, text, _ = ending
    return len(raw) - len(last) + _find_raw_place(last, text, len(text) - count)


def _find_raw_place(raw: bytes, text: bytes, place: int) -> int:
    """Place in raw of a place in its text."""
    return place if len(text) == len(raw) else _RawPlaces(raw).find_raw_place(place)


def _find_ending(raw: bytes, count: int) -> tuple[bytes, bytes, bool] | None:
    """End of raw with `count` bytes of text in it, and its unfolded text: not much more than necessary."""
    last = raw[-count:]
    if len(last) == count and _PLAIN.fullmatch(last):
        return last, last, False
    width = count
    while True:
        width = min(len(raw), 2 * width + 64)
        last = raw[-width:].lstrip()  # blanks at its beginning may be of a fold or not: they are not counted
        text, folds = _unfold_bytes(last, False)
        if len(text) >= count:
            return last, text, folds
        if width == len(raw):
            return None


def _unfold_bytes(data: bytes, folding: bool, before: bytes = b"") -> tuple[bytes, bool]:
    """Append `data` without line breaks and the blanks after them to `before`; and whether it ends in such."""
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


def _merge_spans(spans: list[Span]) -> list[Span]:
    """Sort the spans, and join those that overlap."""
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start < merged[-1][1]:
            merged[-1] = merged[-1][0], max(merged[-1][1], end)
        else:
            merged.append((start, end))
    return merged
