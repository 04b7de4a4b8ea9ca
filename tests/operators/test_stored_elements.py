"""Maps and results of any element: the result of the widened map, rounded once, bit for bit."""

import itertools

import digests
import ml_dtypes
import numpy as np
import pytest
from digests import LAYOUTS, MASKED, OPTIONS, Case

import fastroi

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
FLOATS = (np.dtype(np.float16), BFLOAT16)
INTEGERS = tuple(map(np.dtype, (np.uint8, np.int8, np.uint16, np.int16)))
NARROW = FLOATS + INTEGERS
WIDE = (np.dtype(np.float32), np.dtype(np.float64))
POOLING = tuple(operator for operator in OPTIONS if operator not in MASKED)
SCENES_OF_ALL = ("small", "many boxes", "large map", "large bins")


def bits(array):
    return np.ascontiguousarray(array).view(f"u{array.itemsize}")


def nearest(numbers, kind):
    """`numbers`, float32 or float64, rounded to `kind` once: to nearest, ties to even, integers saturated."""
    if kind.kind in "iu":
        limits = np.iinfo(kind)
        return np.clip(np.rint(np.where(np.isnan(numbers), 0, numbers)), limits.min, limits.max).astype(kind)
    with np.errstate(all="ignore"):
        if kind != BFLOAT16 or numbers.dtype == np.float32:
            return numbers.astype(kind)
        return nearest_bfloat16(numbers)


def nearest_bfloat16(numbers):
    """ml_dtypes rounds a float64 twice; the better neighbour is looked for here."""
    first = bits(numbers.astype(np.float32).astype(BFLOAT16)).astype(np.int32)
    candidates = np.stack([first, first - 1, first + 1]).clip(0, 0xFFFF).astype(np.uint16)
    away = np.abs(candidates.view(BFLOAT16).astype(np.float64) - numbers)
    away = np.where(np.isnan(away), np.inf, away)
    best = away == away.min(axis=0)
    even = best & (candidates % 2 == 0)
    choice = np.where(even.any(axis=0), even.argmax(axis=0), best.argmax(axis=0))
    return np.take_along_axis(candidates, choice[None], 0)[0].view(BFLOAT16)


def in_layout(values, layout):
    """`values` (N, C, H, W) as digests.placed_map lays a map out."""
    if layout == "NHWC":
        return np.ascontiguousarray(values.transpose(0, 2, 3, 1))
    return digests.strided_like(values) if layout == "strided" else np.ascontiguousarray(values)


def converted(features, layout, convert):
    """A map, or the maps of a pyramid, with each cell put through `convert`."""
    if isinstance(features, list):
        return [converted(level, layout, convert) for level in features]
    return in_layout(convert(features.transpose(0, 3, 1, 2) if layout == "NHWC" else features), layout)


def stored_as(kind):
    gain = 41 if kind.kind in "iu" else 1
    return lambda values: nearest((gain * values).astype(np.float32), kind)


def result(case, options, layout, threads, convert, **more):
    """The parts of the result, in the order N, C, H, W, of the case's map put through `convert`."""
    (features, *arguments), named = digests.call_of(case, options, layout, threads)
    named.pop("out", None)
    named.update(more)
    answer = getattr(fastroi, case.operator)(converted(features, layout, convert), *arguments, **named)
    return digests.parts_of(answer, layout)


def check(case, options, layouts, kind, out_kinds, threads=2):
    """Compares a map of `kind` with its widened copy, in every layout and result."""
    store = stored_as(kind)
    wide = WIDE[kind == WIDE[1]]
    expected, *places = result(case, options, "NCHW", 1, lambda values: store(values).astype(wide))
    for layout, out_kind in itertools.product(layouts, out_kinds):
        got, *got_places = result(case, options, layout, threads, store, dtype=out_kind)
        assert got.dtype == out_kind
        assert (bits(got) == bits(nearest(expected, out_kind))).all(), (options, layout, out_kind)
        assert all((a == b).all() for a, b in zip(got_places, places, strict=True)), (options, layout)


def some(choices, turn, count):
    return [choices[(turn + i) % len(choices)] for i in range(count)]


