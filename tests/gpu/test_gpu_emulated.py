"""The GPU path on the CPU: the host code as it is, the kernels' own text compiled as C++. test_gpu.py needs the real device."""

import ctypes
import math
import re
from dataclasses import replace
from types import SimpleNamespace

import ml_dtypes
import numpy as np
import oracle
import oracle_align
import pytest
from gpu_cases import (
    ANY_NUMBER_OF_CELLS,
    LARGE_MAPS,
    OPERATORS,
    SHAPES,
    check_large_maps,
    check_masks,
    compare_plans,
    half_bound,
    moderate_rois,
    run_operator,
)
from gpu_emulation import EmulatedArray, EmulatedRuntime, emulated, from_device, to_device
from helpers import (
    assert_same,
    awkward_rois,
    centred_rois,
    cornered_rois,
    expected_max,
    feature_map,
    from_layout,
    run_python,
    to_layout,
)

import fastroi
from benchmarks import cases, gpu_host, gpu_traffic
from benchmarks import gpu as benchmarks
from fastroi.cuda import call as device_call
from fastroi.cuda import operators as device_operators
from fastroi.cuda import runtime as device_runtime

FUSED = [name for name in fastroi.simd.supported() if name != "baseline"]
LAYOUTS = ("NCHW", "NHWC")


@pytest.fixture(scope="module")
def shared_runtime():
    return EmulatedRuntime()


@pytest.fixture
def device(shared_runtime):
    shared_runtime.threads = shared_runtime.plan_threads = 64
    shared_runtime.reversed_order = False
    shared_runtime.launched = []
    with emulated(shared_runtime) as runtime:
        yield runtime
        assert runtime.take_error() == 2**64 - 1, "an error nobody asked about"


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("rule", fastroi.ROI_POOL_RULES)
def test_roi_pool_equals_the_oracle(rule, layout, device):
    rng = np.random.default_rng(51)
    for shape, size, scale in SHAPES:
        rois = awkward_rois(rng, 30, shape, scale)
        for dtype in (np.float32, np.float64):
            features = feature_map(rng, shape, dtype)
            features[rng.random(shape) < 0.02] = np.nan
            expected, offsets = expected_max(features, rois, size, scale, rule)
            arguments = to_device(to_layout(features, layout)), to_device(rois), size, scale
            pooled = fastroi.roi_pool(*arguments, rule=rule, layout=layout)
            again, argmax = fastroi.roi_pool(*arguments, rule=rule, layout=layout, return_argmax=True)
            for result in (pooled, again):
                assert_same(from_layout(from_device(result), layout), expected, rois)
            assert_same(from_layout(from_device(argmax), layout), offsets, rois)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", OPERATORS)
