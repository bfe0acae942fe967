"""Facts of a product in its repository: the pipeline files at a commit, and an engine's findings in them."""

from collections.abc import Callable, Collection

from muniment.errors import GitError
from muniment.facts import kinds
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.pipeline import ForgeSettings, Hardening, PipelineFile, PipelineSystem
from muniment.git.repository import Repository
from muniment.pipelines import hardening, pipeline_files

PIPELINE_FACTS = (kinds.PIPELINE_FILES.name, kinds.HARDENING.name, kinds.FORGE_SETTINGS.name)
NO_FORGE = ForgeSettings("", Known(()), Known(False), Known(False), Known(False))

_EXAMINED = (PipelineSystem.GITHUB, PipelineSystem.GITEA, PipelineSystem.FORGEJO)


def read_pipeline_facts(repository: Repository, commit: str, names: Collection[str]) -> dict[str, Maybe[object]]:
    """Read those facts of NAMES that go by `names`, as the repository has them at `commit`. It never raises."""
    readers: dict[str, Callable[[tuple[pipeline_files.FileContent, ...]], Maybe[object]]] = {
        kinds.PIPELINE_FILES.name: _read_files,
        kinds.HARDENING.name: _read_hardening,
        kinds.FORGE_SETTINGS.name: _assume_settings,
    }
    wanted = [name for name in PIPELINE_FACTS if name in names]
    try:
        found = pipeline_files.list_pipeline_files(repository, commit) if wanted else ()
    except GitError as error:
        return dict.fromkeys(wanted, Unknown(error.message))
    return {name: readers[name](found) for name in wanted}


def _read_files(found: tuple[pipeline_files.FileContent, ...]) -> Maybe[tuple[PipelineFile, ...]]:
    return Known(tuple(pipeline_files.read_pipeline_file(one) for one in found))


def _read_hardening(found: tuple[pipeline_files.FileContent, ...]) -> Maybe[Hardening]:
    """Findings in the files that the engine understands; without such files it does not run."""
    ours = [one for one in found if one.system in _EXAMINED]
    unread = [one.path for one in ours if isinstance(one.data, Unknown)]
    if unread:
        return Unknown(f"{unread[0]} could not be read")
    return Known(hardening.examine_files({one.path: one.data.value for one in ours if isinstance(one.data, Known)}))


def _assume_settings(found: tuple[pipeline_files.FileContent, ...]) -> Maybe[ForgeSettings]:
    """Settings of no forge: a repository without a forge's pipeline files has none that could store anything for
    them.
    """
    others = [one for one in found if one.system is not PipelineSystem.SHELL]
    if others:
        return Unknown(f"{others[0].path} is run by a forge, and none is connected that could be asked")
    return Known(NO_FORGE)
