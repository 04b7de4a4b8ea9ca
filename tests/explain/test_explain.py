"""`fastroi.explain`: the article's numbers, every rule, exact areas, the picture."""

import dataclasses
import json
import subprocess
import sys

import matplotlib
import matplotlib.pyplot
import numpy as np
import pytest
from helpers import axis_taps

import fastroi
from fastroi import _core
from fastroi.explain import INTERPOLATION_RULES, Explanation, Interpolation, plot_rules

matplotlib.use("Agg")

BOX = (296, 192, 496, 337)
AREAS = ("box", "used", "lost_first", "lost_second", "outside", "gained_pooled", "gained_dropped")


def article(rule="floor", **options):
    return fastroi.explain(BOX, 3, 1 / 32, rule=rule, **options)


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    matplotlib.pyplot.close("all")


def test_article_coordinates():
    e = article()
    assert (e.x.exact, e.y.exact) == ((9.25, 15.5), (6.0, 10.53125))
    assert (e.x.quantised, e.y.quantised) == ((9.0, 15.0), (6.0, 10.0))
    assert e.x.bins == ((9, 11), (11, 13), (13, 15))
    assert e.y.bins == ((6, 7), (7, 8), (8, 9))
    assert (e.x.dropped, e.y.dropped) == ((), ((9, 10),))
    assert (e.x.clipped, e.map_size) == (None, None)


def test_article_areas():
    a = article().areas
    assert a.box == 28.3203125
    assert (a.used, a.lost_second, a.lost_first) == (17.25, 5.75, 5.3203125)
    assert (a.gained, a.gained_pooled, a.gained_dropped) == (1.0, 0.75, 0.25)
    assert a.lost == 5.75 + 5.3203125
    assert a.outside == 0


def test_article_cells():
    c = article().cells
    assert (c.quantised, c.pooled, c.dropped, c.reads, c.empty_bins) == (24, 18, 6, 18, 0)


# Columns clipped to 16 cells; areas by hand from the true box 9.25..15.5 x 6..10.53125.
FAST_RCNN = (
    ((9, 12), (11, 15), (14, 16)),
    ((6, 8), (8, 10), (10, 12)),
    (28.3203125, 28.3203125, 0, 0, 0, 13.6796875, 0),
)
OVERLAPPING = (
    ((9, 12), (11, 14), (13, 16)),
    ((6, 8), (7, 10), (9, 11)),
    (28.3203125, 28.3203125, 0, 0, 0, 6.6796875, 0),
)
BY_RULE = {
    "floor": (
        ((9, 11), (11, 13), (13, 15)),
        ((6, 7), (7, 8), (8, 9)),
        (28.3203125, 17.25, 5.3203125, 5.75, 0, 0.75, 0.25),
    ),
    "fast_rcnn": FAST_RCNN,
    "fast_rcnn_f32": FAST_RCNN,
    "fast_rcnn_f64": FAST_RCNN,
    "chainer": OVERLAPPING,
    "acl": (
        ((9, 11), (11, 13), (13, 15)),
        ((6, 7), (7, 9), (9, 11)),
        (28.3203125, 26.0546875, 2.265625, 0, 0, 3.9453125, 0),
    ),
    "mmcv": OVERLAPPING,
}


@pytest.mark.parametrize("rule", BY_RULE)
def test_article_under_the_other_rules(rule):
    columns, rows, areas = BY_RULE[rule]
    e = article(rule, map_size=16)
    assert (e.x.clipped, e.y.clipped) == (columns, rows)
    assert dataclasses.astuple(e.areas) == areas


def test_mmcv_does_not_round_the_box():
    e = article("mmcv")
    assert e.x.quantised == (9.25, 497 / 32)
    assert e.y.quantised == (6.0, 338 / 32)


def test_unclipped_bins_stay_visible():
    e = article("fast_rcnn", map_size=(16, 16))
    assert e.x.bins[-1] == (14, 17)
    assert e.x.clipped[-1] == (14, 16)
    assert (e.cells.quantised, e.cells.reads) == (42, 54)


