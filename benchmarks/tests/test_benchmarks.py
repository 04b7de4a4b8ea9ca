"""The benchmarks' own correctness: cases, references, asv classes, reports, the floor program.

With ``--benchmark-disable`` every case is one call on a few RoIs, checked against the float64
reference; with ``--benchmark-enable`` the same calls are timed in full.
"""

from __future__ import annotations

import functools
import inspect
import itertools
import json
import shutil
import subprocess
import sys
from pathlib import Path
from unittest import mock

import numpy as np
import oracle
import oracle_align
import pytest
from helpers import public_operators

import fastroi
from benchmarks import (
    bench_calls,
    bench_operators,
    bench_package,
    callgrind_gate,
    cases,
)
from benchmarks.calls import fastroi_call
from benchmarks.peers import __main__ as command
from benchmarks.peers import environments, reference, report, session

ROOT = Path(__file__).resolve().parents[2]
EVERY_CASE = [case for group in (*cases.SETS.values(), cases.OPERATORS) for case in group]
PRESENT = [case for case in EVERY_CASE if hasattr(fastroi, case.op)]


@pytest.fixture(scope="module", autouse=True)
def each_map_is_made_once():
    with mock.patch.object(cases, "_map", functools.cache(cases._map.__wrapped__)):
        yield


def identity(case):
    return f"{case.name}-{case.params.get('rule', '')}".rstrip("-")


def _from_the_level_of_each_box(case):
    """RoIAlign of each box alone, on the map that torchvision's rule gives it."""
    pyramid = case.pyramid()
    finest = round(-np.log2(case.scale))
    rows = []
    for roi in case.op_boxes():
        level = oracle_align.pyramid_level("torchvision", roi[1:], finest, finest + case.levels - 1) - finest
        values = oracle_align.roi_align(pyramid[level], roi[None], case.output_size, case.scale / 2**level, 2)
        rows.append(values[0])
    return np.concatenate(rows)


#: By operator, what `reference` has no values for: the case's result in float64.
ORACLES = {
    "roi_pool": lambda c: oracle.roi_pool(c.features(), c.op_boxes(), c.output_size, c.scale, **c.params)[0],
    "roi_align": lambda c: oracle_align.roi_align(
        c.features(), c.op_boxes(), c.output_size, c.scale, c.params["sampling_ratio"], reduce=c.params["reduce"]
    )[0],
    "multiscale_roi_align": _from_the_level_of_each_box,
    "roi_warp": lambda c: oracle_align.roi_warp(c.features(), c.op_boxes(), c.output_size, c.scale)[0],
    "prroi_pool": lambda c: oracle_align.prroi_pool(c.features(), c.op_boxes(), c.output_size, c.scale)[0],
    "area_pool": lambda c: oracle_align.area_pool(c.features(), c.op_boxes(), c.output_size, c.scale, "mean")[0],
    "roi_align_rotated": lambda c: oracle_align.roi_align_rotated(
        c.features(), c.op_boxes(), c.output_size, c.scale, c.params["sampling_ratio"], unit=c.params["angle_unit"]
    )[0],
    "riroi_align_rotated": lambda c: oracle_align.riroi_align_rotated(
        c.features(), _in_radians(c.op_boxes()), c.output_size, c.scale, c.params["sampling_ratio"]
    )[0],
    "deform_roi_pool": lambda c: oracle_align.deform_roi_pool(
        c.features(), c.op_boxes(), c.offsets(), c.output_size, c.scale, c.params["sampling_ratio"]
    )[0],
    "deform_ps_roi_pool": lambda c: oracle_align.deform_ps_roi_pool(
        c.features(), c.op_boxes(), c.offsets(), c.output_size, c.scale, c.output_channels, c.params["group_size"]
    )[0],
    "crop_and_resize": lambda c: oracle_align.crop_and_resize(
        c.features(), *c.op_boxes(), c.output_size, c.params["method"], dtype=np.float32
    )[0],
    "paste_masks": lambda c: oracle_align.paste_masks(c.features(), c.op_boxes(), c.output_size)[0],
    "crop_masks": lambda c: oracle_align.crop_masks(c.features(), c.op_boxes(), c.output_size)[0],
}


