"""Put changed functions of a module into a process that has imported it already.

A module that imported a function by name holds the function itself: its code is replaced, so all of them see the
change, wrapped functions and methods included. Code that runs at import cannot be changed in this way.
"""

import gc
from inspect import CO_NEWLOCALS
from types import CodeType, FunctionType

Pair = tuple[CodeType, CodeType]


def changed_functions(file: str, before: str, after: str) -> list[Pair] | None:
    """Return the outermost functions in which two texts of a module differ; None if they differ outside of functions.

    Args:
        file: the path that the module was imported from.
    """
    return _changed_in(_compiled(before, file), _compiled(after, file))


def put_in(pairs: list[Pair]) -> bool:
    """Give every function that has an old code the new one; return whether each code was found and replaced."""
    gc.unfreeze()
    # By its type: asking a lazy object for its class would query the database.
    functions = [one for one in gc.get_objects() if type(one) is FunctionType]
    return all([_replaced(functions, old, new) for old, new in pairs])


def _replaced(functions: list[FunctionType], old: CodeType, new: CodeType) -> bool:
    live = [one for one in functions if _is_same(one.__code__, old)]
    if old.co_freevars != new.co_freevars:
        return False
    for one in live:
        one.__code__ = new
    # Inner functions that exist already, such as those of a decorator.
    for inner in zip(_inner(old), _inner(new), strict=False):
        _replaced(functions, *inner)
    return bool(live)


def _compiled(text: str, file: str) -> CodeType:
    return compile(text, file, "exec", dont_inherit=True)


def _changed_in(before: CodeType, after: CodeType) -> list[Pair] | None:
    """Return the same as `changed_functions`, for the code of a module or the body of a class."""
    inner = [_inner(code) for code in (before, after)]
    if _own(before) != _own(after) or len(inner[0]) != len(inner[1]):
        return None
    pairs: list[Pair] = []
    for old, new in zip(*inner, strict=True):
        if _whole(old) == _whole(new):
            continue
        if old.co_flags & CO_NEWLOCALS:
            pairs.append((old, new))
            continue
        found = _changed_in(old, new)
        if found is None:
            return None
        pairs += found
    return pairs


def _inner(code: CodeType) -> list[CodeType]:
    return [one for one in code.co_consts if isinstance(one, CodeType)]


def _own(code: CodeType) -> tuple[object, ...]:
    """Return what the code does itself, without the functions that it makes."""
    constants = [repr(one) for one in code.co_consts if not isinstance(one, CodeType)]
    return code.co_code, code.co_names, code.co_varnames, code.co_freevars, code.co_exceptiontable, constants


def _whole(code: CodeType) -> tuple[object, ...]:
    return *_own(code), [_whole(one) for one in _inner(code)]


def _is_same(code: CodeType, other: CodeType) -> bool:
    """Return whether both are the code of the same place of the same file."""
    return (
        code.co_firstlineno == other.co_firstlineno
        and code.co_filename == other.co_filename
        and code.co_qualname == other.co_qualname
        and list(code.co_positions()) == list(other.co_positions())
    )
