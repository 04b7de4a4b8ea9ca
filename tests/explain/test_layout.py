"""Pictures of boxes of all kinds: no two texts overlap, every mark lies inside its axes, the key lists what is drawn."""

import itertools

import matplotlib
import matplotlib.pyplot
import numpy as np
import pytest
from helpers import long_share

import fastroi
from fastroi.explain import INTERPOLATION_RULES, plot_rules

matplotlib.use("Agg")

RULES = (*fastroi.ROI_POOL_RULES, *INTERPOLATION_RULES)
PHOTOGRAPH = np.linspace(0, 1, 80 * 109).reshape(80, 109).repeat(10, 0).repeat(10, 1)[:, :1088]

# In pixels of an image of 1088x800, whose map has 68x50 cells; bins.
BOXES = {
    "the article's": ((296, 192, 496, 337), 3),
    "large": ((100, 100, 1000, 700), 7),
    "partly off": ((-100, -60, 200, 150), 7),
    "mostly off": ((-5000, -60, 200, 150), 7),
    "off by far": ((-9000, -9000, -8000, -8500), 7),
    "off to the right": ((1100, 300, 1300, 500), (5, 2)),
    "larger than the map": ((-4000, -3000, 6000, 5000), (3, 14)),
    "huge": ((0, 0, 1e9, 1e5), 7),
    "tiny": ((100, 100, 100.001, 100.001), 2),
    "without area": ((64, 64, 64, 64), 2),
    "thin": ((10, 300, 1080, 300.5), 7),
    "upright and thin": ((500, 10, 500.5, 790), (14, 1)),
    "one cell": ((160, 160, 176, 176), 1),
    "reversed": ((500, 400, 100, 50), 3),
    "many bins": ((33, 40, 800, 460), 32),
    "many bins in a few cells": ((33, 40, 90, 70), (32, 28)),
    "far from the origin": ((1e7, 1e7, 1e7 + 300, 1e7 + 200), 5),
    "the whole map": ((0, 0, 1088, 800), (1, 32)),
}
EVERYDAY = ("large", "partly off", "off by far", "many bins in a few cells")
OPERATORS = {
    "ps_roi_pool": {"channels": 49},
    "ps_roi_align": {"channels": 49, "sampling_ratio": 2},
    "roi_align": {"reduce": "max"},
    "area_pool": {"reduce": "sum"},
    "roi_pool": {"rule": "chainer", "reduce": "mean"},
    "crop_and_resize": {"method": "nearest", "extrapolation_value": 2.0},
    "crop_masks": {"aligned": False},
    "multiscale_roi_align": {},
}


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    matplotlib.pyplot.close("all")


def explained(name, rule, **options):
    box, bins = BOXES[name]
    return fastroi.explain(box, bins, 1 / 16, rule=rule, map_size=(50, 68), **options)


def texts_of(ax):
    yield from (ax.title, ax.xaxis.label, ax.yaxis.label, ax.xaxis.offsetText, ax.yaxis.offsetText, *ax.texts)
    for axis in (ax.xaxis, ax.yaxis):
        low, high = sorted(axis.get_view_interval())
        yield from (tick.label1 for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high)
    if ax.get_legend() is not None:
        yield from ax.get_legend().get_texts()


def corners_of(artist):
    """The data coordinates of a mark."""
    if isinstance(artist, matplotlib.collections.QuadMesh):
        return artist.get_coordinates().reshape(-1, 2)
    if isinstance(artist, matplotlib.collections.LineCollection):
        return np.concatenate(artist.get_segments() or [np.empty((0, 2))])
    if isinstance(artist, matplotlib.lines.Line2D):
        return artist.get_xydata()
    return artist.get_patch_transform().transform(artist.get_path().vertices)


