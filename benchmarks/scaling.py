"""The serial part of a call, and what it allows: ``python -m benchmarks.scaling``.

Serial is what the calling thread does outside parallel regions: Python, reading boxes, choosing the way, cutting up the work,
small plans. It is found twice, because neither way is enough:

- instructions, counted by callgrind for each thread. They repeat, and tell how evenly the threads share a call, on any number
  of threads; but valgrind runs nothing above AVX2, nor the same number of instructions in the same time;
- CPU time at the widest instruction set, on two threads, medians. Memory counts in it, and so does the machine.

`Amdahl` is 1 / (s + (1 - s) / n) for the larger of both shares; `counted` is the instructions of one thread over those on the
longest path through n: serial ones and the busiest thread's, work that threads repeat included. Neither knows that memory is
shared, or that a thread takes time to wake. Linux, a C compiler and valgrind with its headers.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks import cases
from benchmarks.calls import fastroi_call
from benchmarks.cases import Case

ROOT = Path(__file__).resolve().parents[1]
THREADS = (2, 4, 8, 16)
LIMIT = 0.03
"""The serial part that no case should exceed."""


class HugeAmongSmall(Case):
    """A case whose first box is the whole image."""

    def boxes(self) -> np.ndarray:
        boxes = super().boxes()
        boxes[0, 1:] = 0, 0, *self.image_size[::-1]
        return boxes


def _skewed(workload, op, rois, params):
    return HugeAmongSmall(workload, op, (1, 256, 200, 272), 1 / 4, rois, ("log", 8, 64), (7, 7), params=params)


SKEWED = tuple(
    _skewed(workload, op, rois, params)
    for op, params in (("roi_pool", {"rule": "fast_rcnn"}), ("roi_align", {"sampling_ratio": 0, "aligned": True}))
    for workload, rois in (("1 huge + 999", 1000), ("1 huge", 1))
)
CASES = cases.MAIN + SKEWED


@dataclass(frozen=True)
class Share:
    """Instructions of one call: outside parallel regions, and inside them by thread."""

    serial: int
    threads: tuple[int, ...]

    @property
    def total(self) -> int:
        return self.serial + sum(self.threads)

    @property
    def longest_path(self) -> int:
        return self.serial + max(self.threads, default=0)

    @property
    def imbalance(self) -> float:
        """The busiest thread's share over the mean."""
        return max(self.threads) * len(self.threads) / sum(self.threads) if sum(self.threads) else 1.0


# --- in the measured process ----------------------------------------------------------------------------------------------


def _count_call(library: str, index: int, threads: int) -> None:
    """Run a case, its second call between callgrind's marks."""
    marks = ctypes.CDLL(library)
    call = fastroi_call(CASES[index], threads=threads)
    call()
    marks.count_begin()
    call()
    marks.count_end()


def _time_calls(library: str, index: int, calls: int) -> None:
    """Print the median share of CPU time outside parallel regions, at two threads."""
    marks = ctypes.CDLL(library)
    marks.seconds_in_regions.restype = ctypes.c_double
    call = fastroi_call(CASES[index], threads=2)
    call()
    shares = []
    for _ in range(calls):
        inside, own, everyone = marks.seconds_in_regions(), time.thread_time(), time.process_time()
        call()
        own = time.thread_time() - own - (marks.seconds_in_regions() - inside)
        shares.append(own / (time.process_time() - everyone))
    print(statistics.median(shares))


# --- outside --------------------------------------------------------------------------------------------------------------


def compile_marks(folder: Path) -> Path:
    library = folder / "scaling.so"
    source = Path(__file__).with_name("scaling.c")
    flags = ["-std=c11", "-O2", "-Wall", "-Wextra", "-shared", "-fPIC"]
    libraries = ["-Wl,--no-as-needed", "-lgomp", "-ldl"]  # libgomp has to come after this library, not with the core
    subprocess.run([os.environ.get("CC", "cc"), *flags, str(source), "-o", str(library), *libraries], check=True)
    return library


