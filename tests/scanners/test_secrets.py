"""Engine for secrets: what it finds in any file, what it leaves alone, and that no value leaves it."""

import gzip
import io
import json
import tarfile
import zipfile

import msgspec
import pytest

from muniment.scanners.engine import run_engine
from muniment.scanners.findings import CoverageState, ScanResult, SourceFile
from muniment.scanners.secrets.engine import CredentialEngine
from muniment.scanners.secrets.formats import AROUND, FORMATS
from tests.support.regex_attacks import find_superlinear

RANDOM = "q7Rk2Zt9Xw4Lm8Bv3Nc6Hd1Jf5Gs0PyTaUeKiCoVr"  # letters and digits without a pattern
HEX = "9f8c2b7e6d5a4c3b2a1f0e9d8c7b6a5f4e3d2c1b0a9f8e7d6c5b4a39281706f5"
DIGITS = "8301947265"


def make_secrets() -> dict[str, str]:
    """Forty credentials in the formats of their issuers, assembled here: none was ever valid."""
    r, upper = RANDOM, RANDOM.upper()
    return {
        "aws": "AK" + "IA" + "Q7RK2ZT9XW4LM6BV",
        "github": "gh" + "p_" + r[:36],
        "github app": "gh" + "s_" + r[:36],
        "github fine": "github_" + "pat_" + (r + r)[:82],
        "gitlab": "gl" + "pat-" + r[:20],
        "slack": "xo" + "xb-" + DIGITS + "-" + DIGITS[::-1] + "-" + r[:24],
        "slack app": "xa" + "pp-1-" + upper[:11] + "-" + DIGITS + "-" + HEX,
        "slack hook": "https://hooks.slack.com/services/" + "T" + upper[:9] + "/B" + upper[9:18] + "/" + r[:24],
        "stripe": "sk_" + "live_" + r[:24],
        "stripe restricted": "rk_" + "live_" + r[:24],
        "stripe hook": "wh" + "sec_" + r[:36],
        "google": "AI" + "za" + r[:35],
        "google oauth": "GOC" + "SPX-" + r[:28],
        "openai": "sk-" + "proj-" + (r + r)[:60],
        "anthropic": "sk-" + "ant-api03-" + (r + r + r)[:93],
        "hugging face": "h" + "f_" + r[:34],
        "sendgrid": "S" + "G." + r[:22] + "." + (r + r)[:43],
        "twilio": "S" + "K" + HEX[:32],
        "mailgun": "ke" + "y-" + HEX[:32],
        "mailchimp": HEX[:32] + "-us" + "12",
        "npm": "np" + "m_" + r[:36],
        "pypi": "py" + "pi-AgE" + "IcHlwaS5vcmc" + (r + r)[:70],
        "rubygems": "ruby" + "gems_" + HEX[:48],
        "docker": "dckr_" + "pat_" + r[:27],
        "digitalocean": "do" + "p_v1_" + HEX,
        "vault": "hv" + "s." + r[:30],
        "terraform": r[:14] + ".atlas" + "v1." + (r + r)[:67],
        "databricks": "da" + "pi" + HEX[:32],
        "shopify": "shp" + "at_" + HEX[:32],
        "grafana": "gl" + "sa_" + r[:32] + "_" + HEX[:8],
        "linear": "lin_" + "api_" + r[:40],
        "postman": "PM" + "AK-" + HEX[:24] + "-" + HEX[:34],
        "new relic": "NR" + "AK-" + (upper + upper)[:27],
        "square": "sq0" + "csp-" + (r + r)[:43],
        "telegram": DIGITS + ":A" + "A" + r[:33],
        "age": "AGE-SECRET-" + "KEY-1" + (upper + upper)[:58],
        "azure": "Account" + "Key=" + (r + r + r)[:86] + "==",
        "jwt": "ey" + "J" + r[:30] + ".ey" + "J" + r[5:38] + "." + r[:40],
        "pem": "-----BEGIN RSA " + "PRIVATE KEY-----\n" + (r + r)[:64] + "\n" + (r + r)[3:67] + "\n",
        "address": "postgres://app:" + r[:14] + "@db1.shop.internal:5432/shop",
    }


LOOK_ALIKES = [
    "AKIA" + "IOSFODNN7EXAMPLE",
    "gh" + "p_" + "x" * 36,
    "sk_" + "test_" + "your_key_goes_here",
    "postgres://postgres:postgres@localhost/app",
    "postgres://user:password@db.example.com/app",
    "mysql://app:${DB_PASSWORD}@db1.shop.internal/app",
    'password = "changeme"',
    'password = os.environ["PASSWORD"]',
    'password = "correct-horse"',
    'PASSWORD = "password"',
    'password_field = "id_new_password1"',
    'token_url = "https://login.shop.internal/oauth/token"',
    'api_key = "<your-api-key-123456>"',
    "api_key: ${{ secrets.API_KEY }}",
    'secret = "arn:aws:secretsmanager:eu-west-1:123:secret:x-9Ab"',
    'secret_key = get_secret("shop/key")',
    'token = "{{ vault.token }}"',
    'passwd: "$(cat /run/secrets/passwd)"',
    'TOKEN_TYPE = "Bearer"',
    'csrf_token_name = "csrfmiddlewaretoken"',
    'credential = "vault:secret/data/shop#key"',
    'private_key = "/etc/ssl/private/server.key"',
    "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----\n",
    "-----BEGIN PUBLIC KEY-----\n" + RANDOM + RANDOM + "\n-----END PUBLIC KEY-----\n",
    "commit 9f8c2b7e6d5a4c3b2a1f0e9d8c7b6a5f4e3d2c1b",
    "sha256:" + HEX,
    'uuid = "7c9e6679-7425-40de-944b-e07fc1f90ae7"',
    'integrity="sha512-' + RANDOM + RANDOM + '=="',
    "ey" + "JhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.ey" + "JzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIn0." + RANDOM,
    "<password>********</password>",
    "<token>see the vault</token>",
    'password: str = "aaaaaaaaaaaa"',
    'tokenizer = "bert-base-uncased"',
    'secret_name = "shop-production-database"',
    "SKU: SK12345678",
    "key-value-store-of-the-shop",
    "task-sk-learn-classifier",
    'keys = "primary_key"',
    'access_key_id_header = "X-Access-Key-Id"',
    "https://example.com/?token=abc",
    '"change_password": "5/m/user"',
]


