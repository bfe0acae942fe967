"""Formats of credentials by their issuers' prefixes, as regular expressions over bytes. Each takes linear time."""

import re

from msgspec import Struct


class SecretFormat(Struct, frozen=True):
    """Format of one kind of credential. The value is the first group of the pattern; of a
    private key, what follows it.

    `keywords`: one of these words is in every text that the pattern matches. They are looked for first, which is a
    hundred times faster.
    """

    name: str
    title: str
    pattern: re.Pattern[bytes]
    keywords: tuple[bytes, ...] = ()


_FORMATS: tuple[tuple[str, str, str, bytes], ...] = (
    ("aws-access-key", "AWS access key", "AKIA ASIA ABIA", rb"((?:AKIA|ASIA|ABIA)[A-Z0-9]{16})(?![A-Za-z0-9])"),
    ("github-token", "GitHub token", "ghp_ gho_ ghu_ ghs_ ghr_", rb"(gh[pousr]_[A-Za-z0-9]{36,251})"),
    ("github-fine-grained-token", "GitHub token", "github_pat_", rb"(github_pat_[A-Za-z0-9_]{60,100})"),
    (
        "gitlab-token",
        "GitLab token",
        "glpat- glptt- gldt- glrt- glcbt- glft- glsoat-",
        rb"(gl(?:pat|ptt|dt|rt|cbt|ft|soat)-[A-Za-z0-9_.-]{20,60})",
    ),
    ("slack-token", "Slack token", "xox", rb"(xox[abeoprs]-[A-Za-z0-9-]{20,200})"),
    ("slack-app-token", "Slack app token", "xapp-", rb"(xapp-[0-9]-[A-Za-z0-9-]{20,200})"),
    (
        "stripe-key",
        "Stripe key",
        "sk_live_ sk_test_ rk_live_ rk_test_",
        rb"((?:sk|rk)_(?:live|test)_[A-Za-z0-9]{16,200})",
    ),
    ("stripe-webhook-secret", "Stripe webhook secret", "whsec_", rb"(whsec_[A-Za-z0-9+/=]{32,100})"),
    ("google-api-key", "Google API key", "AIza", rb"(AIza[0-9A-Za-z_-]{35})(?![A-Za-z0-9_-])"),
    ("google-oauth-secret", "Google OAuth client secret", "GOCSPX-", rb"(GOCSPX-[A-Za-z0-9_-]{28})"),
    ("google-oauth-token", "Google OAuth token", "ya29.", rb"(ya29\.[A-Za-z0-9_-]{40,300})"),
    (
        "openai-key",
        "OpenAI key",
        "sk-proj- sk-svcacct- sk-admin-",
        rb"(sk-(?:proj|svcacct|admin)-[A-Za-z0-9_-]{40,250})",
    ),
    ("openai-legacy-key", "OpenAI key", "T3BlbkFJ", rb"(sk-[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20})"),
    ("anthropic-key", "Anthropic key", "sk-ant-", rb"(sk-ant-[a-z0-9]{3,12}-[A-Za-z0-9_-]{60,150})"),
    ("hugging-face-token", "Hugging Face token", "hf_", rb"(hf_[A-Za-z0-9]{34,40})"),
    ("sendgrid-key", "SendGrid key", "SG.", rb"(SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43})"),
    ("twilio-key", "Twilio key", "SK", rb"(SK[0-9a-f]{32})(?![A-Za-z0-9])"),
    ("mailgun-key", "Mailgun key", "key-", rb"(key-[0-9a-f]{32})(?![A-Za-z0-9])"),
    ("mailchimp-key", "Mailchimp key", "-us", rb"([0-9a-f]{32}-us[0-9]{1,2})(?![A-Za-z0-9])"),
    ("npm-token", "npm token", "npm_", rb"(npm_[A-Za-z0-9]{36})(?![A-Za-z0-9])"),
    ("pypi-token", "PyPI token", "pypi-AgE", rb"(pypi-AgE[A-Za-z0-9_-]{50,250})"),
    ("rubygems-key", "RubyGems key", "rubygems_", rb"(rubygems_[a-f0-9]{48})"),
    ("docker-token", "Docker Hub token", "dckr_", rb"(dckr_(?:pat|oat)_[A-Za-z0-9_-]{24,60})"),
    ("digitalocean-token", "DigitalOcean token", "_v1_", rb"(do[opr]_v1_[a-f0-9]{64})"),
    ("vault-token", "Vault token", "hvs. hvb. hvr.", rb"(hv[sbr]\.[A-Za-z0-9_-]{24,250})"),
    ("terraform-token", "Terraform Cloud token", ".atlasv1.", rb"([A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_-]{60,70})"),
    ("databricks-token", "Databricks token", "dapi", rb"(dapi[a-f0-9]{32}(?:-[0-9])?)(?![A-Za-z0-9])"),
    ("shopify-token", "Shopify token", "shpat_ shpca_ shppa_ shpss_", rb"(shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32})"),
    ("grafana-token", "Grafana token", "glsa_", rb"(glsa_[A-Za-z0-9]{32}_[A-Fa-f0-9]{8})"),
    ("grafana-cloud-token", "Grafana Cloud token", "glc_", rb"(glc_[A-Za-z0-9+/]{32,400}={0,2})"),
    ("linear-key", "Linear key", "lin_api_", rb"(lin_api_[A-Za-z0-9]{40})"),
    ("doppler-token", "Doppler token", "dp.", rb"(dp\.(?:pt|st|ct|sa)\.[A-Za-z0-9.]{40,60})"),
    ("postman-key", "Postman key", "PMAK-", rb"(PMAK-[a-f0-9]{24}-[a-f0-9]{34})"),
    ("new-relic-key", "New Relic key", "NRAK-", rb"(NRAK-[A-Z0-9]{27})"),
    ("square-token", "Square token", "sq0", rb"(sq0(?:atp|csp)-[A-Za-z0-9_-]{22,43})"),
    ("atlassian-token", "Atlassian token", "ATATT3", rb"(ATATT3[A-Za-z0-9_=-]{100,250})"),
    ("planetscale-password", "PlanetScale password", "pscale_", rb"(pscale_(?:pw|tkn)_[A-Za-z0-9_.-]{32,64})"),
    ("artifactory-key", "Artifactory key", "AKCp", rb"(AKCp[A-Za-z0-9]{65,75})"),
    ("nuget-key", "NuGet key", "oy2", rb"(oy2[a-z0-9]{43})(?![A-Za-z0-9])"),
    ("telegram-token", "Telegram bot token", ":AA", rb"([0-9]{8,10}:AA[A-Za-z0-9_-]{33})(?![A-Za-z0-9_-])"),
    (
        "discord-token",
        "Discord bot token",
        "iscord ISCORD",
        rb"([MNO][A-Za-z0-9_-]{23,25}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,38})",
    ),
    ("age-key", "age secret key", "AGE-SECRET-KEY-1", rb"(AGE-SECRET-KEY-1[A-Z0-9]{58})"),
    ("flyio-token", "Fly.io token", "fo1_", rb"(fo1_[A-Za-z0-9_-]{43})"),
    ("sentry-token", "Sentry token", "sntry", rb"(sntry[su]_[A-Za-z0-9+/=_-]{40,300})"),
    ("azure-storage-key", "Azure storage key", "AccountKey=", rb"AccountKey=([A-Za-z0-9+/]{86}==)"),
    ("azure-shared-key", "Azure shared access key", "SharedAccessKey=", rb"SharedAccessKey=([A-Za-z0-9+/]{43}=)"),
    (
        "json-web-token",
        "JSON Web Token",
        "eyJ",
        rb"(eyJ[A-Za-z0-9_-]{15,400}\.eyJ[A-Za-z0-9_-]{15,800}\.[A-Za-z0-9_-]{20,700})",
    ),
)
FORMATS = tuple(
    SecretFormat(name, title, re.compile(pattern), tuple(word.encode() for word in words.split()))
    for name, title, words, pattern in _FORMATS
)
SLACK_WEBHOOK = SecretFormat(
    "slack-webhook",
    "Slack webhook",
    re.compile(rb"hooks\.slack\.com/services/(T[A-Z0-9]{6,12}/B[A-Z0-9]{6,12}/[A-Za-z0-9]{20,30})"),
    (b"hooks.slack.com",),
)
PRIVATE_KEY = SecretFormat(
    "private-key",
    "private key",
    re.compile(rb"-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----"),
    (b"PRIVATE KEY",),
)
URL_PASSWORD = SecretFormat(
    "password-in-url",
    "password in an address",
    re.compile(rb"[a-z0-9]://[A-Za-z0-9._~%-]{0,64}:([^\s:/@\"'<>`\\]{6,128})@([A-Za-z0-9._-]{1,253})"),
)
_WORDS = (
    rb"(?i:password|passwd|passphrase|pwd|secret|api_?key|token|private_?key|access_?key|encryption_?key|signing_?key|"
    rb"credential)(?i:_?key)?s?"
)
QUOTED = SecretFormat(
    "generic-credential",
    "credential",
    re.compile(
        rb"(" + _WORDS + rb")\\?[\"']?\]?[ \t]{0,8}(?::=|=>|[:=])[ \t]{0,8}"
        rb"[rbuf]?\\?[\"']([^\s\"'\\]{8,256})\\?[\"']"
    ),
)
UNQUOTED = SecretFormat(
    "generic-credential",
    "credential",
    re.compile(rb"(" + _WORDS + rb")[ \t]{0,8}[:=][ \t]{0,8}([^\s\"'\\#][^\s\"'\\]{7,255})[ \t\r]{0,8}(?:\n|\Z)"),
)
TAGGED = SecretFormat(
    "generic-credential",
    "credential",
    re.compile(rb"(" + _WORDS + rb")(?: [^<>\s]{0,80})?>([^\s<>]{8,256})</"),
)
