"""What made an output is found again: every choice of the table, every reading of boxes and axes, and what is none of them."""

import inspect
import json

import numpy as np
import pytest

import fastroi
from fastroi import _core
from fastroi.cli import main
from fastroi.identify import _profiles

RNG = np.random.default_rng(0)
FEATURES = RNG.standard_normal((1, 8, 13, 15), dtype=np.float32)
LOW = RNG.uniform(-30, 150, (24, 2))
BOXES = np.hstack([LOW, LOW + RNG.uniform(12, 130, (24, 2))]).astype(np.float32)
SCALE = 1 / 16


def identify(observed, rois=BOXES, features=FEATURES, **options):
    options.setdefault("spatial_scale", SCALE)
    return fastroi.identify(features, rois, observed, **options)


def align(boxes=BOXES, scale=SCALE, **options):
    return fastroi.roi_align(FEATURES, boxes, 3, scale, 2, arithmetic="float32", **options)


def assert_found(found, name, **options):
    """The true call is among those of first rank, or gives the same as one of them."""
    texts = [text for c in found.candidates if c.agrees for text in (c.call, *c.same)]
    expected = [text for text in texts if text.startswith(f"{name}(")]
    assert any(all(f"{k}={v!r}" in text for k, v in options.items()) for text in expected), found
    assert found.best.agrees


def choices(name, option):
    """Every choice of an option; of those whose search takes longer, half in the long set."""
    words = {"asymmetric": False, "half_pixel": True}
    return [
        pytest.param(
            name,
            {option: words.get(value, value)},
            id=f"{name}-{value}",
            marks=[pytest.mark.long] if name == "roi_align" and number % 2 else [],
        )
        for number, value in enumerate(_core.OPERATORS[name].fields[option].choices)
    ]


@pytest.mark.parametrize(
    "name, options",
    [
        *choices("roi_pool", "rule"),
        *choices("roi_align", "reduce"),
        *choices("roi_align", "aligned"),
        *choices("ps_roi_pool", "rule"),
    ],
)
def test_choices(name, options):
    features = RNG.standard_normal((1, 18, 13, 15), dtype=np.float32) if name == "ps_roi_pool" else FEATURES
    function = getattr(fastroi, name)
    observed = function(features, BOXES, 3, SCALE, **options)
    defaults = {name: parameter.default for name, parameter in inspect.signature(function).parameters.items()}
    shown = {key: value for key, value in options.items() if value != defaults[key]}
    assert_found(identify(observed, features=features, operators=[name]), name, **shown)


READINGS = {
    "x y w h": np.hstack([BOXES[:, :2], BOXES[:, 2:] - BOXES[:, :2]]),
    "y1 x1 y2 x2": BOXES[:, [1, 0, 3, 2]],
    "cx cy w h": np.hstack([(BOXES[:, :2] + BOXES[:, 2:]) / 2, BOXES[:, 2:] - BOXES[:, :2]]),
}


@pytest.mark.parametrize("name", READINGS)
def test_box_formats(name):
    found = identify(align(), READINGS[name], operators=["roi_align"], tolerance=1e-4)
    assert found.best.agrees and found.best.box_format == name
    assert found.best.call.startswith("roi_align(sampling_ratio=2")


@pytest.mark.parametrize(
    "moved, text", [((0, 0, 1, 1), "x2 and y2 one pixel more"), ((-0.5,) * 4, "all half a pixel less")]
)
def test_boxes_off_by_a_convention(moved, text):
    found = identify(align(BOXES + np.float32(moved)), operators=["roi_align"])
    assert found.best.agrees and found.best.box_correction == text


def test_parts_of_the_map_without_a_scale():
    observed = fastroi.crop_and_resize(FEATURES, BOXES[:, [1, 0, 3, 2]] / 240, [0] * 24, 3, layout="NCHW")
    found = identify(observed, BOXES[:, [1, 0, 3, 2]] / 240, spatial_scale=None, operators=["crop_and_resize"])
    assert_found(found, "crop_and_resize")
    assert found.best.box_format == "y1 x1 y2 x2"


def precise(boxes=BOXES, features=FEATURES, scale=SCALE):
    """Of an operator without options: what is found of the output does not depend on which it was."""
    return fastroi.prroi_pool(features, boxes, 3, scale)


def precisely(observed, **options):
    return identify(observed, operators=["prroi_pool"], **options)


