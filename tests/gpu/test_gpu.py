"""The GPU path on a real device: `pytest -m gpu`. The same cases as on the emulated one, and what only a device can show."""

import numpy as np
import oracle_align
import pytest
from gpu_cases import (
    ELEMENTS,
    OPERATORS,
    PAIRS,
    SHAPES,
    TURNED,
    assert_same_bits,
    check_elements,
    check_large_maps,
    check_masks,
    compare_plans,
    element_map,
    half_bound,
    moderate_rois,
    run_operator,
    turned,
)
from helpers import assert_same, awkward_rois, expected_max, feature_map, from_layout, to_layout

import fastroi

pytestmark = pytest.mark.gpu

LAYOUTS = ("NCHW", "NHWC")
FUSED = [name for name in fastroi.simd.supported() if name != "baseline"]
covered = set()


@pytest.fixture(scope="module")
def cupy():
    import cupy

    fastroi.gpu.warmup(("float32", "float64", "float16", "bfloat16", *PAIRS))
    yield cupy
    device = cupy.cuda.runtime.getDeviceProperties(0)["name"].decode()
    print(f"\n{device}, CuPy {cupy.__version__}: " + ", ".join(sorted(covered)))


@pytest.fixture(autouse=True)
def no_error_left(cupy):
    yield
    fastroi.gpu.check()


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("rule", fastroi.ROI_POOL_RULES)
def test_roi_pool_equals_the_oracle(rule, layout, cupy):
    rng = np.random.default_rng(61)
    for shape, size, scale in SHAPES:
        rois = awkward_rois(rng, 60, shape, scale)
        for dtype in (np.float32, np.float64):
            features = feature_map(rng, shape, dtype)
            features[rng.random(shape) < 0.02] = np.nan
            expected, offsets = expected_max(features, rois, size, scale, rule)
            arguments = cupy.asarray(to_layout(features, layout)), cupy.asarray(rois), size, scale
            pooled = fastroi.roi_pool(*arguments, rule=rule, layout=layout)
            again, argmax = fastroi.roi_pool(*arguments, rule=rule, layout=layout, return_argmax=True)
            for result in (pooled, again):
                assert_same(from_layout(result.get(), layout), expected, rois)
            assert_same(from_layout(argmax.get(), layout), offsets, rois)
    covered.add(f"roi_pool {rule}")


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", OPERATORS)
def test_every_operator_has_the_bits_of_the_cpu(name, layout, cupy):
    assert FUSED, "this processor has no fused products to compare with"
    rng = np.random.default_rng(62)
    for shape, size, scale in SHAPES:
        rois = moderate_rois(rng, 60, shape, scale)
        for dtype in (np.float32, np.float64):
            features = feature_map(rng, shape, dtype)
            for settings in OPERATORS[name]:
                pooled = run_operator(name, settings, features, rois, size, scale, layout, cupy.asarray)
                again = run_operator(name, settings, features, rois, size, scale, layout, cupy.asarray)
                with fastroi.simd.use(FUSED[0]):
                    expected = run_operator(name, settings, features, rois, size, scale, layout)
                if name in TURNED:
                    # Cosine and sine of the device are within 2 units in the last place, which coordinates carry on.
                    np.testing.assert_allclose(pooled.get(), expected, rtol=1e-6, atol=1e-6 * np.abs(features).max())
                else:
                    assert_same(pooled.get(), expected)
                assert pooled.tobytes() == again.tobytes()
    covered.add(f"{name} in {layout}")


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_types_are_rounded_once(dtype, cupy):
    import ml_dtypes

    kind = np.dtype(np.float16 if dtype == "float16" else ml_dtypes.bfloat16)
    rng = np.random.default_rng(63)
    for layout in LAYOUTS:
        for shape, size, scale in SHAPES:
            rois = moderate_rois(rng, 40, shape, scale)
            features = feature_map(rng, shape).astype(kind)
            wide = features.astype(np.float64)
            arguments = cupy.asarray(to_layout(features, layout)), cupy.asarray(rois), size, scale
            expected, offsets = expected_max(wide, rois, size, scale, "fast_rcnn")
            pooled, argmax = fastroi.roi_pool(*arguments, layout=layout, return_argmax=True)
            assert_same(from_layout(pooled.get(), layout).astype(np.float64), expected, rois)
            assert_same(from_layout(argmax.get(), layout), offsets, rois)
            aligned = from_layout(fastroi.roi_align(*arguments, 2, layout=layout).get(), layout).astype(np.float64)
            expected, magnitude, taps = oracle_align.roi_align(wide, rois, size, scale, 2, True)
            assert (np.abs(aligned - expected) <= half_bound(expected, magnitude, taps, dtype)).all()
    covered.add(dtype)


