"""The GPU path on the CPU: gpu.py as it is, the kernels' own text compiled as C++. tests/test_gpu.py needs the real device."""

import ctypes

import ml_dtypes
import numpy as np
import oracle
import oracle_align
import pytest
from gpu_cases import OPERATORS, SHAPES, compare_plans, half_bound, moderate_rois, run_operator
from gpu_emulation import EmulatedArray, EmulatedRuntime, emulated, from_device, to_device
from helpers import assert_same, awkward_rois, expected_max, feature_map, from_layout, run_python, to_layout

import fastroi

FUSED = [name for name in fastroi.simd.supported() if name != "baseline"]
LAYOUTS = ("NCHW", "NHWC")


@pytest.fixture(scope="module")
def shared_runtime(tmp_path_factory):
    return EmulatedRuntime(tmp_path_factory.mktemp("kernels"))


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
        assert_same(from_device(op(to_device(features), to_device(rois), 3, 1 / 2)), cpu_fused(op, features, rois, 3, 1 / 2))
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


def test_what_the_host_sees_is_refused_as_on_the_cpu(device):
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
    with pytest.raises(TypeError, match="has no GPU implementation"):
        _ = fastroi.gpu.device_of(to_device(features)).core.some_operator
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


def test_many_rois_are_taken_in_turns(device, monkeypatch):
    monkeypatch.setattr(fastroi.gpu, "_PLAN_BYTES", 4096)
    rng = np.random.default_rng(57)
    features, rois = feature_map(rng, (2, 3, 12, 12)), moderate_rois(rng, 50, (2, 3, 12, 12), 1 / 2)
    for op in (fastroi.roi_pool, fastroi.roi_align):
        assert_same(from_device(op(to_device(features), to_device(rois), 3, 1 / 2)), cpu_fused(op, features, rois, 3, 1 / 2))
    assert device.launched.count("plan_ranges") > 1


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
    assert "fastroi[cuda13]" in message and "fastroi[cuda12]" in message


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