def test_axes_and_channels():
    assert precisely(precise().transpose(0, 2, 3, 1)).best.axes == "K PH PW C"
    assert precisely(precise().swapaxes(2, 3)).best.axes == "K C PW PH"
    assert precisely(precise().reshape(24, -1)).best.axes == "K C*PH*PW"
    found = precisely(precise(features=FEATURES[:, ::-1]))
    assert found.best.agrees and found.best.reversed_channels
    last = np.ascontiguousarray(FEATURES.transpose(0, 2, 3, 1))
    assert precisely(precise(), features=last).best.layout == "NHWC"


def kinds(found):
    return {finding.kind for finding in found.findings}


def as_bfloat16(values):
    """Rounded to the nearest, as float32."""
    bits = values.view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000).astype(np.uint32).view(np.float32)


@pytest.mark.parametrize(
    "stored, element",
    [
        (lambda values: values.astype(np.float16), "float16"),
        (lambda values: values.astype(np.float16).astype(np.float32), "float16"),
        (as_bfloat16, "bfloat16"),
        (lambda values: np.round(values * 8) / 8, "multiples of 0.125"),
    ],
)
def test_numbers_stored_in_fewer_bits(stored, element):
    found = precisely(stored(precise()))
    assert found.best.agrees and kinds(found) == {"stored_as"}
    assert dict(found.findings[0].values)["element"] == element


def test_fewer_bits_hide_no_sampling_ratio():
    found = identify(as_bfloat16(align()), operators=["roi_align"])
    assert found.best.agrees and dict(found.best.options)["sampling_ratio"] == 2


def test_float32_numbers_that_come_as_lists():
    found = precisely(precise().tolist(), features=FEATURES.tolist(), rois=BOXES.tolist())
    assert found.verdict == "identified" and not found.findings


def order_of(found):
    assert found.best.agrees and [finding.kind for finding in found.findings] in (
        ["rois_permuted"],
        ["channels_permuted"],
    )
    return dict(found.findings[0].values)["order"]


def test_other_orders():
    order = RNG.permutation(24)
    assert order_of(precisely(precise()[order])) == tuple(order.tolist())
    channels = [0, 3, 1, 2, 4, 5, 6, 7]
    assert order_of(precisely(precise()[:, channels])) == tuple(channels)


def test_two_rois_that_changed_places_among_many():
    order = np.arange(24)
    order[[4, 19]] = 19, 4
    found = precisely(precise()[order])
    assert order_of(found) == tuple(order.tolist())
    assert "row 4 is RoI 19, row 19 is RoI 4" in str(found)


def test_what_else_is_wrong_beside_rois_that_changed_places():
    observed = precise()
    observed[[4, 19]], observed[7] = observed[[19, 4]], 5
    found = precisely(observed)
    assert found.verdict == "none" and (found.best.agreeing, found.best.first_disagreeing) == (23, 7)
    assert kinds(found) == {"rois_permuted", "some_rois"}


def test_a_factor():
    found = precisely(precise() * np.float32(2.5) + np.float32(1))
    assert found.best.agrees
    assert dict(found.findings[0].values) == pytest.approx({"factor": 2.5, "offset": 1.0}, abs=1e-5)


def test_moved_boxes():
    found = precisely(precise(BOXES + np.float32([4, 0, 4, 0])))
    assert found.verdict == "none"
    (moved,) = (finding for finding in found.findings if finding.kind == "boxes_moved")
    assert dict(moved.values)["shift"] == pytest.approx((0.25, 0), abs=1e-4)


def test_a_scale_that_is_no_stride():
    found = precisely(precise(scale=0.0571), spatial_scale=None)
    assert found.best.agrees and found.best.spatial_scale == pytest.approx((0.0571, 0.0571), rel=1e-6)


def test_noise_and_none_of_them():
    noisy = precisely(precise() + RNG.normal(0, 1e-3, (24, 8, 3, 3)).astype(np.float32))
    assert noisy.verdict == "none" and kinds(noisy) == {"noise"}
    other = precisely(RNG.standard_normal((24, 8, 3, 3), dtype=np.float32))
    assert other.verdict == "none" and kinds(other) == {"unlike"}
    assert str(other).startswith("none of them")


def test_values_that_are_no_numbers_or_all_one():
    holed = precise()
    holed[[2, 5], 0] = np.nan
    found = precisely(holed)
    assert found.best.agreeing == 22 and kinds(found) == {"not_finite", "some_rois"}
    assert dict(found.findings[0].values)["rois"] == (2, 5)
    assert kinds(precisely(np.zeros((24, 8, 3, 3), np.float32))) == {"constant"}