@pytest.mark.parametrize("rule", fastroi.ROI_POOL_RULES)
@pytest.mark.parametrize("map_size", [None, (11, 9)], ids=["plane", "map"])
def test_areas_by_counting_eighths_of_cells(rule, map_size):
    """Coordinates in whole pixels at stride 8 cut every cell into 8 x 8 equal pieces."""
    random = np.random.default_rng(7)
    for _ in range(15):
        box = tuple(int(v) for v in random.integers(-40, 130, 4))
        e = fastroi.explain(box, (2, 5), 1 / 8, rule=rule, map_size=map_size)
        assert dataclasses.asdict(e.areas) == _count_pieces(e)


def _count_pieces(e):
    low, high = -60, 80
    centre = np.arange(low * 8, high * 8) / 8 + 1 / 16

    def inside(ranges):
        return np.any([(a < centre) & (centre < b) for a, b in ranges], axis=0)

    def product(name):
        by_axis = [inside(ranges(axis)[name]) for axis in (e.y, e.x)]
        return by_axis[0][:, None] & by_axis[1][None, :]

    def ranges(axis):
        on_map = (low, high) if axis.extent is None else (0, axis.extent)
        return {"t": [axis.exact], "q": [axis.quantised], "b": axis.pooled, "m": [on_map]}

    t, q, b, m = (product(name) for name in "tqbm")
    sets = {
        "box": t,
        "used": t & b,
        "lost_first": t & m & ~q & ~b,
        "lost_second": t & q & m & ~b,
        "outside": t & ~m,
        "gained_pooled": b & ~t,
        "gained_dropped": q & m & ~t & ~b,
    }
    return {name: sets[name].sum() / 64 for name in AREAS}


@pytest.mark.parametrize("rule", fastroi.ROI_POOL_RULES)
def test_bins_are_what_roi_pool_reads(rule):
    """A map that counts upwards, and its negative, tell the last and first cell of each bin."""
    random = np.random.default_rng(11)
    features = np.arange(13 * 17, dtype=np.float64).reshape(1, 1, 13, 17)
    features = np.concatenate([features, -features], axis=1)
    for _ in range(25):
        box = random.uniform(-60, 200, 4)
        e = fastroi.explain(box, (2, 5), 1 / 8, rule=rule, map_size=(13, 17))
        pooled = fastroi.roi_pool(features, box[None], (2, 5), 1 / 8, rule=rule)[0]
        for row, (y1, y2) in enumerate(e.y.clipped):
            for column, (x1, x2) in enumerate(e.x.clipped):
                last, first = pooled[:, row, column]
                if y2 <= y1 or x2 <= x1:
                    assert (last, first) == (0, 0)
                else:
                    assert (last, first) == ((y2 - 1) * 17 + x2 - 1, -(y1 * 17 + x1))


def test_box_off_the_map():
    e = fastroi.explain((-320, -320, -160, -160), 2, 1 / 32, map_size=16)
    assert e.areas.outside == e.areas.box == 25
    assert (e.areas.used, e.areas.lost, e.areas.gained) == (0, 0, 0)
    assert (e.cells.pooled, e.cells.empty_bins) == (0, 4)


def test_reversed_box_has_no_area():
    e = fastroi.explain((160, 160, 96, 192), 1, 1 / 32)
    assert e.areas.box == 0
    assert e.areas.gained_pooled == e.cells.pooled == 1
    assert "%" not in str(e)


def test_more_bins_than_cells_reads_cells_twice():
    e = fastroi.explain((0, 0, 64, 32), (1, 4), 1 / 32)
    assert e.x.bins == ((0, 1), (0, 1), (1, 2), (1, 2))
    assert (e.cells.pooled, e.cells.reads) == (2, 4)


def test_two_scales_and_map_sizes():
    e = fastroi.explain((0, 0, 64, 64), (1, 2), (1 / 16, 1 / 32), map_size=(5, 7))
    assert (e.y.exact, e.x.exact) == ((0, 4), (0, 2))
    assert (e.y.extent, e.x.extent) == (5, 7)
    assert (e.spatial_scale, e.output_size) == ((1 / 16, 1 / 32), (1, 2))


def test_a_huge_box_costs_nothing():
    e = fastroi.explain((0, 0, 1e15, 1e15), 7, 1.0)
    assert e.areas.box == 1e30
    assert e.cells.pooled > 10**29


def test_it_cannot_be_changed():
    e = article()
    for part, name in ((e, "box"), (e.x, "bins"), (e.areas, "used"), (e.cells, "pooled")):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(part, name, 0)
    assert e == article()
    assert hash(e) == hash(article())


