"""Built-in policy: the clauses of a usual secure-development policy, ready to be edited."""

import re

_PACK = """# How this company develops software securely, clause by clause.
# `text` is the clause in your own words; `control` is the code that evaluates it: muniment explain CLAUSE.
schema = 1
owner = "@OWNER@"                    # who is responsible for this policy
repository = "@REPOSITORY@"          # the name that approvals give this repository
# source = "policy.md"               # your own page: "muniment policy check" lists sentences that no clause covers

[branches]
protected = [@BRANCH@"main", "master", "release/*"]    # * stops at /

# [tags]
# protected = ["v*"]    # on a server with our hook, such a tag has to name a change that the policy allows

[retention]    # days that the service stores data outside the ledger; two people change one, in either direction
invitation_and_token_days = 90     # after they ended
message_days = 180
running_artifact_days = 365        # what an environment reported to run
incident_days = 1095               # after they were closed
secret_read_days = 730             # who read a secret, by the vault's audit log
api_response_days = 7
webhook_delivery_days = 30
forge_response_days = 30
first_push_days = 730              # who pushed a commit first
machine_proposal_days = 90         # accounts that a forge calls machines
posted_status_days = 90
review_answer_days = 400
bypass_review_days = 1100
minutes_days = 3650                # who was there and what was decided in reviews and retros
opinion_days = 1100
retro_days = 1100                  # cards and votes of retros
advisory_revision_days = 1100      # earlier contents of advisories
invitation_answer_days = 800       # answers to invitations, and mails about meetings

[[section]]
id = "secure-design"
name = "Secure design"
owner = "@OWNER@"

[[clause]]
id = "design.least-privilege"
name = "Least privilege"
section = "secure-design"
text = "Every part and every person has only the rights that its task needs."
control = "least-privilege"
enforce = []

[[clause]]
id = "design.privilege-separation"
name = "Privilege separation"
section = "secure-design"
text = "No single part or person can do a dangerous operation alone."
control = "privilege-separation"
enforce = []

[[clause]]
id = "design.complete-mediation"
name = "Complete mediation"
section = "secure-design"
text = "Every access is checked, every time, by one place that decides."
control = "complete-mediation"
enforce = []

[[clause]]
id = "design.multiple-security-layers"
name = "Multiple security layers"
section = "secure-design"
text = "Each protection has a second one that does not fail for the same reason."
control = "multiple-security-layers"
enforce = []

[[clause]]
id = "design.secure-failure"
name = "Secure failure"
section = "secure-design"
text = "On failure the system denies access, undoes partial changes and returns to a safe state."
control = "secure-failure"
enforce = []

[[clause]]
id = "design.user-friendly-security"
name = "User-friendly security"
section = "secure-design"
text = "Controls do not get in the way of legitimate work."
control = "user-friendly-security"
enforce = []

[[section]]
id = "owasp-top-10"
name = "OWASP Top 10"
owner = "@OWNER@"

[[clause]]
id = "owasp.no-overdue-findings"
name = "No overdue findings"
section = "owasp-top-10"
text = "No known weakness of the OWASP Top 10 is open beyond its due date."
control = "no-overdue-findings"
enforce = []

[[clause]]
id = "owasp.requirements"
name = "Security requirements"
section = "owasp-top-10"
text = "The exact security requirements that apply to the product are met."
control = "requirements-met"
enforce = []

[[section]]
id = "code-review"
name = "Code review"
owner = "@OWNER@"

# Evaluated for every change onto a protected branch.

[[clause]]
id = "review.two-reviewers"
name = "Two reviewers"
section = "code-review"
text = "At least two people who did not contribute to a change review and approve it before it is merged."
control = "independent-review"
enforce = ["merge"]
with = { reviewers = 2 }

[[clause]]
id = "review.small-changes"
name = "Small changes"
section = "code-review"
text = "Changes are small enough to be reviewed with care."
control = "small-changes"
enforce = ["merge"]
[clause.with]
lines = 400
files = 40
generated = ["**/*.lock", "**/package-lock.json", "**/go.sum", "**/*.svg", "**/*.png", "**/*.jpg"]

[[clause]]
id = "review.security-attention"
name = "Attention to security"
section = "code-review"
text = "Changes of security-sensitive code are approved by somebody with the security role."
control = "security-attention"
enforce = ["merge"]
with = { sensitive = ["**/auth/**", "**/login/**", "**/crypto/**", "**/security/**"] }

[[clause]]
id = "history.protected"
name = "Protected history"
section = "code-review"
text = "A protected branch is never deleted or rewound."
control = "protected-history"
enforce = ["merge"]

[[section]]
id = "secrets"
name = "Secrets"
owner = "@OWNER@"

[[clause]]
id = "secrets.in-vault"
name = "Secrets in the vault"
section = "secrets"
text = "Secrets are stored in the vault and nowhere else."
control = "secrets-in-vault"
enforce = []

[[clause]]
id = "secrets.fetched-by-pipeline"
name = "Fetched by the pipeline"
section = "secrets"
text = "The deployment pipeline fetches secrets automatically."
control = "automatic-secret-retrieval"
enforce = []

[[clause]]
id = "secrets.hidden-from-developers"
name = "Hidden from developers"
section = "secrets"
text = "Developers never see production secrets."
control = "secrets-hidden-from-developers"
enforce = []

[[clause]]
id = "secrets.rotated"
name = "Rotation"
section = "secrets"
text = "Every secret is replaced before it is too old."
control = "secret-rotation"
enforce = []
with = { max_age_days = 365 }

[[section]]
id = "continuous-integration"
name = "Continuous integration and deployment"
owner = "@OWNER@"

# A clause with enforce = [] is evaluated and shown, and blocks nothing. Write enforce = ["merge", "deploy"] for
# pipeline.tests once the machine that runs the tests signs for them (docs/guides/pipelines.md).

[[clause]]
id = "pipeline.tests"
name = "Automated tests"
section = "continuous-integration"
text = "Automated tests pass on exactly the commit that is merged."
control = "tests-passed"
enforce = []
with = { pipelines = ["tests"], runners = ["machine:ci"] }

[[clause]]
id = "pipeline.required"
name = "Required pipeline"
section = "continuous-integration"
text = "Nothing reaches a protected branch without the pipeline."
control = "pipeline-required"
enforce = []
with = { pipelines = ["tests"] }

[[clause]]
id = "pipeline.hardened"
name = "Hardened pipelines"
section = "continuous-integration"
text = "Pipelines use pinned steps and the least rights."
control = "pipeline-hardened"
enforce = []

[[clause]]
id = "deployment.automated"
name = "Automated deployment"
section = "continuous-integration"
text = "Deployment from commit to production is automatic."
control = "automated-deployment"
enforce = []

[[clause]]
id = "deployment.permitted"
name = "Permitted deployments"
section = "continuous-integration"
text = "Only artifacts of a trusted builder and an allowed commit are deployed, one environment after the other."
control = "deployment-permitted"
enforce = ["deploy"]
with = { builders = [] }    # the builders that you trust, as their provenance names them

[[section]]
id = "security-updates"
name = "Security updates"
owner = "@OWNER@"

[[clause]]
id = "updates.security"
name = "Security updates"
section = "security-updates"
text = "Security updates of frameworks and libraries are in place by their due dates."
control = "no-known-vulnerabilities"
enforce = []

[[clause]]
id = "updates.no-new-vulnerability"
name = "No new vulnerability"
section = "security-updates"
text = "No change brings a dependency with a known vulnerability."
control = "no-new-vulnerable-dependency"
enforce = []

[[clause]]
id = "updates.frameworks"
name = "Supported frameworks"
section = "security-updates"
text = "Every framework is of a release line that its project supports."
control = "frameworks-supported"
enforce = []

[[clause]]
id = "updates.pinned"
name = "Pinned dependencies"
section = "security-updates"
text = "Every dependency is pinned, so that the same content is installed each time."
control = "pinned"
enforce = []

[[clause]]
id = "updates.automated"
name = "Automatic updates"
section = "security-updates"
text = "Security updates are proposed automatically in every repository."
control = "updates-automated"
enforce = []

[[clause]]
id = "updates.cool-down"
name = "Cool-down"
section = "security-updates"
text = "New releases of dependencies are used only after they were public for some days."
control = "cool-down"
enforce = []

[[section]]
id = "reviews-and-retros"
name = "Security reviews and retros"
owner = "@OWNER@"

[[clause]]
id = "reviews.scheduled"
name = "Scheduled review"
section = "reviews-and-retros"
text = "Each active product has a date, a chair and everybody who is needed for its next security review."
control = "security-review-scheduled"
enforce = []

[[clause]]
id = "reviews.quarterly-review"
name = "Security review"
section = "reviews-and-retros"
text = "Every three months analysts, the Data Protection Officer and other stakeholders review each product's security."
control = "security-review-held"
enforce = []
with = { months = 3 }

[[clause]]
id = "reviews.quarterly-retro"
name = "Security retro"
section = "reviews-and-retros"
text = "Every three months each team looks back on security and plans what to improve."
control = "security-retro-held"
enforce = []
with = { months = 3 }
"""

