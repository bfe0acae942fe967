"""Target of a probe: loopback or a named host, and never production, by its name, its address or a redirect.

A production host whose address cannot be resolved may be the target: the probe is refused, except on this machine.
"""

import ipaddress
from collections.abc import Callable, Iterable
from urllib.parse import urljoin, urlsplit

from msgspec import Struct

from muniment.design.model import DesignModel
from muniment.errors import HttpError, UsageError
from muniment.http.addresses import ServerAddress, is_loopback, parse_server_address

Resolve = Callable[[str], frozenset[str]]  # addresses of a host; raises OSError
_ENTRY = 'Add [[environment]] to design.toml: id = "production", production = true, hosts = ["shop.example.org"].'


class ProbeTarget(Struct, frozen=True):
    """Server that may be probed, and names and addresses of production, to which it must not lead."""

    address: ServerAddress
    production: frozenset[str]


def select_target(model: DesignModel, url: str, named: Iterable[str], resolve: Resolve) -> ProbeTarget:
    """Target at `url`. `named`: hosts that the person names besides. Raises UsageError for every other server."""
    try:
        address = parse_server_address(url, plain=True)
    except HttpError as error:
        raise UsageError(error.message, error.remedy) from None
    production = frozenset(
        _normalise_host(host) for each in model.environments if each.production for host in each.hosts
    )
    if not production:
        raise UsageError("the design does not say which hosts are production, so none can be refused", _ENTRY)
    host = _normalise_host(address.host)
    if address.socket:
        raise UsageError(
            "a socket cannot be probed", "Name the address of a test instance, such as http://127.0.0.1:8000."
        )
    if is_production(host, production):
        raise UsageError(f"{host} is production", "Probe a test instance: --url http://127.0.0.1:8000")
    local = is_loopback(host)
    if not local and host not in {_normalise_host(each) for each in named}:
        raise UsageError(f"{host} is not this machine", f"If it is a test instance, name it: --host {host}")
    addresses = _refuse_shared_addresses(host, production, resolve, local=local)
    return ProbeTarget(address, production | addresses)


def _refuse_shared_addresses(host: str, production: frozenset[str], resolve: Resolve, *, local: bool) -> frozenset[str]:
    """Addresses of production, as far as they are known here."""
    known: set[str] = set()
    try:
        addresses = resolve(host)
    except OSError:
        raise UsageError(f"{host} has no address", "Check the name, and that the instance runs.") from None
    for each in sorted(production):
        try:
            found = resolve(each)
        except OSError:
            if local:
                continue  # an address of this machine is not that of a host which has none here
            remedy = f"Probe where {each} can be resolved, or probe an instance on this machine."
            raise UsageError(f"{each} has no address here, so {host} may be production", remedy) from None
        known |= found
        if addresses & found:
            remedy = "Probe an instance that runs at an address of its own."
            raise UsageError(f"{host} has the address of {each}, which is production", remedy)
    return frozenset(known)


def is_production(host: str, production: frozenset[str]) -> bool:
    """Whether a host is one of production, or below one."""
    name = _normalise_host(host)
    return any(name == each or name.endswith(f".{each}") for each in production)


def leads_to_production(target: ProbeTarget, path: str, location: str) -> bool:
    """Whether an answer redirects to production."""
    try:
        host = urlsplit(urljoin(f"{target.address.origin}{path}", location)).hostname or ""
    except ValueError:
        return True  # an address that cannot be read may be any
    return is_production(host, target.production)


def _normalise_host(host: str) -> str:
    name = host.strip().lower().rstrip(".")
    try:
        return str(ipaddress.ip_address(name.strip("[]")))
    except ValueError:
        return name
