"""Affine maps: the operator on the real map, quantised again, under three formulas; no more memory than a block."""

import inspect
import tracemalloc

import digests
import numpy as np
import oracle_align
import pytest
from digests import LAYOUTS, MASKED, OPTIONS, Case

import fastroi
from fastroi import quantized

INTEGERS = tuple(map(np.dtype, (np.uint8, np.int8, np.uint16, np.int16)))
OPERATORS = tuple(name for name in quantized.__all__ if name != "FORMULAS")
WHOLE = [[0, 0, 4, 4]]


def placed(values, layout):
    if layout == "NHWC":
        return np.ascontiguousarray(values.transpose(0, 2, 3, 1))
    return digests.strided_like(values) if layout == "strided" else values


def numbers_of(features, layout, kind, mean):
    """The map of a case as integers around `mean`, and the same in the order N, C, H, W."""
    plain = features.transpose(0, 3, 1, 2) if layout == "NHWC" else features
    limits = np.iinfo(kind)
    q = np.clip(np.rint(plain * (limits.max / 3)) + mean, limits.min, limits.max).astype(kind)
    return placed(q, layout), q


def quantised(real, scale, zero_point, kind, formula):
    """`real` steps of `scale`, an array of numbers in units of the map's scale, by the formula's words, number by number."""
    ratio, out_scale = np.float32(scale[0]), np.float32(scale[1])
    values = ratio * real.astype(np.float32)
    units = values * (np.float32(1) / out_scale) if formula == "torchvision" else values / out_scale
    units = units.astype(np.float64)
    rounded = np.copysign(np.floor(np.abs(units) + 0.5), units) if formula == "tflite" else np.rint(units)
    limits = np.iinfo(kind)
    return np.clip(rounded + zero_point, limits.min, limits.max).astype(kind)


def check(case, options, layout, kind, formula, scales=(0.02, 0.037)):
    """Bit for bit the formula on what the operator gives for the map of differences in float32."""
    (features, *arguments), named = digests.call_of(case, options, layout, 2)
    named.pop("out", None)
    zero_point = int(np.iinfo(kind).max * 0.3)
    q, plain = numbers_of(features, layout, kind, zero_point + 3)
    named_plain = named | {"layout": "NCHW"}
    if "extrapolation_value" in options:
        named_plain["extrapolation_value"] = options["extrapolation_value"] / float(np.float32(scales[0]))
    steps = plain.astype(np.float32) - zero_point
    expected, *places = digests.parts_of(getattr(fastroi, case.operator)(steps, *arguments, **named_plain), "NCHW")
    affine = {"scale": scales[0], "zero_point": zero_point, "out_scale": scales[1], "out_zero_point": 5}
    answer = getattr(quantized, case.operator)(q, *arguments, **named, **affine, formula=formula)
    got, *got_places = digests.parts_of(answer, layout)
    assert got.dtype == kind
    assert (got == quantised(expected, scales, 5, kind, formula)).all(), (options, layout, kind, formula)
    assert len(got_places) == len(places)
    assert all((a == b).all() for a, b in zip(got_places, places, strict=True))


def test_every_operator_of_maps_is_there():
    rows = fastroi._core.OPERATORS
    other = fastroi._core.TAKES_MASKS | fastroi._core.TAKES_LEVELS
    assert set(OPERATORS) == {name for name, row in rows.items() if not row.flags & other}


