"""Command line as programs use it: output, streams and exit codes."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest

from muniment.cli import command_line, explain, policy_files
from muniment.cli.commands import COMMANDS, muniment
from muniment.decision.catalogue import CONTROLS
from muniment.policy.built_in_policy import format_built_in_policy
from tests.support.repos import Repo
from tests.support.shop import Shop


@pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS), ["policy", "diff"], ["exception", "ask"]])
def test_every_command_has_a_help_text(shop: Shop, command: list[str]) -> None:
    code, out, _ = shop.muniment(*command, "--help")
    assert code == 0
    assert out.startswith("Usage: muniment")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["check", "--onto", "topic"], "does not protect topic"),
        (["check", "--onto", "nowhere"], "no branch nowhere"),
        (["check", "--onto", "main", "--head", "nowhere"], "nowhere is not a commit here"),
        (["check", "--home", "/nowhere/at/all"], "there is no home"),
        (["check", "--repo", "/nowhere/at/all"], "is not a folder"),
        (["explain", "no.such"], "has no clause no.such"),
        (["replay", "--since", "yesterday"], "is not a date"),
        (["replay", "--policy", "/nowhere/at/all"], "cannot be read"),
        (["policy", "check", "/nowhere/at/all"], "cannot be read"),
        (["approve", "main", "--request-changes", "--withdraw"], "different statements"),
        (["approve", "main", "--key", "/nowhere/at/all"], "no key"),
        (["nonsense"], "No such command"),
        (["check", "--nonsense"], "No such option"),
    ],
)
def test_wrong_usage_exits_2_and_names_the_next_step(shop: Shop, arguments: list[str], message: str) -> None:
    shop.repo.branch("topic", "main")
    needs_repo = arguments[0] != "policy" and "--repo" not in arguments and arguments[0] != "nonsense"
    code, out, err = shop.muniment(*arguments, *(["--repo", str(shop.repo.path)] if needs_repo else []))
    assert (code, out) == (2, "")
    assert message in err


@pytest.mark.parametrize("gone", ["policy.toml", "people.toml"])
def test_check_without_policy_or_people_says_how_to_create_them(shop: Shop, gone: str) -> None:
    shop.repo.commit({f".muniment/{gone}": None}, on="main")
    code, _, err = shop.muniment("check", "--repo", str(shop.repo.path), "--onto", "main")
    assert code == 2
    assert "muniment init" in err


def test_a_policy_that_is_a_link_is_refused(shop: Shop) -> None:
    from tests.support.repos import SYMLINK, Entry

    shop.repo.commit({".muniment/policy.toml": Entry(SYMLINK, "elsewhere")}, on="main")
    code, _, err = shop.muniment("check", "--repo", str(shop.repo.path), "--onto", "main")
    assert code == 2
    assert "not a plain file" in err


def test_a_broken_policy_names_file_line_and_key(shop: Shop, tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    file.write_text(format_built_in_policy("a@b.test", "shop").replace("reviewers = 2", 'reviewers = "two"'))
    code, _, err = shop.muniment("policy", "check", str(file))
    line = 1 + [row.startswith("with = { reviewers") for row in file.read_text().splitlines()].index(True)
    assert code == 2
    assert f"{file}:{line}: " in err
    assert "reviewers" in err
    assert "whole number" in err


def test_init_makes_what_check_needs_and_never_overwrites(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    home = tmp_path / "home"
    code, out, _ = shop.muniment("init", "--home", str(home), "--repository", "shop", "--owner", "sec@example.test")
    assert code == 0
    assert {"policy.toml", "people.toml", ".gitignore", "keys"} <= {entry.name for entry in home.iterdir()}
    assert (home / "keys" / "ledger.key").stat().st_mode & 0o777 == 0o600
    assert shop.muniment("policy", "check", str(home / "policy.toml"))[0] == 0
    (home / "policy.toml").write_text("mine")
    assert shop.muniment("init", "--home", str(home))[0] == 0
    assert (home / "policy.toml").read_text() == "mine"
    assert any(line.startswith("Next: ") for line in out.splitlines())


def test_policy_check_lists_uncovered_clauses_and_unclaimed_sentences(shop: Shop, tmp_path: Path) -> None:
    text = format_built_in_policy("a@b.test", "shop").replace('# source = "policy.md"', 'source = "policy.md"')
    text += '\n[[clause]]\nid = "own.words"\nname = "Laptops"\nsection = "secrets"\n'
    text += 'text = "Laptops are locked."\nenforce = []\n'
    (tmp_path / "policy.toml").write_text(text)
    (tmp_path / "policy.md").write_text("# Policy\n\nLaptops are locked. Cats are fed\nevery day.\n")
    code, out, _ = shop.muniment("policy", "check", str(tmp_path / "policy.toml"), "--format", "json")
    content = json.loads(out)
    assert code == 0
    assert content["uncovered"] == ["own.words"]
    assert [(s["line"], s["text"]) for s in content["unclaimed"]] == [(3, "Cats are fed every day.")]


def test_policy_diff_exits_1_for_a_weaker_policy(shop: Shop, tmp_path: Path) -> None:
    old, new = tmp_path / "old.toml", tmp_path / "new.toml"
    old.write_text(format_built_in_policy("a@b.test", "shop"))
    new.write_text(format_built_in_policy("a@b.test", "shop").replace("reviewers = 2", "reviewers = 1"))
    assert shop.muniment("policy", "diff", str(old), str(old))[0] == 0
    assert shop.muniment("policy", "diff", str(new), str(old))[0] == 0
    code, out, _ = shop.muniment("policy", "diff", str(old), str(new))
    assert code == 1
    assert "review.two-reviewers with.reviewers: 2 → 1" in out


def test_replay_counts_past_changes_and_lists_clauses_not_evaluated(shop: Shop) -> None:
    head = shop.repo.commit({"lib.py": "x = 2\n"}, on="topic", parents=["main"])
    shop.approve("bob", head)
    shop.approve("carol", head)
    shop.repo.merge("topic", on="main")
    shop.repo.commit({"lib.py": "x = 3\n"}, on="main")
    code, out, _ = shop.muniment("replay", "--repo", str(shop.repo.path), "--format", "json")
    content = json.loads(out)
    rows = {row["clause"]: row for row in content["clauses"]}
    assert code == 0
    assert (content["change_count"], content["allowed_count"]) == (3, 1)
    assert rows["review.two-reviewers"]["result_counts"]["met"] == 1
    assert rows["review.two-reviewers"]["result_counts"]["violated"] == 2
    assert rows["owasp.requirements"]["current_result"].startswith("unknown: Required information is missing")
    assert "would have been allowed" in shop.muniment("replay", "--repo", str(shop.repo.path))[1]


def test_replay_of_a_repository_without_policy_uses_the_built_in_one(shop: Shop, tmp_path: Path) -> None:
    repo = Repo(tmp_path / "other")
    repo.commit({"a": "1\n"})
    repo.commit({"a": "2\n"})
    code, out, err = shop.muniment("replay", "--repo", str(repo.path), "--format", "json")
    counts = {row["clause"]: row["result_counts"] for row in json.loads(out)["clauses"]}
    assert code == 0
    assert "built-in" in err
    assert counts["review.two-reviewers"]["unknown"] == 2
    assert counts["review.small-changes"]["met"] == 2


def test_denial_text_names_people_and_the_next_step(shop: Shop) -> None:
    head = shop.repo.commit({"lib.py": "x = 2\n"}, on="topic", parents=["main"])
    code, out, _ = shop.muniment("check", "--repo", str(shop.repo.path), "--onto", "main", "--head", head)
    assert code == 1
    assert "\x1b" not in out
    assert len(out.splitlines()) <= 24
    steps = out[out.index("Next:") :].splitlines()
    assert steps[-2] == "  Ask bob, carol, dan, sue to review and approve it."
    assert steps[-1] == f"    muniment approve {head} --repository shop --onto refs/heads/main"


def test_review_guide_asks_its_questions_and_stores_the_answers(shop: Shop) -> None:
    head = shop.repo.commit({"auth/login.py": "x\n"}, on="topic", parents=["main"])
    shop.approve("bob", head)
    code, out, _ = shop.muniment(
        *("approve", head, "--repo", str(shop.repo.path), "--onto", "main", "--key", str(shop.keys["sue"]))
    )
    asked = [row.split("--answer ")[1].split("=")[0] for row in out.splitlines() if "--answer" in row]
    assert code == 0
    assert asked
    report = shop.check(head)
    assert report["decision"] == "deny"
    assert shop.find_result(report, "review.security-attention")["reasons"][0]["code"] == "guide-unanswered"
    shop.approve("sue", head, *(word for name in asked for word in ("--answer", f"{name}=looked at it")))
    assert shop.check(head)["decision"] == "allow"


def test_large_change_requires_a_reason_and_the_security_role(shop: Shop) -> None:
    big = "".join(f"{n}\n" for n in range(500))
    head = shop.repo.commit({"lib.py": big}, on="topic", parents=["main"])
    shop.approve("bob", head)
    shop.approve("sue", head)
    assert shop.find_result(shop.check(head), "review.small-changes")["status"] == "violated"
    shop.approve("bob", head, "--answer", "why-large=a table of data")
    assert shop.check(head)["decision"] == "deny"
    shop.approve("sue", head, "--answer", "why-large=a table of data")
    assert shop.check(head)["decision"] == "allow"


def test_doctor_reports_missing_parts(shop: Shop) -> None:
    code, out, _ = shop.muniment("doctor", "--repo", str(shop.repo.path), "--format", "json")
    assert code == 0
    assert {"git", "ssh-keygen", "repository", "policy", "people"} <= {row["subject"] for row in json.loads(out)}
    assert shop.muniment("doctor", "--repo", "/nowhere/at/all")[0] == 1


def test_writing_commands_also_answer_in_json(shop: Shop, tmp_path: Path) -> None:
    head = shop.repo.commit({"auth/login.py": "x\n"}, on="topic", parents=["main"])
    _, out, _ = shop.muniment(
        *("approve", head, "--repo", str(shop.repo.path), "--onto", "main", "--key", str(shop.keys["sue"])),
        *("--format", "json"),
    )
    content = json.loads(out)
    assert (content["person"], content["statement"]["head"]) == ("sue", head)
    assert content["unanswered"]
    _, out, _ = shop.muniment("init", "--home", str(tmp_path / "h"), "--repository", "shop", "--format", "json")
    assert "policy.toml" in json.loads(out)["made"]


@pytest.mark.parametrize("lock", ["HEAD.lock", "packed-refs.lock", "refs/heads/main.lock"])
def test_doctor_reports_a_lock_left_by_a_killed_git(shop: Shop, lock: str) -> None:
    (shop.repo.git_dir / lock).touch()
    code, out, _ = shop.muniment("doctor", "--repo", str(shop.repo.path))
    assert code == 1
    assert f"rm {shop.repo.git_dir / lock}" in out


class StoppedService:
    """Account with an installed service that is not running."""

    def __init__(self, home: Path) -> None:
        from muniment.server.running.installation_folder import make_installation_folder

        self.home = home
        self.folder = home / ".local" / "share" / "muniment"
        make_installation_folder(self.folder)
        (self.folder / "service.json").write_text('{"port": 1}\n')

    def doctor(self, where: Path, *more: str, start: str = "") -> str:
        own = {name: value for name, value in os.environ.items() if not name.startswith(("MUNIMENT_", "DJANGO_"))}
        script = f"""
