"""Does at a forge what a person asked for on our page: asks others to review, merges, brings a revert."""

from muniment.decision.account import Account as Told
from muniment.errors import UsageError
from muniment.facts.maybe import Known
from muniment.forges.forge import Forge
from muniment.forges.statuses import Saying, context_for
from muniment.server import moments
from muniment.server.changes.models import Change
from muniment.server.connections.judging import mirror_of
from muniment.server.connections.keeping import locked
from muniment.server.connections.models import Arrival, AtForge, Connected
from muniment.server.connections.reaching import address_of, repo_of, where
from muniment.server.people.messages import tell
from muniment.server.people.models import Account, Person
from muniment.server.record.reading import beside
from muniment.workflows.forge_changes import prepare_revert

MOST = 5  # people who are asked at once
UNNAMED = (
    "the change has to name you, and you have neither a login at the forge nor an e-mail address here",
    "Add one under your account, or ask somebody else to press the button.",
)


def ask_people(row: AtForge, connected: Connected, forge: Forge) -> None:
    """Ask those whose approval would count, as far as their login there is known. Raises ForgeError."""
    logins = askable(row.change, connected)
    if logins:
        forge.publisher.ask(repo_of(connected), row.number, logins)


def askable(change: Change | None, connected: Connected) -> tuple[str, ...]:
    """Logins at the forge of those whose approval would count."""
    decision = change.decision if change is not None else None
    told = beside(decision.account, Told) if decision is not None and decision.account else None
    if not isinstance(told, Told):
        return ()
    prefix = f"{connected.connection.slug}/"
    rows = Account.objects.filter(person__slug__in=told.could_approve, kind=Account.Kind.LOGIN, person__active=True)
    values = rows.filter(value__startswith=prefix).order_by("person__slug").values_list("value", flat=True)
    logins = [value.removeprefix(prefix) for value in values]
    return tuple([login for login in logins if not login.startswith("#")][:MOST])


def merge(row: AtForge, connected: Connected, forge: Forge, head: str) -> None:
    """Merge it if it is still this head, and allowed. Raises ForgeError, or UsageError if it is not allowed now."""
    row.refresh_from_db()
    status = row.status or {}
    allowed = row.head == head and row.due is None and status.get("saying") == Saying.ALLOWED.value
    reading = forge.reader.read(repo_of(connected), row.number) if allowed else None
    if reading is None or (reading.change.head, context_for(reading.change.target)) != (head, row.context):
        raise UsageError("it is not allowed to be merged now", "Look at its page.")
    method = reading.merging.value.method if isinstance(reading.merging, Known) else ""
    forge.publisher.merge(repo_of(connected), row.number, head, method or "merge")


def revert(row: Arrival, connected: Connected, forge: Forge, person: int) -> None:
    """Open a change that takes it back, and tell whoever asked for it, who cannot approve it. Raises MunimentError."""
    there, now, asker = where(connected.connection), moments.now(), Person.objects.get(pk=person)
    mirror, by = mirror_of(connected, forge), address_of(asker, connected.connection)
    try:
        if not by:
            raise UsageError(*UNNAMED)
        with locked(f"mirror:{connected.pk}"):
            change = prepare_revert(there, forge, mirror, repo_of(connected), row.ref, row.commit, by, now)
        told = f"The change that takes {row.commit[:12]} back is there: {change.url}"
    except UsageError as error:
        told = f"No change was made that takes {row.commit[:12]} back: {error.message}. {error.remedy}"
    tell([asker], told, f"/arrivals/{row.pk}")
