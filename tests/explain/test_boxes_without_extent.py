"""Pictures and titles of boxes that have no area: what there is of them is drawn, and nothing is said of parts of nothing."""

import matplotlib
import matplotlib.pyplot
import pytest

import fastroi
from fastroi.explain import plot_rules

matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    matplotlib.pyplot.close("all")


def drawn(rule, bins, box=(10, 10, 10, 10)):
    figure = plot_rules([fastroi.explain(box, bins, 1 / 4, rule=rule, map_size=64)])
    (ax,) = figure.axes
    return ax, {line.get_label(): line.get_xydata().tolist() for line in ax.lines}, key_of(figure)


def key_of(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


@pytest.mark.parametrize("bins", [1, 7])
@pytest.mark.parametrize("rule", ["floor", "acl", "roi_align", "roi_warp"])
def test_the_place_of_the_true_box_is_marked(rule, bins):
    ax, lines, key = drawn(rule, bins)
    assert lines["true box, without extent"] == [[2.5, 2.5]]
    assert "true box, without extent" in key and "true box" not in key
    assert "the box has no area" in ax.get_title() and "0 of 0" not in ax.get_title()


@pytest.mark.parametrize("bins", [1, 7])
def test_points_that_all_lie_in_one_place(bins):
    ax, lines, key = drawn("roi_warp", bins)
    assert lines["sample point"] == [[3.5, 3.5]]
    assert "sample point" in key and "point off the map: 0" not in key
    assert "points drawn" not in ax.get_title()


def test_a_point_off_the_map_is_drawn_as_such():
    _, lines, _ = drawn("roi_warp", 2, (4000, 4000, 4000, 4000))
    assert lines["point off the map: 0"] == [[1000.5, 1000.5]]


def test_a_small_area_is_no_zero():
    ax, *_ = drawn("roi_align", 1, (100, 100, 100.1, 100.08))
    assert "of 0.0005 cells" in ax.get_title()


def test_a_mirrored_crop_box_is_called_reversed():
    plan = fastroi.explain((0.2, 0.8, 0.7, 0.3), 3, operator="crop_and_resize", map_size=20)
    title = plan.plot().get_title()
    assert "the box is reversed along x" in title and "misplaced" not in title
