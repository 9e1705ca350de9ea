"""Fingerprints of functions that a user wrote: their code, what it refers to, and what it holds."""

import hashlib
import types

import numpy as np

LIBRARIES = ("tf_keras", "keras", "tensorflow", "tensorflow_probability", "course_utils", "builtins", "abc")
PLAIN = (bool, int, float, complex, str, bytes, type(None))


def code_of(function) -> str | None:
    """A fingerprint of a user's function; None for what has no Python code, or comes from a library."""
    code = getattr(function, "__code__", None)
    if code is None or _of_library(function):
        return None
    return hashlib.blake2b(repr(_parts(function, set())).encode(), digest_size=6).hexdigest()


def own_methods(kind: type) -> dict[str, types.FunctionType]:
    """The methods of a class which a user wrote, inherited ones included."""
    found = {}
    for each in reversed(kind.__mro__):
        if each.__module__.split(".")[0] not in LIBRARIES:
            found |= {name: value for name, value in vars(each).items() if isinstance(value, types.FunctionType)}
    return found


def _of_library(function) -> bool:
    return (getattr(function, "__module__", None) or "").split(".")[0] in LIBRARIES


def _parts(function, seen: set) -> tuple:
    if id(function) in seen or _of_library(function):
        return (getattr(function, "__name__", ""),)
    seen.add(id(function))
    code = function.__code__
    cells = [cell.cell_contents for cell in function.__closure__ or () if _filled(cell)]
    globals_used = [function.__globals__.get(name) for name in code.co_names]
    held = [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values(), *cells, *globals_used]
    return (_shape_of(code), *(_held(value, seen) for value in held))


def _shape_of(code: types.CodeType) -> tuple:
    constants = [_shape_of(each) if isinstance(each, types.CodeType) else repr(each) for each in code.co_consts]
    return code.co_code, code.co_names, code.co_varnames, tuple(constants)


def _held(value, seen: set):
    if isinstance(value, PLAIN):
        return repr(value)
    if isinstance(value, np.ndarray) and value.dtype != object:
        return value.shape, hashlib.blake2b(np.ascontiguousarray(value), digest_size=6).hexdigest()
    if isinstance(value, types.FunctionType):
        return _parts(value, seen)
    if isinstance(value, (tuple, list)):
        return tuple(_held(each, seen) for each in value)
    return type(value).__name__


def _filled(cell) -> bool:
    try:
        cell.cell_contents  # noqa: B018  (a cell may be empty)
    except ValueError:
        return False
    return True
