"""Which level a box belongs to, from the scales of the maps; scales of two axes; arguments that no level follows from."""

import math

import numpy as np
import pytest

import fastroi

BOXES = np.array([[0, 0, side, side] for side in (3, 60, 112, 224, 300, 448, 900, 5000)], float)


def numbered(count, shape=(1, 1, 8, 8)):
    """Maps that hold their own number."""
    return [np.full(shape, float(level)) for level in range(count)]


def chosen(scales, **options):
    """The number of the map that each box is pooled from; a tiny box lies on every one of them."""
    pooled = fastroi.multiscale_roi_align(
        numbered(len(scales), (1, 1, 1, 1)), BOXES, 1, scales, 1, "clamp_half_pixel", **options
    )
    return pooled[:, 0, 0, 0].astype(int).tolist()


def expected(scales):
    """Number k of the first map from its scale, the others follow; a box has the number of its side."""
    first = round(-math.log2(scales[0]))
    numbers = [math.floor(4 + math.log2(box[2] / 224) + 1e-6) for box in BOXES]
    return [min(max(number - first, 0), len(scales) - 1) for number in numbers]


@pytest.mark.parametrize(
    "scales",
    [
        (1 / 4, 1 / 8, 1 / 16, 1 / 32),
        (1 / 8, 1 / 16),
        (1.0, 0.5, 0.25),
        (2.0, 1.0),
        (0.26, 0.13, 0.06, 0.032),  # of maps whose sizes were rounded
        (1 / 4,),
    ],
)
def test_regular_pyramids(scales):
    assert chosen(scales) == expected(scales)
    assert chosen([(scale, scale) for scale in scales]) == expected(scales)
    assert chosen(np.array(scales)) == expected(scales)
    assert chosen(np.array(scales)[:, None]) == expected(scales)


def test_the_vertical_scale_counts():
    scales = [(1 / 8, 1 / 4), (1 / 16, 1 / 8), (1 / 32, 1 / 16)]
    assert chosen(scales) == expected([1 / 8, 1 / 16, 1 / 32])


IRREGULAR = [
    ((4, 8, 16), r"scales\[1\]: 8 is not about half of scales\[0\], 4; 1 / stride is the scale"),
    ((1 / 16, 1 / 8, 1 / 4), r"scales\[1\]: 0.125 is not about half of scales\[0\], 0.0625\."),
    ((1 / 4, 1 / 16), r"scales\[1\]: 0.0625 is not"),
    ((1 / 4, 1 / 8, 1 / 32), r"scales\[2\]: 0.03125 is not about half of scales\[1\], 0.125"),
    ((1 / 4, 1 / 4), r"scales\[1\]: 0.25 is not"),
    ((1 / 4, 1 / 8, 1 / 16, 1 / 16), r"scales\[3\]: 0.0625 is not"),
    ((1 / 4, 1 / 6, 1 / 9), r"scales\[2\]: 0.111111 is not"),  # each step is near a half, two of them are not
    ([(1 / 4, 1 / 4), (1 / 8, 1 / 4)], r"scales\[1\]: \(0.125, 0.25\) is not about half of scales\[0\], 0.25"),
    ((1e300, 1e-300), r"scales\[1\]: 1e-300 is not"),
]


@pytest.mark.parametrize(("scales", "message"), IRREGULAR)
def test_other_pyramids_need_levels(scales, message):
    with pytest.raises(ValueError, match=message):
        chosen(scales)
    levels = np.arange(len(BOXES)) % len(scales)
    assert chosen(scales, levels=levels) == levels.tolist()


@pytest.mark.parametrize(
    ("scales", "error", "message"),
    [
        ((1 / 4, 0.0), ValueError, r"scales\[1\]: 0; it must be positive and finite"),
        ((-1 / 4, 1 / 8), ValueError, r"scales\[0\]: -0.25"),
        ((1 / 4, np.nan), ValueError, r"scales\[1\]: nan"),
        ((np.inf, 1 / 4), ValueError, r"scales\[0\]: inf"),
        (((1 / 4, 1 / 4), (1 / 8, np.nan)), ValueError, r"scales\[1\]: nan"),
        ((1 / 4,), ValueError, "scales: 1 of them for 2 levels"),
        (((1 / 4, 1 / 4, 1 / 4), 1 / 8), ValueError, r"scales\[0\]: 3 numbers"),
        ((1 / 4, "x"), TypeError, r"scales\[1\]: 'x'"),
        (1 / 4, TypeError, "scales: 0.25; a sequence"),
        (np.array(1 / 4), TypeError, "scales: .*; a sequence"),
        (None, TypeError, "scales: None; a sequence"),
    ],
)
@pytest.mark.parametrize("levels", (None, [0]))
def test_refused_scales(scales, error, message, levels):
    with pytest.raises(error, match=message):
        fastroi.multiscale_roi_align(numbered(2), [[0, 0, 4, 4]], 1, scales, levels=levels)


