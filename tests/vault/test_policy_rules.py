"""Rules of vault policies: what a policy permits to read; an unreadable policy counts as permitting everything."""

import pytest

from muniment.vault import layout, vault_policies
from muniment.vault.pipeline_roles import PLAIN_RUNNER, PipelineRole
from muniment.vault.policy_rules import EVERYTHING, allows_reading, parse_rules

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
def test_policy_permits_reading(text: str) -> None:
    assert allows_reading(parse_rules(text), _PATH)


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
def test_policy_does_not_permit_reading(text: str) -> None:
    assert not allows_reading(parse_rules(text), _PATH)


def test_own_policies_permit_only_the_intended_reads() -> None:
    one = PipelineRole("shop", "production", PLAIN_RUNNER, "", keys=("k",))
    texts = {
        "pipeline": vault_policies.pipeline_policy("shop", "production"),
        "web": vault_policies.web_policy(),
        "worker": vault_policies.worker_policy([one]),
        "admin": vault_policies.admin_policy(),
    }
    forge = f"{layout.FORGES}/data/github"
    found = {
        who: (allows_reading(parse_rules(text), _PATH), allows_reading(parse_rules(text), forge))
        for who, text in texts.items()
    }
    assert found == {"pipeline": (True, False), "web": (False, False), "worker": (False, True), "admin": (False, False)}
    assert EVERYTHING not in [parse_rules(text) for text in texts.values()]
    assert not allows_reading(parse_rules(texts["pipeline"]), "muniment/data/shop/staging")
