"""Narrow elements against float32: ``python -m benchmarks.elements [--threads 1] [--layouts NCHW] [--repeats 15]``.

The same case with maps and results of each element, in turns; what is printed is the median of processor time over that of float32
in the same run, so a machine that others use as well disturbs it little.
"""

from __future__ import annotations

import argparse
import statistics
import time

import ml_dtypes
import numpy as np

import fastroi
from benchmarks import cases
from benchmarks.calls import fastroi_call
from benchmarks.cases import Case

CASES = tuple(
    cases.find(op, workload)
    for op, workload in (
        ("roi_pool", "A7"), ("roi_pool", "B2000"), ("roi_pool", "E"), ("roi_align", "A7"), ("roi_align", "B2000"), ("roi_align", "C"),
        ("roi_align", "F"),
    )
)  # fmt: skip
PAIRS = (
    ("float32", "float32"), ("float16", "float16"), ("bfloat16", "bfloat16"), ("uint8", "uint8"), ("uint8", "float32"),
    ("int16", "int16"), ("float32", "float16"),
)  # fmt: skip
"""Elements of the map and of the result."""


def stored(values: np.ndarray, element: str) -> np.ndarray:
    """Return a map of the case in another element; integers get numbers that they can hold."""
    if element == "bfloat16":
        return values.astype(ml_dtypes.bfloat16)
    kind = np.dtype(element)
    if kind.kind == "f":
        return values.astype(kind)
    limits = np.iinfo(kind)
    return np.clip(np.rint(40 * values), limits.min, limits.max).astype(kind)


def call_of(case: Case, pair: tuple[str, str], layout: str, threads: int):
    """Return a function without arguments that runs the case on a map and into a result of these elements."""
    element, result = pair
    features = stored(case.features(layout), element)
    out = stored(np.zeros(case.output_shape(layout), np.float32), result)
    return fastroi_call(case, layout=layout, threads=threads, features=features, out=out)


def ratios(case: Case, layout: str, threads: int, repeats: int) -> dict[tuple[str, str], float]:
    """Return the median time of each pair over that of the first."""
    calls = {pair: call_of(case, pair, layout, threads) for pair in PAIRS}
    times: dict[tuple[str, str], list[float]] = {pair: [] for pair in PAIRS}
    for turn in range(repeats + 1):
        for pair, call in calls.items():
            start = time.process_time()
            call()
            if turn:
                times[pair].append(time.process_time() - start)
    medians = {pair: statistics.median(values) for pair, values in times.items()}
    return {pair: median / medians[PAIRS[0]] for pair, median in medians.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--layouts", nargs="+", default=["NCHW"], choices=cases.LAYOUTS)
    parser.add_argument("--repeats", type=int, default=15)
    arguments = parser.parse_args()
    print(
        f"{fastroi.simd.active()}, {arguments.threads} threads: time over that of float32, median of {arguments.repeats}"
    )
    print(f"{'':24}" + "".join(f"{'->'.join(pair):>20}" for pair in PAIRS[1:]))
    for layout in arguments.layouts:
        for case in CASES:
            found = ratios(case, layout, arguments.threads, arguments.repeats)
            print(f"{case.name:18} {layout}" + "".join(f"{found[pair]:20.2f}" for pair in PAIRS[1:]), flush=True)


if __name__ == "__main__":
    main()
