"""Every kind of entry there is: canonical JSON of at most 4 KiB, with codes, digests and commitments alone.

Who it was, what was said and why lie beside the ledger as objects (`ledger.objects`), which an entry names by digest,
and which can be erased while the entry stays. A person is a commitment: the digest of who it was and a fresh salt,
both of which stand in the object.
"""

import msgspec
from msgspec import Struct, structs

from muniment.errors import LedgerError
from muniment.facts import canonical

LARGEST = 4096  # bytes


class Entry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    """What all have. `time` is RFC 3339, UTC; `object` the digest of what lies beside, "" if nothing does."""

    version: int = 1
    time: str
    object: str


class Baseline(Entry, frozen=True, kw_only=True, tag="baseline"):
    """What a repository held when the gate was put there. `place` stands for its directory (`objects.place`)."""

    place: str
    refs: int


class Pushed(Entry, frozen=True, kw_only=True, tag="push"):
    """Somebody means to push: recorded before it is judged. `pusher` is a commitment, "" if nobody was identified."""

    place: str
    pusher: str
    updates: int
    commits: int


class _Judgement(Entry, frozen=True, kw_only=True):
    """One decision. `codes` are those of the results that do not hold, each with its clause; `more` counts those left
    out for want of room. `results` is the digest of all of them.
    """

    place: str
    point: str
    repository: str
    target: str
    base: str
    head: str
    outcome: str
    enforced: bool
    policy: str
    facts: str
    results: str
    codes: tuple[str, ...]
    more: int
    exceptions: tuple[str, ...]
    push: str


class Judged(_Judgement, frozen=True, kw_only=True, tag="decision"):
    """A decision that binds. `enforced`: false if the hook only reported."""


class Previewed(_Judgement, frozen=True, kw_only=True, tag="preview"):
    """A decision for people to see, before anybody pushed: its pushers are supposed, so it binds nobody."""


class Approved(Entry, frozen=True, kw_only=True, tag="approval"):
    """A statement of a person on a head came in: `statement` is the commit that stores it."""

    place: str
    head: str
    statement: str
    person: str
    push: str


class Refused(Entry, frozen=True, kw_only=True, tag="refusal"):
    """An update that no policy has to judge, such as of an approval that is not signed. `enforced` as a decision's."""

    place: str
    code: str
    enforced: bool
    push: str


class Landed(Entry, frozen=True, kw_only=True, tag="landed"):
    """Refs took the values that pushes meant for them."""

    place: str
    refs: int


class Moved(Entry, frozen=True, kw_only=True, tag="moved"):
    """Refs were found with values that no push meant for them: somebody went past the gate."""

    place: str
    refs: int


class Frozen(Entry, frozen=True, kw_only=True, tag="freeze"):
    """A person with the security role stopped all merges. A rehearsal stops nothing."""

    freeze: str
    rehearsal: bool
    person: str


class Lifted(Entry, frozen=True, kw_only=True, tag="lift"):
    """A person with the security role is for lifting a freeze; with the second one it is `complete`."""

    freeze: str
    complete: bool
    person: str


class Erasure(Entry, frozen=True, kw_only=True, tag="erasure"):
    """Objects were erased; which, and why, stands in the object."""

    objects: int


class Reconciliation(Entry, frozen=True, kw_only=True, tag="reconciliation"):
    """A person let the ledger go on from `size` entries, although its copy outside spoke of `seen` (-1: of none)."""

    size: int
    seen: int


class Acted(Entry, frozen=True, kw_only=True, tag="act"):
    """A person changed something in the service: what the table of actions calls it, and under which role. `resource`
    is of what kind it was, `alone` that a second person was due and there were too few people yet.
    """

    action: str
    role: str
    resource: str
    person: str
    alone: bool


class Studied(Entry, frozen=True, kw_only=True, tag="history"):
    """The past of a branch was judged by the policy of now. Its pushers were supposed: it proves nothing of then."""

    place: str
    target: str
    policy: str
    head: str
    changes: int
    allowed: int