@pytest.mark.parametrize("rule", fastroi.ROI_POOL_RULES)
@pytest.mark.parametrize("map_size", [None, 16])
def test_json_round_trip(rule, map_size):
    e = article(rule, map_size=map_size)
    content = e.to_dict()
    assert json.loads(json.dumps(content, allow_nan=False)) == content
    assert content["areas"]["used"] == e.areas.used
    assert [tuple(pair) for pair in content["x"]["bins"]] == list(e.x.bins)


def test_numpy_scalars_become_plain_numbers():
    box = np.array(BOX, dtype=np.float32)
    e = fastroi.explain(box, np.int64(3), np.float32(1 / 32), map_size=np.array([16, 16]))
    assert e == article(map_size=16)
    assert json.dumps(e.to_dict())


def test_text():
    lines = str(article(map_size=16)).splitlines()
    assert lines[0] == 'RoI pooling, rule "floor": 3x3 bins of a 16x16 map, spatial scale 1/32'
    rows = [line.split() for line in lines]
    assert ["x", "296", "9.25", "9"] in rows
    assert ["y", "192", "6", "6"] in rows
    assert ["width", "200", "6.25", "6"] in rows
    assert ["height", "145", "4.53125", "4"] in rows
    assert "  rows     [6,7) [7,8) [8,9)  dropped [9,10)" in lines
    assert ["used", "17.25", "60.9%"] in rows
    assert "0.75 pooled, 0.25 dropped" in str(article())


def test_text_of_many_bins_is_short():
    assert len(str(fastroi.explain((0, 0, 5000, 5000), 1000, 1.0))) < 2000


@pytest.mark.parametrize(
    ("error", "message", "arguments"),
    [
        (ValueError, "box: expected", ((1, 2, 3), 3, 1.0)),
        (ValueError, "box: y1 = nan", ((0, float("nan"), 1, 1), 3, 1.0)),
        (ValueError, "box: x2 = inf", ((0, 0, float("inf"), 1), 3, 1.0)),
        (ValueError, "box: x = 1e", ((0, 0, 1e300, 1), 3, 1.0)),
        (ValueError, "box: x = 1e", ((0, 0, 1e300, 1), 3, 1e300)),
        (ValueError, "output_size", (BOX, 0, 1.0)),
        (ValueError, "output_size", (BOX, (3, -1), 1.0)),
        (ValueError, "output_size", (BOX, (3, 3, 3), 1.0)),
        (ValueError, "output_size", (BOX, 10**9, 1.0)),
        (TypeError, "output_size", (BOX, 3.0, 1.0)),
        (TypeError, "output_size", (BOX, True, 1.0)),
        (ValueError, "spatial_scale", (BOX, 3, 0.0)),
        (ValueError, "spatial_scale", (BOX, 3, -1.0)),
        (ValueError, "spatial_scale", (BOX, 3, float("nan"))),
        (ValueError, "spatial_scale", (BOX, 3, (1.0, float("inf")))),
    ],
)
def test_bad_arguments(error, message, arguments):
    with pytest.raises(error, match=message):
        fastroi.explain(*arguments)


@pytest.mark.parametrize("map_size", [0, (16, 0), (1, 2, 3)])
def test_bad_map_size(map_size):
    with pytest.raises(ValueError, match="map_size"):
        article(map_size=map_size)


def test_unknown_rule():
    with pytest.raises(ValueError, match="rule"):
        article("caffeine")


# --- interpolating rules --------------------------------------------------------------------

# The article's box: intervals the bins divide; placed, short, extra, unseen, off the map.
INTERPOLATED = {
    "roi_align": (((9.25, 15.5), (6.0, 10.53125)), (27.1389, 1.1815, 1.1815, 0, 0)),
    "roi_warp": (((9.5, 16.5), (6.5, 11.5)), (18.0551, 10.2652, 10.2652, 6.7969, 0)),
    "prroi_pool": (((9.75, 16.0), (6.5, 11.03125)), (23.4847, 4.8356, 4.2692, 0, 0.5664)),
}


@pytest.mark.parametrize("rule", INTERPOLATED)
def test_article_under_interpolating_rules(rule):
    intervals, weighed = INTERPOLATED[rule]
    e = article(rule, map_size=16)
    assert isinstance(e, Interpolation)
    assert (e.x.quantised, e.y.quantised) == intervals
    b = e.balance()
    assert b.box == 28.3203125
    assert tuple(round(v, 4) for v in (b.placed, b.short, b.extra, b.unseen, b.off_map)) == weighed


