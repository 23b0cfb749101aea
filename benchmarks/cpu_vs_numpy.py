"""The `cpu` simulator against a batched NumPy program, paired in one run, one thread each.

    python benchmarks/cpu_vs_numpy.py [--json FILE] [--seconds S] [--activation relu|tanh]

Both draw standard normal weights in float32 (He scaled), propagate an input forward and a gradient backward through
the same weights and take second moments; NumPy does no more than that (SFC64, float32 normals, one matmul for all
networks of a batch), `cpu` measures every observable. Rates count a weight once, used forward and backward.
The two take turns; the ratio is the median over turns, of CPU time.
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

CASES = ((8, 10), (16, 10), (32, 10), (64, 10), (128, 10), (256, 10), (512, 10))
BATCH_BYTES = 1 << 22
"""Weights of one layer of a batch of NumPy's networks: what was fastest of 1, 4, 16 and 64 MiB."""


def numpy_networks(width: int, depth: int, count: int, activation: str, generator: np.random.Generator) -> Any:
    """Second moments of all layers, forward and backward, of `count` networks: (2, depth, count)."""
    batch = max(1, min(count, BATCH_BYTES // (4 * width * width)))
    parts = [
        numpy_batch(width, depth, min(batch, count - start), activation, generator) for start in range(0, count, batch)
    ]
    return np.concatenate(parts, axis=2)


def numpy_batch(width: int, depth: int, count: int, activation: str, generator: np.random.Generator) -> Any:
    std = np.float32(np.sqrt(2 / width))
    x = generator.standard_normal((count, width, 1), np.float32)
    weights: list[NDArray[np.float32]] = []
    derivatives: list[NDArray[np.float32]] = []
    moments = np.empty((2, depth, count))
    for layer in range(depth):
        w = generator.standard_normal((count, width, width), np.float32)
        w *= std
        h = w @ x
        moments[0, layer] = np.mean(h * h, axis=(1, 2))
        x = np.tanh(h) if activation == "tanh" else np.maximum(h, 0)
        weights.append(w)
        derivatives.append(1 - x * x if activation == "tanh" else (h > 0).astype(np.float32))
    g = generator.standard_normal((count, width, 1), np.float32)
    for layer in range(depth - 1, -1, -1):
        delta = derivatives[layer] * g
        moments[1, layer] = np.mean(delta * delta, axis=(1, 2))
        g = weights[layer].transpose(0, 2, 1) @ delta
    return moments


def seconds_of(work: Callable[[], Any]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def compare(width: int, depth: int, activation: str, seconds: float) -> dict[str, Any]:
    """Rates of both in weights a CPU-second, and the median ratio."""
    net = mc.Network(widths=(width,) * (depth + 1), activation=activation, weights="he_normal")
    cpu = backend("cpu")
    generator = np.random.Generator(np.random.SFC64(0))
    count = min(2048, max(64, int(2e7 / net.n_weights) // 256 * 256))
    cpu.simulate_block(net, 0, 0, 16)
    numpy_networks(width, depth, 16, activation, generator)
    ours: list[float] = []
    theirs: list[float] = []
    end = time.perf_counter() + seconds
    while len(ours) < 3 or time.perf_counter() < end:
        ours.append(
            seconds_of(lambda: [cpu.simulate_block(net, 0, at, min(256, count)) for at in range(0, count, 256)])
        )
        theirs.append(seconds_of(lambda: numpy_networks(width, depth, count, activation, generator)))
    weights = net.n_weights * count
    return {
        "width": width,
        "depth": depth,
        "activation": activation,
        "networks": count,
        "turns": len(ours),
        "cpu_weights_per_second": weights / statistics.median(ours),
        "numpy_weights_per_second": weights / statistics.median(theirs),
        "ratio": statistics.median(b / a for a, b in zip(ours, theirs, strict=True)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="also write the figures here")
    parser.add_argument("--seconds", type=float, default=5.0, help="for each case")
    parser.add_argument("--activation", default="relu", choices=["relu", "tanh"])
    options = parser.parse_args()
    print(f"{'width':>6} {'depth':>6} {'cpu M/s':>9} {'numpy M/s':>10} {'ratio':>7}")
    rows = []
    for width, depth in CASES:
        row = compare(width, depth, options.activation, options.seconds)
        rows.append(row)
        ours, theirs = row["cpu_weights_per_second"] / 1e6, row["numpy_weights_per_second"] / 1e6
        print(f"{width:>6} {depth:>6} {ours:>9.0f} {theirs:>10.0f} {row['ratio']:>7.1f}", flush=True)
    if options.json:
        machine = {"python": sys.version.split()[0], "numpy": np.__version__, "machine": platform.processor()}
        options.json.write_text(json.dumps({"machine": machine, "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
