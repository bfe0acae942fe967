import subprocess
from pathlib import Path

import pytest

from muniment.errors import StoreError
from muniment.ledger.ledger_keys import derive_public_key
from muniment.store.files_store import PRIVATE, PUBLIC, FilesStore
from muniment.store.new_home import make_home

TEXTS = {"policy.toml": "# policy\n", "people.toml": "# people\n"}
ALL = (*TEXTS, ".gitignore", PRIVATE, PUBLIC)


def init_home(path: Path, name: str = "muniment/shop") -> tuple[str, ...]:
    return make_home(str(path), TEXTS, name)


def test_first_start_creates_the_files_of_a_home(tmp_path: Path) -> None:
    assert init_home(tmp_path / "a" / "home") == ALL
    home = FilesStore(str(tmp_path / "a" / "home"))
    assert {name: (tmp_path / "a" / "home" / name).read_text() for name in TEXTS} == TEXTS
    assert home.load_exceptions() == ()
    private, public = home.signing_key(), home.public_key()
    assert private is not None
    assert public == derive_public_key(private) + "\n"
    assert public.startswith("muniment/shop+")


def test_private_key_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    init_home(tmp_path)
    assert (tmp_path / PRIVATE).stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700


def test_second_start_creates_nothing(tmp_path: Path) -> None:
    init_home(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert init_home(tmp_path, "muniment/other") == ()
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("name", [*TEXTS, ".gitignore"])
def test_existing_files_are_not_changed(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    assert init_home(tmp_path) == tuple(made for made in ALL if made != name)
    assert (tmp_path / name).read_text() == "mine"


def test_dangling_link_is_not_changed(tmp_path: Path) -> None:
    (tmp_path / "policy.toml").symlink_to(tmp_path / "gone")
    assert "policy.toml" not in init_home(tmp_path)
    assert (tmp_path / "policy.toml").is_symlink()


def test_lost_public_key_is_derived_from_the_private_key(tmp_path: Path) -> None:
    init_home(tmp_path)
    public = (tmp_path / PUBLIC).read_text()
    (tmp_path / PUBLIC).unlink()
    assert init_home(tmp_path) == (PUBLIC,)
    assert (tmp_path / PUBLIC).read_text() == public


def test_invalid_private_key_is_an_error_and_not_overwritten(tmp_path: Path) -> None:
    init_home(tmp_path)
    (tmp_path / PRIVATE).write_text("PRIVATE+KEY+spoilt")
    with pytest.raises(StoreError, match="is no key") as caught:
        init_home(tmp_path)
    assert "spoilt" not in str(caught.value)
    assert (tmp_path / PRIVATE).read_text() == "PRIVATE+KEY+spoilt"


def test_private_key_readable_by_others_is_refused(tmp_path: Path) -> None:
    init_home(tmp_path)
    (tmp_path / PRIVATE).chmod(0o644)
    with pytest.raises(StoreError, match="may be read by others"):
        init_home(tmp_path)


def test_name_with_characters_invalid_in_keys_is_converted(tmp_path: Path) -> None:
    init_home(tmp_path, "muniment/c++ shop")
    assert (tmp_path / PUBLIC).read_text().startswith("muniment/c---shop+")


def test_unwritable_home_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be made"):
        init_home(tmp_path / "file" / "home")


def test_gitignore_excludes_keys_objects_and_ledger(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    init_home(tmp_path / ".muniment")
    FilesStore(str(tmp_path / ".muniment")).put_object(b"x")
    done = subprocess.run(
        ["git", "-C", str(tmp_path), "status", "--porcelain", "-uall"], capture_output=True, text=True, check=True
    )
    assert [line[3:] for line in done.stdout.splitlines()] == [
        *(".muniment/.gitignore", ".muniment/people.toml", ".muniment/policy.toml")
    ]
