"""Acts of the chair or facilitator: open, go through the items, record decisions and actions, end the meeting."""

from datetime import date
from typing import Annotated, ClassVar

from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from muniment.access.roles import Role
from muniment.errors import RefusedError
from muniment.server.acts.act import ActContext
from muniment.server.acts.guarded_state import GuardedFacts
from muniment.server.acts.inputs import Day, Flag, Label, Text
from muniment.server.meetings.joint_meetings import find_led_meetings
from muniment.server.meetings.mail_languages import DOCUMENT_LANGUAGE, notify_in_own_language
from muniment.server.meetings.models import ProductMeeting, find_calendar, find_today
from muniment.server.minutes.act_fields import ChairAct, EntryText, ItemCode
from muniment.server.minutes.agendas import decode_agenda, find_missing_content, freeze_agenda, run_closing
from muniment.server.minutes.guarded_minutes import read_missing_quorum
from muniment.server.minutes.minutes_text import freeze_minutes
from muniment.server.minutes.models import (
    AgendaItem,
    Attendance,
    EntryKind,
    ItemState,
    Minutes,
    MinutesComment,
    MinutesEntry,
)
from muniment.server.minutes.taking_part import check_quorum, refuse_single_signer, refuse_unfit_seats
from muniment.server.minutes.unchanged_items import find_unchanged_items
from muniment.server.people.act_fields import PersonId, label_person
from muniment.server.people.models import Person, RoleGrant, build_in_force_condition


class OpenMeeting(ChairAct, frozen=True):
    """Open a meeting: its agenda is frozen."""

    title: ClassVar[Label] = gettext_lazy("Open meeting")

    def describe_act(self) -> str:
        """Sentence about the meeting."""
        return _("open the meeting, and freeze its agenda")

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse a meeting of a later day, one that was opened, and one that was cancelled."""
        row, calendar = self.load_meeting(), find_calendar()
        if not row.is_open:
            raise RefusedError("meeting-ended", _("The meeting was held or cancelled."), _("Look at its page."))
        if self.find_minutes() is not None:
            raise RefusedError("opened-already", _("The meeting is open already."), _("Go on on its page."))
        if calendar is not None and row.date > find_today(calendar.zone):
            raise RefusedError(
                "too-early", _("The meeting is on a later day."), _("Move it to today first, with everybody's consent.")
            )

    def carry_out(self, context: ActContext) -> None:
        """Freeze the agenda, and make its items, of each meeting that is held together and led by the same person."""
        for meeting in find_led_meetings(self.load_meeting(), context.requester):
            if not Minutes.objects.filter(meeting=meeting).exists():
                _open_minutes(meeting)


def _open_minutes(meeting: ProductMeeting) -> None:
    text, digest = freeze_agenda(meeting)
    minutes = Minutes.objects.create(meeting=meeting, agenda=text, agenda_digest=digest)
    sections = decode_agenda(text).sections
    AgendaItem.objects.bulk_create(
        AgendaItem(minutes=minutes, code=each.code, title=each.title, position=position)
        for position, each in enumerate(sections, start=1)
    )


class ItemAct(ChairAct, frozen=True):
    """Base of acts on one item of the agenda."""

    item: ItemCode

    def check_preconditions(self, context: ActContext) -> None:
        """Require that the meeting is in progress, and has the item."""
        super().check_preconditions(context)
        if not AgendaItem.objects.filter(minutes__meeting=self.meeting, code=self.item).exists():
            raise RefusedError("no-such-item", _("The agenda has no such item."), _("Choose one that its page shows."))


class FinishItem(ItemAct, frozen=True):
    """Note that an item is done."""

    title: ClassVar[Label] = gettext_lazy("Item done")

    def describe_act(self) -> str:
        """Sentence about the item."""
        return _("note that the item %(item)s is done") % {"item": self.item}

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse an item whose section lacks something."""
        super().check_preconditions(context)
        if missing := find_missing_content(self.load_meeting(), self.item):
            raise RefusedError("no-content", missing, _("Add it, or record “none” with a reason."))

    def carry_out(self, context: ActContext) -> None:
        """Store the state of the item."""
        rows = AgendaItem.objects.filter(minutes__meeting=self.meeting, code=self.item)
        rows.update(state=ItemState.DONE, reason="")


