"""Masking: no form of a secret passes, however a stream is split; the output equals masking the whole at once."""

import base64
import functools
import json
import os
import random
import re
import secrets
import shlex
import string
import subprocess
from bisect import bisect_right
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from muniment.errors import RunError
from muniment.vault import engines, masking
from muniment.vault import secret_forms as every_form
from muniment.vault.engines import SecretsEngine, create_ahocorasick_finder, create_hyperscan_finder
from muniment.vault.masking import MASK, Masker
from muniment.vault.secret_forms import maskable_length

ENGINES = [
    pytest.param(create_ahocorasick_finder, id="ahocorasick"),
    pytest.param(create_hyperscan_finder, id="hyperscan"),
]
forms = functools.lru_cache(1024)(every_form.list_forms)
STREAMS = int(os.environ.get("MUNIMENT_STREAMS", "300"))  # each through both engines


def bash(value: str, script: str) -> bytes:
    return subprocess.run(["bash", "-c", script, "-", value], capture_output=True, check=True).stdout


WRITERS: dict[str, Callable[[str], bytes]] = {
    "as it is": str.encode,
    "base64": lambda v: base64.b64encode(v.encode()),
    "base64 after one byte": lambda v: base64.b64encode(b"x" + v.encode() + b"yz"),
    "base64 after two bytes": lambda v: base64.b64encode(b"xy" + v.encode() + b"z"),
    "base64 for URLs": lambda v: base64.urlsafe_b64encode(b"xyz" + v.encode()).rstrip(b"="),
    "base64, folded at 76": lambda v: base64.encodebytes(b"x" * 50 + v.encode()),
    "base64, folded at 10": lambda v: b"\n".join(re.findall(b".{1,10}", base64.b64encode(v.encode()))),
    "base64, folded with CR LF": lambda v: b"\r\n".join(re.findall(b".{1,20}", base64.b64encode(v.encode()))),
    "base64, folded and indented": lambda v: b"\n    ".join(re.findall(b".{1,20}", base64.b64encode(v.encode()))),
    "base32": lambda v: base64.b32encode(v.encode()),
    "base32 after three bytes": lambda v: base64.b32encode(b"xyz" + v.encode() + b"xyz"),
    "hex": lambda v: v.encode().hex().encode(),
    "HEX": lambda v: v.encode().hex().upper().encode(),
    "URL": lambda v: quote(v, safe="").encode(),
    "URL path": lambda v: quote(v).encode(),
    "URL form": lambda v: quote_plus(v).encode(),
    "URL, lower case": lambda v: re.sub("%..", lambda found: found[0].lower(), quote(v, safe="")).encode(),
    "JSON": lambda v: json.dumps(v).encode(),
    "JSON, not ASCII": lambda v: json.dumps({"a": v}, ensure_ascii=False).encode(),
    "JSON with \\/": lambda v: json.dumps(v).replace("/", "\\/").encode(),
    "shell": lambda v: shlex.quote(v).encode(),
    "Python": lambda v: repr(v).encode(),
    "Python, ASCII": lambda v: ascii([v]).encode(),
    "Python bytes": lambda v: repr({"k": v.encode()}).encode(),
    "cat -v": lambda v: subprocess.run(["cat", "-v"], input=v.encode(), capture_output=True, check=True).stdout,
    "Perl": lambda v: re.sub(r'([\\"$@])', r"\\\1", v).encode(),
    "CR LF": lambda v: v.replace("\n", "\r\n").encode(),
}
HARD = [
    "correct horse battery staple",
    "p4ss'w\"ord/with?all&of+it=\\ $x `y`",
    "-----BEGIN KEY-----\n" + "\n".join(["Q" * 40 + str(n) + "\\/'" for n in range(5)]) + "\n-----END KEY-----\n",
    "ünïcödé-ßecret-€",
    '{"user": "x", "key": "a<b>c&d"}',
    "  indented secret\n\ttabbed secret\n",
    "aaaaaaaaaa",
    "abcabcabcabc",
]


@pytest.mark.parametrize("value", HARD)
@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("engine", ENGINES)
def test_each_form_of_a_value_is_masked_by_each_engine(engine: SecretsEngine, writer: str, value: str) -> None:
    visible = whole([value], b"before " + WRITERS[writer](value) + b" after", engine)
    assert MASK in visible
    for form in forms(value):
        assert form not in visible
    assert visible.startswith(b"before ")
    assert visible.endswith(b" after")
    stored = re.sub(rb"[^A-Za-z]", b"", visible.removeprefix(b"before ").removesuffix(b" after"))
    assert len(stored) < 90, visible  # padding, quotes and the digits that a value shares with its neighbours


@pytest.mark.parametrize("script", ["printf %q", "set -x; true", "v=$1; declare -p v; true", "printf '%s\\n' "])
@pytest.mark.parametrize("value", HARD)
def test_value_quoted_by_bash_is_masked(value: str, script: str) -> None:
    command = f'{script} "$1" 2>&1' if "set -x" not in script else f'exec 2>&1; {script} "$1"'
    visible = whole([value], bash(value, command), create_ahocorasick_finder)
    assert MASK in visible
    for line in filter(lambda line: len(line.strip()) >= 8, value.splitlines()):
        assert line.strip().encode() not in visible


