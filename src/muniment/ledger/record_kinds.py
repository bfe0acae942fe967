"""Every kind of record in the ledger: canonical JSON of at most 4 KiB, with codes, digests and commitments alone.

Names, statements and reasons are stored outside the ledger as objects (`ledger.record_objects`), which a record names
by digest, and which can be erased while the record stays. A person is a commitment: the digest of the identity and a
fresh salt, both of which are in the object.
"""

import msgspec
from msgspec import Struct, structs

from muniment.errors import LedgerError, NotCanonicalError
from muniment.facts import canonical

LARGEST_RECORD = 4096  # bytes


class Entry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    """Fields of every record. `time` is RFC 3339, UTC; `object` the digest of its stored object, "" if there
    is none.
    """

    version: int = 1
    time: str
    object: str


class BaselineRecord(Entry, frozen=True, kw_only=True, tag="baseline"):
    """The refs of a repository when the server hook was installed. `repository_location` stands for its directory."""

    repository_location: str
    ref_count: int


class PushRecord(Entry, frozen=True, kw_only=True, tag="push"):
    """A push began: recorded before it is evaluated. `pusher` is a commitment, "" if nobody was identified."""

    repository_location: str
    pusher: str
    update_count: int
    commit_count: int


class _AnyDecisionRecord(Entry, frozen=True, kw_only=True):
    """Fields of a decision. `reason_codes` are those of the results that are not met, each with its clause;
    `omitted_reason_codes` counts those left out for want of room. `results` is the digest of all results. `trigger` is
    the object of the push or of the deployment request that the decision answers, "" if there is none.
    `included_heads` is the digest of the list of heads whose approvals are spent once the branch takes what was
    evaluated (`ledger.record_objects.IncludedHeads`); "" if they are not known, and at any other point than `merge`.
    """

    repository_location: str
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
    reason_codes: tuple[str, ...]
    omitted_reason_codes: int
    exceptions: tuple[str, ...]
    trigger: str
    included_heads: str


class DecisionRecord(_AnyDecisionRecord, frozen=True, kw_only=True, tag="decision"):
    """A decision that binds. `enforced`: false if the hook was only monitoring."""


class DecisionPreviewRecord(_AnyDecisionRecord, frozen=True, kw_only=True, tag="decision-preview"):
    """A decision shown before any push: its pushers are assumed, so it binds nobody."""


class CodeReviewRecord(Entry, frozen=True, kw_only=True, tag="code-review"):
    """A person's statement on a head (approve, request changes, withdraw, attest) was received: `statement_commit`
    stores it, `statement` is the digest of its signed bytes.
    """

    repository_location: str
    head: str
    statement_commit: str
    statement: str
    person: str
    push: str


class PushRefusalRecord(Entry, frozen=True, kw_only=True, tag="push-refusal"):
    """A ref update was refused before any evaluation, such as an approval without a signature."""

    repository_location: str
    code: str
    enforced: bool
    push: str


class RefUpdateRecord(Entry, frozen=True, kw_only=True, tag="ref-update"):
    """Refs took the values that recorded pushes gave them."""

    repository_location: str
    ref_count: int


class HookBypassRecord(Entry, frozen=True, kw_only=True, tag="hook-bypass"):
    """Refs were found with values that no recorded push gave them: the server hook was bypassed.

    `included_heads` as in a decision, for all of these refs; "" if they are not known.
    """

    repository_location: str
    ref_count: int
    included_heads: str


class FreezeRecord(Entry, frozen=True, kw_only=True, tag="freeze"):
    """A person with the security role froze merges and deployments. A drill stops nothing.

    In force from `since` until just before `until` ("": until it is lifted). `scope` is the digest of the product and
    environment that it is limited to (`record_objects.FreezeScope`), "" for none.
    """

    freeze: str
    drill: bool
    since: str
    until: str
    scope: str
    person: str


