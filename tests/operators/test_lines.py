"""Maps of few channels: a map cut down to c channels gives the bits that these channels give among many, whatever lies between
its numbers, on every instruction set and with any number of threads."""

from pathlib import Path

import numpy as np
import pytest
from numpy.lib.stride_tricks import as_strided

import fastroi
from benchmarks import lines, paths

MANY = 48  # channels as lanes, always
POOL_RULES = ("floor", "fast_rcnn", "fast_rcnn_f64", "chainer", "acl", "mmcv", "mnn", "opencv")
SIZES = ((7, 7), (1, 1), (3, 5), (17, 2), (2, 33))


def boxes(height, width, seed, count=12):
    """Boxes of all sizes, also flipped, without extent, outside the map, and with not a number in them."""
    random = np.random.default_rng(seed)
    corners = random.uniform(-0.3, 1.3, (count, 2, 2)) * (width, height)
    corners[:2, 1] = corners[:2, 0] + random.uniform(0, 3, (2, 2))
    rois = corners.reshape(count, 4)
    rois[2] = rois[2, [2, 3, 0, 1]]
    rois[3, 2:] = rois[3, :2]
    rois[4] += 10 * width
    rois[5] = (0, 0, width, height)
    return rois.astype(np.float32)


def awkward_map(height, width, dtype, seed):
    """(1, MANY, height, width): normal values, and channels with infinities, subnormals and not a number among them."""
    random = np.random.default_rng(seed)
    values = random.standard_normal((1, MANY, height, width)).astype(dtype)
    odd = np.array([np.nan, np.inf, -np.inf, 3e-42, -3e-42, 3e38], dtype)
    where = random.random(values.shape) < 0.02
    where[:, ::3] = False
    values[where] = random.choice(odd, where.sum())
    values[0, 1] = np.nan
    values[0, 2] = -np.inf
    return values


CALLS = {
    **{
        f"roi_pool_{rule}": lambda m, b, size, rule=rule, **k: fastroi.roi_pool(m, b, size, 0.9, rule=rule, **k)
        for rule in POOL_RULES
    },
    "roi_pool_mean": lambda m, b, size, **k: fastroi.roi_pool(m, b, size, 0.9, reduce="mean", **k),
    "roi_align": lambda m, b, size, **k: fastroi.roi_align(m, b, size, 0.9, 2, **k),
    "roi_align_adaptive": lambda m, b, size, **k: fastroi.roi_align(m, b, size, 0.9, 0, aligned=True, **k),
    **{
        f"roi_align_{reduce}": lambda m, b, size, reduce=reduce, **k: fastroi.roi_align(
            m, b, size, 0.9, 2, reduce=reduce, **k
        )
        for reduce in ("max", "max_corners", "max_from_zero", "max_inside")
    },
    "roi_warp": lambda m, b, size, **k: fastroi.roi_warp(m, b, size, 0.9, **k),
    "prroi_pool": lambda m, b, size, **k: fastroi.prroi_pool(m, b, size, 0.9, **k),
    "area_pool_mean": lambda m, b, size, **k: fastroi.area_pool(m, b, size, 0.9, **k),
    "area_pool_sum": lambda m, b, size, **k: fastroi.area_pool(m, b, size, 0.9, reduce="sum", **k),
    "crop_and_resize": lambda m, b, size, **k: fastroi.crop_and_resize(
        m, b[:, [1, 0, 3, 2]] / m.shape[2 if k["layout"] == "NCHW" else 1], np.zeros(len(b), np.int64), size,
        extrapolation_value=7.5, **k,
    ),
    "crop_nearest": lambda m, b, size, **k: fastroi.crop_and_resize(
        m, b[:, [1, 0, 3, 2]] / m.shape[2 if k["layout"] == "NCHW" else 1], np.zeros(len(b), np.int64), size, "nearest", **k
    ),
}  # fmt: skip


def interleaved(values):
    return np.ascontiguousarray(values.transpose(0, 2, 3, 1))


def spread(values, gaps):
    """A copy whose numbers have others between them: as many on each axis as `gaps` says."""
    shape = [extent * (gap + 1) for extent, gap in zip(values.shape, gaps, strict=True)]
    memory = np.full(shape, np.nan, values.dtype)
    view = memory[tuple(slice(0, None, gap + 1) for gap in gaps)]
    view[...] = values
    return view


