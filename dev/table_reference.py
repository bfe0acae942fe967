"""Writes docs/reference/tables.md, what is checked of each table of the worker: `python -m dev.table_reference`.

`python -m dev.generate` runs it too. A test keeps it true, and fails for a table that is not in it.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import django

DOCUMENT = Path(__file__).parent.parent / "docs" / "reference" / "tables.md"
_SETTINGS = "dev.django_settings"
_HEAD = """# Tables that the worker reads

Generated from the code by `python -m dev.table_reference`; a test keeps it true.

A row proves nothing: whoever has the credentials of a process that may write a table can write any row of it. For each
table that an evaluation, a deployment or a task of the worker reads, this says who may write it, which record a row
must agree with, and what is checked before it is used. [The ledger](ledger.md) says how a row is compared with its
record, [the threat model](threat-model.md) what is left.

| table | web writes | worker writes | record | checked |
| --- | --- | --- | --- | --- |
"""
_ACT = "the act that wrote the row"
_OWN = "none: the worker's own"
_NONE = "none"
_NO_DECISION = "nothing is decided by it"
_PAGES = "pages alone show it"
_CHECKS: dict[str, tuple[str, str]] = {
    "django_content_type": (_NONE, _NO_DECISION),
    "auth_permission": (_NONE, _NO_DECISION),
    "auth_group": (_NONE, _NO_DECISION),
    "records_storedobject": ("each record names its objects by digest", "the digest, at each reading"),
    "records_personobject": (_NONE, "the object that it names, by digest"),
    "records_erasedobject": ("erasure", "an erased object is unknown, which denies"),
    "records_record": (
        "the entry of the ledger",
        "its writer, by the sequencer; its bytes, by `muniment ledger verify`; one that was refused counts for nothing",
    ),
    "records_recordposition": ("the entry of the ledger", "`muniment ledger verify`; only the sequencer writes it"),
    "records_refusedrecord": (_NONE, "only the sequencer writes it; each is an incident"),
    "records_signingrequest": (_OWN, "the sequencer reads both records in the ledger before it signs"),
    "records_signedpermission": ("deployment-permission", "whoever guards the door verifies the signature"),
    "records_rowstate": ("the act's record", "the record has the digest of all states of its act"),
    "records_addendum": (_NONE, _PAGES),
    "records_tile": ("the checkpoint", "`muniment ledger verify`; only the sequencer writes it"),
    "records_ledgerhead": ("the checkpoint", "its signature, and the copy outside"),
    "records_backup": (_NONE, _PAGES),
    "records_taskfailure": (_OWN, _NO_DECISION),
    "records_roundstart": (_OWN, _NO_DECISION),
    "products_repositoryscan": (_OWN, _PAGES),
    "products_clausestate": (_OWN, _PAGES),
    "products_productstateversion": (_OWN, f"{_PAGES}: they compute figures once for each version"),
    "products_productclausestate": (_OWN, f"{_PAGES}; it is compared with `products_clausestate` each hour"),
    "people_formerhandle": (_NONE, "it refuses handles alone"),
    "people_forgeaccount": (_OWN, "seen at the forge by the worker, never altered; the web can delete one alone"),
    "people_forgemachine": (_OWN, "a proposal: two people declare a machine"),
    "people_accountverification": (_NONE, "a link is an act of its own"),
    "people_message": (_NONE, _NO_DECISION),
    "people_accountnotice": (_NONE, _NO_DECISION),
    "people_noticedelivery": (_OWN, _NO_DECISION),
    "people_authenticatornotice": (_OWN, _NO_DECISION),
    "people_signinstate": (_OWN, "a change notifies its person, and decides nothing"),
    "people_grantexpiry": (_OWN, "the grant's own last day decides"),
    "people_invitation": (_NONE, _NO_DECISION),
    "people_apitoken": (_NONE, _NO_DECISION),
    "policies_policytrial": (_OWN, _PAGES),
    "policies_statesnapshot": (_OWN, _PAGES),
    "policies_policyexception": ("the exception's act", "pages alone show it: `records_exceptionfile` decides"),
    "policies_freeze": ("freeze, freeze-lift", "pages alone show it: the records decide"),
    "incidents_incident": (
        "incident-opened, incident-closed, incident-resolved",
        "without the record of its closing it is open, and the worker opens it again; what only the worker observes "
        "has a record that it alone writes",
    ),
    "changes_change": (_OWN, "the forge or the repository is read again at each evaluation"),
    "changes_decision": (
        "decision",
        "its statements, at each evaluation; nobody alters it",
    ),
    "changes_serverhookrecord": ("the log of the server hook", "its signature, when it is imported"),
    "connections_connectionratelimit": (_OWN, _NO_DECISION),
    "connections_visiblerepository": (_OWN, "a link is an act of its own"),
    "connections_cachedresponse": (_OWN, "the forge says that it is unchanged"),
    "connections_webhookdelivery": (_NONE, "a reason to read the forge once more, and nothing else"),
    "connections_forgechange": (_OWN, "the forge is read again at each evaluation"),
    "connections_postedstatus": (_OWN, "the forge is asked what it shows"),
    "connections_securityattention": (_OWN, _PAGES),
    "connections_reviewstatement": ("the act of the statement", "the whole statement, at each evaluation"),
    "connections_protectedbranch": (_OWN, "the branch is read again at the forge"),
    "connections_branchupdate": ("branch-update", "tip, previous tip and heads, at each evaluation"),
    "connections_firstpush": (_OWN, "read from the forge's own events by the worker; no other process adds one"),
    "connections_observedpush": (_NONE, "it can only make a pusher unknown, which denies"),
    "connections_takenhead": ("branch-update", "each head that an evaluation asks for"),
    "connections_recordedstatement": ("decision", "each statement that an evaluation asks for"),
    "secrets_secretread": (_OWN, _PAGES),
    "secrets_vaultwatch": (_OWN, "the audit log of the vault; a gap is an incident"),
    "findings_codescan": (_OWN, "the branch is scanned again each day, and whenever it moved"),
    "findings_cachedscan": (_OWN, "the digest of everything that decides a result is its key; the web cannot read it"),
    "findings_knownrule": (_OWN, "a rule begins to be monitored once its digest differs from that of the code"),
    "findings_stoppedfinding": (_OWN, "figures of a page; each is counted from a decision that has a record"),
    "findings_findingevent": (_NONE, _PAGES),
    "findings_receivedreport": ("the act that stored it", "its digest is in the record of the act"),
    "findings_toolimport": (_OWN, "the next report of the tool replaces it"),
    "updates_advisorysource": (_OWN, "each source is read again every 15 minutes"),
    "updates_storedadvisory": (_OWN, "each source is read again every 15 minutes, and compared by checksum"),
    "updates_advisoryrevision": (_NONE, "earlier contents, which nothing is decided by"),
    "updates_proposedupdate": (_OWN, "the change at the forge is read each day; the record has the digest of the lock"),
    "updates_updaterun": (_OWN, "the machinery runs again each day; what it needs is tried each time"),
    "updates_dependencyreading": (_OWN, "the locks are read again each day, and whenever a branch moved"),
    "updates_dependencylock": (_OWN, "the locks are read again each day, and whenever a branch moved"),
    "updates_lockentry": (_OWN, "the locks are read again each day, and whenever a branch moved"),
    "requirements_namedtestresult": (_OWN, "read again every ten minutes; after seven days it counts no more"),
    "designs_designreading": (_OWN, "the design is evaluated again each day, and whenever a branch moved"),
    "designs_changedesign": (_OWN, "pages show it; the decision on the change evaluates the design itself"),
    "designs_personaldatadraft": (_NONE, _PAGES),
    "organisations_protectionproposal": (
        _OWN,
        "each branch is planned again before it is changed, and no other change is made",
    ),
    "outgoing_webhooks_outgoingdelivery": (_NONE, "an event has codes alone, and a link to a page that asks who reads"),
    "deployments_tokenissuer": (
        _OWN,
        "its address is one that a pipeline on the record names; its keys are read there again each minute",
    ),
    "deployments_deployment": ("deployment-request", "its token, by the worker, which then writes the record"),
    "deployments_receivedtoken": (_NONE, "its signature; it is deleted then"),
    "deployments_verifiedrequest": (_OWN, "the sequencer reads the record in the ledger before it signs"),
    "deployments_verifiedrunnertoken": (_OWN, "it refuses alone"),
    "deployments_usedrunnertoken": (_NONE, "it refuses alone"),
    "deployments_deploymentpermission": (
        "decision, deployment-permission",
        "the sequencer reads the decision in the ledger before it signs; what it signed decides",
    ),
    "deployments_deploymentreport": ("deployment-outcome", "its token, by the worker, which then writes the record"),
    "deployments_jobrun": ("job-run", "its token, by the worker, which then writes the record"),
    "deployments_receivedruntoken": (_NONE, "its signature; it is deleted then"),
    "deployments_jobrunpermission": ("job-run", "the worker's own: no other process adds or alters one"),
    "deployments_runningartifact": (
        _NONE,
        "it can only open an incident, and make results worse: so its pipeline's token is not stored",
    ),
    "meetings_personregion": (_NONE, "it moves the day of a meeting at most"),
    "meetings_personlanguage": (_NONE, "mails come in another language at most"),
    "meetings_invitationanswer": (_NONE, _PAGES),
    "meetings_invitationmail": (_OWN, _NO_DECISION),
    "meetings_sentnotice": (_OWN, _NO_DECISION),
    "meetings_mailboxposition": (_OWN, "mails are read again, and a mail that was read has no effect"),
    "meetings_readmail": (_OWN, _NO_DECISION),
    "minutes_agendaitem": (_NONE, "a meeting ends without it only if each item is done; pages show them"),
    "minutes_minutesentry": (_NONE, _PAGES),
    "minutes_managementadvice": (_NONE, _PAGES),
    "minutes_minutesproof": (
        "that of the signature which names it",
        "the signature, by the passkey that it names: only the confirmation process adds one",
    ),
    "minutes_minutescomment": (_NONE, _PAGES),
    "reviews_marketrequirement": (_NONE, _PAGES),
    "reviews_personaldatafield": (_NONE, _PAGES),
    "reviews_usabilityopinion": (_NONE, _PAGES),
    "incidents_breachduty": (_NONE, _PAGES),
    "incidents_breachclock": (_NONE, _PAGES),
    "incidents_breachadvice": (_NONE, _PAGES),
    "reviews_reviewguest": (_NONE, "the worker mails to the address; answers are shown as opinions"),
    "reviews_guestanswer": (_NONE, _PAGES),
    "reviews_changesample": (_ACT, "the population, by the digest in the record; the sample can be drawn again"),
    "reviews_samplelook": (_NONE, _PAGES),
    "reviews_accessentry": (_NONE, "administrators get a message, and remove access themselves"),
    "reviews_accessreviewresult": (_OWN, _PAGES),
    "requests_request": ("the request's own", "the digest of the act; the worker withdraws alone"),
    "requests_actproof": (
        "its request's",
        "the signature, by the authenticator that it names: only the confirmation process adds one",
    ),
    "requests_proofverification": (_OWN, "the worker verified both signatures before the request is carried out"),
    "requests_requestexecution": ("the act that it names", "one for each request; the row must be what was signed"),
    "requests_provenrow": (_OWN, "the worker compared the row with what was signed"),
    "requests_acceptedrow": (_OWN, "a later state that is weaker needs signatures where the policy demands them"),
    "people_bootstrap": (_NONE, "a row ends the bootstrap, and nobody may delete it"),
    "people_idempotentresponse": (_NONE, _NO_DECISION),
    "account_emailaddress": (_NONE, _NO_DECISION),
    "account_emailconfirmation": (_NONE, _NO_DECISION),
    "mfa_authenticator": (_NONE, _NO_DECISION),
    "socialaccount_socialaccount": (_NONE, _NO_DECISION),
    "procrastinate_workers": (_OWN, _NO_DECISION),
    "procrastinate_jobs": (
        "below, for each task",
        "what a task does is not in its row of the queue but in its record",
    ),
    "procrastinate_events": (_OWN, _NO_DECISION),
    "procrastinate_periodic_defers": (_OWN, _NO_DECISION),
}


_ALTERING_HEAD = """
## Rows that a process other than the worker may alter or delete without a record

