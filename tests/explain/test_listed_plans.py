"""`fastroi.explain(operator=...)`: plans of every operator, applied by NumPy, give the operator's own results."""

import dataclasses
import json
import math

import digests
import matplotlib
import matplotlib.pyplot
import numpy as np
import pytest

import fastroi
from fastroi import _core
from fastroi.explain import Plan, plot_rules

matplotlib.use("Agg")

BOX = (296, 192, 496, 337)
SCENE = digests.SCENES["small"]
SIZE, SCALE, COUNT = SCENE.size, SCENE.scale, SCENE.count
HEIGHT, WIDTH = SCENE.shape[2:]
MOST_OPTIONS = 40  # of an operator
MOST_BOXES = 3  # of each of so many sets of options
MASKED = ("paste_masks", "crop_masks")


def article(operator, **options):
    return fastroi.explain(BOX, 3, 1 / 32, operator=operator, map_size=16, **options)


# --- plans and results ----------------------------------------------------------------------------------------------------


def applied(plan, maps):
    """What a plan makes of a map (C, H, W), in float64, and the sums of the magnitudes that it adds up."""
    shape = plan.output_channels, *plan.output_size
    values, magnitudes = np.zeros(shape), np.zeros(shape)
    for at in np.ndindex(*shape):
        channel, *bin = at
        values[at], magnitudes[at] = applied_to(plan, maps[plan.channel_of(*bin, channel)], bin, channel)
    if plan.orientations is not None:
        values, magnitudes = (mixed(plan, array) for array in (values, magnitudes))
    return values, magnitudes


def applied_to(plan, plane, bin, channel):
    products = [(weight * plane[row, column], 1) for row, column, weight in plan.cells_of(*bin, channel)]
    terms = np.array([product for product, _ in products])
    if plan.reduce == "max_points":
        return maximum_of_points(plan, plane, bin), np.abs(terms).sum()
    if not len(terms):
        return dict(plan.options).get("extrapolation_value", 0), 0
    if plan.reduce == "max":
        return terms.max(), 0
    return math.fsum(terms) / (len(terms) if plan.reduce == "mean" else 1), np.abs(terms).sum()


def maximum_of_points(plan, plane, bin):
    kind = dict(plan.options)["reduce"]
    candidates = [0] if kind == "max_from_zero" else []
    points = plan.points_of(*bin)
    if not any(points):
        return 0
    for point in points:
        corners = [weight * plane[row, column] for row, column, weight in point]
        if kind == "max_corners":
            candidates += corners + [0] * (len(corners) < 4)
        elif point or kind != "max_inside":
            candidates.append(math.fsum(corners))
    return max(candidates)


def mixed(plan, sums):
    count = len(plan.orientations)
    found = np.zeros_like(sums)
    for channel in range(len(sums)):
        first = channel - channel % count
        for orientation, weight in plan.orientations[channel % count]:
            found[channel] += weight * sums[first + orientation]
    return found