class FinishUnchanged(ChairAct, frozen=True):
    """Note that all open items are done in which nothing is new, late, open or unknown."""

    title: ClassVar[Label] = gettext_lazy("Confirm unchanged items")

    def describe_act(self) -> str:
        """Sentence about the items."""
        return _("note that the items without anything new are done")

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse if each open item has something to talk about."""
        super().check_preconditions(context)
        if not find_unchanged_items(self.load_meeting()):
            raise RefusedError(
                "nothing-unchanged", _("Each open item has something new."), _("Go through them one by one.")
            )

    def carry_out(self, context: ActContext) -> None:
        """Store the state of the items."""
        codes = find_unchanged_items(self.load_meeting())
        rows = AgendaItem.objects.filter(minutes__meeting=self.meeting, code__in=codes, state=ItemState.OPEN)
        rows.update(state=ItemState.DONE, reason="")


class DeferItem(ItemAct, frozen=True):
    """Defer an item with a reason."""

    title: ClassVar[Label] = gettext_lazy("Defer item")

    reason: Annotated[str, Text(label=gettext_lazy("Reason"), most=500)]

    def describe_act(self) -> str:
        """Sentence about the item."""
        return _("defer the item %(item)s") % {"item": self.item}

    def carry_out(self, context: ActContext) -> None:
        """Store the state with its reason."""
        rows = AgendaItem.objects.filter(minutes__meeting=self.meeting, code=self.item)
        rows.update(state=ItemState.DEFERRED, reason=self.reason)


class RecordDecision(ItemAct, frozen=True):
    """Record a decision on an item."""

    title: ClassVar[Label] = gettext_lazy("Record decision")

    text: EntryText

    def describe_act(self) -> str:
        """Sentence about the item."""
        return _("record a decision on the item %(item)s") % {"item": self.item}

    def carry_out(self, context: ActContext) -> None:
        """Add the entry to the minutes."""
        MinutesEntry.objects.create(
            meeting_id=self.meeting,
            item=self.item,
            kind=EntryKind.DECISION,
            text=self.text,
            author_id=context.requester,
        )


class AddAction(ItemAct, frozen=True):
    """Add an action, with who does it and by when."""

    title: ClassVar[Label] = gettext_lazy("Add action")

    text: Annotated[str, Text(label=gettext_lazy("What"), most=500)]
    person: PersonId
    due: Annotated[date, Day(label=gettext_lazy("By"), recorded=True)]

    def describe_act(self) -> str:
        """Sentence that names who does it."""
        details = {"person": label_person(self.person), "day": self.due.isoformat()}
        return _("give an action to %(person)s, by %(day)s") % details

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse a past day, people who left, and the Data Protection Officer, who owns no risk."""
        super().check_preconditions(context)
        person = Person.objects.get(pk=self.person)
        if not person.active:
            raise RefusedError(
                "person-left", _("%(name)s has left.") % {"name": person.name}, _("Choose someone else.")
            )
        if RoleGrant.objects.filter(build_in_force_condition(), person=person, role=Role.DPO.value).exists():
            raise RefusedError(
                "dpo-owns-nothing",
                _("The Data Protection Officer advises, and owns no action."),
                _("Give the action to someone else."),
            )
        if self.due < timezone.localdate():
            raise RefusedError("day-over", _("This day is over already."), _("Choose today or a later day."))

    def carry_out(self, context: ActContext) -> None:
        """Add the entry, and tell its owner."""
        meeting = self.load_meeting()
        entry = MinutesEntry.objects.create(
            meeting=meeting,
            item=self.item,
            kind=EntryKind.ACTION,
            text=self.text,
            author_id=context.requester,
            owner_id=self.person,
            due_on=self.due,
            first_due_on=self.due,
        )
        if self.person != context.requester:
            details = {"product": meeting.product.name, "text": entry.text, "day": self.due.isoformat()}
            notify_in_own_language(
                Person.objects.filter(pk=self.person),
                lambda: _("Action for you, %(product)s: %(text)s. Due %(day)s.") % details,
                "/actions",
            )


