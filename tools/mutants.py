"""Faults put into the core on purpose, each with the everyday tests that must find it.

    python tools/mutants.py               # all of them: a table of killed and survived; exit status 1 if one survived
    python tools/mutants.py --only 7 12   # some of them
    python tools/mutants.py --list        # what there is

Every fault stands in for one expression. A copy of the tree under build/ is compiled once with all of them behind a switch, and
the environment variable FASTROI_MUTANT says which is in force: what a mutant costs is its tests, not a build. The list refuses to
run when a line that it names is no longer there exactly once.
"""

import argparse
import subprocess
import sys
import time
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import core_copy
from core_copy import ROOT

EVERYDAY = ("tests/operators", "tests/inputs", "tests/unit")
SLOWEST = 600  # seconds that the tests of a mutant may take; one that hangs has been noticed
PROMISED = 80  # mutants
SWITCH = """\
#pragma once
#include <cstdlib>
inline const int fastroi_mutant = [] {
    const char* const number = std::getenv("FASTROI_MUTANT");
    return number ? std::atoi(number) : 0;
}();
"""


@dataclass(frozen=True)
class Mutant:
    """`line` occurs once in the file, and the expression `old` once in it; `new` takes its place."""

    file: str
    line: str
    old: str
    new: str
    breaks: str
    tests: tuple[str, ...] = EVERYDAY


def _of(file, *rows):
    """Mutants of one file; the tests of a row are names in tests/, several divided by blanks."""
    return [Mutant(file, *row[:4], tuple(f"tests/{name}" for name in row[4].split())) for row in rows]


def int32(product):
    a, b = product.split(" * ")
    return f"(int32_t)((uint32_t)({a}) * (uint32_t)({b}))"


HELD, RULES, POOL = "operators/test_held.py", "operators/test_rules.py", "operators/test_roi_pool.py"
ALIGN, ALIGN_MAX, WARP, PRECISE, CROP, PS_POOL = (
    f"operators/test_interpolating.py::test_{name}"
    for name in ("roi_align_mean", "roi_align_max", "roi_warp", "prroi_pool", "crop_and_resize", "ps_roi_pool")
)
GATHER, AREA = "operators/test_gather.py", "operators/test_area.py"
MASKS, BAD, TABLE = "operators/test_masks.py", "inputs/test_bad_inputs.py", "inputs/test_bad_input_table.py"
RUNS = f"{POOL}::test_large_bins_and_many_boxes unit/test_plans.py"
DIGESTS = "operators/test_digests.py"

_BAND = "return {(int32_t)((g * bins + groups - 1) / groups), (int32_t)(((g + 1) * bins + groups - 1) / groups)};"
_EXACT = "return {start + p * whole + p * rest / bins, start + (p + 1) * whole + ((p + 1) * rest + bins - 1) / bins};"
_SATURATED = "return v >= max_corner ? (int64_t)max_corner : v <= -max_corner ? -(int64_t)max_corner : (int64_t)v;"
_PARTS = "trans.at(k, 2 * cls + plane, ph * p.part_h / call.out.rows, pw * p.part_w / call.out.columns), p.trans_std);"
_SLACK = (
    "2 + 8 * (sizeof(Real) == 4 ? 0x1p-24 : 0x1p-53) * (grid * (double)(p + 1) + farthest_in_steps(a.start, step));"
)
_ABOUT_ZERO = "return rest >= 0.5 ? t + 1 : rest <= -0.5 ? t - 1 : t;"
_ON_MAP = "if (!(v >= -1 && v <= (Real)extent)) return {0, 0, 0, true};"
_WARP = "if (a.outside || !(v >= -0.5 && v <= (double)extent - 0.5)) return;"
_PART = "return v >= (Real)-0.5 && v <= (Real)extent - (Real)0.5; };"
_SIDE = "return {{c[1], c[3], scale_h, sampling_h, out.rows, map.rows},"
_IMAGE = "if (value < 0 || value >= (double)images)"
_LEVEL = "if (level < 0 || level >= levels)"
_WHOLE_IMAGE = "if (value != std::floor(value) || std::isinf(value))"