def test_every_operator_has_the_bits_of_the_cpu(name, layout, device):
    """Fused products and the order of sums are the same as in the CPU's fused tiers; without one, the values are close."""
    rng = np.random.default_rng(52)
    for shape, size, scale in SHAPES:
        rois = moderate_rois(rng, 25, shape, scale)
        for dtype in (np.float32, np.float64):
            features = feature_map(rng, shape, dtype)
            for settings in OPERATORS[name]:
                pooled = from_device(run_operator(name, settings, features, rois, size, scale, layout, to_device))
                with fastroi.simd.use(FUSED[0] if FUSED else "baseline"):
                    expected = run_operator(name, settings, features, rois, size, scale, layout)
                if FUSED:
                    assert_same(pooled, expected)
                else:
                    np.testing.assert_allclose(pooled, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_types_are_rounded_once(dtype, device):
    kind = np.dtype(np.float16 if dtype == "float16" else ml_dtypes.bfloat16)
    rng = np.random.default_rng(53)
    for layout in LAYOUTS:
        for shape, size, scale in SHAPES[:3]:
            rois = moderate_rois(rng, 20, shape, scale)
            rois = rois[np.abs(rois[:, 1:]).max(axis=1) < 1e4]
            features = feature_map(rng, shape).astype(kind)
            wide = features.astype(np.float64)
            arguments = to_device(to_layout(features, layout)), to_device(rois), size, scale
            expected, offsets = expected_max(wide, rois, size, scale, "fast_rcnn")
            pooled, argmax = fastroi.roi_pool(*arguments, layout=layout, return_argmax=True)
            assert pooled.dtype == kind
            assert_same(from_layout(from_device(pooled), layout).astype(np.float64), expected, rois)
            assert_same(from_layout(from_device(argmax), layout), offsets, rois)
            aligned = fastroi.roi_align(*arguments, 2, layout=layout)
            expected, magnitude, taps = oracle_align.roi_align(wide, rois, size, scale, 2, True)
            actual = from_layout(from_device(aligned), layout).astype(np.float64)
            assert (np.abs(actual - expected) <= half_bound(expected, magnitude, taps, dtype)).all()


def test_plans_are_those_of_the_cpu(device):
    assert compare_plans(device, to_device, lambda at, n: np.array((ctypes.c_char * n).from_address(at))) > 3000


@pytest.mark.parametrize("layout", LAYOUTS)
def test_threads_and_their_order_do_not_matter(layout, device):
    rng = np.random.default_rng(54)
    shape, size, scale = (2, 9, 21, 19), (5, 4), 1 / 4
    features, rois = feature_map(rng, shape), moderate_rois(rng, 20, shape, scale)
    for name, settings in OPERATORS.items():
        results = []
        for threads, reversed_order in ((64, False), (32, True), (160, True)):
            device.threads = device.plan_threads = threads
            device.reversed_order = reversed_order
            results.append(run_operator(name, settings[0], features, rois, size, scale, layout, to_device))
        assert all(r.tobytes() == results[0].tobytes() for r in results), name


def test_every_kernel_has_been_run(device):
    """Wide and narrow accesses, maps too wide for shared memory, and every plan."""
    rng = np.random.default_rng(55)
    rois = moderate_rois(rng, 6, (1, 8, 5, 20000), 1 / 2)
    features = feature_map(rng, (1, 8, 5, 20000))
    for op in (fastroi.roi_pool, fastroi.prroi_pool):
        assert_same(
            from_device(op(to_device(features), to_device(rois), 3, 1 / 2)), cpu_fused(op, features, rois, 3, 1 / 2)
        )
    assert device.launched[-3:] == ["max_direct", "plan_precise", "sum_direct"]
    small = feature_map(rng, (1, 6, 7, 8))
    for channels in (8, 6):
        maps = to_device(np.ascontiguousarray(to_layout(features[..., :50], "NHWC")[..., :channels]))
        table = rois.clip(0, 50)
        for op in (fastroi.roi_pool, fastroi.roi_align):
            expected = cpu_fused(op, np.asarray(maps).view(np.ndarray), table, 3, layout="NHWC")
            assert_same(from_device(op(maps, to_device(table), 3, layout="NHWC")), expected)
        kinds = ("wide", "wide") if channels == 8 else ("direct", "direct")
        assert device.launched[-4:] == ["plan_ranges", f"max_{kinds[0]}", "plan_align", f"sum_{kinds[1]}"]
    assert_same(
        from_device(fastroi.roi_align(to_device(small[..., ::-1]), to_device(rois * 0), 2)),
        cpu_fused(fastroi.roi_align, small[..., ::-1], rois * 0, 2),
    )


def cpu_fused(op, *arguments, **options):
    with fastroi.simd.use(FUSED[0] if FUSED else "baseline"):
        return op(*arguments, **options)


def test_rows_that_only_the_device_sees(device):
    features = to_device(np.ones((2, 3, 8, 8), np.float32))
    good = [0, 1, 1, 6, 6]
    for bad, message in (
        ([0, np.nan, 1, 6, 6], r"rois\[2\]: x1"),
        ([0, 1, 1, 6, np.inf], r"rois\[2\]: y2"),
        ([2, 1, 1, 6, 6], r"rois\[2\]: the batch index is outside"),
        ([-1, 1, 1, 6, 6], r"rois\[2\]: the batch index is outside"),
        ([0.5, 1, 1, 6, 6], r"rois\[2\]: the batch index is not an integer"),
    ):
        rois = to_device(np.array([good, good, bad, good, bad]))
        for op in (fastroi.roi_pool, fastroi.roi_align, fastroi.prroi_pool):
            pooled = from_device(op(features, rois, 2))
            assert (pooled[[0, 1, 3]] == 1).all()
            assert (pooled[[2, 4]] == 0).all()
            with pytest.raises(ValueError, match=message):
                fastroi.gpu.check()
            fastroi.gpu.check()
            with fastroi.gpu.options(strict=True), pytest.raises(ValueError, match=message):
                op(features, rois, 2)
    check_rows_that_only_gathering_operators_see(features)
    maximum = fastroi.roi_align(features, rois, 2, reduce="max")
    assert (from_device(maximum)[[2, 4]] == 0).all()
    with pytest.raises(ValueError, match=r"rois\[2\]"):
        fastroi.gpu.check()
    fastroi.roi_pool(features, to_device(np.ones((3, 4))), 2, batch_indices=to_device(np.array([0, 1, 7])))
    with pytest.raises(ValueError, match=r"batch_indices\[2\]"):
        fastroi.gpu.check()
    fastroi.multiscale_roi_align([features], np.ones((2, 5)), 2, [1.0], levels=to_device(np.array([0, 1])))
    with pytest.raises(ValueError, match=r"levels\[1\]"):
        fastroi.gpu.check()


def check_rows_that_only_gathering_operators_see(features):
    good = [0, 4, 4, 2, 2, 0.3]
    for bad, name in (
        ([0, 4, 4, 2, 2, np.nan], "angle"),
        ([0, 4, 4, np.inf, 2, 0], "w"),
        ([5, 4, 4, 2, 2, 0], "the batch index"),
    ):
        rois = to_device(np.array([good, good, bad, good]))
        for ratio in (2, 0):
            pooled = from_device(fastroi.riroi_align_rotated(features, rois, 2, 1.0, ratio, orientations=3))
            assert np.allclose(pooled[[0, 1, 3]], 1)
            assert (pooled[2] == 0).all()
            with pytest.raises(ValueError, match=rf"rois\[2\]: {name} is"):
                fastroi.gpu.check()
    boxes, offset = to_device(np.array([[0, 1, 1, 6, 6.0]] * 4)), np.zeros((4, 2, 2, 2))
    offset[3, 1, 1, 0] = np.nan
    for pool, name, more in (
        (fastroi.deform_roi_pool, "offset", {}),
        (fastroi.deform_ps_roi_pool, "trans", {"group_size": 1}),
    ):
        pooled = from_device(pool(features, boxes, to_device(offset), 2, **more))
        assert np.allclose(pooled[:3], 1)
        assert (pooled[3] == 0).all()
        with pytest.raises(ValueError, match=rf"{name}\[3\]: not finite"):
            fastroi.gpu.check()


def test_what_the_host_sees_is_refused_as_on_the_cpu(device, monkeypatch):
    features, rois = np.ones((2, 3, 8, 8), np.float32), np.ones((4, 5))
    cases = [
        ((features.astype(np.int32), rois, 2), {}),
        ((features[0, 0], rois, 2), {}),
        ((features, rois[:, :3], 2), {}),
        ((features, rois[:, 1:], 2), {}),
        ((features[:, :, :0], rois, 2), {}),
        ((features[:0], rois, 2), {}),
        ((features, rois, 0), {}),
        ((features, rois, 2), {"layout": "CHWN"}),
        ((features, rois, 2), {"batch_indices": np.zeros(4, int)}),
        ((features, rois[:, 1:], 2), {"batch_indices": np.zeros(3, int)}),
        ((features, rois, (2**31 - 1, 2**31 - 1)), {}),
    ]
    for (maps, boxes, size), keywords in cases:
        with pytest.raises((ValueError, TypeError, OverflowError)) as on_cpu:
            fastroi.roi_pool(maps, boxes, size, **keywords)
        with pytest.raises(on_cpu.type):
            fastroi.roi_pool(to_device(maps), to_device(boxes), size, **keywords)
    with pytest.raises(TypeError, match="where a NumPy array is required"):
        fastroi.roi_pool(features, to_device(rois), 2)
    with pytest.raises(TypeError, match="not a CuPy array"):
        fastroi.roi_pool(to_device(features), rois, 2, out=np.empty((4, 3, 2, 2), np.float32))
    with pytest.raises(ValueError, match="shares memory"):
        maps = to_device(np.ones((4, 3, 8, 8), np.float32))
        fastroi.roi_pool(maps, rois, 8, out=maps)
    with monkeypatch.context() as patch, pytest.raises(TypeError, match="roi_warp: has no GPU implementation"):
        patch.delitem(device_operators._OPERATORS, "roi_warp")
        fastroi.roi_warp(to_device(features), to_device(rois), 2)
    monkeypatch.setattr(device_call, "_MAX_BINS", 3)
    with pytest.raises(OverflowError, match="output_size: 2 x 2 bins"):
        fastroi.roi_align(to_device(features), to_device(rois), 2, reduce="max")
    for name, arguments, keywords in (
        ("roi_align_rotated", (features, rois[:, :3], 2), {}),
        ("roi_align_rotated", (features, np.ones((4, 6)), 2, 1.0, 1025), {}),
        ("roi_align_rotated", (features, np.ones((4, 5)), 2), {}),
        ("riroi_align_rotated", (features, np.ones((4, 6)), 2), {"orientations": 2}),
        ("deform_roi_pool", (features, rois, np.zeros((4, 2, 2, 3)), 2), {}),
        ("deform_roi_pool", (features, rois, None, 2), {"gamma": math.inf}),
        ("deform_roi_pool", (features, rois, None, 2, 1.0, 2000), {}),
        ("deform_ps_roi_pool", (features, rois, np.zeros((4, 4, 1, 1)), 1), {}),
        ("deform_ps_roi_pool", (features, rois, None, 1), {"trans_std": math.nan}),
        ("deform_ps_roi_pool", (features, rois, None, 1), {"sample_per_part": 1025}),
    ):
        operator = getattr(fastroi, name)
        with pytest.raises((ValueError, TypeError)) as on_cpu:
            operator(*arguments, **keywords)
        with pytest.raises(on_cpu.type, match=re.escape(str(on_cpu.value).split(":")[0])):
            operator(*(to_device(a) if isinstance(a, np.ndarray) else a for a in arguments), **keywords)
    assert device.launched == []


def test_empty_results_and_given_ones(device):
    features, rois = to_device(np.ones((1, 3, 8, 8), np.float32)), to_device(np.array([[1.0, 1, 6, 6]]))
    assert fastroi.roi_pool(features, rois[:0], 2).shape == (0, 3, 2, 2)
    assert fastroi.roi_align(features[:, :0], rois, 2).shape == (1, 0, 2, 2)
    out = to_device(np.zeros((1, 3, 2, 4), np.float32))[..., ::-2]
    assert fastroi.roi_pool(features, rois, 2, out=out) is out
    assert (out == 1).all()
    assert isinstance(fastroi.roi_pool(features, [[1, 1, 6, 6]], 2), EmulatedArray)
    assert isinstance(fastroi.roi_pool(features, [np.ones((2, 4))], 2), EmulatedArray)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_pyramids(layout, device):
    rng = np.random.default_rng(56)
    maps = [feature_map(rng, (2, 5, 40 >> i, 48 >> i)) for i in range(3)]
    scales = [1 / 4, 1 / 8, 1 / 16]
    rois = moderate_rois(rng, 40, (2, 5, 40, 48), 1 / 4)
    rois = rois[np.abs(rois[:, 1:]).max(axis=1) < 1e5].astype(np.float32)
    on_host = [to_layout(m, layout) for m in maps]
    on_device = [to_device(m) for m in on_host]
    for reduce in ("mean", "max"):
        expected = cpu_fused(fastroi.multiscale_roi_align, on_host, rois, 3, scales, layout=layout, reduce=reduce)
        pooled = fastroi.multiscale_roi_align(on_device, to_device(rois), 3, scales, layout=layout, reduce=reduce)
        assert_same(from_device(pooled), expected)
    with pytest.raises(TypeError, match=r"feature_pyramid\[1\]"):
        fastroi.multiscale_roi_align([on_device[0], on_host[1]], rois, 3, scales[:2], layout=layout)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kilobytes", [48, 227])
def test_planes_kept_in_shared_memory(kilobytes, dtype, device, monkeypatch):
    """Few channels a block and many, few warps and many; boxes that the device refuses; the same bits in any order of threads."""
    monkeypatch.setattr(device, "shared_kilobytes", kilobytes)
    device.reversed_order = kilobytes == 48
    rng = np.random.default_rng(76)
    for _ in check_large_maps(rng, dtype, to_device, from_device, cpu_fused):
        resident = [name for name in device.launched if name.endswith("_resident")]
    assert set(resident) == {"max_resident", "sum_resident"}
    maps, calls = 5 if kilobytes == 227 else 4, 3 * sum(map(len, ANY_NUMBER_OF_CELLS.values()))
    assert len(resident) == maps * calls, "the largest plane fits into one of the two"
    check_refused_box(device)


def check_refused_box(device):
    rois = np.array(
        [[0, 0, 0, 25, 25], [0, np.nan, 0, 25, 25], [7, 0, 0, 25, 25], [1, 0, 0, 25, 25], [0, 90, 90, 95, 95.0]]
    )
    features = to_device(np.ones((2, 3, 28, 28), np.float32))
    device.launched = []
    for pool in (fastroi.roi_pool, fastroi.roi_align):
        pooled = from_device(pool(features, to_device(np.repeat(rois, 20, axis=0)), 1))
        np.testing.assert_allclose(
            pooled.reshape(5, 60), np.broadcast_to([[1], [0], [0], [1], [0]], (5, 60)), rtol=1e-6
        )
        with pytest.raises(ValueError, match=r"rois\[20\]: x1"):
            fastroi.gpu.check()
    assert device.launched == ["plan_ranges", "max_resident", "plan_align", "sum_resident"]


def test_half_types_in_planes_kept_in_shared_memory(device):
    rng = np.random.default_rng(77)
    for kind in (np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16)):
        for shape, size, scale, count in LARGE_MAPS[:4]:
            features, rois = feature_map(rng, shape).astype(kind), moderate_rois(rng, count, shape, scale)
            wide = features.astype(np.float32)
            for pool in (fastroi.roi_pool, fastroi.roi_align):
                pooled = from_device(pool(to_device(features), to_device(rois), size, scale))
                assert_same(
                    pooled.astype(np.float32), cpu_fused(pool, wide, rois, size, scale).astype(kind).astype(np.float32)
                )
    assert [name for name in device.launched if not name.startswith("plan")] == ["max_resident", "sum_resident"] * 8


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_device_chooses_by_the_cells_of_the_boxes(layout, device, monkeypatch):
    """Either way has the same bits, and the way that was not chosen does nothing."""
    launch, chosen, forced = device.launch, [], []

    def recording(kernel_set, name, blocks, threads, shared_bytes, call):
        launch(kernel_set, name, blocks, threads, shared_bytes, call)
        if name == "choose":
            choice = ctypes.c_int64.from_address(call.choice)
            chosen.append(choice.value)
            choice.value = forced[0] if forced else choice.value

    monkeypatch.setattr(device, "launch", recording)
    rng = np.random.default_rng(79)
    features = feature_map(rng, (1, 8, 33, 64))
    corners = rng.uniform(0, 20, (170, 2))
    for side, way in ((5, 2), (12, 1)):  # 2 x 2 bins: below and above 16 cells a bin
        rois = np.concatenate([corners, corners + side], axis=1)
        for pool, keywords in ((fastroi.roi_pool, {}), (fastroi.roi_pool, {"reduce": "mean"}), (fastroi.roi_align, {})):
            expected = cpu_fused(pool, features, rois, 2, **keywords)
            arguments = to_device(to_layout(features, layout)), to_device(rois), 2
            for forced[:] in ([], [1], [2]):
                assert_same(from_layout(from_device(pool(*arguments, layout=layout, **keywords)), layout), expected)
            assert chosen[-3:] == [way] * 3
            forced[:] = [7]
            out = to_device(to_layout(np.full_like(expected, 123), layout))
            pool(*arguments, layout=layout, out=out, **keywords)
            assert (out == 123).all()
    packs = {"NCHW": ["pack"], "NHWC": []}[layout]
    assert device.launched[-4 - len(packs) :] == ["plan_align", "choose", "sum_resident", *packs, "sum_wide"]


