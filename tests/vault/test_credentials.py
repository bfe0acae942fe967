"""Credentials of Muniment at the vault cannot read values, extend roles, or administer the vault."""

from typing import Any

import pytest

from muniment.errors import VaultCode, VaultError
from muniment.http.client import HttpClient
from muniment.vault import layout
from muniment.vault.plan import find_resource_differences
from muniment.vault.role_access import close_role, open_role
from muniment.vault.vault_client import Session
from muniment.vault.vault_resources import list_all_resources
from tests.support import vaults
from tests.support.vaults import COMMIT, Key, Running, github_claims

_VALUE = "-".join(["nobody", "but", "a", "pipeline"])
KEY, RUNNER = Key(), Key()
GITHUB, GITLAB, PLAIN = vaults.by_github(), vaults.by_gitlab(), vaults.by_runner(RUNNER)
ALL = (GITHUB, GITLAB, PLAIN)
ISSUERS = (vaults.github(KEY), vaults.gitlab(KEY))
_DATA = "muniment/data/shop/production"
_ROLE = f"auth/github/role/{GITHUB.role}"
_MERGE = "application/merge-patch+json"


@pytest.fixture(scope="module")
def made(vault: Running) -> Running:
    vault.make(ISSUERS, ALL)
    vault.web.patch_secrets("shop", "production", {"TOKEN": _VALUE})
    return vault


def _session(vault: Running, name: str) -> Session:
    return {"web": vault.web, "worker": vault.worker, "person": vault.person}[name]


