"""home.toml, strictly."""

import pytest

from muniment.errors import HomeFileError
from muniment.home.settings import Settings, Witness, home_text, read_settings
from muniment.ledger import keys, notes

WITNESS = notes.cosigner(keys.generate("witness.example.test")[0])


def test_without_a_word_the_usual_holds() -> None:
    assert read_settings(None, "home.toml") == read_settings("", "home.toml") == Settings("MUNIMENT_PUSHER", 30, "", ())
    assert read_settings(home_text(), "home.toml") == Settings()


def test_the_first_one_holds_once_it_is_uncommented() -> None:
    lines = [line.removeprefix("# ") for line in home_text().splitlines() if " = " in line and "  " not in line]
    assert {line.split(" = ")[0] for line in lines} >= {"pusher", "timeout_seconds", "outside", "key", "url"}


def test_everything_can_be_said() -> None:
    text = '[gate]\npusher = "GL_USER"\ntimeout_seconds = 5\n[ledger]\noutside = "git:ssh://a/b"\n'
    text += f'[[witness]]\nkey = "{WITNESS}"\nurl = "https://witness.example.test"\n'
    expected = Settings("GL_USER", 5, "git:ssh://a/b", (Witness(WITNESS, "https://witness.example.test"),))
    assert read_settings(text, "home.toml") == expected


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('[gate]\npusher = "USER"', "gate.pusher"),
        ("[gate]\npusher = 1", "gate.pusher"),
        ("[gate]\ntimeout_seconds = 0", "gate.timeout_seconds"),
        ("[gate]\ntimeout_seconds = 601", "gate.timeout_seconds"),
        ("[gate]\ntimeout_seconds = true", "gate.timeout_seconds"),
        ("[gate]\ntimeout = 3", "gate.timeout"),
        ('[ledger]\noutside = "relative"', "ledger.outside"),
        ('[ledger]\noutside = "git:"', "ledger.outside"),
        ('[gates]\npusher = "GL_USER"', "gates"),
        ('[[witness]]\nkey = "x"\nurl = "https://a"', "key"),
        ('[[witness]]\nkey = "WITNESS"\nurl = "ftp://a"', "url"),
        ('[[witness]]\nkey = "WITNESS"\nurl = "https://a"\nx = 1', "x"),
        ("=", ""),
    ],
)
def test_what_is_wrong_is_named(text: str, key: str) -> None:
    with pytest.raises(HomeFileError) as caught:
        read_settings(text.replace("WITNESS", WITNESS), "home.toml")
    assert key in str(caught.value)
    assert caught.value.remedy


def test_a_ledgers_own_key_is_no_witness() -> None:
    public = keys.generate("witness.example.test")[1]
    with pytest.raises(HomeFileError, match="witness"):
        read_settings(f'[[witness]]\nkey = "{public}"\nurl = "https://a"\n', "home.toml")
