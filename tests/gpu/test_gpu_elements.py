"""Maps and results of every element on the emulated GPU: the CPU's bits. test_gpu.py asks the same of a real device."""

import itertools

import numpy as np
import pytest
from gpu_cases import (
    ELEMENTS,
    INTEGERS,
    LARGE_MAPS,
    OPERATORS,
    PAIRS,
    SHAPES,
    assert_same_bits,
    check_elements,
    element_map,
    moderate_rois,
)
from gpu_emulation import EmulatedRuntime, emulated, from_device, to_device
from helpers import long_share, random_boxes, random_masks, to_layout

import fastroi
from fastroi import _core
from fastroi.cuda import runtime as device_runtime

FUSED = [name for name in fastroi.simd.supported() if name != "baseline"]

MIXED = ("float16", "bfloat16", "float64")  # maps whose sums are mixed before they are rounded, in the everyday set


@pytest.fixture(scope="module")
def shared_runtime():
    return EmulatedRuntime()


@pytest.fixture
def device(shared_runtime):
    shared_runtime.launched = []
    with emulated(shared_runtime) as runtime:
        yield runtime
        assert runtime.take_error() == device_runtime.NO_ERROR, "an error nobody asked about"


def cpu_fused(operator, *arguments, **options):
    assert FUSED, "this processor has no fused products to compare with"
    with fastroi.simd.use(FUSED[0]):
        return operator(*arguments, **options)


def check(kind, results, **options):
    results = [ELEMENTS[name] for name in results]
    rng = np.random.default_rng(81)
    return check_elements(rng, ELEMENTS[kind], results, to_device, from_device, cpu_fused, **options)


def test_every_element_is_once_that_of_maps_and_once_that_of_results():
    for of_pair in zip(*PAIRS, strict=True):
        assert sorted(of_pair) == sorted(ELEMENTS)


@pytest.mark.parametrize(("kind", "result"), PAIRS)
def test_every_operator_has_the_bits_of_the_cpu(kind, result, device):
    names = [name for name in OPERATORS if name != "riroi_align_rotated" or kind in MIXED]
    assert check(kind, [result], names=names) == len(names) * len(SHAPES)


@pytest.mark.long
@pytest.mark.parametrize(("kind", "result"), long_share(list(itertools.product(ELEMENTS, ELEMENTS))))
def test_any_pair_of_elements_has_the_bits_of_the_cpu(kind, result, device):
    assert check(kind, [result]) == len(OPERATORS) * len(SHAPES)


def check_arrays(operator, arrays, arguments, keywords):
    """An operator of `arrays` and further arguments on the device and on the CPU."""
    expected = cpu_fused(operator, *arrays, *arguments, **keywords)
    got = operator(*map(to_device, arrays), *arguments, **keywords)
    assert_same_bits(from_device(got), expected, (operator.__name__, arrays[0].dtype, keywords))


def test_planes_kept_in_shared_memory(device):
    rng = np.random.default_rng(82)
    for (kind, result), (shape, size, scale, count) in zip(PAIRS, itertools.cycle(LARGE_MAPS[:4])):
        features, rois = element_map(rng, shape, ELEMENTS[kind]), moderate_rois(rng, count, shape, scale)
        padded = np.zeros((*shape[:3], shape[3] + 3), features.dtype)
        padded[..., :-3] = features
        for maps, operator in itertools.product((features, padded[..., :-3]), (fastroi.roi_pool, fastroi.prroi_pool)):
            check_arrays(operator, (maps, rois), (size, scale), {"dtype": ELEMENTS[result]})
    kernels = [name for name in device.launched if not name.startswith("plan_")]
    assert kernels == ["max_resident", "sum_resident"] * 2 * len(PAIRS)


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_channels_side_by_side_and_packed(layout, device):
    """As many channels as threads take at once, and some that are left over; results that lie as those of nobody else."""
    rng = np.random.default_rng(83)
    shape, size, scale = (1, 24, 9, 10), (3, 2), 1.0
    rois = moderate_rois(rng, 30, shape, scale)
    for (kind, result), channels in itertools.product(PAIRS, (24, 21)):
        features = to_layout(element_map(rng, shape, ELEMENTS[kind])[:, :channels], layout)
        for operator in (fastroi.roi_pool, fastroi.roi_align):
            check_arrays(operator, (features, rois), (size,), {"dtype": ELEMENTS[result], "layout": layout})
            ways = ("_direct", "_planar") if layout == "NHWC" and channels == 21 else ("_wide",)
            assert device.launched[-1].endswith(ways), (kind, channels, device.launched[-1])


