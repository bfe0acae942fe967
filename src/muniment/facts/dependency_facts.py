"""Facts about the dependencies of a repository: whether its lock files pin, and which frameworks they have."""

from msgspec import Struct

from muniment.facts.maybe import Maybe


class LockContent(Struct, frozen=True):
    """Content of a lock file, or of a file that refers to images or actions.

    packages        how many it names
    unpinned        references whose content can change: an image without digest, an action by tag
    without_digest  packages from a registry or an address that no digest is recorded for
    """

    packages: int
    unpinned: tuple[str, ...]
    without_digest: tuple[str, ...]


class LockFile(Struct, frozen=True):
    """Lock file, by its path. Unknown content: it cannot be read, or it is a manifest that has no lock."""

    path: str
    content: Maybe[LockContent]


class FrameworkUse(Struct, frozen=True):
    """Framework that a lock file has, by its name in `facts.framework_support`. `version` is "" if it states none."""

    name: str
    version: str


class FrameworkFile(Struct, frozen=True):
    """Frameworks of a lock file, by its path. Unknown: it cannot be read, or it is a manifest that has no lock."""

    path: str
    uses: Maybe[tuple[FrameworkUse, ...]]
