"""Outputs of plain loops, one for each operator of the table, and what is found of them; a few among all operators."""

import numpy as np
import oracle
import oracle_align
import pytest
from helpers import long_share

import fastroi
from fastroi import _core

RNG = np.random.default_rng(2)
MAP = RNG.standard_normal((1, 8, 12, 14), dtype=np.float32)
LOW = RNG.uniform(-20, 130, (16, 2))
BOXES = np.hstack([LOW, LOW + RNG.uniform(12, 120, (16, 2))]).astype(np.float32)
ROIS = np.insert(BOXES, 0, 0, axis=1)
TURNED = np.column_stack([RNG.uniform(20, 190, (16, 2)), RNG.uniform(20, 110, (16, 2)), RNG.uniform(-3, 3, 16)]).astype(
    np.float32
)
OFFSETS = RNG.uniform(-2, 2, (16, 2, 2, 2)).astype(np.float32)
MASKS = RNG.random((16, 9, 9), dtype=np.float32)
PYRAMID = [RNG.standard_normal((1, 3, 64 >> level, 64 >> level), dtype=np.float32) for level in range(3)]
SIDES = np.geomspace(20, 250, 24)
LEVELLED = np.column_stack([np.linspace(0, 5, 24), np.linspace(3, 0, 24), SIDES, SIDES[::-1] ** 0.5 * SIDES**0.5])
SCALE = 1 / 16


def parts(boxes, last):
    """Boxes on the map as y1, x1, y2, x2 parts of it, between the centres of its first and last cells."""
    return boxes.astype(np.float64)[:, [1, 0, 3, 2]] * SCALE / np.tile(last, 2)


def crop(method):
    unit = parts(BOXES, (11, 13))
    return oracle_align.crop_and_resize(np.moveaxis(MAP, 1, -1), unit, [0] * 16, 2, method)[0].transpose(0, 3, 1, 2)


def levelled():
    """Each box from the level that Detectron's rule gives it."""
    out = np.zeros((len(LEVELLED), 3, 2, 1))
    for row, box in enumerate(LEVELLED):
        level = oracle_align.pyramid_level("fpn", box, 2, 4) - 2
        roi = np.insert(box, 0, 0)[None]
        out[row] = oracle_align.roi_align(PYRAMID[level], roi, (2, 1), 0.25 / 2**level, 2, True)[0][0]
    return out


def turned(function, **options):
    return function(MAP, np.insert(TURNED, 0, 0, axis=1), 2, SCALE, 2, **options)[0]


#: For each operator of the table: what its loop gives, what is asked, and options that must be among those found.
CASES = {
    "roi_pool": lambda: (oracle.roi_pool(MAP, ROIS, (2, 2), SCALE, "chainer")[0], {}, {"rule": "chainer"}),
    "roi_align": lambda: (
        oracle_align.roi_align(MAP, ROIS, 2, SCALE, 2, False, "max")[0],
        {},
        {"sampling_ratio": 2, "aligned": False, "reduce": "max"},
    ),
    "multiscale_roi_align": lambda: (
        levelled(),
        dict(features=PYRAMID, rois=LEVELLED, spatial_scale=0.25, layout="NCHW"),
        {"sampling_ratio": 2, "level_rule": "msra"},
    ),
    "ps_roi_pool": lambda: (
        oracle_align.ps_roi_pool(MAP, ROIS, 2, SCALE, 2, rule="openvino", order="bin")[0],
        {},
        {"rule": "openvino", "channel_order": "bin"},
    ),
    "ps_roi_align": lambda: (
        oracle_align.ps_roi_align(MAP, ROIS, 2, SCALE, 2, ratio=3)[0],
        {},
        {"sampling_ratio": 3},
    ),
    "roi_warp": lambda: (oracle_align.roi_warp(MAP, ROIS, 2, SCALE)[0], {}, {}),
    "prroi_pool": lambda: (oracle_align.prroi_pool(MAP, ROIS, 2, SCALE)[0], {}, {}),
    "crop_and_resize": lambda: (crop("nearest"), {}, {"method": "nearest"}),
    "roi_align_rotated": lambda: (
        turned(oracle_align.roi_align_rotated, clockwise=True),
        dict(rois=TURNED),
        {"sampling_ratio": 2, "clockwise": True},
    ),
    "riroi_align_rotated": lambda: (
        turned(oracle_align.riroi_align_rotated, orientations=4),
        dict(rois=TURNED),
        {"sampling_ratio": 2, "orientations": 4},
    ),
    "deform_roi_pool": lambda: (
        oracle_align.deform_roi_pool(MAP, ROIS, OFFSETS, 2, SCALE, 2)[0],
        dict(offset=OFFSETS),
        {"sampling_ratio": 2},
    ),
    "deform_ps_roi_pool": lambda: (
        oracle_align.deform_ps_roi_pool(MAP, ROIS, OFFSETS, 2, SCALE, 2, 2, 2, 3)[0],
        dict(trans=OFFSETS),
        {"sample_per_part": 3},
    ),
    "paste_masks": lambda: (
        oracle_align.paste_masks(MASKS, BOXES / 4, (30, 40))[0],
        dict(features=MASKS, rois=BOXES / 4, spatial_scale=None),
        {},
    ),
    "crop_masks": lambda: (
        oracle_align.crop_masks(MASKS, BOXES / 16, 3)[0],
        dict(features=MASKS, rois=BOXES / 16, spatial_scale=None),
        {},
    ),
    "area_pool": lambda: (oracle_align.area_pool(MAP, ROIS, 2, SCALE, "sum")[0], {}, {"reduce": "sum"}),
}


