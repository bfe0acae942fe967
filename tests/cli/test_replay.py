"""muniment replay: what is read first, what is never said, and repositories that are odd."""

import re
import subprocess
from pathlib import Path

import pytest

from muniment.cli.origin_address import convert_remote
from muniment.cli.replay_report import format_share
from muniment.cli.replay_text import format_bar
from tests.support.repos import Repo
from tests.support.shop import Shop


@pytest.fixture(name="plain")
def _plain(tmp_path: Path) -> Repo:
    """A repository without policy and people, with a large change, a sensitive one and an unpinned step."""
    repo = Repo(tmp_path / "plain")
    workflow = "on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n      - uses: actions/checkout@v4\n"
    repo.commit({"app.py": "1\n"})
    repo.commit({"big.py": "line\n" * 401})
    repo.commit({"auth/login.py": "2\n", ".github/workflows/ci.yml": workflow})
    return repo


def _replay(shop: Shop, repo: Repo, *more: str) -> str:
    code, out, err = shop.muniment("replay", "--repo", str(repo.path), *more)
    assert code == 0, err
    return out


def test_replay_without_people_leads_with_sizes_paths_and_pipelines(shop: Shop, plain: Repo) -> None:
    lines = _replay(shop, plain).splitlines()
    assert lines[0] == "3 changes on main of plain, 14 Nov 2023"
    assert "1 of 3 changes (33 %) was larger than 400 lines or 40 files." in lines[1]
    out = "\n".join(lines)
    assert "1 of 3 changes (33 %) touched pipeline or sign-in files." in out
    assert "FAIL      Your pipelines have " in out
    assert "1 step is not pinned" in out
    assert "actions/checkout@v4 is not pinned" in out


def _narrow(text: str) -> str:
    """Text with one blank between words: columns are as wide as the longest clause of the policy."""
    return re.sub(" +", " ", text)


def test_replay_without_people_counts_no_change_as_allowed_or_denied(shop: Shop, plain: Repo) -> None:
    out = _replay(shop, plain)
    assert "would have been allowed" not in out
    assert "Who reviewed these changes is not in git." in out
    assert "UNKNOWN review.two-reviewers 3 of 3 changes need reviews: reviewers are not in git" in _narrow(out)
    assert "PASS      history.protected" not in out
    assert "git keeps no trace of a branch that was rewritten" in out


def test_reason_that_mentions_people_toml_is_not_taken_for_unknown_people(shop: Shop) -> None:
    shop.approve("bob", shop.repo.commit({"people.toml": "x\n", "auth/people.toml": "y\n"}, on="main"))
    out = _replay(shop, shop.repo)
    assert "would have been allowed" in out
    assert "not in git" not in out.replace("git keeps no trace", "")


def test_people_without_any_signed_approval_give_no_failing_reviews(shop: Shop) -> None:
    shop.repo.commit({"auth/app.py": "x\n" * 401}, on="main")
    out = _replay(shop, shop.repo)
    assert "would have been allowed" not in out
    assert "FAIL      review" not in out
    for line in (
        "UNKNOWN review.two-reviewers 2 of 2 changes need reviews: reviewers are not in git",
        "UNKNOWN review.security-attention 2 of 2 changes touch sensitive files: reviewers are not in git",
        "UNKNOWN review.small-changes 2 of 2 changes are larger than the limits: "
        "whether anybody approved the size is not in git",
    ):
        assert line in _narrow(out)
    assert "muniment replay --forge URL " in out


def test_next_step_names_the_forge_of_the_clone_without_its_credential(shop: Shop, plain: Repo) -> None:
    assert "muniment replay --forge URL " in _replay(shop, plain)
    password = "-".join(("not", "to", "be", "shown"))
    plain.git("remote", "add", "origin", f"https://ada:{password}@forge.example/shop/api.git")
    out = _replay(shop, plain)
    assert "muniment replay --forge https://forge.example/shop/api " in out
    assert password not in out


@pytest.mark.parametrize(
    ("remote", "address"),
    [
        ("https://github.com/pallets/flask", "https://github.com/pallets/flask"),
        ("https://forge.example:8443/a/b.git", "https://forge.example:8443/a/b"),
        ("http://forge.example/a/b/", "http://forge.example/a/b"),
        ("git@gitlab.com:group/sub/api.git", "https://gitlab.com/group/sub/api"),
        ("ssh://git@forge.example:2222/a/b.git", "https://forge.example/a/b"),
        ("/srv/git/shop.git", ""),
        ("../shop", ""),
        ("file:///srv/git/shop.git", ""),
        ("https://forge.example/a/b; rm -rf ~", ""),
        ("git@forge.example:$(id)/b", ""),
        ("https://forge.example/alone", ""),
        ("", ""),
    ],
)
def test_only_plain_addresses_of_remotes_become_part_of_a_command(remote: str, address: str) -> None:
    assert convert_remote(remote) == address


