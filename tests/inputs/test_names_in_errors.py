"""Every error of a native function begins with an argument of that function, and speaks of no other's."""

import inspect
import re

import numpy as np
import pytest

import fastroi
from fastroi._core import OPERATORS

MAP = np.arange(2 * 8 * 6 * 7, dtype=np.float32).reshape(2, 8, 6, 7)
BOX = np.array([[0.0, 0.0, 4.0, 4.0], [1.0, 1.0, 5.0, 4.0], [2.0, 0.0, 6.0, 3.0]])
TURNED = np.array([[3.0, 3.0, 4.0, 2.0, 0.3]] * 3)
INDEX = np.array([0, 1, 1])
MASKS = np.ones((3, 5, 6), np.float32)
POOLED = {"features": MAP, "rois": BOX, "output_size": 2, "batch_indices": INDEX}

#: A good call of each; that none is left out is a test against the table of operators.
CALLS = {
    "roi_pool": POOLED,
    "roi_align": POOLED,
    "ps_roi_pool": POOLED,
    "ps_roi_align": POOLED,
    "roi_warp": POOLED,
    "prroi_pool": POOLED,
    "area_pool": POOLED,
    "roi_align_rotated": {**POOLED, "rois": TURNED},
    "riroi_align_rotated": {**POOLED, "rois": TURNED},
    "deform_roi_pool": {**POOLED, "offset": np.zeros((3, 2, 2, 2), np.float32)},
    "deform_ps_roi_pool": {**POOLED, "trans": np.zeros((3, 2, 2, 2), np.float32)},
    "crop_and_resize": {"image": MAP, "boxes": BOX / 8, "box_indices": INDEX, "crop_size": 2, "layout": "NCHW"},
    "multiscale_roi_align": {
        "feature_pyramid": [MAP, MAP[:, :, ::2, ::2]],
        "rois": BOX,
        "output_size": 2,
        "scales": [0.5, 0.25],
        "batch_indices": INDEX,
    },
    "fpn_levels": {"boxes": BOX, "min_level": 2, "max_level": 5},
    "paste_masks": {"masks": MASKS, "boxes": BOX, "image_size": (8, 9)},
    "crop_masks": {"masks": MASKS, "boxes": BOX, "output_size": 2, "mask_indices": np.array([0, 2, 1])},
}
#: Words that are names of arguments and nothing else.
NAMES = {
    name
    for function in CALLS
    for name in inspect.signature(getattr(fastroi, function)).parameters
    if "_" in name or name in ("features", "rois")
}


def bad_values(value):
    """What an argument cannot be, among it arrays and lists like this one with a fault."""
    yield from (
        None,
        "x",
        2.5,
        -1,
        0,
        2**70,
        float("nan"),
        (1, 2, 3),
        {"0": value},
        [[1], [1, 2]],
        np.zeros((2, 2, 2, 2, 2)),
    )
    yield from (np.zeros(3, complex), np.ma.zeros((3, 4)))
    if isinstance(value, list):
        for changed in bad_values(value[-1]):
            yield [*value[:-1], changed]
    if isinstance(value, np.ndarray):
        yield from (value[:-1], value[..., :-1], value[None], value.astype(np.float16), value.astype(complex))
        yield from (value + 7, value - 7, value[..., :0, :] if value.ndim > 1 else value * 0.5)
        if value.dtype.kind == "f":
            broken = value.copy()
            broken[-1] = np.nan
            yield broken


def refusals(function, arguments, changes):
    for name, value in changes:
        try:
            function(**{**arguments, name: value})
        except (ValueError, TypeError, OverflowError) as error:
            yield name, str(error)


def test_table_is_complete():
    assert {*OPERATORS, "fpn_levels"} == set(CALLS)


@pytest.mark.parametrize("name", CALLS)
def test_errors_name_own_arguments(name):
    function, arguments = getattr(fastroi, name), CALLS[name]
    own = set(inspect.signature(function).parameters)
    function(**arguments)
    found = [
        refusal
        for changed in own
        for refusal in refusals(function, arguments, [(changed, bad) for bad in bad_values(arguments.get(changed))])
    ]
    for changed, message in found:
        assert re.match(r"\w+", message)[0] in own, (changed, message)
        assert not (NAMES - own) & set(re.findall(r"\w+", message)), (changed, message)
    assert {changed for changed, _ in found} == own


@pytest.mark.parametrize("name", CALLS)
def test_wrong_row_is_named(name):
    """The core's own messages, which know no function."""
    function, arguments = getattr(fastroi, name), CALLS[name]
    boxes = next(key for key in ("rois", "boxes") if key in arguments)
    broken = arguments[boxes].copy()
    broken[2, 1] = np.inf
    with pytest.raises(ValueError, match=rf"^{boxes}\[2\]: "):
        function(**{**arguments, boxes: broken})
    for key in {"batch_indices", "box_indices", "mask_indices"} & set(arguments):
        with pytest.raises(ValueError, match=rf"^{key}\[2\]: batch index 9 is "):
            function(**{**arguments, key: [0, 1, 9]})


def test_pyramid_is_a_list_of_maps():
    arguments = CALLS["multiscale_roi_align"]
    for wrong, kind in (({"0": MAP}, "dict"), (None, "NoneType"), ("maps", "str"), (3, "int")):
        with pytest.raises(TypeError, match=f"^feature_pyramid: a {kind}; a list of maps required"):
            fastroi.multiscale_roi_align(**{**arguments, "feature_pyramid": wrong})
    with pytest.raises(TypeError, match=r"^feature_pyramid\[1\]: dtype int32 "):
        fastroi.multiscale_roi_align(**{**arguments, "feature_pyramid": [MAP, MAP.astype(np.int32)]})
    with pytest.raises(ValueError, match=r"^feature_pyramid\[1\]: 2 dimensions"):
        fastroi.multiscale_roi_align(**{**arguments, "feature_pyramid": [MAP, MAP[0, 0]]})


@pytest.mark.parametrize(("name", "value"), (("level_rule", "msra"), ("canonical_level", 3), ("canonical_size", 112)))
def test_nothing_decides_levels_that_are_given(name, value):
    arguments = CALLS["multiscale_roi_align"]
    with pytest.raises(ValueError, match=f"^{name}: .*{value}.* beside levels"):
        fastroi.multiscale_roi_align(**arguments, levels=[0, 1, 0], **{name: value})
    fastroi.multiscale_roi_align(**arguments, **{name: value})


def test_quoted_values_keep_their_words():
    with pytest.raises(ValueError, match="^method: 'rois' is not one of 'bilinear', 'nearest'$"):
        fastroi.crop_and_resize(**CALLS["crop_and_resize"], method="rois")


def test_threads_are_1_to_1024():
    for value in (0, 1025):
        with pytest.raises(ValueError, match=rf"^num_threads: {value} is outside \[1, 1024\]"):
            fastroi.roi_align(**POOLED, num_threads=value)
    fastroi.roi_align(**POOLED, num_threads=1024)
