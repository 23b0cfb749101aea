"""The `cpu` simulator against batched NumPy programs, paired and interleaved in one run, one thread each.

    python benchmarks/cpu_vs_numpy.py [--json FILE] [--seconds S] [--activation relu|tanh] [--widths 8 16 ...]

All draw standard normal weights in float32 (He scaled) and propagate an input forward and a gradient backward through
the same weights, one matmul for all networks of a batch (SFC64 generator). `cpu` measures every observable and adds up
in float64. NumPy comes twice, in float32: `second`, with the mean squares of h and delta and nothing else, and `same`,
with all that `cpu` measures (mean, second, fourth moment, log, ratio of every tensor, active fraction, alive). Rates
count a weight once, used forward and backward. The three take turns; a ratio is that of CPU times within a turn, given
as the median over turns with the quartiles.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import numpy as np  # noqa: E402
from numpy.typing import NDArray  # noqa: E402

import mcverify as mc  # noqa: E402
from mcverify.kernels import backend  # noqa: E402

WIDTHS, DEPTH = (8, 16, 32, 64, 128, 256, 512), 10
BATCH_BYTES = 1 << 22
"""Weights of one layer of a batch of NumPy's networks: what was fastest of 1, 4, 16 and 64 MiB."""

Moments = dict[str, list[Any]]


