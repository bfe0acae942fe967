"""Reference of settings: each environment variable that Muniment reads, and `home.toml`.

`python -m dev.generate` writes it to docs/reference/settings.md. A test fails for a variable of the code that is not
described here, and for one that is described and no longer read.
"""

import re
from pathlib import Path

from muniment.store.settings import make_home_text

SOURCES = Path(__file__).parent.parent / "src" / "muniment"
INTERNAL = frozenset(  # between processes of Muniment: nobody sets them
    {"MUNIMENT_ROLE", "MUNIMENT_PARENT", "MUNIMENT_SLOTS", "MUNIMENT_DEPLOYMENT_ALLOWED", "MUNIMENT_COMPLETE"}
)
_FOUND = re.compile(r"\bMUNIMENT_[A-Z]+(?:_[A-Z]+)*\b")
_TABLE = "| variable | meaning |\n| --- | --- |"
_HEAD = """# Settings

{note}
A value that cannot be used ends the start with the name of its variable. The value itself is not repeated. The
settings of each person and each product are on their pages; the [acts](acts.md) that change them list the
fields.
"""
_VARIABLES: dict[str, dict[str, str]] = {
    "Service: addresses and folders": {
        "MUNIMENT_URL": "address that people type, such as `https://muniment.example.test`. A new host name ends all "
        "passkeys: enrol an SSH key first ([confirmation](../guides/confirmation.md))",
        "MUNIMENT_CONFIRMATION_URL": "address of the confirmation process, where people sign dangerous acts: another "
        "port of the same host, or a host below it. Without TLS, Muniment chooses a free port of the same host",
        "MUNIMENT_TRUSTED_PROXIES": "addresses and networks of proxies, such as `10.0.0.7,10.1.0.0/16`, which say in "
        "`X-Forwarded-For` and `X-Forwarded-Proto` where a request came from. Nobody else is believed. Default: a "
        "proxy on the same machine, where `MUNIMENT_URL` is https",
        "MUNIMENT_HOME": "data directory, in place of `--home`. Default: `~/.local/share/muniment`, for root "
        "`/var/lib/muniment`",
        "MUNIMENT_REPOSITORY_FOLDERS": "folders below which web and worker may read repositories and logs of server "
        "hooks by their path, such as `/srv/git:/home/git/repositories`. Paths outside them are refused, and so are "
        "links out of them. A repository that `muniment up` gets as an argument needs no entry",
        "MUNIMENT_WORKER": "name of the workers of this home. Default: the host's name and the folder. Tasks about a "
        "repository that is named by its path go to workers that have the path",
        "MUNIMENT_LOG": "`json` for logs that programs read, in place of `--log json`",
    },
    "Service: database, network and messages": {
        "DATABASE_URL": "PostgreSQL server (15 or newer) of the company: `postgresql://owner:…@host/muniment`. The "
        "user owns the schema and may make roles (`CREATEROLE`). `muniment up` makes one login for each process and "
        "writes its password to `logins/` of the home. The processes themselves take `postgresql://host/muniment`",
        "SSL_CERT_FILE": "file of all certificate authorities to trust, in place of the system's, for forges, issuers, "
        "mail, sign-in and vault. If the file cannot be read, no certificate is trusted",
        "HTTPS_PROXY": "proxy for https requests to forges, issuers, witnesses, vault and chat, such as "
        "`http://proxy.example.test:3128`, with `name:password@` before the host if it requires them. This machine "
        "is never asked through a proxy. git does not use the proxy",
        "HTTP_PROXY": "proxy for http requests, as `HTTPS_PROXY`",
        "NO_PROXY": "hosts without a proxy: `example.test` and all below it, `10.0.0.0/8`, `host:port`, `*`",
        "MUNIMENT_OUTGOING_NETWORKS": "internal addresses and networks that outgoing webhooks may reach, such as "
        "`10.2.0.0/16`. Without it they reach public addresses only, whatever a name resolves to",
        "MUNIMENT_SMTP_URL": "mail server: `smtp://user:password@host:587` or `smtps://…`",
        "MUNIMENT_MAIL_FROM": "sender of mails",
        "MUNIMENT_MAIL_REPLIES": (
            "`yes` if replies to the sender's address are piped into `muniment meetings reply`. "
            "Invitations then ask for an answer by calendar"
        ),
        "MUNIMENT_IMAP_URL": "mailbox to which replies to invitations come: `imaps://user:password@host:993/INBOX`, or "
        "`imap://…` for STARTTLS. Only the worker gets it, and only reads there",
        "MUNIMENT_CHAT_URL": "incoming webhook in the form of Slack and Mattermost. The chat learns only that a "
        "request waits",
        "MUNIMENT_FORGES": "forges of logins, such as `github=https://github.com, work=https://git.example.test`. The "
        "worker reads the keys that they publish (`/LOGIN.keys`)",
        "MUNIMENT_ADVISORIES": "exports of advisories in the form of OSV, in place of those that OSV publishes: "
        "addresses that begin with `https://`, or full paths of files, with blanks between. The worker reads them "
        "every 15 minutes, and its account must be able to read the files. `muniment check` and server hooks read the "
        "files, and ask no address",
        "MUNIMENT_EXPLOITED": "catalogue of exploited vulnerabilities in the form of CISA's KEV: an address with "
        "`https://`, or the full path of a file. Fixes of what it lists do not wait",
        "MUNIMENT_BREACHED": "breached passwords as Have I Been Pwned publishes them: a file of sorted SHA-1s, or a "
        "folder of ranges. They are looked up locally. Default: Django's list of common passwords",
        "MUNIMENT_DEVELOPMENT": "`1` serves `/-/components`, a page with every component, for people who develop pages",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "OpenTelemetry collector for traces (`pip install 'muniment[telemetry]'`); the "
        "other `OTEL_*` variables apply as OpenTelemetry defines them",
    },
    "Service: sign-in with OpenID Connect": {
        "MUNIMENT_OIDC_ISSUER": "provider; its redirect address is `/account/oidc/company/login/callback/`",
        "MUNIMENT_OIDC_CLIENT": "client id at the provider",
        "MUNIMENT_OIDC_SECRET": "client secret, for the web process alone",
        "MUNIMENT_OIDC_ROLES": "roles without changes, granted by the claim `groups`, such as "
        "`audit-team=auditor, board=management`. People grant all other roles",
        "MUNIMENT_OIDC_MFA": "`yes` if a sign-in with `amr: mfa` counts as one with a second factor",
    },
    "Vault": {
        "MUNIMENT_VAULT_URL": "OpenBao or Vault of the company, or the address at which a pipeline reaches the "
        "included one: `https://vault.example.test:8200`. Plain http is accepted on this machine alone",
        "MUNIMENT_VAULT_CA": "file with the authority of the vault's certificate, if the system does not know it",
        "MUNIMENT_VAULT_NAMESPACE": "namespace of the vault that is Muniment's, such as `team/muniment`: for the "
        "service, for `muniment vault`, and in pipelines",
        "MUNIMENT_VAULT_AUDIT": "copy of the audit log of the company's vault: a file that the worker's account reads",
        "MUNIMENT_VAULT_TOKEN": "token of an administrator of the vault, for `muniment vault plan` and `apply` "
        "without a terminal. It is not stored",
        "MUNIMENT_VAULT_LISTEN": "address at which pipelines reach the included vault, such as `127.0.0.1:8200`. "
        "Default: a socket for this account alone",
        "MUNIMENT_VAULT_CERT": "certificate of the included vault. Without it, the vault listens on this machine alone",
        "MUNIMENT_VAULT_KEY": "key of that certificate",
        "BAO_BIN": "OpenBao program, in place of the included one, whose SHA-256 Muniment knows",
    },
    "Pipelines": {
        "MUNIMENT_PRODUCT": "product of the job, if `--product` is not given. Default: the repository's name",
        "MUNIMENT_COMMIT": "commit of the job, if the forge does not name it",
        "MUNIMENT_JOB": "name of the job of a plain runner, if the forge does not give one",
        "MUNIMENT_RUNNER_KEY": "file of the key that a plain runner has for one environment",
        "MUNIMENT_ID_TOKEN": "token of GitLab for the audience `muniment-vault`",
        "MUNIMENT_API_TOKEN": "token of GitLab for the audience that `MUNIMENT_URL` names",
        "MUNIMENT_TOKEN_FILE": "file of a projected Kubernetes token for the audience `muniment-vault`",
        "MUNIMENT_API_TOKEN_FILE": "file of a projected Kubernetes token for the audience that `MUNIMENT_URL` names",
    },
    "Commands": {
        "MUNIMENT_TOKEN": "API token of a person, for `muniment secret` and other commands that call the service",
        "MUNIMENT_FORGE_TOKEN": "token of a forge, for `muniment replay --forge`, `check --forge` and `forge`. "
        "Default: the command asks",
        "MUNIMENT_FORGE_NAME": "name of that forge in `[person.accounts]` of `people.toml`",
        "MUNIMENT_PUSHER": "person who pushes, set by the server for the [server hook](../guides/server-hook.md); "
        "`home.toml` can name `GL_USER` or `REMOTE_USER` instead",
        "MUNIMENT_DEBUG": "any value: a defect prints its traceback",
        "NO_COLOR": "any value: no colours",
    },
}


def find_variables() -> set[str]:
    """Names of Muniment's own variables that the code has."""
    return {name for file in SOURCES.rglob("*.py") for name in _FOUND.findall(file.read_text(encoding="utf-8"))}


def described_variables() -> set[str]:
    """Names of all variables that the reference describes."""
    return {name for group in _VARIABLES.values() for name in group}


def describe_settings(note: str) -> str:
    """The whole document; `note` says how it is made."""
    pieces = [_HEAD.format(note=note)]
    for group, variables in _VARIABLES.items():
        rows = [f"| `{name}` | {meaning} |" for name, meaning in variables.items()]
        pieces.append("\n".join([f"## {group}\n", _TABLE, *rows]) + "\n")
    pieces.append(f"## home.toml\n\nThe file as `muniment init` writes it:\n\n```toml\n{make_home_text()}```\n")
    return "\n".join(pieces)
