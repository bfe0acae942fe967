"""Hostile values on a command line are refused with a reason or have no effect, and never cause a defect."""

from pathlib import Path

import pytest

from tests.support.hostile import Canary
from tests.support.shop import Shop

ONTO = ("--repo", "{repo}", "--onto", "main")
ASK = ("--repo", "{repo}", "--key", "{key}", "--clause", "review.two-others", "--days", "1")
PLACES: dict[str, tuple[str, ...]] = {  # {} is where the value stands; {repo}, {head}, {key}, {home}: what is right
    "check --head": ("check", *ONTO, "--head", "{}"),
    "check --base": ("check", *ONTO, "--base", "{}", "--head", "{head}"),
    "check --onto": ("check", "--repo", "{repo}", "--onto", "{}", "--head", "{head}"),
    "check --repo": ("check", "--repo", "{}", "--onto", "main", "--head", "{head}"),
    "check --home": ("check", *ONTO, "--home", "{}", "--head", "{head}"),
    "approve REV": ("approve", *ONTO, "--key", "{key}", "--", "{}"),
    "approve --onto": ("approve", "{head}", "--repo", "{repo}", "--onto", "{}", "--key", "{key}"),
    "approve --key": ("approve", "{head}", *ONTO, "--key", "{}"),
    "approve --answer": ("approve", "{head}", *ONTO, "--key", "{key}", "--answer", "a={}"),
    "approve --attest": ("approve", "{head}", *ONTO, "--key", "{key}", "--attest", "{}=ada"),
    "explain --onto": ("explain", "review.two-others", "--repo", "{repo}", "--onto", "{}"),
    "explain CLAUSE": ("explain", "--repo", "{repo}", "--", "{}"),
    "replay --onto": ("replay", "--repo", "{repo}", "--onto", "{}"),
    "replay --since": ("replay", "--repo", "{repo}", "--since", "{}"),
    "replay --policy": ("replay", "--repo", "{repo}", "--policy", "{}"),
    "replay --forge": ("replay", "--forge", "{}"),
    "exception --reason": ("exception", "ask", "x", *ASK, "--reason", "{}"),
    "exception NAME": ("exception", "ask", *ASK, "--reason", "because", "--", "{}"),
    "exception --head": ("exception", "ask", "x", *ASK, "--reason", "because", "--head", "{}"),
    "doctor --onto": ("doctor", "--repo", "{repo}", "--onto", "{}"),
    "ledger verify --home": ("ledger", "verify", "--home", "{}"),
    "hook install --hooks": ("hook", "install", "--repo", "{repo}", "--home", "{home}", "--hooks", "{}"),
    "tests submit --junit": ("tests", "submit", "{head}", *ONTO, "--key", "{key}", "--junit", "{}"),
    "ledger verify --key": ("ledger", "verify", "{home}", "--key", "{}"),
    "ledger verify --since": ("ledger", "verify", "{home}", "--key", "{key}", "--since", "{}"),
    "forge list": ("forge", "list", "--", "{}"),
    "forge status": ("forge", "status", "--", "{}"),
    "home accept-row TABLE": ("home", "accept-row", "--home", "{home}", "--reason", "because", "--", "{}", "1"),
    "home accept-row --home": ("home", "accept-row", "t", "1", "--reason", "because", "--home", "{}"),
    "policy check": ("policy", "check", "--", "{}"),
    "unfreeze": ("unfreeze", "--home", "{home}", "--key", "{key}", "--", "{}"),
}
UNENDING = ("/dev/zero", "/dev/full", "http://[x", "https://x:99999/a/b", "\u2066x\u2069")


@pytest.mark.parametrize("place", PLACES)
def test_hostile_command_line_value_is_refused_or_harmless(
    place: str, shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    canary = Canary(tmp_path)
    head = shop.repo.commit({"lib.py": "x = 2\n"}, on="topic", parents=["main"])
    right = {
        "{repo}": str(shop.repo.path),
        "{head}": head,
        "{key}": str(shop.keys["bob"]),
        "{home}": str(tmp_path / "home"),
    }
    words = [right.get(word, word) for word in PLACES[place]]
    for value in (*canary.arguments(), *UNENDING):
        code, out, err = shop.muniment(*(word.replace("{}", value) for word in words))
        result = (place, value[:80], code, err)
        assert code in (0, 1, 2, 3), result
        assert "defect" not in err, result
        assert code == 0 or (out + err).strip(), result
        assert not canary.file.exists(), result
        assert not set("\x1b\u202e\u2066") & set(out + err), result
