"""Command lines of programs: no value becomes an option, and an unlisted option is a defect."""

import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from muniment.errors import ProgramError
from muniment.programs import command
from muniment.programs.catalogue import GIT_GRAMMARS, OTHER_GRAMMARS, REMEDIES, CommandGrammar, Program
from muniment.programs.command import ProgramOption, build_command, build_git_command, join_lines

HOSTILE = st.sampled_from(
    ["-", "--", "--upload-pack=x", "-oProxyCommand=x", "--output=/x", "^-", "-\0", "\n--all", "", ":(x)-", "é"]
)
VALUES = st.one_of(st.text(max_size=20), HOSTILE, st.builds(str.__add__, HOSTILE, st.text(max_size=9)))
SEPARATORS = {"--", "--end-of-options"}


def options_of(draw: st.DrawFn, grammar: CommandGrammar) -> list[ProgramOption]:
    """Options as a caller would write them, with arbitrary values."""
    found: list[ProgramOption] = (
        list(draw(st.lists(st.sampled_from(sorted(grammar.flags)), max_size=2))) if grammar.flags else []
    )
    for name in sorted(grammar.assigned | grammar.followed):
        if draw(st.booleans()):
            found.append((name, draw(VALUES)))
    return found


def assert_no_value_is_an_option(arguments: Sequence[str], grammar: CommandGrammar) -> None:
    """Assert that each argument beginning with `-` is an option of the catalogue or follows the end of the options."""
    ended = False
    for argument in arguments:
        name, assigned, _ = argument.partition("=")
        if ended or not argument.startswith("-"):
            continue
        if argument in SEPARATORS:
            ended = True
        elif assigned:
            assert name in grammar.assigned, argument
        else:
            assert name in grammar.flags | grammar.followed, argument


@settings(deadline=None, max_examples=400)
@given(st.data())
def test_no_value_for_git_becomes_an_option(data: st.DataObject) -> None:
    verb = data.draw(st.sampled_from(sorted(GIT_GRAMMARS)))
    grammar = GIT_GRAMMARS[verb]
    options = data.draw(st.composite(lambda draw: options_of(draw, grammar))())
    values = data.draw(st.lists(VALUES, max_size=3))
    paths = data.draw(st.lists(VALUES, max_size=3)) if grammar.paths is not None else []
    try:
        built = build_git_command(verb, options, values, paths, ProgramError)
    except ProgramError:
        return
    assert built.arguments[:2] == ("git", verb)
    assert_no_value_is_an_option(built.arguments[2:], grammar)
    assert not any(value.startswith("-") for value in values)
    assert not any("\0" in argument for argument in built.arguments)
    if paths and grammar.paths:
        at = built.arguments.index("--")
        assert list(built.arguments[at + 1 :]) == paths


@settings(deadline=None, max_examples=200)
@given(st.data())
def test_no_value_for_another_program_becomes_an_option(data: st.DataObject) -> None:
    program = data.draw(st.sampled_from(sorted(OTHER_GRAMMARS)))
    grammar = OTHER_GRAMMARS[program]
    options = data.draw(st.composite(lambda draw: options_of(draw, grammar))())
    try:
        built = build_command(program, options, ProgramError)
    except ProgramError:
        return
    modules = {
        Program.SCANNER: "muniment.scanners.child",
        Program.REPORT_READER: "muniment.scanners.imports.child",
        Program.DESIGN_READER: "muniment.design.child",
    }
    start = built.arguments.index(modules.get(program, program))
    assert_no_value_is_an_option(built.arguments[start + 1 :], grammar)