def check(figure):
    figure.draw_without_rendering()
    texts = [*figure.texts, *(text for legend in figure.legends for text in legend.get_texts())]
    texts += [text for ax in figure.axes for text in texts_of(ax)]
    texts = [(text.get_text(), text.get_window_extent()) for text in texts if text.get_text().strip()]
    for (first, a), (second, b) in itertools.combinations(texts, 2):
        assert not a.padded(-0.5).overlaps(b.padded(-0.5)), f"{first!r} overlaps {second!r}"
    for text, place in texts:
        assert figure.bbox.padded(1).contains(*place.min) and figure.bbox.padded(1).contains(*place.max), text
    for ax in figure.axes:
        (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
        for artist in (*ax.patches, *ax.collections, *ax.lines):
            if artist.get_gid() == "ruler":
                along = artist.get_xdata() if artist.get_ydata()[0] == 1 == artist.get_ydata()[1] else None
                low, high = (left, right) if along is not None else (top, bottom)
                along = artist.get_ydata() if along is None else along
                assert low <= min(along) and max(along) <= high
            elif len(corners := corners_of(artist)):
                x, y = corners.T
                assert left <= x.min() and x.max() <= right and top <= y.min() and y.max() <= bottom, artist


# --- boxes of all kinds ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EVERYDAY)
def test_texts_and_marks(name):
    rules = "floor", "roi_align", "prroi_pool"
    image = PHOTOGRAPH if name in ("partly off", "large") else None
    check(plot_rules([explained(name, rule) for rule in rules], image=image, title="A long title " * 12))


@pytest.mark.long
@pytest.mark.parametrize(("name", "rule"), long_share(list(itertools.product(BOXES, RULES))))
def test_every_box_alone(name, rule):
    check(explained(name, rule).plot().figure)


@pytest.mark.long
@pytest.mark.parametrize("name", long_share(list(BOXES)))
@pytest.mark.parametrize("image", [None, PHOTOGRAPH], ids=["plain", "photograph"])
def test_every_box_under_all_rules(name, image):
    check(plot_rules([explained(name, rule) for rule in RULES], image=image, title=name * 40))


@pytest.mark.long
@pytest.mark.parametrize("name", long_share(list(BOXES)))
def test_every_box_on_the_whole_map(name):
    rules = "fast_rcnn", "roi_warp", "roi_align"
    check(plot_rules([explained(name, rule) for rule in rules], view="map", image=PHOTOGRAPH))


@pytest.mark.long
@pytest.mark.parametrize("bins", long_share([1, 2, 5, 14, 32, (1, 32), (32, 1)]))
@pytest.mark.parametrize("ratio", [1, 3, 40])
def test_every_number_of_bins_and_points(bins, ratio):
    call = {"rule": "roi_align", "map_size": (50, 68), "sampling_ratio": ratio}
    check(fastroi.explain((33.3, 40.1, 800, 460), bins, 1 / 16, **call).plot().figure)


@pytest.mark.parametrize("operator", OPERATORS)
def test_operators_that_draw(operator):
    scale, size, box = 1 / 16, (50, 68), (100, 90, 700, 500)
    if operator == "multiscale_roi_align":
        scale, size = [1 / 16, 1 / 32], [(50, 68), (25, 34)]
    if operator in ("crop_and_resize", "crop_masks"):
        scale, box = 1.0, ((0.1, 0.2, 0.7, 1.1) if operator == "crop_and_resize" else (3, 4, 40, 30))
    plan = fastroi.explain(box, 7, scale, operator=operator, map_size=size, **OPERATORS[operator])
    check(plot_rules([plan], image=PHOTOGRAPH))


# --- what a picture says ---------------------------------------------------------------------------------------------------


def drawn(ax):
    return [line for line in ax.lines if line.get_gid() == "points"]


def test_of_many_points_some_are_drawn_and_the_title_says_so():
    ax = explained("large", "roi_align").plot()
    (points,) = drawn(ax)
    apart = np.diff(np.unique(ax.transData.transform(points.get_xydata())[:, 0])) * 72 / ax.figure.dpi
    assert apart.min() > 1.5 * points.get_markersize()
    assert len(points.get_xydata()) == 32 * 21
    assert "1 in 4 points drawn" in ax.get_title()
    assert "drawn" not in explained("the article's", "roi_align").plot().get_title()


@pytest.mark.parametrize("name", ["mostly off", "off by far", "partly off"])
def test_points_of_bins_off_the_map_do_not_vanish(name):
    e = explained(name, "roi_align", sampling_ratio=1)
    points = np.concatenate([line.get_xydata() for line in drawn(e.plot())])
    expected = [[(start + end) / 2 for start, end in axis.bins] for axis in (e.x, e.y)]
    assert np.unique(points[:, 0].round(6)) == pytest.approx(expected[0], abs=1e-6)
    if name != "mostly off":  # so wide that of its rows only one has room
        assert np.unique(points[:, 1].round(6)) == pytest.approx(expected[1], abs=1e-6)


def test_clamped_points_far_off_the_map_count():
    e = explained("off by far", "roi_align", sampling_ratio=1, aligned="clamp_half_pixel")
    labels = [text.get_text() for text in e.plot().get_legend().get_texts()]
    assert "sample point" in labels and "point off the map: 0" not in labels


def test_the_key_lists_what_is_drawn():
    def labels(e):
        return [text.get_text() for text in e.plot().get_legend().get_texts()]

    assert "bins" not in labels(explained("off by far", "floor"))
    assert "edges of bins" not in labels(explained("one cell", "roi_align"))
    assert "counts as 2 cells or more" not in labels(explained("the article's", "roi_align"))
    assert not any("counts" in label for label in labels(explained("off by far", "roi_align")))


def test_axes_have_units_and_the_figure_its_conventions():
    figure = plot_rules([explained("partly off", "roi_align")], image=PHOTOGRAPH)
    photograph, panel = figure.axes
    assert "pixels" in photograph.get_xlabel() and "pixels" in photograph.get_ylabel()
    assert "cells" in panel.get_xlabel() and "cells" in panel.get_ylabel()
    assert photograph.get_xlim()[0] <= -100 and photograph.get_xlim()[1] >= 1088
    (box,) = [p for p in photograph.patches if not p.get_fill()]
    assert (*box.get_xy(), box.get_width(), box.get_height()) == (-100, -60, 300, 210)
    notes = figure.texts[-1].get_text()
    assert "cell i reaches from i to i + 1" in notes and "0.5 less" in notes and "Misplaced:" in notes


def test_a_title_is_no_formula():
    check(plot_rules([explained("one cell", "floor")], title="from $5 to $6_x^ {and} \\frac"))


def test_given_axes_of_any_size():
    for size in ((3, 3), (8, 2), (2, 7)):
        figure = matplotlib.figure.Figure(figsize=size)
        ax = figure.add_axes((0.3, 0.3, 0.4, 0.4))
        assert explained("large", "roi_align").plot(ax, legend=False) is ax
        figure.draw_without_rendering()
        ticks = [t.get_window_extent() for t in texts_of(ax) if t.get_text() and t not in (ax.title, *ax.texts)]
        assert not any(a.padded(-0.5).overlaps(b.padded(-0.5)) for a, b in itertools.combinations(ticks, 2))