def _in_radians(boxes):
    return np.column_stack([boxes[:, :5], np.radians(boxes[:, 5].astype(np.float64))])


#: Parameters that `reference` does not read.
VARIANTS = [case.params for case in cases.OPERATORS if {"reduce", "method"} & case.params.keys()]


def _assert_agrees(case, result):
    wanted = ORACLES[case.op](case)
    if not case.of_masks:
        np.testing.assert_allclose(result, wanted, rtol=0, atol=2e-4)
        return
    clear = np.abs(wanted - 0.5) > 1e-5
    assert clear.mean() > 0.99
    np.testing.assert_array_equal(result[clear], (wanted >= 0.5)[clear])


@pytest.mark.parametrize("case", PRESENT, ids=identity)
def test_case(case, benchmark):
    if benchmark.disabled:
        case = case.reduced(6)
    result = benchmark(fastroi_call(case))
    assert result.shape == case.output_shape()
    if not benchmark.disabled or case.params.get("rule") == "floor":
        return
    boxes = case.op_boxes()
    boxes, indices = boxes if isinstance(boxes, tuple) else (boxes, None)
    wanted = None if case.params in VARIANTS else reference.expected(case, case.features(), boxes, indices)
    if wanted is None:
        _assert_agrees(case, result)
        return
    check = reference.compare(case.op, wanted, result)
    assert check["disagreeing"] == 0, check


def test_every_operator_has_a_case():
    """Each is timed, RoI pooling and RoIAlign with their other reduction as well."""
    operators = public_operators()
    assert operators == {case.op for case in EVERY_CASE}
    timed = {op for suite in ASV_CLASSES for op in suite.params[0]}
    assert operators == timed
    assert {"mean", "max"} <= {case.params.get("reduce") for case in EVERY_CASE}


def test_case_names_are_unique_and_found_again():
    for group in cases.SETS.values():
        assert len({case.name for case in group}) == len(group)
    for case in EVERY_CASE:
        if case not in cases.FLOOR_RULE:
            assert cases.find(case.op, case.workload) is case


@pytest.mark.parametrize("case", EVERY_CASE, ids=identity)
def test_boxes_are_fixed_and_inside_the_image(case):
    boxes = case.boxes()
    np.testing.assert_array_equal(boxes, case.boxes())
    height, width = case.image_size
    assert boxes.dtype == np.float32
    assert boxes.shape == (case.roi_count, 5)
    assert (boxes[:, 1:] >= 0).all()
    assert (boxes[:, [1, 3]] <= width + 0.01).all()
    assert (boxes[:, [2, 4]] <= height + 0.01).all()
    assert (boxes[:, 3:] >= boxes[:, 1:3]).all()
    np.testing.assert_array_equal(np.unique(boxes[:, 0]), np.arange(case.map_shape[0]))


def test_map_is_the_same_in_both_layouts():
    case = cases.find("roi_pool", "A7")
    planar, interleaved = case.features("NCHW"), case.features("NHWC")
    np.testing.assert_array_equal(planar, interleaved.transpose(0, 3, 1, 2))
    assert planar.flags.c_contiguous
    assert interleaved.flags.c_contiguous


def _slow_align(plane, box, bins, scale, ratio):
    """RoIAlign of one bin grid, sample by sample."""
    height, width = plane.shape
    result = np.zeros((bins, bins))
    x1, y1, x2, y2 = box * scale - 0.5
    for i, j in itertools.product(range(bins), repeat=2):
        total = 0.0
        for a, b in itertools.product(range(ratio), repeat=2):
            y = y1 + (i + (a + 0.5) / ratio) * (y2 - y1) / bins
            x = x1 + (j + (b + 0.5) / ratio) * (x2 - x1) / bins
            if not (-1 <= y <= height and -1 <= x <= width):
                continue
            y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
            top, left = int(y), int(x)
            bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
            fy, fx = y - top, x - left
            total += (
                plane[top, left] * (1 - fy) * (1 - fx)
                + plane[top, right] * (1 - fy) * fx
                + plane[bottom, left] * fy * (1 - fx)
                + plane[bottom, right] * fy * fx
            )
        result[i, j] = total / ratio**2
    return result