def scan(content: bytes, path: str = "notes.txt", key: bytes = b"k") -> ScanResult:
    return run_engine(CredentialEngine(key), [SourceFile(path, content)])


@pytest.mark.parametrize("name", make_secrets())
def test_a_credential_in_its_issuers_format_is_found(name: str) -> None:
    content = f"first line\nvalue {make_secrets()[name]}\n".encode()
    found = scan(content)
    assert [finding.location.line for finding in found.findings] == [2]
    assert found.coverage[0].state is CoverageState.SCANNED


@pytest.mark.parametrize("text", LOOK_ALIKES)
def test_a_look_alike_is_left_alone(text: str) -> None:
    for path in ("app.py", "app.ini"):
        assert scan(text.encode(), path).findings == ()


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("app.py", "PASS" + 'WORD = "k7#vQ9x!mZ2p"'),
        ("app.js", "const config = {api" + "Key: 'q7Rk2Zt9Xw4Lm8Bv3Nc6'};"),
        ("app.ini", "tok" + "en = 9f8c2b7e6d5a4c3b2a1f0e9d"),
        (".env", "export DB_PASS" + "WORD=k7#vQ9x!mZ2p"),
        ("values.yaml", "db:\n  pass" + "word: k7vQ9x-mZ2p!"),
        ("web.config", "<client_sec" + "ret>q7Rk2Zt9Xw4Lm8Bv3Nc6</client_sec" + "ret>"),
        ("data.ipynb", json.dumps({"source": ["pass" + 'word = "k7!vQ9x_mZ2p"\n']})),
        ("settings.json", '{"sec' + 'ret": "q7Rk2Zt9Xw4Lm8Bv3Nc6"}'),
    ],
)
def test_a_password_without_a_format_is_found_by_its_variable(path: str, text: str) -> None:
    found = scan(text.encode(), path).findings
    assert [finding.rule for finding in found] == ["credential-in-code"]


def test_neither_name_encoding_nor_comment_hides_a_secret() -> None:
    token = make_secrets()["github"]
    for path, content in (
        ("logo.png", token.encode()),
        ("old.txt", ("\ufeff" + token).encode("utf-16-le")),
        (
            "app.py",
            f"x = '{token}'  # nosec gitleaks:allow kingfisher:ignore muniment: ignore".encode(),
        ),
        ("program.bin", b"\0\x01\xff" + token.encode() + b"\0"),
    ):
        assert len(scan(content, path).findings) == 1, path


def make_archive(kind: str, name: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(name, content)
        return buffer.getvalue()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        entry = tarfile.TarInfo(name)
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))
    return gzip.compress(buffer.getvalue()) if kind == "tar.gz" else buffer.getvalue()


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
def test_archives_are_read_in_memory(kind: str) -> None:
    token = make_secrets()["github"]
    found = scan(make_archive(kind, "../../server.key", token.encode()), f"data.{kind}")
    assert any("`../../server.key` of this archive" in finding.message for finding in found.findings)
    assert found.coverage[0].state is CoverageState.SCANNED


def test_archive_bomb_or_damaged_archive_is_unknown() -> None:
    bomb = make_archive("zip", "zeros", bytes(40_000_000))
    damaged = make_archive("zip", "a", b"text")[:-30]
    for content in (bomb, damaged, gzip.compress(bytes(40_000_000)), b"\x1f\x8b\x08 no gzip"):
        assert scan(content, "data.zip").coverage[0].state is CoverageState.FAILED


def test_no_value_leaves_the_engine() -> None:
    secrets = make_secrets()
    everything = "\n".join(f'password = "{value}"' for value in secrets.values())
    answer = msgspec.json.encode(scan(everything.encode())).decode()
    for name, value in secrets.items():
        assert value.strip()[12:30] not in answer, name


def test_fingerprint_depends_on_value_and_key_and_not_on_the_place() -> None:
    token, other = make_secrets()["github"], make_secrets()["github app"]
    one = scan(token.encode()).findings[0].fingerprint
    assert scan(b"\n\n moved " + token.encode(), "elsewhere/b.py").findings[0].fingerprint == one
    assert scan(other.encode()).findings[0].fingerprint != one
    assert scan(token.encode(), key=b"another").findings[0].fingerprint != one


def test_engine_without_its_canary_scans_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("muniment.scanners.secrets.engine._find_matches", lambda path, text: [])
    line = scan(b"text").coverage[0]
    assert line.state is CoverageState.FAILED
    assert "did not find the known weakness of secrets" in line.because


@pytest.mark.slow
@pytest.mark.parametrize("kind", [*FORMATS, *AROUND], ids=lambda kind: kind.name)
def test_formats_take_linear_time(kind: object) -> None:
    pattern = kind.compiled_pattern  # type: ignore[attr-defined]
    assert find_superlinear(pattern.pattern, pattern.flags, "finditer") == ""
