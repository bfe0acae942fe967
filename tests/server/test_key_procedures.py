"""The procedures of docs/guides/keys.md: the deployment key is exchanged, the ledger verifies without its key file."""

from pathlib import Path

import pytest

from muniment.errors import AttestationError, StoreError
from muniment.pipelines import verification_summaries
from muniment.server.guarding import home_keys
from muniment.server.running.installation_folder import make_installation_folder

ARTIFACT = "sha256:" + "a" * 64
NOW = "2026-01-01T00:00:00.000000Z"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    make_installation_folder(tmp_path)
    (tmp_path / "keys").mkdir(exist_ok=True)
    home_keys.make_deploy_key(tmp_path)
    return tmp_path


def permission(home: Path) -> bytes:
    result = verification_summaries.VerifiedPermission(
        artifact=ARTIFACT,
        product="shop",
        environment="production",
        policy="sha256:" + "b" * 64,
        inputs=(),
        verifier="muniment",
        time=NOW,
    )
    return verification_summaries.sign_permission(result, home_keys.read_deploy_key(home))


def verify(envelope: bytes, public: str) -> verification_summaries.VerifiedPermission:
    return verification_summaries.verify_permission(envelope, ARTIFACT, "production", {"k": public}, 900, NOW, "shop")


def test_permissions_of_replaced_deployment_key_are_refused(home: Path) -> None:
    old, public = permission(home), home_keys.read_deploy_public_key(home)
    assert verify(old, public).product == "shop"
    for name in (home_keys.DEPLOY, home_keys.DEPLOY_PUBLIC):
        (home / name).rename(home / Path(name).name)
    home_keys.make_deploy_key(home)
    new = home_keys.read_deploy_public_key(home)
    assert new != public
    assert verify(permission(home), new).product == "shop"
    assert home_keys.verify_deploy_key(home) == "muniment-deploy"
    with pytest.raises(AttestationError):
        verify(old, new)


def test_mismatched_key_pair_is_refused(home: Path) -> None:
    (home / home_keys.DEPLOY).unlink()
    home_keys.make_deploy_key(home)
    with pytest.raises(StoreError, match="is not the half of"):
        home_keys.verify_deploy_key(home)
