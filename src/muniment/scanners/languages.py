"""Languages in which only secrets are looked for, because no engine follows input through their code."""

from collections.abc import Iterable, Mapping

_LANGUAGES = {
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
_BY_SUFFIX = {suffix: name for name, suffixes in _LANGUAGES.items() for suffix in suffixes}


def find_unread_language(path: str) -> str:
    """Find the language of a file that no engine reads, "" for a file that is read or is no code."""
    name = path.rpartition("/")[2]
    return _BY_SUFFIX.get(name[name.rfind(".") :].lower(), "") if "." in name else ""


def list_unread_languages(paths: Iterable[str]) -> tuple[str, ...]:
    """List the languages of files that no engine reads."""
    return tuple(sorted({language for path in paths if (language := find_unread_language(path))}))


def measure_languages(sizes: Mapping[str, int]) -> dict[str, int]:
    """Measure bytes of code by language, Python and all that no engine reads; other files are left out."""
    found: dict[str, int] = {}
    for path, size in sizes.items():
        language = "Python" if path.endswith(".py") else find_unread_language(path)
        if language:
            found[language] = found.get(language, 0) + size
    return found