def test_pyramids_in_planes_kept_in_shared_memory(device):
    rng = np.random.default_rng(78)
    maps = [feature_map(rng, (2, 3, 48 >> i, 64 >> i)) for i in range(3)]
    rois = moderate_rois(rng, 200, (2, 3, 48, 64), 1 / 4).astype(np.float32)
    scales = [1 / 4, 1 / 8, 1 / 16]
    expected = cpu_fused(fastroi.multiscale_roi_align, maps, rois, (2, 3), scales, -1)
    pooled = fastroi.multiscale_roi_align([to_device(m) for m in maps], to_device(rois), (2, 3), scales, -1)
    assert device.launched[-1] == "sum_resident"
    assert_same(from_device(pooled), expected)


def test_many_rois_are_taken_in_turns(device, monkeypatch):
    monkeypatch.setattr(device_call, "_PLAN_BYTES", 4096)
    rng = np.random.default_rng(57)
    features, rois = feature_map(rng, (2, 3, 12, 12)), moderate_rois(rng, 50, (2, 3, 12, 12), 1 / 2)
    for op in (fastroi.roi_pool, fastroi.roi_align):
        assert_same(
            from_device(op(to_device(features), to_device(rois), 3, 1 / 2)), cpu_fused(op, features, rois, 3, 1 / 2)
        )
    assert device.launched.count("plan_ranges") > 1