class ConfirmAttendance(ChairAct, frozen=True):
    """Confirm whether a person who was invited is there."""

    title: ClassVar[Label] = gettext_lazy("Confirm attendance")

    person: PersonId
    present: Annotated[bool, Flag(label=gettext_lazy("Present"), ask=True, recorded=True)]

    def describe_act(self) -> str:
        """Sentence that names the person."""
        return _("confirm the attendance of %(person)s") % {"person": label_person(self.person)}

    def check_preconditions(self, context: ActContext) -> None:
        """Require that the meeting is in progress, and that the person is invited."""
        super().check_preconditions(context)
        if not self.load_meeting().attendees.filter(person=self.person).exists():
            raise RefusedError(
                "not-invited", _("This person is not invited."), _("Name them on the page Meetings of the product.")
            )

    def carry_out(self, context: ActContext) -> None:
        """Store the newest word, for each meeting that is held together, in progress, and led by the same person."""
        values = {"is_present": self.present}
        for meeting in find_led_meetings(self.load_meeting(), context.requester):
            is_invited = meeting.attendees.filter(person=self.person).exists()
            if is_invited and Minutes.objects.filter(meeting=meeting, closed_at=None).exists():
                Attendance.objects.update_or_create(meeting=meeting, person_id=self.person, defaults=values)


class CloseMeeting(ChairAct, frozen=True):
    """End a meeting: its minutes are frozen, and wait for signatures."""

    title: ClassVar[Label] = gettext_lazy("End meeting")

    @classmethod
    def guarded_state(cls) -> GuardedFacts:
        """Roles that were missing when a meeting ended."""
        return read_missing_quorum()

    def describe_act(self) -> str:
        """Sentence about the minutes."""
        return _("end the meeting, and freeze its minutes")

    def check_preconditions(self, context: ActContext) -> None:
        """Require that each item is done or deferred, and that the quorum was there."""
        super().check_preconditions(context)
        left = AgendaItem.objects.filter(minutes__meeting=self.meeting, state=ItemState.OPEN)
        if titles := [_(each) for each in left.values_list("title", flat=True)]:
            raise RefusedError(
                "items-open",
                _("%(count)d items are not done: %(items)s.") % {"count": len(titles), "items": ", ".join(titles)},
                _("Finish each, or defer it with a reason."),
            )
        missing = [str(each.role.label) for each in check_quorum(self.load_meeting()) if not each.is_met]
        if missing:
            raise RefusedError(
                "no-quorum",
                _("Nobody was there as %(roles)s. Each person counts for one role.") % {"roles": ", ".join(missing)},
                _("Confirm their attendance, have a deputy come, or move the meeting."),
            )
        refuse_unfit_seats(self.load_meeting())
        refuse_single_signer(self.load_meeting())

    def carry_out(self, context: ActContext) -> None:
        """Freeze the minutes, and tell everybody who was invited."""
        meeting = self.load_meeting()
        minutes = Minutes.objects.get(meeting=meeting)
        now = timezone.now()
        with translation.override(DOCUMENT_LANGUAGE):
            document, digest = freeze_minutes(minutes, now)
        Minutes.objects.filter(pk=minutes.pk).update(text=document, digest=digest, closed_at=now)
        run_closing(meeting)
        ProductMeeting.objects.filter(pk=meeting.pk).update(held_on=timezone.localtime(now).date())
        people = Person.objects.filter(active=True, meeting_seats__meeting=meeting).distinct()
        notify_in_own_language(people, lambda: _format_ready_text(meeting), f"/meetings/{meeting.pk}/minutes")


def _format_ready_text(meeting: ProductMeeting) -> str:
    details = {"kind": meeting.kind_title, "product": meeting.product.name}
    return _("%(kind)s, %(product)s: the minutes are ready. Read and confirm them.") % details


class AddCorrection(ChairAct, frozen=True):
    """Add a correction below minutes, which are never changed themselves."""

    title: ClassVar[Label] = gettext_lazy("Add correction")

    text: EntryText

    def describe_act(self) -> str:
        """Sentence about the minutes."""
        return _("add a correction to the minutes")

    def check_preconditions(self, context: ActContext) -> None:
        """Require that the meeting has ended."""
        minutes = self.find_minutes()
        if minutes is None or not minutes.is_closed:
            raise RefusedError(
                "not-closed", _("The meeting has not ended."), _("Change it on the page of the meeting.")
            )

    def carry_out(self, context: ActContext) -> None:
        """Add the correction below the minutes."""
        MinutesComment.objects.create(
            minutes=Minutes.objects.get(meeting=self.meeting),
            person_id=context.requester,
            is_objection=False,
            text=self.text,
        )