@pytest.mark.parametrize("line", ["Q" * 40 + "3\\/'", "-----BEGIN KEY-----"])
def test_single_line_of_a_value_is_masked(line: str) -> None:
    assert whole([HARD[2]], f"> {line} <".encode(), create_ahocorasick_finder) == b"> *** <"


@pytest.mark.parametrize(
    ("values", "data", "visible"),
    [
        (["abcdefgh", "efghijkl"], b"1abcdefghijkl2", b"1***2"),
        (["abcdefgh", "abcdefghijkl"], b"1abcdefghijkl2abcdefghij3", b"1***2***ij3"),
        (["abcdefgh"], b"abcdefghabcdefgh", b"******"),
        (["abcdefgh"], b"abcdefgh\nabcdefgh\n", b"***\n***\n"),
        (["abcdefgh"], b"abcd\n  efgh\n", b"***\n"),
        (["abcdefgh"], b"ab\n  cdefgh\n", b"ab\n  ***\n"),
        (["abcdefgh"], b"ab\nabc\ndefgh\n", b"ab\n***\n"),
        (["abcdefgh", "bcdefghi"], b"ab\ncdefghij", b"ab\n***j"),
        (["abcdefgh"], b"abcdefg", b"***"),
        (["abcdefgh"], b"abcdefg\n", b"***\n"),
        (["abcdefgh"], b"abcdefg.", b"abcdefg."),
        (["abcdefgh"], b"1abcd", b"1***"),
        (["abcdefgh"], b"1abc", b"1abc"),
        (["abcdefgh" * 8], b"x " + (b"abcdefgh" * 8)[:60], b"x ***"),
        (["-----BEGIN KEY-----"], b"-----END KEY-----\n", b"-----END KEY-----\n"),
        (["aaaaaaaa"], b"b" + b"a" * 40 + b"b", b"b***b"),
        ([], b"abcdefgh", b"abcdefgh"),
        (["short"], b"short", b"short"),
    ],
)
@pytest.mark.parametrize("engine", ENGINES)
def test_every_byte_of_every_occurrence_is_masked_by_each_engine(
    engine: SecretsEngine, values: list[str], data: bytes, visible: bytes
) -> None:
    assert whole(values, data, engine) == visible
    assert mask_pieces(values, [data[at : at + 1] for at in range(len(data))], engine) == visible


@pytest.fixture
def remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cache of forms, which are pure functions of a value."""
    monkeypatch.setattr(masking, "list_forms", forms)


@pytest.fixture
def flooded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Use the fast search for short inputs too."""
    monkeypatch.setattr(masking, "_QUICK_LOOK_BYTES", 0)


@pytest.mark.usefixtures("remembered", "flooded")
@given(number=st.integers(0, 2**64))
@seed(6)
@settings(max_examples=STREAMS, deadline=None, database=None, suppress_health_check=list(HealthCheck))
def test_split_stream_is_masked_like_the_whole(number: int) -> None:
    chance = random.Random(number)
    values = [chance.choice([*HARD, random_value(chance), random_value(chance)]) for _ in range(chance.randint(1, 3))]
    ordinary = b"a line of a log without any\n  and indented\n"
    stream = ordinary.join(text(values, chance) for _ in range(chance.choice([1, 4])))
    expected = mask_naively(values, stream)
    cuts = sorted(chance.randrange(len(stream) + 1) for _ in range(chance.choice([1, 3, 20, 200])))
    parts = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    for engine in (create_ahocorasick_finder, create_hyperscan_finder):
        assert mask_pieces(values, parts, engine) == expected
    assert whole(values, stream, create_ahocorasick_finder) == expected
    without = re.sub(rb"[\r\n]\s*", b"", expected)
    assert not any(form in without for value in values for form in forms(value) if form not in MASK)


@pytest.mark.parametrize("fold", [b"\n", b"\r\n", b"\n ", b"\r\n\t ", b"\n\n", b"\n" + b" " * 80])
@pytest.mark.usefixtures("flooded")
def test_form_with_any_line_breaks_is_found_in_a_long_log(fold: bytes) -> None:
    value = "".join(secrets.choice(string.ascii_letters) for _ in range(12))
    log = b"an ordinary line\n    and one more\n" * 50
    masker = Masker([value], create_hyperscan_finder)
    for breaks in range(1 << 11):
        written = b"".join(bytes([byte]) + fold * (breaks >> at & 1) for at, byte in enumerate(value.encode()))
        data = log + written + b"\n" + log
        visible = bytes(masker.feed(data)) + masker.flush()
        assert visible == log + mask_naively([value], written) + b"\n" + log, written
        masker = masker.copy_for_stream()


def test_only_possible_beginnings_of_a_secret_are_held_back() -> None:
    masker = Masker(["correct horse battery"], create_ahocorasick_finder)
    assert masker.feed(b"Your name? ") == b"Your name? "
    assert masker.feed(b"My horse, a correct hors") == b"My horse, a "
    assert masker.feed(b"e!\n") == b"correct horse!\n"
    assert masker.feed(b"correct\n") == b""
    assert masker.feed(b"\nready c\n") == b"correct\n\nready c\n"
    assert masker.feed(b"orrect horse battery\n") == MASK + b"\n"
    assert masker.feed(b"cor") == b""
    assert masker.flush() == b"cor"