def sets_of_options(operator):
    """Some of those of the digests, in steps that meet every choice of every option."""
    options = digests.OPTIONS[operator]
    step = max(1, len(options) // MOST_OPTIONS)
    while math.gcd(step, len(options)) > 1:
        step += 1
    return options[::step]


class Scenes:
    """Boxes of the digests' small scene, one after the other, for calls of an operator and of its explanation."""

    def __init__(self, operator):
        self.operator, self.number, self.rng = operator, 0, np.random.default_rng(len(operator))
        self.function = getattr(fastroi, operator)

    def next_box(self):
        self.number += 1
        rois = digests.boxes_of(SCENE)[self.number % COUNT, None]
        rois = digests.turned(rois) if "rotated" in self.operator else rois
        return rois[0, 1:]

    def check(self, options):
        box, options = self.next_box(), dict(options)
        if self.operator in MASKED:
            return self.check_masks(box * np.tile(SCALE, 2), options)
        if options.pop("return_argmax", False):
            return None
        if self.operator == "crop_and_resize":
            box = digests.normalised(SCENE, np.array([[0, *box]]))[0][0]
        groups = math.prod(options.get("group_size") or SIZE) if self.operator.startswith(("ps_", "deform_ps_")) else 1
        moved = options.pop("moved", None)
        if "deform" in self.operator:
            options |= self.offsets(moved, options)
        channels = groups * options.get("orientations", 1) * 4
        return self.compare(box, channels, options)

    def offsets(self, moved, options):
        if self.operator == "deform_roi_pool":
            return {"offset": self.rng.uniform(-2, 2, (1, 2, *SIZE)) if moved else None}
        return {"trans": self.rng.uniform(-2, 2, (1, 4, *(options["part_size"] or SIZE))) if moved else None}

    def compare(self, box, channels, options):
        sizes, scale = (HEIGHT, WIDTH), SCALE
        if self.operator == "crop_and_resize":
            options, scale = {**options, "layout": "NCHW"}, 1.0
        if self.operator == "multiscale_roi_align":
            sizes, scale, options = [(HEIGHT, WIDTH), (5, 7)], (0.3, 0.15), {**options, "levels": [self.number % 2]}
        plan = fastroi.explain(box, SIZE, scale, operator=self.operator, map_size=sizes, channels=channels, **options)
        features = [self.rng.standard_normal((1, channels, *size)) for size in np.atleast_2d(sizes)]
        if self.operator == "crop_and_resize":
            result = self.function(features[0], [box], [0], SIZE, **options)
        elif self.operator == "multiscale_roi_align":
            result = self.function(features, [box], SIZE, scale, **options)
            assert plan.level == self.number % 2
        else:
            result = self.function(features[0], [box], output_size=SIZE, spatial_scale=scale, **options)
        return plan, result[0], *applied(plan, features[plan.level or 0][0])

    def check_masks(self, box, options):
        paste = self.operator == "paste_masks"
        masks, size = ((4, 3), (HEIGHT, WIDTH)) if paste else ((HEIGHT, WIDTH), SIZE)
        plan = fastroi.explain(box, size, operator=self.operator, map_size=masks, **options)
        values = self.rng.random((1, *masks))
        result = self.function(values, [box], size, **options)
        found, magnitudes = applied(plan, values)
        if result.dtype == bool:
            strict = options.get("rule") == "detectron"
            found = (found > options["threshold"] if strict else found >= options["threshold"]).astype(float)
        return plan, result.astype(float), found, magnitudes


@pytest.mark.parametrize("operator", _core.OPERATORS)
def test_a_plan_applied_is_the_result(operator):
    scenes, compared, sets = Scenes(operator), 0, sets_of_options(operator)
    for options in sets:
        for _ in range(max(MOST_BOXES, COUNT // len(sets))):
            if (checked := scenes.check(options)) is None:
                continue
            plan, result, found, magnitudes = checked
            assert result.shape == found.shape
            bound = 0 if plan.reduce == "max" else 1e-12 * magnitudes
            assert (np.abs(result - found) <= bound).all(), (plan.box, options)
            assert hash(plan) == hash(dataclasses.replace(plan))
            compared += bool((result != 0).any())
    assert compared > 2, "all boxes were off the map"


def test_all_reduces_are_met():
    reduces = {
        article("roi_pool").reduce,
        article("roi_pool", reduce="mean").reduce,
        article("roi_align").reduce,
        article("roi_align", reduce="max_corners").reduce,
        fastroi.explain((8, 8, 4, 4, 0), 2, operator="riroi_align_rotated", map_size=16).reduce,
    }
    assert reduces == {"max", "mean", "sum", "max_points", "mixed"}


# --- known plans ----------------------------------------------------------------------------------------------------------


def test_a_quarter_turn():
    options = {"operator": "roi_align_rotated", "map_size": 4, "sampling_ratio": 1, "angle_unit": "degrees"}
    plan = fastroi.explain((2, 2, 2, 2, 90), 2, **options)
    cells = [[[(row, column) for row, column, weight in bin if weight > 1e-9] for bin in row] for row in plan.cells[0]]
    assert cells == [[[(2, 1)], [(1, 1)]], [[(2, 2)], [(1, 2)]]]
    weights = [sum(weight for *_, weight in plan.cells_of(ph, pw)) for ph in range(2) for pw in range(2)]
    assert weights == pytest.approx([1] * 4, abs=1e-15)
    assert (plan.rows, plan.row_points, plan.bin_channels, plan.orientations) == (None,) * 4


def test_article_box():
    plan = article("roi_pool", rule="floor")
    assert (plan.reduce, plan.map_size, plan.spatial_scale) == ("max", (16, 16), (1 / 32, 1 / 32))
    assert plan.columns == tuple(((a, 1.0), (a + 1, 1.0)) for a in (9, 11, 13))
    assert plan.rows == tuple(((a, 1.0),) for a in (6, 7, 8))
    assert plan.cells_of(1, 2) == ((7, 13, 1.0), (7, 14, 1.0))
    assert plan.channel_of(1, 2) == 0


def test_an_operator_has_its_own_defaults():
    assert article("roi_pool") == dataclasses.replace(article("roi_pool", rule="fast_rcnn"), options=())
    taps = article("roi_align", aligned="clamp_align_corners", sampling_ratio=2)
    expected = fastroi.explain(
        BOX, 3, 1 / 32, rule="roi_align", map_size=16, aligned="clamp_align_corners", sampling_ratio=2
    )
    assert (taps.rows, taps.columns) == (expected.y.taps, expected.x.taps)


def test_article_box_of_position_sensitive_channels():
    by_class = article("ps_roi_pool", channels=18)
    assert [by_class.channel_of(1, 2, c) for c in range(2)] == [5, 14]
    by_bin = article("ps_roi_pool", channels=18, channel_order="bin")
    assert [by_bin.channel_of(1, 2, c) for c in range(2)] == [10, 11]
    assert (article("ps_roi_pool").channels, by_bin.output_channels) == (9, 2)
    assert article("ps_roi_align", group_size=1).bin_channels is None


def test_an_eighth_of_a_turn():
    options = {"operator": "riroi_align_rotated", "map_size": 6, "angle_unit": "degrees"}
    plan = fastroi.explain((3, 3, 2, 2, 45), 1, **options)
    assert (plan.channels, plan.output_channels) == (8, 8)
    assert [[orientation for orientation, weight in o if weight > 1e-9] for o in plan.orientations] == [
        [(o - 1) % 8] for o in range(8)
    ]


def test_the_level_of_a_box():
    sizes = [(64, 64), (32, 32), (16, 16)]
    call = {"operator": "multiscale_roi_align", "map_size": sizes}
    plan = fastroi.explain((0, 0, 250, 250), 7, (1 / 8, 1 / 16, 1 / 32), **call)
    assert (plan.level, plan.map_size, plan.spatial_scale) == (1, (32, 32), (1 / 16, 1 / 16))


def test_offsets_move_bins_by_class():
    trans = np.zeros((1, 4, 2, 2))
    trans[0, 2] = 2.5  # the second class, to the right by 0.1 * 2.5 * width 4
    plan = fastroi.explain((0, 0, 3, 3), 2, operator="deform_ps_roi_pool", map_size=9, trans=trans)
    still, moved = ({column for _, column, _ in plan.cells_of(0, 1, channel)} for channel in (0, 1))
    assert (plan.channels, len(plan.cells)) == (8, 2)
    assert {column + 1 for column in still} == moved


def test_options_that_change_no_plan():
    plain = article("roi_pool")
    for options in ({"layout": "NHWC"}, {"return_argmax": True}, {"num_threads": 2}, {"batch_indices": np.array([0])}):
        assert dataclasses.replace(article("roi_pool", **options), options=()) == plain
    crop = {"operator": "crop_and_resize", "map_size": (5, 9), "channels": 2}
    by_layout = [fastroi.explain((0.1, 0, 1, 0.7), 3, layout=layout, **crop) for layout in ("NHWC", "NCHW")]
    assert by_layout[0].columns == by_layout[1].columns


# --- the object -----------------------------------------------------------------------------------------------------------

CALLS = {
    "roi_pool": {},
    "roi_align": {"reduce": "max"},
    "multiscale_roi_align": {},
    "ps_roi_pool": {"group_size": (3, 1)},
    "ps_roi_align": {"channel_order": "bin"},
    "roi_warp": {},
    "prroi_pool": {},
    "area_pool": {"reduce": "sum"},
    "crop_and_resize": {"method": "nearest"},
    "roi_align_rotated": {"clockwise": True},
    "riroi_align_rotated": {"orientations": 4},
    "deform_roi_pool": {"offset": np.ones((1, 2, 3, 3))},
    "deform_ps_roi_pool": {"trans": None},
    "paste_masks": {"threshold": None},
    "crop_masks": {"aligned": np.bool_(False)},
}


def explained(operator, box=None, output_size=3, **more):
    """The article's box under any operator."""
    flags = _core.OPERATORS[operator].flags
    options, scale, sizes = {**CALLS[operator], **more}, 1 / 32, 16
    box = BOX if box is None else box
    if flags & _core.TAKES_TURNED_BOXES:
        box = (396, 264, 200, 145, 0.5) if box is BOX else box
    if flags & _core.TAKES_LEVELS:
        scale, sizes = [1 / 32, 1 / 64], [16, 8]
    if flags & _core.TAKES_MASKS or flags & _core.TAKES_NORMALISED_BOXES:
        box, scale = np.array(box) / 500 if box is BOX else box, 1.0
    return fastroi.explain(box, output_size, scale, **{"operator": operator, "map_size": sizes, **options})


def test_every_operator_is_called():
    assert CALLS.keys() == _core.OPERATORS.keys()


@pytest.mark.parametrize("operator", CALLS)
def test_it_cannot_be_changed_and_is_json(operator):
    plan = explained(operator)
    assert isinstance(plan, Plan)
    with pytest.raises(dataclasses.FrozenInstanceError):
        plan.box = ()
    assert (plan, hash(plan)) == (explained(operator), hash(explained(operator)))
    content = plan.to_dict()
    assert json.loads(json.dumps(content, allow_nan=False)) == content
    assert content["options"].keys() == CALLS[operator].keys()
    assert (content["operator"], content["reduce"]) == (operator, plan.reduce)


@pytest.mark.parametrize("operator", CALLS)
def test_text(operator):
    lines = str(explained(operator)).splitlines()
    assert lines[0].startswith(operator)
    assert all(len(line) < 200 for line in lines)
    still = {"offset": None} if operator == "deform_roi_pool" else {}
    assert len(str(explained(operator, output_size=90, **still)).splitlines()) < 80


def test_text_of_the_article_box():
    lines = str(article("roi_pool", rule="floor")).splitlines()
    assert lines[0] == "roi_pool, rule='floor': 3x3 bins of a 16x16 map, 1 channel, spatial scale 1/32"
    assert "  rows     [6,7) [7,8) [8,9)" in lines
    lines = str(article("ps_roi_align", sampling_ratio=1)).splitlines()
    assert "    1  11:0.125 12:0.875" in lines
    assert lines[-3:] == ["    0  0 1 2", "    1  3 4 5", "    2  6 7 8"]


# --- upright plans as pictures ---------------------------------------------------------------------------------------------

TURNED_OR_MOVED = ("roi_align_rotated", "riroi_align_rotated", "deform_roi_pool", "deform_ps_roi_pool")
UPRIGHT = [operator for operator in CALLS if operator not in (*TURNED_OR_MOVED, "paste_masks")]


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    matplotlib.pyplot.close("all")


@pytest.mark.parametrize(
    ("operator", "options", "rule", "same"),
    [
        ("roi_align", {"aligned": "clamp_asymmetric"}, "roi_align", {"aligned": "clamp_asymmetric"}),
        ("roi_align", {"reduce": "max"}, "roi_align", {}),
        ("ps_roi_align", {}, "roi_align", {}),
        ("roi_warp", {}, "roi_warp", {}),
        ("prroi_pool", {}, "prroi_pool", {}),
        ("roi_pool", {"rule": "chainer"}, "chainer", {}),
        ("roi_pool", {"rule": "acl", "reduce": "mean"}, "acl", {}),
    ],
)
def test_balance_is_that_of_the_rule(operator, options, rule, same):
    found, expected = article(operator, **options), fastroi.explain(BOX, 3, 1 / 32, rule=rule, map_size=16, **same)
    assert dataclasses.astuple(found.balance()) == pytest.approx(dataclasses.astuple(expected.balance()), abs=1e-12)
    assert (found.x.exact, found.y.exact) == (expected.x.exact, expected.y.exact)
    for axis, other in ((found.x, expected.x), (found.y, expected.y)):
        assert dict(axis.weights) == pytest.approx(dict(other.weights), abs=1e-12)
        assert axis.pooled == other.pooled


@pytest.mark.parametrize("operator", UPRIGHT)
def test_upright_plans_can_be_drawn(operator):
    plan = explained(operator)
    ax = plan.plot(view="map" if operator == "roi_warp" else None)
    assert ax.get_gid() == f"operator:{operator}"
    (mesh,) = [c for c in ax.collections if c.get_gid() == "weights"]
    assert mesh.get_array().sum() > 0
    bins = [c for c in ax.collections if c.get_zorder() == 4]
    assert [len(c.get_segments()) for c in bins] == [len(set(plan.x.pooled)) * len(set(plan.y.pooled))]
    (box,) = [p for p in ax.patches if isinstance(p, matplotlib.patches.Rectangle) and not p.get_fill()]
    corners = (*box.get_xy(), box.get_x() + box.get_width(), box.get_y() + box.get_height())
    assert corners == pytest.approx((plan.x.exact[0], plan.y.exact[0], plan.x.exact[1], plan.y.exact[1]))
    ax.figure.canvas.draw()


def test_corners_of_a_cropped_box_are_centres_of_cells():
    plan = fastroi.explain((0, 1, 1, 0), 2, operator="crop_and_resize", map_size=(4, 7))
    assert (plan.y.exact, plan.x.exact) == ((0.5, 3.5), (6.5, 0.5))


@pytest.mark.parametrize("operator", [*TURNED_OR_MOVED, "paste_masks"])
def test_other_plans_are_not_drawn(operator):
    with pytest.raises(ValueError, match=f"operator: the bins of {operator} are no rows and columns"):
        explained(operator).plot()


def test_plans_beside_rules():
    parts = [
        article("ps_roi_pool"),
        *(fastroi.explain(BOX, 3, 1 / 32, rule=r, map_size=16) for r in ("floor", "roi_align")),
    ]
    figure = plot_rules(parts, image=np.zeros((512, 512, 3), np.uint8))
    assert [ax.get_gid() for ax in figure.axes[1:]] == ["operator:ps_roi_pool", "rule:floor", "rule:roi_align"]
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert len(labels) == len(set(labels))
    figure.canvas.draw()
    boxes = [ax.get_tightbbox() for ax in figure.axes] + [figure.legends[0].get_window_extent()]
    assert not any(first.overlaps(second) for i, first in enumerate(boxes) for second in boxes[:i])


@pytest.mark.parametrize("box", [(-900, -900, -800, -850), (500, 400, 100, 50), (64, 64, 64, 64)])
@pytest.mark.parametrize("reduce", ["mean", "max"])
def test_odd_plans_can_be_drawn(box, reduce):
    plan = fastroi.explain(box, (7, 3), 1 / 8, operator="roi_align", map_size=64, reduce=reduce)
    plan.plot().figure.canvas.draw()
    assert "%" not in str(plan)


# --- what is refused ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "message", "operator", "options"),
    [
        (ValueError, "operator: 'roi_pol' is not one of 'roi_pool'", "roi_pol", {}),
        (ValueError, "map_size: operator 'roi_warp' needs it", "roi_warp", {"map_size": None}),
        (ValueError, "map_size: .* is not positive", "roi_warp", {"map_size": (0, 4)}),
        (ValueError, "map_size: 16; .* one for each level", "multiscale_roi_align", {"map_size": 16}),
        (ValueError, "spatial_scale: .* one for each level", "multiscale_roi_align", {"map_size": [16]}),
        (ValueError, "levels\\[0\\]: 2 is outside", "multiscale_roi_align", {"map_size": [6, 3], "spatial_scale": [1, 0.5], "levels": [2]}),
        (ValueError, "box: expected cx, cy, w, h, angle, got 4", "roi_align_rotated", {}),
        (ValueError, "output_size: 1048576; up to", "ps_roi_align", {"output_size": 1024}),
        (ValueError, "group_size: 1073741824; up to", "ps_roi_align", {"group_size": 32768}),
        (ValueError, "orientations: 2147483647; up to", "riroi_align_rotated", {"box": (8, 8, 4, 4, 0), "orientations": 2**31 - 1}),
        (ValueError, "num_threads: -3", "roi_pool", {"num_threads": -3}),
        (ValueError, "out: an explanation fills none", "roi_pool", {"out": np.zeros((1, 1, 2, 2))}),
        (TypeError, "channels: .* is not an integer", "roi_pool", {"channels": (1, 2)}),
        (ValueError, "spatial_scale: .*has none", "crop_masks", {}),
        (ValueError, "spatial_scale: .*has none", "crop_and_resize", {}),
        (ValueError, "channels: 0", "roi_pool", {"channels": 0}),
        (ValueError, "features: 4 channels are not a multiple of the 9", "ps_roi_pool", {"channels": 4}),
        (ValueError, "rule: 'floor' is not one of 'rfcn'", "ps_roi_pool", {"rule": "floor"}),
        (TypeError, "unexpected keyword argument 'sampling_ratio'", "roi_pool", {"sampling_ratio": 2}),
        (TypeError, "missing .* 'offset'", "deform_roi_pool", {}),
        (ValueError, "offset: shape", "deform_roi_pool", {"offset": np.zeros((1, 2, 2, 2))}),
        (ValueError, "sampling_ratio", "deform_roi_pool", {"offset": None, "sampling_ratio": (1, 2, 3)}),
        (OverflowError, "map_size: ", "roi_pool", {"map_size": 2**31 - 1, "channels": 9}),
        (ValueError, "box: 2000000 cells .* along x", "roi_align", {"map_size": 10**7, "spatial_scale": 10**4}),
        (ValueError, "box: .* points or more along x", "roi_align", {"sampling_ratio": 10**6}),
        (ValueError, "box: its bins may hold", "deform_roi_pool", {"offset": None, "map_size": 10**6, "spatial_scale": 100}),
        (ValueError, "output_size: ", "roi_align", {"output_size": 10**6}),
        (ValueError, "batch_indices|rois\\[0\\]", "roi_align", {"batch_indices": [1]}),
        (ValueError, "layout: 'HWC'", "roi_align", {"layout": "HWC"}),
        (ValueError, "trans: 3 planes", "deform_ps_roi_pool", {"trans": np.zeros((1, 3, 3, 3))}),
        (ValueError, "box: y1 = nan is not finite", "roi_warp", {"box": (0, float("nan"), 1, 1)}),
    ],
)  # fmt: skip
def test_bad_arguments(error, message, operator, options):
    call = {"box": BOX, "output_size": 3, "spatial_scale": 1 / 32, "map_size": 16, **options}
    with pytest.raises(error, match=message):
        fastroi.explain(operator=operator, **call)


def test_masks_have_one_channel():
    with pytest.raises(ValueError, match="channels: 2 is not one"):
        fastroi.explain((0, 0, 3, 3), 2, operator="crop_masks", map_size=4, channels=2)


def test_channels_go_with_an_operator():
    with pytest.raises(TypeError, match="channels: it goes with operator="):
        fastroi.explain(BOX, 3, 1 / 32, channels=3)
    with pytest.raises(TypeError, match="reduce"):
        fastroi.explain(BOX, 3, 1 / 32, reduce="mean")


@pytest.mark.parametrize("operator", ["roi_align_rotated", "riroi_align_rotated"])
def test_a_huge_turned_box_is_refused_or_small(operator):
    call = {"operator": operator, "output_size": 2}
    with pytest.raises(ValueError, match="box: its bins may hold"):
        fastroi.explain((0, 0, 1e9, 1e9, 1), map_size=10**6, **call)
    plan = fastroi.explain((0, 0, 1e6, 1e6, 1), map_size=16, **call)
    assert sum(len(plan.cells_of(ph, pw)) for ph in range(2) for pw in range(2)) < 400