def test_many_bins_are_taken_in_turns(device, monkeypatch):
    monkeypatch.setattr(device_call, "_PLAN_BYTES", 4096)
    rng = np.random.default_rng(71)
    shape, size = (2, 4, 12, 12), (5, 6)
    features, rois = feature_map(rng, shape), moderate_rois(rng, 12, shape, 1.0)
    for name in ("roi_align_rotated", "deform_roi_pool", "deform_ps_roi_pool"):
        for settings in OPERATORS[name][2:3]:
            for layout in LAYOUTS:
                pooled = from_device(run_operator(name, settings, features, rois, size, 1.0, layout, to_device))
                assert_same(pooled, cpu_fused(run_operator, name, settings, features, rois, size, 1.0, layout))
    for kernel in ("plan_rotated", "cells_direct", "plan_moved", "products_direct", "plan_parts"):
        assert device.launched.count(kernel) > len(rois), kernel


@pytest.mark.parametrize("layout", LAYOUTS)
def test_bins_of_many_cells(layout, device):
    """Rows of points longer than those tried whole, and bins that only scratch memory holds beside bins that need none."""
    rng = np.random.default_rng(72)
    features = feature_map(rng, (2, 5, 70, 64))
    rois = np.array(
        [[0, 32, 35, 90, 80, 0.4], [1, 30, 30, 3, 2, 1.0], [1, 20, 30, 2000, 130, -2.5], [0, 32, 30, 0, 5, 1]]
    )
    for size, ratio in ((1, 0), ((2, 1), 70), (1, (3, 100)), ((3, 2), 0)):
        arguments = to_device(to_layout(features, layout)), to_device(rois), size, 1.0, ratio
        pooled = from_layout(from_device(fastroi.roi_align_rotated(*arguments, layout=layout)), layout)
        assert_same(pooled, cpu_fused(fastroi.roi_align_rotated, features, rois, size, 1.0, ratio))
    assert [name[:7] for name in device.launched if name != "pack"] == ["points_"] * 8  # each once with scratch memory


