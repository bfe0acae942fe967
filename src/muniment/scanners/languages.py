"""Languages in which only secrets are looked for, because no engine follows input through their code."""

from collections.abc import Iterable, Mapping

_LANGUAGES = {
    "Python": (".py",),
    "JavaScript": (".js", ".jsx", ".mjs", ".cjs", ".vue", ".svelte"),
    "TypeScript": (".ts", ".tsx", ".mts", ".cts"),
    "Java": (".java",),
    "Kotlin": (".kt", ".kts"),
    "Scala": (".scala",),
    "C#": (".cs",),
    "Go": (".go",),
    "Rust": (".rs",),
    "Ruby": (".rb", ".erb"),
    "PHP": (".php",),
    "C": (".c", ".h"),
    "C++": (".cc", ".cpp", ".cxx", ".hpp", ".hh"),
    "Swift": (".swift",),
    "Objective-C": (".m", ".mm"),
    "Perl": (".pl", ".pm"),
    "shell": (".sh", ".bash", ".zsh"),
    "SQL": (".sql",),
    "Elixir": (".ex", ".exs"),
    "Dart": (".dart",),
}
_READ = ("JavaScript", "TypeScript", "Python")  # by rules of our own
_NOT_READ_SUFFIXES = (".vue", ".svelte")  # scripts inside pages
_BY_SUFFIX = {suffix: name for name, suffixes in _LANGUAGES.items() for suffix in suffixes}
_OTHER_CODE = (".yml", ".yaml", ".tf", ".toml", ".html", ".htm", ".css", ".scss", ".j2", ".pyi")


def find_language(path: str) -> str:
    """Find the language of a file by its name, "" if it is no code."""
    name = path.rpartition("/")[2]
    return _BY_SUFFIX.get(name[name.rfind(".") :].lower(), "") if "." in name else ""


def is_code(path: str) -> bool:
    """Whether a file is read by a program, and may have comments for it: code, or a file of settings."""
    name = path.rpartition("/")[2].lower()
    return bool(find_language(path)) or name.endswith(_OTHER_CODE) or name.startswith(("dockerfile", "containerfile"))


def find_unread_language(path: str) -> str:
    """Find the language of a file that no engine reads, "" for a file that is read or is no code."""
    language = find_language(path)
    if language in _READ and not path.lower().endswith(_NOT_READ_SUFFIXES):
        return ""
    return language


def list_unread_languages(paths: Iterable[str]) -> tuple[str, ...]:
    """List the languages of files that no engine reads."""
    return tuple(sorted({language for path in paths if (language := find_unread_language(path))}))


def measure_languages(sizes: Mapping[str, int]) -> dict[tuple[str, bool], int]:
    """Measure bytes of code by language, and whether an engine reads it; other files are left out."""
    found: dict[tuple[str, bool], int] = {}
    for path, size in sizes.items():
        if language := find_language(path):
            key = (language, not find_unread_language(path))
            found[key] = found.get(key, 0) + size
    return found
