"""Acts of reports of other tools: send one, declare what a tool scans, end that, and store what a report changes."""

from datetime import datetime
from typing import Annotated, ClassVar

import msgspec
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from muniment.access.actions import Action
from muniment.access.authorization import Actor, Resource
from muniment.errors import RefusedError
from muniment.facts import canonical
from muniment.scanners.imports.sarif_import import ImportedFinding
from muniment.scanners.owasp_categories import find_category
from muniment.server.acts.act import Act, ActContext
from muniment.server.acts.fields import number_input
from muniment.server.acts.guarded_state import GuardedFacts
from muniment.server.acts.inputs import Label, Text, TextLines
from muniment.server.findings.finding_events import GONE, IMPORTED, RAISED, REOPENED, add_events
from muniment.server.findings.models import FindingSource, ProductFinding, ReceivedReport, ToolCoverage
from muniment.server.findings.report_plan import RunPlan
from muniment.server.job_queue import enqueue_first
from muniment.server.products.act_fields import make_permitted_repository_input
from muniment.server.products.models import Repository
from muniment.server.products.visible_products import within_reach

_DIGEST = r"sha256:[0-9a-f]{64}"
_PATHS_HINT = gettext_lazy("Patterns, one a line, such as src/*. A * stands for / too.")


class RepositoryAct(Act, frozen=True):
    """Base of acts on a repository of a product."""

    repository: Annotated[int, make_permitted_repository_input(Action.HANDLE_FINDING)]

    def load_repository(self) -> Repository:
        """Row of the repository, with its product."""
        return Repository.objects.select_related("product").get(pk=self.repository)

    def find_resource(self) -> Resource:
        return Resource(product=self.load_repository().product.slug)

    def format_subject(self) -> str:
        return f"repository:{self.repository}"


class SendReport(RepositoryAct, frozen=True):
    """Send a report of another tool (SARIF) for the protected branch of a repository. The worker imports it."""

    actions: ClassVar[tuple[Action, ...]] = (Action.HANDLE_FINDING,)
    title: ClassVar[Label] = gettext_lazy("Import report")
    carries_secret: ClassVar[bool] = True  # the report, by gzip: too large for a field

    digest: Annotated[
        str,
        Text(
            label=gettext_lazy("Digest of the report"),
            most=71,
            pattern=_DIGEST,
            form=gettext_lazy("Write sha256: and 64 digits."),
            recorded=True,
        ),
    ]

    def describe_act(self) -> str:
        return _("import a report of another tool for %(repository)s") % {"repository": self.load_repository().name}

    def check_preconditions(self, context: ActContext) -> None:
        """Require a product that is not retired."""
        if self.load_repository().product.retired_at is not None:
            raise RefusedError("product-retired", _("The product is retired."), _("Choose another product."))

    def carry_out(self, context: ActContext) -> int:
        """Store the report for the worker. Returns its number."""
        row = ReceivedReport.objects.create(
            repository_id=self.repository, digest=self.digest, content=context.secret, person_id=context.requester
        )
        enqueue_first("import-report", report=row.pk)
        return row.pk


class DeclareCoverage(RepositoryAct, frozen=True, kw_only=True):
    """Declare which files a tool scans whose reports have no list of files, and its canary."""

    actions: ClassVar[tuple[Action, ...]] = (Action.DECLARE_COVERAGE,)
    title: ClassVar[Label] = gettext_lazy("Declare what a tool scans")

    tool: Annotated[str, Text(label=gettext_lazy("Tool, as its report names it"), most=100, recorded=True)]
    paths: Annotated[
        tuple[str, ...],
        TextLines(label=gettext_lazy("Files that it scans"), hint=_PATHS_HINT, most=200, recorded=True),
    ]
    languages: Annotated[
        tuple[str, ...],
        TextLines(
            label=gettext_lazy("Of these, only files in these languages"),
            hint=gettext_lazy("One a line; blank for all."),
            most=30,
            recorded=True,
        ),
    ] = ()
    canary_rule: Annotated[
        str,
        Text(
            label=gettext_lazy("Rule of its canary"),
            hint=gettext_lazy("A weakness that you planted. A report without it counts for nothing."),
            most=200,
            recorded=True,
        ),
    ]
    canary_path: Annotated[str, Text(label=gettext_lazy("File of its canary"), most=300, monospace=True, recorded=True)]

    @classmethod
    def guarded_state(cls) -> GuardedFacts:
        """The declarations in force."""
        rows = ToolCoverage.objects.filter(ended_at=None).select_related("repository")
        return GuardedFacts(
            permitted=frozenset(
                (row.repository.name, row.tool, *row.paths, *row.languages, row.canary_rule, row.canary_path)
                for row in rows
            )
        )

    def describe_act(self) -> str:
        details = {"tool": self.tool, "repository": self.load_repository().name, "paths": ", ".join(self.paths)}
        return _("declare that %(tool)s scans %(paths)s of %(repository)s") % details

    def carry_out(self, context: ActContext) -> None:
        """End the declaration that was in force for the tool, and add this one."""
        rows = ToolCoverage.objects.filter(repository=self.repository, tool__iexact=self.tool, ended_at=None)
        rows.update(ended_at=timezone.now())
        ToolCoverage.objects.create(
            repository_id=self.repository,
            tool=self.tool,
            paths=list(self.paths),
            languages=list(self.languages),
            canary_rule=self.canary_rule,
            canary_path=self.canary_path,
            requester_id=context.requester,
            approver_id=context.approver,
        )


