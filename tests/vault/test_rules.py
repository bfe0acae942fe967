"""What a policy lets read, whoever wrote it; one that cannot be read lets read everything."""

import pytest

from muniment.vault import layout, policies
from muniment.vault.entrances import PLAIN, Entrance
from muniment.vault.rules import EVERYTHING, reads, rules_of

_PATH = "muniment/data/shop/production"
_CAN = '{ capabilities = ["read"] }'


@pytest.mark.parametrize(
    "text",
    [
        f'path "{_PATH}" {_CAN}',
        f'path "muniment/data/*" {_CAN}',
        f'path "*" {_CAN}',
        f'path "m*" {_CAN}',
        f'path "muniment/+/shop/production" {_CAN}',
        f'path "+/+/+/+" {_CAN}',
        f'path "+/data/+/prod*" {_CAN}',
        f'path "/{_PATH}" {_CAN}',
        f'path "muniment/data/{{{{identity.entity.name}}}}/production" {_CAN}',
        f'path "muniment/{{{{a}}}}x/{{{{b}}}}/production" {_CAN}',
        f'path "muniment/{{{{never closed" {_CAN}',
        f'path "{_PATH}" {{ capabilities = ["list", "sudo", "read",] }}',
        f'path "{_PATH}" {{\n  # a comment with }} and {{\n  capabilities = ["read"] // more\n}}',
        f'/* a\n comment */ path "{_PATH}" {_CAN}',
        f'path "{_PATH}" {{ policy = "read" }}',
        f'path "{_PATH}" {{ policy = "write" }}',
        f'path "{_PATH}" {{ capabilities = ["read"] allowed_parameters = {{ "a" = ["b", "c"] "*" = [] }} }}',
        f'path "{_PATH}" {{ min_wrapping_ttl = "1s" capabilities = ["read"] max_wrapping_ttl = 90 }}',
        f'name = "x"\npath "other" {{ capabilities = ["deny"] }}\npath "{_PATH}" {_CAN}',
        f'path "muniment/*" {{ capabilities = ["deny"] }}\npath "muniment/data/*" {_CAN}',
        f'path "{_PATH}" {_CAN}\npath "{_PATH}" {{ capabilities = ["list"] }}',
        '{"path": {"muniment/data/shop/*": {"capabilities": ["read"]}}}',
        '{"path": [{"x": {"capabilities": ["read"]}}, {"muniment/*": {"policy": "read"}}]}',
        # what cannot be read
        f'{{"path": {{"{_PATH}": {{"capabilities": ["read"]}}, "{_PATH}": {{"capabilities": []}}}}}}',
        f'path "{_PATH}" {{ capabilities = ["read"] capabilities = ["list"] }}',
        'path "unfinished',
        f'path "{_PATH}" {{ capabilities = ["read"',
        f"path {_PATH} {_CAN}",
        "path",
        '{"path": ',
        '{"path": {"x": []}}',
        "nonsense {",
        f'path "x" {{ capabilities = ["read"] }} ; path "{_PATH}" {_CAN}',
        'path "x" { policy = "everything" }',
    ],
)
def test_it_lets_read(text: str) -> None:
    assert reads(rules_of(text), _PATH)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing",
        f'path "{_PATH}" {{ capabilities = ["create", "update", "patch", "list"] }}',
        f'path "{_PATH}" {{ policy = "deny" }}',
        f'path "{_PATH}" {{ }}',
        f'path "{_PATH}/" {_CAN}',
        f'path "{_PATH}x" {_CAN}',
        f'path "muniment/data/shop" {_CAN}',
        f'path "muniment/data/+" {_CAN}',
        f'path "+/shop/production" {_CAN}',
        f'path "muniment/metadata/*" {_CAN}',
        f'path "{{{{a}}}}m/{{{{a}}}}/data/{{{{a}}}}/other/*" {_CAN}',
        f'path "muniment/data/shop/productio" {_CAN}',
        f'path "muniment.data.shop.production" {_CAN}',
        f'# path "{_PATH}" {_CAN}',
        f'path "muniment/*" {_CAN}\npath "muniment/data/*" {{ capabilities = ["deny"] }}',
        f'path "{_PATH}" {_CAN}\npath "{_PATH}" {{ capabilities = ["deny"] }}',
        '{"path": {}}',
        "{}",
    ],
)
def test_it_does_not_let_read(text: str) -> None:
    assert not reads(rules_of(text), _PATH)


def test_our_own_policies_say_what_they_should() -> None:
    one = Entrance("shop", "production", PLAIN, "", keys=("k",))
    texts = {
        "pipeline": policies.reading("shop", "production"),
        "web": policies.web(),
        "worker": policies.worker([one]),
        "admin": policies.admin(),
    }
    forge = f"{layout.FORGES}/data/github"
    found = {who: (reads(rules_of(text), _PATH), reads(rules_of(text), forge)) for who, text in texts.items()}
    assert found == {"pipeline": (True, False), "web": (False, False), "worker": (False, True), "admin": (False, False)}
    assert EVERYTHING not in [rules_of(text) for text in texts.values()]
    assert not reads(rules_of(texts["pipeline"]), "muniment/data/shop/staging")