def test_waiting_reader_sees_at_most_two_bytes_of_a_secret() -> None:
    masker = Masker(["correct horse battery"], create_ahocorasick_finder)
    assert masker.feed(b"co") == b""
    assert masker.release_held(2) == b"co"
    assert masker.release_held(2) == b""
    assert masker.feed(b"rrect horse batter") == b""
    assert masker.release_held(2) == b""
    assert masker.feed(b"y staple") == MASK + b" staple"
    assert masker.feed(b"co") == b""
    assert masker.release_held(2) == b"co"
    assert masker.feed(b"ok!\n") == b"ok!\n"


def test_streams_are_masked_independently() -> None:
    first = Masker(["correct horse battery"], create_ahocorasick_finder)
    assert first.feed(b"correct horse ") == b""
    assert first.copy_for_stream().feed(b"battery.\n") == b"battery.\n"


def test_long_value_in_many_pieces_takes_linear_time() -> None:
    middle = "".join(secrets.choice(string.ascii_letters + "\n") for _ in range(50_000))
    value = f"first{middle}last"  # a line of two characters is none that is looked for
    parts = [f"{value[at : at + 50]}".encode() for at in range(0, len(value), 50)]
    assert mask_pieces([value], [b">", *parts, b"<"], create_ahocorasick_finder) == b">" + MASK + b"<"


def test_length_ignores_characters_that_are_not_searched() -> None:
    assert maskable_length("abc\n    def\n") == 6
    assert maskable_length("ab cd") == 5


def test_masker_without_an_engine_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_: object) -> None:
        raise ImportError

    monkeypatch.setattr(engines, "create_hyperscan_finder", missing)
    monkeypatch.setattr(engines, "create_ahocorasick_finder", missing)
    with pytest.raises(RunError, match="mask"):
        Masker(["correct horse battery"])


def whole(values: list[str], data: bytes, engine: SecretsEngine) -> bytes:
    return mask_pieces(values, [data], engine)


def mask_pieces(values: list[str], parts: list[bytes], engine: SecretsEngine) -> bytes:
    masker = Masker(values, engine)
    return b"".join([*map(masker.feed, parts), masker.flush()])


def mask_naively(values: list[str], data: bytes) -> bytes:
    """Reference implementation: search for every form at every position."""
    dropped = {at for fold in re.finditer(rb"[\r\n]\s*", data) for at in range(fold.start(), fold.end())}
    found = [at for at in range(len(data)) if at not in dropped]
    unfolded = bytes(data[at] for at in found)
    spans: list[tuple[int, int]] = []
    for form in {form for value in values for form in forms(value)}:
        at = unfolded.find(form)
        while at >= 0:
            spans.append((at + count_bytes_before_break(found[at : at + 3]), at + len(form)))
            at = unfolded.find(form, at + 1)
    spans += find_cut_off_form(unfolded, found, {form for value in values for form in forms(value)})
    visible, done, reach = b"", 0, 0
    for start, end in sorted(spans):
        if start >= reach:
            visible += data[done : found[start]] + MASK
        reach = max(reach, end)
        done = found[reach - 1] + 1
    return visible + data[done:]


def find_cut_off_form(unfolded: bytes, stored: list[int], all_forms: set[bytes]) -> list[tuple[int, int]]:
    """Longest beginning of a form at the end of the text, if enough of it could be read."""
    ordered = sorted(all_forms)
    for at in range(max(len(unfolded) - max(map(len, ordered), default=0), 0), len(unfolded)):
        end = unfolded[at:]
        place = bisect_right(ordered, end)
        if place < len(ordered) and ordered[place].startswith(end):
            letters = re.sub(rb"[^A-Za-z0-9\x80-\xff]", b"", end)
            return [(at + count_bytes_before_break(stored[at : at + 3]), len(unfolded))] if len(letters) >= 4 else []
    return []


def count_bytes_before_break(places: list[int]) -> int:
    """Number of bytes of a form that stay, as they stand alone before a line break."""
    return next((n for n in range(1, len(places)) if places[n] - places[n - 1] > 1), 0)


def random_value(chance: random.Random) -> str:
    letters = chance.choice([string.ascii_letters + string.digits, string.printable, "ab", "äöü \n'\"\\/"])
    return "".join(chance.choice(letters) for _ in range(chance.choice([8, 9, 16, 40])))


def text(values: list[str], chance: random.Random) -> bytes:
    """Random text with secrets in all forms, whole and cut off."""
    stream = bytearray()
    for _ in range(chance.randint(1, 8)):
        written = chance.choice(list(WRITERS.values()))(chance.choice(values))
        if chance.random() < 0.3:
            written = written[: chance.randrange(len(written) + 1)]
        stream += chance.choice([b"", b" ", b"\n", b"\r\n   ", b"ok: ", b"x" * 30]) + written
    return bytes(stream)
