"""Manual pages of the commands, from the texts of `--help`: `docs/man/`, which a wheel installs below `share/man`.

One page for `muniment`, and one for each of its commands with everything below it. `dev.generate` writes them.
"""

import re
from collections.abc import Iterator

import click

from muniment.cli.commands import muniment

_SECTION = 1  # of the manual: commands that people run
_UNWRAPPED = "\b"  # click's mark before a paragraph whose lines are kept


def render_manual_pages() -> dict[str, str]:
    """Pages by file name, such as `muniment-check.1`."""
    top = click.Context(muniment, info_name="muniment", **muniment.context_settings)
    children = list(_list_children(top))
    see_also = [f"{_name_page(child)}({_SECTION})" for child in children]
    pages = {f"muniment.{_SECTION}": _render_page(top, children, see_also)}
    for child in children:
        pages[f"{_name_page(child)}.{_SECTION}"] = _render_page(
            child, list(_list_children(child)), [f"muniment({_SECTION})"]
        )
    return pages


def _list_children(context: click.Context) -> Iterator[click.Context]:
    group = context.command
    if isinstance(group, click.Group):
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            assert command is not None, name  # noqa: S101 -- it was listed
            yield click.Context(command, parent=context, info_name=name, **command.context_settings)


def _name_page(context: click.Context) -> str:
    return context.command_path.replace(" ", "-")


def _render_page(context: click.Context, children: list[click.Context], see_also: list[str]) -> str:
    name = _name_page(context)
    lines = [
        f'.TH "{_escape(name.upper())}" {_SECTION} "" "Muniment" "Manual of Muniment"',
        ".SH NAME",
        f"{_escape(name)} \\- {_escape(context.command.get_short_help_str(limit=1000))}",
        ".SH SYNOPSIS",
        *_render_usage(context),
        ".SH DESCRIPTION",
        *_render_text(context.command.help or ""),
        *_render_options(context, ".SH OPTIONS"),
    ]
    if context.parent is None:
        lines.append(".SH COMMANDS")
        for child in children:
            lines += [".TP", f"\\fB{_escape(_name_page(child))}\\fR({_SECTION})"]
            lines.append(_escape_line(child.command.get_short_help_str(limit=1000)))
    else:
        for child in children:
            lines += _render_nested(child)
    lines += [".SH SEE ALSO", _escape_line(", ".join(see_also))]
    return "\n".join(lines) + "\n"


def _render_nested(context: click.Context) -> Iterator[str]:
    """Lines of a command within a page, and of those below it."""
    yield f'.SH "{_escape(context.command_path.upper())}"'
    yield from _render_usage(context)
    yield ".PP"
    yield from _render_text(context.command.help or "")
    yield from _render_options(context, ".SS Options")
    for child in _list_children(context):
        yield from _render_nested(child)


def _render_usage(context: click.Context) -> Iterator[str]:
    pieces = " ".join(context.command.collect_usage_pieces(context))
    yield f"\\fB{_escape(context.command_path)}\\fR {_escape(pieces)}"


def _render_text(text: str) -> Iterator[str]:
    """Lines of a help text: paragraphs are filled, and those that click keeps as they are stay so."""
    for number, paragraph in enumerate(re.split(r"\n\s*\n", text.strip())):
        if number:
            yield ".PP"
        lines = [line.strip() for line in paragraph.split("\n")]
        if lines[0] == _UNWRAPPED:
            yield from (".nf", *map(_escape_line, lines[1:]), ".fi")
        else:
            yield _escape_line(" ".join(lines))


def _render_options(context: click.Context, heading: str) -> Iterator[str]:
    records = [found for each in context.command.get_params(context) if (found := each.get_help_record(context))]
    if records:
        yield heading
    for names, text in records:
        yield from (".TP", f"\\fB{_escape(names)}\\fR", _escape_line(text))


def _escape_line(text: str) -> str:
    """Escape a line of text, which may begin as a request of roff does."""
    escaped = _escape(text)
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped


def _escape(text: str) -> str:
    return text.replace("\\", "\\e").replace("-", "\\-").replace('"', "\\(dq")
