"""Every way to write the same boxes and scales, for every operator that takes them, and refusals that name the element."""

import numpy as np
import pytest

import fastroi

RNG = np.random.default_rng(130)
MAPS = RNG.standard_normal((3, 8, 9, 11))
UPRIGHT = ("roi_pool", "roi_align", "ps_roi_pool", "ps_roi_align", "roi_warp", "prroi_pool", "area_pool")
OFFSET = ("deform_roi_pool", "deform_ps_roi_pool")
ROTATED = ("roi_align_rotated", "riroi_align_rotated")
ALL = (*UPRIGHT, *OFFSET, *ROTATED, "multiscale_roi_align")


def pool(name, rois, scale=0.5, maps=MAPS, **options):
    if name == "multiscale_roi_align":
        return fastroi.multiscale_roi_align([maps], rois, 2, [scale], **options)
    if name in OFFSET:
        return getattr(fastroi, name)(maps, rois, None, 2, scale, **options)
    return getattr(fastroi, name)(maps, rois, 2, scale, **options)


def some_boxes(name, *shape, dtype=np.float64):
    corners = RNG.uniform(0, 8, (*shape, 2))
    numbers = [corners, corners + RNG.uniform(1, 9, (*shape, 2))]
    if name in ROTATED:
        numbers.append(RNG.uniform(-3, 3, (*shape, 1)))
    return np.concatenate(numbers, axis=-1).astype(dtype)


def one_by_one(name, tables):
    """Pooled box after box, each from its own image alone."""
    parts = [pool(name, box[None], maps=MAPS[image : image + 1]) for image, table in enumerate(tables) for box in table]
    return np.concatenate(parts)


@pytest.mark.parametrize("dtype", (np.float32, np.float64))
@pytest.mark.parametrize("name", ALL)
def test_boxes_of_each_image(name, dtype):
    boxes = some_boxes(name, 3, 4, dtype=dtype)
    expected = one_by_one(name, boxes)
    apart = np.zeros((3, 8, boxes.shape[2]), dtype)[:, ::2]
    apart[:] = boxes
    for form in (boxes, apart, boxes.tolist(), list(boxes), tuple(boxes), [table.tolist() for table in boxes]):
        assert np.array_equal(pool(name, form), expected)
    rows = [list(table) for table in boxes]  # boxes that are arrays, in a list for each image
    assert np.array_equal(pool(name, rows), expected)


@pytest.mark.parametrize("name", ALL)
def test_images_without_boxes(name):
    table, columns = some_boxes(name, 4), some_boxes(name, 0).shape[-1]
    for tables in ([table, [], table], [[], [], table], [[], table, ()], [table.tolist(), [], []]):
        arrays = [np.asarray(part).reshape(-1, columns) for part in tables]
        assert np.array_equal(pool(name, tables), one_by_one(name, arrays))
    for none in ([], (), [[], [], []], np.zeros((3, 0, columns)), [np.zeros((0, columns))] * 3):
        assert pool(name, none).shape == pool(name, np.zeros((0, columns))).shape


def test_an_empty_image_leaves_the_type_of_the_others():
    """float16 boxes stay as exact, float32 ones stay float32."""
    table = some_boxes("roi_align", 5, dtype=np.float32)
    listed = fastroi.roi_align(MAPS, [[], table, np.zeros((0, 4))], 2, arithmetic="float32")
    assert np.array_equal(listed, fastroi.roi_align(MAPS, table, 2, arithmetic="float32", batch_indices=[1] * 5))


def test_padding_is_pooled_as_any_box():
    boxes = np.zeros((3, 2, 4))
    boxes[:, 0] = some_boxes("roi_align", 3)
    pooled = fastroi.roi_align(MAPS, boxes, 2)
    assert pooled.shape == (6, 8, 2, 2)
    assert (pooled[1::2] == 0).all()


def test_out_over_three_dimensional_boxes_is_refused():
    memory = np.zeros(3 * 2 * 8 * 2 * 2)
    out = memory.reshape(6, 8, 2, 2)
    boxes = memory[:24].reshape(3, 2, 4)
    with pytest.raises(ValueError, match="out: shares memory"):
        fastroi.roi_align(MAPS, boxes, 2, out=out)


