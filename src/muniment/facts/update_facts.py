"""Facts about vulnerable dependencies of a product: what its locks were matched with, and which advisories are open."""

from msgspec import Struct


class UnreadLock(Struct, frozen=True):
    """Lock or manifest whose dependencies are unknown. `why` is a sentence without a full stop."""

    path: str
    why: str


class LockReading(Struct, frozen=True):
    """Newest reading of the locks of a repository. `read_at` is "" before the first; `problem` says why it failed."""

    repository: str
    read_at: str
    problem: str = ""
    unread: tuple[UnreadLock, ...] = ()


class AdvisoryData(Struct, frozen=True):
    """Advisories of one ecosystem that the product uses. `as_of` is their moment, "" if none were ever read."""

    ecosystem: str
    as_of: str
    problem: str = ""


class OpenAdvisory(Struct, frozen=True):
    """Advisory that affects a dependency of a lock, until no branch and no environment has it any more.

    The due date counts from `clock_from`, which is "" for malware. `is_certain` is false where the advisory does not
    say whether it affects this version.
    """

    number: int
    advisory: str
    package: str
    version: str
    path: str
    severity: str
    clock_from: str
    is_malware: bool = False
    is_certain: bool = True
    is_development: bool = False


class ProductAdvisories(Struct, frozen=True):
    """Open advisories of a product, with the readings and the data that they come from."""

    readings: tuple[LockReading, ...]
    data: tuple[AdvisoryData, ...]
    advisories: tuple[OpenAdvisory, ...]


class NewVulnerability(Struct, frozen=True):
    """Vulnerability of a package that a change brings into a lock. `safe_version` is "" if none is known."""

    path: str
    package: str
    version: str
    advisory: str
    severity: str
    safe_version: str = ""
    is_malware: bool = False
    is_certain: bool = True


class ChangeDependencies(Struct, frozen=True):
    """Dependencies that a change alters: `locks` counts the files, `unread` are those that it makes unknown."""

    locks: int
    vulnerabilities: tuple[NewVulnerability, ...] = ()
    unread: tuple[UnreadLock, ...] = ()
    data: tuple[AdvisoryData, ...] = ()


class UpdatedLock(Struct, frozen=True):
    """Lock of a repository, and who updates it.

    `by_us`: its format is one that Muniment moves. `bot` is the newest machine account whose pull request altered it,
    "" for none, and `seen_at` the moment of that pull request.
    """

    path: str
    by_us: bool
    bot: str = ""
    seen_at: str = ""


class UpdateMachinery(Struct, frozen=True):
    """Machinery that updates the locks of a repository.

    `proven_at` is the moment of the newest canary that passed (worker, registry, package manager and forge), "" for
    none; `problem` says why the newest one did not pass, "" if it did. `since` is when the repository was connected.
    """

    repository: str
    since: str
    proven_at: str = ""
    problem: str = ""
    locks: tuple[UpdatedLock, ...] = ()
    unread: tuple[UnreadLock, ...] = ()


class UpdateAutomation(Struct, frozen=True):
    """Machinery for updates of every repository of a product."""

    repositories: tuple[UpdateMachinery, ...]


class NewRelease(Struct, frozen=True):
    """Version of a package that a change brings into a lock.

    `published` is the moment of its latest file by the registry, "" if it is not known; `why` says why. `fixes` is the
    highest severity of the vulnerabilities that the version before has and this one has not, "" for none.
    """

    path: str
    package: str
    version: str
    published: str
    why: str = ""
    fixes: str = ""
    is_exploited: bool = False


class ChangeReleases(Struct, frozen=True):
    """Versions that a change brings: `locks` counts the altered files, `unread` are those that it makes unknown."""

    locks: int
    releases: tuple[NewRelease, ...] = ()
    unread: tuple[UnreadLock, ...] = ()