def cpu_fused(operator, *arguments, **settings):
    with fastroi.simd.use(FUSED[0]):
        return operator(*arguments, **settings)


@pytest.mark.parametrize(("kind", "result"), PAIRS)
def test_every_element_has_the_bits_of_the_cpu(kind, result, cupy):
    """Turned boxes apart: the bits of those are in question before any rounding."""
    names, results = [name for name in OPERATORS if name not in TURNED], [ELEMENTS[result]]
    arguments = ELEMENTS[kind], results, cupy.asarray, lambda array: array.get(), cpu_fused, names
    compared = check_elements(np.random.default_rng(70), *arguments)
    covered.add(f"{kind} to {result}: {compared} results bit for bit")


@pytest.mark.parametrize(("kind", "result"), PAIRS)
def test_turned_boxes_of_every_element(kind, result, cupy):
    """Whose angle is 0, for which no cosine is in question."""
    rng = np.random.default_rng(71)
    features = element_map(rng, (2, 6, 20, 33), ELEMENTS[kind])
    rois = turned(moderate_rois(rng, 30, features.shape, 1.0))
    rois[:, 5] = 0
    for operator, options in ((fastroi.roi_align_rotated, {}), (fastroi.riroi_align_rotated, {"orientations": 3})):
        arguments = (3, 2), 1.0, 2
        expected = cpu_fused(operator, features, rois, *arguments, dtype=ELEMENTS[result], **options)
        pooled = operator(cupy.asarray(features), cupy.asarray(rois), *arguments, dtype=ELEMENTS[result], **options)
        assert_same_bits(pooled.get(), expected, (kind, result, operator.__name__))


def test_plans_are_those_of_the_cpu(cupy):
    def read(address, size):
        host = np.empty(size, np.uint8)
        cupy.cuda.runtime.memcpy(host.ctypes.data, address, size, cupy.cuda.runtime.memcpyDeviceToHost)
        return host

    bins = compare_plans(fastroi.gpu.runtime(), cupy.asarray, read)
    covered.add(f"plans of {bins} bins bit for bit")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_planes_kept_in_shared_memory(dtype, cupy):
    rng = np.random.default_rng(69)
    names = list(check_large_maps(rng, dtype, cupy.asarray, lambda array: array.get(), cpu_fused))
    assert len(names) == 30
    covered.add(f"large maps: {', '.join(sorted(set(names)))}")


def test_masks_are_those_of_the_cpu(cupy):
    compared = check_masks(np.random.default_rng(67), cupy.asarray, lambda array: array.get())
    covered.add(f"{compared} masks bit for bit")