import sys
{start}
from muniment.__main__ import main
from muniment.cli import service_setup
service_setup.default_home = lambda: {str(self.folder)!r}  # root has another, which is not ours to write to
sys.exit(main())
"""
        command = [sys.executable, "-c", script, "doctor", *more]
        environment = {**own, "HOME": str(self.home)}
        done = subprocess.run(command, cwd=where, env=environment, capture_output=True, text=True, check=False)
        return done.stdout + done.stderr


def test_doctor_examines_the_installed_service_unless_run_in_a_repository(shop: Shop, tmp_path: Path) -> None:
    served = StoppedService(tmp_path)
    assert "database: it does not answer" in served.doctor(tmp_path)
    for text in (served.doctor(tmp_path, "--repo", str(shop.repo.path)), served.doctor(shop.repo.path)):
        assert "the service in" not in text
        assert "database" not in text
        assert "repository: main is at" in text
    assert f"muniment doctor --home {served.folder}" in served.doctor(shop.repo.path)


def test_doctor_says_that_the_service_is_not_installed(tmp_path: Path) -> None:
    served = StoppedService(tmp_path)
    without = """
from importlib.machinery import PathFinder
class Without(PathFinder):
    @classmethod
    def find_spec(cls, name, *more):
        hidden = name.partition(".")[0] in ("django", "psycopg", "procrastinate")
        return None if hidden else super().find_spec(name, *more)