def mirrored(values):
    """A copy whose rows and columns lie backwards in memory."""
    axes = (slice(None), slice(None), slice(None, None, -1), slice(None, None, -1))
    return np.ascontiguousarray(values[axes])[axes]


def unaligned(values):
    """A copy that no number of begins where its type would have it."""
    memory = np.zeros(values.nbytes + 1, np.uint8)[1:]
    view = np.ndarray(values.shape, values.dtype, memory.data)
    view[...] = values
    return view


FORMS = {
    "NCHW": ("NCHW", np.ascontiguousarray),
    "NHWC": ("NHWC", interleaved),
    "NCHW spread": ("NCHW", lambda v: spread(v, (0, 1, 0, 2))),
    "NHWC spread": ("NHWC", lambda v: spread(interleaved(v), (0, 1, 1, 0))),
    "NHWC apart": ("NHWC", lambda v: spread(interleaved(v), (0, 0, 0, 1))),
    "NCHW mirrored": ("NCHW", mirrored),
    "NHWC mirrored": ("NHWC", lambda v: mirrored(v.transpose(0, 2, 3, 1))),
    "NCHW in NHWC": ("NCHW", lambda v: interleaved(v).transpose(0, 3, 1, 2)),
    "NHWC in NCHW": ("NHWC", lambda v: np.ascontiguousarray(v).transpose(0, 2, 3, 1)),
    "NCHW unaligned": ("NCHW", unaligned),
}


def bits(values):
    """All numbers as integers; of not a number only that it is none, and of 0 and -0 the one."""
    values = np.where(np.isnan(values), np.array(np.nan, values.dtype), values) + np.array(0, values.dtype)
    return np.ascontiguousarray(values).view(f"i{values.itemsize}")


def assert_same_as_among_many(name, form, dtype, channels, size, seed, extents=(37, 53)):
    layout, shaped = FORMS[form]
    values = awkward_map(*extents, dtype, seed)
    rois = boxes(*extents, seed)
    among_many = CALLS[name](values, rois, size, layout="NCHW", num_threads=1)
    for first in (0, 1, 5):
        alone = shaped(values[:, first : first + channels])
        for threads in (1, 2):
            got = CALLS[name](alone, rois, size, layout=layout, num_threads=threads)
            if layout == "NHWC":
                got = got.transpose(0, 3, 1, 2)
            expected = among_many[:, first : first + channels]
            np.testing.assert_array_equal(bits(got), bits(expected), err_msg=f"{name} {form} {channels} {size}")


@pytest.mark.parametrize("isa", fastroi.simd.supported())
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", CALLS)
def test_few_channels_give_the_bits_that_they_give_among_many(name, dtype, isa):
    seed = sum(map(ord, name + dtype + isa))
    with fastroi.simd.use(isa):
        for i, form in enumerate(FORMS):
            channels, size = (1, 3, 4, 2, 7, 1, 3)[(seed + i) % 7], SIZES[(seed + i) % len(SIZES)]
            assert_same_as_among_many(name, form, dtype, channels, size, seed + i)


@pytest.mark.long
@pytest.mark.parametrize("isa", fastroi.simd.supported())
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", CALLS)
def test_every_number_of_channels_form_and_size(name, dtype, isa):
    with fastroi.simd.use(isa):
        for form in FORMS:
            for channels in (1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32):
                for extents in ((37, 53), (1, 700), (300, 3)):
                    size = SIZES[(channels + len(form)) % len(SIZES)]
                    assert_same_as_among_many(name, form, dtype, channels, size, channels, extents)


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("channels", [1, 3])
def test_widest_boxes_are_reduced_in_strips(channels, layout):
    """More columns than are transposed at a time, bins that begin in one strip and end in another."""
    values = np.random.default_rng(3).standard_normal((1, MANY, 5, 3000)).astype(np.float32)
    rois = np.float32([[0, 0, 2999, 4], [250.5, 1, 2600.25, 3.5], [2999, 4, 0, 0], [100, 0, 612, 4]])
    for name in CALLS:
        expected = CALLS[name](values, rois, (3, 5), layout="NCHW")[:, :channels]
        few = values[:, :channels] if layout == "NCHW" else interleaved(values[:, :channels])
        got = CALLS[name](few, rois, (3, 5), layout=layout)
        got = got if layout == "NCHW" else got.transpose(0, 3, 1, 2)
        np.testing.assert_array_equal(bits(got), bits(expected), err_msg=name)


