"""Word checks: each figure finds what it counts, and a figure above its limit fails."""

from pathlib import Path

import pytest

from dev import word_checks


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("The gate judges it", ["gate", "judges"]),
        ("class ToldVerdict", ["Told", "Verdict"]),
        ("find_gates(told)", ["gates", "told"]),
        ("who had a hand in it", ["a hand in"]),
        ("BREAK_GLASS, break-glass, breakGlass", []),
        ("muniment gate verify", []),
        ("aggregate, delegates, besides, by hand", []),
    ],
)
def test_retired_words_are_found_in_texts_and_names(text: str, found: list[str]) -> None:
    assert list(word_checks.find_retired_words(text)) == found


def test_participle_as_a_variable_is_found(tmp_path: Path) -> None:
    module = tmp_path / "a.py"
    module.write_text("def tell(kept):\n    told = kept\n    return told\n")
    assert [place.rpartition(" ")[2] for place in word_checks.find_participles(module)] == ["kept", "told"]


@pytest.mark.parametrize(
    ("first", "second", "found"),
    [
        ("a/one.py", "b/two.py", ["Finding", "LIMIT"]),
        ("forges/github/one.py", "forges/gitea/one.py", []),
        ("server/api/things.py", "server/things/views.py", []),
        ("server/a_settings.py", "server/settings.py", []),
    ],
)
def test_public_names_of_several_modules_are_found(tmp_path: Path, first: str, second: str, found: list[str]) -> None:
    for name in (first, second):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("LIMIT = 1\n_OWN = 1\nCONTRIBUTIONS = 2\n\n\nclass Finding: ...\n")
    places = word_checks.find_shared_names([tmp_path / first, tmp_path / second])
    assert [place.partition(":")[0] for place in places] == found


def test_figure_above_its_limit_or_without_one_fails() -> None:
    assert word_checks.find_excesses({"a": 2, "b": 3, "c": 1, "d": 0}, {"a": 2, "b": 2}) == ["b", "c"]


def test_limits_are_lowered_and_never_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(word_checks, "LIMITS", tmp_path / "limits.toml")
    word_checks.write_limits({"a": 5, "b": 1}, {"a": 3, "b": 2})
    assert word_checks.read_limits() == {"a": 3, "b": 1}