MUTANTS = (
    *_of(
        "src/plan/rules.h",
        (_EXACT, "p * rest / bins", f"{int32('p * rest')} / bins", "a product of bins and cells in 32 bits", HELD),
        (
            _EXACT,
            "((p + 1) * rest + bins - 1) / bins",
            "((p + 1) * rest + bins) / bins",
            "the end of a bin rounded up too far",
            RULES,
        ),
        (
            "return {start + p * length / bins, start + p * length / bins + 1};",
            "start + p * length / bins + 1",
            f"start + {int32('p * length')} / bins + 1",
            "a product of bins and cells in 32 bits, rule floor",
            HELD,
        ),
        (_ABOUT_ZERO, "rest >= 0.5", "rest > 0.5", "halves above zero rounded down", RULES),
        (_ABOUT_ZERO, "rest <= -0.5", "rest < -0.5", "halves below zero rounded up", f"{RULES} {POOL}"),
        (
            "(rest == 0.5 && !below_is_even)",
            "!below_is_even",
            "true",
            "halves rounded up, not to even",
            f"{RULES} {POOL}",
        ),
        (_SATURATED, "v <= -max_corner", "false", "a corner far below zero cast to an integer", f"{BAD} {POOL}"),
        ("return n < 1 ? 1 : n;", "n < 1", "n < 0", "boxes of no cells", f"{RULES} {POOL}"),
        (
            "return from_corners(round_half_even(lo64), round_half_even(hi64), 0);",
            "round_half_even(lo64)",
            "round_half_away(lo64)",
            "Chainer's halves rounded away from zero",
            f"{RULES} {POOL}",
        ),
        ("!(extent32 > 0)) return", "!(extent32 > 0)", "!(extent32 >= 0)", "mmcv's boxes of no extent", HELD),
        ("i++) sum = sum + size;", "sum + size", "(float)(i + 1) * size", "MNN's running sum", f"{RULES} {POOL}"),
        (
            "if (low >= extent - 1) return",
            "low >= extent - 1",
            "low >= extent",
            "points past the last cell's centre",
            f"{ALIGN} {WARP} {GATHER}",
        ),
        (
            "v > extent ? extent : v; }",
            "v > extent",
            "v > extent + 1",
            "ranges clipped a cell too late",
            f"{RULES} {POOL}",
        ),
        (
            "const float quotient = (float)p / (float)bins;",
            "(float)p / (float)bins",
            "(float)p * (1.0f / (float)bins)",
            "acl's quotient by a reciprocal",
            f"{RULES} {POOL}",
        ),
        (
            "return rest > 0.5 ||",
            "rest > 0.5",
            "rest >= 0.5",
            "halves rounded up, not to even",
            f"{RULES} {POOL}",
        ),
        (
            "const float past32 = ((float)hi + 1.0f) * scale32;",
            "((float)hi + 1.0f) * scale32",
            "(float)(hi * scale) + scale32",
            "mmcv's far corner scaled before the 1 is added",
            f"{RULES} {POOL}",
        ),
    ),
    *_of(
        "src/plan/tap_rules.h",
        (
            _SLACK,
            "(sizeof(Real) == 4 ? 0x1p-24 : 0x1p-53)",
            "0.0",
            "the rounding slack of the points near the map",
            HELD,
        ),
        (_ON_MAP, "v >= -1", "v > -1", "points on the border of the zone around the map", HELD),
        (
            _ON_MAP,
            "v <= (Real)extent",
            "v < (Real)extent",
            "points on the border of the zone around the map",
            HELD,
        ),
        ("if (extent < (Real)rule.least)", "extent < (Real)rule.least", "false", "the least extent of a box", ALIGN),
        ("rule.clamped ? 1 : 0;", "rule.clamped ? 1 : 0", "0", "the one point of a clamped grid", HELD),
        ("if (low == index + 1) {", "low == index + 1", "false", "neighbouring taps merged", DIGESTS),
        (_WARP, "v >= -0.5", "v > -0.5", "RoIWarp's border of the map", HELD),
        (
            _WARP,
            "v <= (double)extent - 0.5",
            "v < (double)extent - 0.5",
            "RoIWarp's border of the map",
            HELD,
        ),
        (
            "clamped(saturated(FASTROI_CEIL(hi)) + 1, extent);",
            "FASTROI_CEIL(hi)",
            "FASTROI_FLOOR(hi)",
            "the last cell of an integral",
            PRECISE,
        ),
        (
            "if (lo >= left && hi <= right) return",
            "lo >= left && hi <= right",
            "false",
            "the mean over a short bin",
            HELD,
        ),
        (
            "if (hi <= (double)(first + 1)) return",
            "hi <= (double)(first + 1)",
            "false",
            "an area within one cell",
            HELD,
        ),
        (
            "clamped_cell((int64_t)lo, last);",
            "clamped_cell((int64_t)lo, last)",
            "(int64_t)lo",
            "the last edge of an area",
            f"{HELD} {AREA}",
        ),
        ("if (bins == 1) return", "bins == 1", "false", "the middle of a crop of one cell", CROP),
        (
            "sink(cell_of(round_half_away((double)v), extent).low, 1.0);",
            "round_half_away((double)v)",
            "round_half_even((double)v)",
            "nearest cells of halves",
            HELD,
        ),
        (
            "return p == a.last ? a.end",
            "p == a.last",
            "false",
            "a crop that ends on the end of its box",
            "operators/test_crop_end.py",
        ),
        ("if (below > 0) visit", "below > 0", "below > 1", "one point below a clamped map", ALIGN),
        (
            "if (below + within < a.grid) visit",
            "below + within < a.grid",
            "below + within + 1 < a.grid",
            "one point above a clamped map",
            ALIGN,
        ),
    ),
    *_of(
        "src/plan/ps_rules.h",
        (
            "clipped({saturated(lo), saturated(hi)}, extent - 1);",
            "extent - 1",
            "extent",
            "torchvision's last row and column",
            HELD,
        ),
        ("if (extent < least)", "extent < least", "false", "the least extent of a box", PS_POOL),
        (
            "end = (Real)round_half_away(x2 + 1) * s;",
            "(Real)round_half_away(x2 + 1)",
            "(Real)(round_half_away(x2) + 1)",
            "OpenVINO's far corner rounded before the 1 is added",
            HELD,
        ),
    ),
    *_of(
        "src/plan/tap_plan.h",
        ("if (weight == 0) return;", "weight == 0", "false", "taps whose weight underflows in float32", HELD),
        (
            "in_order = in_order && is_among_last_two(cell);",
            "is_among_last_two(cell)",
            "true",
            "cells of mirrored bins sorted",
            ALIGN,
        ),
    ),
    *_of(
        "src/plan/gather_plan.h",
        ("if (cast == 0) return;", "cast == 0", "false", "cells whose weight underflows in float32", HELD),
        ("(cast != 0);", "cast != 0", "true", "cells of few points whose weight underflows in float32", HELD),
        (
            "few_keys_[j] == few_keys_[i] ? j : first;",
            "few_keys_[j] == few_keys_[i]",
            "false",
            "cells of few points merged",
            DIGESTS,
        ),
        (
            "if (cell >= hull.end)",
            "cell >= hull.end",
            "cell > hull.end",
            "the last row or column that a box touches",
            GATHER,
        ),
    ),
    *_of(
        "src/plan/gather_rules.h",
        (_PART, "v >= (Real)-0.5", "v > (Real)-0.5", "the border of the map of deformable parts", HELD),
        (
            _PART,
            "v <= (Real)extent - (Real)0.5",
            "v < (Real)extent - (Real)0.5",
            "the border of the map of deformable parts",
            HELD,
        ),
        (
            "if (!aligned && width < 1)",
            "!aligned && width < 1",
            "false",
            "the least width of a turned box",
            GATHER,
        ),
        ("r.clockwise ? -radians : radians;", "r.clockwise", "false", "clockwise", GATHER),
        ("if (o.weight != 0)", "o.weight != 0", "true", "an orientation of no weight that is NaN", HELD),
        ("if (o.next_weight != 0)", "o.next_weight != 0", "true", "a next orientation of no weight that is NaN", HELD),
        (
            "if (extent < (Real)0.1)",
            "extent < (Real)0.1",
            "false",
            "the least extent of a deformable part",
            GATHER,
        ),
    ),
    *_of(
        "src/plan/mask_rules.h",
        (
            "(double)hi + 1, pixels), cells};",
            "(double)hi + 1",
            "(double)hi",
            "the last pixel of Detectron's masks",
            MASKS,
        ),
        (
            "strict ? value > threshold : value >= threshold;",
            "value >= threshold",
            "value > threshold",
            "values at the threshold",
            HELD,
        ),
        (
            "if (tap.high_weight == 0)",
            "tap.high_weight == 0",
            "false",
            "a cell of no weight that is NaN",
            f"{HELD} {MASKS}",
        ),
    ),
    *_of(
        "src/plan/run_cover.h",
        (
            "(int32_t)std::min<int64_t>(r << level, last);",
            "std::min<int64_t>(r << level, last)",
            "(r << level)",
            "the end of the last run of a bin",
            RUNS,
        ),
    ),
    *_of(
        "src/operators/upright.cpp",
        (_LEVEL, "level >= levels", "level > levels", "a level beyond the pyramid", HELD),
        (_LEVEL, "level < 0", "level < -1", "a level below the pyramid", HELD),
    ),
    *_of(
        "src/operators/groups.h",
        (
            _BAND,
            "g * bins + groups - 1",
            f"{int32('g * bins')} + groups - 1",
            "a product of groups and bins in 32 bits",
            HELD,
        ),
        (
            "found.push_back(p * groups / bins);",
            "p * groups / bins",
            f"{int32('p * groups')} / bins",
            "a product of groups and bins in 32 bits",
            HELD,
        ),
    ),
    *_of(
        "src/operators/gathered.cpp",
        (
            _PARTS,
            "pw * p.part_w / call.out.columns",
            f"{int32('pw * p.part_w')} / call.out.columns",
            "a product of bins and parts in 32 bits",
            HELD,
        ),
        (
            _PARTS,
            "ph * p.part_h / call.out.rows",
            "ph * p.part_w / call.out.rows",
            "parts of rows and of columns",
            GATHER,
        ),
        ("if (!std::isfinite(value))", "!std::isfinite(value)", "std::isinf(value)", "offsets that are NaN", TABLE),
        (
            "moved(y, p.gamma, offsets.at(k, 1, ph, pw));",
            "offsets.at(k, 1, ph, pw)",
            "offsets.at(k, 0, ph, pw)",
            "the plane of vertical offsets",
            GATHER,
        ),
        (
            "const Real dy = shift(k, 1, ph, pw)",
            "shift(k, 1, ph, pw)",
            "shift(k, 0, ph, pw)",
            "the plane of vertical parts",
            GATHER,
        ),
        ("if (p.orientations < 1)", "p.orientations < 1", "p.orientations < 0", "no orientations", TABLE),
    ),
    *_of(
        "src/operators/planning.h",
        (_SIDE, "scale_h", "scale_w", "the vertical scale", POOL),
        (_SIDE, "sampling_h", "sampling_w", "the vertical sampling ratio", ALIGN),
    ),
    *_of(
        "src/operators/boxes.cpp",
        (_IMAGE, "value >= (double)images", "value > (double)images", "the batch index after the last", BAD),
        (_IMAGE, "value < 0", "value < -1", "the batch index -1", BAD),
        (_WHOLE_IMAGE, "value != std::floor(value)", "false", "batch indices that are no integers", BAD),
        ("if (!std::isfinite(value))", "!std::isfinite(value)", "std::isinf(value)", "boxes that are NaN", BAD),
        (
            "dtype == FASTROI_FLOAT32 ? 16777216 : INT64_MAX;",
            "16777216",
            "33554432",
            "images that float32 cannot tell apart",
            TABLE,
        ),
        (
            "if (boxes.columns == coordinates && !boxes.batch_indices && images != 1 && boxes.count > 0)",
            "images != 1",
            "images > 2",
            "boxes without an image among two",
            BAD,
        ),
    ),
    *_of(
        "src/operators/descriptors.cpp",
        ("if (!(scale > 0) || std::isinf(scale))", "!(scale > 0)", "scale <= 0", "a scale that is NaN", BAD),
        ("if (!(scale > 0) || std::isinf(scale))", "std::isinf(scale)", "false", "an infinite scale", BAD),
        (
            "if (t.rows > max_bins || t.columns > max_bins)\n",
            "t.columns > max_bins",
            "false",
            "a map of 2^31 columns",
            TABLE,
        ),
        (
            "if (t.images != roi_count || t.channels != channels)",
            "t.channels != channels",
            "false",
            "outputs of other channels",
            TABLE,
        ),
        (
            "if (exec.num_threads < 0 || exec.num_threads > max_threads)",
            "exec.num_threads > max_threads",
            "false",
            "numbers of threads",
            TABLE,
        ),
        ("if (t.dtype != dtype) refuse", "t.dtype != dtype", "false", "offsets of maxima of another type", TABLE),
        ("if (!is_element(dtype))", "!is_element(dtype)", "false", "maps and results of no element", TABLE),
    ),
    *_of(
        "src/operators/call.h",
        ("if (ratio > most)", "ratio > most", "ratio > most + 1", "the most sample points of a bin", TABLE),
        (
            "if (map.channels % channels_per_output != 0)",
            "map.channels % channels_per_output != 0",
            "false",
            "channels that groups do not divide",
            TABLE,
        ),
    ),
    *_of(
        "src/operators/masks.cpp",
        (
            "if (!(threshold >= 0) || std::isinf(threshold))",
            "!(threshold >= 0)",
            "threshold < 0",
            "a threshold that is NaN",
            TABLE,
        ),
    ),
    *_of(
        "src/kernels/ranges.inl",
        (
            "int64_t i = 1; i < width; i++)",
            "i < width",
            "i < width - 1",
            "the last column of a mean",
            PS_POOL,
        ),
        (
            "is_empty(y.bins[ph]) || is_empty(x.bins[pw]);",
            "is_empty(y.bins[ph]) || is_empty(x.bins[pw])",
            "is_empty(y.bins[ph])",
            "empty bins of a mean",
            PS_POOL,
        ),
        ("= y * map_width + x;", "y * map_width + x", "x * map_width + y", "rows and columns of an argmax", POOL),
        (
            "if (!start) best.raise_to(Block<T, NV>::load(bin + rows.bin[j]));",
            "!start",
            "false",
            "maxima of a bin in several pieces",
            HELD,
        ),
    ),
    *_of(
        "src/kernels/samples.inl",
        (
            "else if (has_absent && mode.absent_is_zero)",
            "has_absent && mode.absent_is_zero",
            "has_absent",
            "points off the map left out of a maximum",
            ALIGN_MAX,
        ),
        (
            "const bool has_absent = y.absent[ph] || x.absent[pw];",
            "y.absent[ph] || x.absent[pw]",
            "y.absent[ph]",
            "points beside the map in a maximum",
            ALIGN_MAX,
        ),
        ("mode.from_zero ? (T)0 : minus_infinity<T>", "mode.from_zero", "false", "maxima from zero", ALIGN_MAX),
    ),
    *_of(
        "src/kernels/gather.inl",
        ("if (first[0] == first[1])", "first[0] == first[1]", "false", "bins without a cell", GATHER),
    ),
    *_of(
        "src/run/masks.cpp",
        (
            "&& part.threshold <= 1;",
            "part.threshold <= 1",
            "part.threshold < 1",
            "masks of 0 and 255 at a threshold of 1",
            "operators/test_mask_values.py",
        ),
        (
            "if (part.kind == MaskPart::paste) return;",
            "part.kind == MaskPart::paste",
            "true",
            "the cells near a box that are judged",
            "operators/test_mask_values.py",
        ),
    ),
    *_of(
        "src/size.h",
        (
            "if (__builtin_mul_overflow(count_, factor, &result)) refuse_more",
            "__builtin_mul_overflow(count_, factor, &result)",
            "(result = (int64_t)((uint64_t)count_ * (uint64_t)factor), false)",
            "products of sizes that exceed int64",
            TABLE,
        ),
    ),
)