BOX = [1.0, 1.0, 5.0, 5.0]
TURNED = [*BOX, 0.5]
REFUSED = [
    ("roi_align", [[BOX], BOX, [BOX]], ValueError, r"rois\[1\]: shape \(4,\); \(Ki, 4\) required"),
    ("roi_align", [[BOX], [BOX, BOX[:3]], [BOX]], TypeError, r"rois\[1\]: cannot be read"),
    ("roi_align", [[BOX], [[]], [BOX]], ValueError, r"rois\[1\]: shape \(1, 0\)"),
    ("roi_align", [[BOX], [BOX], [TURNED]], ValueError, r"rois\[2\]: shape \(1, 5\); \(Ki, 4\) required"),
    ("roi_align", [[BOX], np.zeros(0), [BOX]], ValueError, r"rois\[1\]: shape \(0,\)"),
    ("roi_align", [[BOX], None, [BOX]], TypeError, r"rois\[1\]: None"),
    ("roi_align", [[BOX], [["a"] * 4], [BOX]], TypeError, r"rois\[1\]: dtype"),
    ("roi_align", [[[BOX]], [[BOX]], [[BOX]]], ValueError, r"rois\[0\]: shape \(1, 1, 4\)"),
    ("roi_align", [[BOX], []], ValueError, "rois: a list of 2 arrays for 3 images"),
    ("roi_align", [BOX, [], BOX], ValueError, r"rois\[1\]: \[\] among boxes of 4 numbers"),
    ("roi_align", [[], BOX], ValueError, r"rois\[0\]: \[\] among boxes of 4 numbers"),
    ("roi_align", [BOX, BOX[:3]], ValueError, r"rois\[1\]: \[1.0, 1.0, 5.0\] among boxes of 4 numbers"),
    ("roi_align", np.zeros((2, 5, 4)), ValueError, r"rois: shape \(2, 5, 4\), boxes of 2 images where there are 3"),
    ("roi_align", np.zeros((3, 5, 5)), ValueError, r"rois: shape \(3, 5, 5\); .* \(N, R, 4\) required"),
    ("roi_align_rotated", np.zeros((3, 5, 4)), ValueError, r"rois: shape \(3, 5, 4\); .* \(N, R, 5\) required"),
    ("roi_align_rotated", np.zeros((3, 5, 6)), ValueError, r"rois: shape \(3, 5, 6\)"),
    ("roi_align_rotated", [[TURNED], [BOX], []], ValueError, r"rois\[1\]: shape \(1, 4\); \(Ki, 5\) required"),
    ("deform_roi_pool", np.zeros((3, 5, 6)), ValueError, r"rois: shape \(3, 5, 6\)"),
    ("roi_align", np.zeros((1, 3, 5, 4)), ValueError, r"rois: shape \(1, 3, 5, 4\)"),
]


@pytest.mark.parametrize(("name", "rois", "error", "message"), REFUSED)
def test_refused_forms(name, rois, error, message):
    with pytest.raises(error, match=message):
        pool(name, rois)


def test_batch_indices_beside_boxes_of_each_image():
    for rois in (np.zeros((3, 2, 4)), [[BOX], [BOX], []], [[], [], []]):
        with pytest.raises(ValueError, match="batch_indices: given, but rois"):
            fastroi.roi_align(MAPS, rois, 2, batch_indices=[0] * 6)


def test_no_boxes_of_functions_that_take_images_apart():
    crops = fastroi.crop_and_resize(np.zeros((1, 4, 4, 2)), [], [], 3)
    assert crops.shape == (0, 3, 3, 2)
    assert fastroi.crop_masks(np.zeros((0, 4, 4)), [], 3).shape == (0, 3, 3)
    assert fastroi.paste_masks(np.zeros((0, 4, 4)), [], (5, 6)).shape == (0, 5, 6)
    assert fastroi.fpn_levels([], 2, 5).shape == (0,)
    for boxes in ([BOX[:3]], np.zeros(0), [[]]):
        with pytest.raises(ValueError, match="boxes: shape"):
            fastroi.fpn_levels(boxes, 2, 5)


# --- scales --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ALL)
def test_scales_of_every_kind(name):
    rois = [some_boxes(name, 2)] * 3
    expected = pool(name, rois, (0.5, 0.25))
    for scale in ([0.5, 0.25], np.array([0.5, 0.25]), np.float32([0.5, 0.25]), (np.float64(0.5), np.array(0.25))):
        assert np.array_equal(pool(name, rois, scale), expected)
    expected = pool(name, rois, 0.5)
    for scale in (np.array(0.5), np.array([0.5]), np.float32(0.5), np.float16([0.5]), (0.5, 0.5)):
        assert np.array_equal(pool(name, rois, scale), expected)


def test_sizes_of_every_kind():
    expected = fastroi.roi_align(MAPS[:1], [BOX], (2, 3), 0.5, (1, 2))
    assert np.array_equal(fastroi.roi_align(MAPS[:1], [BOX], np.array([2, 3]), 0.5, np.array([1, 2])), expected)
    expected = fastroi.roi_align(MAPS[:1], [BOX], 2, 0.5, 3)
    assert np.array_equal(fastroi.roi_align(MAPS[:1], [BOX], np.array(2), 0.5, np.array([3])), expected)


@pytest.mark.parametrize(
    ("scale", "message"),
    [
        (np.full((1, 2), 0.5), r"spatial_scale: shape \(1, 2\)"),
        (np.full((1, 1), 0.5), r"spatial_scale: shape \(1, 1\)"),
        (np.zeros(0), "spatial_scale: 0 numbers"),
        (np.full(3, 0.5), "spatial_scale: 3 numbers"),
        ([0.5], "spatial_scale: 1 numbers"),
        ([], "spatial_scale: 0 numbers"),
        (np.array([0.5, np.nan]), "spatial_scale: nan"),
        (np.array([0.0]), "spatial_scale: 0"),
    ],
)
def test_scales_that_are_refused(scale, message):
    with pytest.raises(ValueError, match=message):
        fastroi.roi_align(MAPS[:1], [BOX], 2, scale)


@pytest.mark.parametrize(
    "scale",
    ("ab", np.array(["1", "1"]), np.array([True]), np.array(True), np.array(1j), np.array("1"), None, {0.5, 0.25}),
    ids=repr,
)
def test_scales_that_are_no_numbers(scale):
    with pytest.raises(TypeError, match="spatial_scale: .* is not a real number"):
        fastroi.roi_align(MAPS[:1], [BOX], 2, scale)
