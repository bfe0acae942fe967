"""The built-in policy: a clause for each thing that a company says of how it develops securely, ready to be edited."""

import re

_PACK = """# What this company promises about how it develops software, clause by clause.
# Say it in your own words in `text`; `control` names what judges it. "muniment explain CLAUSE" tells what that means.
schema = 1
owner = "@OWNER@"                    # who answers for this policy
repository = "@REPOSITORY@"          # the name that approvals give this repository
# source = "policy.md"               # your own page: "muniment policy check" then lists what no clause claims

[branches]
protected = ["main", "master", "release/*"]    # * stops at /

# [tags]
# protected = ["v*"]    # on a server with the gate, such a tag has to name a change that the policy allows

# Code review. These are judged for every change onto a protected branch.

[[clause]]
id = "review.two-others"
text = "Two people who had no hand in a change read and approve it before it is merged."
control = "reviewed-by-others"
bites = "merge"
with = { reviewers = 2 }

[[clause]]
id = "review.small-changes"
text = "Changes are small enough to be read with care."
control = "small-changes"
bites = "merge"
[clause.with]
lines = 400
files = 40
generated = ["**/*.lock", "**/package-lock.json", "**/go.sum", "**/*.svg", "**/*.png", "**/*.jpg"]

[[clause]]
id = "review.security-attention"
text = "What protects the product gets a reviewer who looks at security."
control = "security-attention"
bites = "merge"
with = { sensitive = ["**/auth/**", "**/login/**", "**/crypto/**", "**/security/**"] }

[[clause]]
id = "history.kept"
text = "What was merged stays: nobody deletes or rewinds a protected branch."
control = "history-kept"
bites = "merge"

# Principles of secure design.

[[clause]]
id = "design.least-privilege"
text = "Every part and every person has only the rights that its task needs."
control = "least-privilege"
bites = "report"

[[clause]]
id = "design.privilege-separation"
text = "No single part or person can do alone what could do great harm."
control = "privilege-separation"
bites = "report"

[[clause]]
id = "design.complete-mediation"
text = "Every access is checked, every time, by one place that decides."
control = "complete-mediation"
bites = "report"

[[clause]]
id = "design.several-layers"
text = "Behind each protection stands another that does not fail for the same reason."
control = "several-layers"
bites = "report"

[[clause]]
id = "design.secure-failure"
text = "What fails denies, undoes what it began, and brings back what was."
control = "secure-failure"
bites = "report"

[[clause]]
id = "design.not-in-the-way"
text = "Security asks nothing of people who do nothing wrong."
control = "not-in-the-way"
bites = "report"

# Weaknesses and requirements.

[[clause]]
id = "owasp.no-weakness"
text = "The software has no known weakness of the OWASP Top 10."
control = "no-known-weakness"
bites = "report"

[[clause]]
id = "owasp.requirements"
text = "The exact security requirements that apply to the product are met."
control = "requirements-met"
bites = "report"

# Secrets.

[[clause]]
id = "secrets.in-vault"
text = "Secrets live in the vault and nowhere else."
control = "secrets-in-vault"
bites = "report"

[[clause]]
id = "secrets.fetched-by-pipeline"
text = "The deployment pipeline fetches secrets by itself."
control = "retrieved-automatically"
bites = "report"

[[clause]]
id = "secrets.hidden-from-developers"
text = "Developers never see the secrets of production."
control = "hidden-from-developers"
bites = "report"

[[clause]]
id = "secrets.rotated"
text = "No secret grows old."
control = "rotated"
bites = "report"
with = { days = 365 }

# Continuous integration and deployment. What reports here can bite: let pipeline.tests bite at ["merge", "deploy"]
# once the machine that runs the tests signs for them (docs/pipelines.md).

[[clause]]
id = "pipeline.tests"
text = "Automated tests pass on exactly what is merged."
control = "tests-passed"
bites = "report"
with = { pipelines = ["tests"], runners = ["machine:ci"] }

[[clause]]
id = "pipeline.automated"
text = "There is no way to a protected branch around the pipeline."
control = "pipeline-required"
bites = "report"
with = { pipelines = ["tests"] }

[[clause]]
id = "pipeline.hardened"
text = "Pipelines run what is pinned, with the least rights."
control = "pipeline-hardened"
bites = "report"

[[clause]]
id = "deployment.automated"
text = "Deployment runs by itself from commit to production."
control = "automated-deployment"
bites = "report"

[[clause]]
id = "deployment.permitted"
text = "Only what a trusted builder made of an allowed commit is deployed, one environment after the other."
control = "deployment-permitted"
bites = "deploy"
with = { builders = [] }    # the builders that you trust, as their provenance names them

# Updates.

[[clause]]
id = "updates.security"
text = "Frameworks and libraries get their security updates by themselves."
control = "security-updates"
bites = "report"

# Every three months, for each active product.

[[clause]]
id = "quarter.security-review"
text = "Every three months analysts, the Data Protection Officer and other stakeholders review each product's security."
control = "security-review-held"
bites = "report"

[[clause]]
id = "quarter.security-retro"
text = "Every three months each team looks back on security and plans what to improve."
control = "security-retro-held"
bites = "report"
"""

_PEOPLE = """# Who is who. An address, key or account that is not listed belongs to nobody: a change with it is denied.
#
# [[person]]
# id = "ada"
# name = "Ada"
# emails = ["ada@example.test"]            # every address that her commits bear
# keys = ["ssh-ed25519 AAAA... ada"]       # the SSH public keys that sign for her
# roles = ["developer"]                    # "security" for somebody with the security role
# active = true                            # false as soon as she leaves
# writes = ["*"]                           # the repositories, by pattern, that she may write to
# [person.accounts]
# github = "ada-gh"
#
# [[machine]]
# id = "update-bot"
# emails = ["bot@example.test"]
# asked = false                            # true for a coding agent: each of its commits must tell who asked for it
"""


def pack_text(owner: str, repository: str) -> str:
    """The built-in policy.toml for an owner and a repository."""
    values = {"@OWNER@": _quoted(owner), "@REPOSITORY@": _quoted(repository)}
    return re.sub("|".join(values), lambda match: values[match.group()], _PACK)


def people_text() -> str:
    """A people.toml that names nobody yet."""
    return _PEOPLE


def _quoted(text: str) -> str:
    """What stands for `text` between the quotes of a TOML string (TOML 1.0, section String)."""
    text = text.encode("utf-8", "replace").decode()  # half a character, as from a file's name, has no form there
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in escaped)