def test_gathering_kernels_by_layout(device):
    """Packed, wide and narrow: which kernel takes what."""
    rng = np.random.default_rng(73)
    maps = feature_map(rng, (1, 8, 9, 10))
    rois = moderate_rois(rng, 20, maps.shape, 1.0)
    for layout, channels, kinds in (
        ("NCHW", 8, ("wide", "wide")),
        ("NHWC", 8, ("wide", "wide")),
        ("NHWC", 6, ("direct", "direct")),
    ):
        for name, number, family in (("roi_align_rotated", 2, "cells"), ("deform_roi_pool", 2, "products")):
            run_operator(name, OPERATORS[name][number], maps[:, :channels], rois, (3, 2), 1.0, layout, to_device)
            assert device.launched[-1] == f"{family}_{kinds[0]}", (layout, channels, name)
    few = rois[:2]
    run_operator("roi_align_rotated", OPERATORS["roi_align_rotated"][2], maps, few, (2, 2), 1.0, "NCHW", to_device)
    assert device.launched[-1] == "cells_direct"  # too few RoIs to pack the map for


def test_half_types_of_gathering_operators(device):
    """Against the oracles; orientations are mixed before they are rounded, so once."""
    rng = np.random.default_rng(74)
    shape, size, scale = (2, 6, 13, 17), (3, 2), 1 / 4
    for dtype, kind in (("float16", np.dtype(np.float16)), ("bfloat16", np.dtype(ml_dtypes.bfloat16))):
        features = feature_map(rng, shape).astype(kind)
        wide = features.astype(np.float64)
        boxes, corners = centred_rois(rng, 20, shape, scale), cornered_rois(rng, 20, shape, scale)
        offset = rng.standard_normal((20, 2, *size)).astype(kind)
        far = offset.astype(np.float64)
        groups = (1, 2)
        for operator, rois, more, keywords, expected in (
            ("roi_align_rotated", boxes, (), {}, oracle_align.roi_align_rotated(wide, boxes, size, scale, 2)),
            ("roi_align_rotated", boxes, (), {"sampling_ratio": 0}, oracle_align.roi_align_rotated(wide, boxes, size, scale, 0)),
            ("riroi_align_rotated", boxes, (), {"orientations": 3}, oracle_align.riroi_align_rotated(wide, boxes, size, scale, 2, 3)),
            ("deform_roi_pool", corners, (offset,), {"gamma": 0.25},
             oracle_align.deform_roi_pool(wide, corners, far, size, scale, 2, 0.25)),
            ("deform_ps_roi_pool", corners, (offset,), {"group_size": groups, "sample_per_part": 2},
             oracle_align.deform_ps_roi_pool(wide, corners, far, size, scale, 3, groups, size, 2)),
        ):  # fmt: skip
            if operator != "deform_ps_roi_pool":
                keywords = {"sampling_ratio": 2, **keywords}
            pooled = getattr(fastroi, operator)(
                to_device(features), to_device(rois), *map(to_device, more), size, scale, **keywords
            )
            assert pooled.dtype == kind
            mean, magnitude = expected
            taps = np.full((len(rois), 1, 1), 64)
            bound = half_bound(mean, magnitude, taps, dtype)
            assert (np.abs(from_device(pooled).astype(np.float64) - mean) <= bound + 1e-9).all(), (operator, dtype)


