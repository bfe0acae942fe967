"""Texts about updates: of commits, and the proof that nothing else changed."""

from collections.abc import Sequence

from muniment.updates.lock_updates import LockUpdate, PackageMove, list_cleared

_LONGEST_TITLE = 72


def write_title(updates: Sequence[LockUpdate], *, conventional: bool) -> str:
    """Title of a commit or pull request, at most 72 characters."""
    names = dict.fromkeys(move.name for update in updates for move in update.moves if move.advisories)
    prefix = "fix(deps): update" if conventional else "Update"
    first = next(move for update in updates for move in update.moves if move.advisories)
    single = f"{prefix} {first.name} to {', '.join(first.after)}"
    listed = f"{prefix} {', '.join(names)}"
    counted = f"{prefix} {len(names)} vulnerable packages"
    choices = (single, listed) if len(names) == 1 else (listed, counted)
    return next((each for each in choices if len(each) <= _LONGEST_TITLE), counted)


def write_commit_message(updates: Sequence[LockUpdate], *, conventional: bool) -> str:
    """Title, the vulnerabilities that are cleared, the changes, and the proof. Lines of names stay whole."""
    lines = [write_title(updates, conventional=conventional), ""]
    lines += ["Known vulnerabilities that this clears:", ""]
    lines += [f"- {each}" for each in list_cleared(updates)]
    for update in updates:
        lines += ["", f"{update.path}:", "", *(f"- {describe_move(each)}" for each in update.moves)]
        lines += ["", write_proof(update)]
    return "\n".join(lines)


def describe_move(move: PackageMove) -> str:
    """Change of one package, with the reason for it."""
    before, after = ", ".join(move.before), ", ".join(move.after)
    if not move.after:
        return f"{move.name} {before} is removed: no package requires it any more"
    if not move.before:
        return f"{move.name} {after} is added: a new version requires it"
    reason = f"clears {', '.join(move.advisories)}" if move.advisories else "the new versions require it"
    return f"{move.name} {before} to {after}: {reason}"


def write_proof(update: LockUpdate) -> str:
    """Sentences that say what was compared."""
    header = f"its header changes in {', '.join(update.header)}" if update.header else "its header is unchanged"
    smallest = "" if update.smallest else " Smaller versions may exist: the attempts were not enough to prove it."
    return f"{update.same} other packages are unchanged byte for byte; {header}.{smallest}"
