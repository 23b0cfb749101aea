"""The tables of a study file made into a `Study`: its grid, and one claim a point of the grid and a layer."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mcverify import network_file, observables
from mcverify.bridge import ask
from mcverify.claim import THEORY, Claim
from mcverify.errors import InputError, unknown
from mcverify.formulas import check_layers, integer, to_sympy
from mcverify.grammar import FUNCTIONS, REPEATS, parse
from mcverify.network_file import GridValues, Mistakes
from mcverify.statement import Expected, Role, Statement
from mcverify.study import Study

if TYPE_CHECKING:
    from mcverify.network import Network
    from mcverify.observables import Observable
    from theory.prediction import Prediction

KEYS = ("id", "title", "question", "margin", "network", "grid", "claim", "control")
CLAIM_KEYS = ("name", "says", "observable", "layer", "statistic", "prediction", "margin", "expected")
REQUIRED = ("name", "observable", "layer", "prediction")
TAKEN = ("N", "v", "beta", "kappa", "m_0", "gamma2", "a", "l", "L", "pi", "fan_in", "fan_out", *FUNCTIONS, *REPEATS)
MAX_POINTS = 10_000


@dataclass(frozen=True)
class Entry:
    """One `[[claim]]` or `[[control]]` table, and what it is called in mistakes."""

    table: Mapping[str, Any]
    where: str
    role: Role
    key: str

    @property
    def name(self) -> str:
        """The claim's name, before grid values and layers are added."""
        return str(self.table.get("name"))


def build(table: Mapping[str, Any], mistakes: Mistakes) -> Study | None:
    """The study that the tables of a file describe, or None with the reasons added to `mistakes`."""
    for key in table:
        if key not in KEYS:
            mistakes.add(key, unknown("key", key, KEYS))
    entries = [*_entries(table, "claim", mistakes), *_entries(table, "control", mistakes)]
    for entry in entries:
        _check_entry(entry, mistakes)
    _check_heading(table, mistakes)
    made: dict[str, list[Claim]] = {"claim": [], "control": []}
    sound = {entry.key for entry in entries} - {entry.key for entry in entries if _named(entry.where, mistakes)}
    for point in _points(table, mistakes):
        network = _network(table, point, mistakes)
        if network is None:
            continue
        for entry in entries:
            if entry.key in sound:
                made[_kind(entry)].extend(_claims(entry, network, point, mistakes))
    if mistakes.found:
        return None
    return _study(table, made, mistakes)


def _study(table: Mapping[str, Any], made: Mapping[str, list[Claim]], mistakes: Mistakes) -> Study | None:
    try:
        return Study(
            id=table["id"],
            title=table.get("title", ""),
            question=table.get("question", ""),
            margin=table.get("margin"),
            claims=made["claim"],
            controls=made["control"],
        )
    except InputError as error:
        mistakes.add("study", error)
        return None


def _check_heading(table: Mapping[str, Any], mistakes: Mistakes) -> None:
    name = table.get("id")
    if name is None:
        mistakes.add("id", "is missing; name the study with letters, digits and underscores.")
    elif not isinstance(name, str) or not name.isidentifier():
        mistakes.add("id", f"`id={name!r}`: a study's id is made of letters, digits and underscores.")
    for key in ("title", "question"):
        if not isinstance(table.get(key, ""), str):
            mistakes.add(key, f"`{key}={table[key]!r}`: give a text.")
    _check_margin(table, "margin", mistakes)
    if not isinstance(table.get("network"), Mapping):
        mistakes.add("network", "is missing; describe the network under [network].")


def _check_margin(table: Mapping[str, Any], where: str, mistakes: Mistakes) -> None:
    margin = table.get("margin")
    if margin is None:
        return
    if isinstance(margin, bool) or not isinstance(margin, (int, float)) or not 0 < margin < math.inf:
        mistakes.add(where, f"`margin={margin!r}`: give the smallest departure that matters, such as 0.01.")