def test_marks_and_bars_are_readable_without_colour(shop: Shop, plain: Repo) -> None:
    out = _replay(shop, plain)
    assert "\x1b" not in out
    assert "█" in out or "#" in out
    assert format_bar(1, 1000).count("█") == 1
    assert format_bar(999, 1000).count("░") == 1
    assert format_bar(0, 5).count("█") == 0
    assert format_bar(5, 5).count("░") == 0


@pytest.mark.parametrize(
    ("count", "total", "share"),
    [(0, 9, "0 %"), (9, 9, "100 %"), (1, 1000, "under 1 %"), (999, 1000, "over 99 %"), (1, 4, "25 %"), (0, 0, "0 %")],
)
def test_share_is_never_rounded_to_none_or_all(count: int, total: int, share: str) -> None:
    assert format_share(count, total) == share


def test_json_has_summary_figures_and_states(shop: Shop, plain: Repo) -> None:
    import json

    content = json.loads(_replay(shop, plain, "--format", "json"))
    assert content["change_count"] == 3
    assert content["reviews_known"] is False
    assert content["figures"]["size"]["count"] == 1
    hardened = next(one for one in content["states"] if one["clause"] == "pipeline.hardened")
    assert "not-pinned" in [reason["code"] for reason in hardened["reasons"]]


class TestOddRepositories:
    """No traceback, and no false figure."""

    def test_repository_without_a_commit_says_so(self, shop: Shop, tmp_path: Path) -> None:
        code, _, err = shop.muniment("replay", "--repo", str(Repo(tmp_path / "empty").path))
        assert code == 2
        assert "there is no commit here yet" in err

    def test_other_default_branch_is_offered(self, shop: Shop, plain: Repo) -> None:
        plain.git("branch", "trunk", "main")
        plain.git("checkout", "-q", "--detach", "main")
        plain.git("branch", "-D", "main")
        code, _, err = shop.muniment("replay", "--repo", str(plain.path))
        assert code == 2
        assert "--onto BRANCH" in err
        assert "trunk" in err

    def test_detached_head_is_evaluated_on_main(self, shop: Shop, plain: Repo) -> None:
        plain.git("checkout", "-q", "--detach", "main")
        assert "3 changes on main" in _replay(shop, plain)

    def test_bare_repository_is_evaluated_by_its_head(self, shop: Shop, plain: Repo, tmp_path: Path) -> None:
        bare = tmp_path / "bare.git"
        plain.git("branch", "-m", "main", "trunk")
        plain.git("clone", "-q", "--bare", str(plain.path), str(bare))
        code, out, err = shop.muniment("replay", "--repo", str(bare))
        assert code == 0, err
        assert out.startswith("3 changes on trunk of bare.git")

    def test_shallow_clone_is_refused_with_the_command_that_completes_it(
        self, shop: Shop, plain: Repo, tmp_path: Path
    ) -> None:
        shallow = tmp_path / "shallow"
        subprocess.run(
            ["git", "clone", "-q", "--depth=1", f"file://{plain.path}", str(shallow)], check=True, capture_output=True
        )
        code, out, err = shop.muniment("replay", "--repo", str(shallow))
        assert code != 0
        assert out == ""
        assert "git fetch --unshallow" in err

    def test_names_that_are_not_utf8_are_shown_as_text(self, shop: Shop, plain: Repo) -> None:
        tip = plain.id("main")
        tree = plain.tree_of(plain.commit({b"auth/\xff\xfe.py": "x\n"}, on=""))
        who = b"\xff <a@\xff> 1 +0000"
        raw = b"tree %s\nparent %s\nauthor %s\ncommitter %s\n\nx\n" % (tree.encode(), tip.encode(), who, who)
        plain.branch("refs/heads/main", plain.write("commit", raw))
        out = _replay(shop, plain)
        assert out.startswith("4 changes")
        out.encode()

    def test_date_after_the_year_9999_is_no_failure(self, shop: Shop, plain: Repo) -> None:
        tip = plain.id("main")
        made = plain.raw_commit(plain.tree_of(tip), [tip], time=99_999_999_999_999)
        plain.branch("refs/heads/main", made)
        assert _replay(shop, plain).startswith("4 changes on main")
