"""The apps of the server, lowest first: each may import those before it, and none after it.

One line for each app. The contract in pyproject.toml holds the order, Django's list of apps and the contributions
follow it: see docs/guides/add-an-app.md.
"""

APPS = (
    "records",
    "products",
    "people",
    "policies",
    "incidents",
    "changes",
    "connections",
    "secrets",
    "deployments",
    "findings",
    "updates",
    "requirements",
    "meetings",
    "minutes",
    "reviews",
    "retros",
    "designs",
    "requests",
    "organisations",
    "outgoing_webhooks",
    "pages",
)