sys.meta_path[:] = [Without if finder is PathFinder else finder for finder in sys.meta_path]
"""
    result = served.doctor(tmp_path, start=without)
    assert "Traceback" not in result
    assert "pip install 'muniment[service]'" in result


def test_explain_names_placeholders_and_no_internal_names(shop: Shop) -> None:
    code, out, _ = shop.muniment("explain", "review.two-reviewers", "--repo", str(shop.repo.path))
    assert code == 0
    assert "<count> of <needed> required approvals" in out
    assert "{" not in out
    assert "approved heads" in out
    assert "approved_heads" not in out


def test_explain_writes_commands_and_policy_lines_as_they_are_typed(shop: Shop) -> None:
    for control in CONTROLS.values():
        for reason in control.codes:
            for sentence in (reason.value.message, reason.value.remedy):
                shown = explain.name_placeholders(sentence)
                assert "{{" not in shown
                assert "}}" not in shown
    assert 'with = { pipelines = ["tests"] }' in shop.muniment("explain", "pipeline.required")[1]


@pytest.mark.parametrize(
    "arguments",
    [["policy", "check", "/nowhere/at/all", "--format", "json"], ["policy", "check", "--format=json", "--nonsense"]],
)
def test_errors_are_json_if_json_was_requested(shop: Shop, arguments: list[str]) -> None:
    code, out, err = shop.muniment(*arguments)
    content = json.loads(out)["error"]
    assert (code, content["exit_code"]) == (2, 2)
    assert content["message"]
    assert err, "people read it too"


def test_standard_input_is_read_as_one_file_and_not_if_empty() -> None:
    text = format_built_in_policy("sec@example.test", "shop")
    assert program("policy", "diff", "-", "built-in", given=text).returncode in (0, 1)
    for arguments, given in ((("policy", "diff", "-", "-"), text), (("policy", "check", "-"), "")):
        done = program(*arguments, given=given)
        assert done.returncode == 2
        assert "standard input is empty, or was read already" in done.stderr


def test_test_report_is_read_from_standard_input(shop: Shop) -> None:
    done = program("tests", "submit", "--pipeline", "tests", "--junit", "-", given="<nonsense", cwd=shop.repo.path)
    assert done.returncode == 2
    assert "cannot be read (No such file" not in done.stderr
    assert "-" in done.stderr


def test_a_policy_is_read_from_standard_input() -> None:
    text = format_built_in_policy("sec@example.test", "shop")
    for given, code in ((text, 0), (text.replace("control =", "contrl ="), 2)):
        done = program("policy", "check", "-", given=given)
        assert done.returncode == code, done.stderr
        assert "standard input" in done.stdout + done.stderr


@pytest.mark.parametrize("arguments", [["--version"], ["-V"]])
def test_both_options_print_the_version(arguments: list[str]) -> None:
    assert program(*arguments).stdout.startswith("muniment ")


@pytest.mark.parametrize(
    ("arguments", "usage"), [(["help"], "Usage: muniment [OPT"), (["help", "check"], "muniment check")]
)
def test_help_is_a_command_too(shop: Shop, arguments: list[str], usage: str) -> None:
    code, out, _ = shop.muniment(*arguments)
    assert code == 0
    assert usage in out


def test_a_mistyped_command_is_suggested(shop: Shop) -> None:
    code, _, err = shop.muniment("chek")
    assert code == 2
    assert "Did you mean 'check'?" in err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
@pytest.mark.parametrize("arguments", [["--version"], ["check", "--help"], ["policy", "show"]])
def test_failed_output_is_an_error_and_not_a_denial(arguments: list[str]) -> None:
    with Path("/dev/full").open("wb") as full:
        done = program(*arguments, output=full)
    assert done.returncode == 3
    assert "the output cannot be written" in done.stderr
    assert "Traceback" not in done.stderr
    assert "defect" not in done.stderr


@pytest.mark.parametrize("arguments", [["--version"], ["check", "--help"], ["policy", "show"], ["chek"]])
def test_closed_pipe_is_neither_a_denial_nor_an_error(arguments: list[str]) -> None:
    read, write = os.pipe()
    os.close(read)
    done = program(*arguments, output=write)
    os.close(write)
    assert done.returncode == (2 if arguments == ["chek"] else 141)
    assert "Traceback" not in done.stderr
    assert "defect" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
@pytest.mark.parametrize(
    ("arguments", "code"), [(["chek"], 2), (["policy", "check", "/nowhere", "--format", "json"], 2), (["--version"], 3)]
)
def test_error_that_cannot_be_printed_keeps_its_exit_code(arguments: list[str], code: int) -> None:
    command = [sys.executable, "-m", "muniment", *arguments]
    with Path("/dev/full").open("wb") as full:
        assert subprocess.run(command, check=False, stdout=full, stderr=full).returncode == code


@pytest.mark.parametrize(
    ("arguments", "code"), [(["--version"], 0), (["policy", "check", "/nowhere"], 2), (["explain", "no.such"], 2)]
)
def test_closed_standard_streams_change_no_exit_code(arguments: list[str], code: int) -> None:
    script = 'exec "$@" <&- >&- 2>&-'
    command = ["sh", "-c", script, "sh", sys.executable, "-m", "muniment", *arguments]
    assert subprocess.run(command, check=False).returncode == code


@pytest.mark.parametrize(
    ("asked", "code", "message"),
    [("bash_source", 0, "_muniment_completion"), ("bash_complete", 0, "check"), ("nonsense", 2, "bash_source")],
)
def test_shell_completions_exit_0(monkeypatch: pytest.MonkeyPatch, asked: str, code: int, message: str) -> None:
    monkeypatch.setenv("_MUNIMENT_COMPLETE", asked)
    monkeypatch.setenv("COMP_WORDS", "muniment che")
    monkeypatch.setenv("COMP_CWORD", "1")
    done = program()
    assert done.returncode == code
    assert message in done.stdout + done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_script_of_a_shell_asks_the_program_for_completions(shell: str) -> None:
    done = program("completion", shell)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"_MUNIMENT_COMPLETE={shell}_complete" in done.stdout


def test_completion_of_an_unknown_shell_is_wrong_usage() -> None:
    done = program("completion", "tcsh")
    assert done.returncode == 2
    assert "'bash', 'zsh', 'fish'" in done.stderr


def test_bash_completes_a_command_after_the_script() -> None:
    muniment_here = f'muniment() {{ "{sys.executable}" -m muniment "$@"; }}; export -f muniment'
    words = "COMP_WORDS=(muniment com) COMP_CWORD=1"
    script = f'{muniment_here}; eval "$(muniment completion bash)"; {words}; _muniment_completion muniment; '
    folder = str(Path(sys.executable).parent)
    environment = {**os.environ, "PATH": folder + os.pathsep + os.environ["PATH"]}
    command = ["bash", "-c", f'{script} echo "${{COMPREPLY[*]}}"']
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.stdout.split() == ["completion"], done.stderr


@pytest.mark.parametrize(("failure", "code"), [(RuntimeError("secret"), 3), (KeyboardInterrupt(), 130)])
def test_defects_and_interruptions_are_reported_as_json_too(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, failure: BaseException, code: int
) -> None:
    def broken(*_: object) -> None:
        raise failure

    monkeypatch.setattr(policy_files, "load_policy_file", broken)
    ended, out, _ = shop.muniment("policy", "check", "x", "--format", "json")
    assert (ended, json.loads(out)["error"]["exit_code"]) == (code, code)


def test_one_sentence_on_windows_names_supported_systems(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from muniment import __main__

    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(sys, "argv", ["muniment", "check"])
    assert __main__.main() == 2
    assert "Windows Subsystem for Linux" in capsys.readouterr().err


def test_check_of_the_branch_itself_says_that_there_is_nothing_to_merge(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(shop.repo.path)
    code, out, err = shop.muniment("check", "--onto", "main", "--head", "main")
    assert code == 0, err
    assert out.startswith("nothing to merge  main is at ")
    assert "Next: commit on a branch of its own" in out


def test_replay_names_the_repository_and_counts_one_change(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(shop.repo.path)
    _, out, _ = shop.muniment("replay", "--onto", "main")
    first = out.splitlines()[0]
    assert f"on main of {shop.repo.path.name}, " in first
    assert "1 changes" not in first


def test_remedy_names_the_home_of_the_command(shop: Shop, tmp_path: Path) -> None:
    home = str(tmp_path / "a home")
    assert shop.muniment("init", "--home", home, "--repository", "shop")[0] == 0
    code, _, err = shop.muniment("ledger", "show", "7", "--home", home)
    assert code == 2
    assert f"muniment ledger show --home '{home}'" in err


def test_ledger_verify_of_a_home_is_wrong_usage_and_names_the_command(shop: Shop, tmp_path: Path) -> None:
    home = str(tmp_path / "home")
    assert shop.muniment("init", "--home", home, "--repository", "shop")[0] == 0
    code, _, err = shop.muniment("ledger", "verify", home)
    assert code == 2
    assert f"muniment ledger verify --home {home}" in err


def program(
    *arguments: str, given: str = "", output: Any = subprocess.PIPE, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the program in a process of its own."""
    command = [sys.executable, "-m", "muniment", *arguments]
    return subprocess.run(command, input=given, text=True, check=False, stdout=output, stderr=subprocess.PIPE, cwd=cwd)


