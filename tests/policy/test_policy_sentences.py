import pytest

from muniment.policy.model import Clause, Policy
from muniment.policy.page_sentences import PageSentence, find_uncovered_sentences, split_sentences

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


def test_page_is_split_into_sentences_with_lines() -> None:
    assert split_sentences(PAGE) == (
        PageSentence(7, "All code is reviewed by at least two others."),
        PageSentence(7, "Changes are small; see the guide."),
        PageSentence(13, "They live in the vault and nowhere else."),
        PageSentence(15, "Developers never see them!"),
        PageSentence(16, "The pipeline fetches them."),
        PageSentence(18, "Tests run for every change."),
        PageSentence(21, "What When"),
        PageSentence(23, "Updates are automatic."),
        PageSentence(23, "Daily"),
        PageSentence(30, "Reviews are held, e.g. every quarter."),
        PageSentence(30, "See here."),
        PageSentence(34, "The end of snake_case."),
    )


def test_windows_line_ends_give_same_sentences() -> None:
    assert split_sentences(PAGE.replace("\n", "\r\n")) == split_sentences(PAGE)


@pytest.mark.parametrize(
    "page", ["", "\n\n", "# Only a heading", "---\na: b\n---", "```\ncode", "<!-- open", "***", "…"]
)
def test_a_page_without_prose_has_no_sentences(page: str) -> None:
    assert split_sentences(page) == ()


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
def test_clause_covers_sentence_that_contains_its_text_or_is_contained(claim: str) -> None:
    assert find_uncovered_sentences("All code is reviewed by at least two others.", policy(claim)) == ()


@pytest.mark.parametrize("claim", ["Code is reviewed by others.", "All code is reviewed by at least two othersX", "…"])
def test_clause_does_not_cover_other_sentence(claim: str) -> None:
    page = "All code is reviewed by at least two others."
    assert find_uncovered_sentences(page, policy(claim)) == (PageSentence(1, page),)


def test_partial_word_does_not_cover_sentence() -> None:
    assert find_uncovered_sentences("Test.", policy("Testing is done.")) == (PageSentence(1, "Test."),)


def test_lists_only_sentences_without_clause() -> None:
    page = "Tests pass.\n\n- Secrets are safe.\n- Code is reviewed."
    assert find_uncovered_sentences(page, policy("Tests pass", "Code is reviewed")) == (
        PageSentence(3, "Secrets are safe."),
    )