def test_why_roi_align_mends_the_loss():
    floor, align = (article(rule, map_size=16).balance() for rule in ("floor", "roi_align"))
    assert floor.unseen == 11.0703125 == article().areas.lost
    assert align.unseen == 0
    assert align.short < 0.11 * floor.short


def test_article_points_by_hand():
    e = article("roi_align", map_size=16)
    assert (e.x.grid, e.y.grid) == (3, 2)
    for axis, width in ((e.x, 6.25), (e.y, 4.53125)):
        step = width / 3 / axis.grid
        for p, points in enumerate(axis.points):
            expected = [axis.exact[0] + p * width / 3 + (i + 0.5) * step for i in range(axis.grid)]
            assert [v for v, _ in points] == pytest.approx(expected, abs=1e-12)
            assert {share for _, share in points} == {1 / axis.grid}
    assert [[cell for cell, _ in taps] for taps in e.x.taps] == [[9, 10, 11], [11, 12, 13], [13, 14, 15]]


@pytest.mark.parametrize("aligned", [True, False, "image", "least_one"])
@pytest.mark.parametrize("ratio", [-1, 1, 3, (2, 5)])
def test_taps_are_the_points_interpolated(aligned, ratio):
    """Points in [-1, 0] move to 0, those past the last centre to it, the others vanish."""
    random = np.random.default_rng(5)
    for _ in range(20):
        box = np.concatenate([corner := random.uniform(-20, 90, 2), corner + random.uniform(0.5, 60, 2)])
        e = fastroi.explain(
            box, (2, 3), 1 / 8, rule="roi_align", map_size=(7, 9), sampling_ratio=ratio, aligned=aligned
        )
        for axis in (e.x, e.y):
            assert all(len(points) <= axis.grid for points in axis.points)
            for points, taps in zip(axis.points, axis.taps):
                cells = np.zeros(axis.extent)
                for position, share in points:
                    v = position - 0.5
                    assert (share > 0) == (-1 <= v <= axis.extent)
                    v = min(max(v, 0), axis.extent - 1)
                    low = int(v)
                    cells[low] += share * (1 - (v - low))
                    cells[min(low + 1, axis.extent - 1)] += share * (v - low)
                found = np.zeros(axis.extent)
                for cell, weight in taps:
                    found[cell] += weight
                assert found == pytest.approx(cells, abs=1e-12)


# The article's box: the intervals that the bins divide, by hand; image coordinates 296..496 and 192..337, scale 1/32.
CONVENTIONS = {
    True: ((9.25, 15.5), (6.0, 10.53125)),
    False: ((9.75, 16.0), (6.5, 11.03125)),
    "asymmetric": ((9.75, 16.0), (6.5, 11.03125)),
    "half_pixel": ((9.25, 15.5), (6.0, 10.53125)),
    "image": ((9.265625, 15.515625), (6.015625, 10.546875)),
    "least_one": ((9.25, 15.5), (6.0, 10.53125)),
    "clamp_half_pixel": ((9.25, 15.5), (6.0, 10.53125)),
    "clamp_output_half_pixel": ((9.75, 16.0), (6.5, 11.03125)),
    "clamp_asymmetric": ((9.75, 16.0), (6.5, 11.03125)),
    "clamp_align_corners": ((9.75, 19.125), (6.5, 13.296875)),
}
CLAMPED = [name for name in CONVENTIONS if str(name).startswith("clamp")]


def test_every_convention_is_known():
    assert CONVENTIONS.keys() == {True, False, *_core.OPERATORS["roi_align"].fields["aligned"].choices}


@pytest.mark.parametrize("aligned", CONVENTIONS)
def test_article_under_every_convention(aligned):
    e = article("roi_align", map_size=16, aligned=aligned)
    assert (e.x.quantised, e.y.quantised) == CONVENTIONS[aligned]
    assert (e.x.grid, e.y.grid) == (3, 2)
    phase = 0 if aligned in ("clamp_asymmetric", "clamp_align_corners") else 0.5
    for axis in (e.x, e.y):
        for (start, end), points in zip(axis.bins, axis.points):
            expected = [start + (i + phase) * (end - start) / axis.grid for i in range(axis.grid)]
            assert [v for v, _ in points] == pytest.approx(expected, abs=1e-12)
    b = e.balance()
    assert b.placed + b.short == pytest.approx(b.box)
    assert b.off_map == 0
    assert str(e).startswith("roi_align" if aligned is True else f"roi_align, aligned={aligned!r}")
    e.plot().figure.canvas.draw()