def test_file_that_cannot_be_used_is_named_and_no_defect_is_reported(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object, **others: object) -> int:
        raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG), "x" * 5_000)

    monkeypatch.setattr(muniment, "main", fail)
    code, _, err = shop.muniment("backup", "x" * 5_000)
    assert (code, len(err) < 400) == (3, True)
    assert "cannot be used (File name too long)" in err
    assert "defect" not in err


@pytest.mark.parametrize(
    ("context", "code", "message"),
    [
        (None, 130, "the answer was no"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (EOFError(), 2, "a question got no answer: nobody is at a terminal"),
    ],
)
def test_answer_no_and_no_answer_are_no_interruption(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    context: BaseException | None,
    code: int,
    message: str,
) -> None:
    def answer(*_: object, **__: object) -> None:
        raise click.Abort from context

    monkeypatch.setattr(muniment, "main", answer)
    assert command_line.run_command_line([]) == code
    assert capsys.readouterr().err.startswith(f"muniment: {message}\n")


@pytest.mark.parametrize(
    "command",
    [
        ["check"],
        ["approve", "main"],
        ["exception", "list"],
        ["freeze", "--reason", "x"],
        ["unfreeze", "freeze-1"],
        ["hook", "install"],
        ["home", "erase", "--person", "ada", "--reason", "x"],
    ],
)
def test_command_on_files_refuses_the_home_of_a_service_and_names_the_next_step(
    shop: Shop, tmp_path: Path, command: list[str]
) -> None:
    home = tmp_path / "service home"
    (home / "keys").mkdir(parents=True)
    (home / "keys" / "web.key").write_text("")
    before = sorted(home.rglob("*"))
    in_repository = [] if command[0] in ("freeze", "unfreeze", "home") else ["--repo", str(shop.repo.path)]
    code, out, err = shop.muniment(*command, "--home", str(home), *in_repository)
    assert (code, out) == (2, "")
    assert "which evaluates and records by itself" in err
    assert f"muniment policy show --home '{home}'" in err.replace("\n", " ")
    assert sorted(home.rglob("*")) == before
