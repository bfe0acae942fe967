"""Hostile repositories: only objects and refs are used, and no local environment reaches git."""

import os
import stat
import subprocess
import time
from pathlib import Path

import pytest

from muniment.errors import GitError, UsageError
from muniment.git import git_process
from muniment.git.repository import Repository
from muniment.programs.environment import git_environment
from muniment.programs.process import ProcessLimits
from tests.support.repos import Repo


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    made = Repo(tmp_path / "shop")
    made.commit({"a": "1\n"})
    made.commit({"a": "2\n", "deep/er/b": "x\n"})
    return made


def opened(path: Path) -> Repository:
    return Repository.open(str(path))


def head_of(path: Path) -> str:
    with opened(path) as repository:
        head = repository.resolve_commit("HEAD")
        assert repository.run_git("rev-list", "--count", values=[head]) == b"2\n"
        return head


@pytest.mark.parametrize("inside", ["", "deep", ".git"])
def test_opens_from_any_folder_of_a_work_tree(repo: Repo, inside: str) -> None:
    (repo.path / "deep").mkdir()
    assert head_of(repo.path / inside) == repo.tip("main")


def test_opens_a_linked_work_tree_with_its_own_head(repo: Repo, tmp_path: Path) -> None:
    repo.git("worktree", "add", "-q", "-b", "side", str(tmp_path / "other"), "main")
    with opened(tmp_path / "other") as repository:
        assert repository.find_head_branch() == "refs/heads/side"
        assert repository.git_dir == str(repo.git_dir)
        assert repository.objects.read_git_object(repo.tip("main")) is not None


def test_opens_a_submodule_whose_git_is_a_file(repo: Repo, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / ".git").write_text(f"gitdir: {repo.git_dir}\n")
    assert head_of(tmp_path / "sub") == repo.tip("main")


def test_opens_a_bare_repository(repo: Repo, tmp_path: Path) -> None:
    repo.git("clone", "-q", "--bare", ".", str(tmp_path / "bare.git"))
    assert head_of(tmp_path / "bare.git") == repo.tip("main")


def test_opens_a_clone_that_borrows_objects(repo: Repo, tmp_path: Path) -> None:
    repo.git("clone", "-q", "--shared", "--no-checkout", ".", str(tmp_path / "borrower"))
    assert head_of(tmp_path / "borrower") == repo.tip("main")


@pytest.mark.parametrize("name", ["with:colon", 'with"quote', "with\\back", "ünï", "b\udcffd"])
def test_opens_below_path_with_special_characters(tmp_path: Path, name: str) -> None:
    made = Repo(tmp_path / name)
    made.commit({"a": "1\n"})
    made.commit({"a": "2\n"})
    assert head_of(made.path) == made.tip("main")


def test_opens_a_sha256_repository(tmp_path: Path) -> None:
    made = Repo(tmp_path / "long", object_format="sha256")
    made.commit({"a": "1\n"})
    made.commit({"a": "2\n"})
    assert len(head_of(made.path)) == 64


