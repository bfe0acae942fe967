"""Sign-in at a real vault: permitted only for the pipeline of one environment, for an open commit."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from muniment.errors import VaultCode, VaultError
from muniment.vault import layout
from muniment.vault.pipeline_roles import PipelineRole
from muniment.vault.role_access import close_role, end_tokens, is_open, open_role
from muniment.vault.vault_client import Session
from tests.support import vaults
from tests.support.vaults import COMMIT, SUBJECT, Key, Running, github_claims, runner_claims

_VALUE = "-".join(["what", "only", "a", "pipeline", "reads"])
KEY, RUNNER, OTHER_RUNNER = Key(), Key(), Key()
GITHUB, STAGING, GITLAB = vaults.by_github(), vaults.by_github("staging"), vaults.by_gitlab()
PLAIN, OTHER_PLAIN = vaults.by_runner(RUNNER), vaults.by_runner(OTHER_RUNNER, "other")


@pytest.fixture(scope="module")
def doors(vault: Running) -> Running:
    """Environments of all kinds, each with a secret; the first and the plain ones are open for COMMIT."""
    entrances = (GITHUB, STAGING, GITLAB, PLAIN, OTHER_PLAIN)
    vault.make((vaults.github(KEY), vaults.gitlab(KEY)), entrances)
    for one in entrances:
        vault.web.patch_secrets(one.product, one.environment, {"TOKEN": _VALUE})
    for one in (GITHUB, PLAIN, OTHER_PLAIN):
        open_role(vault.worker, one, COMMIT)
    return vault


def sign_in(vault: Running, entrance: PipelineRole, token: str) -> Session:
    return vault.vault.sign_in(entrance.mount, entrance.role, token)


def test_pipeline_of_an_open_commit_reads_its_environment_once(doors: Running) -> None:
    session = sign_in(doors, GITHUB, KEY.sign(github_claims()))
    assert session.read_secrets("shop", "production") == {"TOKEN": _VALUE}
    with pytest.raises(VaultError) as caught:  # its token was good for one request
        session.read_secrets("shop", "production")
    assert caught.value.code is VaultCode.REFUSED


def test_plain_runner_reads_its_own_environment(doors: Running) -> None:
    session = sign_in(doors, PLAIN, RUNNER.sign(runner_claims(PLAIN)))
    assert session.read_secrets("shop", "plain") == {"TOKEN": _VALUE}


def test_gitlab_pipeline_signs_in_by_the_configured_claims(doors: Running) -> None:
    claims = {"iss": vaults.GITLAB_URL, "sub": GITLAB.subject, "project_id": "42", "environment": "gitlab"}
    claims |= {"ref_protected": "true", "pipeline_source": "push"}
    assert sign_in(doors, GITLAB, KEY.sign(vaults.now(**claims))).read_secrets("shop", "gitlab") == {"TOKEN": _VALUE}
    for wrong in ({"pipeline_source": "merge_request_event"}, {"ref_protected": "false"}, {"project_id": "43"}):
        with pytest.raises(VaultError):
            sign_in(doors, GITLAB, KEY.sign(vaults.now(**(claims | wrong))))
    with pytest.raises(ValueError, match="once and for all"):
        open_role(doors.worker, GITLAB, COMMIT)


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"iss": "https://forge.example.test"}, VaultCode.REFUSED),
        ({"iss": ""}, VaultCode.REFUSED),
        ({"aud": "muniment"}, VaultCode.REFUSED),
        ({"aud": []}, VaultCode.REFUSED),
        ({"sub": SUBJECT.replace("production", "staging")}, VaultCode.REFUSED),
        ({"sub": SUBJECT.replace("company", "stranger")}, VaultCode.REFUSED),
        ({"sub": SUBJECT + " "}, VaultCode.REFUSED),
        ({"sub": SUBJECT.upper()}, VaultCode.REFUSED),
        ({"repository_id": "43"}, VaultCode.REFUSED),
        ({"repository_id": 42.0}, VaultCode.REFUSED),
        ({"environment": "staging"}, VaultCode.REFUSED),
        ({"ref_protected": "false"}, VaultCode.REFUSED),
        ({"ref_protected": ""}, VaultCode.REFUSED),
        ({"sha": "b" * 40}, VaultCode.REFUSED),
        ({"sha": COMMIT[:12]}, VaultCode.REFUSED),
        ({"sha": None}, VaultCode.REFUSED),
        *(
            ({"event_name": event}, VaultCode.REFUSED)
            for event in (
                "pull_request",
                "pull_request_target",
                "pull_request_review",
                "workflow_run",
                "issue_comment",
                "issues",
                "push*",
                "PUSH",
                "",
            )
        ),
        ({"exp": 1}, VaultCode.EXPIRED),
        ({"nbf": int(time.time()) + 3600, "exp": int(time.time()) + 7200}, VaultCode.EXPIRED),
        ({"iat": int(time.time()) + 3600, "exp": int(time.time()) + 7200}, VaultCode.EXPIRED),
    ],
)
def test_identity_of_another_pipeline_is_refused(doors: Running, claims: dict[str, Any], code: VaultCode) -> None:
    token = KEY.sign(github_claims(**claims))
    with pytest.raises(VaultError) as caught:
        sign_in(doors, GITHUB, token)
    assert caught.value.code is code


@pytest.mark.parametrize("claim", ["sub", "aud", "iss", "exp", "sha", "event_name", "repository_id", "ref_protected"])
def test_identity_without_a_required_claim_is_refused(doors: Running, claim: str) -> None:
    claims = {name: value for name, value in github_claims().items() if name != claim}
    if claim == "exp":  # without `exp`, the vault would take `iat` and `nbf` to mean one of five minutes
        claims |= {"iat": 1, "nbf": 1}
    with pytest.raises(VaultError):
        sign_in(doors, GITHUB, KEY.sign(claims))


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _unsigned(algorithm: str, sign: Callable[[bytes], bytes]) -> str:
    head = _base64(json.dumps({"alg": algorithm, "typ": "JWT"}).encode())
    text = f"{head}.{_base64(json.dumps(github_claims()).encode())}"
    return f"{text}.{_base64(sign(text.encode()))}"


@pytest.mark.parametrize(
    "token",
    [
        _unsigned("none", lambda _: b""),
        _unsigned("None", lambda _: b""),
        _unsigned("ES256", lambda _: b""),
        _unsigned("ES256", lambda _: bytes(64)),
        _unsigned("HS256", lambda text: hmac.digest(KEY.public.encode(), text, hashlib.sha256)),
        _unsigned("HS256", lambda text: hmac.digest((KEY.public + "\n").encode(), text, hashlib.sha256)),
        Key().sign(github_claims()),
        RUNNER.sign(github_claims()),
        KEY.sign(github_claims()) + "A",
        KEY.sign(github_claims())[:-2],
        "",
        "..",
        "\x00",
    ],
)
def test_token_not_signed_by_its_issuer_is_refused(doors: Running, token: str) -> None:
    with pytest.raises(VaultError) as caught:
        sign_in(doors, GITHUB, token)
    assert caught.value.code is VaultCode.REFUSED


def test_runner_of_one_environment_cannot_read_another(doors: Running) -> None:
    for token in (RUNNER.sign(runner_claims(PLAIN)), RUNNER.sign(runner_claims(OTHER_PLAIN))):
        with pytest.raises(VaultError):
            sign_in(doors, OTHER_PLAIN, token)
    session = sign_in(doors, PLAIN, RUNNER.sign(runner_claims(PLAIN)))
    with pytest.raises(VaultError):
        session.read_secrets("shop", "other")


def test_key_of_a_runner_alone_gives_no_access(doors: Running) -> None:
    close_role(doors.worker, PLAIN)
    try:
        for claims in ({}, {"muniment_closed": ""}, {"muniment_closed": "closed"}, {"commit": ""}):
            with pytest.raises(VaultError):
                sign_in(doors, PLAIN, RUNNER.sign(runner_claims(PLAIN, **claims)))
    finally:
        open_role(doors.worker, PLAIN, COMMIT)


@pytest.mark.parametrize(
    ("entrance", "claims", "message"),
    [
        (GITHUB, {"sha": "b" * 40}, "its sha is another"),
        (GITHUB, {"event_name": "issues"}, "its event_name is another"),
        (GITHUB, {"aud": "muniment"}, "its audience is another"),
        (GITHUB, {"sub": "x"}, "its subject is another"),
        (STAGING, {"sub": SUBJECT.replace("production", "staging"), "environment": "staging"}, "role is closed"),
        (PipelineRole("shop", "nowhere", "github", ""), {}, "has no role"),
    ],
)
def test_refusal_of_the_vault_is_reported(
    doors: Running, entrance: PipelineRole, claims: dict[str, Any], message: str
) -> None:
    with pytest.raises(VaultError, match=message):
        sign_in(doors, entrance, KEY.sign(github_claims(**claims)))


def test_role_open_for_one_run_refuses_another(doors: Running) -> None:
    open_role(doors.worker, PLAIN, COMMIT, runs=("7",))
    try:
        with pytest.raises(VaultError, match="its job is another"):
            sign_in(doors, PLAIN, RUNNER.sign(runner_claims(PLAIN, job="8")))
        assert sign_in(doors, PLAIN, RUNNER.sign(runner_claims(PLAIN, job="7"))).read_secrets("shop", "plain")
    finally:
        open_role(doors.worker, PLAIN, COMMIT)


def test_environment_that_was_not_opened_is_closed(doors: Running) -> None:
    subject = SUBJECT.replace("production", "staging")
    with pytest.raises(VaultError):
        sign_in(doors, STAGING, KEY.sign(github_claims(sub=subject, environment="staging")))


def test_role_is_open_for_one_commit_until_it_is_closed(doors: Running) -> None:
    other = "b" * 40
    open_role(doors.worker, GITHUB, other)
    try:
        assert is_open(doors.worker, GITHUB, other)
        assert not is_open(doors.worker, GITHUB, COMMIT)
        assert sign_in(doors, GITHUB, KEY.sign(github_claims(sha=other))).read_secrets("shop", "production")
        with pytest.raises(VaultError):
            sign_in(doors, GITHUB, KEY.sign(github_claims()))
        close_role(doors.worker, GITHUB)
        with pytest.raises(VaultError):
            sign_in(doors, GITHUB, KEY.sign(github_claims(sha=other)))
    finally:
        open_role(doors.worker, GITHUB, COMMIT)


@pytest.mark.parametrize("commit", ["", "main", "a" * 39, "A" * 40, "*", "a" * 40 + "\n"])
def test_role_is_not_opened_for_an_invalid_commit(doors: Running, commit: str) -> None:
    with pytest.raises(ValueError, match="no commit"):
        open_role(doors.worker, GITHUB, commit)


def test_freeze_revokes_issued_tokens(doors: Running) -> None:
    session = sign_in(doors, GITHUB, KEY.sign(github_claims()))
    end_tokens(doors.worker, (GITHUB, PLAIN, GITLAB))
    with pytest.raises(VaultError) as caught:
        session.read_secrets("shop", "production")
    assert caught.value.code is VaultCode.REFUSED


def test_token_lives_at_most_five_minutes(doors: Running) -> None:
    answer = doors.vault.request(
        "POST", f"auth/{layout.GITHUB}/login", {"role": GITHUB.role, "jwt": KEY.sign(github_claims())}
    )
    auth = answer["auth"]
    assert isinstance(auth, dict)
    assert auth["lease_duration"] <= 300
    assert auth["policies"] == [layout.reading_policy_name("shop", "production")]
