"""Acts on records and the installation: correct a record, change the settings, retry a background job."""

from pathlib import Path
from typing import Annotated, ClassVar, Self

from django.conf import settings
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob

from muniment.access.actions import Action
from muniment.access.authorization import ORGANISATION, Actor, Resource
from muniment.errors import HomeFileError, ParseError
from muniment.facts import canonical
from muniment.server.acts.act import Act, ActContext
from muniment.server.acts.fields import number_input
from muniment.server.acts.inputs import InputCode, Label, Text
from muniment.server.records.installation import open_store
from muniment.server.records.models import Addendum, Record
from muniment.server.records.postgres_store import SETTINGS
from muniment.store.settings import read_settings

_LONGEST = 2000  # characters of each part of a correction


def _visible_records(actor: Actor) -> "QuerySet[Record]":
    return Record.objects.all()


def _failed_jobs(actor: Actor) -> "QuerySet[ProcrastinateJob]":
    return ProcrastinateJob.objects.filter(status="failed")


class InstallationAct(Act, frozen=True):
    """Act on a resource that belongs to no product."""

    def find_resource(self) -> Resource:
        return ORGANISATION


class CorrectRecord(InstallationAct, frozen=True):
    """State what is wrong in a record, and what is right, in a later record: the earlier one stays as it is."""

    actions: ClassVar[tuple[Action, ...]] = (Action.CORRECT_RECORD,)
    title: ClassVar[Label] = gettext_lazy("Correct record")

    record: Annotated[
        int,
        number_input(
            label=gettext_lazy("Record"),
            rows=_visible_records,
            missing=gettext_lazy("There is no such record."),
            remedy=gettext_lazy("Choose a record that the page Ledger shows."),
            recorded=True,
        ),
    ]
    wrong: Annotated[str, Text(label=gettext_lazy("What is wrong"), most=_LONGEST, multiline=True, recorded=True)]
    right: Annotated[str, Text(label=gettext_lazy("What is right"), most=_LONGEST, multiline=True, recorded=True)]

    def format_subject(self) -> str:
        """The record that is corrected."""
        return f"entry:{self.record}"

    def describe_act(self) -> str:
        """The record that is corrected."""
        return _("correct the record %(number)d") % {"number": self.record}

    def carry_out(self, context: ActContext) -> None:
        """Write no row: the record of the act is the correction."""

    def finish_after_record(self, context: ActContext) -> None:
        """Show the record of this act with the earlier one."""
        later = Record.objects.get(kind="person-action", details_digest=context.record)
        Addendum.objects.create(record_id=self.record, later_record_id=later.pk)


class ChangeSettings(InstallationAct, frozen=True):
    """Change home.toml: where the newest checkpoint is copied, and who else signs it."""

    actions: ClassVar[tuple[Action, ...]] = (Action.CHANGE_SETTINGS,)
    title: ClassVar[Label] = gettext_lazy("Change settings")

    text: Annotated[
        str, Text(label=gettext_lazy("home.toml"), most=20_000, multiline=True, monospace=True, verbatim=True)
    ] = ""

    def normalise_fields(self) -> Self:
        """Act unchanged. Raises ParseError for invalid settings."""
        try:
            read_settings(self.text, SETTINGS, Path(settings.HOME))
        except HomeFileError as error:
            raise ParseError(InputCode.MALFORMED, f"{error.message}.", error.remedy, "text") from None
        return self

    def format_subject(self) -> str:
        return "settings:home.toml"

    def describe_act(self) -> str:
        """The new digest of the file."""
        return _("change home.toml to %(digest)s") % {"digest": canonical.digest_bytes(self.text.encode())}

    def carry_out(self, context: ActContext) -> None:
        open_store().write_document(SETTINGS, self.text.encode())


class RetryJob(InstallationAct, frozen=True):
    """Have a failed background job tried again."""

    actions: ClassVar[tuple[Action, ...]] = (Action.RETRY_JOB,)
    title: ClassVar[Label] = gettext_lazy("Retry job")

    job: Annotated[
        int,
        number_input(
            label=gettext_lazy("Job"),
            rows=_failed_jobs,
            missing=gettext_lazy("No job of this number failed."),
            remedy=gettext_lazy("Choose a job that the page Work shows."),
            recorded=True,
        ),
    ]

    def format_subject(self) -> str:
        return f"task:{self.job}"

    def describe_act(self) -> str:
        """The task of the job."""
        return _("retry the job %(task)s") % {"task": ProcrastinateJob.objects.get(pk=self.job).task_name}

    def carry_out(self, context: ActContext) -> None:
        """Put the same task into the queue again."""
        job = ProcrastinateJob.objects.get(pk=self.job)
        app.configure_task(job.task_name, queue=job.queue_name, lock=job.lock).defer(**job.args)
