import subprocess
from pathlib import Path

import pytest

from muniment.errors import StoreError
from muniment.ledger.keys import public_of
from muniment.store.files import PRIVATE, PUBLIC, FilesStore
from muniment.store.starting import start

TEXTS = {"policy.toml": "# policy\n", "people.toml": "# people\n"}
ALL = (*TEXTS, ".gitignore", PRIVATE, PUBLIC)


def started(path: Path, name: str = "muniment/shop") -> tuple[str, ...]:
    return start(str(path), TEXTS, name)


def test_a_start_makes_what_a_home_needs(tmp_path: Path) -> None:
    assert started(tmp_path / "a" / "home") == ALL
    home = FilesStore(str(tmp_path / "a" / "home"))
    assert {name: (tmp_path / "a" / "home" / name).read_text() for name in TEXTS} == TEXTS
    assert home.exceptions() == ()
    private, public = home.signing_key(), home.public_key()
    assert private is not None
    assert public == public_of(private) + "\n"
    assert public.startswith("muniment/shop+")


def test_the_private_key_is_for_its_owner_alone(tmp_path: Path) -> None:
    started(tmp_path)
    assert (tmp_path / PRIVATE).stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700


def test_a_second_start_makes_nothing(tmp_path: Path) -> None:
    started(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert started(tmp_path, "muniment/other") == ()
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("name", [*TEXTS, ".gitignore"])
def test_what_is_there_stays_as_it_is(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    assert started(tmp_path) == tuple(made for made in ALL if made != name)
    assert (tmp_path / name).read_text() == "mine"


def test_a_link_to_nothing_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "policy.toml").symlink_to(tmp_path / "gone")
    assert "policy.toml" not in started(tmp_path)
    assert (tmp_path / "policy.toml").is_symlink()


def test_a_public_key_that_got_lost_is_made_again_from_the_private_one(tmp_path: Path) -> None:
    started(tmp_path)
    public = (tmp_path / PUBLIC).read_text()
    (tmp_path / PUBLIC).unlink()
    assert started(tmp_path) == (PUBLIC,)
    assert (tmp_path / PUBLIC).read_text() == public


def test_a_private_key_that_is_none_is_an_error_and_stays(tmp_path: Path) -> None:
    started(tmp_path)
    (tmp_path / PRIVATE).write_text("PRIVATE+KEY+spoilt")
    with pytest.raises(StoreError, match="is no key") as caught:
        started(tmp_path)
    assert "spoilt" not in str(caught.value)
    assert (tmp_path / PRIVATE).read_text() == "PRIVATE+KEY+spoilt"


def test_a_private_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    started(tmp_path)
    (tmp_path / PRIVATE).chmod(0o644)
    with pytest.raises(StoreError, match="may be read by others"):
        started(tmp_path)


def test_a_name_that_cannot_be_in_a_key_is_made_to_fit(tmp_path: Path) -> None:
    started(tmp_path, "muniment/c++ shop")
    assert (tmp_path / PUBLIC).read_text().startswith("muniment/c---shop+")


def test_a_place_where_nothing_can_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be made"):
        started(tmp_path / "file" / "home")


def test_git_leaves_keys_objects_and_ledger_out(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    started(tmp_path / ".muniment")
    FilesStore(str(tmp_path / ".muniment")).put(b"x")
    done = subprocess.run(
        ["git", "-C", str(tmp_path), "status", "--porcelain", "-uall"], capture_output=True, text=True, check=True
    )
    assert [line[3:] for line in done.stdout.splitlines()] == [
        *(".muniment/.gitignore", ".muniment/people.toml", ".muniment/policy.toml")
    ]