def test_align_corners_begins_its_last_bin_at_the_end():
    """A grid of one point a bin: the corners of the box on the centres of the outer points."""
    e = fastroi.explain(
        (2, 1, 10, 7), (4, 5), 1.0, rule="roi_align", map_size=16, sampling_ratio=1, aligned="clamp_align_corners"
    )
    assert [of_bin[0][0] - 0.5 for of_bin in e.x.points] == [2, 4, 6, 8, 10]
    assert [of_bin[0][0] - 0.5 for of_bin in e.y.points] == [1, 3, 5, 7]
    single = fastroi.explain((2, 1, 10, 7), 1, 1.0, rule="roi_align", map_size=16, aligned="clamp_align_corners")
    assert (single.x.quantised, single.y.quantised) == ((2.5, 10.5), (1.5, 7.5))


@pytest.mark.parametrize("aligned", CLAMPED)
@pytest.mark.parametrize("ratio", [1, 3, (2, 4)])
def test_clamped_points_off_the_map_count_in_its_outer_cells(aligned, ratio):
    random = np.random.default_rng(6)
    beyond = 0
    for _ in range(20):
        box = np.concatenate([corner := random.uniform(-90, 90, 2), corner + random.uniform(0.5, 60, 2)])
        e = fastroi.explain(
            box, (2, 3), 1 / 8, rule="roi_align", map_size=(7, 9), sampling_ratio=ratio, aligned=aligned
        )
        for axis in (e.x, e.y):
            for points, taps in zip(axis.points, axis.taps):
                assert [share for _, share in points] == [1 / axis.grid] * axis.grid
                cells = np.zeros(axis.extent)
                for position, share in points:
                    v = min(max(position - 0.5, 0), axis.extent - 1)
                    low = min(int(v), axis.extent - 2)
                    cells[low : low + 2] += share * (1 - (v - low)), share * (v - low)
                    beyond += v != position - 0.5
                found = np.zeros(axis.extent)
                found[[cell for cell, _ in taps]] = [weight for _, weight in taps]
                assert found == pytest.approx(cells, abs=1e-12)
        assert e.balance().off_map == pytest.approx(0, abs=1e-12)
    assert beyond > 20


@pytest.mark.parametrize("aligned", CLAMPED)
def test_a_clamped_box_far_off_the_map(aligned):
    e = fastroi.explain((-1e6, -1e6, -9e5, -9e5), 2, 1.0, rule="roi_align", map_size=16, aligned=aligned)
    assert [[cell for cell, _ in taps] for taps in (*e.x.taps, *e.y.taps)] == [[0]] * 4
    assert e.cell_weights() == {(0, 0): pytest.approx(1, abs=1e-12)}
    b = e.balance()
    assert (b.placed, b.unseen, b.off_map) == (0, b.box, 0)
    assert sum(map(len, e.x.points)) < 100
    assert "weight off the map" not in str(e)
    e.plot().figure.canvas.draw()


@pytest.mark.parametrize("rule", INTERPOLATION_RULES)
@pytest.mark.parametrize("box", [(-60, 10, 70, 90), (0, 0, 104, 136), (33, 21, 35, 22), (120, 90, 160, 200)])
def test_taps_are_what_the_operator_multiplies(rule, box):
    features = np.random.default_rng(2).standard_normal((1, 1, 13, 17))
    e = fastroi.explain(box, (2, 5), 1 / 8, rule=rule, map_size=(13, 17))
    result = getattr(fastroi, rule)(features, [box], (2, 5), 1 / 8)[0, 0]
    for row, y_taps in enumerate(e.y.taps):
        for column, x_taps in enumerate(e.x.taps):
            expected = sum(wy * wx * features[0, 0, y, x] for y, wy in y_taps for x, wx in x_taps)
            assert result[row, column] == pytest.approx(expected, abs=1e-12)
    mean = sum(weight * features[0, 0, y, x] for (y, x), weight in e.cell_weights().items())
    assert result.mean() == pytest.approx(mean, abs=1e-12)