def test_masks_are_those_of_the_cpu(device):
    assert check_masks(np.random.default_rng(75), to_device, from_device) > 5000
    assert {"paste_masks", "plan_align", "crop_masks"} == set(device.launched)


def test_what_masks_refuse(device):
    masks, boxes = np.ones((3, 4, 4), np.float32), np.array([[0.0, 0, 4, 4]] * 3)
    bad = boxes.copy()
    bad[1, 2] = np.nan
    for operator, size in ((fastroi.paste_masks, (6, 6)), (fastroi.crop_masks, 2)):
        result = from_device(operator(to_device(masks), to_device(bad), size, 0.0))
        assert not result[1].any()
        assert result[0].any() and (result[2] == result[0]).all()
        with pytest.raises(ValueError, match=r"rois\[1\]: x2"):
            fastroi.gpu.check()
        device.launched = []
        for arguments in (
            (masks, boxes[:2], size), (masks.astype(int), boxes, size), (masks[:, :0], boxes, size), (masks, boxes, size, -1.0),
            (masks, np.ones((3, 5)), size), (masks[0], boxes, size),
        ):  # fmt: skip
            with pytest.raises((ValueError, TypeError)) as on_cpu:
                operator(*arguments)
            with pytest.raises(on_cpu.type, match=re.escape(str(on_cpu.value).split(":")[0])):
                operator(*(to_device(a) if isinstance(a, np.ndarray) else a for a in arguments))
        with pytest.raises(TypeError, match="not a CuPy array"):
            operator(to_device(masks), boxes, size, out=np.zeros((3, 6, 6), bool))
        assert device.launched == []
    out = to_device(np.ones((3, 12, 6), bool))[:, ::-2]
    assert fastroi.paste_masks(to_device(masks), boxes, (6, 6), out=out) is out
    assert (np.asarray(out) == fastroi.paste_masks(masks, boxes, (6, 6))).all()
    assert fastroi.paste_masks(to_device(masks[:0]), boxes[:0], (6, 6)).shape == (0, 6, 6)


