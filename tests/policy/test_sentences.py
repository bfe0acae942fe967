import pytest

from muniment.policy.model import Clause, Policy
from muniment.policy.sentences import Sentence, sentences, unclaimed

PAGE = """---
title: Our policy. Not a sentence.
---

# How we develop

All code is reviewed
by at **least** two others. Changes are _small_; see [the guide](https://x.test/a.b).

Secrets
=======

* They live in the vault
  and nowhere else.
- [ ] Developers never see them!
1. The pipeline `fetches` them.

> Tests run
> for every change.

| What | When |
| --- | --- |
| Updates are automatic. | Daily |

```sh
echo "Not this."
```
<!-- Nor
this. -->
<b>Reviews</b> are held, e.g. every quarter. See [here][guide].

[guide]: https://x.test
***
The end of snake_case.
"""


def policy(*texts: str) -> Policy:
    clauses = tuple(Clause(f"c{n}", "Name", "s", text, "", (), {}) for n, text in enumerate(texts))
    return Policy("sec@example.test", "shop", "policy.md", ("main",), {}, (), clauses)


def test_a_page_falls_into_sentences_with_their_lines() -> None:
    assert sentences(PAGE) == (
        Sentence(7, "All code is reviewed by at least two others."),
        Sentence(7, "Changes are small; see the guide."),
        Sentence(13, "They live in the vault and nowhere else."),
        Sentence(15, "Developers never see them!"),
        Sentence(16, "The pipeline fetches them."),
        Sentence(18, "Tests run for every change."),
        Sentence(21, "What When"),
        Sentence(23, "Updates are automatic."),
        Sentence(23, "Daily"),
        Sentence(30, "Reviews are held, e.g. every quarter."),
        Sentence(30, "See here."),
        Sentence(34, "The end of snake_case."),
    )


def test_windows_line_ends_change_nothing() -> None:
    assert sentences(PAGE.replace("\n", "\r\n")) == sentences(PAGE)


@pytest.mark.parametrize(
    "page", ["", "\n\n", "# Only a heading", "---\na: b\n---", "```\ncode", "<!-- open", "***", "…"]
)
def test_a_page_without_prose_has_no_sentences(page: str) -> None:
    assert sentences(page) == ()


@pytest.mark.parametrize(
    "claim",
    [
        "All code is reviewed by at least two others.",
        "all code is REVIEWED, by at  least two others",
        "All code is reviewed by at *least* two others!",
        "We promise: all code is reviewed by at least two others.",
        "reviewed by at least two others",
        "All [code](x) is reviewed by at least two others.",
    ],
)
def test_a_clause_claims_a_sentence_that_it_holds_or_is_part_of(claim: str) -> None:
    assert unclaimed("All code is reviewed by at least two others.", policy(claim)) == ()


@pytest.mark.parametrize("claim", ["Code is reviewed by others.", "All code is reviewed by at least two othersX", "…"])
def test_a_clause_does_not_claim_what_it_does_not_say(claim: str) -> None:
    page = "All code is reviewed by at least two others."
    assert unclaimed(page, policy(claim)) == (Sentence(1, page),)


def test_half_a_word_claims_nothing() -> None:
    assert unclaimed("Test.", policy("Testing is done.")) == (Sentence(1, "Test."),)


def test_only_unclaimed_sentences_are_listed() -> None:
    page = "Tests pass.\n\n- Secrets are safe.\n- Code is reviewed."
    assert unclaimed(page, policy("Tests pass", "Code is reviewed")) == (Sentence(3, "Secrets are safe."),)
