"""Whether roi_pool chooses the faster of its ways: ``python -m benchmarks.paths``.

On a grid of maps, layouts, numbers of RoIs and sides, one call is timed as the core chooses, as a scan, and out of tables up to
each pair of levels of rows and columns. The core is built anew and its objects linked with `paths.cpp`, which dictates the
choice; the rest of the package is the one at hand. Calls of a point take turns, one thread, minima. Needs what building fastroi
needs, nm and objcopy.
"""

from __future__ import annotations

import argparse
import ctypes
import math
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from benchmarks.calls import fastroi_call
from benchmarks.cases import Case

ROOT = Path(__file__).resolve().parents[1]
CORE_CHOOSES, SCAN, TABLES = range(3)
"""Kinds of ways, as in paths.cpp."""
DICTATIONS = {"choose_tables": "dictate_tables", "lines_pay": "dictate_lines"}
"""What the core asks itself, and what answers in its place."""
BINS = 7
LIMIT = 1.15
"""A choice that takes longer, in proportion to the faster way, is marked."""

MAPS = (((1, 256, 16, 16), 1 / 32), ((1, 256, 50, 68), 1 / 16), ((1, 256, 200, 272), 1 / 4))
COUNTS = (1, 10, 100, 1000)
SHARES = (0.05, 0.1, 0.25, 0.5, 1.0)
"""Of the image's width, the side of the RoIs."""


class Way(NamedTuple):
    """How maxima are found, as `dictate` takes it."""

    kind: int
    row_levels: int = 0
    column_levels: int = 0


class _CWay(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int) for name in Way._fields]


@dataclass(frozen=True)
class Point:
    """Fewest seconds of one point of the grid, by way, and the way that the core chose."""

    case: Case
    layout: str
    chosen: Way
    seconds: dict[Way, float]

    @property
    def best_tables(self) -> Way:
        return min((way for way in self.seconds if way.kind == TABLES), key=self.seconds.get)

    @property
    def ratio(self) -> float:
        return self.seconds[self.chosen] / min(self.seconds.values())


def grid() -> list[Case]:
    return [
        Case(
            "paths", "roi_pool", shape, scale, count, ("square", side, side), (BINS, BINS), params={"rule": "fast_rcnn"}
        )
        for shape, scale in MAPS
        for count in COUNTS
        for side in (share * shape[3] / scale for share in SHARES)
    ]


# --- in the measured process ----------------------------------------------------------------------------------------------


def ways_of(case: Case) -> list[Way]:
    """Return a scan, and tables up to each pair of levels that the longest bin can use."""
    longest = math.ceil(case.sides[1] * case.scale / BINS) + 1
    levels = range(longest.bit_length())
    return [Way(SCAN), *(Way(TABLES, rows, columns) for rows in levels for columns in levels)]


def fewest_seconds(call) -> float:
    """Return the least of three calls in a row: the first may find the caches as another way left them."""
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def measure(case: Case, layout: str, core, rounds: int) -> Point:
    call = fastroi_call(case, layout=layout, threads=1)
    core.dictate(*Way(CORE_CHOOSES))
    call()
    chosen = core.choice_of_core()
    seconds = dict.fromkeys(ways_of(case), float("inf"))
    for _ in range(rounds):
        for way in seconds:
            core.dictate(*way)
            seconds[way] = min(seconds[way], fewest_seconds(call))
    return Point(case, layout, Way(*(getattr(chosen, name) for name in Way._fields)), seconds)


def name_of(way: Way) -> str:
    return "scan" if way.kind == SCAN else f"tables ({way.row_levels}, {way.column_levels})"


def row(point: Point) -> str:
    height, width = point.case.map_shape[2:]
    cells = [
        f"{height}x{width} {point.layout}",
        f"{point.case.rois_per_image}",
        f"{point.case.sides[1] * point.case.scale:.1f}",
        f"{1e3 * point.seconds[Way(SCAN)]:.3g}",
        f"{1e3 * point.seconds[point.best_tables]:.3g} {name_of(point.best_tables)}",
        f"{1e3 * point.seconds[point.chosen]:.3g} {name_of(point.chosen)}",
        f"{point.ratio:.2f}" + (" **above**" if point.ratio > LIMIT else ""),
    ]
    return f"| {' | '.join(cells)} |"