_PEOPLE = """# People and machines. A change by an address, key or account that is not listed here is denied.
#
# [[person]]
# id = "ada"
# name = "Ada"
# emails = ["ada@example.test"]            # all addresses in her commits
# keys = ["ssh-ed25519 AAAA... ada"]       # SSH public keys with which she signs
# roles = ["developer"]                    # "security" for somebody with the security role
# active = true                            # false as soon as she leaves
# write_access = ["*"]                     # the repositories, by pattern, that she may write to
# [person.accounts]
# github = "ada-gh"
#
# [[machine]]
# id = "update-bot"
# emails = ["bot@example.test"]
# needs_requester = false                  # true for a coding agent: each of its commits must name its requester
"""


def format_built_in_policy(owner: str, repository: str, branch: str = "") -> str:
    """Format the built-in policy.toml for an owner and a repository. `branch` is protected too ("" for none more)."""
    more = "" if branch in ("", "main", "master") or branch.startswith("release/") else f'"{escape_toml(branch)}", '
    values = {"@OWNER@": escape_toml(owner), "@REPOSITORY@": escape_toml(repository), "@BRANCH@": more}
    return re.sub("|".join(values), lambda match: values[match.group()], _PACK)


def empty_people_text() -> str:
    """Text of a people.toml that names nobody yet."""
    return _PEOPLE


def escape_toml(text: str) -> str:
    """Escape `text` for a TOML string (TOML 1.0, section String)."""
    text = text.encode("utf-8", "replace").decode()  # half a character, as from a file's name, has no form there
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in escaped)
