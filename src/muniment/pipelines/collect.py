"""Facts of a product that stand in its repository: the pipeline files at a commit, and what an engine says of them."""

from collections.abc import Callable, Collection
from typing import Any

from muniment.errors import GitError
from muniment.facts import kinds
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.pipeline import ForgeSettings, Hardening, PipelineFile, System
from muniment.git.repository import Repository
from muniment.pipelines import files, hardening

NAMES = (kinds.PIPELINE_FILES.name, kinds.HARDENING.name, kinds.FORGE_SETTINGS.name)
NO_FORGE = ForgeSettings("", Known(()), Known(False), Known(False), Known(False))

_EXAMINED = (System.GITHUB, System.GITEA, System.FORGEJO)


def read(repository: Repository, commit: str, names: Collection[str]) -> dict[str, Maybe[Any]]:
    """Those facts of NAMES that go by `names`, as the repository has them at `commit`. It never raises."""
    readers: dict[str, Callable[[tuple[files.Content, ...]], Maybe[Any]]] = {
        kinds.PIPELINE_FILES.name: _files,
        kinds.HARDENING.name: _hardening,
        kinds.FORGE_SETTINGS.name: _settings,
    }
    wanted = [name for name in NAMES if name in names]
    try:
        found = files.contents(repository, commit) if wanted else ()
    except GitError as error:
        return dict.fromkeys(wanted, Unknown(error.message))
    return {name: readers[name](found) for name in wanted}


def _files(found: tuple[files.Content, ...]) -> Maybe[tuple[PipelineFile, ...]]:
    return Known(tuple(files.read(one) for one in found))


def _hardening(found: tuple[files.Content, ...]) -> Maybe[Hardening]:
    """Of the files that the engine understands; without any, there is nothing to run it on."""
    ours = [one for one in found if one.system in _EXAMINED]
    unread = [one.path for one in ours if isinstance(one.data, Unknown)]
    if unread:
        return Unknown(f"{unread[0]} could not be read")
    return Known(hardening.examine({one.path: one.data.value for one in ours if isinstance(one.data, Known)}))


def _settings(found: tuple[files.Content, ...]) -> Maybe[ForgeSettings]:
    """A repository without a forge's pipeline files has no forge that could keep anything for them."""
    others = [one for one in found if one.system is not System.SHELL]
    if others:
        return Unknown(f"{others[0].path} is run by a forge, and none is connected that could be asked")
    return Known(NO_FORGE)