@pytest.mark.parametrize("top", [1, 2])
def test_the_verdict_does_not_depend_on_how_many_are_listed(top):
    inside = np.array([[20, 30, 120, 90], [40, 20, 180, 150]], np.float32)
    found = identify(fastroi.roi_align(FEATURES, inside, 3, SCALE, 2), inside, operators=["roi_align"], top=top)
    assert found.verdict == "ambiguous" and len(found.candidates) == top < found.agreeing
    assert f"or one of {found.agreeing - 1} more" in str(found)


def test_candidates_that_boxes_cannot_tell_apart():
    inside = np.array([[20, 30, 120, 90], [40, 20, 180, 150], [60, 50, 100, 160]], np.float32)
    observed = fastroi.roi_align(FEATURES, inside, 3, SCALE, 2)
    found = identify(observed, inside, operators=["roi_align"])
    assert found.verdict == "ambiguous"
    other = next(c for c in found.candidates[1:] if dict(c.options).get("aligned") == "clamp_half_pixel")
    assert other.agrees and other.probe.difference > 0.01
    with_probe = np.vstack([inside, [other.probe.row]]).astype(np.float32)
    again = identify(fastroi.roi_align(FEATURES, with_probe, 3, SCALE, 2), with_probe, operators=["roi_align"])
    agreeing = [dict(c.options).get("aligned") for c in again.candidates if c.agrees]
    assert None in agreeing and "clamp_half_pixel" not in agreeing
    assert "cannot be told apart by these boxes" in str(found)


def test_profiles_are_named_and_the_work_is_bounded():
    found = identify(align(aligned=False))
    assert any(text.startswith("compat.torchvision.roi_align(aligned=False") for text in found.best.same)
    assert found.evaluated < 6000
    assert json.loads(json.dumps(found.to_dict()))["verdict"] == found.verdict
    assert found.explanations and str(found.explanations[0]).startswith("roi_align")


def test_every_profile_function_is_searched_or_named():
    named = {(module, name) for module, name, _ in _profiles.functions()}
    assert len([1 for module, name in named if _profiles.is_searched(module, name)]) > 20
    for entry in _profiles.NOT_SEARCHED:
        assert any(entry in (name, f"{module}.{name}") for module, name in named), entry


@pytest.mark.parametrize(
    "change, message",
    [
        (dict(observed=np.zeros((3, 8, 3, 3))), r"observed: shape \(3, 8, 3, 3\) for 24 rows of rois"),
        (dict(observed=np.zeros((24, 5, 3, 3))), r"observed: shape .* is no order of"),
        (dict(rois=np.full((24, 4), np.nan)), r"rois\[0\]: .* is not finite"),
        (dict(spatial_scale=-1), "spatial_scale: -1 is not finite and positive"),
        (dict(operators=["roi"]), "operators: 'roi' is not one of"),
        (dict(tolerance=-1.0), "tolerance: -1.0 is not finite and at least 0"),
        (dict(layout="HWC"), "layout: 'HWC' is not"),
        (dict(observed=align().transpose(1, 0, 2, 3)), "observed: .* 24 rows of rois; RoIs come first, transpose it"),
        (dict(observed=np.full((24, 8, 3, 3), np.nan)), "observed: no value is finite"),
        (dict(observed=1.0), r"observed: shape \(\) for 24 rows"),
        (dict(observed=None), "observed: None is not an array of numbers"),
        (dict(observed=[[1, 2], [3]]), "observed: "),
        (dict(features=[]), "features: there are none"),
        (dict(rois=BOXES > 0), "rois: dtype bool is not"),
        (dict(rois=BOXES[:0], observed=align()[:0]), "rois: there are none"),
        (dict(rois=np.insert(BOXES, 0, 3, axis=1)), r"rois\[0\]: batch index 3.0 is no integer in \[0, 1\)"),
        (dict(operators="roi_align"), "operators: 'roi_align' is one string"),
        (dict(operators=[]), "operators: the list is empty"),
    ],
)
def test_refusals(change, message):
    arguments = dict(features=FEATURES, rois=BOXES, observed=align(), spatial_scale=SCALE)
    with pytest.raises((TypeError, ValueError), match=message):
        fastroi.identify(**{**arguments, **change})


def test_command_line(tmp_path, capsys):
    paths = [str(tmp_path / name) for name in ("features.npy", "boxes.npy", "observed.npy")]
    for path, array in zip(paths, (FEATURES, BOXES, align()), strict=True):
        np.save(path, array)
    assert main(["identify", *paths, "--stride", "16", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["candidates"][0]["operator"] == "roi_align"
    with pytest.raises(SystemExit):
        main(["identify", paths[0]])