def _entries(table: Mapping[str, Any], kind: str, mistakes: Mistakes) -> Iterator[Entry]:
    tables = table.get(kind, [])
    if not isinstance(tables, list) or not all(isinstance(entry, Mapping) for entry in tables):
        mistakes.add(kind, f"write each {kind} under its own [[{kind}]].")
        return
    if kind == "claim" and not tables:
        mistakes.add(kind, "the study claims nothing; give at least one [[claim]].")
    role = Role.CONTROL if kind == "control" else Role.SOURCE
    for number, entry in enumerate(tables, start=1):
        yield Entry(entry, f"{kind} {number} ({entry.get('name', 'no name')})", role, f"{kind}-{number}")


def _kind(entry: Entry) -> str:
    return "control" if entry.role is Role.CONTROL else "claim"


def _named(where: str, mistakes: Mistakes) -> bool:
    return any(place.startswith(where) for place, _ in mistakes.found)


def _check_entry(entry: Entry, mistakes: Mistakes) -> None:
    for key in entry.table:
        if key not in CLAIM_KEYS:
            mistakes.add(f"{entry.where}, {key}", unknown("key", key, CLAIM_KEYS))
    for key in REQUIRED:
        if key not in entry.table:
            mistakes.add(f"{entry.where}, {key}", "is missing.")
    name = entry.table.get("observable", "input.mean")
    if name not in observables.names():
        mistakes.add(f"{entry.where}, observable", unknown("observable", name, observables.names()))
    statistic = entry.table.get("statistic", "mean")
    if statistic not in ("mean", "variance"):
        mistakes.add(f"{entry.where}, statistic", unknown("statistic", statistic, ("mean", "variance")))
    expected = entry.table.get("expected", "REFUTED")
    if expected not in list(Expected):
        mistakes.add(f"{entry.where}, expected", unknown("expected", expected, list(Expected)))
    elif entry.role is Role.CONTROL and expected != "REFUTED":
        mistakes.add(f"{entry.where}, expected", "a control is false on purpose: expect REFUTED, or make it a claim.")
    _check_margin(entry.table, f"{entry.where}, margin", mistakes)


def _points(table: Mapping[str, Any], mistakes: Mistakes) -> list[GridValues]:
    """Every point of the grid; one point without names where there is no grid."""
    grid = table.get("grid", {})
    if not isinstance(grid, Mapping):
        mistakes.add("grid", f"`grid={grid!r}`: write lists under [grid], such as width = [32, 128].")
        return []
    words = {word for text in network_file.texts_in(_users(table)) for word in re.findall(r"[A-Za-z_]\w*", text)}
    for name in [axis for axis in grid if axis not in words]:
        mistakes.add(f"grid.{name}", f"{name!r} is used nowhere; put it into the network or a claim, or remove it.")
    sound = [_check_axis(name, values, mistakes) for name, values in grid.items()]
    if not all(sound):
        return []
    size = math.prod(len(values) for values in grid.values())
    if size > MAX_POINTS:
        mistakes.add("grid", f"has {size} points; at most {MAX_POINTS} are run.")
        return []
    return [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]


def _users(table: Mapping[str, Any]) -> list[Any]:
    return [table.get("network", {}), table.get("claim", []), table.get("control", [])]


def _check_axis(name: str, values: Any, mistakes: Mistakes) -> bool:
    where = f"grid.{name}"
    before = len(mistakes.found)
    if not re.fullmatch(r"[A-Za-z_]\w*", name) or name in TAKEN:
        mistakes.add(where, f"{name!r} cannot name an axis; use letters, digits and underscores, and none of {TAKEN}.")
    if not isinstance(values, list) or not values:
        mistakes.add(where, f"`{name}={values!r}`: give a list of values, such as [32, 128].")
    elif not all(_is_grid_value(value) for value in values):
        mistakes.add(where, f"`{name}={values!r}`: values are finite numbers, or names such as an activation's.")
    elif len(set(values)) < len(values):
        mistakes.add(where, f"`{name}={values!r}`: a value stands twice.")
    return len(mistakes.found) == before


