"""muniment design probe: calls the routes of a running test instance without rights."""

from collections.abc import Iterator

import click

from muniment.cli import printing
from muniment.design.model import DesignModel
from muniment.design.probe import InstanceProbe, ProbeReport, resolve_addresses
from muniment.design.probe_answers import ProbeStatus
from muniment.design.probe_target import select_target
from muniment.design.routes.route import RouteList
from muniment.errors import UsageError

_SIGNS = {ProbeStatus.REFUSED: "met", ProbeStatus.OPEN: "violated", ProbeStatus.PUBLIC: "met"}


def probe_instance(
    model: DesignModel, lists: tuple[RouteList, ...], url: str, hosts: tuple[str, ...], output: str, *, changing: bool
) -> int:
    """Probe the instance at `url`, and print the results. Exit code 0 if each route is refused or public."""
    if not any(found.routes for found in lists):
        raise UsageError("the design has no routes to call", "Add [[application]] with framework and root.")
    target = select_target(model, url, hosts, resolve_addresses)
    report = InstanceProbe(target, model, changing=changing).probe_routes(lists)
    if output == "json":
        printing.print_json({"tested": report.tested_count, "total": report.total, "results": report.results})
    else:
        for line in _format_report(report):
            click.echo(line)
    passed = all(each.status in (ProbeStatus.REFUSED, ProbeStatus.PUBLIC) for each in report.results)
    return 0 if passed and report.results else 1


def _format_report(report: ProbeReport) -> Iterator[str]:
    yield f"{report.tested_count} of {report.total} routes tested from outside, without rights."
    for each in report.results:
        if each.status in (ProbeStatus.OPEN, ProbeStatus.UNKNOWN):
            sign = printing.status_sign(_SIGNS.get(each.status, "unknown"))
            place = printing.dim_text(f"  {printing.make_printable(each.where)}")
            name = printing.make_printable(f"{each.method} {each.route}")
            yield f"  {sign} {name}: {printing.make_printable(each.detail)}{place}"


url_option = click.option("--url", required=True, metavar="URL", help="Address of the test instance.")
host_option = click.option(
    "--host",
    "hosts",
    multiple=True,
    metavar="NAME",
    help="Test instance on another machine. Repeatable.",
)
changing_option = click.option(
    "--changing", is_flag=True, help="Call also methods that change data. The instance must state its test marker."
)
