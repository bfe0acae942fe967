"""Plan that moves secrets of a forge to the vault: what to set first, and what to delete by which command."""

from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from muniment.cli import forge_access, secret
from muniment.cli.forge_secrets import plan_move, read_secret_names
from muniment.errors import ForgeCode, ForgeError
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.forges.forge_connection import Connection
from muniment.forges.shapes import Vendor

UNREAD = Unknown("the permission Secrets: read lacks")


def secret_location(vendor: Vendor, secrets: Maybe[tuple[str, ...]] = UNREAD) -> Any:
    repository = SimpleNamespace(path="acme/shop")
    reader = SimpleNamespace(read_job_settings=lambda _repository: SimpleNamespace(secrets=secrets))
    url = "https://forge.example.test"
    return SimpleNamespace(
        connection=Connection(vendor, url, "forge"),
        forge=SimpleNamespace(reader=reader),
        listed=SimpleNamespace(repository=repository),
    )


def plan_lines(vendor: Vendor, names: tuple[str, ...], in_vault: set[str]) -> list[str]:
    return list(plan_move(secret_location(vendor), names, in_vault, "--product shop --env staging"))


@pytest.mark.parametrize(
    ("vendor", "command"),
    [
        (Vendor.GITHUB, "gh secret delete API_KEY --repo acme/shop"),
        (Vendor.GITLAB, "glab variable delete API_KEY --repo acme/shop"),
        (Vendor.GITEA, "https://forge.example.test/api/v1/repos/acme/shop/actions/secrets/API_KEY"),
        (Vendor.FORGEJO, "https://forge.example.test/api/v1/repos/acme/shop/actions/secrets/API_KEY"),
    ],
)
def test_secret_in_the_vault_is_deleted_at_the_forge_by_its_command(vendor: Vendor, command: str) -> None:
    (deleted, *rest) = plan_lines(vendor, ("API_KEY",), {"API_KEY"})
    assert deleted.startswith("delete")
    assert command in deleted
    assert "Before you delete" in rest[0]


def test_secret_missing_in_the_vault_is_set_first_and_not_deleted() -> None:
    found = "\n".join(plan_lines(Vendor.GITHUB, ("API_KEY", "OTHER"), {"OTHER"}))
    assert "muniment secret set API_KEY --product shop --env staging" in found
    assert "delete API_KEY" not in found
    assert "secret delete OTHER" in found
    assert "run this again" in found


def test_secret_name_with_shell_characters_is_quoted() -> None:
    assert "'A; reboot'" in plan_lines(Vendor.GITHUB, ("A; reboot",), {"A; reboot"})[0]


def test_unreadable_names_are_not_reported_as_none() -> None:
    assert read_secret_names(secret_location(Vendor.GITHUB, Known(("A",)))) == ("A",)
    with pytest.raises(ForgeError, match="Secrets: read"):
        read_secret_names(secret_location(Vendor.GITHUB))


def test_forge_without_secrets_needs_no_plan() -> None:
    assert plan_lines(Vendor.GITHUB, (), set()) == []


class _Kept:
    """Forge with secrets of a repository, and one of its organisation."""

    def __init__(self) -> None:
        self.names = ["API_KEY", "OTHER"]

    def delete_secret(self, _repository: Any, name: str) -> None:
        if name not in self.names:
            raise ForgeError(ForgeCode.NOT_FOUND, "the forge has nothing there", "See that it is right.")
        self.names.remove(name)


@pytest.mark.parametrize(
    ("options", "answer", "left", "code"),
    [
        ([], "", ["API_KEY", "OTHER"], 1),
        (["--delete"], "n\n", ["API_KEY", "OTHER"], 1),
        (["--delete"], "y\n", ["OTHER"], 1),
        (["--delete", "--yes"], "", ["OTHER"], 1),
    ],
)
def test_only_secrets_in_the_vault_are_deleted_after_confirmation(
    monkeypatch: pytest.MonkeyPatch, options: list[str], answer: str, left: list[str], code: int
) -> None:
    stored = _Kept()
    there = secret_location(Vendor.GITHUB, Known(("API_KEY", "OTHER", "SHARED")))
    there.forge.protector = stored
    monkeypatch.setattr(forge_access, "open_forge_repository", lambda _url: there)
    monkeypatch.setattr(secret, "_list_names", lambda *_: {"API_KEY", "SHARED"})
    where = ["https://forge.example.test/acme/shop", "--product", "shop", "--env", "staging"]
    done = CliRunner().invoke(secret.command, ["from-forge", *where, *options], input=answer, standalone_mode=False)
    assert stored.names == left
    assert (done.return_value if done.exit_code == 0 else done.exit_code) == code
    if left == ["OTHER"]:
        assert "deleted at the forge: API_KEY" in done.output
        assert "not deleted: SHARED (its organisation, group or environment keeps it)" in done.output
