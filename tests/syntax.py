"""Reading Python's own syntax trees, in tests that look at the code."""

import ast
import gc


def parsed(source: str) -> ast.Module:
    """Return the tree of a module's source.

    Python 3.11 counts how deep it is in making a tree, for the whole interpreter: where the garbage collector runs
    meanwhile and ends something that makes a tree as well, the first one fails (`recursion depth mismatch`,
    python/cpython#106905). So it does not run meanwhile.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        return ast.parse(source)
    finally:
        if was_on:
            gc.enable()
