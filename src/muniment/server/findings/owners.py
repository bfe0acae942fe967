"""Owners of findings: by CODEOWNERS, else the last person who changed the file, else the owners of the product."""

import time
from collections.abc import Collection, Iterable, Mapping
from collections.abc import Set as AbstractSet

import msgspec
from django.db.models import Q

from muniment.errors import GitError
from muniment.facts import paths
from muniment.forges.forge_kind import OwnerSyntax
from muniment.forges.registry import FORGE_KINDS
from muniment.forges.shapes import Vendor
from muniment.git.repository import Repository as Git
from muniment.server.connections.forge_access import load_active_link
from muniment.server.findings.models import OwnerBasis, ProductFinding
from muniment.server.people.models import Account, Person
from muniment.server.products.models import Repository
from muniment.workflows.code_owners import CodeOwners, parse_code_owners

_MOST_PATHS = 300  # whose last changer is looked for in one scan
_GIT_SECONDS = 20  # of one path
_MOST_SECONDS = 60  # of all: a long history must not delay a scan


class PathOwner(msgspec.Struct, frozen=True):
    """Owner of a path. `person` is a row of Person, "" for a team; `name` is what CODEOWNERS says, for such a team."""

    basis: OwnerBasis
    person: str = ""
    name: str = ""


def find_owners(repository: Repository, git: Git, tip: str, wanted: Collection[str]) -> dict[str, PathOwner]:
    """Find the owners of paths at a commit. A path that is left out belongs to the owners of the product."""
    connected = load_active_link(repository.pk)
    prefix = f"{connected.connection.slug}/" if connected is not None else ""
    rules = read_code_owners(git, tip, Vendor(connected.connection.vendor) if connected is not None else None)
    wanted = sorted(wanted)
    listed = {path: rules.find_owners(path) for path in wanted}
    known = _find_people({name for names in listed.values() for name in names}, prefix)
    owners = {}
    for path, names in listed.items():
        person = next((known[name] for name in names if name in known), "")
        if names:
            team = "" if person else " ".join(names)[:300]
            owners[path] = PathOwner(OwnerBasis.CODE_OWNERS, person, team)
    changers = _read_last_changers(git, tip, [path for path in wanted if path not in owners][:_MOST_PATHS])
    people = _find_people(set(changers.values()), "")
    for path, address in changers.items():
        if address in people:
            owners[path] = PathOwner(OwnerBasis.LAST_CHANGE, people[address])
    return owners


def store_owners(repository: Repository, owners: Mapping[str, PathOwner]) -> None:
    """Store the owner of each finding in the code of a repository, unless a person assigned it."""
    rows = ProductFinding.objects.filter(repository=repository, gone_at=None).exclude(path="")
    rows = rows.exclude(owner_basis=OwnerBasis.ASSIGNED)
    for number, path, *stored in rows.values_list("pk", "path", "owner", "owner_basis", "owner_name"):
        owner = owners.get(path, PathOwner(OwnerBasis.PRODUCT))
        if [str(stored[0] or ""), *stored[1:]] != [owner.person, owner.basis, owner.name]:
            values = {"owner_id": owner.person or None, "owner_basis": owner.basis, "owner_name": owner.name}
            # Somebody may have assigned it meanwhile.
            ProductFinding.objects.filter(pk=number).exclude(owner_basis=OwnerBasis.ASSIGNED).update(**values)


def read_code_owners(git: Git, tip: str, vendor: Vendor | None) -> CodeOwners:
    """Read the CODEOWNERS file at a commit, as the forge does; without a forge as GitHub, in every known folder."""
    kinds = [FORGE_KINDS[vendor]] if vendor is not None else list(FORGE_KINDS.values())
    syntax = kinds[0].owner_syntax if vendor is not None else OwnerSyntax.PATTERNS
    for folder in dict.fromkeys(folder for kind in kinds for folder in kind.owner_folders):
        found = git.objects.read_git_object(f"{tip}:{folder}CODEOWNERS")
        if found is not None and found.kind == "blob":
            return parse_code_owners(found.data, syntax)
    return CodeOwners(syntax)


def _find_people(names: AbstractSet[str], prefix: str) -> dict[str, str]:
    """Find the active people whom addresses and `@logins` belong to, for certain. `prefix`: that of the forge."""
    hashes: dict[str, str] = {}
    for name in names:
        if name.startswith("@"):
            if prefix and "/" not in name:
                hashes[Account.hash_identity(Account.Kind.LOGIN, prefix + name[1:])] = name
        elif "@" in name:
            hashes[Account.hash_identity(Account.Kind.EMAIL, name)] = name
    rows = Account.objects.filter(Account.counting_condition(), identity_hash__in=hashes, person__active=True)
    found = {hashes[digest]: str(person) for digest, person in rows.values_list("identity_hash", "person")}
    return found | _find_by_address(names - found.keys())


def _find_by_address(names: Iterable[str]) -> dict[str, str]:
    """Find people by the address to which their messages go."""
    wanted = {name.casefold(): name for name in names if "@" in name and not name.startswith("@")}
    condition = Q(email__in=[*wanted, *wanted.values()], active=True)
    rows = Person.objects.filter(condition).values_list("email", "pk")
    return {wanted[one.casefold()]: str(number) for one, number in rows if one and one.casefold() in wanted}


def _read_last_changers(git: Git, tip: str, wanted: Iterable[str]) -> dict[str, str]:
    """Address of the author of the last commit that changed each path. A path without an answer is left out."""
    found: dict[str, str] = {}
    began = time.monotonic()
    for path in wanted:
        if time.monotonic() - began > _MOST_SECONDS:
            break
        name = paths.encode_path(path).decode("utf-8", "surrogateescape")
        try:
            options = ("--format=%ae", "--max-count=1")
            out = git.run_git("log", *options, values=(tip,), paths=(f":(literal){name}",), timeout=_GIT_SECONDS)
        except GitError:
            continue
        address = out.decode("utf-8", "replace").strip()
        if address:
            found[path] = address
    return found