class Imported(Entry, frozen=True, kw_only=True, tag="import"):
    """The log of a gate was verified up to `size` entries: `origin` names its key, `root` is in hexadecimal."""

    origin: str
    size: int
    root: str


class Asked(Entry, frozen=True, kw_only=True, tag="delivery"):
    """A pipeline means to bring an artifact, made of the commit `head`, somewhere: recorded before it is judged.

    The decision on it names this entry's object as its `push`. `pipeline` is a commitment.
    """

    artifact: str
    head: str
    pipeline: str


class Vouched(Entry, frozen=True, kw_only=True, tag="vouched"):
    """A permission to deploy was signed: `asked` is the object of what was asked, `envelope` the digest of what was
    signed. `leave` says what allowed it: `policy`, or `break-glass` although the policy denied it.
    """

    asked: str
    envelope: str
    leave: str
    until: str


class Delivered(Entry, frozen=True, kw_only=True, tag="delivered"):
    """What came of a deployment, as its pipeline reported it or as it was found out: `state` is a code."""

    asked: str
    state: str


class IncidentOpened(Entry, frozen=True, kw_only=True, tag="incident"):
    """A rule was broken, or somebody went past one with leave: `incident` is of what kind, `deadline` a moment."""

    incident: str
    deadline: str


class IncidentClosed(Entry, frozen=True, kw_only=True, tag="incident-closed"):
    """An incident came to its end. `opened` is the object of its opening, `how` a code, `person` a commitment, "" if
    it was found out that nothing is broken any more.
    """

    incident: str
    opened: str
    how: str
    person: str


class Arrived(Entry, frozen=True, kw_only=True, tag="arrival"):
    """A protected branch took `commit` over `before`, and with it `brought` commits, which lie beside.

    `how` is `allowed`, by the decision whose object is `decision`; `escape`: no decision allowed it; `begun`: it was
    there when the branch began to be watched. `place` stands for the repository (`objects.place`).
    """

    place: str
    repository: str
    target: str
    commit: str
    before: str
    brought: int
    how: str
    decision: str


AnyEntry = (
    Baseline
    | Pushed
    | Judged
    | Previewed
    | Approved
    | Refused
    | Landed
    | Moved
    | Frozen
    | Lifted
    | Erasure
    | Reconciliation
    | Acted
    | Studied
    | Imported
    | Asked
    | Vouched
    | Delivered
    | IncidentOpened
    | IncidentClosed
    | Arrived
)
_DECODER: msgspec.json.Decoder[AnyEntry] = msgspec.json.Decoder(AnyEntry)


def encode(entry: AnyEntry) -> bytes:
    """An entry as it stands in the ledger. Of a decision, codes are left out until it fits. ValueError if it cannot."""
    data = canonical.encode(entry)
    while len(data) > LARGEST and isinstance(entry, _Judgement) and entry.codes:
        kept = len(entry.codes) // 2
        entry = structs.replace(entry, codes=entry.codes[:kept], more=entry.more + len(entry.codes) - kept)
        data = canonical.encode(entry)
    if len(data) > LARGEST:
        raise ValueError(f"an entry has more than {LARGEST} bytes")
    return data


def decode(data: bytes, index: int) -> AnyEntry:
    """The entry in `data`, which stands at `index`. Raises LedgerError if it is none, or not in its one spelling."""
    problem = wrong(data)
    if problem:
        raise LedgerError(f"entry {index} is not one: {problem}", "Use the version of Muniment that wrote it.")
    return _DECODER.decode(data)


def wrong(data: bytes) -> str:
    """What is wrong with an entry, "" if nothing is."""
    if len(data) > LARGEST:
        return f"it has more than {LARGEST} bytes"
    try:
        entry = _DECODER.decode(data)
    except msgspec.MsgspecError as error:
        return str(error)
    if entry.version != 1:
        return f"it has version {entry.version}, and this program knows version 1"
    return "" if canonical.encode(entry) == data else "it is not in canonical form"
