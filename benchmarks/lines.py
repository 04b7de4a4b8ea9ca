"""Whether few channels are pooled the faster way: ``python -m benchmarks.lines``.

On a grid of operators, maps, layouts, channels and sides of boxes, one call is timed with lines (columns of the map and bin rows
as lanes), with channels as lanes, and the core is asked which it chooses. The core is linked as in `paths.py`. Calls of a point
take turns, one thread, minima.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks import paths
from benchmarks.calls import fastroi_call
from benchmarks.cases import Case

CORE_CHOOSES, CHANNELS, LINES = range(3)
"""Lanes, as in paths.cpp."""
LIMIT = 1.15
CHANNEL_COUNTS = (1, 2, 3, 4, 5, 7, 8, 12, 16, 24, 32)
SIDES = (4, 12, 40, 120, 600)
"""In cells."""
MAPS = ((800, 64, 64), (300, 200, 272), (40, 1080, 1920))
"""RoIs, height, width."""
OPERATORS = {
    "roi_pool": ("roi_pool", {"rule": "fast_rcnn"}),
    "roi_align": ("roi_align", {"sampling_ratio": 2, "aligned": True}),
    "adaptive": ("roi_align", {"sampling_ratio": 0, "aligned": True}),
    "mean": ("roi_pool", {"rule": "fast_rcnn", "reduce": "mean"}),
}
WORK = "groups loads pieces numbers column_reads values widened rois scanned bins packed_cells tables".split()
"""What the core knows of a call, as LineWork in src/run/line_choice.h."""


@dataclass(frozen=True)
class Point:
    """Fewest seconds of one point of the grid with lines and with channels as lanes, and what the core chose."""

    operator: str
    case: Case
    layout: str
    chosen: int
    seconds: dict[int, float]
    work: dict[str, float]

    @property
    def regret(self) -> float:
        """What the choice takes, in proportion to the faster way."""
        return self.seconds[self.chosen] / min(self.seconds.values())


def grid(operators, channels, sides) -> Iterator[tuple[str, Case]]:
    for name in operators:
        op, params = OPERATORS[name]
        for count, height, width in MAPS:
            for side in sides:
                if side <= height:
                    for c in channels:
                        yield (
                            name,
                            Case(
                                "lines",
                                op,
                                (1, c, height, width),
                                1.0,
                                count,
                                ("square", side, side),
                                (7, 7),
                                params=params,
                            ),
                        )


def measure(name: str, case: Case, layout: str, core, rounds: int) -> Point:
    call = fastroi_call(case, layout=layout, threads=1)
    core.dictate_lanes(CORE_CHOOSES)
    core.lanes_of_core()
    call()
    chosen = core.lanes_of_core()
    work = dict(zip(WORK, core.work_of_core()[: len(WORK)], strict=True))
    seconds = dict.fromkeys((CHANNELS, LINES), float("inf"))
    for _ in range(rounds):
        for lanes in seconds:
            core.dictate_lanes(lanes)
            seconds[lanes] = min(seconds[lanes], paths.fewest_seconds(call))
    return Point(name, case, layout, chosen, seconds, work)


def row(point: Point) -> str:
    _, channels, height, width = point.case.map_shape
    cells = [
        f"{point.operator} {height}x{width} {point.layout}",
        f"{channels}",
        f"{point.case.sides[1]}",
        f"{1e3 * point.seconds[CHANNELS]:.3g}",
        f"{1e3 * point.seconds[LINES]:.3g}",
        "lines" if point.chosen == LINES else "channels",
        f"{point.regret:.2f}" + (" **above**" if point.regret > LIMIT else ""),
    ]
    return f"| {' | '.join(cells)} |"


def record(point: Point, isa: str) -> str:
    """Return what a fit needs as a line of JSON."""
    values = {"isa": isa, "operator": point.operator, "layout": point.layout, "chosen": point.chosen}
    values |= {"map": point.case.map_shape, "side": point.case.sides[1], "work": point.work}
    return json.dumps(values | {"channels": point.seconds[CHANNELS], "lines": point.seconds[LINES]})


def summary(points: list[Point]) -> str:
    above = sum(point.regret > LIMIT for point in points)
    worst = max(point.regret for point in points)
    return f"{len(points)} points, {above} above {LIMIT}; the worst choice takes {worst:.2f} times the best."


def dictated_core():
    """Return the core of the package at hand, which has to be a dictated one."""
    core = paths.dictated_core()
    core.work_of_core.restype = ctypes.POINTER(ctypes.c_double)
    return core


def print_table(isa, operators, layouts, channels, sides, rounds, dump) -> None:
    """Measure the grid and print it as Markdown; `dump` also takes what each point has to do and what it took."""
    import fastroi

    core = dictated_core()
    with fastroi.simd.use(isa or fastroi.simd.active()):
        print(f"7x7 bins, float32, {fastroi.simd.active()}, 1 thread, minimum of {rounds} rounds\n")
        print("| operator, map | channels | side, cells | channels as lanes, ms | lines, ms | chosen | chosen / best |")
        print("|---|---|---|---|---|---|---|")
        points = []
        for layout in layouts:
            for name, case in grid(operators, channels, sides):
                points.append(measure(name, case, layout, core, rounds))
                print(row(points[-1]), flush=True)
                if dump:
                    with open(dump, "a") as file:
                        file.write(record(points[-1], fastroi.simd.active()) + "\n")
        print(f"\n{summary(points)}")


def main(arguments=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--isa", help="instruction set; the best one by default")
    parser.add_argument("--operators", nargs="+", default=list(OPERATORS), choices=list(OPERATORS))
    parser.add_argument("--layouts", nargs="+", default=["NCHW", "NHWC"], choices=["NCHW", "NHWC"])
    parser.add_argument("--channels", nargs="+", type=int, default=CHANNEL_COUNTS)
    parser.add_argument("--sides", nargs="+", type=int, default=SIDES)
    parser.add_argument("--rounds", type=int, default=3, help="turns of each way, of three calls (default %(default)s)")
    parser.add_argument("--dump", help="file for the numbers that the model was fitted to")
    o = parser.parse_args(arguments)
    values = (o.isa, o.operators, o.layouts, list(o.channels), list(o.sides), o.rounds, o.dump and str(o.dump))
    return paths.run_dictated(f"from benchmarks import lines\nlines.print_table(*{values!r})").returncode


if __name__ == "__main__":
    sys.exit(main())
