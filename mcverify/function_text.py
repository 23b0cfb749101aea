"""All that a Python function does, as text: its source, and that of what it uses."""

from __future__ import annotations

import dis
import inspect
import textwrap
from collections.abc import Callable, Iterator
from types import CodeType, FunctionType, ModuleType
from typing import Any

from mcverify.errors import InputError

PLAIN = (bool, int, float, str, bytes, type(None))
TRUSTED = ("math", "numpy", "numba", "builtins")
"""Modules whose functions are known by their names."""


def text_of(argument: str, function: Callable[..., Any]) -> str:
    """The source of a function, of the functions it uses, and the values of its globals and defaults.

    Args:
        argument: The name under which the user gave it.
        function: A Python function, or one compiled by Numba.

    Raises:
        InputError: asking for `version=` where some of it cannot be had.
    """
    return "\n".join(_parts(argument, function, set()))


def _parts(argument: str, function: Any, seen: set[int]) -> Iterator[str]:
    plain = getattr(function, "py_func", function)
    if id(plain) in seen:
        return
    seen.add(id(plain))
    yield _source(argument, plain)
    names = sorted(set(_global_names(plain.__code__)))
    uses = {name: plain.__globals__[name] for name in names if name in plain.__globals__}
    uses.update(zip(plain.__code__.co_freevars, (cell.cell_contents for cell in plain.__closure__ or ()), strict=True))
    uses.update({f"default {i}": value for i, value in enumerate(plain.__defaults__ or ())})
    for name, value in uses.items():
        yield from _value(argument, plain, name, value, seen)


def _source(argument: str, function: Any) -> str:
    if not isinstance(function, FunctionType):
        raise _unseen(argument, f"{function!r} is no Python function")
    try:
        source = textwrap.dedent(inspect.getsource(function)).strip()
    except (OSError, TypeError) as error:
        raise _unseen(argument, f"the source of {function.__qualname__} cannot be had") from error
    if function.__name__ == "<lambda>" and source.count("lambda") > 1:
        raise _unseen(argument, f"{source[:60]!r} has several lambdas on one line (use `def`)")
    return source


def _global_names(code: CodeType) -> Iterator[str]:
    """Names that a function takes from its module, those within functions of its own too."""
    yield from (str(step.argval) for step in dis.get_instructions(code) if step.opname == "LOAD_GLOBAL")
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _global_names(constant)


def _value(argument: str, function: Any, name: Any, value: Any, seen: set[int]) -> Iterator[str]:
    if isinstance(value, PLAIN) or (isinstance(value, tuple) and all(isinstance(part, PLAIN) for part in value)):
        yield f"{name} = {value!r}"
    elif isinstance(value, ModuleType) and value.__name__.split(".")[0] in TRUSTED:
        yield f"{name} is {value.__name__}"
    elif str(getattr(value, "__module__", "")).split(".")[0] in TRUSTED and hasattr(value, "__name__"):
        yield f"{name} is {value.__module__}.{value.__name__}"
    elif isinstance(value, FunctionType) or hasattr(value, "py_func"):
        yield f"{name}:"
        yield from _parts(argument, value, seen)
    else:
        raise _unseen(argument, f"{function.__qualname__} uses {name}, whose content cannot be seen")


def _unseen(argument: str, why: str) -> InputError:
    return InputError(f"`{argument}`: {why}; give `version=`, any text that changes whenever the function does.")