def visible_coverages(actor: Actor) -> "QuerySet[ToolCoverage]":
    """Declarations for the products whose findings an actor may see."""
    return ToolCoverage.objects.filter(within_reach(actor, Action.SEE_FINDINGS, "repository__product"))


class EndCoverage(Act, frozen=True):
    """End the declaration of what a tool scans. Its reports without a list then count for no file."""

    actions: ClassVar[tuple[Action, ...]] = (Action.HANDLE_FINDING,)
    title: ClassVar[Label] = gettext_lazy("End declaration")

    declaration: Annotated[
        int,
        number_input(
            label=gettext_lazy("Declaration"),
            rows=visible_coverages,
            missing=gettext_lazy("There is no such declaration."),
            remedy=gettext_lazy("Choose one that the page Findings of the product shows."),
            recorded=True,
        ),
    ]

    def load_declaration(self) -> ToolCoverage:
        """Row of the declaration, with its product."""
        return ToolCoverage.objects.select_related("repository__product").get(pk=self.declaration)

    def find_resource(self) -> Resource:
        return self.load_declaration().access_resource

    def format_subject(self) -> str:
        return f"tool-coverage:{self.declaration}"

    def describe_act(self) -> str:
        row = self.load_declaration()
        details = {"tool": row.tool, "repository": row.repository.name}
        return _("end the declaration of what %(tool)s scans of %(repository)s") % details

    def check_preconditions(self, context: ActContext) -> None:
        """Require that it is in force."""
        if self.load_declaration().ended_at is not None:
            raise RefusedError("declaration-over", _("It is over already."), _("There is nothing left to do."))

    def carry_out(self, context: ActContext) -> None:
        """End it from now on."""
        ToolCoverage.objects.filter(pk=self.declaration).update(ended_at=timezone.now())


def _all_reports(actor: Actor) -> "QuerySet[ReceivedReport]":
    return ReceivedReport.objects.all()


class StoreReport(Act, frozen=True):
    """Store what a report changes: findings that are new, open again, moved or closed."""

    actions: ClassVar[tuple[Action, ...]] = (Action.SCAN_CODE,)
    title: ClassVar[Label] = gettext_lazy("Store report")

    report: Annotated[
        int,
        number_input(
            label=gettext_lazy("Report"),
            rows=_all_reports,
            missing=gettext_lazy("There is no such report."),
            remedy=gettext_lazy("Send the report again."),
            recorded=True,
        ),
    ]
    digest: Annotated[str, Text(label=gettext_lazy("Digest of the changes"), most=71, recorded=True)]

    def load_report(self) -> ReceivedReport:
        """Row of the report, with its product."""
        return ReceivedReport.objects.select_related("repository__product").get(pk=self.report)

    def find_resource(self) -> Resource:
        return Resource(product=self.load_report().repository.product.slug)

    def format_subject(self) -> str:
        return f"product:{self.load_report().repository.product.slug}"

    def describe_act(self) -> str:
        return _("store a report for %(repository)s") % {"repository": self.load_report().repository.name}

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse another plan than the one whose digest is recorded."""
        if canonical.digest_bytes(bytes(self.load_report().plan)) != self.digest:
            raise RefusedError("other-plan", _("The changes differ from their digest."), _("Send the report again."))

    def carry_out(self, context: ActContext) -> None:
        """Carry out the plan of each run."""
        row, now = self.load_report(), timezone.now()
        for plan in msgspec.msgpack.decode(bytes(row.plan), type=list[RunPlan]):
            _store_run(row.repository, plan, now)


def _store_run(repository: Repository, plan: RunPlan, now: datetime) -> None:
    made = ProductFinding.objects.bulk_create(
        [
            ProductFinding(
                product=repository.product,
                repository=repository,
                source=FindingSource.IMPORTED,
                tool=plan.tool,
                category=plan.category,
                rule=one.finding.rule[:200],
                fingerprint=one.finding.fingerprint,
                copy=one.number,
                first_found_at=now,
                clock_from=now,
                is_baseline=plan.is_first,
                **_describe_imported(one.finding),
            )
            for one in plan.new
        ]
    )
    for one in plan.reopened:
        ProductFinding.objects.filter(pk=one.number).update(gone_at=None, **_describe_place(one.finding))
    for one in plan.moved:
        ProductFinding.objects.filter(pk=one.number).update(**_describe_place(one.finding))
    ProductFinding.objects.filter(pk__in=plan.closed).update(gone_at=now)
    for one in plan.raised:
        rows = ProductFinding.objects.filter(pk=one.number)
        rows.update(severity=one.finding.severity.value, clock_from=now)
    add_events((row.pk for row in made), IMPORTED)
    add_events((one.number for one in plan.raised), RAISED)
    add_events((one.number for one in plan.reopened), REOPENED)
    add_events(plan.closed, GONE)


def _describe_place(found: ImportedFinding) -> dict[str, str | int]:
    return {"path": found.place[:1000], "line": found.line, "message": found.message}


def _describe_imported(found: ImportedFinding) -> dict[str, str | int | bool]:
    cwe = found.cwe[0] if found.cwe else 0
    return {
        "severity": found.severity.value,
        "is_severity_given": not found.is_severity_assumed,
        "cwe": cwe,
        "owasp_2021": find_category(cwe, 2021),
        "owasp_2025": find_category(cwe, 2025),
        **_describe_place(found),
    }
