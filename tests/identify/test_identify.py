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
    words = {"asymmetric": False, "half_pixel": True}
    return [
        pytest.param(name, {option: words.get(value, value)}, id=f"{name}-{value}")
        for value in _core.OPERATORS[name].fields[option].choices
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


def test_axes_and_channels():
    assert identify(align().transpose(0, 2, 3, 1), operators=["roi_align"]).best.axes == "K PH PW C"
    assert identify(align().swapaxes(2, 3), operators=["roi_align"]).best.axes == "K C PW PH"
    assert identify(align().reshape(24, -1), operators=["roi_align"]).best.axes == "K C*PH*PW"
    reverse = fastroi.roi_align(FEATURES[:, ::-1], BOXES, 3, SCALE, 2)
    found = identify(reverse, operators=["roi_align"])
    assert found.best.agrees and found.best.reversed_channels
    last = np.ascontiguousarray(FEATURES.transpose(0, 2, 3, 1))
    assert identify(align(), features=last, operators=["roi_align"]).best.layout == "NHWC"


def kinds(found):
    return {finding.kind for finding in found.findings}


def test_numbers_stored_in_fewer_bits():
    for observed in (
        align().astype(np.float16),
        align().astype(np.float16).astype(np.float32),
        np.round(align() * 8) / 8,
    ):
        found = identify(observed, operators=["roi_align"])
        assert found.best.agrees and kinds(found) == {"stored_as"}
        assert dict(found.best.options)["sampling_ratio"] == 2


def test_other_orders():
    order = RNG.permutation(24)
    found = identify(align()[order], operators=["roi_align"])
    assert found.best.agrees and dict(found.findings[0].values)["order"] == tuple(order.tolist())
    found = identify(align()[:, [0, 3, 1, 2, 4, 5, 6, 7]], operators=["roi_align"])
    assert found.best.agrees and dict(found.findings[0].values)["order"] == (0, 3, 1, 2, 4, 5, 6, 7)


def test_a_factor():
    found = identify(align() * np.float32(2.5) + np.float32(1), operators=["roi_align"])
    assert found.best.agrees
    assert dict(found.findings[0].values) == pytest.approx({"factor": 2.5, "offset": 1.0}, abs=1e-5)


def test_moved_boxes():
    found = identify(align(BOXES + np.float32([4, 0, 4, 0])), operators=["roi_align"])
    assert found.verdict == "none"
    assert "boxes_moved" in kinds(found)


def test_a_scale_that_is_no_stride():
    found = identify(align(scale=0.0571), spatial_scale=None, operators=["roi_align"])
    assert found.best.agrees and found.best.spatial_scale == pytest.approx((0.0571, 0.0571), rel=1e-6)


def test_noise_and_none_of_them():
    noisy = identify(align() + RNG.normal(0, 1e-3, (24, 8, 3, 3)).astype(np.float32), operators=["roi_align"])
    assert noisy.verdict == "none" and kinds(noisy) == {"noise"}
    assert dict(noisy.best.options)["sampling_ratio"] == 2
    other = identify(RNG.standard_normal((24, 8, 3, 3), dtype=np.float32), operators=["roi_align", "roi_pool"])
    assert other.verdict == "none" and kinds(other) == {"unlike"}
    assert str(other).startswith("none of them")


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
    ],
)
def test_refusals(change, message):
    arguments = dict(features=FEATURES, rois=BOXES, observed=align(), spatial_scale=SCALE, **{})
    with pytest.raises(ValueError, match=message):
        fastroi.identify(**{**arguments, **change})


def test_command_line(tmp_path, capsys):
    paths = [str(tmp_path / name) for name in ("features.npy", "boxes.npy", "observed.npy")]
    for path, array in zip(paths, (FEATURES, BOXES, align()), strict=True):
        np.save(path, array)
    assert main(["identify", *paths, "--stride", "16", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["candidates"][0]["operator"] == "roi_align"
    with pytest.raises(SystemExit):
        main(["identify", paths[0]])
