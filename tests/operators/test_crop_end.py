"""crop_and_resize with its last samples on the end of the box."""

import numpy as np
import pytest
from helpers import feature_map, from_layout, to_layout

import fastroi
from fastroi import _core


def point(low, high, p, size, cells):
    """In float32; the last of several on the end."""
    low, high, last = np.float32(low), np.float32(high), np.float32(cells - 1)
    if size == 1:
        return np.float32(0.5) * (low + high) * last
    if p == size - 1:
        return high * last
    return low * last + np.float32(p) * ((high - low) * last / np.float32(size - 1))


def line(values, v, method):
    """The value of a row of cells at v; None outside."""
    if not 0 <= v <= len(values) - 1:
        return None
    if method == "nearest":
        return values[int(np.floor(float(v) + 0.5))]
    low = int(v)
    part = float(v) - low
    return values[low] * (1 - part) + (values[low + 1] * part if part else 0)


def crop(image, box, size, method, fill):
    """One (C, H, W) image, one y1 x1 y2 x2 box."""
    channels, height, width = image.shape
    result = np.full((channels, *size), fill)
    for i in range(size[0]):
        row = line(image.transpose(1, 0, 2), point(box[0], box[2], i, size[0], height), method)
        for j in range(size[1]):
            if row is None:
                continue
            value = line(row.T, point(box[1], box[3], j, size[1], width), method)
            result[:, i, j] = fill if value is None else value
    return result


@pytest.mark.parametrize("method", ("bilinear", "nearest"))
def test_exact_end(method, isa, layout, dtype):
    rng = np.random.default_rng(3)
    for images, channels, height, width in ((2, 5, 13, 17), (1, 3, 1, 1), (1, 4, 1, 23)):
        image = feature_map(rng, (images, channels, height, width), dtype)
        boxes = rng.uniform(-0.2, 1.2, (30, 4))
        boxes[::2] = rng.choice([0.0, 0.5, 1.0, 2.0], (15, 4))
        boxes = boxes.astype(np.float32)
        index = rng.integers(0, images, 30)
        for size in ((1, 1), (3, 5), (14, 2), (1, 6)):
            crops = fastroi.crop_and_resize(
                to_layout(image, layout), boxes, index, size, method, -3.5, end="exact", layout=layout
            )
            expected = [
                crop(image[i].astype(float), box, size, method, -3.5) for i, box in zip(index, boxes, strict=True)
            ]
            np.testing.assert_allclose(from_layout(crops, layout), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("cells", (2, 3, 15, 29, 65, 1000))
def test_no_row_is_lost_of_a_whole_image(cells):
    """Under either end whole crops are ones, but for the last row and column, which rounding may lose."""
    image, lost = np.ones((1, 1, cells, cells), np.float32), 0
    for size in range(1, 70):
        exact, other = (
            fastroi.crop_and_resize(image, [[0, 0, 1, 1]], [0], size, extrapolation_value=-7, end=end, layout="NCHW")
            for end in ("exact", "tensorflow")
        )
        assert (exact == 1).all()
        assert (other[..., :-1, :-1] == 1).all()
        lost += int((other != 1).any())
    assert lost > 0 or cells in (2, 3, 65)


def test_only_the_last_row_and_column_differ(rng):
    image = rng.standard_normal((1, 2, 31, 40))
    boxes = rng.uniform(0, 1, (40, 4))
    crops = [
        fastroi.crop_and_resize(image, boxes, [0] * 40, (9, 13), end=end, layout="NCHW")
        for end in ("exact", "tensorflow")
    ]
    assert np.array_equal(crops[0][..., :-1, :-1], crops[1][..., :-1, :-1])
    assert not np.array_equal(crops[0], crops[1])


def test_plans_are_those_of_the_end():
    """The listed plan of the box whose last point is lost has its cells under the exact end only."""
    for end, found in (("exact", [(14, 14, 1.0)]), ("tensorflow", [])):
        plan = fastroi.explain((0, 0, 1, 1), 14, operator="crop_and_resize", map_size=15, end=end)
        assert list(plan.cells_of(13, 13)) == found


def test_points_of_an_axis_end_there():
    code = len(_core.OPERATORS["roi_align"].fields["aligned"].choices) + 3
    interval, grid, points = _core.axis_points(code, 0.0, 1.0, 1.0, 0, 14, 15)
    assert tuple(interval) == (0.0, 14.0)
    assert points[-1] == (13, 14.0, 1.0)
    (_, end), _, points = _core.axis_points(code - 1, 0.0, 1.0, 1.0, 0, 14, 15)
    assert end > 14
    assert points[-1][2] == 0


def test_refused_end():
    with pytest.raises(ValueError, match="end: 'last' is not one of 'tensorflow', 'exact'"):
        fastroi.crop_and_resize(np.zeros((1, 4, 4, 1)), [[0, 0, 1, 1]], [0], 2, end="last")