def identified(observed, **options):
    asked = {"features": MAP, "rois": BOXES, "spatial_scale": SCALE, "tolerance": 2e-5, **options}
    return fastroi.identify(observed=np.asarray(observed, np.float32), **asked)


def assert_found(found, name, options):
    """The operator with these options is among those that agree, as the first or as the same as it."""
    texts = [text for c in found.candidates if c.agrees for text in (c.call, *c.same)]
    own = [text for text in texts if text.startswith(f"{name}(")]
    assert any(all(f"{key}={value!r}" in text for key, value in options.items()) for text in own), found


@pytest.mark.parametrize("name", CASES)
def test_an_operator(name):
    observed, asked, options = CASES[name]()
    assert_found(identified(observed, operators=[name], **asked), name, options)


def test_every_operator_has_a_case():
    assert set(CASES) == set(_core.OPERATORS)


@pytest.mark.parametrize("name", ["roi_pool", "roi_warp", "crop_and_resize"])
def test_among_all(name):
    """An output of one operator is not taken for that of another."""
    observed, asked, options = CASES[name]()
    found = identified(observed, **asked)
    assert found.best.operator == name
    assert_found(found, name, options)


@pytest.mark.long
@pytest.mark.parametrize("name", long_share(list(CASES)))
def test_each_among_all(name):
    observed, asked, options = CASES[name]()
    assert_found(identified(observed, **asked), name, options)


def test_crops_that_end_on_the_end_of_their_boxes():
    """Bilinear samples of bilinear polynomials, the last in the last cell, where TensorFlow's rounding leads off the map."""

    def polynomials(y, x):
        y, x = y[:, None], x[None, :]
        return np.stack([y * x, y - x, 1 + y + 0 * x]).astype(np.float32)

    maps, whole = polynomials(np.arange(15.0), np.arange(15.0))[None], np.array([[0, 0, 1, 1], [0, 0, 1, 0.5]])
    ends = [np.linspace(0, 14, 14), np.linspace(0, 7, 14)]
    observed = np.stack([polynomials(ends[0], end) for end in ends])
    asked = dict(features=maps, rois=whole, spatial_scale=None, tolerance=1e-4)
    found = identified(observed, operators=["crop_and_resize"], **asked)
    assert found.best.agrees
    assert all("end='exact'" in text for c in found.candidates if c.agrees for text in (c.call, *c.same))


def test_the_level_rule_is_told_by_boxes_at_the_thresholds():
    sides = np.array([111.9, 112, 112.1, 223.9, 224, 224.1, 60, 100])
    boxes = np.column_stack([sides * 0, sides * 0, sides, sides]).astype(np.float32)
    observed = fastroi.multiscale_roi_align(PYRAMID, boxes, (2, 1), [1 / 4, 1 / 8, 1 / 16], 2, level_rule="tensorrt")
    found = identified(observed, features=PYRAMID, rois=boxes, spatial_scale=1 / 4, layout="NCHW")
    agreeing = [text for c in found.candidates if c.agrees for text in (c.call, *c.same)]
    assert agreeing and all("level_rule='tensorrt'" in text for text in agreeing)
