"""Printed plan for the vault: rules, keys with owners, and values, but no password."""

from typing import Any

import pytest

from muniment.errors import VaultCode, VaultError
from muniment.vault.plan import PlannedAction, ResourceDifference, find_resource_differences
from muniment.vault.plan_text import describe_difference, fingerprint_key
from muniment.vault.vault_resources import PUBLIC_KEYS_FIELD, VaultResource
from tests.support.vaults import Key

READ = 'path "muniment/data/shop/production" { capabilities = ["read"] }'
ALL = 'path "muniment/data/*" { capabilities = ["read"] }'


def test_each_added_or_removed_rule_is_shown() -> None:
    piece = VaultResource("sys/policies/acl/muniment-read.shop.production", {"policy": READ + "\n"})
    found = describe_difference(
        ResourceDifference(PlannedAction.CHANGE, piece, ("policy",), {"policy": f"{READ}\n{ALL}"})
    )
    assert found == ["change sys/policies/acl/muniment-read.shop.production (policy)", f"    - {ALL}"]
    assert describe_difference(ResourceDifference(PlannedAction.MAKE, piece))[1:] == [f"    + {READ}"]


def test_each_key_is_shown_by_its_fingerprint_and_owner() -> None:
    old, new = Key().public, Key().public
    piece = VaultResource("auth/runner.shop.production/config", {PUBLIC_KEYS_FIELD: [new]})
    found = describe_difference(
        ResourceDifference(PlannedAction.CHANGE, piece, (PUBLIC_KEYS_FIELD,), {PUBLIC_KEYS_FIELD: [old]})
    )
    owner = "of the runners of shop/production"
    assert sorted(found[1:]) == sorted(
        [f"    - key {fingerprint_key(old)} {owner}", f"    + key {fingerprint_key(new)} {owner}"]
    )
    assert fingerprint_key(old) != fingerprint_key(new)
    ours = describe_difference(
        ResourceDifference(PlannedAction.MAKE, VaultResource("auth/muniment-web/config", {PUBLIC_KEYS_FIELD: [new]}))
    )
    assert ours[1].endswith("of Muniment's web")
    assert fingerprint_key("nonsense") == "not a public key"


def test_control_characters_cannot_overwrite_the_line() -> None:
    piece = VaultResource("auth/github/config", {"bound_issuer": "https://issuer.example.test"})
    there = {"bound_issuer": "https://evil\u202e.example.test\r\x1b[2K"}
    text = "\n".join(describe_difference(ResourceDifference(PlannedAction.CHANGE, piece, ("bound_issuer",), there)))
    assert "\\u202e" in text
    assert text.replace("\n", "").isprintable()


def test_a_password_is_not_shown() -> None:
    word = "-".join(["made", "at", "run", "time"])
    piece = VaultResource("auth/muniment-people/users/admin", {"password": word, "token_ttl": 900})
    text = "\n".join(describe_difference(ResourceDifference(PlannedAction.MAKE, piece)))
    assert word not in text
    assert "token_ttl: 900" in text


class _OlderVault:
    """A vault whose policies do not permit reading one path yet."""

    def request(self, _method: str, path: str) -> Any:
        if path in ("sys/mounts", "sys/auth"):
            return {"data": {}}
        raise VaultError(VaultCode.REFUSED, "no", "no")


def test_resource_that_older_policies_do_not_let_read_is_to_be_made_and_no_other() -> None:
    new = VaultResource("sys/quotas/config", {"x": 1}, needs_policy=True)
    session: Any = _OlderVault()
    assert [one.step for one in find_resource_differences(session, [new])] == [PlannedAction.MAKE]
    with pytest.raises(VaultError):
        find_resource_differences(session, [VaultResource("sys/policies/acl/x", {})])