class FreezeLiftRecord(Entry, frozen=True, kw_only=True, tag="freeze-lift"):
    """A person with the security role lifts a freeze; with the second person it is `complete`."""

    freeze: str
    complete: bool
    person: str


class ErasureRecord(Entry, frozen=True, kw_only=True, tag="erasure"):
    """Objects were erased: their digests and the reason are in the object. `rows` as of a person's action."""

    object_count: int
    rows: str = ""


class ReconciliationRecord(Entry, frozen=True, kw_only=True, tag="reconciliation"):
    """A person let the ledger continue from `ledger_size` entries, although its external copy had `copy_size`
    (-1 if it had none).
    """

    ledger_size: int
    copy_size: int


class KeyExchangeRecord(Entry, frozen=True, kw_only=True, tag="key-exchange"):
    """From the next checkpoint on the ledger is signed with `new_key`, no longer with `old_key`: both as public keys.

    `lost`: the old private key is lost, so that it does not vouch for the new one. The reason is in the object.
    """

    old_key: str
    new_key: str
    lost: bool


class _AnyActionRecord(Entry, frozen=True, kw_only=True):
    """Fields of an act: the action by its code, and the role that permitted it.

    `resource_kind` is what it was done to. `without_second_person`: one was due, and there were too few people yet.
    `rows` is the digest of the sorted commitments to all rows that it wrote and that are relied on, "" if none.
    """

    action: str
    role: str
    resource_kind: str
    person: str
    without_second_person: bool
    rows: str = ""


class PersonActionRecord(_AnyActionRecord, frozen=True, kw_only=True, tag="person-action"):
    """A person changed something on a page or by the API, or their company's sign-in did."""


class ServiceActionRecord(_AnyActionRecord, frozen=True, kw_only=True, tag="service-action"):
    """The service changed something by itself, such as a role that expired."""


class OperatorActionRecord(_AnyActionRecord, frozen=True, kw_only=True, tag="operator-action"):
    """The operator changed something at the shell of the machine."""


class ReplayRecord(Entry, frozen=True, kw_only=True, tag="replay"):
    """Past changes of a branch were evaluated by the current policy, with assumed pushers: it proves nothing
    of then.
    """

    repository_location: str
    target: str
    policy: str
    head: str
    change_count: int
    allowed_count: int


class LedgerImportRecord(Entry, frozen=True, kw_only=True, tag="ledger-import"):
    """The log of a server hook was verified up to `size` entries: `origin` names its key, `root` is in hexadecimal."""

    origin: str
    size: int
    root: str


class DeploymentRequestRecord(Entry, frozen=True, kw_only=True, tag="deployment-request"):
    """A pipeline requests to deploy an artifact that was built from `commit`: recorded before it is evaluated.

    The decision on it names this entry's object as its `trigger`. `pipeline` is a commitment.
    """

    artifact: str
    commit: str
    pipeline: str


class DeploymentPermissionRecord(Entry, frozen=True, kw_only=True, tag="deployment-permission"):
    """A permission to deploy was signed: `request` is the object of the deployment request, `envelope` the digest of
    what was signed. `basis` says what allowed it: `policy`, or `break-glass-deployment` although the policy denied it.
    """

    request: str
    envelope: str
    basis: str
    expires: str


class DeploymentOutcomeRecord(Entry, frozen=True, kw_only=True, tag="deployment-outcome"):
    """The outcome of a deployment, reported by its pipeline or found by observation: `state` is a code."""

    request: str
    state: str


class JobRunRecord(Entry, frozen=True, kw_only=True, tag="job-run"):
    """A job on `commit` requested secrets of an environment without a deployment, and whether it gets them: recorded
    before the vault lets it in. `pipeline` is a commitment.
    """

    commit: str
    pipeline: str
    allowed: bool


class IncidentOpenedRecord(Entry, frozen=True, kw_only=True, tag="incident-opened"):
    """A rule was broken, or set aside by permission: `due` is a moment."""

    incident_kind: str
    due: str