A row that is compared with its record is not in this list: a change of the compared columns, and a deletion, deny and
are an incident. Of each other right that the database grants, this says why whoever has that login gains no permission
by it. A test compares the list with the rights in the catalogue of a real database.

| table | login | may | why it permits nothing |
| --- | --- | --- | --- |
"""
_SIGN_IN = "sign-in data: the web's alone. No other process takes it for a proof; a dangerous act can demand signatures"
_LAPSE = "it deletes what its period is over; a copy is made again where it is needed"
_QUEUE = "a task does what its record says, and what is lost is enqueued again by the rounds"
_LABELS = "names, texts and persons that pages show; the compared columns decide"
_WORDS = "free text that pages show"
_WRITES_LEDGER = "its signed checkpoint, and the copy outside, contradict it"
ALTERATIONS: dict[tuple[str, str], str] = {
    ("account_emailaddress", "web"): _SIGN_IN,
    ("account_emailaddress", "eraser"): "the person signs in less easily",
    ("account_emailconfirmation", "web"): _SIGN_IN,
    ("account_emailconfirmation", "eraser"): "the address is confirmed again",
    ("changes_change", "eraser"): "titles that pages show; the forge or the repository is read again",
    ("connections_branchupdate", "eraser"): "titles that pages show; tip and heads are compared with the record",
    ("connections_bypassreview", "eraser"): _WORDS,
    ("connections_cachedresponse", "eraser"): "the forge is asked again",
    ("connections_connection", "web"): "how it shows the connection's state, which the worker finds out itself",
    ("connections_firstpush", "eraser"): "a trigger lets it make a pusher unknown, which denies, and nobody else one",
    ("connections_forgechange", "eraser"): "our own comment, which is written anew",
    ("connections_postedstatus", "eraser"): "the forge is asked what it shows",
    ("connections_reviewstatement", "eraser"): "a trigger keeps those on open changes; the others are spent",
    ("connections_webhookdelivery", "eraser"): "a delivery is only a reason to read the forge",
    ("deployments_breakglasspermission", "eraser"): _WORDS,
    ("designs_personaldatadraft", "eraser"): _WORDS,
    ("deployments_deploymentapproval", "web"): "the moment, which pages show; a withdrawal is compared",
    ("deployments_pipelineidentity", "web"): "the moment, which pages show",
    ("deployments_runningartifact", "web"): "it can hide what runs there, as the report that it leaves out does",
    ("deployments_runningartifact", "eraser"): "the environment reports it again",
    ("deployments_trustedbuilder", "web"): "the moment, which pages show",
    ("deployments_usedrunnertoken", "web"): "the worker has a list of its own, and accepts a token once",
    ("django_session", "web"): _SIGN_IN,
    ("django_session", "eraser"): "the person signs in again",
    (
        "outgoing_webhooks_outgoingwebhook",
        "web",
    ): "whether its address is stored, and which record is next",
    ("outgoing_webhooks_outgoingdelivery", "eraser"): "what was delivered; nothing is decided by it",
    ("findings_productfinding", "web"): "texts, place and owner, for pages; severity, dates and state are compared",
    ("findings_productfinding", "eraser"): _WORDS,
    ("designs_threatanswer", "web"): "text, which pages show; kind, person and dates are compared",
    ("designs_threatanswer", "eraser"): _WORDS,
    ("findings_findingdecision", "web"): "reason and persons, which pages show; kind, owner and dates are compared",
    ("findings_findingdecision", "eraser"): _WORDS,
    ("findings_findingevent", "eraser"): _LAPSE,
    ("findings_toolcoverage", "web"): "persons, for pages; what is declared is compared",
    (
        "requirements_requirementstatement",
        "web",
    ): "persons and reason, which pages show; kind, test and days are compared",
    ("requirements_requirementstatement", "eraser"): _WORDS,
    ("requirements_officialrequirementlist", "web"): "the content, whose digest is compared; persons, for pages",
    ("findings_leakedsecret", "web"): "persons and proof, which pages show; each step is compared",
    ("findings_leakedsecret", "eraser"): _WORDS,
    ("updates_advisoryrevision", "eraser"): _LAPSE,
    ("incidents_incident", "web"): "without the record of its closing it is open, and the worker opens it again",
    ("incidents_incident", "eraser"): "a trigger keeps open ones; texts are what pages show",
    ("meetings_calendarfeed", "web"): "the address of a calendar, which shows titles and times",
    ("meetings_calendarfeed", "eraser"): "the person makes a new address",
    ("meetings_invitationanswer", "web"): "an answer to an invitation, which is no attendance",
    ("meetings_invitationanswer", "operator"): "an answer to an invitation, which is no attendance",
    ("meetings_invitationanswer", "eraser"): _LAPSE,
    ("meetings_invitationmail", "eraser"): "the invitation is mailed once more",
    ("meetings_meetingmove", "eraser"): _WORDS,
    ("meetings_personregion", "web"): "it moves the day of a meeting at most",
    ("meetings_personregion", "eraser"): "the region of the organisation counts",
    ("meetings_personlanguage", "web"): "mails come in another language at most",
    ("meetings_personlanguage", "eraser"): "mails come in English",
    ("meetings_productmeeting", "web"): "the place, and whether people are invited again; the day is compared",
    ("meetings_productmeeting", "eraser"): _WORDS,
    ("meetings_sentnotice", "eraser"): "a reminder is sent once more",
    ("meetings_readmail", "eraser"): "a mail that is still in the mailbox is read again",
    ("minutes_agendaitem", "web"): "pages show it; the minutes have it, and their digest is compared",
    ("minutes_agendaitem", "eraser"): _LAPSE,
    ("minutes_minutes", "web"): "both texts have their digest in a column that is compared",
    ("minutes_minutes", "eraser"): "both texts have their digest in a column that is compared",
    ("minutes_minutescomment", "eraser"): _LAPSE,
    ("minutes_managementadvice", "eraser"): _LAPSE,
    ("minutes_minutesentry", "web"): _WORDS,
    ("minutes_minutesentry", "eraser"): _LAPSE,
    ("mfa_authenticator", "web"): _SIGN_IN,
    ("mfa_authenticator", "eraser"): "without a second factor the person may do less",
    ("muniment_cache", "web"): "the web's own copies, without code: JSON alone",
    ("people_account", "web"): _LABELS,
    ("people_accountnotice", "eraser"): "the worker has sent it by then; the inbox has it too",
    ("people_accountverification", "web"): "a link is an act of its own, which is compared",
    ("people_accountverification", "eraser"): "the person begins again",
    ("people_apitoken", "web"): _SIGN_IN,
    ("people_apitoken", "eraser"): "the token ends",
    ("people_forgeaccount", "eraser"): "the worker stores the id anew, of the account that has the login then",
    ("people_forgemachine", "eraser"): "a proposal, which is made again",
    ("people_formerhandle", "eraser"): "the handle of an erased person is free again; acts name persons by their ids",
    ("people_idempotentresponse", "web"): "answers that it repeats to the same token",
    ("people_idempotentresponse", "eraser"): "the operation is done again, and refused where it was done",
    ("people_invitation", "web"): _SIGN_IN,
    ("people_invitation", "eraser"): "the link ends",
    ("people_invitation", "operator"): "the operator makes links, each an incident",
    ("people_message", "web"): "whether it was read; its text and its mail are not the web's",
    ("people_message", "eraser"): _LAPSE,
    ("people_noticedelivery", "eraser"): "the notice is sent once more",
    ("people_pendingerasure", "eraser"): "its own list of erasures under way",
    ("people_person", "web"): _LABELS + "; password: sign-in data",
    ("people_person", "eraser"): "triggers let it erase those who left, and nobody else",
    ("people_rolegrant", "web"): _LABELS,
    ("people_signinstate", "eraser"): "the worker stores anew how the person signs in, as of then",
    ("policies_freeze", "web"): "the records of freezes decide",
    ("policies_freeze", "eraser"): _WORDS,
    ("policies_monitoringperiod", "web"): _LABELS,
    ("policies_monitoringperiod", "eraser"): _WORDS,
    ("policies_policyexception", "web"): "`records_exceptionfile` decides, which is compared",
    ("policies_policyexception", "eraser"): _WORDS,
    ("policies_policysource", "web"): "what it last read: a policy that is read again is a request of two people",
    ("policies_policyversion", "web"): _LABELS,
    ("policies_policyversion", "eraser"): _WORDS,
    ("policies_policyversion", "operator"): _LABELS,
    ("procrastinate_events", "eraser"): _QUEUE,
    ("procrastinate_jobs", "web"): "the order alone",
    ("procrastinate_jobs", "eraser"): _QUEUE,
    ("procrastinate_jobs", "operator"): "the order alone",
    ("procrastinate_periodic_defers", "eraser"): _QUEUE,
    ("products_product", "web"): _LABELS,
    ("products_product", "eraser"): _WORDS,
    ("products_repository", "web"): "which worker reads it; the path is compared",
    ("reviews_marketrequirement", "web"): _WORDS,
    ("reviews_marketrequirement", "eraser"): _WORDS,
    ("reviews_personaldatafield", "web"): _WORDS,
    ("reviews_personaldatafield", "eraser"): _WORDS,
    ("reviews_usabilityopinion", "web"): _WORDS,
    ("reviews_usabilityopinion", "eraser"): _WORDS,
    ("incidents_breachduty", "web"): _WORDS,
    ("incidents_breachduty", "eraser"): _WORDS,
    ("incidents_breachclock", "web"): "a decision that pages show; the record of its act says who made it",
    ("incidents_breachclock", "eraser"): _LAPSE,
    ("incidents_breachadvice", "eraser"): _LAPSE,
    ("reviews_opiniondraft", "web"): _WORDS,
    ("reviews_opiniondraft", "eraser"): _LAPSE,
    ("reviews_reviewguest", "web"): "a guest's invitation; answers of guests are shown as opinions",
    ("reviews_reviewguest", "eraser"): _LAPSE,
    ("reviews_guestanswer", "web"): _WORDS,
    ("reviews_guestanswer", "eraser"): _LAPSE,
    ("reviews_samplelook", "web"): _WORDS,
    ("reviews_samplelook", "eraser"): _LAPSE,
    ("reviews_accessentry", "web"): "a proposal to administrators, who remove access themselves",
    ("reviews_accessentry", "eraser"): _LAPSE,
    ("reviews_accessreviewresult", "eraser"): _LAPSE,
    ("records_ledgerhead", "sequencer"): _WRITES_LEDGER,
    ("records_personobject", "eraser"): _LAPSE,
    ("records_recordposition", "sequencer"): _WRITES_LEDGER,
    ("records_storedobject", "eraser"): "an object that is missing is unknown, which denies",
    ("records_tile", "sequencer"): _WRITES_LEDGER,
    ("requests_actproof", "eraser"): "the worker has the digest of what it verified",
    ("requests_request", "web"): "a trigger ends it once; what it says is a record, and signatures where demanded",
    ("requests_request", "eraser"): "a trigger lets it withdraw alone",
    ("retros_confidentialanswer", "eraser"): _LAPSE,
    ("retros_feedbackcodetaken", "web"): "a code for feedback, by which nothing is decided",
    ("retros_feedbackcodetaken", "eraser"): _LAPSE,
    ("retros_feedbackround", "web"): "answers that pages show; the minutes hold what was decided",
    ("retros_feedbackround", "eraser"): _LAPSE,
    ("retros_finishedphase", "web"): _WORDS,
    ("retros_finishedphase", "eraser"): _LAPSE,
    ("retros_improvement", "web"): _WORDS,
    ("retros_improvement", "eraser"): _WORDS,
    ("retros_ownerhours", "web"): "hours that a page compares with a plan",
    ("retros_ownerhours", "eraser"): _LAPSE,
    ("retros_retroboard", "web"): "the phase of a meeting that pages show",
    ("retros_retroboard", "eraser"): _LAPSE,
    ("retros_retrocard", "web"): _WORDS,
    ("retros_retrocard", "eraser"): _LAPSE,
    ("retros_retrovote", "web"): "votes that pages count; the minutes hold what was decided",
    ("retros_retrovote", "eraser"): _LAPSE,
    ("retros_retrothreat", "eraser"): _WORDS,
    ("retros_worthpool", "web"): "answers that are counted for a page",
    ("retros_worthpool", "eraser"): _LAPSE,
    ("retros_worthanswer", "eraser"): _LAPSE,
    ("retros_worthrespondent", "eraser"): _LAPSE,
    ("secrets_secret", "web"): "who set it and which version counts, as pages show",
    ("secrets_secretread", "eraser"): _LAPSE,
    ("secrets_secretversion", "web"): "the list of versions that pages show; the vault has the values",
    ("secrets_vaultwatch", "operator"): "a watch that it ends is recorded; the worker watches on",
    ("socialaccount_socialaccount", "web"): _SIGN_IN,
    ("socialaccount_socialaccount", "eraser"): "the person signs in by the company's sign-in again",
    ("socialaccount_socialtoken", "eraser"): "nothing reads one",
}

_TASKS_HEAD = """
## Background tasks