def test_scales_of_two_axes():
    """As RoIAlign on the map of each box."""
    rng = np.random.default_rng(5)
    maps = [rng.standard_normal((2, 3, *size)) for size in ((20, 40), (10, 20), (5, 11))]
    scales = [(0.25, 0.5), (0.125, 0.25), (0.07, 0.11)]
    corners = rng.uniform(0, 60, (30, 2))
    rois = np.column_stack([rng.integers(0, 2, 30), corners, corners + rng.uniform(1, 40, (30, 2))])
    levels = rng.integers(0, 3, 30)
    for options in ({}, {"reduce": "max"}, {"aligned": False, "arithmetic": "float32"}):
        pooled = fastroi.multiscale_roi_align(maps, rois, (2, 3), scales, levels=levels, **options)
        for k, level in enumerate(levels):
            alone = fastroi.roi_align(maps[level], rois[k : k + 1], (2, 3), scales[level], **options)
            assert np.array_equal(pooled[k], alone[0])


def test_explain_takes_scales_of_two_axes():
    scales = [(0.25, 0.5), (0.125, 0.25)]
    plan = fastroi.explain(
        (0, 0, 300, 300), 2, scales, operator="multiscale_roi_align", map_size=[(90, 170), (45, 85)], sampling_ratio=1
    )
    alone = fastroi.explain((0, 0, 300, 300), 2, scales[1], operator="roi_align", map_size=(45, 85), sampling_ratio=1)
    assert plan.level == 1
    assert plan.cells_of(1, 1) == alone.cells_of(1, 1)


# --- fpn_levels ----------------------------------------------------------------------------------------------------------

HARD = np.array(
    [
        [0, 0, 1e-30, 1e-30], [0, 0, 1e30, 1e30], [0, 0, 1e-3, 1e30], [0, 0, 0, 0], [5, 5, 1, 1], [0, 0, 3e38, 3e38],
        [-3e38, -3e38, 3e38, 3e38], [0, 0, 224, 224], [3, 3, 2, 9],
    ]
)  # fmt: skip


@pytest.mark.parametrize("rule", fastroi.FPN_LEVEL_RULES)
@pytest.mark.parametrize("dtype", (np.float32, np.float64))
def test_levels_stay_in_their_range(rule, dtype):
    """Whatever the boxes and numbers, also where an area overflows."""
    extremes = ((2, 5), (-3, -3), (0, 2**31), (-(2**31), 2**31), (2**24 + 1, 2**24 + 3))
    scale = 1.0 if dtype is np.float32 else 1e150
    for low, high in extremes:
        for level in (4, -1e30, 1e30, 0.5):
            for size in (224, 1e-30, 1e30):
                levels = fastroi.fpn_levels(
                    (HARD * scale).astype(dtype), low, high, rule=rule, canonical_level=level, canonical_size=size
                )
                assert levels.dtype == np.int64
                assert ((levels >= low) & (levels <= high)).all()
    ordinary = fastroi.fpn_levels((HARD * scale).astype(dtype), 2, 5, rule=rule)
    assert ordinary[1] == ordinary[5] == 5
    assert (ordinary[[3, 8]] == 2).all()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"canonical_size": -1}, ValueError, "canonical_size: -1 is not positive"),
        ({"canonical_size": 0}, ValueError, "canonical_size: 0 is not positive"),
        ({"canonical_size": np.nan}, ValueError, "canonical_size: nan is not finite"),
        ({"canonical_size": np.inf}, ValueError, "canonical_size: inf is not finite"),
        ({"canonical_size": 1e-60}, ValueError, "canonical_size: 1e-60 is not positive in float32"),
        ({"canonical_size": 1e60}, ValueError, "canonical_size: 1e[+]60 is not finite in float32"),
        ({"canonical_size": "224"}, TypeError, "canonical_size"),
        ({"canonical_level": np.nan}, ValueError, "canonical_level: nan is not finite"),
        ({"canonical_level": -np.inf}, ValueError, "canonical_level: -inf is not finite"),
        ({"canonical_level": None}, TypeError, "canonical_level"),
        ({"min_level": np.nan}, TypeError, "min_level: nan is not an integer"),
        ({"max_level": 5.0}, TypeError, "max_level: 5.0 is not an integer"),
        ({"min_level": True}, TypeError, "min_level: True is not an integer"),
        ({"min_level": 6}, ValueError, "min_level: 6 exceeds max_level 5"),
        ({"max_level": 2**31 + 1}, ValueError, "max_level: 2147483649 is not between"),
        ({"min_level": -(2**70)}, OverflowError, "min_level"),
    ],
)
def test_refused_arguments_of_fpn_levels(arguments, error, message):
    with pytest.raises(error, match=message):
        fastroi.fpn_levels(np.float32([[0, 0, 9, 9]]), **{"min_level": 2, "max_level": 5, **arguments})


@pytest.mark.parametrize("name", ("canonical_level", "canonical_size"))
def test_multiscale_refuses_what_fpn_levels_refuses(name):
    with pytest.raises(ValueError, match=f"{name}: nan is not finite"):
        fastroi.multiscale_roi_align(numbered(1), [[0, 0, 4, 4]], 1, [1 / 4], **{name: np.nan})
