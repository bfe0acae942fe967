"""Facts about a design: the results of the six principles, and the effect of a change on them."""

from msgspec import Struct

MOST_PROBLEMS = 50  # findings of one result: one blocks as well as a thousand


class DesignProblem(Struct, frozen=True):
    """Finding of a principle, `violated` or `unknown`, with its next step.

    `path` is the counter-example, from outside to what it reaches. `where` is a file and line of the code. Both may be
    empty.
    """

    code: str
    status: str
    message: str
    remedy: str
    path: tuple[str, ...] = ()
    where: str = ""


class PrincipleState(Struct, frozen=True):
    """Result of one principle: at most `MOST_PROBLEMS` of its `count` problems.

    `basis` says how it is known, such as "shown on the model". `examined` is the number of parts that it rests on.
    `earlier` is the number of problems that the design had before the change; for a product 0.
    """

    principle: str
    basis: str
    examined: int
    problems: tuple[DesignProblem, ...]
    count: int
    earlier: int = 0


class DesignChange(Struct, frozen=True):
    """Effect of a change on a design: names of entries, and what protects less than before."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    weaker: tuple[DesignProblem, ...] = ()


class DesignEvaluation(Struct, frozen=True):
    """Evaluation of the design of a commit or a product. A change has only the problems that it brings.

    Without a design file `is_present` is false. `problem` says why a design cannot be read. `is_removed`: the change
    deletes the branch, with the design in it.
    """

    is_present: bool
    problem: str = ""
    states: tuple[PrincipleState, ...] = ()
    change: DesignChange | None = None
    is_removed: bool = False
