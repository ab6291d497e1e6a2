"""Module docs."""
import os.path
import json as js
from collections import OrderedDict, deque
from . import sibling

LIMIT = 10
first, second = 1, 2


@dataclass(frozen=True)
class Shape(Base, metaclass=Meta):
    """A shape.

    With a name.
    """

    name: str = "none"
    sides = 3

    def __init__(self, name: str, *, sides: int = 3) -> None:
        self.name = name
        local = sides

    @property
    def area(self):
        # Computed each time.
        return measure(self.name)

    class Nested:
        def deep(self): pass


# Measures it.
async def measure(what, scale=LIMIT):
    def inner(x):
        return x * scale
    return inner(os.path.join(what))


def test_measure():
    """Measures once."""
    assert measure("x")
