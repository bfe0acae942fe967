"""Design models of the demonstration company, as its repositories would have them."""

PATIENT_PORTAL = """schema = 1
product = "patient-portal"
owner = "hana.kim@alderhealth.example"
window_days = 90
[[actor]]
id = "patient"
label = "Patient"
roles = ["patient-role"]
[[actor]]
id = "clinician"
label = "Clinician"
roles = ["clinician-role"]
[[actor]]
id = "report-job"
label = "Report job"
outside = false
roles = ["report-role"]
[[role]]
id = "patient-role"
label = "Patient role"
[[role]]
id = "clinician-role"
label = "Clinician role"
[[role]]
id = "report-role"
label = "Report role"
[[boundary]]
id = "application"
label = "Application network"
[[boundary]]
id = "data"
label = "Data network"
[[component]]
id = "web"
label = "Web app"
boundary = "application"
[[component]]
id = "report-worker"
label = "Report worker"
boundary = "application"
[[component]]
id = "database"
label = "Patient database"
kind = "store"
boundary = "data"
[[component]]
id = "exports"
label = "Exports"
kind = "store"
boundary = "data"
[[component]]
id = "mail"
label = "Mail provider"
kind = "external"
[[data]]
id = "visits"
label = "Visits"
sensitivity = "secret"
personal = true
purpose = "Treatment of patients"
keep_days = 3650
[[data]]
id = "addresses"
label = "Addresses of patients"
sensitivity = "confidential"
personal = true
purpose = "Letters to patients"
[[guard]]
id = "sign-in"
mechanisms = ["sign-in"]
asks = ["portal.accounts:check_session"]
on_failure = "deny"
[[guard]]
id = "own-record"
mechanisms = ["owner-check"]
asks = ["portal.access:owns"]
on_failure = "deny"
[[guard]]
id = "database-login"
mechanisms = ["database-privileges"]
asks = ["portal.database:connect"]
on_failure = "deny"
[[flow]]
from = "patient"
to = "web"
guards = ["sign-in"]
data = ["visits"]
encrypted = true
[[flow]]
from = "clinician"
to = "web"
guards = ["sign-in"]
data = ["visits"]
encrypted = true
[[flow]]
from = "web"
to = "database"
guards = ["own-record"]
[[flow]]
from = "web"
to = "report-worker"
data = ["visits"]
[[flow]]
from = "report-worker"
to = "database"
guards = ["database-login"]
[[flow]]
from = "report-worker"
to = "exports"
[[flow]]
from = "report-worker"
to = "mail"
data = ["addresses"]
[[resource]]
id = "visit"
label = "Visits"
component = "database"
data = ["visits", "addresses"]
properties = ["consent"]
[[resource]]
id = "export"
label = "Exports of visits"
component = "exports"
data = ["visits"]
[[action]]
id = "visit.read"
resource = "visit"
verb = "read"
[[action]]
id = "visit.write"
resource = "visit"
verb = "modify"
changes = []
undo = "transaction"
[[action]]
id = "visit.delete"
resource = "visit"
verb = "delete"
changes = []
undo = "transaction"
[[action]]
id = "consent.give"
resource = "visit"
verb = "modify"
changes = ["consent"]
undo = "transaction"
[[action]]
id = "export.create"
resource = "export"
verb = "create"
undo = "compensation"
[[task]]
id = "look-up-visits"
by = ["patient-role", "clinician-role"]
actions = ["visit.read"]
[[task]]
id = "write-visit"
by = ["clinician-role"]
actions = ["visit.write"]
[[task]]
id = "give-consent"
by = ["patient-role"]
actions = ["consent.give"]
[[task]]
id = "make-report"
by = ["report-role"]
actions = ["visit.read", "export.create"]
[[grant]]
to = "patient-role"
actions = ["visit.read", "consent.give"]
read_on = @TODAY@
[[grant]]
to = "clinician-role"
actions = ["visit.read", "visit.write"]
read_on = @TODAY@
[[grant]]
to = "report-role"
actions = ["visit.read", "visit.delete", "export.create"]
read_on = @TODAY@
[[use]]
by = "patient-role"
actions = ["visit.read", "consent.give"]
read_on = @TODAY@
[[use]]
by = "clinician-role"
actions = ["visit.read", "visit.write"]
read_on = @TODAY@
[[use]]
by = "report-role"
actions = ["visit.read", "export.create"]
read_on = @TODAY@
[[limit]]
resource = "visit"
most = 6
[[limit]]
resource = "visit"
property = "consent"
most = 2
[[limit]]
resource = "export"
most = 2
[[budget]]
measure = "prompts-per-task"
most = 2
[[measurement]]
measure = "prompts-per-task"
value = 1
read_on = @TODAY@
"""

BILLING = """schema = 1
product = "billing"
owner = "pedro.alves@alderhealth.example"
[[actor]]
id = "clerk"
label = "Clerk"
[[component]]
id = "web"
label = "Billing app"
[[component]]
id = "database"
label = "Invoices"
kind = "store"
[[guard]]
id = "sign-in"
mechanisms = ["sign-in"]
asks = ["billing.accounts:check_session"]
on_failure = "deny"
[[flow]]
from = "clerk"
to = "web"
guards = ["sign-in"]
[[flow]]
from = "web"
to = "database"
[[resource]]
id = "invoice"
label = "Invoices"
component = "database"
"""