def _is_grid_value(value: Any) -> bool:
    if isinstance(value, bool):
        return False
    return isinstance(value, (str, int)) or (isinstance(value, float) and math.isfinite(value))


def _network(table: Mapping[str, Any], point: GridValues, mistakes: Mistakes) -> Network | None:
    network = table.get("network")
    if not isinstance(network, Mapping):
        return None
    return network_file.build(network, mistakes, point, "network.")


def _claims(entry: Entry, network: Network, point: GridValues, mistakes: Mistakes) -> Iterator[Claim]:
    """One claim a layer."""
    try:
        layers = _layers(entry.table["layer"], str(entry.table["observable"]), network.depth, point)
    except InputError as error:
        mistakes.add(f"{entry.where}, layer", error)
        return
    where = "".join(f", {name}={value}" for name, value in point.items())
    for layer in layers:
        at = f" at layer {layer}" if len(layers) > 1 else ""
        try:
            yield _claim(entry, network, point, layer, f"{entry.name}{at}{where}")
        except InputError as error:
            mistakes.add(f"{entry.where}, prediction", error)


def _claim(entry: Entry, network: Network, point: GridValues, layer: int, name: str) -> Claim:
    table = entry.table
    observable = observables.parse(str(table["observable"]), layer, network.depth)
    control = entry.role is Role.CONTROL
    expected = Expected(table.get("expected", "REFUTED" if control else "SUPPORTED"))
    claim = Claim(
        name=name,
        network=network,
        observable=observable,
        prediction=_prediction(table["prediction"], observable, str(table.get("statistic", "mean")), network, point),
        statistic=table.get("statistic", "mean"),
        margin=table.get("margin"),
        statement=Statement(key=entry.key, says=str(table.get("says", entry.name)), expected=expected, role=entry.role),
    )
    ask(claim, network)
    return claim


def _layers(value: Any, observable: str, depth: int, point: GridValues) -> list[int]:
    """The layers that a claim names: a number, a list, a formula of L and the grid, or "all"."""
    tensor, statistic = observable.split(".")
    if value == "all":
        return list(observables.layers(tensor, statistic, depth))
    values = value if isinstance(value, list) else [value]
    names = {"L": depth, **_numeric(point)}
    layers = [_layer(entry, names) for entry in values]
    for layer in layers:
        observables.parse(observable, layer, depth)
    return layers


def _layer(value: Any, names: Mapping[str, float]) -> int:
    if isinstance(value, str):
        return integer(parse(value), names)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise InputError(f'`layer={value!r}`: give a whole number, a list of them, a formula such as "L-1", or "all".')


def _numeric(point: GridValues) -> dict[str, float]:
    return {name: value for name, value in point.items() if not isinstance(value, str)}


def _prediction(
    value: Any, observable: Observable, statistic: str, network: Network, point: GridValues
) -> Prediction | float | str:
    if value == THEORY:
        return THEORY
    if isinstance(value, str):
        return _formula(value, observable, statistic, network, point)
    if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    raise InputError(f'`prediction={value!r}`: give a finite number, a formula such as "m_0/2", or "theory".')


def _formula(text: str, observable: Observable, statistic: str, network: Network, point: GridValues) -> Prediction:
    """A formula in the symbols of the theory, the grid's numbers put in."""
    import sympy as sp

    from theory import symbols
    from theory.formulas import formula

    tree, numbers = parse(text), _numeric(point)
    grid = {name: sp.Rational(value) if isinstance(value, int) else sp.Float(value) for name, value in numbers.items()}
    scalars = {str(symbol): symbol for symbol in (symbols.m0, symbols.gamma2, symbols.slope, symbols.l, symbols.L)}
    indexed = {str(base): base for base in (symbols.N, symbols.v, symbols.beta, symbols.kappa, symbols.a)}
    expression = to_sympy(tree, {**scalars, **grid}, indexed)
    first = {name: 0 if name == str(symbols.N) else 1 for name in indexed}
    check_layers(tree, {"l": observable.layer, "L": network.depth, **numbers}, first, network.depth)
    return formula(expression, observable.name, observable.layer, statistic=statistic, statement=text)
