"""Exceptions: two people, one clause, one branch, at most 90 days; any other exception is ignored."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from muniment.facts import canonical, moments
from tests.support.shop import Shop

NAMESPACE = "muniment-exception"
TWO = "review.two-reviewers"


def exception(shop: Shop, *signers: str, **changed: str) -> dict[str, Any]:
    """Content of an exception file, signed with plain ssh-keygen."""
    terms = {
        "id": "hot",
        "clause": TWO,
        "repository": "shop",
        "branch": "refs/heads/main",
        "head": "",
        "owner": "ada",
        "reason": "the shop is down",
        "granted": "2026-01-01T00:00:00.000000Z",
        "expires": "2026-03-01T00:00:00.000000Z",
    } | changed
    signed = [{"person": who, "signature": shop.sign(who, canonical.encode(terms), NAMESPACE)} for who in signers]
    return {"exception": terms, "signatures": signed}


def evaluate_with_exception(shop: Shop, content: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Evaluation of a change without approvals, with the exception on main, in February 2026."""
    shop.repo.commit({".muniment/exceptions/hot.json": json.dumps(content)}, on="main")
    head = shop.repo.commit({"lib.py": "x = 2\n"}, on="topic", parents=["main"])
    monkeypatch.setattr("muniment.cli.context.current_moment", lambda: "2026-02-01T00:00:00.000000Z")
    return shop.check(head)


def test_owner_and_security_role_approve_an_exception(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    result = evaluate_with_exception(shop, exception(shop, "ada", "sue"), monkeypatch)
    assert result["decision"] == "allow"
    assert shop.find_result(result, TWO)["exception"] == "hot"
    assert shop.find_result(result, TWO)["status"] == "violated"


@pytest.mark.parametrize(
    ("signers", "changed"),
    [
        (("ada",), {}),
        (("sue",), {}),
        (("ada", "bob"), {}),
        (("sue",), {"owner": "sue"}),
        (("ada", "sue"), {"expires": "2026-01-31T00:00:00.000000Z"}),
        (("ada", "sue"), {"expires": "2026-12-31T00:00:00.000000Z"}),
        (("ada", "sue"), {"granted": "2026-02-02T00:00:00.000000Z"}),
        (("ada", "sue"), {"reason": "  "}),
        (("ada", "sue"), {"clause": "history.protected"}),
        (("ada", "sue"), {"branch": "refs/heads/release/1"}),
        (("ada", "sue"), {"repository": "other"}),
        (("ada", "sue"), {"head": "0" * 40}),
        (("ada", "sue"), {"id": "cold"}),
        (("ada", "sue"), {"granted": "yesterday"}),
    ],
)
def test_exception_without_a_required_part_is_ignored(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, signers: tuple[str, ...], changed: dict[str, str]
) -> None:
    assert evaluate_with_exception(shop, exception(shop, *signers, **changed), monkeypatch)["decision"] == "deny"


@pytest.mark.parametrize(
    "alter",
    [
        lambda content: content["exception"].update(expires="2026-03-02T00:00:00.000000Z"),
        lambda content: content["signatures"][0].update(person="bob"),
        lambda content: content["signatures"][1].update(signature=content["signatures"][0]["signature"]),
        lambda content: content.update(more=1),
    ],
    ids=["longer", "other-signer", "same-signature-twice", "unknown-key"],
)
def test_altered_exception_is_ignored(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, alter: Callable[[dict[str, Any]], None]
) -> None:
    content = exception(shop, "ada", "sue")
    alter(content)
    assert evaluate_with_exception(shop, content, monkeypatch)["decision"] == "deny"


def test_exception_added_by_the_change_itself_is_ignored(shop: Shop) -> None:
    content = exception(shop, "ada", "sue", expires=moments.add_time("2026-01-01T00:00:00.000000Z", days=90))
    head = shop.repo.commit(
        {"lib.py": "x = 2\n", ".muniment/exceptions/hot.json": json.dumps(content)}, on="topic", parents=["main"]
    )
    assert shop.check(head)["decision"] == "deny"


def test_requesting_signing_and_listing_an_exception(shop: Shop) -> None:
    where = ("--repo", str(shop.repo.path), "--onto", "main")
    ask = ("exception", "ask", "hot", "--clause", TWO, "--reason", "the shop is down", *where)
    assert shop.muniment(*ask, "--key", str(shop.keys["ada"]))[0] == 0
    assert shop.muniment(*ask, "--key", str(shop.keys["ada"]))[0] == 2
    signing = ("exception", "sign", "hot", *where, "--key")
    assert "still needs somebody else" in shop.muniment(*signing, str(shop.keys["bob"]))[1]
    assert "commit it" in shop.muniment(*signing, str(shop.keys["sue"]))[1]
    content = (shop.repo.path / ".muniment" / "exceptions" / "hot.json").read_text()
    shop.repo.commit({".muniment/exceptions/hot.json": content}, on="main")
    assert "until" in shop.muniment("exception", "list", *where)[1]
    head = shop.repo.commit({"lib.py": "x = 2\n"}, on="topic", parents=["main"])
    assert shop.check(head)["decision"] == "allow"