@pytest.mark.parametrize("operator", OPERATORS)
def test_results_are_the_formula_on_the_differences(operator, monkeypatch):
    """Options, layouts, elements and formulas take turns; blocks are small, so that there are several."""
    monkeypatch.setattr(quantized, "_BLOCK_BYTES", 8 << 10)
    monkeypatch.setattr(quantized, "_ROUNDED_AT_ONCE", 100)
    options = OPTIONS[operator]
    for turn in range(12):
        chosen = options[turn * max(1, len(options) // 12) % len(options)]
        formula, kind = quantized.FORMULAS[turn % 3], INTEGERS[turn % 4]
        check(Case(operator, "small", "float32"), chosen, LAYOUTS[(turn // 4) % 3], kind, formula)


@pytest.mark.parametrize("formula", quantized.FORMULAS)
@pytest.mark.parametrize("kind", INTEGERS, ids=str)
def test_against_real_numbers(formula, kind):
    """A float64 oracle of the dequantised map: within half a step, and what float32 loses."""
    limits = np.iinfo(kind)
    rng = np.random.default_rng(5)
    q = rng.integers(limits.min, limits.max, (2, 3, 9, 11), dtype=kind, endpoint=True)
    boxes = np.array(
        [[0, 1, 1, 7, 7], [1, -6, -5, 4, 5], [1, 2.3, 1.7, 14.9, 13.2], [0, 30, 30, 40, 40], [1, 3, 3, 3, 3]]
    )
    scale, zero_point, out_scale, out_zero_point = 0.013, limits.max // 3, 0.011, limits.max // 2
    real = float(np.float32(scale)) * (q.astype(np.float64) - zero_point)
    exact = oracle_align.roi_align(real, boxes, (3, 2), 0.7, 3, True)[0] / float(np.float32(out_scale)) + out_zero_point
    affine = {"scale": scale, "zero_point": zero_point, "out_scale": out_scale, "out_zero_point": out_zero_point}
    got = quantized.roi_align(q, boxes, (3, 2), 0.7, 3, True, **affine, formula=formula)
    assert (got[3] == out_zero_point).all()
    slack = 16 * np.finfo(np.float32).eps * float(limits.max)
    assert (np.abs(got - np.clip(exact, limits.min, limits.max)) <= 0.5 + slack).all()


def test_ties_of_each_formula():
    """Means of two cells that lie k + 0.5 from the zero point."""
    q = np.array([[[[9, 10, 11, 12, 8, 7, 6, 5]]]], np.uint8)
    boxes = [[x, 0, x + 2, 1] for x in (0, 1, 2, 4, 5, 6)]
    means = {"scale": 0.25, "zero_point": 8, "sampling_ratio": (1, 2), "aligned": True}
    for formula, expected in (
        ("torchvision", [10, 10, 12, 8, 6, 6]),
        ("onnx", [10, 10, 12, 8, 6, 6]),
        ("tflite", [10, 11, 12, 7, 6, 5]),
    ):
        got = quantized.roi_align(q, boxes, 1, **means, formula=formula).ravel().tolist()
        assert got == expected, formula


def test_reciprocal_and_quotient_differ():
    """One and a half steps of 0.001: times the reciprocal 1.4999999, divided 1.5."""
    q = np.array([[[[1, 2]]]], np.uint8)
    for formula, expected in (("torchvision", 1), ("onnx", 2)):
        mean = {"sampling_ratio": (1, 2), "scale": 0.001, "zero_point": 0, "formula": formula}
        assert quantized.roi_align(q, [[0, 0, 2, 1]], 1, **mean).item() == expected, formula


@pytest.mark.parametrize("kind", INTEGERS, ids=str)
def test_out_of_range_results_saturate(kind):
    limits = np.iinfo(kind)
    q = np.array([[[[limits.min, limits.max]]]], kind)
    cells = [[0, 0, 1, 1], [1, 0, 2, 1]]
    for out_scale in (1e-3, 1e-30):
        got = quantized.roi_align(q, cells, 1, scale=1e8, zero_point=limits.max // 2, out_scale=out_scale).ravel()
        assert got.tolist() == [limits.min, limits.max]
    shrunk = quantized.roi_align(q, cells, 1, scale=1e-30, zero_point=0, out_scale=1e30, out_zero_point=7).ravel()
    assert shrunk.tolist() == [7, 7]


def test_empty_bins_and_points_off_the_map_are_zero_points():
    q = np.full((1, 2, 4, 4), 200, np.uint8)
    beside = [[40, 40, 50, 50]]
    affine = {"scale": 0.5, "zero_point": 31}
    assert (quantized.roi_pool(q, beside, 2, **affine) == 31).all()
    assert (quantized.roi_align(q, beside, 2, **affine, out_zero_point=9) == 9).all()
    assert (quantized.roi_align(q, [[1, 1, 1, 1]], 2, **affine) == 31).all()
    assert (quantized.roi_align(q, beside, 2, reduce="max", **affine) == 31).all()
    half = quantized.roi_align(q, [[-4, 0, 4, 4]], (1, 1), sampling_ratio=(1, 2), **affine)
    assert (half == 31 + 84).all()  # 84.5 steps
    low = quantized.roi_pool(np.zeros_like(q), WHOLE, 1, **affine)
    assert (low == 0).all()


def test_extrapolated_cells_are_quantised():
    q = np.full((1, 4, 4, 1), 9, np.int8)
    box = [[2, 2, 3, 3]]
    for value, expected in ((-2.5, -2), (1e9, 127), (float("-inf"), -128)):
        got = quantized.crop_and_resize(q, box, [0], 2, extrapolation_value=value, scale=0.5, zero_point=3)
        assert (got == expected).all(), value


def test_nothing_to_pool():
    q = np.ones((1, 3, 4, 4), np.int16)
    assert quantized.roi_align(q, np.zeros((0, 4)), 2, scale=1, zero_point=0).shape == (0, 3, 2, 2)
    assert quantized.roi_align(q[:, :0], WHOLE, 2, scale=1, zero_point=1).shape == (1, 0, 2, 2)
    assert quantized.ps_roi_pool(q[:, :0], WHOLE, 2, scale=1, zero_point=1).dtype == np.int16


def test_one_image_and_read_only_maps():
    q = np.arange(48, dtype=np.uint8).reshape(3, 4, 4)
    q.flags.writeable = False
    got = quantized.roi_pool(q, WHOLE, 1, scale=1, zero_point=2)
    assert got.ravel().tolist() == [15, 31, 47]


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_out_is_filled(layout):
    q = np.arange(32, dtype=np.uint8).reshape((1, 2, 4, 4) if layout == "NCHW" else (1, 4, 4, 2))
    call = {"output_size": 2, "layout": layout, "scale": 1, "zero_point": 2}
    fresh = quantized.roi_align(q, WHOLE, **call)
    out = np.zeros_like(fresh)[::-1]
    assert quantized.roi_align(q, WHOLE, **call, out=out) is out
    assert (out == fresh).all()


def test_out_that_cannot_be_filled():
    q = np.ones((1, 2, 4, 4), np.uint8)
    locked = np.zeros((1, 2, 2, 2), np.uint8)
    locked.flags.writeable = False
    for out, error, message in (
        (np.zeros((1, 2, 2, 2), np.int8), TypeError, "out: dtype int8; uint8 required"),
        (np.zeros((1, 2, 3, 2), np.uint8), ValueError, r"out: shape \(1, 2, 3, 2\); \(1, 2, 2, 2\) required"),
        (q[..., :2, :2], ValueError, "out: shares memory"),
        (locked, ValueError, "out: the array is read-only"),
        ([1], TypeError, "out: list is not an ndarray"),
    ):
        with pytest.raises(error, match=message):
            quantized.roi_align(q, WHOLE, 2, scale=1, zero_point=0, out=out)
    assert (q == 1).all()


@pytest.mark.parametrize("name", ["scale", "out_scale"])
@pytest.mark.parametrize("value", [0, -0.0, -1.5, np.nan, np.inf, 1e39, 1e-39, 1e-50])
def test_scales_that_are_none(name, value):
    call = {"scale": 1.0, "zero_point": 0, name: value}
    with pytest.raises(ValueError, match=rf"^{name}: .*; it must be positive, and a normal number in float32"):
        quantized.roi_align(np.ones((1, 1, 4, 4), np.uint8), WHOLE, 1, **call)


@pytest.mark.parametrize("name", ["zero_point", "out_zero_point"])
@pytest.mark.parametrize("kind", INTEGERS, ids=str)
def test_zero_points_outside_the_type(name, kind):
    limits = np.iinfo(kind)
    q = np.ones((1, 1, 4, 4), kind)
    for value in (limits.min - 1, limits.max + 1, 2**40):
        with pytest.raises(ValueError, match=rf"^{name}: {value} is outside \[{limits.min}, {limits.max}\], .*{kind}"):
            quantized.roi_align(q, WHOLE, 1, **{"scale": 1.0, "zero_point": 0, name: value})
    for value in (limits.min, limits.max):
        quantized.roi_align(q, WHOLE, 1, **{"scale": 1.0, "zero_point": 0, name: value})


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"features": np.ones((1, 1, 4, 4), np.float32)}, TypeError, r"^features: dtype float32 is not one of uint8, "),
        ({"features": np.ones((1, 1, 4, 4), bool)}, TypeError, r"^features: dtype bool"),
        ({"features": np.ones((1, 1, 4, 4), ">i2")}, TypeError, r"^features: dtype >i2"),
        ({"features": np.ones((1, 1, 4, 4), np.int32)}, TypeError, r"^features: dtype int32"),
        ({"features": np.ones((4, 4), np.uint8)}, ValueError, r"^features: 2 dimensions"),
        ({"features": None}, TypeError, r"^features: None"),
        ({"rois": [[0, 0, np.nan, 1]]}, ValueError, r"^rois\[0\]"),
        ({"batch_indices": [3]}, ValueError, r"^batch_indices\[0\]|^rois\[0\]"),
        ({"output_size": 0}, ValueError, r"^output_size"),
        ({"layout": "CHW"}, ValueError, r"^layout"),
        ({"scale": "1"}, TypeError, r"^scale: '1' is not a real number"),
        ({"scale": [0.1, 0.2]}, TypeError, r"^scale: "),
        ({"zero_point": 1.0}, TypeError, r"^zero_point: 1.0 is not an integer"),
        ({"zero_point": True}, TypeError, r"^zero_point: True"),
        ({"formula": "caffe2"}, ValueError, r"^formula: 'caffe2' is not one of 'torchvision', 'onnx', 'tflite'"),
        ({"formula": ["onnx"]}, ValueError, r"^formula"),
        ({"dtype": "uint8"}, TypeError, r"dtype"),
        ({"reduce": "median"}, ValueError, r"^reduce"),
    ],
)
def test_bad_input_is_refused_by_name(changed, error, message):
    good = {"features": np.ones((1, 1, 4, 4), np.uint8), "rois": WHOLE, "output_size": 1, "scale": 1.0, "zero_point": 0}
    out = np.full((1, 1, 1, 1), 77, np.uint8)
    with pytest.raises(error, match=message):
        quantized.roi_align(**(good | changed), out=out)
    assert out.item() == 77


def test_names_of_operators_that_have_their_own():
    image = np.ones((1, 4, 4, 1), np.float16)
    with pytest.raises(TypeError, match=r"^image: dtype float16"):
        quantized.crop_and_resize(image, [[0, 0, 1, 1]], [0], 2, scale=1, zero_point=0)
    with pytest.raises(ValueError, match=r"^boxes\[0\]"):
        quantized.crop_and_resize(image.astype(np.int8), [[0, 0, np.inf, 1]], [0], 2, scale=1, zero_point=0)
    with pytest.raises(ValueError, match=r"^extrapolation_value: nan"):
        quantized.crop_and_resize(
            image.astype(np.int8), [[0, 0, 1, 1]], [0], 2, scale=1, zero_point=0, extrapolation_value=np.nan
        )


def test_scale_has_to_be_given():
    with pytest.raises(TypeError, match="roi_pool.*scale"):
        quantized.roi_pool(np.ones((1, 1, 4, 4), np.uint8), WHOLE, 1)


@pytest.mark.parametrize("operator", OPERATORS)
def test_signatures_are_those_of_the_namesakes(operator):
    """With the affine keywords for dtype."""
    own = inspect.signature(getattr(quantized, operator)).parameters
    native = inspect.signature(getattr(fastroi, operator)).parameters
    assert list(own)[: len(native) - 2] == [name for name in native if name not in ("dtype", "out")]
    assert set(own) - set(native) == {"scale", "zero_point", "out_scale", "out_zero_point", "formula"}
    assert all(parameter.annotation is not parameter.empty for parameter in own.values())


def test_memory_is_that_of_a_block(monkeypatch):
    """Beyond the result: a map of 8 MB is never there as a whole in int16."""
    monkeypatch.setattr(quantized, "_BLOCK_BYTES", 1 << 20)
    q = np.ones((2, 64, 256, 256), np.uint8)
    boxes = np.tile([[0, 3, 3, 90, 90]], (50, 1))
    tracemalloc.start()
    try:
        result = quantized.roi_align(q, boxes, 7, scale=0.1, zero_point=3)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < result.nbytes + (3 << 20)


def test_masks_are_no_affine_maps():
    assert not set(MASKED) & set(OPERATORS)
