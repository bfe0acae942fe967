"""CycloneDX SBOMs (https://cyclonedx.org): written from locks, and read as a lock of their own."""

import warnings
from collections.abc import Mapping

from muniment.errors import ParseError
from muniment.updates.dependencies import Dependency, Lock, LockFormat, LockFormatError, Relation
from muniment.updates.dependency_graph import NOT_REACHED, Root, find_reaches
from muniment.updates.lock_values import decode_lock_json, get_list, get_table, get_tables, get_text, get_texts
from muniment.updates.package_urls import read_package_url, write_package_url

_VERSIONS = ("1.2", "1.3", "1.4", "1.5", "1.6", "1.7")


def write_sbom(name: str, lock: Lock) -> bytes:
    """SBOM of one lock in CycloneDX 1.6, as JSON. The same lock gives the same components in the same order."""
    from cyclonedx.model.bom import Bom
    from cyclonedx.model.component import Component, ComponentScope, ComponentType
    from cyclonedx.output.json import JsonV1Dot6
    from packageurl import PackageURL

    root = Component(type=ComponentType.APPLICATION, name=name, bom_ref=f"project:{name}")
    bom = Bom()
    bom.metadata.component = root
    components: dict[str, Component] = {}
    for each in lock.dependencies:
        if each.key in components:
            continue
        url = write_package_url(each)
        components[each.key] = Component(
            type=ComponentType.LIBRARY,
            name=each.name,
            version=each.version or None,
            purl=PackageURL.from_string(url),
            bom_ref=url,
            scope=ComponentScope.EXCLUDED if each.development else ComponentScope.REQUIRED,
        )
        bom.components.add(components[each.key])
    direct = [components[each.key] for each in lock.dependencies if each.relation is Relation.DIRECT]
    bom.register_dependency(root, direct)
    for each in lock.dependencies:
        required = [components[key] for key in each.requires if key in components]
        bom.register_dependency(components[each.key], required)
    with warnings.catch_warnings():  # of a graph without direct dependencies, which some locks do not record
        warnings.simplefilter("ignore", UserWarning)
        return JsonV1Dot6(bom).output_as_string(indent=2).encode()


def parse_sbom(path: str, content: bytes, _files: Mapping[str, bytes]) -> Lock:
    """Components of an SBOM as a lock. Raises LockFormatError.

    The document is read by us, not by the library that writes: that one drops what it does not understand.
    """
    document = decode_lock_json(content)
    version = get_text(document, "specVersion", "")
    if document.get("bomFormat") != "CycloneDX" or version not in _VERSIONS:
        raise LockFormatError("it is no CycloneDX SBOM of a version that is known")
    found: dict[str, Dependency] = {}
    scopes: dict[str, str] = {}
    gaps: list[str] = []
    for component in _list_components(document):
        reference = get_text(component, "bom-ref", "") or get_text(component, "purl", "")
        try:
            found[reference] = read_package_url(get_text(component, "purl", ""))
        except ParseError:
            gaps.append(f"the component {get_text(component, 'name')} has no package URL that is known")
            continue
        scopes[reference] = get_text(component, "scope", "required")
    edges = {get_text(e, "ref"): get_texts(e, "dependsOn") for e in get_tables(document, "dependencies")}
    root = get_table(get_table(document, "metadata"), "component")
    name = get_text(root, "name", path)
    reaches = find_reaches(
        [Root(name, edges.get(get_text(root, "bom-ref", ""), ()))],
        edges,
        {key: each.name for key, each in found.items()},
    )
    dependencies = []
    for reference, each in found.items():
        reach = reaches.get(reference, NOT_REACHED)
        required = tuple(found[key].key for key in edges.get(reference, ()) if key in found)
        dependencies.append(
            Dependency(
                each.ecosystem,
                each.name,
                each.version,
                reach.relation,
                reach.path,
                scopes[reference] == "excluded",
                requires=required,
            )
        )
    return Lock(path, LockFormat.CYCLONEDX, tuple(dependencies), version, (name,), (), tuple(gaps))


def _list_components(document: dict[str, object]) -> list[dict[str, object]]:
    """Components with those that they contain."""
    found: list[dict[str, object]] = []
    waiting = list(get_tables(document, "components"))
    while waiting:
        component = waiting.pop(0)
        found.append(component)
        if get_list(component, "components"):
            waiting.extend(get_tables(component, "components"))
    return found
