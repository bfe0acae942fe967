"""Draws the sample of merged changes of a review, by a seed that nobody could choose.

First the population is recorded: which changes were merged since the last review. Then the ledger grows. The seed is
the digest of the population and of the root of the ledger's tree at its first later size that the worker sees: the
root contains records that did not exist when the population was recorded. Anybody who has the ledger can draw again.
"""

import datetime
import hashlib
import logging
import secrets
from typing import Annotated, ClassVar

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from muniment.access.actions import Action
from muniment.access.authorization import Actor, Resource
from muniment.calendars.meetings import MeetingKind
from muniment.errors import MunimentError, RefusedError
from muniment.facts import canonical
from muniment.server.acts.act import Act, ActContext
from muniment.server.acts.execution import execute_system_act
from muniment.server.acts.fields import number_input
from muniment.server.acts.inputs import Integer, Label, Text
from muniment.server.acts.system_actors import SystemActor
from muniment.server.connections.models import BranchUpdate
from muniment.server.meetings.models import ProductMeeting, find_calendar, find_open_meetings, find_today
from muniment.server.minutes.agendas import find_since
from muniment.server.records.installation import open_store
from muniment.server.records.models import RowState
from muniment.server.reviews.models import ChangeSample

SAMPLE_SIZE = 5
AHEAD_DAYS = 3
_MOST = 5000
_MOST_SIZE = 2**53
_log = logging.getLogger("muniment.reviews")


def digest_population(population: list[int], salt: str) -> str:
    """Digest of a population, as it is recorded."""
    return canonical.digest_value({"population": population, "salt": salt})


def make_seed(population_digest: str, root: bytes) -> str:
    """Seed of a draw, 64 hexadecimal digits."""
    return hashlib.sha256(f"muniment-sample-v1\n{population_digest}\n".encode() + root).hexdigest()


def draw_sample(population: list[int], seed: str) -> list[int]:
    """Members with the lowest digests of seed and number: the same for everybody, whatever the order."""
    ordered = sorted(population, key=lambda each: hashlib.sha256(f"{seed}:{each}".encode()).hexdigest())
    return sorted(ordered[:SAMPLE_SIZE])


def _open_reviews(actor: Actor) -> "QuerySet[ProductMeeting]":
    return find_open_meetings().filter(kind=MeetingKind.REVIEW)


class SampleAct(Act, frozen=True):
    """Base of acts by which the service draws the sample of a review."""

    actions: ClassVar[tuple[Action, ...]] = (Action.PLAN_MEETING,)

    meeting: Annotated[
        int,
        number_input(
            label=gettext_lazy("Meeting"),
            rows=_open_reviews,
            missing=gettext_lazy("There is no such meeting."),
            remedy=gettext_lazy("Nothing is left to do."),
            recorded=True,
        ),
    ]

    def find_resource(self) -> Resource:
        return ProductMeeting.objects.select_related("product").get(pk=self.meeting).product_resource

    def format_subject(self) -> str:
        return f"meeting:{self.meeting}"


class RecordPopulation(SampleAct, frozen=True):
    """Record which changes a sample is drawn from."""

    title: ClassVar[Label] = gettext_lazy("Record population")

    def describe_act(self) -> str:
        """Sentence about the review."""
        return _("record the changes from which the sample of the review is drawn")

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse a second population: the first one counts."""
        if ChangeSample.objects.filter(meeting=self.meeting).exists():
            raise RefusedError("recorded-already", _("It is recorded already."), _("Nothing is left to do."))

    def carry_out(self, context: ActContext) -> None:
        """Store the population with its digest."""
        meeting = ProductMeeting.objects.select_related("product").get(pk=self.meeting)
        population, salt = list_population(meeting), secrets.token_hex(32)
        ChangeSample.objects.create(
            meeting=meeting,
            population=population,
            population_digest=digest_population(population, salt),
            salt=salt,
        )


class DrawSample(SampleAct, frozen=True):
    """Draw the sample of a review by the ledger's tree after its population."""

    title: ClassVar[Label] = gettext_lazy("Draw sample")

    size: Annotated[int, Integer(label=gettext_lazy("Size of the ledger"), least=1, most=_MOST_SIZE, recorded=True)]
    seed: Annotated[
        str,
        Text(
            label=gettext_lazy("Seed"),
            most=64,
            pattern="[0-9a-f]{64}",
            form=gettext_lazy("Nothing is left to do."),
            recorded=True,
        ),
    ]

    def describe_act(self) -> str:
        """Sentence about the review."""
        return _("draw the sample of merged changes of the review")

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse a sample that is drawn, and a seed of a tree that does not contain the population's record."""
        row = ChangeSample.objects.filter(meeting=self.meeting, seed="").first()
        position = find_population_position(row) if row is not None else None
        if position is None or self.size <= position + 1:
            raise RefusedError("no-population", _("No recorded population waits."), _("Nothing is left to do."))

    def carry_out(self, context: ActContext) -> None:
        """Store seed and sample."""
        row = ChangeSample.objects.get(meeting=self.meeting)
        drawn = draw_sample(row.population, self.seed)
        ChangeSample.objects.filter(pk=row.pk).update(ledger_size=self.size, seed=self.seed, drawn=drawn)


def list_population(meeting: ProductMeeting) -> list[int]:
    """Numbers of the branch updates of a product since its last review."""
    moment = timezone.make_aware(datetime.datetime.combine(find_since(meeting), datetime.time()))
    rows = BranchUpdate.objects.filter(repository__product=meeting.product, seen_at__gte=moment)
    found = rows.exclude(outcome=BranchUpdate.Outcome.BASELINE).order_by("-pk").values_list("pk", flat=True)
    return sorted(found[:_MOST])


def find_population_position(row: ChangeSample) -> int | None:
    """Position of the population's record in the ledger; None while it has none."""
    states = RowState.objects.filter(table=ChangeSample._meta.db_table, key=str(row.pk)).select_related("record__place")
    first = states.order_by("pk").first()
    return first.record.position if first is not None else None


def draw_due_samples() -> int:
    """Record the populations of the reviews of the next days, and draw what the ledger has grown for; how many."""
    calendar = find_calendar()
    if calendar is None:
        return 0
    until = find_today(calendar.zone) + datetime.timedelta(AHEAD_DAYS)
    rows = _open_reviews_of(until)
    done = 0
    for meeting in rows.filter(change_sample=None):
        done += _perform_sample_act(RecordPopulation, {"meeting": meeting.pk})
    head = open_store().open_log().read_head()
    for row in ChangeSample.objects.filter(meeting__in=rows, seed=""):
        position = find_population_position(row)
        if position is not None and head.size > position + 1:
            seed = make_seed(row.population_digest, head.root)
            done += _perform_sample_act(DrawSample, {"meeting": row.meeting_id, "size": head.size, "seed": seed})
    return done


def _open_reviews_of(until: datetime.date) -> "QuerySet[ProductMeeting]":
    return find_open_meetings().filter(kind=MeetingKind.REVIEW, date__lte=until, held_minutes=None)


def _perform_sample_act(act: type[Act], values: dict[str, object]) -> int:
    try:
        execute_system_act(SystemActor.PLANNING, act, values)
    except MunimentError as error:
        _log.warning("%s was not done: %s", act.__name__, error.message)
        return 0
    return 1
