"""The procedures of docs/guides/keys.md: the deployment key is exchanged, the ledger verifies without its key file."""

from pathlib import Path

import pytest

from muniment.errors import AttestationError, StoreError
from muniment.pipelines import vsa
from muniment.server.guarding import keys
from muniment.server.running.folder import make_folder

ARTIFACT = "sha256:" + "a" * 64
NOW = "2026-01-01T00:00:00.000000Z"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    make_folder(tmp_path)
    (tmp_path / "keys").mkdir(exist_ok=True)
    keys.make_deploy_key(tmp_path)
    return tmp_path


def permission(home: Path) -> bytes:
    said = vsa.Permission(
        artifact=ARTIFACT,
        product="shop",
        environment="production",
        policy="sha256:" + "b" * 64,
        inputs=(),
        verifier="muniment",
        time=NOW,
    )
    return vsa.make(said, keys.deploy_key(home))


def verify(envelope: bytes, public: str) -> vsa.Permission:
    return vsa.verify(envelope, ARTIFACT, "production", {"k": public}, 900, NOW, "shop")


def test_after_an_exchange_permissions_of_the_old_deployment_key_are_refused(home: Path) -> None:
    old, public = permission(home), keys.deploy_public(home)
    assert verify(old, public).product == "shop"
    for name in (keys.DEPLOY, keys.DEPLOY_PUBLIC):
        (home / name).rename(home / Path(name).name)
    keys.make_deploy_key(home)
    new = keys.deploy_public(home)
    assert new != public
    assert verify(permission(home), new).product == "shop"
    assert keys.public_of_deploy(home) == "muniment-deploy"
    with pytest.raises(AttestationError):
        verify(old, new)


def test_halves_that_do_not_belong_together_are_named(home: Path) -> None:
    (home / keys.DEPLOY).unlink()
    keys.make_deploy_key(home)
    with pytest.raises(StoreError, match="is not the half of"):
        keys.public_of_deploy(home)
