"""What a mask of uint8 may hold: 0 and 1 under a threshold in [0, 1], anything else in the threshold's own unit."""

import numpy as np
import pytest
from digests import strided_like

import fastroi
from fastroi import _core

CHECK = 1  # FASTROI_CHECK of fastroi_flow
SIZE = (40, 50)
BOXES = np.array([[8.2, 6.1, 36.9, 33.4], [0, 0, 50, 40], [30, 30, 12, 9], [20.5, 20.5, 20.5, 20.5]])


def paste(masks, threshold=0.5, boxes=BOXES, **options):
    return fastroi.paste_masks(masks, boxes, (44, 52), threshold, **options)


def crop(masks, threshold=0.5, boxes=BOXES, **options):
    return fastroi.crop_masks(masks, boxes, 28, threshold, **options)


FUNCTIONS = pytest.mark.parametrize("function", [paste, crop])


@pytest.fixture
def discs():
    """A disc of radius 10 to 13 in each of four masks, True inside."""
    y, x = np.ogrid[: SIZE[0], : SIZE[1]]
    return np.stack([(y - 20) ** 2 + (x - 24) ** 2 <= (10 + n) ** 2 for n in range(4)])


@FUNCTIONS
def test_every_way_to_write_a_mask(function, discs):
    expected = function(discs)
    assert 0 < expected.sum() < expected.size
    zero_one, zero_255 = discs.astype(np.uint8), discs.astype(np.uint8) * 255
    for masks, threshold in (
        (zero_one, 0.5),
        (zero_255 > 0, 0.5),
        (zero_255 / 255, 0.5),
        (zero_255, 127.5),
        (discs.astype(np.float32), 0.5),
        (zero_255.astype(np.float32), 127.5),
    ):
        np.testing.assert_array_equal(function(masks, threshold), expected)


@FUNCTIONS
@pytest.mark.parametrize("threshold", [0, 0.5, 1])
def test_a_share_of_one_refuses_255(function, discs, threshold):
    masks = discs.astype(np.uint8)
    masks[1, 17, 23] = 255
    with pytest.raises(ValueError, match=r"masks\[1\]: cell \[17, 23\] is 255.*masks > 0, masks / 255"):
        function(masks, threshold)


@FUNCTIONS
def test_the_first_box_is_named_whatever_the_threads(function, discs):
    masks = np.repeat(discs.astype(np.uint8), 20, axis=0)
    boxes = np.repeat(BOXES[:1], 80, axis=0)
    masks[[33, 60, 79], 20, 24] = 7
    for threads in (1, 2, 8):
        with pytest.raises(ValueError, match=r"masks\[33\]: cell \[20, 24\] is 7,"):
            function(masks, boxes=boxes, num_threads=threads)


@FUNCTIONS
def test_nothing_is_written(function, discs):
    masks = discs.astype(np.uint8) * 2
    out = np.ones(function(discs).shape, bool)
    with pytest.raises(ValueError, match=r"masks\[0\]"):
        function(masks, out=out)
    assert out.all()


@FUNCTIONS
def test_values_are_in_the_masks_unit(function, discs):
    """Without a threshold, and where it is above 1."""
    soft = np.random.default_rng(3).integers(0, 256, discs.shape, np.uint8)
    values = function(soft, None)
    assert values.dtype == np.float32
    assert values.max() > 100
    np.testing.assert_array_equal(values, function(soft.astype(np.float32), None))
    np.testing.assert_array_equal(function(soft, 99.5), values >= 99.5)


@FUNCTIONS
def test_strided_masks(function, discs):
    masks = strided_like(discs.astype(np.uint8)[:, None])[:, 0]
    np.testing.assert_array_equal(function(masks), function(discs))
    masks[0, 12, 20] = 3
    with pytest.raises(ValueError, match=r"masks\[0\]: cell \[12, 20\] is 3,"):
        function(masks)


@pytest.mark.parametrize("aligned", [True, False])
def test_crop_finds_every_cell_that_it_reads(aligned):
    """One cell of 255 at a time: either it is refused, or the average does not know it."""
    rng = np.random.default_rng(4)
    boxes = np.concatenate([BOXES / 4, rng.uniform(-4, 16, (12, 4))])
    refused = 0
    for box in boxes:
        for y, x in np.ndindex(10, 12):
            mask = np.zeros((1, 10, 12), np.uint8)
            mask[0, y, x] = 255
            try:
                fastroi.crop_masks(mask, [box], 3, aligned=aligned)
            except ValueError as error:
                refused += 1
                assert f"cell [{y}, {x}]" in str(error)
            else:
                assert not fastroi.crop_masks(mask, [box], 3, None, aligned=aligned).any(), (box, y, x)
    assert refused > 100


def test_crop_does_not_look_far_from_its_box(discs):
    """Masks the size of an image are not read whole; a box without a mask's cells reads none."""
    masks = discs.astype(np.uint8)
    masks[:, 0, 0] = 255
    masks[3] = 255
    boxes = [[10, 10, 30, 30], [20, 12, 30, 40], [-90, -90, -50, -50], [1e300, -1e300, 1e300, 5]]
    np.testing.assert_array_equal(crop(masks, boxes=boxes), crop(discs, boxes=boxes))


def test_mask_indices_name_the_mask(discs):
    masks = discs.astype(np.uint8)
    masks[2] = masks[2] * 9
    with pytest.raises(ValueError, match=r"masks\[2\]: cell .* is 9,"):
        crop(masks, mask_indices=[0, 1, 2, 2])
    crop(masks, mask_indices=[0, 1, 3, 3])


@pytest.mark.parametrize("operator", ["paste_masks", "crop_masks"])
def test_a_call_that_only_checks_looks_at_the_cells(operator, discs):
    def check(masks, flow):
        out = np.zeros((4, 1, 28, 28), np.uint8)
        params = _core.Params(operator, threshold=0.5)
        _core.run(params, [masks[:, None]], 7, BOXES.view(np.uint64), None, out, 7, 1, None, flow)
        assert not out.any()

    masks = discs.astype(np.uint8)
    check(masks, CHECK)
    with pytest.raises(ValueError, match="is 2,"):
        check(masks * 2, CHECK)
    check(masks * 2, _core.CHECK_SHAPES)