def test_maps_of_zero_strides_and_one_row():
    cell = np.float32([2.5])
    maps = as_strided(cell, (1, 1, 1 << 12, 1 << 12), (0, 0, 0, 0))
    rois = np.float32([[0, 0, 4000, 4000], [5, 5, 6, 6]])
    for name in ("roi_pool_floor", "roi_pool_mean", "roi_align_adaptive", "area_pool_mean"):
        np.testing.assert_allclose(CALLS[name](maps, rois, (2, 3), layout="NCHW"), 2.5, rtol=1e-4, err_msg=name)


@pytest.mark.parametrize("isa", fastroi.simd.supported())
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("channels", [1, 3, 8])
def test_places_of_maxima_are_those_among_many(channels, form, isa):
    layout, shaped = FORMS[form]
    values, rois = np.round(awkward_map(37, 53, np.float32, 2)), boxes(37, 53, 2)  # with ties
    with fastroi.simd.use(isa):
        for rule in ("floor", "fast_rcnn"):
            expected = fastroi.roi_pool(values, rois, (5, 6), 0.9, rule=rule, layout="NCHW", return_argmax=True)
            got = fastroi.roi_pool(
                shaped(values[:, :channels]), rois, (5, 6), 0.9, rule=rule, layout=layout, return_argmax=True
            )
            for few, many in zip(got, expected, strict=True):
                few = few.transpose(0, 3, 1, 2) if layout == "NHWC" else few
                np.testing.assert_array_equal(few, many[:, :channels])


@pytest.mark.parametrize("out_layout", ["NCHW", "NHWC"])
def test_results_go_to_any_strides_and_nowhere_else(out_layout):
    values = awkward_map(37, 53, np.float32, 1)[:, 6:9]
    rois = boxes(37, 53, 1)
    few = values if out_layout == "NCHW" else interleaved(values)
    expected = CALLS["roi_pool_floor"](few, rois, (5, 4), layout=out_layout)
    memory = np.full([2 * extent for extent in expected.shape], 77, np.float32)
    out = memory[::2, ::2, ::2, ::2]
    CALLS["roi_pool_floor"](few, rois, (5, 4), layout=out_layout, out=out)
    np.testing.assert_array_equal(out, expected)
    out[...] = 77
    assert (memory == 77).all()


DICTATED = """
import sys
sys.path += [%r, %r]
from benchmarks import lines
import test_lines as t
core = lines.dictated_core()
compared = 0
for channels in range(1, 33):
    for isa in t.fastroi.simd.supported():
        for i, name in enumerate(t.CALLS):
            form, dtype = list(t.FORMS)[(channels + i) %% len(t.FORMS)], ("float32", "float64")[(channels + i) %% 2]
            layout, shaped = t.FORMS[form]
            maps = shaped(t.awkward_map(23, 61, dtype, channels)[:, :channels])
            size, results = t.SIZES[(channels + i) %% len(t.SIZES)], []
            with t.fastroi.simd.use(isa):
                for lanes in (lines.CHANNELS, lines.LINES):
                    core.dictate_lanes(lanes)
                    results.append(t.bits(t.CALLS[name](maps, t.boxes(23, 61, channels), size, layout=layout)))
            assert (results[0] == results[1]).all(), (name, form, dtype, channels, isa)
            compared += 1
print(compared)
"""


@pytest.mark.native
def test_lines_and_channels_as_lanes_give_the_same_bits():
    """Up to as many channels as lines are ever chosen for, also where they would not be."""
    here = Path(__file__).resolve().parent
    statements = DICTATED % (str(here), str(here.parent / "support"))
    done = paths.run_dictated(statements, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout) >= 32 * len(CALLS)


def test_a_choice_that_takes_longer_is_marked():
    name, case = next(lines.grid(lines.OPERATORS, [3], [12]))
    seconds = {lines.CHANNELS: 2.0, lines.LINES: 1.0}
    points = [lines.Point(name, case, "NCHW", chosen, seconds, {}) for chosen in seconds]
    assert [point.regret for point in points] == [2, 1]
    assert ["**above**" in lines.row(point) for point in points] == [True, False]
    assert lines.summary(points).startswith("2 points, 1 above")
