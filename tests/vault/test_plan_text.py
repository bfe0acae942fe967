"""Whoever applies a plan to the vault sees what it holds: rules, keys and their owners, values; and no password."""

from muniment.vault.pieces import KEYS, Piece
from muniment.vault.plan import Difference, Step
from muniment.vault.plan_text import describe_difference, fingerprint_key
from tests.support.vaults import Key

READ = 'path "muniment/data/shop/production" { capabilities = ["read"] }'
ALL = 'path "muniment/data/*" { capabilities = ["read"] }'


def test_each_rule_that_comes_or_goes_is_shown() -> None:
    piece = Piece("sys/policies/acl/muniment-read.shop.production", {"policy": READ + "\n"})
    found = describe_difference(Difference(Step.CHANGE, piece, ("policy",), {"policy": f"{READ}\n{ALL}"}))
    assert found == ["change sys/policies/acl/muniment-read.shop.production (policy)", f"    - {ALL}"]
    assert describe_difference(Difference(Step.MAKE, piece))[1:] == [f"    + {READ}"]


def test_each_key_is_shown_by_its_fingerprint_and_owner() -> None:
    old, new = Key().public, Key().public
    piece = Piece("auth/runner.shop.production/config", {KEYS: [new]})
    found = describe_difference(Difference(Step.CHANGE, piece, (KEYS,), {KEYS: [old]}))
    owner = "of the runners of shop/production"
    assert sorted(found[1:]) == sorted(
        [f"    - key {fingerprint_key(old)} {owner}", f"    + key {fingerprint_key(new)} {owner}"]
    )
    assert fingerprint_key(old) != fingerprint_key(new)
    ours = describe_difference(Difference(Step.MAKE, Piece("auth/muniment-web/config", {KEYS: [new]})))
    assert ours[1].endswith("of Muniment's web")
    assert fingerprint_key("nonsense") == "not a public key"


def test_what_stands_there_cannot_write_over_the_line() -> None:
    piece = Piece("auth/github/config", {"bound_issuer": "https://issuer.example.test"})
    there = {"bound_issuer": "https://evil\u202e.example.test\r\x1b[2K"}
    shown = "\n".join(describe_difference(Difference(Step.CHANGE, piece, ("bound_issuer",), there)))
    assert "\\u202e" in shown
    assert shown.replace("\n", "").isprintable()


def test_a_password_is_not_shown() -> None:
    word = "-".join(["made", "at", "run", "time"])
    piece = Piece("auth/muniment-people/users/admin", {"password": word, "token_ttl": 900})
    shown = "\n".join(describe_difference(Difference(Step.MAKE, piece)))
    assert word not in shown
    assert "token_ttl: 900" in shown
