"""Key that a command signs with, where nobody named one."""

import shutil
from pathlib import Path

import pytest

from muniment.cli import keys as signing_keys
from muniment.errors import UsageError
from muniment.facts.people import People
from tests.support.changes import person
from tests.support.repos import Repo


@pytest.fixture
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder of the SSH keys of an account without an agent and without git settings."""
    folder = tmp_path / ".ssh"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    return folder


def copy_key(key: Path, file: Path) -> None:
    shutil.copy(key, file)
    shutil.copy(key.with_suffix(".pub"), file.with_suffix(".pub"))


def known(keys: dict[str, Path], *names: str) -> People:
    """These people with their keys."""
    public = {name: " ".join(keys[name].with_suffix(".pub").read_text().split()[:2]) for name in names}
    return People(tuple(person(name, keys=(public[name],)) for name in names), ())


def test_usual_key_of_the_account_signs_where_people_are_known(
    account: Path, keys: dict[str, Path], tmp_path: Path
) -> None:
    """`approve` without a policy found it already; `freeze`, `check --home` and others asked for --key."""
    repo = str(Repo(tmp_path / "clone").path)
    copy_key(keys["ada"], account / "id_ed25519")
    signer, chosen = signing_keys.find_signer(known(keys, "bob", "ada"), None, repo)
    assert (signer.id, chosen) == ("ada", str(account / "id_ed25519"))


def test_usual_key_of_nobody_signs_nothing_where_people_are_known(
    account: Path, keys: dict[str, Path], tmp_path: Path
) -> None:
    repo = str(Repo(tmp_path / "clone").path)
    copy_key(keys["ada"], account / "id_ed25519")
    (account / "id_rsa").write_text("no key")
    with pytest.raises(UsageError, match="no key to sign with"):
        signing_keys.find_signer(known(keys, "bob"), None, repo)
