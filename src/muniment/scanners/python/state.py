"""State of one path: the heap, copied where it is written, and the worlds that cannot be on this path."""

from collections.abc import Mapping

from muniment.scanners.python.values import BASE, AbstractValue, HeapObject, World, join_values


class State:
    """Heap and dead worlds of one path. `static` holds the heap of modules that are loaded."""

    __slots__ = ("_owned", "dead", "heap", "static")

    def __init__(self, static: Mapping[int, HeapObject]) -> None:
        self.static = static
        self.heap: dict[int, HeapObject] = {}
        self.dead: set[World] = set()
        self._owned: set[int] = set()

    def copy(self) -> "State":
        """Return a state that can go on by itself."""
        twin = State(self.static)
        twin.heap = dict(self.heap)
        twin.dead = set(self.dead)
        self._owned = set()
        return twin

    def take_over(self, other: "State") -> None:
        """Take over the content of another state."""
        self.heap, self.dead, self._owned = dict(other.heap), set(other.dead), set()
        other._owned = set()

    def read_object(self, location: int) -> HeapObject:
        """Return an object that must not be changed."""
        found = self.heap.get(location)
        return found if found is not None else self.static[location]

    def has_object(self, location: int) -> bool:
        """Tell whether there is an object at a location."""
        return location in self.heap or location in self.static

    def write_object(self, location: int) -> HeapObject:
        """Return an object of this path that can be changed."""
        if location not in self._owned:
            self.heap[location] = self.read_object(location).copy()
            self._owned.add(location)
        return self.heap[location]

    def add_object(self, location: int, content: HeapObject) -> None:
        """Put a new object on the heap."""
        self.heap[location] = content
        self._owned.add(location)


def join_states(left: State | None, right: State | None) -> State | None:
    """Join the states of two paths of execution."""
    if left is None or left is right:
        return right
    if right is None:
        return left
    joined = State(left.static)
    joined.dead = left.dead & right.dead
    joined.heap = dict(left.heap)
    for location in left.heap.keys() | right.heap.keys():
        mine, other = left.heap.get(location), right.heap.get(location)
        if mine is other:
            continue
        if mine is None:
            mine = left.static.get(location)
        if other is None:
            other = right.static.get(location)
        if mine is other or other is None:
            assert mine is not None
            joined.heap[location] = mine
        elif mine is None:
            joined.heap[location] = other
        else:
            joined.heap[location] = _join_objects(mine, left.dead, other, right.dead)
    return joined


def _join_objects(left: HeapObject, left_dead: set[World], right: HeapObject, right_dead: set[World]) -> HeapObject:
    joined = HeapObject(left.kind, {}, None, left.exact and right.exact, left.type)
    sequence = left.kind in ("list", "tuple", "set")
    if sequence and len(left.items) != len(right.items):
        joined.exact = False
    for key in [*left.items, *(key for key in right.items if key not in left.items)]:
        mine, other = left.items.get(key), right.items.get(key)
        if mine is None or other is None:
            present = mine if mine is not None else other
            assert present is not None
            joined.items[key] = _restrict(present, left_dead if mine is not None else right_dead)
            if not sequence and left.kind == "dict":
                joined.exact = False
        else:
            joined.items[key] = join_values(mine, left_dead, other, right_dead)
    if left.rest is None or right.rest is None:
        joined.rest = left.rest if right.rest is None else right.rest
    else:
        joined.rest = join_values(left.rest, left_dead, right.rest, right_dead)
    return joined


def _restrict(value: AbstractValue, dead: set[World]) -> AbstractValue:
    """Drop the worlds that cannot have stored a value."""
    if not (value.worlds.keys() & dead):
        return value
    return AbstractValue(
        value.base, {world: one for world, one in value.worlds.items() if world not in dead or world == BASE}
    )