def test_cells_that_a_threshold_does_not_take_are_noted(device):
    masks, boxes = np.ones((3, 6, 6), np.uint8), np.array([[0.0, 0, 6, 6]] * 3)
    masks[1] = 255
    for operator, size in ((fastroi.paste_masks, (7, 8)), (fastroi.crop_masks, 3)):
        arrays = to_device(masks), to_device(boxes)
        result = from_device(operator(*arrays, size))
        assert not result[1].any()
        assert (result[[0, 2]] == operator(masks[[0, 2]], boxes[:2], size)).all()
        with pytest.raises(ValueError, match="that of box 1 has a cell that is neither 0 nor 1"):
            fastroi.gpu.check()
        for threshold in (127.5, None):
            expected = operator(masks, boxes, size, threshold)
            assert (from_device(operator(*arrays, size, threshold)) == expected).all()


@pytest.mark.parametrize(
    "case", [case for case in benchmarks.CASES if case not in cases.MAIN], ids=lambda case: case.name
)
def test_cases_of_the_gpu_benchmark_run(case, device):
    """With a few boxes; their floor counts the bytes of what comes back."""
    draw = np.random.default_rng(68).standard_normal
    rng = SimpleNamespace(standard_normal=lambda *args, **kwargs: to_device(draw(*args, **kwargs)))
    attributes = SimpleNamespace(attributes={"L2CacheSize": 0})
    stand_in = SimpleNamespace(
        asarray=to_device,
        random=SimpleNamespace(default_rng=lambda seed: rng),
        cuda=SimpleNamespace(Device=lambda: attributes),
    )
    is_mask = isinstance(case, benchmarks.MaskCase)
    case = replace(case, boxes_count=3, mask_shape=(3, *case.mask_shape[1:])) if is_mask else case.reduced(3)
    dtypes = ["float32", "uint8"] if case.name == "D/roi_align_rotated" else ["float32"]
    for _, dtype, call, _ in benchmarks.variants(stand_in, case, LAYOUTS, dtypes):
        read = case.bytes_moved(np.dtype(dtype).itemsize)[0]
        assert benchmarks.floor_bytes(case, dtype) - read == call()(0).nbytes


def test_threads_side_by_side_move_bytes_side_by_side():
    """Wide kernels use every byte of a sector that they move, planes in shared memory every bank."""
    counted = {}
    for name, layout in (
        ("C/roi_align", "NCHW"),
        ("C/roi_align", "NHWC"),
        ("A7/roi_pool", "NCHW"),
        ("C/riroi_align_rotated", "NHWC"),
    ):
        case = next(case for case in benchmarks.CASES if case.name == name).reduced(300)
        for kernel, _, _, counts, _ in gpu_traffic.count(case, layout, blocks_run=4):
            counted[kernel, layout] = counts
    huge = next(case for case in benchmarks.CASES if case.name == "E/roi_align")
    huge = replace(huge, map_shape=(1, 8, *huge.map_shape[2:]), rois_per_image=80)
    for kernel, _, _, counts, _ in gpu_traffic.count(huge, "NCHW", blocks_run=1):
        counted[kernel, "NCHW"] = counts
    for name, layout in (
        ("pack", "NCHW"), ("sum_wide", "NCHW"), ("sum_wide", "NHWC"), ("max_wide", "NCHW"), ("cells_wide", "NHWC"), ("mix", "NHWC"),
    ):  # fmt: skip
        counts = counted.pop((name, layout))
        assert min(counts.asked) > 0.99, (name, layout, counts.asked)
        assert counts.wavefronts_per_request < 1.6, (name, counts.wavefronts_per_request)
    assert counted.pop(("sum_resident", "NCHW")).wavefronts_per_request < 1.2
    assert all(name.startswith("plan_") for name, _ in counted), counted


