"""Forty credentials as the documents of their providers show them in files of configuration, and forty look-alikes:
written before anything was changed for them. At the first run 28 of 40 were found, and none of 40 was reported.
"""

import base64

import pytest

from muniment.scanners.findings import SourceFile
from muniment.scanners.secrets.engine import CredentialEngine

R = "w5Yb8Kq2Tn7Xc4Zf9Hd3Lm6Rv1Gs0PjUaEoViCyJk"  # letters and digits without a pattern
HEX = "c41d8f7a92e6b05d3c8e17fa4b60d29e58c3fb17a06d94e2b7c5f8103a9d6e24"
UUID = "4f1d9a62-83ce-4b07-9e15-d27a60c8b3f4"


def encode(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def make_cases() -> dict[str, tuple[str, str]]:
    """Path and text by name, assembled here: none was ever valid."""
    pw = "pass" + "word"
    return {
        "aws session": (".env", "AWS_SESSION_" + "TOKEN=IQoJb3JpZ2luX2VjE" + (R * 4)[:160] + "=="),
        "google refresh token": ("token.json", '{"refresh_to' + 'ken": "1//0' + "g" + (R + R)[:60] + '"}'),
        "azure signature": (
            "upload.sh",
            "curl 'https://shop.blob.core.windows.net/a?sv=2022-11-02&sp=rw&si" + "g=" + R[:40] + "%2Fq8%3D'",
        ),
        "azure openai": (".env", "AZURE_OPENAI_API_" + "KEY=" + HEX[:32]),
        "github client": (".env", "GITHUB_CLIENT_" + "SECRET=" + HEX[:40]),
        "gitlab runner": ("config.toml", "to" + 'ken = "GR13' + "48941" + R[:20] + '"'),
        "bitbucket repository": ("bitbucket-pipelines.yml", "x: AT" + "CTT3xFfG" + (R * 5)[:160] + "=A1B2C3D4"),
        "jfrog reference": ("pip.conf", "x = cmVmd" + "GtuOjAxOjE3" + (R + R)[:53]),
        "okta": ("a.py", "headers = {'Author" + "ization': 'SS" + "WS 00" + R[:40] + "'}"),
        "auth0": ("auth.yml", "client_sec" + "ret: " + (R + R)[:64]),
        "twilio": (".env", "TWILIO_AUTH_" + "TOKEN=" + HEX[:32]),
        "plaid": (".env", "PLAID_SEC" + "RET=" + HEX[:30]),
        "mailjet": ("a.yml", "mailjet_secret_" + "key: " + HEX[:32]),
        "intercom": (".env", "INTERCOM_ACCESS_" + "TOKEN=" + encode("tok:" + HEX[:36])),
        "zendesk": (".env", "ZENDESK_API_" + "TOKEN=" + R[:40]),
        "pagerduty": ("a.tf", 'provider "pagerduty" {\n  to' + 'ken = "u+' + R[:18] + '"\n}'),
        "datadog": (".env", "DD_APP_" + "KEY=" + HEX[:40]),
        "snyk": (".env", "SNYK_" + "TOKEN=" + UUID),
        "algolia": (".env", "ALGOLIA_ADMIN_" + "KEY=" + HEX[:32]),
        "firebase messaging": ("a.js", "const k = 'AA" + "AA" + R[:7] + ":APA91b" + (R * 4)[:134] + "'"),
        "confluent": ("client.properties", "sasl." + pw + "=" + R[:30] + "/" + R[:30] + "+x"),
        "jaas": (
            "client.properties",
            'sasl.jaas.config=o.a.k.PlainLoginModule required username="app" ' + pw + '="' + R[:20] + '";',
        ),
        "mongodb": (".env", "MONGO_URL=mongodb+srv://app:" + R[:16] + "@cluster0.k3x9z.mongodb.net/shop"),
        "redis": (".env", "REDIS_URL=redis://:" + R[:20] + "@cache1.shop.internal:6379/0"),
        "amqp": ("celery.py", "broker = 'amqps://app:" + R[:16] + "@mq1.shop.internal/shop'"),
        "smtp": (".env", "SMTP_" + pw.upper() + "=" + R[:16]),
        "wordpress": ("wp-config.php", "define( 'DB_" + pw.upper() + "', '" + R[:18] + "' );"),
        "wordpress salt": ("wp-config.php", "define('AUTH_" + "KEY', '" + R[:30] + "#t|~Qz)+%" + R[:22] + "');"),
        "laravel": (".env", "APP_" + "KEY=base64:" + encode(R[:32])),
        "spring": ("application.properties", "spring.datasource." + pw + "=" + R[:14]),
        "asp.net": (
            "appsettings.json",
            '{"DefaultConnection": "Server=db1;Database=shop;User Id=app;P' + "assword=" + R[:14] + ';"}',
        ),
        "putty": (
            "key.ppk",
            "PuTTY-User-Key-" + "File-3: ssh-ed25519\nEncryption: none\nPrivate-" + "Lines: 1\n" + (R + R)[:48] + "\n",
        ),
        "pgp": (
            "key.asc",
            "-----BEGIN PGP PRI"
            + "VATE KEY BLOCK-----\n\n"
            + (R + R)[:64]
            + "\n"
            + (R + R)[5:69]
            + "\n-----END PGP PRI"
            + "VATE KEY BLOCK-----\n",
        ),
        "terraform aws": ("main.tf", "secret_" + 'key = "' + R[:38] + '/+"'),
        "kubeconfig key": (
            "kubeconfig",
            "client-key-" + "data: " + encode("-----BEGIN EC PRI" + "VATE KEY-----\n" + (R + R)[:64] + "\n" + R[:40]),
        ),
        "ansible": ("group_vars/all.yml", "ansible_become_" + "pass: " + R[:14]),
        "compose": ("docker-compose.yml", "environment:\n  MYSQL_ROOT_" + pw.upper() + ": " + R[:16]),
        "app settings": ("web.config", '<add key="ApiSec' + 'ret" value="' + R[:32] + '" />'),
        "maven": ("settings.xml", "<server><id>nexus</id><" + pw + ">" + R[:16] + "</" + pw + "></server>"),
        "fastly": ("a.sh", "export FASTLY_API_" + "TOKEN=" + R[:32]),
    }


LOOK_ALIKES = [
    ("nl.json", '{"password": "Wachtwoord vergeten?", "token": "Dit token is verlopen in 2 dagen"}'),
    ("de.po", 'msgid "password"\nmsgstr "Passwort (mindestens 12 Zeichen)"'),
    ("a.py", "COMMIT = '" + HEX[:40] + "'"),
    ("a.py", "token_url = 'https://login.shop.example/oauth2/v2.0/token'"),
    ("a.py", "password_validators = ['MinimumLengthValidator2', 'CommonPasswordValidator']"),
    ("a.py", "key = f'user:{user.pk}:v2:profile'"),
    ("a.py", "secret = secrets.token_urlsafe(32)"),
    ("a.py", "assert form.errors['password2'] == ['The two passwords do not match.']"),
    ("a.py", "api_key = settings.PAYMENTS['API_KEY_V2']"),
    ("a.py", "client.login(username='ada', password='password123')"),
    ("a.py", "TOKEN_AUDIENCE = 'urn:shop:api:v2:tokens'"),
    ("a.py", "signing_key = load_pem_private_key(path.read_bytes(), None)"),
    ("a.py", "digest = 'sha256:" + HEX + "'"),
    ("a.js", "const secret = await vault.read('secret/data/shop/db1')"),
    ("a.js", "export const TOKEN_STORAGE_KEY = 'shop-auth-token-v2'"),
    ("a.js", "if (password.length < 12) throw new WeakPasswordError('E1042')"),
    ("a.js", "placeholder: 'sk_live_...',"),
    ("a.ts", "type ApiKeyScope = 'read:orders2' | 'write:orders2'"),
    ("a.ts", "passwordField = '#login-form-2 input[name=password]'"),
    ("a.tsx", "<PasswordInput id='password-2' hint='At least 12 signs' />"),
    ("a.go", 'var errBadToken = errors.New("token has 3 parts, not 2")'),
    ("a.java", '@Value("${spring.datasource.password}") String password;'),
    ("a.kt", "val apiKey = BuildConfig.MAPS_API_KEY_V2"),
    ("a.rb", "password = Rails.application.credentials.dig(:db, :password1)"),
    ("a.php", "$password = $_ENV['DB_PASSWORD_V2'] ?? null;"),
    ("a.yml", "password_file: /run/secrets/db_password_v2"),
    ("a.yml", "key: ${{ secrets.DEPLOY_KEY_2026 }}"),
    ("a.yml", "image: registry.shop.example/api@sha256:" + HEX),
    ("a.yml", 'key: v2-dependencies-{{ checksum "uv.lock" }}'),
    ("a.tf", 'password = data.vault_generic_secret.db.data["password2"]'),
    ("a.tf", 'kms_key_id = "arn:aws:kms:eu-west-1:830194726501:key/' + UUID + '"'),
    ("a.xml", '<add key="ApiSecret" value="#{ApiSecretV2}#" />'),
    ("a.properties", "spring.datasource.password=${DB_PASSWORD_V2}"),
    ("a.env", "SECRET_NAME=shop/production/db-password-v2"),
    ("a.env", "TOKEN_TTL=15m\nPASSWORD_MIN_LENGTH=12"),
    ("a.md", "`aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY`"),
    ("a.html", "<label for='id_password1'>Password (12 to 72 characters)</label>"),
    ("a.svg", "<path d='M12.5 3.75L8.25 9.5a1.2 1.2 0 01-1.8 0'/>"),
    (
        "pubkey.asc",
        "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n" + (R + R)[:64] + "\n-----END PGP PUBLIC KEY BLOCK-----\n",
    ),
    ("yarn.lock", 'resolved "https://r.example/a/-/a-1.0.0.tgz#' + HEX[:40] + '"'),
]


def find(path: str, text: str) -> int:
    return len(CredentialEngine(b"k").scan_files([SourceFile(path, text.encode())], {path}).findings)


@pytest.mark.parametrize("name", make_cases())
def test_a_credential_in_a_file_of_configuration_is_found(name: str) -> None:
    assert find(*make_cases()[name])


@pytest.mark.parametrize(("path", "text"), LOOK_ALIKES)
def test_a_look_alike_in_a_file_is_left_alone(path: str, text: str) -> None:
    assert not find(path, text)
