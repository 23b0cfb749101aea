"""A table of plain values, from a TOML file or from flags, made into a `Network`; all its mistakes at once."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from mcverify.errors import InputError, unknown
from mcverify.formulas import evaluate, integer
from mcverify.grammar import parse

if TYPE_CHECKING:
    from mcverify.network import Network

KEYS = ("widths", "activation", "output_activation", "weights", "biases", "input", "output_gradient")
WORDS = ("activation", "law", "scheme", "mode", "loss")
"""Keys whose text is a name; any other text is a number in the grammar."""

MAX_LAYERS = 100_000

Result = TypeVar("Result")
GridValues = Mapping[str, float | str]

_REPEATED = re.compile(r"(.+?)(?:\s+x\s+|(?<=\d)x(?=\d))(.+)")


@dataclass
class Mistakes:
    """What is wrong with a file or with flags; collected, then raised as one error.

    >>> mistakes = Mistakes("net.toml")
    >>> mistakes.add("widths", "`widths=[]`: give at least two.")
    >>> mistakes.raise_any()
    Traceback (most recent call last):
        ...
    mcverify.errors.InputError: net.toml: widths: `widths=[]`: give at least two.
    """

    file: str
    found: list[tuple[str, str]] = field(default_factory=list)

    def add(self, where: str, what: object) -> None:
        """Note one mistake, once."""
        if (where, str(what)) not in self.found:
            self.found.append((where, str(what)))

    def raise_any(self) -> None:
        """Raise all mistakes as one error, if there are any.

        Raises:
            InputError: with one line a mistake.
        """
        if len(self.found) == 1:
            where, what = self.found[0]
            raise InputError(f"{self.file}: {where}: {what}")
        if self.found:
            lines = [f"  {where}: {what}" for where, what in self.found]
            raise InputError("\n".join([f"{self.file} has {len(lines)} mistakes:", *lines]))


def build(
    table: Mapping[str, Any], mistakes: Mistakes, grid: GridValues | None = None, prefix: str = ""
) -> Network | None:
    """The network that a table describes, or None with the reasons added to `mistakes`.

    Args:
        table: The keys of `Network`; numbers may be text of the grammar.
        mistakes: Collects what is wrong.
        grid: Values of the names that the table may use.
        prefix: Put before each key in `mistakes`, such as "network.".
    """
    from mcverify.network import Network

    before = len(mistakes.found)
    grid = grid or {}
    for key in table:
        if key not in KEYS:
            mistakes.add(prefix + str(key), unknown("key", key, KEYS))
    widths = _tried(lambda: _checked_widths(table.get("widths"), grid), mistakes, f"{prefix}widths")
    given = {
        key: _part(key, table[key], widths, grid, lambda attempt, key=key: _tried(attempt, mistakes, prefix + key))
        for key in KEYS[1:]
        if key in table
    }
    if widths is None or len(mistakes.found) > before:
        return None
    return _tried(lambda: Network(widths=widths, **given), mistakes, prefix.rstrip(".") or "network")


def _checked_widths(value: Any, grid: GridValues) -> tuple[int, ...]:
    from mcverify.network import Network

    return tuple(Network(widths=read_widths(value, grid)).widths)


def _part(key: str, value: Any, widths: tuple[int, ...] | None, grid: GridValues, tried: Callable[..., Any]) -> Any:
    """One key's value with its numbers read, tried on its own so that its mistakes don't hide others'."""
    from mcverify.network import Network

    usable = widths or (1, 1)
    layers = _layers(usable) if key in ("weights", "biases") else None
    read = tried(lambda: _numbers(key, value, layers, grid))
    has_list = isinstance(value, list) or (
        isinstance(value, Mapping) and any(isinstance(v, list) for v in value.values())
    )
    if read is not None and (widths or not has_list):
        tried(lambda: Network(widths=usable, **{key: read}))
    return read


def _tried(attempt: Callable[[], Result], mistakes: Mistakes, where: str) -> Result | None:
    try:
        return attempt()
    except InputError as error:
        mistakes.add(where, error)
        return None