def test_host_times_are_of_calls_that_launch(monkeypatch):
    runtime = device_runtime.CupyRuntime(gpu_host.stand_in())
    monkeypatch.setattr(device_runtime, "_runtime", runtime)
    for name, run in gpu_host.calls().items():
        runtime._kernels.clear()
        run()
        assert runtime._kernels, name


def test_one_line_names_the_extras_where_cupy_is_missing():
    code = """
import sys
sys.modules["cupy"] = None
import numpy as np, fastroi
class Array:
    __cuda_array_interface__ = {}
try:
    fastroi.roi_pool(Array(), np.ones((1, 4)), 2)
except ImportError as error:
    print(error)
"""
    message = run_python(code).stdout
    assert message.count("\n") == 1
    assert "cupy-cuda13x" in message and "cupy-cuda12x" in message


def test_importing_fastroi_imports_neither_cupy_nor_the_gpu_path():
    code = "import sys, fastroi; print('cupy' in sys.modules, 'fastroi.gpu' in sys.modules)"
    assert run_python(code).stdout.split() == ["False", "False"]


def test_sum_of_the_oracle(device):
    rng = np.random.default_rng(58)
    shape, size, scale = (2, 5, 13, 17), (3, 5), 1 / 16
    features, rois = feature_map(rng, shape), moderate_rois(rng, 40, shape, scale)
    pooled = from_device(fastroi.roi_pool(to_device(features), to_device(rois), size, scale, reduce="mean"))
    expected, magnitude, taps = oracle.roi_pool(features, rois, size, scale, "fast_rcnn", "mean")
    assert (np.abs(pooled - expected) <= (taps[:, None] + 2) * 2.0**-24 * magnitude).all()


def test_boxes_of_each_image(device):
    rng = np.random.default_rng(8)
    maps, boxes = rng.standard_normal((3, 2, 9, 9)), rng.uniform(0, 8, (3, 2, 4)).astype(np.float32)
    on_device = to_device(maps)
    expected = fastroi.area_pool(maps, boxes, 2)
    for rois in (to_device(boxes), [to_device(table) for table in boxes], boxes.tolist()):
        np.testing.assert_allclose(from_device(fastroi.area_pool(on_device, rois, 2)), expected, atol=1e-12)
    some = from_device(fastroi.area_pool(on_device, [to_device(boxes[0]), [], boxes[2].tolist()], 2))
    np.testing.assert_allclose(some, expected[[0, 1, 4, 5]], atol=1e-12)
    assert from_device(fastroi.area_pool(on_device, [], 2)).shape == (0, 2, 2, 2)
    with pytest.raises(ValueError, match="boxes of 2 images where there are 3"):
        fastroi.area_pool(on_device, to_device(boxes[:2]), 2)
    with pytest.raises(ValueError, match=r"rois\[1\]: shape \(4,\)"):
        fastroi.area_pool(on_device, [to_device(boxes[0]), boxes[1, 0], []], 2)


def test_scales_of_two_axes_of_a_pyramid(device):
    rng = np.random.default_rng(9)
    maps = [rng.standard_normal((1, 2, *size)) for size in ((16, 32), (8, 16))]
    scales, rois, levels = [(0.25, 0.5), (0.125, 0.25)], rng.uniform(0, 60, (12, 4)), np.arange(12) % 2
    expected = fastroi.multiscale_roi_align(maps, rois, 2, scales, 2, levels=levels)
    pooled = fastroi.multiscale_roi_align(
        [to_device(level) for level in maps], to_device(rois), 2, scales, 2, levels=to_device(levels)
    )
    np.testing.assert_allclose(from_device(pooled), expected, atol=1e-12)


def test_exact_end_of_a_crop(device):
    image = to_device(np.ones((1, 15, 15, 1)))
    crops = fastroi.crop_and_resize(image, to_device(np.array([[0.0, 0, 1, 1]])), [0], 14, end="exact")
    assert (from_device(crops) == 1).all()
