"""Settings in home.toml: every key, and strict refusal of unknown keys and values."""

from pathlib import Path

import pytest

from muniment.errors import HomeFileError
from muniment.ledger import ledger_keys, signed_notes
from muniment.store.settings import Settings, WitnessKey, make_home_text, read_settings

HOME = Path("/srv/muniment")
WITNESS = signed_notes.derive_cosigner_key(ledger_keys.generate_key("witness.example.test")[0])


def test_default_settings_apply_without_text() -> None:
    assert (
        read_settings(None, "home.toml", HOME)
        == read_settings("", "home.toml", HOME)
        == Settings("MUNIMENT_PUSHER", 30, "", ())
    )
    assert read_settings(make_home_text(), "home.toml", HOME) == Settings()


def test_commented_settings_of_a_new_home_are_valid_keys() -> None:
    lines = [line.removeprefix("# ") for line in make_home_text().splitlines() if " = " in line and "  " not in line]
    assert {line.split(" = ")[0] for line in lines} >= {
        "organisation",
        "pusher_variable",
        "timeout_seconds",
        "external_copy",
        "key",
        "url",
    }


def test_every_setting_can_be_set() -> None:
    text = 'organisation = "Alder Health"\n[server_hook]\npusher_variable = "GL_USER"\ntimeout_seconds = 5\n'
    text += '[ledger]\nexternal_copy = "git:ssh://a/b"\n'
    text += f'[[witness]]\nkey = "{WITNESS}"\nurl = "https://witness.example.test"\n'
    expected = Settings(
        "GL_USER", 5, "git:ssh://a/b", (WitnessKey(WITNESS, "https://witness.example.test"),), "Alder Health"
    )
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
def test_invalid_setting_is_named(text: str, key: str) -> None:
    with pytest.raises(HomeFileError) as caught:
        read_settings(text.replace("WITNESS", WITNESS), "home.toml", HOME)
    assert key in str(caught.value)
    assert caught.value.remedy


def test_own_key_of_a_ledger_is_no_witness() -> None:
    public = ledger_keys.generate_key("witness.example.test")[1]
    with pytest.raises(HomeFileError, match="witness"):
        read_settings(f'[[witness]]\nkey = "{public}"\nurl = "https://a"\n', "home.toml", HOME)