def summary(points: list[Point]) -> str:
    above = sum(point.ratio > LIMIT for point in points)
    return f"{len(points)} points, {above} above {LIMIT}; the worst choice takes {max(p.ratio for p in points):.2f} times the best."


def dictated_core():
    """Return the core of the package at hand, which has to be a dictated one."""
    from fastroi import _core

    core = ctypes.CDLL(_core.__file__)
    core.choice_of_core.restype = _CWay
    return core


def print_table(layouts: list[str], rounds: int) -> None:
    """Measure the grid and print it as Markdown."""
    import fastroi

    core = dictated_core()
    print(
        f"roi_pool {BINS}x{BINS}, 256 channels, float32, {fastroi.simd.active()}, 1 thread, minimum of {rounds} calls\n"
    )
    print("| map | RoIs | side, cells | scan, ms | best tables | chosen | chosen / best |")
    print("|---|---|---|---|---|---|---|")
    points = []
    for layout in layouts:
        for case in grid():
            points.append(measure(case, layout, core, rounds))
            print(row(points[-1]), flush=True)
    print(f"\n{summary(points)}")


# --- outside --------------------------------------------------------------------------------------------------------------


def run(*command, **options) -> str:
    return subprocess.run(
        [str(part) for part in command], check=True, text=True, stdout=subprocess.PIPE, **options
    ).stdout


def symbol(object_file: Path, kind: str, name: str) -> str:
    """Return the mangled name of the function fastroi::name that an object file defines (T) or needs (U)."""
    found = re.search(rf" {kind} (_ZN7fastroi{len(name)}{name}E\S*)", run("nm", object_file))
    if found is None:
        raise RuntimeError(f"{object_file.name} has no {kind} fastroi::{name}")
    return found[1]


def link_dictated_package(folder: Path) -> Path:
    """Build a copy of the package whose core obeys `dictate`; return the folder that holds it."""
    compiler = os.environ.get("CXX", "c++")
    package, dictator, dictated = folder / "package", folder / "paths.o", folder / "run.o"
    objects = [
        Path(line)
        for line in run(sys.executable, "setup.py", "--objects", cwd=ROOT).splitlines()
        if line.endswith(".o")
    ]
    flags = ["-std=c++17", "-O2", "-fPIC", "-fvisibility=hidden", "-I", ROOT / "src", "-I", ROOT / "fastroi/include"]
    run(compiler, *flags, "-c", Path(__file__).with_suffix(".cpp"), "-o", dictator)
    runs = next(path for path in objects if path.name == "src_run_run.o")
    dictations = [
        f"--redefine-sym={symbol(dictator, 'U', asked)}={symbol(dictator, 'T', answers)}"
        for asked, answers in DICTATIONS.items()
    ]
    run("objcopy", *dictations, runs, dictated)
    shutil.copytree(ROOT / "fastroi", package / "fastroi", ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    library = package / "fastroi" / f"_core{sysconfig.get_config_var('EXT_SUFFIX')}"
    others = [path for path in objects if path != runs]
    run(compiler, "-shared", *others, dictated, dictator, "-fopenmp", "-o", library)
    return package


def run_dictated(statements: str, **options) -> subprocess.CompletedProcess:
    """Run statements, which know `paths`, in a process whose core obeys; beside the checkout and not in it, whose core does not."""
    with tempfile.TemporaryDirectory(prefix="fastroi-paths-") as name:
        folder = Path(name)
        (folder / "benchmarks").symlink_to(ROOT / "benchmarks")
        environment = dict(os.environ, PYTHONPATH=os.pathsep.join([str(link_dictated_package(folder)), name]))
        command = [sys.executable, "-c", f"from benchmarks import paths\n{statements}"]
        return subprocess.run(command, env=environment, cwd=folder, check=False, **options)


def main(arguments=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--layouts", nargs="+", default=["NCHW", "NHWC"], choices=["NCHW", "NHWC"])
    parser.add_argument("--rounds", type=int, default=3, help="turns of each way, of three calls (default %(default)s)")
    options = parser.parse_args(arguments)
    return run_dictated(f"paths.print_table({options.layouts!r}, {options.rounds})").returncode


if __name__ == "__main__":
    sys.exit(main())