def test_places_of_maxima_stay_int64(device):
    rng = np.random.default_rng(84)
    shape, size, scale = SHAPES[0]
    rois = moderate_rois(rng, 20, shape, scale)
    for kind, result in PAIRS:
        features = element_map(rng, shape, ELEMENTS[kind])
        options = {"return_argmax": True, "dtype": ELEMENTS[result]}
        expected = cpu_fused(fastroi.roi_pool, features, rois, size, scale, **options)
        got = fastroi.roi_pool(to_device(features), to_device(rois), size, scale, **options)
        assert from_device(got[1]).dtype == np.int64
        for a, b in zip(got, expected, strict=True):
            assert_same_bits(from_device(a), b, (kind, result))


def test_pyramids_of_every_element(device):
    rng = np.random.default_rng(85)
    rois = moderate_rois(rng, 20, (1, 6, 20, 24), 1 / 4)
    levels = np.arange(len(rois)) % 2
    for kind, result in PAIRS:
        maps = [element_map(rng, (5, 6, 20 >> i, 24 >> i), ELEMENTS[kind]) for i in range(2)]
        for reduce in ("mean", "max"):
            arguments = 2, [1 / 4, 1 / 8]
            options = {"levels": levels, "reduce": reduce, "dtype": ELEMENTS[result]}
            expected = cpu_fused(fastroi.multiscale_roi_align, maps, rois, *arguments, **options)
            options["levels"] = to_device(levels)
            pooled = fastroi.multiscale_roi_align(list(map(to_device, maps)), to_device(rois), *arguments, **options)
            assert_same_bits(from_device(pooled), expected, (kind, result, reduce))


@pytest.mark.parametrize("kind", ELEMENTS)
def test_default_of_the_result(kind, device):
    """Only that of an operator without channels is looked at, for which nothing has to be compiled."""
    features = to_device(np.ones((1, 0, 8, 8)).astype(ELEMENTS[kind]))
    pooled = fastroi.roi_pool(features, to_device(np.array([[0.0, 0, 7, 7]])), 2)
    assert pooled.dtype == (np.float32 if ELEMENTS[kind] in INTEGERS else ELEMENTS[kind])


def test_what_is_no_element_is_refused_as_on_the_cpu(device):
    features, rois = np.ones((1, 1, 8, 8), np.float32), np.array([[0.0, 0, 7, 7]])
    for maps, keywords in (
        (features, {"dtype": "int32"}),
        (features, {"dtype": "no type"}),
        (features, {"dtype": ">f2"}),
        (features.astype(np.int64), {}),
        (features.astype(">f4"), {}),
    ):
        with pytest.raises(TypeError) as on_cpu:
            fastroi.roi_pool(maps, rois, 2, **keywords)
        with pytest.raises(TypeError) as on_gpu:
            fastroi.roi_pool(to_device(maps), to_device(rois), 2, **keywords)
        assert str(on_gpu.value) == str(on_cpu.value)
    with pytest.raises(TypeError, match="out: dtype float16; float32 required"):
        fastroi.roi_pool(to_device(features), to_device(rois), 2, out=to_device(np.empty((1, 1, 2, 2), np.float16)))
    assert device.launched == []


def test_offsets_of_every_element(device):
    """Those of integers and halves are exact in float32."""
    rng = np.random.default_rng(86)
    features, rois = np.float32(rng.standard_normal((1, 4, 12, 12))), moderate_rois(rng, 12, (1, 4, 12, 12), 1.0)
    for kind in ELEMENTS.values():
        offset = element_map(rng, (len(rois), 2, 3, 2), kind)
        wide = offset if kind == np.float64 else offset.astype(np.float32)
        expected = cpu_fused(fastroi.deform_roi_pool, features, rois, wide, (3, 2))
        assert_same_bits(cpu_fused(fastroi.deform_roi_pool, features, rois, offset, (3, 2)), expected, kind)
        pooled = fastroi.deform_roi_pool(to_device(features), to_device(rois), to_device(offset), (3, 2))
        assert_same_bits(from_device(pooled), expected, kind)