def read_widths(value: Any, grid: GridValues | None = None) -> tuple[int, ...]:
    """Widths from a list, or from text such as "784,512x10,10".

    Raises:
        InputError: if an entry is not a whole number.

    >>> read_widths("784,512x3,10")
    (784, 512, 512, 512, 10)
    >>> read_widths([2, "width x depth", "2*width"], {"width": 8, "depth": 2})
    (2, 8, 8, 16)
    """
    if value is None:
        raise InputError("`widths` is missing; give the widths of all layers, such as [784, 512, 10].")
    if isinstance(value, str):
        value = value.split(",")
    if not isinstance(value, Sequence):
        raise InputError(f"`widths={value!r}`: give a list, such as [784, 512, 10].")
    numbers = {name: number for name, number in (grid or {}).items() if not isinstance(number, str)}
    widths: list[int] = []
    wrong: list[str] = []
    for entry in value:
        try:
            widths.extend(_some_widths(entry, numbers))
        except InputError as error:
            wrong.append(f"{entry} ({str(error).rstrip('.')})")
    if wrong:
        raise InputError(f"`widths`: give whole numbers from 1, or 512x10 for ten of 512, not {', '.join(wrong)}.")
    if len(widths) > MAX_LAYERS:
        raise InputError(f"`widths` has {len(widths)} entries; give at most {MAX_LAYERS}.")
    return tuple(widths)


def _some_widths(entry: Any, numbers: Mapping[str, float]) -> list[int]:
    if isinstance(entry, bool) or not isinstance(entry, (int, str)):
        raise InputError("not a whole number")
    width, times = str(entry), "1"
    if repeated := _REPEATED.fullmatch(width.strip()):
        width, times = repeated.groups()
    one, count = (integer(parse(text), numbers) for text in (width, times))
    if one < 1 or not 0 < count <= MAX_LAYERS:
        raise InputError(f"{one} repeated {count} times" if repeated else "below 1")
    return [one] * count


def _layers(widths: tuple[int, ...]) -> list[dict[str, float]]:
    """What fan_in and fan_out stand for, by layer."""
    return [{"fan_in": n, "fan_out": m} for n, m in itertools.pairwise(widths)]


def _numbers(key: str, value: Any, layers: list[dict[str, float]] | None, grid: GridValues) -> Any:
    """`value` with grid names replaced and numbers that stand as text computed."""
    if isinstance(value, str) and value in grid:
        value = grid[value]
    if isinstance(value, Mapping) and key in ("activation", "output_activation") and "expression" in value:
        return _own_activation(key, value, grid)
    if isinstance(value, Mapping) and key in ("activation", "output_activation") and "activation" not in value:
        return value  # refused by `Network`, with what is missing
    if isinstance(value, Mapping):
        return {name: _entry(name, entry, layers, grid) for name, entry in value.items()}
    if isinstance(value, list) and key in ("input", "output_gradient"):
        return [
            _numbers(key, entry, layers, grid) if isinstance(entry, list) else _number(entry, {}, grid)
            for entry in value
        ]
    return value


def _own_activation(key: str, value: Mapping[str, Any], grid: GridValues) -> dict[str, Any]:
    """An activation given as an expression in x, with the grid's numbers in it."""
    from mcverify.expressions import expression_of

    numbers = {name: number for name, number in grid.items() if not isinstance(number, str)}
    return {**value, "expression": expression_of(f"{key}.expression", value["expression"], numbers)}


def _entry(name: str, value: Any, layers: list[dict[str, float]] | None, grid: GridValues) -> Any:
    if isinstance(value, str) and value in grid:
        value = grid[value]
    if name in WORDS or isinstance(value, bool):
        return value
    if layers is not None and name == "variance":
        return _by_layer(value, layers, grid)
    if isinstance(value, list):
        return [_number(entry, {}, grid) for entry in value]
    return _number(value, {}, grid)


def _by_layer(value: Any, layers: list[dict[str, float]], grid: GridValues) -> Any:
    """A variance: one number, or one a layer where it is a list or a formula of fan_in or fan_out."""
    if isinstance(value, list):
        entries = zip(value, [*layers, *[{}] * len(value)], strict=False)
        return [_number(entry, fans, grid) for entry, fans in entries]
    if isinstance(value, str) and re.search(r"\bfan_(in|out)\b", value):
        return [_number(value, fans, grid) for fans in layers]
    return _number(value, layers[0] if layers else {}, grid)


def _number(value: Any, names: Mapping[str, float], grid: GridValues) -> Any:
    if not isinstance(value, str):
        return value
    numbers = {name: number for name, number in grid.items() if not isinstance(number, str)}
    return evaluate(parse(value), {**numbers, **names})


def texts_in(value: Any) -> Iterator[str]:
    """Every text in nested tables and lists.

    >>> sorted(texts_in({"widths": [64, "width"], "weights": {"law": "normal"}}))
    ['normal', 'width']
    """
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for entry in value.values():
            yield from texts_in(entry)
    elif isinstance(value, list):
        for entry in value:
            yield from texts_in(entry)