def test_reference_align_against_single_samples():
    rng = np.random.default_rng(5)
    features = rng.standard_normal((1, 2, 9, 13))
    boxes = np.column_stack([np.zeros(40), rng.uniform(-30, 230, (40, 4))])
    got = reference.roi_align(features, boxes, (3, 3), 1 / 16, 2, True)
    for k, channel in itertools.product(range(40), range(2)):
        wanted = _slow_align(features[0, channel], boxes[k, 1:], 3, 1 / 16, 2)
        np.testing.assert_allclose(got[k, channel], wanted, atol=1e-12)


def test_reference_pool_on_the_worked_example():
    """Box x=296 y=192 w=200 h=145 at stride 32, 3x3, by Fast R-CNN's rule."""
    columns = reference.pool_ranges(296, 496, 1 / 32, 3, 16)
    rows = reference.pool_ranges(192, 337, 1 / 32, 3, 16)
    assert columns == [(9, 12), (11, 15), (14, 16)]
    assert rows == [(6, 8), (8, 10), (10, 12)]


def test_reference_pool_float32_edges_reach_one_cell_further():
    """57 cells in 7 bins: 7 * float32(57 / 7) exceeds 57."""
    exact = reference.pool_ranges(0, 56, 1.0, 7, 100, "fast_rcnn")
    single = reference.pool_ranges(0, 56, 1.0, 7, 100, "fast_rcnn_f32")
    assert exact[-1][1] == 57
    assert single[-1][1] == 58


def test_comparison_counts_rois_and_refuses_nan():
    wanted = np.zeros((3, 2, 1, 1))
    got = wanted.copy()
    got[1, 0] = 1e-9
    got[2, 1] = np.nan
    check = reference.compare("roi_pool", wanted, got)
    assert (check["disagreeing"], check["first"]) == (2, [1, 2])
    assert reference.compare("roi_align", wanted, got)["disagreeing"] == 1


ASV_CLASSES = [
    item
    for module in (bench_operators, bench_calls)
    for _, item in inspect.getmembers(module)
    if inspect.isclass(item) and hasattr(item, "params") and item.__module__ == module.__name__
]


@pytest.mark.parametrize("suite", ASV_CLASSES, ids=lambda suite: suite.__name__)
def test_asv_class_runs_once(suite, monkeypatch):
    find = cases.find
    monkeypatch.setattr(cases, "find", lambda op, workload: find(op, workload).reduced(2))
    ran = 0
    for params in itertools.product(*suite.params):
        instance = suite()
        try:
            instance.setup(*params)
        except NotImplementedError:
            if hasattr(instance, "teardown"):
                instance.teardown(*params)
            continue
        methods = [name for name in dir(instance) if name.startswith(("time_", "track_", "peakmem_"))]
        assert methods
        for name in methods:
            getattr(instance, name)(*params)
        if hasattr(instance, "teardown"):
            instance.teardown(*params)
        ran += 1
    assert ran or not set(suite.params[0]) & set(dir(fastroi)), "no combination can run here"
    assert len(suite.param_names) == len(suite.params)


def test_asv_package_sizes():
    sizes = bench_package.PackageSize()
    sizes.setup()
    assert 0 < sizes.track_wheel() < sizes.track_installed()


def test_asv_configuration():
    settings = json.loads((ROOT / "asv.conf.json").read_text())
    assert settings["benchmark_dir"] == "benchmarks"
    assert all(settings[key].startswith(".asv/") for key in ("env_dir", "results_dir", "html_dir"))


def _record(who, threads, mode, ms, off=0, **more):
    check = {"rois": 100, "disagreeing": off, "largest": 0.0, "first": []}
    return {
        "case": "A7",
        "op": "roi_pool",
        "who": who,
        "threads": threads,
        "mode": mode,
        "median_ms": ms,
        "min_ms": ms,
        "calls": 3,
        "check": check,
    } | more


