"""Memory of a call beyond its arrays, counted: ``python -m benchmarks.memory [--threads 1 2]``.

Every figure comes from a process of its own, in which `allocations.c` counts what malloc gives out during one call whose map
and output lie in memory already. Counts are of bytes, so they repeat. Two kinds are told apart:

- *scratch*, the aligned blocks: what the threads pack, reduce and transpose in, kept for the next call;
- *other*: a copy of the boxes, plans, work items, Python objects.

`resident` is the growth of the peak resident size in the same call; it has thread stacks too and is exact to some pages a
thread. Plans are measured on the same boxes, many more of them, and a map of one channel. Linux with glibc and a C compiler.
"""

from __future__ import annotations

import argparse
import ctypes
import functools
import json
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks import cases
from benchmarks.calls import fastroi_call
from benchmarks.cases import Case

ROOT = Path(__file__).resolve().parents[1]
BLOCK_BYTES = 128
"""Of channels that are packed together; 64 in strips, 256 where a small map allows it and no table is made of it."""
UNFINISHED = 4 << 20
"""Bytes of bins that wait for another strip, table or window, and what a thread needs for any map."""
CAP = 64 << 20
"""Bytes of scratch of a thread, whatever the map."""
AXIS_PLAN_BYTES = 2048 / 14
"""Allowed for each bin row and bin column of a RoI at a fixed sampling ratio: 2 KiB for 7x7."""
CELL_PLAN_BYTES = 16
"""Allowed for each row and column that a RoI touches, where the sampling ratio follows the box."""
PLANNED_ROIS = {"roi_align_rotated": 1000}
"""Boxes by which plans are measured: as many as are planned at a time, 16384 but for the gathering operators."""

_WHOLE = ("uniform", 1e9, 1e9)
EDGES = (
    replace(cases.find("roi_align", "A7"), workload="A14", output_size=(14, 14)),
    Case("tall", "roi_pool", (1, 16, 200_000, 4), 1.0, 100, _WHOLE, (7, 7), params={"rule": "fast_rcnn"}),
    Case("wide", "roi_pool", (1, 16, 2, 1_200_000), 1.0, 1, _WHOLE, (7, 7), params={"rule": "fast_rcnn"}),
    Case("wide", "roi_align", (1, 16, 2, 1_200_000), 1.0, 1, _WHOLE, (7, 7), params={"sampling_ratio": 0}),
    Case("huge", "roi_pool", (1, 32, 1024, 1024), 1.0, 1, _WHOLE, (7, 7), params={"rule": "fast_rcnn"}),
    Case("huge100", "roi_pool", (1, 32, 1024, 1024), 1.0, 100, _WHOLE, (7, 7), params={"rule": "fast_rcnn"}),
    Case("huge", "roi_align", (1, 32, 1024, 1024), 1.0, 1, _WHOLE, (7, 7), params={"sampling_ratio": 0}),
)
"""Bins that outweigh a small map; boxes of the whole map where a packed block is larger than the cap, or a row or column is long."""


@dataclass(frozen=True)
class Memory:
    """Peak bytes of one call beyond its arrays."""

    scratch: int
    other: int
    resident: int


def scratch_bound(case: Case, threads: int) -> int:
    """Return the bytes of scratch that a call may take: for each thread two packed blocks and unfinished bins, or the cap."""
    block = case.map_shape[2] * case.map_shape[3] * BLOCK_BYTES
    return threads * min(CAP, 2 * block + UNFINISHED)


def plan_bound(case: Case) -> float | None:
    """Return the bytes of plan that a RoI may take, on average; gathering operators have no such bound."""
    if case.op in PLANNED_ROIS:
        return None
    if case.params.get("sampling_ratio") == 0:
        boxes = case.boxes()
        return CELL_PLAN_BYTES * case.scale * float((boxes[:, 3:5] - boxes[:, 1:3]).sum(axis=1).mean())
    return AXIS_PLAN_BYTES * sum(case.output_size)


