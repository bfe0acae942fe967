"""Reads from a forge who can write to a repository, so that only eligible reviewers are listed.

The answers are cached for some minutes: they decide what is shown, and never whether an approval counts.
"""

import time
import weakref
from collections.abc import Callable

from msgspec import structs

from muniment.decision.decision import Outcome
from muniment.decision.evaluation import evaluate_policy
from muniment.errors import ForgeCode, ForgeError
from muniment.facts import kinds
from muniment.facts.change import Revision
from muniment.facts.facts import Facts
from muniment.facts.maybe import Known
from muniment.forges.forge import Forge, Reader
from muniment.forges.forge_collector import ForgeCollector
from muniment.forges.shapes import Account, ForgeRepository
from muniment.policy.model import EnforcementPoint
from muniment.workflows.change_evaluation import ChangeEvaluation

_CACHE_SECONDS = 600
_MOST_ASKED = 30  # accounts in one evaluation, where a forge has no list: who was not asked about is not listed
_MOST_KEPT = 10_000

_Answers = dict[tuple[str, str], tuple[float, frozenset[str] | bool | None]]  # until when; None: it has no such list
_cache: weakref.WeakKeyDictionary[Reader, _Answers] = weakref.WeakKeyDictionary()  # one reader for each thread


def name_reviewers(
    evaluation: ChangeEvaluation, collector: ForgeCollector, forge: Forge, repository: ForgeRepository
) -> ChangeEvaluation:
    """Denial that lists as possible reviewers only people who can write at the forge; other results unchanged."""
    decision, revision = evaluation.decision, evaluation.facts.get(kinds.REVISION)
    if decision.outcome is not Outcome.DENY or not isinstance(revision, Known):
        return evaluation
    if evaluation.build_report().missing_facts:
        return evaluation
    access = _CachedWriteAccess(forge, repository)
    found = collector.find_possible_reviewers(access)
    named = structs.replace(revision.value, possible_reviewers=found, asked_about_all=access.is_complete)
    facts = _replace_revision(evaluation.facts, named)
    return ChangeEvaluation(
        evaluate_policy(evaluation.policy, facts, EnforcementPoint.MERGE, decision.time), evaluation.policy, facts
    )


def _replace_revision(facts: Facts, revision: Revision) -> Facts:
    read = dict(facts.items())
    read[kinds.REVISION.name] = structs.replace(read[kinds.REVISION.name], value=Known(revision))
    return Facts(read)


class _CachedWriteAccess:
    """Whether an account can write to one repository; False if the forge does not say, or the limit of requests is
    reached.

    `is_complete`: the forge answered for each account.
    """

    def __init__(self, forge: Forge, repository: ForgeRepository) -> None:
        self._forge = forge
        self._repository = repository
        self._asked = 0
        self._failed = False
        self.is_complete = True

    def __call__(self, account: Account) -> bool:
        listed = (
            self._read_cached("", lambda: self._forge.reader.list_writers(self._repository)) if account.id else None
        )
        if isinstance(listed, frozenset):
            return account.id in listed
        return self._read_cached(account.id or account.login, lambda: self._ask_forge(account)) is True

    def _ask_forge(self, account: Account) -> bool:
        self._asked += 1
        return self._forge.reader.can_write(self._repository, account)

    def _read_cached(self, name: str, read: Callable[[], frozenset[str] | bool]) -> frozenset[str] | bool | None:
        key, answers = (self._repository.id, name), _cache.setdefault(self._forge.reader, {})
        until, known = answers.get(key, (0.0, None))
        if time.monotonic() < until:
            return known
        if self._failed or self._asked >= _MOST_ASKED:
            self.is_complete = False
            return None
        try:
            found: frozenset[str] | bool | None = read()
        except ForgeError as error:
            if error.code not in (ForgeCode.UNSUPPORTED, ForgeCode.NOT_FOUND):
                self._failed, self.is_complete = True, False  # it is asked again by the next evaluation
                return None
            found = None
        if len(answers) >= _MOST_KEPT:
            answers.clear()
        answers[key] = time.monotonic() + _CACHE_SECONDS, found
        return found
