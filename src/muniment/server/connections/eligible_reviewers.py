"""Asks a forge who may write to a repository, to list only people whose approval would count.

What it answers is cached for some minutes: it decides what is shown, and never whether an approval counts.
"""

import time
import weakref
from collections.abc import Callable

from msgspec import structs

from muniment.decision.account import account as report_of
from muniment.decision.decision import Outcome
from muniment.decision.judge import judge
from muniment.errors import ForgeCode, ForgeError
from muniment.facts import kinds
from muniment.facts.change import Revision
from muniment.facts.facts import Facts
from muniment.facts.maybe import Known
from muniment.forges.collect import ForgeCollector
from muniment.forges.forge import Forge, Reader
from muniment.forges.shapes import Account, Repo
from muniment.policy.model import Point
from muniment.workflows.judge_change import Judgement

_CACHE_SECONDS = 600
_MOST_ASKED = 30  # accounts in one evaluation, where a forge has no list: who was not asked about is not listed
_MOST_KEPT = 10_000

_Answers = dict[tuple[str, str], tuple[float, frozenset[str] | bool | None]]  # until when; None: it has no such list
_cache: weakref.WeakKeyDictionary[Reader, _Answers] = weakref.WeakKeyDictionary()  # one reader for each thread


def name_reviewers(judgement: Judgement, collector: ForgeCollector, forge: Forge, repository: Repo) -> Judgement:
    """A denial that names as possible reviewers only people whom the forge lets write; any other as it is."""
    decision, revision = judgement.decision, judgement.facts.get(kinds.REVISION)
    if decision.outcome is not Outcome.DENY or not isinstance(revision, Known):
        return judgement
    told = report_of(decision, judgement.policy, judgement.facts)
    if told.missing_facts:
        return judgement
    access = _Access(forge, repository)
    found = collector.possible_reviewers(access)
    named = structs.replace(revision.value, possible_reviewers=found, asked_about_all=access.is_complete)
    facts = _with_revision(judgement.facts, named)
    return Judgement(judge(judgement.policy, facts, Point.MERGE, decision.time), judgement.policy, facts)


def _with_revision(facts: Facts, revision: Revision) -> Facts:
    read = dict(facts.items())
    read[kinds.REVISION.name] = structs.replace(read[kinds.REVISION.name], value=Known(revision))
    return Facts(read)


class _Access:
    """Whether an account may write to one repository; False where the forge does not tell, or was asked enough.

    `is_complete`: it told it of each.
    """

    def __init__(self, forge: Forge, repository: Repo) -> None:
        self._forge = forge
        self._repository = repository
        self._asked = 0
        self._failed = False
        self.is_complete = True

    def __call__(self, account: Account) -> bool:
        listed = self._read("", lambda: self._forge.reader.writers(self._repository)) if account.id else None
        if isinstance(listed, frozenset):
            return account.id in listed
        return self._read(account.id or account.login, lambda: self._ask(account)) is True

    def _ask(self, account: Account) -> bool:
        self._asked += 1
        return self._forge.reader.may_write(self._repository, account)

    def _read(self, name: str, read: Callable[[], frozenset[str] | bool]) -> frozenset[str] | bool | None:
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