@pytest.fixture
def measured():
    results = []
    for threads in (1, 2):
        for mode in ("preallocated", "fresh"):
            results += [
                _record("floor", threads, mode, 2.0 / threads),
                _record("fastroi", threads, mode, 4.0 / threads),
                _record("quick", threads, mode, 6.0, off=30),
                _record("right", threads, mode, 40.0 / threads),
                {
                    "case": "A7",
                    "op": "roi_pool",
                    "who": "absent",
                    "threads": threads,
                    "mode": mode,
                    "missing": "no such operator",
                },
            ]
    package = {"version": "1", "isa": "", "notes": "", "operators": [], "rules": {}}
    return {
        "machine": session.machine(),
        "results": results,
        "packages": dict.fromkeys(("fastroi", "quick", "right", "absent"), package),
    }


def test_report_marks_wrong_values_and_compares_with_the_fastest_correct_peer(measured):
    text = report.markdown(measured)
    assert "| A7 roi_pool | 2 / 1 | 4 / 2 | 6* / 6* | 40 / 20 | - | 10.0x / 10.0x | 2.0x / 2.0x |" in text
    assert "freshly allocated" in text


def test_report_plots(measured, tmp_path):
    names = {path.name for path in report.plots(measured, tmp_path)}
    assert {"floor_preallocated_1.png", "floor_fresh_2.png", "scaling.png"} <= names


def test_fastroi_worker_is_checked_and_measured():
    case = cases.find("roi_pool", "A3").reduced(20)
    data = session.run(
        [case], ["fastroi", "first_touch"], threads=(1,), rounds=2, seconds=0.01, check_rois=20, say=lambda line: None
    )
    by_who = {(r["who"], r["mode"]): r for r in data["results"]}
    assert set(by_who) == {
        ("fastroi", "preallocated"),
        ("floor", "preallocated"),
        ("fastroi", "fresh"),
        ("floor", "fresh"),
        ("first_touch", "fresh"),
    }
    for record in by_who.values():
        assert 0 < record["min_ms"] <= record["median_ms"], record
    assert by_who["fastroi", "fresh"]["check"]["disagreeing"] == 0


def test_verification_of_fastroi():
    case = cases.find("roi_pool", "A7")
    data = session.verify([case], ["fastroi"], rois=300, say=lambda line: None)
    (record,) = data["agreement"]
    assert record["check"]["rois"] == 300
    assert record["check"]["disagreeing"] == 0


def test_worker_reports_an_error_and_lives_on():
    client = session.Client("fastroi", 1, False)
    try:
        with pytest.raises(session.WorkerFailed, match="FileNotFoundError"):
            client.ask(
                {
                    "do": "prepare",
                    "job": session.job_of(cases.OVERHEAD),
                    "indices": None,
                    "features": "/nowhere.npy",
                    "boxes": "/nowhere.npy",
                    "check": None,
                    "rows": None,
                }
            )
        assert client.ask({"do": "drop"}) == {}
    finally:
        client.close()


def test_every_peer_has_an_adapter_and_a_pinned_or_requested_package():
    folder = ROOT / "benchmarks" / "peers" / "adapters"
    for name, requirements in environments.PACKAGES.items():
        assert (folder / f"{name}.py").exists()
        assert name in environments.ON_REQUEST or "==" in requirements[0]


def test_command_line_refuses_unknown_names():
    with pytest.raises(SystemExit):
        command.main(["python", "nothing"])
    with pytest.raises(SystemExit, match="no case matches"):
        command.main(["run", "--workloads", "Z9"])


def test_floor_program():
    if shutil.which("g++") is None and shutil.which("c++") is None:
        pytest.fail("a C++ compiler is needed: fastroi was built with one")
    floor = session.Floor(1)
    try:
        values = floor.measure(1 << 20, 8 << 20, 4)
    finally:
        floor.close()
    assert len(values["regular"]) == len(values["streamed"]) == 4
    assert session.floor_summary([values])["median_ms"] > 0


def test_gate_compares_counts():
    old, new = {"a": 1000, "b": 1000}, {"a": 1031, "b": 1029, "c": 5}
    assert callgrind_gate.grown(old, new) == ["a"]
    assert callgrind_gate.grown({}, new) == []


def test_gate_fails_when_it_cannot_measure(tmp_path):
    run = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "callgrind_gate.py"), "--repository", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode != 0
    assert "cannot measure" in run.stderr