class IncidentClosedRecord(Entry, frozen=True, kw_only=True, tag="incident-closed"):
    """A person closed an incident. `opening` is the object of its opening, `resolution` a code, `person` a
    commitment.
    """

    incident_kind: str
    opening: str
    resolution: str
    person: str


class IncidentResolvedRecord(Entry, frozen=True, kw_only=True, tag="incident-resolved"):
    """An incident ended because the worker observed that its cause is gone. Fields as in `IncidentClosedRecord`."""

    incident_kind: str
    opening: str
    resolution: str


class BranchUpdateRecord(Entry, frozen=True, kw_only=True, tag="branch-update"):
    """A protected branch took `commit` over `previous_commit`, and with it `commit_count` commits, listed in its
    object.

    `status` is `allowed`, by the decision whose object is `decision`; `bypass`, for `bypass_reason`: `no-decision`
    allowed it, it was `denied-at-merge` by `decision` when what was merged was evaluated again, or `unconfirmed`: that
    evaluation lacked what the forge no longer tells; `baseline`: it was there when the branch began to be watched.
    `repository_location` stands for its directory. `included_heads` is the digest of the list of heads whose approvals
    are spent by it, "" if nobody knows them: all are then.
    """

    repository_location: str
    repository: str
    target: str
    commit: str
    previous_commit: str
    commit_count: int
    status: str
    bypass_reason: str
    decision: str
    included_heads: str


AnyEntry = (
    BaselineRecord
    | PushRecord
    | DecisionRecord
    | DecisionPreviewRecord
    | CodeReviewRecord
    | PushRefusalRecord
    | RefUpdateRecord
    | HookBypassRecord
    | FreezeRecord
    | FreezeLiftRecord
    | ErasureRecord
    | ReconciliationRecord
    | KeyExchangeRecord
    | PersonActionRecord
    | ServiceActionRecord
    | OperatorActionRecord
    | ReplayRecord
    | LedgerImportRecord
    | DeploymentRequestRecord
    | DeploymentPermissionRecord
    | DeploymentOutcomeRecord
    | JobRunRecord
    | IncidentOpenedRecord
    | IncidentClosedRecord
    | IncidentResolvedRecord
    | BranchUpdateRecord
)
_DECODER: msgspec.json.Decoder[AnyEntry] = msgspec.json.Decoder(AnyEntry)


def encode_record(entry: AnyEntry) -> bytes:
    """An entry as it stands in the ledger. Of a decision, codes are left out until it fits. Raises LedgerError."""
    data = canonical.encode(entry)
    while len(data) > LARGEST_RECORD and isinstance(entry, _AnyDecisionRecord) and entry.reason_codes:
        codes = len(entry.reason_codes) // 2
        entry = structs.replace(
            entry,
            reason_codes=entry.reason_codes[:codes],
            omitted_reason_codes=entry.omitted_reason_codes + len(entry.reason_codes) - codes,
        )
        data = canonical.encode(entry)
    if len(data) > LARGEST_RECORD:
        raise LedgerError(
            f"an entry has more than {LARGEST_RECORD} bytes", "Use shorter names of branches and repositories."
        )
    return data


def decode_record(data: bytes, index: int) -> AnyEntry:
    """Record in `data`, which stands at `index`. Raises LedgerError if it is none, or not canonical."""
    problem = find_record_problem(data)
    if problem:
        raise LedgerError(f"entry {index} is not one: {problem}", "Use the version of Muniment that wrote it.")
    return _DECODER.decode(data)


def find_record_problem(data: bytes) -> str:
    """Problem of an entry, "" if there is none."""
    if len(data) > LARGEST_RECORD:
        return f"it has more than {LARGEST_RECORD} bytes"
    try:
        entry = canonical.decode(data, _DECODER)
    except NotCanonicalError as error:
        return error.message
    return "" if entry.version == 1 else f"it has version {entry.version}, and this program knows version 1"