_READS: list[tuple[str, str, Any]] = [
    ("GET", _DATA, None),
    ("GET", f"{_DATA}?version=1", None),
    ("GET", "muniment/data/shop/production/", None),
    ("GET", "muniment//data/shop/production", None),
    ("GET", "muniment/data/shop/../shop/production", None),
    ("GET", "muniment/data/shop%2Fproduction", None),
    ("HEAD", _DATA, None),
    ("LIST", "muniment/data/shop", None),
    ("DELETE", _DATA, None),
    ("POST", "muniment/delete/shop/production", {"versions": [1]}),
    ("POST", "muniment/undelete/shop/production", {"versions": [1]}),
    ("GET", "sys/raw/logical", None),
    ("GET", "sys/storage/raft/snapshot", None),
    ("POST", "sys/tools/hash", {"input": ""}),
    ("GET", "cubbyhole/x", None),
    ("POST", "sys/wrapping/wrap", {"a": "b"}),
    ("POST", "sys/wrapping/unwrap", {}),
    ("POST", "sys/wrapping/rewrap", {"token": "x"}),
    ("POST", "auth/token/create", {"policies": ["root"]}),
    ("POST", "auth/token/create", {"policies": [layout.reading_policy_name("shop", "production")]}),
    ("POST", "auth/token/create-orphan", {"policies": [layout.reading_policy_name("shop", "production")]}),
    ("POST", "auth/token/create/any", {}),
    ("POST", "auth/token/renew-self", {"increment": "24h"}),
    ("POST", "identity/entity", {"name": "x", "policies": [layout.reading_policy_name("shop", "production")]}),
    ("POST", "identity/group", {"name": "x", "policies": [layout.reading_policy_name("shop", "production")]}),
    ("POST", "identity/group/id/x", {"policies": [layout.reading_policy_name("shop", "production")]}),
    ("POST", "identity/entity/id/x", {"policies": [layout.reading_policy_name("shop", "production")]}),
    ("POST", "identity/lookup/entity", {"name": "x"}),
    ("POST", "sys/remount", {"from": "muniment", "to": "other"}),
    ("POST", "sys/mounts/muniment/tune", {"max_lease_ttl": "1h"}),
    ("POST", "sys/audit-hash/muniment", {"input": "x"}),
    ("POST", "sys/generate-root/attempt", {}),
    ("POST", "sys/rotate/root", {}),
    ("POST", "sys/audit/other", {"type": "file", "options": {"file_path": "stdout", "log_raw": "true"}}),
    ("DELETE", "sys/audit/muniment", None),
    ("POST", "sys/config/auditing/request-headers/X-Vault-Token", {"hmac": False}),
    ("POST", "sys/plugins/catalog/secret/x", {"command": "sh"}),
]
_RULES: list[tuple[str, str, Any]] = [
    ("POST", "sys/policies/acl/muniment-web", {"policy": 'path "*" { capabilities = ["read"] }'}),
    ("POST", "sys/policy/muniment-worker", {"policy": 'path "*" { capabilities = ["read"] }'}),
    ("POST", "sys/policies/acl/new", {"policy": 'path "*" { capabilities = ["read"] }'}),
    ("DELETE", "sys/policies/acl/muniment-web", None),
    ("POST", "sys/mounts/other", {"type": "kv"}),
    ("DELETE", "sys/mounts/muniment", None),
    ("POST", "sys/auth/other", {"type": "jwt"}),
    ("DELETE", "sys/auth/github", None),
    ("POST", "auth/github/config", {"jwt_validation_pubkeys": [RUNNER.public], "bound_issuer": vaults.GITHUB_URL}),
    ("POST", f"auth/{PLAIN.mount}/config", {"jwt_validation_pubkeys": [KEY.public]}),
    ("POST", f"auth/{layout.WEB}/config", {"jwt_validation_pubkeys": [KEY.public]}),
    ("POST", f"auth/{layout.PEOPLE_MOUNT}/users/admin", {"password": "x"}),
    ("POST", f"auth/{layout.PEOPLE_MOUNT}/users/admin/password", {"password": "x"}),
    ("POST", f"auth/{layout.PEOPLE_MOUNT}/users/other", {"password": "x", "token_policies": [layout.ADMIN]}),
    ("POST", "auth/github/role/other.production", {"role_type": "jwt", "bound_claims": {}}),
    ("POST", f"auth/gitlab/role/{GITLAB.role}", {"role_type": "jwt", "bound_claims": {}}),
    ("POST", f"auth/{layout.WEB}/role/{layout.WEB}", {"role_type": "jwt", "bound_claims": {}}),
    ("POST", f"auth/{layout.WORKER}/role/{layout.WORKER}", {"role_type": "jwt", "bound_claims": {}}),
    ("DELETE", _ROLE, None),
    ("PATCH", _ROLE, {"bound_subject": "x"}),
    *(
        ("POST", _ROLE, {"role_type": "jwt", "bound_claims": {"sha": [COMMIT]}, name: value})
        for name, value in {
            "bound_subject": "",
            "bound_audiences": [],
            "bound_claims_type": "glob",
            "token_policies": ["root"],
            "policies": [layout.reading_policy_name("shop", "other")],
            "token_ttl": 86400,
            "token_num_uses": 0,
            "token_no_default_policy": False,
            "token_period": 3600,
            "token_type": "batch",
            "user_claim": "iss",
            "expiration_leeway": 86400,
            "token_bound_cidrs": [],
        }.items()
    ),
    ("POST", _ROLE, {"role_type": "oidc", "bound_claims": {}}),
    ("POST", "sys/seal", {}),
]


@pytest.mark.parametrize("who", ["web", "worker"])
@pytest.mark.parametrize(("method", "path", "body"), _READS)
def test_no_own_credential_reads_a_value(made: Running, who: str, method: str, path: str, body: Any) -> None:
    with pytest.raises(VaultError) as caught:
        _session(made, who).request(method, path, body)
    assert caught.value.code is not VaultCode.UNREACHABLE
    assert _VALUE not in str(caught.value)


@pytest.mark.parametrize("who", ["web", "worker"])
@pytest.mark.parametrize(("method", "path", "body"), _RULES)
def test_no_own_credential_changes_permissions(made: Running, who: str, method: str, path: str, body: Any) -> None:
    kind = _MERGE if method == "PATCH" else "application/json"
    with pytest.raises(VaultError) as caught:
        _session(made, who).request(method, path, body, kind=kind)
    assert caught.value.code in (VaultCode.REFUSED, VaultCode.MISSING, VaultCode.FAILED)
    assert (
        find_resource_differences(made.person, list_all_resources(made.wanted(ISSUERS, ALL))) == []
    )  # nothing came of it