# --- the list and the tree ------------------------------------------------------------------------------------------------------


def span(mutant, text):
    """Where the expression of a mutant stands in the text of its file."""
    found = text.count(mutant.line), mutant.line.count(mutant.old)
    if found != (1, 1):
        raise SystemExit(
            f"{mutant.file}: {mutant.line!r} occurs {found[0]} times, and {mutant.old!r} {found[1]} times in it"
        )
    start = text.index(mutant.line) + mutant.line.index(mutant.old)
    return start, start + len(mutant.old)


def switched(file, text):
    """The text of a file with all its mutants behind the switch."""
    places = {}
    for number, mutant in enumerate(MUTANTS, 1):
        if mutant.file == file:
            places.setdefault(span(mutant, text), []).append((number, mutant))
    end = len(text)
    for place in sorted(places, reverse=True):
        if place[1] > end:
            raise SystemExit(f"{file}: {places[place][0][1].old!r} overlaps another mutant")
        end = place[0]
        expression = f"({text[slice(*place)]})"
        for number, mutant in places[place]:
            expression = f"(fastroi_mutant == {number} ? ({mutant.new}) : {expression})"
        text = text[: place[0]] + expression + text[place[1] :]
    return text


def mutated():
    """{file: text} of every file with mutants."""
    return {file: switched(file, (ROOT / file).read_text("utf-8")) for file, _ in groupby(MUTANTS, lambda m: m.file)}