def numpy_networks(width: int, count: int, activation: str, generator: np.random.Generator, measure: Any) -> Any:
    """The statistics of `count` networks by NumPy, (statistics, count)."""
    batch = max(1, min(count, BATCH_BYTES // (4 * width * width)))
    sizes = [min(batch, count - start) for start in range(0, count, batch)]
    return np.concatenate([numpy_batch(width, size, activation, generator, measure) for size in sizes], axis=1)


def numpy_batch(width: int, count: int, activation: str, generator: np.random.Generator, measure: Any) -> Any:
    std, moments = np.float32(np.sqrt(2 / width)), {}
    x = generator.standard_normal((count, width, 1), np.float32)
    measure(moments, "input", x)
    weights: list[NDArray[np.float32]] = []
    derivatives: list[NDArray[np.float32]] = []
    for _ in range(DEPTH):
        w = generator.standard_normal((count, width, width), np.float32)
        w *= std
        h = w @ x
        x = np.tanh(h) if activation == "tanh" else np.maximum(h, 0)
        for tensor, value in (("weight", w), ("preactivation", h), ("activation", x)):
            measure(moments, tensor, value)
        weights.append(w)
        derivatives.append(1 - x * x if activation == "tanh" else (h > 0).astype(np.float32))
    g = generator.standard_normal((count, width, 1), np.float32)
    measure(moments, "activation_gradient", g)
    for layer in range(DEPTH - 1, -1, -1):
        delta = derivatives[layer] * g
        g = weights[layer].transpose(0, 2, 1) @ delta
        measure(moments, "preactivation_gradient", delta)
        measure(moments, "activation_gradient", g)
    return measure(moments, None, None)


def second(moments: Moments, tensor: str | None, value: Any) -> Any:
    """The mean squares of h and delta; at the end (`tensor` None) all of them."""
    if tensor is None:
        return np.array(moments["preactivation"] + moments["preactivation_gradient"])
    if tensor in ("preactivation", "preactivation_gradient"):
        moments.setdefault(tensor, []).append(np.mean(value * value, axis=(1, 2)))
    return None


def same(moments: Moments, tensor: str | None, value: Any) -> Any:
    """Mean, second and fourth moment of every tensor; at the end all of them, the logs and the ratios."""
    if tensor is None:
        return every_observable({name: np.array(found) for name, found in moments.items()})
    square = value * value
    powers = (value.mean(axis=(1, 2)), square.mean(axis=(1, 2)), (square * square).mean(axis=(1, 2)))
    moments.setdefault(tensor, []).append(powers)
    if tensor == "preactivation":
        moments.setdefault("active", []).append((value > 0).mean(axis=(1, 2)))
    return None


def every_observable(moments: dict[str, NDArray[np.float32]]) -> Any:
    """From the moments (layers, 3, networks) of each tensor all columns, (columns, networks)."""
    columns = [moments.pop("active"), (moments["activation"][:, 1] > 0).astype(np.float32)]
    before = np.concatenate([moments["input"], moments["activation"][:-1]])
    moments["weight_gradient"] = moments["preactivation_gradient"][::-1] * before
    moments["bias_gradient"] = moments["preactivation_gradient"]
    with np.errstate(divide="ignore", invalid="ignore"):
        for found in moments.values():
            columns += [*found.transpose(1, 0, 2), np.log(found[:, 1]), found[1:, 1] / found[:-1, 1]]
    return np.concatenate(columns)


def seconds_of(work: Callable[[], Any]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def compare(width: int, activation: str, seconds: float) -> dict[str, Any]:
    """Rates in weights a CPU-second, and ratios of NumPy's times to that of `cpu`."""
    net = mc.Network(widths=(width,) * (DEPTH + 1), activation=activation, weights="he_normal")
    generator, cpu = np.random.Generator(np.random.SFC64(0)), backend("cpu")
    count = min(2048, max(64, int(2e7 / net.n_weights) // 256 * 256))
    work = {
        "cpu": lambda: cpu.simulate_block(net, 0, 0, count),
        "second": lambda: numpy_networks(width, count, activation, generator, second),
        "same": lambda: numpy_networks(width, count, activation, generator, same),
    }
    for program in work.values():
        program()
    times: dict[str, list[float]] = {name: [] for name in work}
    end = time.perf_counter() + seconds
    while len(times["cpu"]) < 5 or time.perf_counter() < end:
        for name, program in work.items():
            times[name].append(seconds_of(program))
    row: dict[str, Any] = {"width": width, "depth": DEPTH, "activation": activation, "networks": count}
    row["turns"] = len(times["cpu"])
    for name, found in times.items():
        row[f"{name}_weights_per_second"] = net.n_weights * count / statistics.median(found)
    for name in ("second", "same"):
        ratios = [theirs / ours for ours, theirs in zip(times["cpu"], times[name], strict=True)]
        row[f"ratio_{name}"] = statistics.median(ratios)
        row[f"ratio_{name}_quartiles"] = [float(q) for q in np.quantile(ratios, [0.25, 0.75])]
    return row


def line(row: dict[str, Any]) -> str:
    rates = [f"{row[f'{name}_weights_per_second'] / 1e6:>8.0f}" for name in ("cpu", "second", "same")]
    ratios = []
    for name in ("second", "same"):
        low, high = row[f"ratio_{name}_quartiles"]
        ratios.append(f"{row[f'ratio_{name}']:.1f} ({low:.1f}-{high:.1f})")
    return f"{row['width']:>6}" + "".join(rates) + "".join(f"{ratio:>20}" for ratio in ratios)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="also write the figures here")
    parser.add_argument("--seconds", type=float, default=5.0, help="for each case")
    parser.add_argument("--activation", default="relu", choices=["relu", "tanh"])
    parser.add_argument("--widths", type=int, nargs="+", default=WIDTHS)
    options = parser.parse_args()
    print(f"{options.activation}, {DEPTH} layers; million weights a CPU-second, and NumPy's time over that of cpu")
    print(f"{'width':>6}{'cpu':>8}{'second':>8}{'same':>8}{'second / cpu':>20}{'same / cpu':>20}")
    rows = []
    for width in options.widths:
        rows.append(compare(width, options.activation, options.seconds))
        print(line(rows[-1]), flush=True)
    if options.json:
        machine = {"python": sys.version.split()[0], "numpy": np.__version__, "machine": platform.processor()}
        options.json.write_text(json.dumps({"machine": machine, "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