Whoever has the credentials of web or worker can put any task into the queue; the web can alter nothing in one but its
priority. A task does what its row and its record say, and reads the world again. One that needs the record of an act,
and has none, does nothing and is an incident.

| task | does only what this says |
| --- | --- |
"""
_AGAIN = "nothing: it reads the world again, and what it decides is a record"
_ROW = "the row, which is compared with its record"
_TRIAL = "nothing: what a version of the policy would have decided, which pages alone show"
_RECORD = "the record of the act that it carries"
_TASKS: dict[str, str] = {
    "apply-freeze": "the records of freezes; it has everything evaluated again",
    "begin-passes": _AGAIN,
    "check-connection-permissions": _ROW,
    "check-deployment": "nothing: it can only end a permission",
    "close-deployment-access": "nothing: it can only end a run's access to the vault",
    "close-job-run": "nothing: it can only end a run's access to the vault",
    "close-reviewed-bypasses": "the reviews, which are compared with their records",
    "evaluate-change": _AGAIN,
    "evaluate-deployment": "the request as it was received, with its token",
    "close-revoked-secrets": "the row of the secret, which is compared with its record",
    "report-leaked-secret": "the row of the secret; it opens an incident alone",
    "read-advisories": _AGAIN,
    "read-dependencies": _AGAIN,
    "propose-updates": _AGAIN,
    "propose-due-updates": _AGAIN,
    "read-due-advisories": _AGAIN,
    "read-due-dependencies": _AGAIN,
    "read-due-named-tests": _AGAIN,
    "read-named-tests": _AGAIN,
    "import-report": "the report, whose digest is in the record of the act that stored it",
    "scan-code": _AGAIN,
    "scan-due-code": _AGAIN,
    "count-stopped-findings": "decisions that have a record; it stores figures for a page",
    "evaluate-design": "it stores nothing that the branches of the product do not say",
    "evaluate-change-design": "it stores nothing that the commits of the change do not say",
    "evaluate-due-designs": "it only enqueues",
    "collect-outgoing-events": "it lists what records of the ledger are about, and decides nothing",
    "deliver-outgoing-events": "it sends codes and a link, and decides nothing",
    "evaluate-due-product-clauses": _AGAIN,
    "evaluate-history": _AGAIN,
    "evaluate-product-clauses": _AGAIN,
    "withdraw-job-run": "the token that the row came with, if it was not decided; it can only end a run's access",
    "evaluate-job-run": "the pipeline that the row names, and the environment, which are compared with their records",
    "import-hook-log": _ROW,
    "list-repositories": _ROW,
    "cover-repositories": "the rules for repositories, which are compared with their records",
    "read-new-repositories": _ROW,
    "plan-protection": _ROW,
    "apply-protection": f"{_RECORD}, and the worker's own rows, whose digest the act names",
    "mail-code": "the claim of an address, which proves nothing before its code was typed",
    "merge-change": f"{_RECORD}, and an allow decision that has its position",
    "plan-meetings": "the rows of meetings, which are compared with their records; what it plans is an act on record",
    "poll-connection": _ROW,
    "poll-connections": _AGAIN,
    "post-bypass-status": "the worker's own row, if it is of a bypass",
    "prepare-revert": _RECORD,
    "probe-connection": _ROW,
    "probe-connections": _AGAIN,
    "probe-repository": _ROW,
    "read-branch-rules": _AGAIN,
    "read-branch-updates": _AGAIN,
    "read-change": _AGAIN,
    "read-issuer-keys": "the pipelines, which are compared with their records: other addresses are not read",
    "read-merge-group": _AGAIN,
    "read-policy-source": _ROW,
    "read-published-keys": "the claim of a login, which proves nothing before its key signed",
    "reconcile-repository": _ROW,
    "record-deployment-outcome": "the report as it was received, with its token",
    "record-running-artifact": "nothing: it can only open an incident",
    "reevaluate-all": _AGAIN,
    "replay-policy": _TRIAL,
    "replay-policy-on-repository": _TRIAL,
    "request-review": _RECORD,
    "review-break-glass-deployment": "nothing: it can only open an incident",
    "revoke-deployments": "the records of freezes, and what ends each permission",
    "scan-repository": _ROW,
    "mail-guests": "the rows of guests; it mails to their addresses",
    "send-guest-mails": "the rows of guests; it mails to their addresses",
    "draw-samples": "branch updates and the ledger; what it draws is an act on record",
    "review-access": "roles and what was seen of their use; it decides nothing",
    "end-objections": "the rows of minutes, which are compared with their records; what it does is an act on record",
    "send-invitations": "the rows of meetings; it mails to the addresses of people who are invited",
    "read-mailed-replies": "the mailbox of replies; a reply gives its own person's answer, and moves no meeting",
    "send-meeting-notices": "the rows of meetings; it puts messages into inboxes",
    "send-messages": "messages, by which nothing is decided",
    "tell-account-notices": "notices, by which nothing is decided",
    "verify-statuses": _AGAIN,
}


def describe_tables() -> str:
    """The whole document. Raises KeyError for a table that the worker reads, or a task, that nobody described."""
    from muniment.server.job_queue import TASKS

    ours = (name for name, each in TASKS.items() if each.func.__module__.startswith("muniment."))  # tests have others
    tasks = (f"| `{name}` | {_TASKS[name]} |\n" for name in sorted(ours))
    tables = "".join(f"{line}\n" for line in _lines())
    altering = "".join(f"{line}\n" for line in _list_alterations())
    return _HEAD + tables + _ALTERING_HEAD + altering + _TASKS_HEAD + "".join(tasks)


def _lines() -> Iterator[str]:
    from django.apps import apps

    from muniment.server.guarding import privileges
    from muniment.server.records.recorded_rows import list_recorded_columns, list_recorded_models

    recorded = list_recorded_models()
    for model in sorted(apps.get_models(), key=lambda one: one._meta.db_table):
        rights, table = privileges.find_privileges(model), model._meta.db_table
        if rights is None or privileges.READ not in rights.worker:
            continue
        if model in recorded:
            columns = ", ".join(f"`{name}`" for name in list_recorded_columns(model))
            record, check = _ACT, f"{columns}: these columns of every row, again after each write to the table"
        else:
            record, check = _CHECKS[table]
        web, worker = _written(rights.web, rights.web_changes), _written(rights.worker, rights.worker_changes)
        yield f"| `{table}` | {web} | {worker} | {record} | {check} |"


def _list_alterations() -> Iterator[str]:
    """Lines of the rights to alter or delete that no record covers. Raises KeyError for one without a reason."""
    from muniment.server.guarding import privileges
    from muniment.server.guarding.database_roles import PROCESSES, ROLE_PREFIX

    for table, own in sorted(privileges.list_privileges().items()):
        for role in PROCESSES:
            rights = find_unrecorded_rights(table, own.list_rights(role))
            login = role.removeprefix(ROLE_PREFIX)
            if rights and login != "worker":  # what the worker alters is its own, or in the first list
                altered = _written(tuple(rights), rights.get(privileges.CHANGE, ()))
                yield f"| `{table}` | {login} | {altered} | {ALTERATIONS[table, login]} |"


def find_unrecorded_rights(table: str, rights: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Of the rights on a table, those to alter or delete what no record covers, each with its columns (() for all)."""
    from muniment.server.guarding import privileges
    from muniment.server.records.recorded_rows import list_recorded_models, list_recorded_names

    found = {right: rights[right] for right in (privileges.CHANGE, privileges.DROP) if right in rights}
    model = next((one for one in list_recorded_models() if one._meta.db_table == table), None)
    if model is None:
        return found
    found.pop(privileges.DROP, None)  # a deletion is in no record, and so an incident
    altered = found.pop(privileges.CHANGE, None)
    if altered is None:
        return {}
    columns = altered or tuple(str(field.column) for field in model._meta.concrete_fields if not field.primary_key)
    left = tuple(name for name in columns if name not in list_recorded_names(model))
    return {privileges.CHANGE: left} if left else {}


def _written(rights: tuple[str, ...], columns: tuple[str, ...]) -> str:
    """Writes of a process to a table; `columns` are those that it may alter where it may not alter all."""
    names = {"INSERT": "adds", "UPDATE": "alters", "DELETE": "deletes"}
    found = [name for right, name in names.items() if right in rights and not (right == "UPDATE" and columns)]
    found += [f"alters {', '.join(f'`{name}`' for name in columns)}"] if columns else []
    return ", ".join(found) or "-"


def main() -> None:
    """Write the reference of tables."""
    os.environ["DJANGO_SETTINGS_MODULE"] = _SETTINGS
    django.setup()
    DOCUMENT.write_text(describe_tables(), encoding="utf-8")


if __name__ == "__main__":
    main()
