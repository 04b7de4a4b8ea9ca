"""Rules at places where a slip of one character would go unseen: exact borders, large products, weights that underflow.

Each of these is what stands between a mutant of tools/mutants.py and the user.
"""

import numpy as np
import pytest

import fastroi

NAN = float("nan")


def numbered(*shape, dtype=np.float32):
    return np.arange(np.prod(shape), dtype=dtype).reshape(shape)


def first_value(pooled):
    return float(np.ravel(pooled)[0])


# --- levels ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", [2, 3, -1, 2**40])
def test_a_level_that_the_pyramid_lacks(level):
    pyramid = [np.ones((1, 1, 8, 8), np.float32), np.ones((1, 1, 4, 4), np.float32)]
    with pytest.raises(ValueError, match=rf"levels\[1\]: {level} is outside \[0, 2\)"):
        fastroi.multiscale_roi_align(pyramid, [[0, 0, 4, 4]] * 3, 1, [1, 0.5], levels=[1, level, 0])


# --- products of bins and cells ------------------------------------------------------------------------------------------

MANY = 60_001  # bins whose number, squared, passes 2^31 and 2^32 / 2


@pytest.mark.parametrize("sign", [1, -1], ids=["ends", "starts"])
def test_many_bins_of_the_exact_rule(sign):
    """floor(p n / P) and ceil((p + 1) n / P), in integers of any size: where maps that rise or fall have their maxima."""
    cells = MANY - 1
    features = sign * numbered(1, 1, 1, cells)
    box = [[0, 0, cells - 1, 0]]
    _, argmax = fastroi.roi_pool(features, box, (1, MANY), rule="fast_rcnn", return_argmax=True)
    ends = [-(-(p + 1) * cells // MANY) - 1 for p in range(MANY)]
    starts = [p * cells // MANY for p in range(MANY)]
    assert argmax.ravel().tolist() == (ends if sign > 0 else starts)


def test_many_bins_of_the_floor_rule():
    cells = MANY - 1
    pooled = fastroi.roi_pool(numbered(1, 1, 1, cells), [[0, 0, cells, 0]], (1, MANY), rule="floor")
    assert pooled.ravel().tolist() == [p * cells // MANY for p in range(MANY)]


def test_many_groups():
    """Bin p reads group floor(p G / P), and each group is a channel."""
    groups = MANY - 1
    features = numbered(1, groups, 1, 1)
    pooled = fastroi.ps_roi_pool(features, [[0, 0, 0, 0]], (1, MANY), group_size=(1, groups))
    assert pooled.ravel().tolist() == [p * groups // MANY for p in range(MANY)]


def test_many_parts():
    """Bin p is moved by part floor(p G / P): here each by its own number of cells."""
    parts = MANY - 1
    trans = np.zeros((1, 2, 1, parts))
    trans[0, 0, 0] = np.arange(parts)
    box = [[0, 0, 0, 0]]
    pooled = fastroi.deform_ps_roi_pool(
        numbered(1, 1, 1, MANY, dtype=np.float64), box, trans, (1, MANY), group_size=1, part_size=(1, parts),
        sample_per_part=1, trans_std=1,
    )  # fmt: skip
    moved = np.array([p * parts // MANY for p in range(MANY)])
    assert np.abs(pooled.ravel() - np.clip(moved - 0.5 + np.arange(MANY) / MANY, 0, None)).max() < 1e-9


# --- weights that are nothing in float32 ---------------------------------------------------------------------------------

BESIDE_NAN = np.array([[[[5, NAN, NAN], [NAN, NAN, NAN], [NAN, NAN, NAN]]]], np.float32)
TINY = 1e-60  # of a cell: a weight in float64, none in float32


@pytest.mark.parametrize(
    "call",
    {
        "roi_align": lambda m: fastroi.roi_align(m, [[0, 0, 2 * TINY, 2 * TINY]], 1, 1.0, 1, "clamp_output_half_pixel"),
        "roi_align_rotated": lambda m: fastroi.roi_align_rotated(m, [[TINY, TINY, 1, 1, 0]], 1, 1.0, 1, aligned=False),
        "roi_align_rotated of many points": lambda m: fastroi.roi_align_rotated(
            m, [[0.5, 0.5, TINY, TINY, 0]], 1, 1.0, 4
        ),
        "deform_ps_roi_pool": lambda m: fastroi.deform_ps_roi_pool(
            m, [[1, 1, 1, 1]], np.full((1, 2, 1, 1), TINY), 1, 0.5, sample_per_part=1, trans_std=1
        ),
    }.items(),
    ids=lambda item: item[0],
)
def test_a_weight_that_underflows_reads_no_cell(call):
    assert first_value(call[1](BESIDE_NAN)) == 5


@pytest.mark.parametrize(
    ("angle", "values"), [(0, [5, NAN, NAN, NAN]), (-1e-10, [NAN, NAN, 5, NAN]), (np.pi / 2, [NAN, NAN, NAN, 5])]
)
def test_an_orientation_of_no_weight_is_not_read(angle, values):
    """Orientation 0 mixes two: the second weighs nothing after a turn by whole orientations, the first where a share rounds to 1 in float32."""
    features = np.array(values, np.float32).reshape(1, 4, 1, 1) * np.ones((1, 1, 3, 3), np.float32)
    box = [[1, 1, 1, 1, angle]]
    pooled = fastroi.riroi_align_rotated(features, box, 1, 1.0, 1, orientations=4, arithmetic="float32")
    assert first_value(pooled) == 5


# --- borders that belong to the map ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("at", "expected"), [(-1, 3), (4, 7), (np.nextafter(-1, -2), 0), (np.nextafter(4, 5), 0)])
def test_the_zone_around_a_map_includes_its_border(at, expected):
    """A point at -1 takes the first cell, one at the extent the last; the next number beyond is off the map."""
    features = np.array([3, 0, 0, 7.0]).reshape(1, 1, 1, 4)
    half = 0.5 + at
    assert first_value(fastroi.roi_align(features, [[half, 0.5, half, 0.5]], 1, 1.0, 1)) == expected


@pytest.mark.parametrize(("at", "expected"), [(-1, 3), (4, 7), (-2, 0), (5, 0)])
def test_the_border_of_a_row_of_turned_points(at, expected):
    """Rows of many points are searched for those on the map."""
    features = np.array([3, 0, 0, 7.0]).reshape(1, 1, 1, 4)
    pooled = fastroi.roi_align_rotated(features, [[0.5 + at, 0.5, 0, 0, 0]], 1, 1.0, (1, 100))
    assert first_value(pooled) == pytest.approx(expected)


@pytest.mark.parametrize(("trans", "expected"), [(0, 3), (4, 7), (4.000001, 0), (-0.000001, 0)])
def test_deformable_parts_on_the_border_of_the_map(trans, expected):
    """One point at -0.5 + trans * extent, where the extent is a cell."""
    features = np.array([3, 0, 0, 7.0]).reshape(1, 1, 1, 4)
    offsets = np.array([trans, 0.5]).reshape(1, 2, 1, 1)
    pooled = fastroi.deform_ps_roi_pool(features, [[0, 0, 0, 0]], offsets, 1, sample_per_part=1, trans_std=1)
    assert first_value(pooled) == expected


def test_the_border_of_roi_warp():
    """Corners are whole cells, so only a bin's share reaches -0.5 and extent - 0.5."""
    features = np.array([3, 1, 1, 7.0]).reshape(1, 1, 1, 4)
    assert fastroi.roi_warp(features, [[-1, 0, 0, 0]], (1, 2))[0, 0, 0].tolist() == [0, 3]
    assert fastroi.roi_warp(features, [[3, 0, 4, 0]], (1, 2))[0, 0, 0].tolist() == [7, 7]
    assert fastroi.roi_warp(features, [[4, 0, 5, 0]], (1, 2))[0, 0, 0].tolist() == [0, 0]


def test_torchvision_never_pools_the_last_row_and_column():
    features = np.ones((1, 1, 4, 4), np.float32)
    features[..., 3, :] = features[..., 3] = 100
    box = [[0, 0, 4, 4]]
    assert first_value(fastroi.ps_roi_pool(features, box, 1, rule="torchvision")) == 1
    assert first_value(fastroi.ps_roi_pool(features, box, 1, rule="openvino")) > 1
    assert fastroi.ps_roi_pool(features, [[3, 3, 4, 4]], 1, rule="torchvision").tolist() == [[[[0]]]]


def test_openvino_adds_the_one_before_it_rounds():
    """round(-0.5 + 1) is 1, and round(-0.5) + 1 is 0: a box of one cell or of a tenth of one, which is not at cell 0."""
    features = numbered(1, 1, 1, 8) + 1
    openvino, rfcn = (
        fastroi.ps_roi_pool(features, [[-0.5, 0, -0.5, 0]], (1, 1), 4, rule=rule) for rule in ("openvino", "rfcn")
    )
    assert first_value(openvino) == 2.5
    assert first_value(rfcn) == 0


def test_mmcv_skips_boxes_without_extent():
    """x2 + 1 = x1: no cell, though the corner lies inside of one."""
    features = numbered(1, 1, 4, 4) + 1
    assert first_value(fastroi.roi_pool(features, [[1.5, 0, 0.5, 2]], 1, rule="mmcv")) == 0
    assert first_value(fastroi.roi_pool(features, [[0, 1.5, 2, 0.5]], 1, rule="mmcv")) == 0


# --- points near the map ------------------------------------------------------------------------------------------------------


def test_points_that_rounding_moves_onto_the_map():
    """Bins so long in float32, and so far from where the box starts, that the sum of start and bins is off by cells.

    Exactly, the first points of the last bin lie before the map; in float32, which is the rule, they lie on it.
    """
    real = np.float32
    bins, grid, extent, bin_size = 2048, 2**20, 24, real(2**16 + 3)
    start = -(real(bins - 1) * bin_size)
    end = start + real(bins) * bin_size
    assert (end - start) / real(bins) == bin_size
    assert int(start) + (bins - 1) * int(bin_size) < -2
    points = start + real(bins - 1) * bin_size + (np.arange(1000, dtype=real) + real(0.5)) * bin_size / real(grid)
    assert points[0] > -1 and points[-1] > extent
    box = [[start, 0.5, end, 0.5]]
    settings = {"sampling_ratio": (1, grid), "aligned": "clamp_output_half_pixel", "arithmetic": "float32"}
    ones = fastroi.roi_align(np.ones((1, 1, 1, extent)), box, (1, bins), **settings)
    assert ones[0, 0, 0, -1] == 1
    settings["aligned"] = "asymmetric"
    on_map = fastroi.roi_align(np.ones((1, 1, 1, extent)), box, (1, bins), **settings)[0, 0, 0, -1] * grid
    assert on_map == pytest.approx(np.count_nonzero(points <= extent), rel=1e-9)


@pytest.mark.parametrize("convention", ["clamp_half_pixel", "clamp_output_half_pixel", "clamp_asymmetric"])
def test_a_clamped_grid_has_a_point_where_a_box_has_no_extent(convention):
    features = np.array([3, 0, 0, 7.0]).reshape(1, 1, 1, 4)
    assert first_value(fastroi.roi_align(features, [[-9, 0, -9, 0]], 1, 1.0, -1, convention)) == 3
    assert first_value(fastroi.roi_align(features, [[9, 0, 9, 0]], 1, 1.0, -1, convention)) == 7


# --- short bins and last edges --------------------------------------------------------------------------------------------------


def test_a_short_bin_has_the_mean_of_its_middle():
    """lo + length - lo is not the length once that is a rounding error of lo."""
    features = numbered(1, 1, 1, 64, dtype=np.float64)
    lo = 40.25
    pooled = fastroi.prroi_pool(features, [[lo, 0, lo + 2**-44, 1e-3]], (1, 3))
    assert np.abs(pooled[0, 0, 0] / (1 - 0.5e-3) - lo).max() < 1e-9


def test_an_area_within_one_cell_is_the_cell():
    features = numbered(1, 1, 1, 64, dtype=np.float64) + 1
    box = [[40.25, 0, 40.25 + 3 * 2**-46, 1]]
    assert fastroi.area_pool(features, box, (1, 3)).ravel().tolist() == [41, 41, 41]
    sums = fastroi.area_pool(features, box, (1, 7), reduce="sum").ravel()
    assert np.abs(sums / (41 * 3 * 2**-46 / 7) - 1).max() < 1e-12


def test_an_area_that_ends_with_the_map():
    """The start of the last bin rounds to the end of the box, where no cell is left."""
    features = np.ones((1, 1, 1, 3))
    least = np.nextafter(3.0, 0)
    assert np.array_equal(fastroi.area_pool(features, [[least, 0, 3, 1]], (1, 3)), np.ones((1, 1, 1, 3)))


def test_nearest_cells_of_halves():
    image = numbered(1, 1, 5, 1)
    assert fastroi.crop_and_resize(image, [[0, 0.125, 0, 0.625]], [0], (1, 3), "nearest").ravel().tolist() == [1, 2, 3]


# --- masks ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_value_at_the_threshold_is_in_the_mask(dtype):
    mask = np.full((1, 2, 2), 0.5, dtype)
    strided = np.zeros((1, 4, 8), bool)[..., ::2]
    fastroi.paste_masks(mask, [[0, 0, 4, 4]], 4, 0.5, out=strided)
    assert strided[0, 1:3, 1:3].all()
    assert fastroi.crop_masks(mask, [[0, 0, 2, 2]], 2, 0.5).all()


def test_a_pixel_on_a_cell_does_not_read_its_neighbours():
    mask = np.array([[[1, NAN], [NAN, NAN]]])
    pasted = fastroi.paste_masks(mask, [[0, 0, 2, 2]], 2, None)
    assert pasted[0, 0, 0] == 1


# --- ways of reading a map -------------------------------------------------------------------------------------------------


def test_bins_across_strips_of_tables():
    """Maxima that lie in the first of the strips that a bin crosses, read for many boxes and for each alone."""
    rng = np.random.default_rng(5)
    features = rng.random((1, 16, 300, 500), np.float32) - np.arange(500, dtype=np.float32)
    low = rng.uniform(0, (100, 60), (3000, 2))
    boxes = np.concatenate([low, low + rng.uniform((350, 180), (395, 237), (3000, 2))], axis=1)
    for size in ((2, 2), (3, 3), (1, 2)):  # bins of one run a strip, of two and of more
        together = fastroi.roi_pool(features, boxes, size)
        for k in range(0, len(boxes), 100):
            assert (fastroi.roi_pool(features, boxes[k : k + 1], size)[0] == together[k]).all()