def planning_case(case: Case) -> Case:
    """Return the case with a single output channel and as many RoIs as are planned at a time."""
    images, channels, height, width = case.map_shape
    rois = PLANNED_ROIS.get(case.op, 16384)
    return replace(
        case, map_shape=(images, channels // case.output_channels, height, width), rois_per_image=rois // images
    )


# --- in the measured process ----------------------------------------------------------------------------------------------


def _status(field: str) -> int:
    text = Path("/proc/self/status").read_text()
    return 1024 * int(re.search(rf"^{field}:\s*(\d+) kB", text, re.MULTILINE)[1])


def _count(case: Case, threads: int) -> Memory:
    counter = ctypes.CDLL(None)
    call = fastroi_call(case, threads=threads)
    fastroi_call(cases.OVERHEAD, threads=1)()  # what the first call of a process allocates for good
    most = (ctypes.c_int64 * 2)()
    Path("/proc/self/clear_refs").write_text("5")  # the peak resident size starts anew
    resident = _status("VmRSS")
    counter.allocations_start()
    call()
    counter.allocations_peak(most)
    return Memory(scratch=most[1], other=most[0], resident=_status("VmHWM") - resident)


def _serve() -> None:
    request = json.load(sys.stdin)
    lists = {key: tuple(value) for key, value in request["case"].items() if isinstance(value, list)}
    print(json.dumps(_count(Case(**request["case"] | lists), request["threads"]).__dict__))


# --- outside --------------------------------------------------------------------------------------------------------------


@functools.cache
def _counter() -> tuple[tempfile.TemporaryDirectory, Path]:
    folder = tempfile.TemporaryDirectory(prefix="fastroi-memory-")
    library = Path(folder.name) / "allocations.so"
    source = Path(__file__).with_name("allocations.c")
    compiler = os.environ.get("CC", "cc")
    subprocess.run(
        [compiler, "-std=c11", "-O2", "-Wall", "-Wextra", "-shared", "-fPIC", source, "-o", library, "-lpthread"],
        check=True,
    )
    return folder, library


def measure(case: Case, threads: int, isa: str | None = None) -> Memory:
    """Run one call of the case in a fresh process, with an instruction set or the best, and return what it allocated."""
    done = subprocess.run(
        [sys.executable, "-c", "from benchmarks import memory; memory._serve()"],
        input=json.dumps({"case": case.__dict__, "threads": threads}),
        env=dict(os.environ, LD_PRELOAD=str(_counter()[1]), **({"FASTROI_SIMD": isa} if isa else {})),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{case.name}: {done.stderr[-2000:]}")
    return Memory(**json.loads(done.stdout))


def plan_bytes(case: Case) -> float:
    """Return the bytes that a RoI of the case takes beside scratch, whatever the channels."""
    planning = planning_case(case)
    return measure(planning, 1).other / planning.roi_count


# --- the tables -----------------------------------------------------------------------------------------------------------


def readable(count: float) -> str:
    """Return bytes in KiB or MiB."""
    kib = count / 1024
    return f"{kib / 1024:.1f} MiB" if kib >= 1000 else f"{kib:.0f} KiB"


def held(value: float, bound: float | None) -> str:
    """Return whether a bound holds, as the tables say it."""
    return "" if bound is None else "**broken**" if value > bound else "holds"


def call_table(measured: list[tuple[Case, dict[int, Memory]]]) -> str:
    """Return a row for each case; `measured` has its memory by threads, and figures stand in that order."""
    lines = ["| workload, operator | scratch | bound | | other | resident |", "|---|---|---|---|---|---|"]
    for case, by_threads in measured:
        bounds = {threads: scratch_bound(case, threads) for threads in by_threads}
        marks = [held(memory.scratch, bounds[threads]) for threads, memory in by_threads.items()]
        columns = [
            [memory.scratch for memory in by_threads.values()],
            bounds.values(),
            [memory.other for memory in by_threads.values()],
            [memory.resident for memory in by_threads.values()],
        ]
        scratch, bound, other, resident = (" / ".join(map(readable, column)) for column in columns)
        mark = " / ".join(dict.fromkeys(marks))
        lines.append(f"| {case.workload} {case.op} | {scratch} | {bound} | {mark} | {other} | {resident} |")
    return "\n".join(lines)


def plan_table(measured: list[tuple[Case, float]]) -> str:
    lines = ["| workload, operator | bins | bytes a RoI | bound | |", "|---|---|---|---|---|"]
    for case, size in measured:
        bound = plan_bound(case)
        allowed = "" if bound is None else f"{bound:.0f}"
        bins = "x".join(map(str, case.output_size))
        lines.append(f"| {case.workload} {case.op} | {bins} | {size:.0f} | {allowed} | {held(size, bound)} |")
    return "\n".join(lines)


def main(arguments=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, nargs="+", default=cases.THREADS)
    parser.add_argument("--workloads", nargs="+", help="only these")
    options = parser.parse_args(arguments)
    chosen = [case for case in cases.MAIN + EDGES if not options.workloads or case.workload in options.workloads]
    if not chosen:
        raise SystemExit("no case matches")
    print(call_table([(case, {n: measure(case, n) for n in options.threads}) for case in chosen]))
    planned = [case for case in chosen if case not in EDGES]
    if planned:
        print("\n" + plan_table([(case, plan_bytes(case)) for case in planned]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