def test_refuses_folder_without_repository(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not a git repository"):
        opened(tmp_path)
    with pytest.raises(UsageError, match="not a folder"):
        opened(tmp_path / "nowhere")


def test_refuses_a_path_that_git_cannot_print(tmp_path: Path) -> None:
    made = Repo(tmp_path / "with\nline")
    with pytest.raises(UsageError, match="a line end in the path"):
        opened(made.path)


def test_finds_further_object_directories(repo: Repo, tmp_path: Path) -> None:
    quarantine = Repo(tmp_path / "incoming")
    pushed = quarantine.commit({"new": "1\n"})
    with Repository.open(str(repo.path), (str(quarantine.git_dir / "objects"),)) as repository:
        assert repository.objects.read_git_object(pushed) is not None


def test_git_ignores_environment_of_caller(repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = Repo(tmp_path / "other")
    other.commit({"evil": "1\n"})
    monkeypatch.setenv("GIT_DIR", str(other.git_dir))
    monkeypatch.setenv("GIT_OBJECT_DIRECTORY", str(other.git_dir / "objects"))
    monkeypatch.setenv("GIT_CONFIG_PARAMETERS", "'core.bare=nonsense'")
    monkeypatch.setenv("GIT_TRACE", str(tmp_path / "trace"))
    assert head_of(repo.path) == repo.tip("main")
    assert not (tmp_path / "trace").exists()


def test_hostile_configuration_and_hooks_run_nothing(repo: Repo, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    command = f"touch {ran} #"
    (tmp_path / "included").write_text(f'[diff]\n\texternal = "{command}"\n')
    for key in ("core.fsmonitor", "core.pager", "core.sshCommand", "diff.external", "core.editor", "gpg.program"):
        repo.git("config", key, command)
    repo.git("config", "pager.for-each-ref", command)
    repo.git("config", "alias.for-each-ref", f"!{command}")
    repo.git("config", "alias.rev-list", f"!{command}")
    repo.git("config", "include.path", str(tmp_path / "included"))
    repo.git("config", "diff.evil.textconv", command)
    repo.git("config", "core.attributesFile", str(tmp_path / "attributes"))
    (tmp_path / "attributes").write_text("* diff=evil\n")
    for name in ("reference-transaction", "post-index-change", "pre-auto-gc"):
        hook = repo.git_dir / "hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\ntouch {ran}\n")
        hook.chmod(0o755)
    with opened(repo.path) as repository:
        head = repository.resolve_commit("main")
        assert repository.read_refs("refs/heads/") == {"refs/heads/main": head}
        repository.run_in_place("update-ref", values=["refs/heads/made", head])
        assert b"a" in repository.run_git("diff-tree", "-p", values=[f"{head}~1", head])
    assert not ran.exists()


def test_opens_repository_of_another_owner(repo: Repo) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can give files away")
    for folder, _, names in os.walk(repo.path):
        for name in ("", *names):
            os.lchown(os.path.join(folder, name), 12345, 12345)
    assert head_of(repo.path) == repo.tip("main")


def test_replace_refs_and_grafts_are_ignored(repo: Repo) -> None:
    head, parent = repo.tip("main"), repo.id("main~1")
    innocent = repo.commit({"a": "innocent\n"}, on="innocent", parents=[])
    repo.git("replace", head, innocent)
    (repo.git_dir / "info").mkdir(exist_ok=True)
    (repo.git_dir / "info" / "grafts").write_text(f"{head}\n")
    assert head_of(repo.path) == head
    with opened(repo.path) as repository:
        found = repository.objects.read_git_object(head)
        assert found is not None
        assert found.id == head
        assert repository.resolve_commit("main~1") == parent


def test_false_commit_graph_is_ignored(repo: Repo) -> None:
    """The commit graph of a twin repository, with ids patched to this history, gives the tip no parent."""
    head, parent = repo.tip("main"), repo.id("main~1")
    repo.git("commit-graph", "write", "--reachable")
    graph = repo.git_dir / "objects" / "info" / "commit-graph"
    lies = graph.read_bytes()
    data = lies.index(b"CDAT")
    at = int.from_bytes(lies[data + 4 : data + 12], "big")
    first_is_head = sorted([head, parent])[0] == head
    place = at + (0 if first_is_head else 36) + 20
    assert lies[place : place + 4] != b"\x70\x00\x00\x00"
    graph.chmod(0o644)
    graph.write_bytes(lies[:place] + b"\x70\x00\x00\x00" + lies[place + 4 :])
    assert repo.git("rev-list", "--count", head) == "1", "plain git believes the lie"
    assert head_of(repo.path) == head
    with opened(repo.path) as repository:
        assert repository.resolve_commit("main~1") == parent


def test_missing_objects_of_partial_clone_are_not_fetched(repo: Repo, tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    helper = tmp_path / "upload-pack"
    helper.write_text(f"#!/bin/sh\ntouch {asked}\nexit 1\n")
    helper.chmod(0o755)
    repo.git("config", "uploadpack.allowFilter", "true")
    clone = tmp_path / "partial"
    repo.git("clone", "-q", "--no-checkout", "--filter=blob:none", f"file://{repo.path}", str(clone))
    subprocess.run(["git", "-C", str(clone), "config", "remote.origin.uploadpack", str(helper)], check=True)
    blob = repo.git("rev-parse", "main:a")
    (clone / ".git" / "refs" / "heads" / "blob").write_text(blob + "\n")
    with opened(clone) as repository:
        repository.read_refs()
        assert repository.objects.read_git_object(blob) is None
        with pytest.raises(UsageError):
            repository.resolve_commit(blob)
        with pytest.raises(UsageError):
            repository.resolve_commit("main:a")
        with pytest.raises(GitError):
            repository.run_git(
                "diff-tree",
                "-r",
                "--numstat",
                values=[repo.id("main~1"), repo.tip("main")],
            )
    assert not asked.exists()


def test_temporary_repository_is_private_and_removed_on_close(repo: Repo) -> None:
    with opened(repo.path) as repository:
        folder = Path(repository.throwaway.path)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert repository.run_git("for-each-ref") == b""
    assert not folder.exists()
    repository.close()


@pytest.mark.parametrize("revision", ["", "nothing", "--all", "-q", "HEAD~9", "a\0b", "a\nb", "f" * 40, "main:a"])
def test_refuses_a_revision_that_names_no_commit(repo: Repo, revision: str) -> None:
    with opened(repo.path) as repository, pytest.raises(UsageError, match="is not a commit here"):
        repository.resolve_commit(revision)


def test_resolves_branches_tags_and_full_ids(repo: Repo) -> None:
    head = repo.tip("main")
    repo.git("tag", "-a", "-m", "one", "v1", "main")
    with opened(repo.path) as repository:
        assert {repository.resolve_commit(name) for name in ("main", "v1", "HEAD", head, head[:12])} == {head}
        with pytest.raises(UsageError):
            repository.resolve_commit(repo.git("rev-parse", "v1"))
        with pytest.raises(UsageError):
            repository.resolve_commit(repo.tree_of("main"))


def test_ref_name_with_unusual_line_end_cannot_imitate_another_ref(repo: Repo) -> None:
    old, new = repo.id("main~1"), repo.tip("main")
    for separator in ("\u2028", "\u0085"):
        repo.git("update-ref", f"refs/heads/x{separator}{old} refs/heads/main".replace(" ", "\u00a0"), old)
    with opened(repo.path) as repository:
        refs = repository.read_refs("refs/heads/")
    assert refs["refs/heads/main"] == new
    assert len(refs) == 3


def test_a_detached_head_has_no_branch(repo: Repo) -> None:
    with opened(repo.path) as repository:
        assert repository.find_head_branch() == "refs/heads/main"
    (repo.git_dir / "HEAD").write_text(repo.tip("main") + "\n")
    with opened(repo.path) as repository:
        assert repository.find_head_branch() == ""


def test_symlinked_or_invalid_head_file_is_resolved_by_git(repo: Repo) -> None:
    head = repo.git_dir / "HEAD"
    head.unlink()
    head.symlink_to("refs/heads/main")
    with opened(repo.path) as repository:
        assert repository.find_head_branch() == "refs/heads/main"
    head.unlink()
    head.write_text("ref: refs/heads/.invalid\n")  # as git leaves it where refs lie in a reftable
    with opened(repo.path) as repository, pytest.raises(GitError):
        repository.find_head_branch()


def test_refuses_in_place_command_that_reads_configuration(repo: Repo) -> None:
    with opened(repo.path) as repository, pytest.raises(ValueError, match="must not see"):
        repository.run_in_place("diff", values=["HEAD"])


def test_objects_written_in_place_can_be_read(repo: Repo) -> None:
    with opened(repo.path) as repository:
        assert repository.objects.read_git_object("0" * 40) is None
        made = repository.run_in_place("hash-object", "-w", "--stdin", input=b"new\n").decode().strip()
        found = repository.objects.read_git_object(made)
        assert found is not None
        assert found.data == b"new\n"


def test_hanging_git_process_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "git"
    fake.write_text("#!/bin/sh\nsleep 60 & echo $! > %s\nwait\n" % (tmp_path / "pid"))
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(GitError, match="took longer"):
        git_process.run_git("rev-parse", (), git_environment({}), limits=ProcessLimits(seconds=0.3))
    grandchild = int((tmp_path / "pid").read_text())
    while _runs(grandchild):
        time.sleep(0.01)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] not in "ZX"
    except FileNotFoundError:
        return False


def test_git_process_with_endless_output_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "git"
    fake.write_text("#!/bin/sh\nexec yes\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(GitError, match="prints more than 1 MiB"):
        git_process.run_git("rev-parse", (), git_environment({}), limits=ProcessLimits(output=1 << 20))


def test_missing_git_program_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(GitError, match="git is not installed"):
        opened(tmp_path)
