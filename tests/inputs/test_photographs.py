"""A photograph in the other layout: what refuses it says so, and what takes it as a map still does."""

import numpy as np
import pytest

import fastroi

PHOTO = np.zeros((40, 60, 3), np.uint8)
BOXES, TURNED = [[0, 0, 9, 9]], [[5, 5, 4, 4, 0]]
LAST, FIRST = r"looks like rows, columns, colours: layout='NHWC'", r"looks like colours, rows, columns: layout='NCHW'"


def photo(*shape, dtype=np.float32):
    return np.zeros(shape, dtype)


REFUSED = [
    (ValueError, LAST, lambda: fastroi.roi_pool(PHOTO, BOXES, 2)),
    (ValueError, LAST, lambda: fastroi.roi_align(PHOTO.astype(np.uint16), BOXES, 2)),
    (ValueError, LAST, lambda: fastroi.roi_align_rotated(photo(40, 60, 4, dtype=np.uint16), TURNED, 2)),
    (TypeError, LAST, lambda: fastroi.deform_roi_pool(photo(40, 60, 1, dtype=int), BOXES, None, 2)),
    (ValueError, LAST, lambda: fastroi.multiscale_roi_align([PHOTO], BOXES, 2, [1])),
    (ValueError, FIRST, lambda: fastroi.crop_and_resize(PHOTO.transpose(2, 0, 1), [[0, 0, 1, 1]], [0], 2)),
    (ValueError, LAST, lambda: fastroi.ps_roi_pool(photo(41, 60, 3), BOXES, 2)),
    (ValueError, FIRST, lambda: fastroi.ps_roi_align(photo(4, 60, 45), BOXES, 2, layout="NHWC")),
    (ValueError, LAST, lambda: fastroi.deform_ps_roi_pool(photo(1, 41, 60, 3), BOXES, None, 2)),
    (ValueError, LAST, lambda: fastroi.riroi_align_rotated(photo(41, 60, 3), TURNED, 2)),
    (
        ValueError,
        LAST,
        lambda: fastroi.multiscale_roi_align([photo(40, 60, 3), photo(20, 30, 3)], BOXES, 2, [1, 0.5]),
    ),
    (ValueError, LAST, lambda: fastroi.roi_pool(photo(40, 60, 3), BOXES, 2, out=photo(1, 3, 2, 2))),
]


@pytest.mark.parametrize(("error", "hint", "call"), REFUSED)
def test_a_refusal_names_the_layout(error, hint, call):
    with pytest.raises(error, match=hint):
        call()


@pytest.mark.parametrize("shape", [(3, 40, 60), (2, 256, 40, 60), (3, 4, 3), (40, 60), ()])
def test_other_refusals_do_not(shape):
    with pytest.raises(TypeError) as caught:
        fastroi.roi_pool(photo(*shape, dtype=int), BOXES, 2)
    assert "layout" not in str(caught.value)


def test_an_axis_of_images_says_that_a_map_is_meant():
    assert fastroi.roi_pool(PHOTO[None], BOXES, 2).shape == (1, 40, 2, 2)
    assert fastroi.roi_pool(PHOTO.astype(np.int16), BOXES, 2).shape == (1, 40, 2, 2)


@pytest.mark.parametrize("shape", [(3, 40, 60), (1, 256, 40, 60), (3, 4, 3), (2, 40, 60)])
def test_integers_of_no_photograph_in_the_other_layout_are_maps(shape):
    assert fastroi.roi_pool(photo(*shape, dtype=np.uint8), BOXES, 2).shape == (1, shape[-3], 2, 2)


def test_a_map_of_three_columns_is_a_map():
    features = np.random.default_rng(0).random((40, 60, 3))
    pooled = fastroi.roi_pool(features, [[0, 0, 2, 9]], 1)
    assert np.array_equal(pooled[0, :, 0, 0], features[:, :10].max((1, 2)))
    assert np.array_equal(
        fastroi.roi_pool(features, [[0, 0, 9, 9]], 1, layout="NHWC")[0, 0, 0], features[:10, :10].max((0, 1))
    )