@pytest.mark.parametrize("kind", [*NARROW, WIDE[1]], ids=str)
@pytest.mark.parametrize("operator", POOLING)
def test_results_are_those_of_the_widened_map(operator, kind, isa):
    """Options, layouts and elements of results take turns, so that each set of options meets every layout."""
    for scene in SCENES_OF_ALL:
        case = Case(operator, scene, "float64" if kind == WIDE[1] else "float32")
        options = OPTIONS[operator]
        for i, chosen in enumerate(options[:: max(1, len(options) // (7 if scene == "small" else 1))]):
            layouts = LAYOUTS if scene == "small" else some(LAYOUTS, i, 2)
            check(case, chosen, layouts, kind, some(NARROW + WIDE, i, 8 if scene == "small" else 2))


def test_results_larger_than_the_cache(isa):
    """They are written past it."""
    for operator, kind in itertools.product(("roi_pool", "roi_align"), (FLOATS[0], INTEGERS[0])):
        check(Case(operator, "large result", "float32"), {}, ("NCHW", "NHWC"), kind, (WIDE[0], kind))


@pytest.mark.parametrize("kind", NARROW + WIDE, ids=str)
def test_default_of_the_result(kind):
    features = np.ones((1, 2, 8, 8)).astype(kind)
    pooled = fastroi.roi_pool(features, [[0, 0, 7, 7]], 2)
    assert pooled.dtype == (np.float32 if kind.kind in "iu" else kind)
    assert (pooled.astype(float) == 1).all()


def test_a_result_of_another_element_has_to_be_asked_for():
    features, out = np.ones((1, 1, 8, 8), np.float32), np.empty((1, 1, 2, 2), np.float16)
    with pytest.raises(TypeError, match=r"out: dtype float16; float32 required"):
        fastroi.roi_pool(features, [[0, 0, 7, 7]], 2, out=out)
    assert fastroi.roi_pool(features, [[0, 0, 7, 7]], 2, out=out, dtype="float16") is out


@pytest.mark.parametrize("dtype", ["int32", "complex64", ">f2", np.bool_, "no type", object, (3, 4)])
def test_what_is_no_element_is_refused_by_name(dtype):
    with pytest.raises(TypeError, match=r"^dtype: "):
        fastroi.roi_pool(np.ones((1, 1, 8, 8), np.float32), [[0, 0, 7, 7]], 2, dtype=dtype)


def test_bfloat16_by_name():
    pooled = fastroi.roi_pool(np.full((1, 1, 8, 8), 1.00390625, np.float32), [[0, 0, 7, 7]], 1, dtype="bfloat16")
    assert pooled.dtype == BFLOAT16
    assert pooled.item() == 1


def test_a_mean_of_many_large_samples_is_finite():
    """Sums of float16 would pass 65504."""
    features = np.full((1, 1, 100, 100), 100, np.float16)
    assert fastroi.roi_align(features, [[0, 0, 100, 100]], 1, sampling_ratio=100, aligned=False).item() == 100
    assert fastroi.roi_pool(features, [[0, 0, 99, 99]], 1, reduce="mean").item() == 100


@pytest.mark.parametrize("kind", FLOATS, ids=str)
def test_what_lies_beyond_an_element(kind):
    features = np.float32([[[[3e38, -3e38, np.nan, 1e-30]]]])
    cells = [[x, 0, x, 0] for x in range(4)]
    got = fastroi.roi_align(features, np.array(cells) + [0, 0, 1, 1], 1, sampling_ratio=1, dtype=kind).ravel()
    assert (bits(got) == bits(nearest(features.ravel(), kind))).all()


@pytest.mark.parametrize("kind", INTEGERS, ids=str)
def test_integers_saturate(kind):
    features = np.float32([[[[3e38, -3e38, np.nan, 2.5, 3.5, -0.5, -1.5]]]])
    boxes = [[x, 0, x + 1, 1] for x in range(7)]
    got = fastroi.roi_align(features, boxes, 1, sampling_ratio=1, dtype=kind).ravel()
    limits = np.iinfo(kind)
    low = max(limits.min, -2)
    assert got.tolist() == [limits.max, limits.min, 0, 2, 4, 0, low]


# --- masks -----------------------------------------------------------------------------------------------------------------


def masks_of(kind, layout, rng):
    """(5, 9, 7) of 0 to 1; of 0 and 1 where they are integers."""
    values = rng.random((5, 9, 7))
    stored = nearest(values.astype(np.float32), kind) if kind.kind != "b" else values < 0.5
    return digests.strided_like(stored[:, None])[:, 0] if layout == "strided" else stored


@pytest.mark.parametrize("layout", ["dense", "strided"])
@pytest.mark.parametrize("kind", [np.dtype(bool), *NARROW, *WIDE], ids=str)
@pytest.mark.parametrize("operator", MASKED)
def test_masks_are_those_of_the_widened_ones(operator, kind, layout, isa, rng):
    masks = masks_of(kind, layout, rng)
    wide = masks.astype(np.float64 if kind == WIDE[1] else np.float32)
    boxes = np.sort(rng.uniform(-1, 10, (5, 2, 2)), axis=1).reshape(5, 4)
    call = getattr(fastroi, operator)
    for threshold in (0.5, 0.25):
        assert (call(masks, boxes, (6, 8), threshold) == call(wide, boxes, (6, 8), threshold)).all()
    expected = call(wide, boxes, (6, 8), None)
    own = call(masks, boxes, (6, 8), None)
    assert own.dtype == (np.float32 if kind.kind in "biu" else kind)
    for got in (own, *(call(masks, boxes, (6, 8), None, dtype=result) for result in FLOATS + WIDE)):
        assert (bits(got) == bits(nearest(expected, got.dtype))).all()


@pytest.mark.parametrize("operator", MASKED)
def test_values_of_masks_are_floats(operator):
    masks, boxes = np.ones((1, 4, 4), np.float32), [[0, 0, 4, 4]]
    with pytest.raises(TypeError, match="^dtype: uint8; the values of a mask are stored as floats"):
        getattr(fastroi, operator)(masks, boxes, (4, 4), None, dtype=np.uint8)
    with pytest.raises(ValueError, match="^dtype: .*under a threshold a result is bool"):
        getattr(fastroi, operator)(masks, boxes, (4, 4), dtype=np.float16)


@pytest.mark.parametrize("kind", INTEGERS, ids=str)
@pytest.mark.parametrize("operator", MASKED)
def test_a_share_of_one_refuses_other_integers_than_0_and_1(operator, kind):
    masks = np.zeros((2, 4, 4), kind)
    masks[1, 2, 3] = np.iinfo(kind).max
    match = rf"^masks\[1\]: cell \[2, 3\] is {np.iinfo(kind).max:g}, and a threshold in \[0, 1\] takes integer masks of 0 and 1"
    with pytest.raises(ValueError, match=match):
        getattr(fastroi, operator)(masks, [[0, 0, 4, 4]] * 2, (4, 4))
    assert not getattr(fastroi, operator)(masks, [[0, 0, 4, 4]] * 2, (4, 4), 1.5)[0].any()


@pytest.mark.parametrize("kind", NARROW, ids=str)
@pytest.mark.parametrize("channels", [1, 3, 7])
def test_few_channels(channels, kind, isa, rng):
    """They are pooled by lines."""
    values = stored_as(kind)(rng.standard_normal((1, channels, 40, 60)).astype(np.float32))
    boxes = np.sort(rng.uniform(-5, 65, (60, 2, 2)), axis=1).reshape(60, 4)
    calls = [
        lambda features, **options: fastroi.roi_pool(features, boxes, (3, 5), **options),
        lambda features, **options: fastroi.roi_pool(features, boxes, 4, reduce="mean", **options),
        lambda features, **options: fastroi.roi_align(features, boxes, (4, 3), **options),
        lambda features, **options: fastroi.roi_align(features, boxes, 3, reduce="max", **options),
        lambda features, **options: fastroi.area_pool(features, boxes, 7, **options),
    ]
    for call, layout in itertools.product(calls, LAYOUTS):
        named = {"layout": "NHWC" if layout == "NHWC" else "NCHW"}
        expected = call(in_layout(values.astype(np.float32), layout), **named)
        for out_kind in (*WIDE, kind):
            got = call(in_layout(values, layout), dtype=out_kind, **named)
            assert (bits(got) == bits(nearest(expected, out_kind))).all(), (layout, out_kind)