@pytest.mark.parametrize("who", ["web", "worker", "person"])
@pytest.mark.parametrize("wrap", ["60", "1s"])
def test_no_credential_reads_a_value_by_response_wrapping(made: Running, who: str, wrap: str) -> None:
    session = _session(made, who)
    headers = {"X-Vault-Request": "true", "X-Vault-Token": session._token, "X-Vault-Wrap-TTL": wrap}
    answer = HttpClient(made.server.address, seconds=5).request("GET", f"/v1/{_DATA}", headers=headers)
    assert answer.status == 403
    assert b"wrap_info" not in answer.body


def test_vault_administrator_reads_no_value(made: Running) -> None:
    for path in (_DATA, "muniment-forges/data/github"):
        with pytest.raises(VaultError) as caught:
            made.person.request("GET", path)
        assert caught.value.code is VaultCode.REFUSED


def test_worker_writes_no_value_and_opens_only_roles_made_by_a_person(made: Running) -> None:
    with pytest.raises(VaultError):
        made.worker.patch_secrets("shop", "production", {"TOKEN": "x"})
    with pytest.raises(VaultError, match="that Muniment may open"):
        open_role(made.worker, vaults.by_github("staging"), COMMIT)
    with pytest.raises(VaultError):
        open_role(made.web, GITHUB, COMMIT)
    with pytest.raises(VaultError):
        close_role(made.web, GITHUB)


def test_worker_can_change_only_the_bound_claims_of_a_role(made: Running) -> None:
    """Subject and audience, which the worker cannot write, still exclude all others."""
    made.worker.request("POST", _ROLE, {"role_type": "jwt", "bound_claims": {}})
    try:
        assert made.vault.sign_in("github", GITHUB.role, KEY.sign(github_claims(sha="b" * 40))).read_secrets(
            "shop", "production"
        )
        for claims in ({"sub": "repo:company/other:environment:production"}, {"aud": "muniment"}, {"iss": "x"}):
            with pytest.raises(VaultError):
                made.vault.sign_in("github", GITHUB.role, KEY.sign(github_claims(**claims)))
    finally:
        close_role(made.worker, GITHUB)


def test_typed_value_is_written_and_only_name_and_age_are_readable(made: Running) -> None:
    web = made.web
    before = web.read_metadata("shop", "staging")
    assert (before.version, web.list_secret_names("shop", "staging")) == (0, ())
    assert web.patch_secrets("shop", "staging", {"ONE": _VALUE, "TWO": _VALUE}) == 1
    assert web.patch_secrets("shop", "staging", {"ONE": None, "THREE": _VALUE}) == 2
    for session in (web, made.worker):
        assert session.list_secret_names("shop", "staging") == ("THREE", "TWO")
        assert session.read_metadata("shop", "staging").version == 2


def test_removed_or_replaced_value_is_gone(made: Running) -> None:
    made.web.patch_secrets("shop", "gitlab", {"OLD": _VALUE})
    made.web.patch_secrets("shop", "gitlab", {"OLD": None, "NEW": "another value"})
    with pytest.raises(VaultError) as caught:
        made.person.request("GET", "muniment/subkeys/shop/gitlab?version=1")
    assert caught.value.code in (VaultCode.MISSING, VaultCode.REFUSED)
    claims = {"iss": vaults.GITLAB_URL, "sub": GITLAB.subject, "project_id": "42", "environment": "gitlab"}
    token = KEY.sign(vaults.now(**claims, ref_protected="true", pipeline_source="push"))
    with pytest.raises(VaultError) as caught:
        made.vault.sign_in("gitlab", GITLAB.role, token).request("GET", "muniment/data/shop/gitlab?version=1")
    assert caught.value.code is VaultCode.MISSING


def test_outdated_first_write_of_a_secret_is_refused(made: Running) -> None:
    with pytest.raises(VaultError) as caught:
        made.web.request("POST", _DATA, {"data": {"MINE": "x"}, "options": {"cas": 0}})
    assert caught.value.code is VaultCode.CHANGED_MEANWHILE


def test_forge_credentials_are_written_by_the_web_and_read_by_the_worker_only(made: Running) -> None:
    made.web.patch_at(layout.FORGES, "github", {"key": _VALUE})
    assert made.worker.read_at(layout.FORGES, "github") == {"key": _VALUE}
    for session in (made.web, made.person):
        with pytest.raises(VaultError):
            session.read_at(layout.FORGES, "github")