@pytest.mark.parametrize("rule", [*fastroi.ROI_POOL_RULES, *INTERPOLATION_RULES])
def test_balance_adds_up(rule):
    random = np.random.default_rng(8)
    for _ in range(20):
        box = tuple(random.uniform(-60, 200, 4))
        e = fastroi.explain(box, (3, 2), 1 / 8, rule=rule, map_size=(13, 17))
        b = e.balance()
        assert b.placed + b.short == pytest.approx(b.box)
        assert b.placed + b.extra == pytest.approx(b.box - b.off_map)
        assert 0 <= b.unseen <= b.short + 1e-12
        if isinstance(e, Explanation):
            assert b.unseen == pytest.approx(e.areas.lost + e.areas.outside, abs=1e-9)


@pytest.mark.parametrize("op, name", [(8, "roi_warp"), (10, "crop_and_resize")])
def test_single_points_lie_in_their_taps(op, name):
    interval, grid, points = _core.axis_points(op, 0.25, 0.75, 8.0, 0, 4, 9)
    assert (grid, len(points)) == (1, 4)
    assert interval[0] == points[0][1]
    taps = axis_taps(name, 0.25, 0.75, 8.0, 4, 9)
    for p, coordinate, share in points:
        cells = [cell for q, cell, _ in taps if q == p]
        assert share == pytest.approx(1)
        assert min(cells) <= coordinate <= max(cells)


def test_points_off_the_map_count_nothing():
    e = fastroi.explain((-160, 0, 160, 64), (1, 2), 1 / 32, rule="roi_align", map_size=8)
    shares = [share for _, share in e.x.points[0]]
    assert 0 in shares and 0.2 in shares
    assert e.balance().off_map > 0
    assert e.cell_weights().keys() <= {(y, x) for y in range(8) for x in range(8)}


def test_a_box_without_area_under_interpolation():
    e = fastroi.explain((64, 64, 64, 64), 2, 1 / 32, rule="roi_align", map_size=8)
    assert (e.x.taps, e.x.grid, e.cell_weights()) == (((), ()), 0, {})
    assert e.balance().box == 0
    assert "%" not in str(e)
    e.plot()


def test_interpolation_cannot_be_changed_and_is_json():
    e = article("roi_align", map_size=16, sampling_ratio=(2, 3))
    for part, name in ((e, "box"), (e.x, "taps"), (e.balance(), "placed")):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(part, name, 0)
    assert hash(e) == hash(article("roi_align", map_size=16, sampling_ratio=(2, 3)))
    content = e.to_dict()
    assert json.loads(json.dumps(content, allow_nan=False)) == content
    assert content["sampling_ratio"] == [2, 3]
    assert content["balance"]["box"] == 28.3203125


def test_interpolation_text():
    text = str(article("roi_align", map_size=16, aligned=False, sampling_ratio=2))
    assert text.startswith("roi_align, aligned=False, sampling_ratio=2: 3x3 bins of a 16x16 map")
    assert "weighed too much" in text
    assert "points" not in str(article("prroi_pool", map_size=16))
    many = fastroi.explain((0, 0, 3000, 3000), 1000, 1.0, rule="prroi_pool", map_size=3000)
    assert len(str(many)) < 4000


@pytest.mark.parametrize(
    ("error", "message", "options"),
    [
        (ValueError, "map_size: rule 'roi_align' needs it", {"rule": "roi_align"}),
        (ValueError, "rule: 'floor' has neither", {"rule": "floor", "aligned": False}),
        (ValueError, "rule: 'prroi_pool' has neither", {"rule": "prroi_pool", "map_size": 16, "sampling_ratio": 2}),
        (ValueError, "aligned: 'corners'", {"rule": "roi_align", "map_size": 16, "aligned": "corners"}),
        (ValueError, "aligned: 1 is", {"rule": "roi_align", "map_size": 16, "aligned": 1}),
        (TypeError, "sampling_ratio: 2.0", {"rule": "roi_align", "map_size": 16, "sampling_ratio": 2.0}),
        (ValueError, "points or more", {"rule": "roi_align", "map_size": 16, "sampling_ratio": 10**6}),
    ],
)
def test_bad_interpolation_arguments(error, message, options):
    with pytest.raises(error, match=message):
        fastroi.explain(BOX, 3, 1 / 32, **options)


