"""Update of one lock to the smallest versions without known vulnerabilities, compared before it is proposed."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol, TypeVar

from msgspec import Struct

from muniment.errors import MunimentError
from muniment.programs.catalogue import REMEDIES, Program
from muniment.updates.advisory_index import AdvisoryIndex
from muniment.updates.dependencies import REGISTRIES, Ecosystem, Lock, LockFormat, LockFormatError
from muniment.updates.lock_comparison import LockComparison, LockRefusal, RefusalCode, compare_locks
from muniment.updates.npm_lock_text import compare_folders
from muniment.updates.npm_plans import plan_npm_versions
from muniment.updates.npm_resolver import NpmResolver
from muniment.updates.registry_access import RegistrySource
from muniment.updates.registry_offers import CoolDown, VersionOffers
from muniment.updates.resolver_errors import ResolverError
from muniment.updates.resolver_tools import list_tools
from muniment.updates.text_comparison import TextComparison
from muniment.updates.uv_lock_text import OtherRevisionError, compare_blocks
from muniment.updates.uv_resolver import UvResolver
from muniment.updates.version_plans import LockedEntry, VersionPlan, order_entries, plan_versions

_PROGRAMS = {LockFormat.UV: Program.UV, LockFormat.NPM: Program.NPM}
MOVED_FORMATS = frozenset(_PROGRAMS)
_MOST_TRIED = 3  # packages that a registry is asked for: one alone may have been removed


class PackageMove(Struct, frozen=True):
    """Package that an update changes. `before` or `after` is () if it is new, or no longer required.

    advisories  identifiers of the vulnerabilities that the update clears; () for a package that moves along
    """

    name: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    advisories: tuple[str, ...]


class StayingPackage(Struct, frozen=True):
    """Vulnerable package that no update of this lock can move, with the reason and the next step."""

    name: str
    version: str
    advisories: tuple[str, ...]
    reason: str
    remedy: str


class LockUpdate(Struct, frozen=True):
    """New content of a lock. `same`: packages whose text is unchanged, byte for byte.

    smallest  whether it is proven that no smaller versions fit together
    header    entries of the lock besides its packages that the update writes
    """

    path: str
    moves: tuple[PackageMove, ...]
    staying: tuple[StayingPackage, ...]
    content: bytes
    same: int
    smallest: bool
    header: tuple[str, ...]
    tool: str


class UpdateRefusal(Struct, frozen=True):
    """Lock that is not updated although it has vulnerable packages."""

    path: str
    reason: str
    remedy: str
    staying: tuple[StayingPackage, ...] = ()


class UpdateSettings(Struct, frozen=True):
    """Circumstances of an update. `tools`: folders with package managers, before those on PATH.

    `packages`: names that may be updated, () for all. `exploited`: identifiers of exploited vulnerabilities.
    """

    index: AdvisoryIndex
    source: RegistrySource
    now: str
    tools: Sequence[str] = ()
    cool_down: CoolDown = CoolDown()
    packages: Sequence[str] = ()
    exploited: frozenset[str] = frozenset()


_NOT_MOVED = "this format is not moved by this version of Muniment"
_NO_WAY = "Wait for a release, replace the package, or ask for an exception."
_TOOL_REMEDY = "Name a folder with the version of {} that wrote the lock: --tools FOLDER."
_TEXTS = {
    RefusalCode.OTHER_FORMAT: "the new lock would be of another format: {}",
    RefusalCode.HEADER_CHANGED: "the new lock would change its setting {}",
    RefusalCode.MEMBER_VANISHED: "the member {} of the workspace would vanish",
    RefusalCode.MEMBER_ADDED: "a member {} of the workspace would be added",
    RefusalCode.PACKAGE_VANISHED: "the package {} would vanish",
    RefusalCode.NEW_HOST: "packages would come from the host {}, which the lock did not have",
    RefusalCode.SOURCE_CHANGED: "the package {} would come from another source",
    RefusalCode.CONTENT_CHANGED: "the content of {} would change without a new version",
    RefusalCode.OUTSIDE_UPDATE: "the package {} would change, which no updated package requires",
    RefusalCode.NOT_UPDATED: "the package {} would not change",
}


def update_lock(
    lock: Lock, content: bytes, files: Mapping[str, bytes], settings: UpdateSettings
) -> LockUpdate | UpdateRefusal | None:
    """Update of a lock; None if it has no vulnerable package. No error is raised.

    `files`: contents of the repository's manifests by path.
    """
    ecosystem = lock.dependencies[0].ecosystem if lock.dependencies else Ecosystem.PYPI
    order = order_entries(lock)
    vulnerable = _find_vulnerable(order, ecosystem, settings)
    if not vulnerable:
        return None
    program = _PROGRAMS.get(lock.format)
    if program is None:
        return UpdateRefusal(
            lock.path,
            f"{lock.format.value}: {_NOT_MOVED}",
            "Update these packages with their package manager.",
            _describe_staying(dict.fromkeys(vulnerable, _NOT_MOVED), ecosystem, settings),
        )

    def plan_and_compare(resolver: UvResolver | NpmResolver) -> LockUpdate | UpdateRefusal:
        if isinstance(resolver, UvResolver):
            plan = plan_versions(order, vulnerable, resolver.list_candidates, resolver.run_attempt)
            return _finish_update(lock, content, resolver, plan, compare_blocks, settings)
        plan = plan_npm_versions(resolver, vulnerable)
        return _finish_update(lock, content, resolver, plan, compare_folders, settings)

    return _try_tools(program, lock, content, files, settings, plan_and_compare)


def prove_updates(
    lock: Lock, content: bytes, files: Mapping[str, bytes], settings: UpdateSettings
) -> UpdateRefusal | None:
    """Prove that a lock can be updated now, whether or not it has to be; else why not. No error is raised.

    The package manager has to be there, start confined and take the lock as it is, and the registry has to answer.
    """
    program = _PROGRAMS.get(lock.format)
    if program is None:
        return UpdateRefusal(lock.path, f"{lock.format.value}: {_NOT_MOVED}", "Have a bot update this file.")
    return _try_tools(program, lock, content, files, settings, lambda resolver: _ask_registry(lock, resolver))


def _ask_registry(lock: Lock, resolver: UvResolver | NpmResolver) -> None:
    """Ask for some packages of a lock. Raises ResolverError if the registry has none of them."""
    names = list(dict.fromkeys(each.name for each in lock.dependencies if each.source.kind in REGISTRIES))
    tried = names[:_MOST_TRIED]
    if tried and not any(resolver.registry.list_releases(name) for name in tried):
        raise ResolverError(
            f"the registry does not answer, or does not have {', '.join(tried)}", "Make it reachable from here."
        )


_Answer = TypeVar("_Answer")


def _try_tools(
    program: Program,
    lock: Lock,
    content: bytes,
    files: Mapping[str, bytes],
    settings: UpdateSettings,
    use_resolver: Callable[[UvResolver | NpmResolver], _Answer],
) -> _Answer | UpdateRefusal:
    """Use the first tool that takes a lock as it is."""
    ecosystem = lock.dependencies[0].ecosystem if lock.dependencies else Ecosystem.PYPI
    make_resolver = UvResolver if program is Program.UV else NpmResolver
    refusal = missing = UpdateRefusal(lock.path, f"{program} is not installed", REMEDIES[program])
    for tool in list_tools(program, settings.tools):
        offers = VersionOffers(ecosystem, lock, settings.index, settings.now, settings.cool_down, settings.exploited)
        try:
            with make_resolver(lock, content, files, offers, settings.source, tool) as resolver:
                resolver.check_lock(content)
                return use_resolver(resolver)
        except OtherRevisionError as error:
            other = UpdateRefusal(lock.path, str(error), _TOOL_REMEDY.format(program))
            refusal = other if refusal is missing else refusal  # what a tool of the right version says counts more
        except (ResolverError, LockFormatError) as error:
            remedy = error.remedy if isinstance(error, MunimentError) else "Correct this file."
            message = error.message if isinstance(error, MunimentError) else str(error)
            refusal = UpdateRefusal(lock.path, message, remedy)
    return refusal


def _find_vulnerable(order: Sequence[LockedEntry], ecosystem: Ecosystem, settings: UpdateSettings) -> list[LockedEntry]:
    return [
        each
        for each in order
        if (not settings.packages or each.name in settings.packages)
        and any(match.certain for match in settings.index.match_version(ecosystem, each.name, each.version))
    ]


class _Resolver(Protocol):
    tool_name: str
    result: Lock
    content: bytes

    def check_lock(self, content: bytes) -> None: ...


def _finish_update(
    lock: Lock,
    content: bytes,
    resolver: _Resolver,
    plan: VersionPlan,
    compare_text: Callable[[bytes, bytes], TextComparison],
    settings: UpdateSettings,
) -> LockUpdate | UpdateRefusal:
    staying = _describe_staying(plan.failed, lock.dependencies[0].ecosystem, settings)
    if not plan.moved:
        reason = "no vulnerable package of this lock can move to a safe version"
        return UpdateRefusal(lock.path, reason, _NO_WAY, staying)
    resolver.check_lock(resolver.content)
    comparison = compare_update(lock, resolver.result, plan)
    text = compare_text(content, resolver.content)
    problems = [describe_refusal(each) for each in comparison.refusals]
    problems += [f"the entry of {name} would change without a new version" for name in text.altered]
    problems += _find_new_vulnerabilities(lock, resolver.result, settings)
    if problems:
        reason = f"the new lock is refused: {'; '.join(problems)}"
        return UpdateRefusal(lock.path, reason, "Update these packages with their package manager.", staying)
    header = [name for name, value in resolver.result.header if dict(lock.header).get(name) != value]
    moves = _describe_moves(comparison, settings)
    return LockUpdate(
        lock.path, moves, staying, resolver.content, text.same, plan.smallest, tuple(header), resolver.tool_name
    )


def compare_update(before: Lock, after: Lock, plan: VersionPlan) -> LockComparison:
    """Compare the locks of a plan.

    The vulnerable packages may change, and what has to change with them: what a new version requires, and what requires
    a package that changed.
    """
    names = {entry.name for entry in plan.moved}
    cleared = {entry.name for entry in plan.released} & names
    required, requirers = _list_edges(after), _list_edges(before, reverse=True)
    while (
        new := {
            each for name in cleared for each in (*required.get(name, ()), *requirers.get(name, ())) if each in names
        }
        - cleared
    ):
        cleared |= new
    ecosystems = {each.name: each.ecosystem for each in before.dependencies}
    return compare_locks(before, after, sorted((ecosystems[name], name) for name in cleared))


def _list_edges(lock: Lock, *, reverse: bool = False) -> dict[str, set[str]]:
    """Names that each package of a lock requires, or is required by."""
    keys = {each.key: each.name for each in lock.dependencies}
    found: dict[str, set[str]] = {}
    for each in lock.dependencies:
        for key in each.requires:
            if key in keys:
                start, end = (keys[key], each.name) if reverse else (each.name, keys[key])
                found.setdefault(start, set()).add(end)
    return found


def describe_refusal(refusal: LockRefusal) -> str:
    """Reason why a new lock is refused, as a clause of a sentence."""
    return _TEXTS[refusal.code].format(refusal.subject)


def _find_new_vulnerabilities(before: Lock, after: Lock, settings: UpdateSettings) -> list[str]:
    """Vulnerable versions that only the new lock has: none was offered, but the resolver's answer is untrusted."""
    old = {each.key for each in before.dependencies}
    return [
        f"{each.key} is vulnerable"
        for each in after.dependencies
        if each.key not in old and settings.index.match_version(each.ecosystem, each.name, each.version)
    ]


def _describe_moves(comparison: LockComparison, settings: UpdateSettings) -> tuple[PackageMove, ...]:
    moves = []
    for each in comparison.changes:
        cleared = dict.fromkeys(
            match.vulnerability.id
            for version in each.before
            if version not in each.after
            for match in settings.index.match_version(each.ecosystem, each.name, version)
            if match.certain
        )
        moves.append(PackageMove(each.name, each.before, each.after, tuple(cleared)))
    return tuple(sorted(moves, key=lambda move: (not move.advisories, move.name)))


def _describe_staying(
    failed: Mapping[LockedEntry, str], ecosystem: Ecosystem, settings: UpdateSettings
) -> tuple[StayingPackage, ...]:
    return tuple(
        StayingPackage(
            entry.name,
            entry.version,
            tuple(
                match.vulnerability.id
                for match in settings.index.match_version(ecosystem, entry.name, entry.version)
                if match.certain
            ),
            reason,
            _NO_WAY,
        )
        for entry, reason in failed.items()
    )


def list_cleared(updates: Collection[LockUpdate]) -> tuple[str, ...]:
    """Identifiers of all vulnerabilities that some updates clear."""
    return tuple(dict.fromkeys(name for update in updates for move in update.moves for name in move.advisories))
