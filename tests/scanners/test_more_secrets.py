"""Forty more credentials in real formats and contexts, and forty look-alikes, written before anything was changed for
them. At the first run 11 of 40 were found, and none of 40 look-alikes was reported.
"""

import base64

import pytest

from muniment.scanners.findings import SourceFile
from muniment.scanners.secrets.engine import CredentialEngine

R = "q7Rk2Zt9Xw4Lm8Bv3Nc6Hd1Jf5Gs0PyTaUeKiCoVr"  # letters and digits without a pattern
HEX = "9f8c2b7e6d5a4c3b2a1f0e9d8c7b6a5f4e3d2c1b0a9f8e7d6c5b4a39281706f5"
UUID = "7c9e6679-7425-40de-944b-e07fc1f90ae7"


def basic(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def make_cases() -> dict[str, tuple[str, str]]:
    """Path and text by name, assembled here: none was ever valid."""
    return {
        "npm configuration": (".npmrc", "//registry.npmjs.org/:_auth" + "Token=" + UUID),
        "npm basic": (".npmrc", "_au" + "th=" + basic("ada:" + R[:16])),
        "netrc": (".netrc", "machine git.shop.internal login ada pass" + "word " + R[:16]),
        "docker configuration": (
            "config.json",
            '{"auths": {"registry.shop.internal": {"au' + 'th": "' + basic("ada:" + R[:16]) + '"}}}',
        ),
        "basic header": ("client.py", "headers = {'Author" + "ization': 'Basic " + basic("ada:" + R[:18]) + "'}"),
        "bearer header": ("call.sh", "curl -H 'Author" + "ization: Bearer " + R[:40] + "' https://api.shop.example"),
        "curl user": ("call.sh", "curl -" + "u ada:" + R[:14] + " https://api.shop.example"),
        "jdbc": ("app.properties", "url=jdbc:postgresql://db1.shop.internal/shop?user=app&pass" + "word=" + R[:14]),
        "dsn": ("config.php", "$dsn = 'Server=db1;Database=shop;Uid=app;P" + "wd=" + R[:14] + ";';"),
        "django": ("settings.py", "SECRET_" + "KEY = 'django-insecure-" + R[:40].lower() + "!x(9'"),
        "rails": ("secrets.yml", "production:\n  secret_key_" + "base: " + HEX + HEX),
        "openssh key": (
            "id_ed25519",
            "-----BEGIN OPENSSH PRI"
            + "VATE KEY-----\n"
            + (R + R)[:70]
            + "\n"
            + (R + R)[7:77]
            + "\n-----END OPENSSH PRI"
            + "VATE KEY-----\n",
        ),
        "service account": (
            "gcp.json",
            '{"type": "service_account", "private_'
            + 'key": "-----BEGIN PRI'
            + "VATE KEY-----\\n"
            + (R + R)[:64]
            + "\\n"
            + (R + R)[9:73]
            + "\\n-----END PRI"
            + 'VATE KEY-----\\n"}',
        ),
        "aws secret": ("credentials", "[default]\naws_secret_access_" + "key = " + (R[:38] + "/+")),
        "azure client": ("main.tf", "client_sec" + 'ret = "' + R[:3] + "8Q~" + (R + R)[5:39] + '"'),
        "heroku": (".env", "HEROKU_API_" + "KEY=" + UUID),
        "datadog": ("values.yaml", "datadog:\n  apiKey: " + HEX[:32]),
        "cloudflare": ("wrangler.toml", "api_to" + 'ken = "' + R[:40] + '"'),
        "notion": ("a.ts", "new Client({ auth: 'nt" + "n_" + "83019472651" + R[:35] + "' })"),
        "airtable": ("a.js", "const k = 'pa" + "t" + R[:14] + "." + HEX + "'"),
        "figma": ("a.js", "const k = 'fi" + "gd_" + R[:40] + "'"),
        "supabase": ("a.env", "sb" + "p_" + HEX[:40]),
        "vercel netlify": ("a.yml", "token: nf" + "p_" + R[:36]),
        "groq": ("a.py", "client = Groq(api_" + "key='gs" + "k_" + (R + R)[:52] + "')"),
        "xai": ("a.py", "k = 'xa" + "i-" + (R + R)[:80] + "'"),
        "replicate": ("a.py", "k = 'r" + "8_" + R[:37] + "'"),
        "langsmith": ("a.py", "k = 'lsv2_" + "pt_" + HEX[:32] + "_" + HEX[:10] + "'"),
        "pulumi": ("a.sh", "export X=pu" + "l-" + HEX[:40]),
        "sonar": ("a.yml", "x: sq" + "p_" + HEX[:40]),
        "sendinblue": ("a.php", "$k = 'xkey" + "sib-" + HEX + "-" + R[:16] + "';"),
        "dynatrace": ("a.yml", "x: dt0" + "c01." + R.upper()[:24] + "." + (R + R).upper()[:64]),
        "contentful": ("a.js", "x('CF" + "PAT-" + (R + R)[:43] + "')"),
        "prefect": ("a.py", "x('pn" + "u_" + R[:36].lower() + "')"),
        "razorpay": ("a.py", "x('rzp_" + "live_" + R[:14] + "')"),
        "bitbucket": ("a.sh", "x=AT" + "BB" + R[:32]),
        "circleci": ("a.sh", "x=CCI" + "PAT_" + R[:22] + "_" + HEX[:40]),
        "slack hook workflow": (
            "a.sh",
            "https://hooks.sl"
            + "ack.com/workflows/T"
            + R.upper()[:9]
            + "/A"
            + R.upper()[9:18]
            + "/830194726501938475/"
            + R[:24],
        ),
        "discord hook": ("a.py", "x('https://discord.com/api/web" + "hooks/830194726501938475/" + (R + R)[:68] + "')"),
        "teams hook": (
            "a.py",
            "x('https://shop.webhook.office.com/webhookb2/"
            + UUID
            + "@"
            + UUID
            + "/Incoming"
            + "Webhook/"
            + HEX[:32]
            + "/"
            + UUID
            + "')",
        ),
        "sqlalchemy": ("a.py", "create_engine('mysql+pymysql://app:" + R[:12] + "@10.2.3.4/shop')"),
    }


LOOK_ALIKES = [
    ("a.py", "password = getpass.getpass('Password: ')"),
    ("a.py", "token = request.headers['Authorization'].removeprefix('Bearer ')"),
    ("a.py", 'PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]'),
    ("a.py", 'SECRET_KEY = os.environ["SECRET_KEY"]'),
    ("a.py", "secret_key: str = Field(min_length=32)"),
    ("a.py", 'api_key_header = APIKeyHeader(name="X-API-Key")'),
    ("a.py", 'raise ValueError("token expired at 2026-12-01T10:00:00Z")'),
    ("a.py", 'TOKEN_PATTERN = r"[A-Za-z0-9]{40}"'),
    ("a.py", "hashlib.sha256(password.encode()).hexdigest()"),
    ("a.py", 'ETAG = "' + HEX[:40] + '"'),
    ("a.js", "const token = jwt.sign(payload, process.env.JWT_SECRET)"),
    ("a.js", "password: Joi.string().min(8).required(),"),
    ("a.js", '<input type="password" name="password" autocomplete="new-password">'),
    ("a.ts", "private readonly tokenKey = 'shop.auth.token';"),
    ("a.ts", "apiKey: environment.firebase.apiKey,"),
    ("a.yml", "password: ${DB_PASSWORD:?required}"),
    ("a.yml", "password: '{{ vault_db_password }}'"),
    ("a.yml", "secretKeyRef:\n  name: shop-secrets\n  key: db-password"),
    ("a.yml", "token: !Ref GitHubToken"),
    ("a.yml", "API_TOKEN: $(ApiToken)"),
    ("a.tf", "password = random_password.db.result"),
    ("a.tf", "secret_id = aws_secretsmanager_secret.db.id"),
    ("package-lock.json", '"integrity": "sha512-' + R + R[:44] + '=="'),
    ("go.sum", "golang.org/x/net v0.30.0 h1:" + R[:43] + "="),
    ("Cargo.lock", 'checksum = "' + HEX + '"'),
    (".env.example", "DB_PASSWORD=changeme\nAPI_KEY=your-api-key-here"),
    (".env.example", "SECRET_KEY=<generate with openssl rand -hex 32>"),
    ("README.md", "export GITHUB_TOKEN=gh" + "p_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"),
    ("README.md", "curl -u user:password https://example.com"),
    ("README.md", "postgresql://user:secret@localhost:5432/db"),
    ("README.md", "Authorization: Bearer <token>"),
    ("a.html", '<script src="x.js" nonce="' + R[:22] + '" integrity="sha384-' + R + R[:22] + '"></script>'),
    ("a.css", ".password-strength-meter-2 { color: #1f2a3b }"),
    ("a.sql", "ALTER USER app PASSWORD :'app_password';"),
    ("a.py", "CSRF_COOKIE_NAME = 'csrftoken'"),
    ("a.py", "KEY_ID = '" + UUID + "'"),
    ("a.json", '{"publicKey": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI' + R[:43] + '"}'),
    ("cert.pem", "-----BEGIN CERTIFICATE-----\n" + R + R + "\n-----END CERTIFICATE-----\n"),
    ("a.xml", "<password>${db.password}</password>"),
    ("a.ini", "[passwords]\nmin_length = 12\nmust_have = digits,letters"),
]


def find(path: str, text: str) -> int:
    return len(CredentialEngine(b"k").scan_files([SourceFile(path, text.encode())], {path}).findings)


@pytest.mark.parametrize("name", make_cases())
def test_a_credential_in_its_context_is_found(name: str) -> None:
    assert find(*make_cases()[name])


@pytest.mark.parametrize(("path", "text"), LOOK_ALIKES)
def test_a_look_alike_in_its_context_is_left_alone(path: str, text: str) -> None:
    assert not find(path, text)
