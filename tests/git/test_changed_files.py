"""Changed files are listed with both names, modes and size, regardless of the repository's attributes."""

from pathlib import Path

import pytest

from muniment.errors import GitError
from muniment.facts import paths
from muniment.facts.change import File
from muniment.facts.maybe import Known, Unknown
from muniment.git import changed_files
from muniment.git.repository import Repository
from tests.support.repos import EXECUTABLE, SUBMODULE, SYMLINK, Entry, Repo

TEXT = "".join(f"line {n}\n" for n in range(20))


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    made = Repo(tmp_path / "shop")
    made.commit({"a": TEXT, "b": "1\n", "c": "1\n"})
    return made


def changed(repo: Repo, *bases: str, head: str = "main") -> dict[str, File]:
    with Repository.open(str(repo.path)) as repository:
        found = changed_files.read_changed_files(repository, [repo.id(base) for base in bases], repo.id(head))
    assert len({file.path for file in found}) == len(found)
    return {file.path: file for file in found}


def test_added_changed_and_deleted_lines_are_counted(repo: Repo) -> None:
    repo.commit({"b": "1\n2\n3\n", "c": None, "d/e": "x\ny"})
    assert changed(repo, "main~1") == {
        "b": File("b", "b", "100644", "100644", False, Known(2)),
        "c": File("c", "c", "100644", "000000", False, Known(1)),
        "d/e": File("d/e", "d/e", "000000", "100644", False, Known(2)),
    }


def test_a_rename_keeps_both_names(repo: Repo) -> None:
    repo.commit({"a": None, "new/a": TEXT + "more\n"})
    assert changed(repo, "main~1") == {"new/a": File("new/a", "a", "100644", "100644", False, Known(1))}


def test_a_swap_of_two_files_is_two_changes(repo: Repo) -> None:
    repo.commit({"b": TEXT, "a": "1\n"})
    assert set(changed(repo, "main~1")) == {"a", "b"}


def test_mode_symlink_submodule_and_type_changes_are_listed(repo: Repo) -> None:
    repo.commit(
        {
            "a": Entry(EXECUTABLE, TEXT),
            "b": Entry(SYMLINK, "a"),
            "sub": Entry(SUBMODULE, id="1" * 40),
            "c": Entry(SUBMODULE, id="2" * 40),
        }
    )
    found = changed(repo, "main~1")
    assert (found["a"].old_mode, found["a"].new_mode, found["a"].lines) == ("100644", "100755", Known(0))
    assert (found["b"].old_mode, found["b"].new_mode, found["b"].lines) == ("100644", "120000", Known(2))
    assert (found["sub"].new_mode, found["sub"].lines) == ("160000", Known(1))
    assert (found["c"].old_mode, found["c"].new_mode, found["c"].lines) == ("100644", "160000", Known(2))
    repo.commit({"sub": Entry(SUBMODULE, id="3" * 40)})
    assert changed(repo, "main~1")["sub"].lines == Known(2)


@pytest.mark.parametrize(
    ("old", "new", "lines"), [(None, b"\0" * 81, 2), (b"\0" * 161, b"\0" * 80, 3), (b"\0", None, 1)]
)
def test_a_binary_file_counts_by_its_larger_size(repo: Repo, old: bytes | None, new: bytes | None, lines: int) -> None:
    repo.commit({"x": old} if old else {})
    repo.commit({"x": new})
    assert changed(repo, "main~1")["x"].lines == Known(lines)
    assert changed(repo, "main~1")["x"].binary


def test_a_binary_file_that_becomes_a_submodule_counts(repo: Repo) -> None:
    repo.commit({"x": b"\0" * 81})
    repo.commit({"x": Entry(SUBMODULE, id="1" * 40)})
    assert changed(repo, "main~1")["x"].lines == Known(2)


@pytest.mark.parametrize(
    "name",
    [b"caf\xe9", b"new\nline", b"tab\there", b'quo"te', b"100%", "naïve".encode(), b":1 2 3 4 M", b"=x", b"1\t1\tx"],
)
def test_unusual_file_names_are_unchanged(repo: Repo, name: bytes) -> None:
    repo.commit({name: "1\n"})
    (found,) = changed(repo, "main~1").values()
    assert (paths.encode_path(found.path), found.lines) == (name, Known(1))
    repo.commit({name: None, b"moved " + name: "1\n"})
    (found,) = changed(repo, "main~1").values()
    assert paths.encode_path(found.old_path) == name


@pytest.mark.parametrize("attributes", ["* -diff", "* binary", "* diff=evil", "* -text working-tree-encoding=UTF-16"])
def test_gitattributes_do_not_affect_changed_files(repo: Repo, attributes: str) -> None:
    base = repo.commit({".gitattributes": attributes + "\n"})
    (repo.git_dir / "info").mkdir(exist_ok=True)
    (repo.git_dir / "info" / "attributes").write_text(attributes + "\n")
    (repo.path / ".gitattributes").write_text(attributes + "\n")
    repo.git("config", "diff.evil.textconv", "true")
    repo.git("config", "diff.evil.binary", "true")
    repo.commit({"a": TEXT + "more\n"})
    assert changed(repo, base) == {"a": File("a", "a", "100644", "100644", False, Known(1))}


def test_missing_base_is_empty_tree(tmp_path: Path) -> None:
    for object_format in ("sha1", "sha256"):
        repo = Repo(tmp_path / object_format, object_format=object_format)
        repo.commit({"a": "1\n", "b": "1\n2\n"})
        assert {file.path: file.lines for file in changed(repo).values()} == {"a": Known(1), "b": Known(2)}


def test_two_merge_bases_list_files_that_differ_from_either(repo: Repo) -> None:
    repo.commit({"b": "2\n"}, on="one", parents=["main"])
    repo.commit({"c": "2\n"}, on="two", parents=["main"])
    repo.commit({"b": "2\n", "c": "2\n"}, on="both", parents=["one", "two"])
    assert set(changed(repo, "one", "two", head="both")) == {"b", "c"}


def test_refuses_a_missing_blob(repo: Repo) -> None:
    repo.commit({"b": "other\n"})
    repo.forget(repo.id("main:b"))
    with pytest.raises(GitError):
        changed(repo, "main~1")


def test_refuses_a_tree_that_names_a_path_twice(repo: Repo) -> None:
    entries = [b"100644 a\0" + bytes.fromhex(repo.blob(content)) for content in ("innocent\n", "evil\n")]
    repo.commit(tree=repo.write("tree", b"".join(entries)))
    with pytest.raises(GitError):
        changed(repo, "main~1")


def test_a_missing_binary_has_unknown_lines(repo: Repo) -> None:
    row = changed_files.DiffRow(b"100644", b"100644", b"1" * 40, b"2" * 40, b"x", b"x", b"-", b"-")
    (found,) = changed_files.convert_rows([row], {b"1" * 40: 80})
    assert isinstance(found.lines, Unknown)


def test_refuses_too_many_changed_files(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changed_files, "MOST_CHANGED_FILES", 3)
    repo.commit({f"{n}": f"{n}\n" for n in range(4)})
    with pytest.raises(GitError, match="more than 3 files"):
        changed(repo, "main~1")
