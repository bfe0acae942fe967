"""home.toml, strictly."""

from pathlib import Path

import pytest

from muniment.errors import HomeFileError
from muniment.ledger import keys, notes
from muniment.store.settings import Settings, Witness, home_text, read_settings

HOME = Path("/srv/muniment")
WITNESS = notes.cosigner(keys.generate("witness.example.test")[0])


def test_without_a_word_the_usual_holds() -> None:
    assert (
        read_settings(None, "home.toml", HOME)
        == read_settings("", "home.toml", HOME)
        == Settings("MUNIMENT_PUSHER", 30, "", ())
    )
    assert read_settings(home_text(), "home.toml", HOME) == Settings()


def test_the_first_one_holds_once_it_is_uncommented() -> None:
    lines = [line.removeprefix("# ") for line in home_text().splitlines() if " = " in line and "  " not in line]
    assert {line.split(" = ")[0] for line in lines} >= {
        "pusher_variable",
        "timeout_seconds",
        "external_copy",
        "key",
        "url",
    }


def test_everything_can_be_said() -> None:
    text = (
        '[server_hook]\npusher_variable = "GL_USER"\ntimeout_seconds = 5\n[ledger]\nexternal_copy = "git:ssh://a/b"\n'
    )
    text += f'[[witness]]\nkey = "{WITNESS}"\nurl = "https://witness.example.test"\n'
    expected = Settings("GL_USER", 5, "git:ssh://a/b", (Witness(WITNESS, "https://witness.example.test"),))
    assert read_settings(text, "home.toml", HOME) == expected


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('[server_hook]\npusher_variable = "USER"', "server_hook.pusher_variable"),
        ("[server_hook]\npusher_variable = 1", "server_hook.pusher_variable"),
        ("[server_hook]\ntimeout_seconds = 0", "server_hook.timeout_seconds"),
        ("[server_hook]\ntimeout_seconds = 601", "server_hook.timeout_seconds"),
        ("[server_hook]\ntimeout_seconds = true", "server_hook.timeout_seconds"),
        ("[server_hook]\ntimeout = 3", "server_hook.timeout"),
        ('[ledger]\nexternal_copy = "relative"', "ledger.external_copy"),
        ('[ledger]\nexternal_copy = "git:"', "ledger.external_copy"),
        ('[ledger]\nexternal_copy = "/srv/muniment/keys/ledger.key"', "ledger.external_copy"),
        ('[ledger]\nexternal_copy = "/srv/./muniment"', "ledger.external_copy"),
        ('[ledger]\nexternal_copy = "git:/srv/muniment"', "ledger.external_copy"),
        ('[ledger]\nexternal_copy = "git:file:///srv/muniment/copy.git"', "ledger.external_copy"),
        ('[gates]\npusher = "GL_USER"', "gates"),
        ('[[witness]]\nkey = "x"\nurl = "https://a"', "key"),
        ('[[witness]]\nkey = "WITNESS"\nurl = "ftp://a"', "url"),
        ('[[witness]]\nkey = "WITNESS"\nurl = "https://a"\nx = 1', "x"),
        ("=", ""),
    ],
)
def test_what_is_wrong_is_named(text: str, key: str) -> None:
    with pytest.raises(HomeFileError) as caught:
        read_settings(text.replace("WITNESS", WITNESS), "home.toml", HOME)
    assert key in str(caught.value)
    assert caught.value.remedy


def test_a_ledgers_own_key_is_no_witness() -> None:
    public = keys.generate("witness.example.test")[1]
    with pytest.raises(HomeFileError, match="witness"):
        read_settings(f'[[witness]]\nkey = "{public}"\nurl = "https://a"\n', "home.toml", HOME)