def test_bad_rows_give_zeros_and_an_error(cupy):
    features = cupy.ones((2, 3, 8, 8), np.float32)
    rois = cupy.asarray([[0, 1, 1, 6, 6], [0, 1, np.nan, 6, 6], [5, 1, 1, 6, 6], [1, 1, 1, 6, 6]])
    for op in (fastroi.roi_pool, fastroi.roi_align, fastroi.prroi_pool):
        pooled = op(features, rois, 2).get()
        assert (pooled[[0, 3]] == 1).all() and (pooled[[1, 2]] == 0).all()
        with pytest.raises(ValueError, match=r"rois\[1\]: y1"):
            fastroi.gpu.check()
        with fastroi.gpu.options(strict=True), pytest.raises(ValueError, match=r"rois\[1\]: y1"):
            op(features, rois, 2)
    turned = cupy.asarray([[0, 4, 4, 2, 2, 0.3], [0, 4, 4, 2, 2, np.nan]])
    for ratio in (0, 2):
        pooled = fastroi.roi_align_rotated(features, turned, 2, 1.0, ratio).get()
        assert np.allclose(pooled[0], 1) and (pooled[1] == 0).all()
        with pytest.raises(ValueError, match=r"rois\[1\]: angle"):
            fastroi.gpu.check()
    offset = cupy.full((4, 2, 2, 2), np.nan)
    assert (fastroi.deform_roi_pool(features, cupy.ones((4, 5)), offset, 2).get() == 0).all()
    with pytest.raises(ValueError, match=r"offset\[0\]"):
        fastroi.gpu.check()
    covered.add("refused rows")


def test_bins_of_many_cells(cupy):
    """Shared memory for some bins and scratch memory for others, in both layouts."""
    rng = np.random.default_rng(66)
    features = feature_map(rng, (2, 8, 200, 150))
    rois = np.array([[0, 75, 90, 190, 80, 0.4], [1, 30, 30, 3, 2, 1.0], [1, 20, 30, 2000, 130, -2.5]])
    for size, ratio in ((1, 0), ((2, 1), 70), ((3, 2), 0)):
        expected = fastroi.roi_align_rotated(features, rois, size, 1.0, ratio)
        for layout in LAYOUTS:
            pooled = fastroi.roi_align_rotated(
                cupy.asarray(to_layout(features, layout)), rois, size, 1.0, ratio, layout=layout
            )
            np.testing.assert_allclose(from_layout(pooled.get(), layout), expected, rtol=1e-4, atol=1e-5)
    covered.add("bins in scratch memory")


def test_arrays_of_other_libraries_and_other_streams(cupy):
    import torch

    rng = np.random.default_rng(64)
    features, rois = feature_map(rng, (2, 8, 20, 20)), awkward_rois(rng, 50, (2, 8, 20, 20), 1 / 4)
    expected = fastroi.roi_pool(features, rois, 5, 1 / 4)
    pooled = fastroi.roi_pool(torch.from_numpy(features).cuda(), torch.from_numpy(rois).cuda(), 5, 1 / 4)
    assert isinstance(pooled, cupy.ndarray)
    assert_same(pooled.get(), expected)
    with cupy.cuda.Stream(non_blocking=True) as stream:
        pooled = fastroi.roi_pool(cupy.asarray(features), rois, 5, 1 / 4)
        stream.synchronize()
        assert_same(pooled.get(), expected)
    out = cupy.full((50, 5, 5, 8), 7, np.float32).transpose(0, 3, 1, 2)
    assert fastroi.roi_pool(cupy.asarray(features), rois, 5, 1 / 4, out=out) is out
    assert_same(out.get(), expected)
    half = torch.from_numpy(features).cuda().to(torch.bfloat16)
    assert_same(fastroi.roi_pool(half, rois, 5, 1 / 4).get().astype(np.float32), half_pool(half, rois))
    covered.add("torch arrays, streams, given results")


def half_pool(half, rois):
    return fastroi.roi_pool(half.float().cpu().numpy(), rois, 5, 1 / 4)


def test_a_result_beyond_two_to_the_31_elements(cupy):
    free, _ = cupy.cuda.runtime.memGetInfo()
    assert free > 12 << 30, "needs 12 GB of device memory"
    features = cupy.random.default_rng(0).standard_normal((1, 2048, 16, 16), dtype=np.float32)
    rois = np.zeros((22000, 5))
    rois[:, 3:] = np.random.default_rng(65).uniform(1, 15, (22000, 2))
    pooled = fastroi.roi_pool(features, rois, 7)
    assert pooled.size > 2**31
    assert_same(pooled[-50:].get(), fastroi.roi_pool(features.get(), rois[-50:], 7))
    covered.add("64-bit offsets")