@settings(deadline=None)
@given(st.lists(VALUES, max_size=5))
def test_no_value_of_an_input_line_becomes_two_or_an_option(values: list[str]) -> None:
    try:
        joined = join_lines("git rev-list", values, ProgramError)
    except ProgramError:
        return
    lines = joined.split(b"\n")[:-1]
    assert len(lines) == len(values)
    assert not any(line.startswith(b"-") or not line for line in lines)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("--upload-pack=x", "begins with -"),
        ("-", "begins with -"),
        ("", "empty"),
        ("a\0b", "null byte"),
        ("a\nb", "line end"),
        ("\ud800", "not text"),
        ("x" * 131_072, "more than 131071 bytes"),
    ],
)
def test_invalid_value_is_refused_with_its_reason(value: str, why: str) -> None:
    for build in (
        lambda: build_git_command("ls-remote", (), (value,), (), ProgramError),
        lambda: build_git_command("commit-tree", (("-p", value),), (), (), ProgramError),
        lambda: join_lines("git rev-list", [value], ProgramError),
    ):
        with pytest.raises(ProgramError, match=why) as caught:
            build()
        assert caught.value.remedy
        assert len(caught.value.message) < 400
        assert caught.value.message.isprintable()


def test_bytes_that_are_not_utf8_are_passed_unchanged() -> None:
    built = build_git_command("rev-list", (), ("refs/heads/caf\udce9",), (), ProgramError)
    assert built.arguments == ("git", "rev-list", "--end-of-options", "refs/heads/caf\udce9", "--")


def test_paths_after_the_end_of_options_may_begin_with_a_dash() -> None:
    built = build_git_command("diff", ("--no-color",), ("a...b",), ("-x", "--output=y"), ProgramError)
    assert built.arguments[2:] == ("--no-color", "--end-of-options", "a...b", "--", "-x", "--output=y")
    built = build_git_command("ls-tree", ("-z",), ("a",), ("-x",), ProgramError)
    assert built.arguments[2:] == ("-z", "--", "a", "-x")


def test_credentials_of_a_refused_address_are_not_shown() -> None:
    secret = "-".join(("not", "for", "logs"))
    with pytest.raises(ProgramError) as caught:
        build_git_command("ls-remote", (), (f"https://ada:{secret}@host/x\0",), (), ProgramError)
    assert secret not in caught.value.message


@pytest.mark.parametrize(
    ("verb", "option"),
    [
        ("ls-remote", "--upload-pack=x"),
        ("fetch", "--upload-pack"),
        ("push", ("--receive-pack", "x")),
        ("push", "--exec=x"),
        ("diff", "--output=x"),
        ("diff", "--ext-diff"),
        ("log", "--output=x"),
        ("rev-list", "--all"),
        ("rev-list", "main"),
        ("rev-list", "--max-count"),
        ("rev-list", "--stdin=x"),
        ("commit-tree", "-p"),
        ("config", ("--get", "x")),
        ("archive", "--remote=x"),
        ("-c", "alias.x=!y"),
    ],
)
def test_unlisted_option_is_a_defect(verb: str, option: ProgramOption) -> None:
    with pytest.raises(ValueError, match="catalogue"):
        build_git_command(verb, (option,), (), (), ProgramError)


def test_paths_for_a_command_without_paths_are_a_defect() -> None:
    with pytest.raises(ValueError, match="no paths"):
        build_git_command("merge-base", (), (), ("x",), ProgramError)


def test_program_is_named_by_its_absolute_path() -> None:
    with pytest.raises(ValueError, match="whole path"):
        build_command(Program.BAO, ("server",), ProgramError, Path("bao"))


def test_no_listed_option_of_git_names_a_program_or_a_file_to_write() -> None:
    named = re.compile(
        r"--(upload-pack|receive-pack|exec|output|ext-diff|textconv|open-files|config|git-dir=.*)|-[cCOuo]"
    )
    for grammar in GIT_GRAMMARS.values():
        for option in grammar.flags | grammar.assigned | grammar.followed:
            assert not named.fullmatch(option), option


def test_every_program_has_a_remedy_if_it_is_missing() -> None:
    assert set(REMEDIES) == set(Program) == {*OTHER_GRAMMARS, Program.GIT}


def test_confined_command_equals_the_unconfined_one() -> None:
    plain = build_command(Program.ZIZMOR, ("--quiet",), ProgramError, Path("/bin/zizmor"))
    assert command.confine_command(plain).arguments[-2:] == plain.arguments
