"""Package URLs (purl) of dependencies. Source: https://github.com/package-url/purl-spec"""

from packageurl import PackageURL

from muniment.errors import ParseError
from muniment.updates.advisories import normalise_name
from muniment.updates.dependencies import Dependency, Ecosystem

_TYPES = {
    Ecosystem.PYPI: "pypi",
    Ecosystem.NPM: "npm",
    Ecosystem.GO: "golang",
    Ecosystem.CARGO: "cargo",
    Ecosystem.MAVEN: "maven",
    Ecosystem.GITHUB_ACTIONS: "githubactions",
    Ecosystem.IMAGE: "docker",
}
_ECOSYSTEMS = {name: ecosystem for ecosystem, name in _TYPES.items()}


def write_package_url(dependency: Dependency) -> str:
    """Package URL of a dependency, with its version if the lock states one."""
    name, namespace = dependency.name, ""
    if dependency.ecosystem is Ecosystem.MAVEN:
        namespace, _, name = name.rpartition(":")
    elif "/" in name:
        namespace, _, name = name.rpartition("/")
    return PackageURL(_TYPES[dependency.ecosystem], namespace or None, name, dependency.version or None).to_string()


def read_package_url(text: str) -> Dependency:
    """Ecosystem, name and version that a package URL names. Raises ParseError for other types, and for no URL."""
    try:
        url = PackageURL.from_string(text)
    except ValueError:
        raise ParseError("package-url", "this is no package URL", "Write it like pkg:pypi/django@4.2.1.") from None
    ecosystem = _ECOSYSTEMS.get(url.type)
    if ecosystem is None:
        raise ParseError(
            "package-url",
            f"packages of the type {url.type!r} are not known",
            f"Use one of these types: {', '.join(sorted(_ECOSYSTEMS))}.",
        )
    separator = ":" if ecosystem is Ecosystem.MAVEN else "/"
    name = f"{url.namespace}{separator}{url.name}" if url.namespace else url.name
    return Dependency(ecosystem, normalise_name(ecosystem, name), url.version or "")