def environment(tree, number=0):
    flags = f"-O1 -include {tree / 'switch.h'}"
    return core_copy.environment(tree, CXXFLAGS=flags, FASTROI_MUTANT=str(number))


def build(tree):
    core_copy.copy_tree(tree, mutated())
    core_copy.write_if_new(tree / "switch.h", SWITCH.encode())
    core_copy.build(tree, environment(tree))


# --- running them -----------------------------------------------------------------------------------------------------------------


def tests_pass(tree, tests, number):
    """Whether they do, and pytest's last words if not; a crash and a standstill are no pass."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--no-header", "-p", "no:cacheprovider", *tests]
    try:
        done = subprocess.run(
            command,
            cwd=tree,
            env=environment(tree, number),
            capture_output=True,
            text=True,
            timeout=SLOWEST,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False, f"not done after {SLOWEST} s"
    if done.returncode not in (0, 1) and done.returncode > 0:
        raise SystemExit(f"pytest cannot run {' '.join(tests)}:\n{done.stdout}{done.stderr}")
    failed = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return done.returncode == 0, failed[0][
        :160
    ] if failed else f"signal {-done.returncode}" if done.returncode < 0 else ""


def run(numbers, tree):
    build(tree)
    chosen = [MUTANTS[number - 1] for number in numbers]
    tests = sorted({test for mutant in chosen for test in mutant.tests})
    passed, why = tests_pass(tree, tests, 0)
    if not passed:
        raise SystemExit(f"the tests fail without a mutant: {why}")
    print(f"{len(tests)} files of tests pass without a mutant", flush=True)
    survivors = []
    for number, mutant in zip(numbers, chosen, strict=True):
        started = time.monotonic()
        passed, why = tests_pass(tree, mutant.tests, number)
        survivors += [number] * passed
        verdict = "SURVIVED" if passed else "killed"
        print(
            f"{number:3}  {verdict:8} {time.monotonic() - started:5.1f} s  {mutant.breaks:62} {mutant.file}  {why}",
            flush=True,
        )
    print(
        f"{len(numbers)} mutants: {len(numbers) - len(survivors)} killed, {len(survivors)} survived {survivors or ''}"
    )
    return survivors


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", type=int, metavar="N", help="numbers of --list")
    parser.add_argument("--list", action="store_true", help="the mutants, of which none is run")
    parser.add_argument(
        "--tree", type=Path, default=ROOT / "build" / "mutants", help="where the copy lies, and its build"
    )
    arguments = parser.parse_args()
    mutated()
    numbers = arguments.only or range(1, len(MUTANTS) + 1)
    if not arguments.list:
        sys.exit(1 if run(list(numbers), arguments.tree.resolve()) else 0)
    for number in numbers:
        mutant = MUTANTS[number - 1]
        print(f"{number:3}  {mutant.file:28} {mutant.breaks}: {mutant.old} -> {mutant.new}")


if __name__ == "__main__":
    main()