# --- masks --------------------------------------------------------------------------------------------------------------


def mask_calls(rng, kind):
    """(operator, masks and boxes, further arguments, keywords): thresholds that a mask of integers may meet, and values."""
    size = (15, 21)
    masks, boxes = random_masks(rng, (9, *size), "bool").astype(kind), random_boxes(rng, 9, size)
    shares = masks * kind.type(100) if kind in INTEGERS else random_masks(rng, masks.shape).astype(kind)
    for operator, extents in ((fastroi.paste_masks, (17, 12)), (fastroi.crop_masks, (3, 4))):
        for arithmetic in ("float64", "float32"):
            yield operator, (masks, boxes), (extents, 0.5), {"arithmetic": arithmetic}
            yield operator, (shares, boxes), (extents, 40.5 if kind in INTEGERS else 0.4), {"arithmetic": arithmetic}
            for result in (None, *(other for other in ELEMENTS.values() if other not in INTEGERS)):
                yield operator, (shares, boxes), (extents, None), {"arithmetic": arithmetic, "dtype": result}


@pytest.mark.parametrize("kind", ELEMENTS)
def test_masks_of_every_element(kind, device):
    for operator, arrays, arguments, keywords in mask_calls(np.random.default_rng(87), ELEMENTS[kind]):
        check_arrays(operator, arrays, arguments, keywords)


def test_values_of_masks_are_no_integers(device):
    masks, boxes = to_device(np.ones((1, 3, 3), np.uint8)), to_device(np.array([[0.0, 0, 3, 3]]))
    with pytest.raises(TypeError, match="dtype: int8; the values of a mask are stored as floats"):
        fastroi.paste_masks(masks, boxes, (3, 3), None, dtype=np.int8)


@pytest.mark.parametrize("kind", INTEGERS, ids=str)
def test_cells_of_integers_that_a_threshold_does_not_take_are_noted(kind, device):
    masks, boxes = np.ones((3, 6, 6), kind), np.array([[0.0, 0, 6, 6]] * 3)
    masks[1, 2, 3] = -1 if kind.kind == "i" else 2
    for operator, size in ((fastroi.paste_masks, (7, 8)), (fastroi.crop_masks, 3)):
        result = from_device(operator(to_device(masks), to_device(boxes), size))
        assert (result[[0, 2]] == operator(masks[[0, 2]], boxes[:2], size)).all()
        with pytest.raises(
            ValueError, match=r"that of box 1 has a cell that is neither 0 nor 1.*takes integer masks of 0 and 1"
        ):
            fastroi.gpu.check()
        for threshold in (1.5, None):
            check_arrays(operator, (masks, boxes), (size, threshold), {})


# --- warming up ---------------------------------------------------------------------------------------------------------


def test_warming_up_compiles_what_calls_need(device):
    compiled = []
    device.kernel = lambda kernel_set, name: compiled.append(kernel_set)
    try:
        fastroi.gpu.warmup()
        fastroi.gpu.warmup((np.float16, ("uint8", "bfloat16"), np.dtype("int16"), "float64"))
        for bad in ("int32", "nothing", ("float32", "int64"), ">f4"):
            with pytest.raises(ValueError, match="dtypes: "):
                fastroi.gpu.warmup(["float32", bad])
    finally:
        del device.kernel
    codes = _core.elements()
    single, double = codes["float32"], codes["float64"]
    expected = [
        (single, single),
        (codes["float16"],) * 2,
        (codes["uint8"], codes["bfloat16"]),
        (codes["int16"], single),
        (double,) * 2,
    ]
    plans = [(double,) if pair[0] == double else (single,) for pair in expected]
    assert compiled == [each for both in zip(plans, expected, strict=True) for each in both]
