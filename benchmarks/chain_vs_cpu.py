"""The simulator `chain` against `cpu`, interleaved in one run, one thread: networks a CPU-second, and how they scale.

    python benchmarks/chain_vs_cpu.py [--json FILE] [--turns N] [--widths 32 128 ...] [--depths 50 ...]

He-scaled ReLU networks of equal widths, all observables that each form measures: `norms` (O(1) a layer), `vectors`
(O(n)), `cpu` (O(n^2), left out where one network takes more than `--largest` weights). They take turns; times are CPU
times, a rate is that of the median turn, a ratio the median over turns with the quartiles. `end to end` is the rate of
`mcverify.simulate(..., keep_values=False, workers=1)` with `chain`, which also adds up the moments of every column.
Exponents are slopes of log time a network against log width (at the largest depth; of `cpu` at the smallest) and log
depth (at the largest width; of `cpu` at the smallest).
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

import mcverify as mc
from mcverify.blocks import chunk_size
from mcverify.kernels import backend, chain_norms, chain_vectors, cpu

WIDTHS, DEPTHS = (32, 128, 512, 2048, 8192), (10, 100, 1000)
FORMS = {"norms": chain_norms, "vectors": chain_vectors, "cpu": cpu}
NANOSECONDS = {"norms": (0.0, 100.0), "vectors": (15.0, 300.0), "cpu": (0.0, 500.0)}
"""Guessed cost of a unit and of a layer, to choose how many networks a turn has; `cpu` has 1 ns a weight besides."""

TURN_SECONDS = 0.1


def count_for(form: str, net: mc.Network) -> int:
    """Networks of a turn: some `TURN_SECONDS` of work, as many as go side by side, at most what one call is given."""
    unit, layer = NANOSECONDS[form]
    cost = net.depth * (unit * net.widths[0] + layer) + (net.n_weights if form == "cpu" else 0)
    wanted = max(int(TURN_SECONDS * 1e9 / cost), min(64, FORMS[form].lanes_of(net)))
    return min(wanted, chunk_size(net, backend("chain")))


def seconds_of(work: Callable[[], Any]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def turns_of(programs: dict[str, tuple[Callable[[], Any], int]], turns: int) -> dict[str, list[float]]:
    """Seconds a network, a list of turns by program."""
    for program, _ in programs.values():
        program()
    found: dict[str, list[float]] = {name: [] for name in programs}
    for _ in range(turns):
        for name, (program, count) in programs.items():
            found[name].append(seconds_of(program) / count)
    return found


def compare(width: int, depth: int, turns: int, largest: float) -> dict[str, Any]:
    net = mc.Network(widths=(width,) * (depth + 1), activation="relu", weights="he_normal")

    def block_of(form: ModuleType, count: int) -> Callable[[], Any]:
        return lambda: form.simulate_block(net, 0, 0, count)

    forms = [name for name in FORMS if name != "cpu" or net.n_weights <= largest]
    counts = {name: count_for(name, net) for name in forms}
    programs = {name: (block_of(FORMS[name], counts[name]), counts[name]) for name in forms}
    several = counts["norms"]
    whole = lambda: mc.simulate(net, several, backend="chain", keep_values=False, workers=1)  # noqa: E731
    programs["end to end"] = whole, several
    times = turns_of(programs, turns)
    row: dict[str, Any] = {"width": width, "depth": depth, "turns": turns}
    for name, found in times.items():
        row[f"{name} networks/s"] = 1 / statistics.median(found)
        row[f"{name} us/network"] = 1e6 * statistics.median(found)
    for name in ("norms", "vectors"):
        if "cpu" in times:
            ratios = [theirs / ours for theirs, ours in zip(times["cpu"], times[name], strict=True)]
            row[f"cpu/{name}"] = statistics.median(ratios)
            row[f"cpu/{name} quartiles"] = [float(q) for q in np.quantile(ratios, [0.25, 0.75])]
    return row


def slope(rows: list[dict[str, Any]], along: str, name: str) -> float:
    """The exponent of the time of a network along widths or depths; NaN for fewer than two."""
    pairs = [(row[along], row[f"{name} us/network"]) for row in rows if f"{name} us/network" in row]
    if len(pairs) < 2:
        return math.nan
    return float(np.polyfit(*np.log(np.array(pairs)).T, 1)[0])


def exponents(rows: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    widest, deepest = max(row["width"] for row in rows), max(row["depth"] for row in rows)
    by_width = [row for row in rows if row["depth"] == deepest]
    by_depth = [row for row in rows if row["width"] == widest]
    shallow = min(row["depth"] for row in rows)
    narrow = min(row["width"] for row in rows)
    found = {}
    for name in FORMS:
        mine = (by_width, by_depth) if name != "cpu" else (
            [row for row in rows if row["depth"] == shallow], [row for row in rows if row["width"] == narrow]
        )  # fmt: skip
        found[name] = {"width": slope(mine[0], "width", name), "depth": slope(mine[1], "depth", name)}
    return found


def line(row: dict[str, Any]) -> str:
    rates = [f"{row.get(f'{name} networks/s', math.nan):>12.4g}" for name in ("norms", "vectors", "cpu", "end to end")]
    ratios = [f"{row.get(f'cpu/{name}', math.nan):>14.4g}" for name in ("norms", "vectors")]
    return f"{row['width']:>7}{row['depth']:>7}" + "".join(rates) + "".join(ratios)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="also write the figures here")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--largest", type=float, default=1e8, help="weights of the largest network that `cpu` draws")
    parser.add_argument("--widths", type=int, nargs="+", default=WIDTHS)
    parser.add_argument("--depths", type=int, nargs="+", default=DEPTHS)
    options = parser.parse_args()
    print("networks a CPU-second; time of cpu over that of chain")
    titles = ("norms", "vectors", "cpu", "end to end")
    print(f"{'width':>7}{'depth':>7}" + "".join(f"{t:>12}" for t in titles) + f"{'cpu/norms':>14}{'cpu/vectors':>14}")
    rows = []
    for depth in options.depths:
        for width in options.widths:
            rows.append(compare(width, depth, options.turns, options.largest))
            print(line(rows[-1]), flush=True)
    found = exponents(rows)
    for name, slopes in found.items():
        print(f"{name}: time goes as width^{slopes['width']:.2f}, depth^{slopes['depth']:.2f}")
    if options.json:
        machine = {"python": sys.version.split()[0], "numpy": np.__version__, "machine": platform.processor()}
        options.json.write_text(json.dumps({"machine": machine, "rows": rows, "exponents": found}, indent=2) + "\n")


if __name__ == "__main__":
    main()
