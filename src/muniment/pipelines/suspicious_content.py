"""Content of pipeline files that looks like a secret, a manual step or an unpinned reference, for every system.

No value of a secret leaves this module: findings have a name and a line.
"""

import re
from collections.abc import Iterator

from muniment.facts.pipeline import PipelineSpot

_HIDDEN_WORD = (
    r"(?:pass(?:word|wd|phrase)?|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|signing[_-]?key|"
    r"credentials?|client[_-]?secret|auth[_-]?key|pat|pwd)"
)
_SECRET_NAME = re.compile(rf"(?i)(?:^|[_.-]){_HIDDEN_WORD}(?:[_.-](?:id|key|value|base64|b64|prod|staging|\d+))?$")
_HARMLESS_NAME = re.compile(
    r"(?i)(?:[_.-](?:file|path|name|format|url|uri|ttl|type|length|header|field|id)|^id-token)$"
)
_GIVEN = re.compile(r"^\s*$|\$|^<.*>$|^(?:true|false|yes|no|null|none|~|read|write|inherit|\d{1,5})$", re.IGNORECASE)
_FORMS = re.compile(  # what is a secret by its form, whatever it is called
    r"AKIA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{40,}|glpat-[A-Za-z0-9_-]{20}|"
    r"xox[abpr]-[A-Za-z0-9-]{10,}|sk_live_[A-Za-z0-9]{16,}|npm_[A-Za-z0-9]{36}|hv[sb]\.[A-Za-z0-9_-]{20,}|"
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----|"
    r"(?<![A-Za-z0-9_-])(?>[A-Za-z0-9_-]*?eyJ)(?>[A-Za-z0-9_-]{10,})\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]+|"
    r"://[^/\s:@$]+:[^/\s:@$]{3,}@"
)
_ASSIGNED = re.compile(
    r"(?:^|[\s;&|(])(?:export\s+|set\s+|env\s+)?([A-Za-z_][A-Za-z0-9_]*)=(\"[^\"]*\"|'[^']*'|[^\s;&|)]*)"
)
_OPTION = re.compile(rf"(?i)--({_HIDDEN_WORD})[= ](\"[^\"]*\"|'[^']*'|[^\s;&|)]+)")
_VARIABLE = re.compile(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)")
_PINNED_IMAGE = re.compile(r"@sha256:[0-9a-f]{64}$")
_FETCH = re.compile(r"\b(?:curl|wget)\b")
_TO_SHELL = re.compile(r"\|\s*(?:sudo\s+)?(?:ba|z|da)?sh\b")
_FROM_FETCH = re.compile(r"\b(?:ba|z|da)?sh\s+<\(\s*(?:curl|wget)\b")
_RUN_IMAGE = re.compile(r"\b(?:docker|podman)\s+run\s+([^;&|]*)")
_SWITCHES = ("--rm", "--init", "--privileged", "--interactive", "--tty", "--detach", "--read-only")
_PROMPT = re.compile(
    r"(?i)(?:^|[\s;&|])(?:read\s+-[a-z]*p|read\s+-p|select\s+\w+\s+in)\b|press (?:enter|any key|return)"
)
DEPLOYS = re.compile(
    r"(?i)\bdeploy|\brollout\b|\bkubectl\s+(?:apply|set|rollout)\b|\bhelm\s+(?:upgrade|install)\b|"
    r"\bterraform\s+apply\b|\bpulumi\s+up\b|\bansible-playbook\b|\bcap\s+production\b|\bflyctl?\b|\bserverless\s+deploy"
)
FETCHES = re.compile(r"\bmuniment\s+(?:run|deploy)\b")


def is_secret_name(name: str) -> bool:
    """Whether a name is likely to be that of a secret."""
    return _SECRET_NAME.search(name) is not None and _HARMLESS_NAME.search(name) is None


def is_written_out(name: str, value: str) -> bool:
    """Whether a value of that name is a secret in plain text, instead of a reference to one."""
    if _FORMS.search(value):
        return True
    return is_secret_name(name) and _GIVEN.search(value.strip("\"' ")) is None


def find_written_secrets(script: str, line: int) -> Iterator[PipelineSpot]:
    """Find secrets in plain text in a script. `line` is that of the script's first line."""
    for number, text in enumerate(script.split("\n")):
        found = [name for name, value in _ASSIGNED.findall(text) if is_written_out(name, value)]
        found += [f"--{name}" for name, value in _OPTION.findall(text) if _GIVEN.search(value.strip("\"'")) is None]
        if not found and _FORMS.search(text):
            found = ["a value of a known form"]
        for name in dict.fromkeys(found):
            yield PipelineSpot(line + number, name)


def find_requested_secrets(script: str, line: int, known: frozenset[str]) -> Iterator[PipelineSpot]:
    """Find secrets that a script takes from its environment, by name; not those that it, or `known`, sets itself."""
    own = known | {name for name, _ in _ASSIGNED.findall(script)}
    for number, text in enumerate(script.split("\n")):
        for name in dict.fromkeys(_VARIABLE.findall(text)):
            if is_secret_name(name) and name not in own and not name.startswith(("CI_", "GITHUB_")):
                yield PipelineSpot(line + number, name)


def find_unpinned_in_script(script: str, line: int) -> Iterator[PipelineSpot]:
    """Find the programs and images in a script that can change under their name."""
    for number, text in enumerate(script.split("\n")):
        if _runs_what_it_fetches(text):
            yield PipelineSpot(line + number, "a script from the network")
        for arguments in _RUN_IMAGE.findall(text):
            image = _find_image(arguments.split())
            if image and not is_pinned_image(image):
                yield PipelineSpot(line + number, image[:200])


def find_prompts(script: str, line: int) -> Iterator[PipelineSpot]:
    """Find the lines where a script waits for a person."""
    for number, text in enumerate(script.split("\n")):
        if _PROMPT.search(text):
            yield PipelineSpot(line + number, "it asks the person who runs it")


def is_pinned_image(image: str) -> bool:
    """Whether an image is named by its content, or by a variable."""
    return _PINNED_IMAGE.search(image) is not None or "$" in image or image == "scratch"


def _runs_what_it_fetches(line: str) -> bool:
    commands = line.replace("&", ";").split(";")
    piped = any(_TO_SHELL.search(one, fetch.end()) for one in commands if (fetch := _FETCH.search(one)))
    return piped or _FROM_FETCH.search(line) is not None


def _find_image(words: list[str]) -> str:
    """Find the image among the arguments of `docker run`: the first word that is no option and no option's value."""
    value = False
    for word in words:
        if word.startswith("-"):
            switch = word in _SWITCHES or re.fullmatch(r"-[itd]+", word) is not None
            value = "=" not in word and not switch
        elif value:
            value = False
        else:
            return word.strip("\"'")
    return ""