def _run(prefix, function: str, *arguments, **environment) -> str:
    """Return what a function of this module prints in a process of its own."""
    code = f"from benchmarks import scaling; scaling.{function}{arguments!r}"
    done = subprocess.run(
        [*prefix, sys.executable, "-c", code],
        env=dict(os.environ, OMP_WAIT_POLICY="passive", **environment),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{function}{arguments} gave {done.returncode}: {done.stderr[-2000:]}")
    return done.stdout


def serial_time(library: Path, index: int, calls: int) -> float:
    """Return the share of a call's CPU time that the calling thread spends outside parallel regions, at two threads."""
    return float(_run([], "_time_calls", str(library), index, calls, LD_PRELOAD=str(library)))


def _annotated(profile: Path) -> tuple[int, int, int]:
    """Return the instructions in a callgrind file: all, those of parallel regions with their fork and join, and of bodies."""
    text = subprocess.run(
        ["callgrind_annotate", "--inclusive=yes", "--threshold=100", "--auto=no", str(profile)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    if re.search(r"No (?:costs|events)", text):
        return 0, 0, 0

    def count(pattern: str) -> int:
        lines = re.findall(rf"^ *([\d,]+)[^\n]*{pattern}[^\n]*$", text, re.MULTILINE)
        return max((int(number.replace(",", "")) for number in lines), default=0)

    return count("PROGRAM TOTALS"), count(r":GOMP_parallel\b"), count(r"_omp_fn")


def counted(library: Path, index: int, threads: int) -> Share:
    """Return the instructions of a call: thread 1 is the caller, the others run nothing but bodies.

    NumPy's BLAS may keep threads of its own, which sleep through the call.
    """
    with tempfile.TemporaryDirectory(prefix="fastroi-scaling-") as folder:
        out = Path(folder) / "out"
        options = f"--instr-atstart=no --separate-threads=yes --fair-sched=yes --callgrind-out-file={out}".split()
        _run(["valgrind", "--tool=callgrind", *options], "_count_call", str(library), index, threads)
        caller, *others = (_annotated(profile) for profile in sorted(out.parent.glob("out-*")))
    total, regions, body = caller
    team = (body, *(body for total, _, body in others if total))
    return Share(total - regions, team if regions else ())


def amdahl(serial: float, threads: int) -> float:
    return 1 / (serial + (1 - serial) / threads)


def row(case: Case, shares: dict[int, Share], serial_of_time: float) -> str:
    one, two = shares[1], shares[2]
    serial = two.serial / two.total
    worst = max(serial, serial_of_time)
    counts = [count for count in shares if count > 1]
    cells = [
        f"{case.workload} {case.op}",
        f"{one.total / 1e6:.1f}",
        f"{100 * serial:.2f} / {100 * serial_of_time:.2f}" + (" **above**" if worst > LIMIT else ""),
        " / ".join(f"{amdahl(worst, count):.1f}" for count in counts),
        " / ".join(f"{shares[count].imbalance:.2f}" for count in counts),
        " / ".join(f"{one.total / shares[count].longest_path:.1f}" for count in counts),
    ]
    return f"| {' | '.join(cells)} |"


def main(arguments=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workloads", nargs="+", help="only these")
    parser.add_argument("--ops", nargs="+", help="only these")
    parser.add_argument("--threads", type=int, nargs="+", default=THREADS, help="beside 1; 2 has to be among them")
    parser.add_argument("--calls", type=int, default=31, help="timed calls of a case (default %(default)s)")
    options = parser.parse_args(arguments)
    if shutil.which("valgrind") is None:
        raise SystemExit("valgrind is not installed")
    numbers = " / ".join(map(str, options.threads))
    print(
        f"| workload, operator | M instructions | serial, %: count / time | Amdahl, {numbers} threads | imbalance | counted |"
    )
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="fastroi-scaling-") as folder:
        library = compile_marks(Path(folder))
        for index, case in enumerate(CASES):
            if (
                options.workloads
                and case.workload not in options.workloads
                or options.ops
                and case.op not in options.ops
            ):
                continue
            shares = {count: counted(library, index, count) for count in (1, *options.threads)}
            print(row(case, shares, serial_time(library, index, options.calls)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
