"""Proposals of updates at a forge: which packages are updated together, the commit, and the text of the change.

A package with a critical or high vulnerability has a proposal of its own; the others of a lock have one together. The
branch is named for the lock and the packages, so that a newer proposal takes the place of an older one.
"""

import hashlib
import re
from collections.abc import Sequence

from msgspec import Struct

from muniment.facts import moments
from muniment.git import machine_merges
from muniment.git.repository import Repository
from muniment.updates.advisory_index import AdvisoryIndex
from muniment.updates.dependencies import Lock
from muniment.updates.lock_updates import LockUpdate, list_cleared
from muniment.updates.severities import AdvisorySeverity
from muniment.updates.update_texts import describe_move, write_commit_message, write_proof, write_title
from muniment.workflows.write_updates import SIGN_OFF, read_commit_style, write_tree

LABEL = "dependencies"
BRANCHES = "refs/heads/muniment/update-"
_OWN_PROPOSAL = (AdvisorySeverity.CRITICAL, AdvisorySeverity.HIGH)
_UNSAFE = re.compile(r"[^a-z0-9]+")
_LONGEST_NAME = 40
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+!|@~-])")


class VulnerablePackages(Struct, frozen=True):
    """Packages of a lock that are updated together. `severity` is the highest of their vulnerabilities."""

    names: tuple[str, ...]
    severity: AdvisorySeverity


class UpdateProposal(Struct, frozen=True):
    """Proposal as it is published: the commit on a branch (a full ref), and the title and text of the change."""

    branch: str
    commit: str
    title: str
    text: str


def group_vulnerable(lock: Lock, index: AdvisoryIndex) -> tuple[VulnerablePackages, ...]:
    """Group the vulnerable packages of a lock, the most severe first. What may be affected is not updated for it."""
    found: dict[str, AdvisorySeverity] = {}
    order = tuple(AdvisorySeverity)
    for each in lock.dependencies:
        for match in index.match_version(each.ecosystem, each.name, each.version):
            severity = match.vulnerability.rating.severity
            if match.certain:
                found[each.name] = min(found.get(each.name, severity), severity, key=order.index)
    own = sorted((order.index(severity), name) for name, severity in found.items() if severity in _OWN_PROPOSAL)
    groups = [VulnerablePackages((name,), order[at]) for at, name in own]
    rest = {name: severity for name, severity in found.items() if severity not in _OWN_PROPOSAL}
    if rest:
        groups.append(VulnerablePackages(tuple(sorted(rest)), min(rest.values(), key=order.index)))
    return tuple(groups)


def name_branch(target: str, path: str, group: VulnerablePackages) -> str:
    """Branch of a proposal (a full ref): the same for the same lock, target and package, or for all minor ones."""
    alone = group.severity in _OWN_PROPOSAL
    subject = group.names[0] if alone else "minor"
    digest = hashlib.sha256("\0".join((target, path, subject)).encode()).hexdigest()[:8]
    return f"{BRANCHES}{_UNSAFE.sub('-', subject.lower()).strip('-')[:_LONGEST_NAME]}-{digest}"


def make_proposal(
    git: Repository, tip: str, branch: str, update: LockUpdate, author: str, now: str, reasons: Sequence[str]
) -> UpdateProposal:
    """Make the commit of an update on `tip`, and its texts. `author` is our account, as `name <address>`.

    `reasons`: lines on the policy's clause and the due date. Raises GitError.
    """
    style = read_commit_style(git, tip)
    message = write_commit_message([update], conventional=style.conventional)
    if style.signed_off:
        message += f"\n\n{SIGN_OFF}{author}"
    tree = write_tree(git, tip, {update.path: update.content})
    commit = machine_merges.make_commit(git, tree, tip, author, int(moments.parse_moment(now).timestamp()), message)
    title = write_title([update], conventional=style.conventional)
    return UpdateProposal(branch, commit, title, write_change_text(update, reasons))


def write_change_text(update: LockUpdate, reasons: Sequence[str]) -> str:
    """Text of the change, as Markdown: what it clears, what moves, what stays, why, and the proof of the rest."""
    lines = ["### Known vulnerabilities that this clears", ""]
    lines += [f"- {_link_advisory(each)}" for each in list_cleared([update])]
    lines += ["", f"### What changes in {_escape_markdown(update.path)}", ""]
    lines += [f"- {_escape_markdown(describe_move(each))}" for each in update.moves]
    if update.staying:
        lines += ["", "### What stays vulnerable", ""]
        lines += [f"- {_escape_markdown(f'{each.name} {each.version}: {each.reason}')}" for each in update.staying]
    lines += ["", "### Nothing else changes", "", _escape_markdown(write_proof(update))]
    lines += ["", "### Why", "", *(f"- {_escape_markdown(each)}" for each in reasons)]
    lines += [
        "",
        "This comes from a machine account: its own approval never counts. It is renewed when a newer update takes its "
        "place, and closed when it is no longer needed. If you close it yourself, write why in a comment.",
    ]
    return "\n".join(lines)


def _link_advisory(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9-]{1,80}", name):
        return _escape_markdown(name)
    return f"[{name}](https://osv.dev/vulnerability/{name})"


def _escape_markdown(text: str) -> str:
    """Text without effect as Markdown: names come from a lock, and mention or link nobody."""
    return _MARKDOWN.sub(r"\\\1", text.replace("\n", " ")).replace("\\@", "@\u200b")