def test_a_huge_box_under_interpolation_is_refused_or_small():
    with pytest.raises(ValueError, match="up to 4096"):
        fastroi.explain((0, 0, 1e9, 1e9), 2, 1.0, rule="roi_align", map_size=10**6)
    e = fastroi.explain((0, 0, 1e9, 1e9), 2, 1.0, rule="roi_align", map_size=16)
    assert sum(map(len, e.x.points)) < 100


# --- pictures -------------------------------------------------------------------------------


def drawn_areas(ax):
    """The area of each coloured patch, computed from its outline."""
    areas = {}
    for patch in ax.patches:
        if patch.get_gid() is not None:
            areas[patch.get_gid()] = sum(map(_area, patch.get_path().to_polygons()))
    return areas


def _area(corners):
    x, y = np.transpose(corners)
    return abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2


def colours(ax):
    return {
        patch.get_gid(): matplotlib.colors.to_hex(patch.get_facecolor())
        for patch in ax.patches
        if patch.get_gid() is not None
    }


def test_picture_has_the_areas_and_colours():
    ax = article(map_size=16).plot()
    assert drawn_areas(ax) == {
        "used": 17.25,
        "lost_first": 5.3203125,
        "lost_second": 5.75,
        "gained_pooled": 0.75,
        "gained_dropped": 0.25,
    }
    found = colours(ax)
    assert found["gained_pooled"] == found["gained_dropped"]
    red, green, blue = (found[kind] for kind in ("lost_first", "gained_pooled", "lost_second"))
    assert _darkness(red) > _darkness(green) > _darkness(blue)
    assert all(_blueness(found[kind]) > 0 for kind in ("lost_first", "lost_second"))


def _darkness(colour):
    return -sum(matplotlib.colors.to_rgb(colour))


def _blueness(colour):
    red, _, blue = matplotlib.colors.to_rgb(colour)
    return blue - red


def test_picture_has_nine_bins_two_boxes_and_a_key():
    ax = article().plot()
    bins = [c for c in ax.collections if c.get_zorder() == 4]
    assert [len(c.get_segments()) for c in bins] == [9]
    outlines = {
        (p.get_x(), p.get_y(), p.get_width(), p.get_height())
        for p in ax.patches
        if isinstance(p, matplotlib.patches.Rectangle) and not p.get_fill()
    }
    assert outlines == {(9.25, 6.0, 6.25, 4.53125), (9.0, 6.0, 6.0, 4.0)}
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels[:3] == ["true box", "quantised box", "bins"]
    assert len(labels) == len(set(labels)) == 8
    rulers = sorted(t.get_text() for t in ax.texts)
    assert rulers == sorted(["9–11", "11–13", "13–15", "6–7", "7–8", "8–9"])


def test_picture_on_given_axes():
    ax = matplotlib.figure.Figure().subplots()
    assert article().plot(ax, legend=False) is ax
    assert ax.get_legend() is None
    assert ax.yaxis_inverted()


def test_rules_side_by_side(tmp_path):
    rules = ("floor", "fast_rcnn", "mmcv")
    figure = plot_rules([article(r, map_size=16) for r in rules], title="Rules")
    assert [ax.get_gid() for ax in figure.axes] == [f"rule:{r}" for r in rules]
    assert len({(ax.get_xlim(), ax.get_ylim()) for ax in figure.axes}) == 1
    assert len(figure.legends) == 1
    assert drawn_areas(figure.axes[1])["gained_pooled"] == 13.6796875
    figure.savefig(tmp_path / "rules.png")
    assert (tmp_path / "rules.png").stat().st_size > 10_000


@pytest.mark.parametrize("image", [None, np.zeros((512, 512, 3), dtype=np.uint8)])
@pytest.mark.parametrize("count", [1, 2, 5, len(fastroi.ROI_POOL_RULES)])
def test_nothing_overlaps(image, count):
    parts = [article(r, map_size=16) for r in fastroi.ROI_POOL_RULES[:count]]
    figure = plot_rules(parts, image=image, title="Rules")
    assert len(figure.axes) == count + (image is not None)
    figure.canvas.draw()
    boxes = [ax.get_tightbbox() for ax in figure.axes]
    boxes += [figure.legends[0].get_window_extent()]
    for i, first in enumerate(boxes):
        for second in boxes[:i]:
            assert not first.overlaps(second)


def test_picture_of_points_and_weights():
    e = article("roi_align", map_size=16)
    ax = e.plot()
    (points,) = [line for line in ax.lines if line.get_gid() == "points"]
    assert len(points.get_xdata()) == 9 * 6
    assert min(points.get_xdata()) == pytest.approx(9.25 + 6.25 / 18)
    (mesh,) = [c for c in ax.collections if c.get_gid() == "weights"]
    assert mesh.get_array().sum() == pytest.approx(28.3203125)
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels[:3] == ["true box", "box as the rule takes it", "sample point"]


def test_mixed_rules_side_by_side():
    rules = ("floor", "fast_rcnn", *INTERPOLATION_RULES)
    figure = plot_rules([article(r, map_size=16) for r in rules])
    assert [ax.get_gid() for ax in figure.axes] == [f"rule:{r}" for r in rules]
    assert all("misplaced" in ax.get_title() for ax in figure.axes)
    figure.canvas.draw()
    boxes = [ax.get_tightbbox() for ax in figure.axes] + [figure.legends[0].get_window_extent()]
    for i, first in enumerate(boxes):
        for second in boxes[:i]:
            assert not first.overlaps(second)


@pytest.mark.parametrize("rule", INTERPOLATION_RULES)
@pytest.mark.parametrize(
    "box", [(33, 40, 800, 460), (100, 100, 104, 101), (-900, -900, -800, -850), (500, 400, 100, 50), (0, 0, 1e9, 1e3)]
)
def test_odd_boxes_can_be_drawn_interpolated(rule, box):
    ax = fastroi.explain(box, (7, 3), 1 / 8, rule=rule, map_size=64).plot()
    ax.figure.canvas.draw()


def test_whole_map_view():
    ax = article(map_size=(16, 20)).plot(view="map")
    assert ax.get_xlim() == (0, 20)
    assert ax.get_ylim() == (16, 0)


def test_picture_errors():
    with pytest.raises(ValueError, match="view"):
        article().plot(view="map")
    with pytest.raises(ValueError, match="view"):
        article().plot(view="elsewhere")
    with pytest.raises(ValueError, match="explanations"):
        plot_rules([])


@pytest.mark.parametrize(
    ("box", "bins"),
    [
        ((33, 40, 800, 460), 7),
        ((100, 100, 104, 101), (7, 3)),
        ((-900, -900, -800, -850), 2),
        ((500, 400, 100, 50), 3),
        ((0, 0, 1e9, 1e3), 14),
    ],
)
@pytest.mark.parametrize("rule", ["floor", "fast_rcnn", "mmcv"])
def test_odd_boxes_can_be_drawn(box, bins, rule):
    ax = fastroi.explain(box, bins, 1 / 8, rule=rule, map_size=(64, 64)).plot()
    ax.figure.canvas.draw()


# --- without matplotlib ---------------------------------------------------------------------

BLOCKED = "import sys; sys.modules['matplotlib'] = None; import fastroi; "
EXPLAINED = "e = fastroi.explain((296, 192, 496, 337), 3, 1 / 32); "


def python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)


def test_explaining_needs_no_matplotlib():
    code = "import sys, fastroi; " + EXPLAINED + "str(e); assert 'matplotlib' not in sys.modules"
    assert python(code).returncode == 0


def test_importing_fastroi_loads_no_explanation():
    code = "import sys, fastroi; print([name for name in sys.modules if name.startswith('fastroi.explain.')])"
    assert python(code).stdout == "[]\n"


@pytest.mark.parametrize(
    "first", ["import fastroi.explain", "from fastroi.explain import Plan", "from fastroi import explain"]
)
def test_explain_is_a_function_and_a_package(first):
    code = "import fastroi; from fastroi.explain import Explanation; e = fastroi.explain((0, 0, 9, 9), 3, 1.0); "
    done = python(
        f"{first}; {code}assert type(e) is Explanation; from fastroi.explain import *; print(len(explain.__doc__))"
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 1000


def test_an_unknown_name_of_the_package():
    with pytest.raises(ImportError, match="cannot import name 'Explainer'"):
        from fastroi.explain import Explainer  # noqa: F401
    assert {"Explanation", "Plan", "explain"} <= set(dir(sys.modules["fastroi.explain"]))


def test_drawing_without_matplotlib_says_how_to_get_it():
    done = python(BLOCKED + EXPLAINED + "e.plot()")
    last = done.stderr.strip().splitlines()[-1]
    assert last == "ImportError: drawing needs matplotlib: pip install matplotlib"


def test_types_are_importable():
    assert isinstance(article(), Explanation)
