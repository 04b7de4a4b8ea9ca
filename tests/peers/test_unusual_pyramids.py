"""OpenVINO's extractor and TensorRT's pyramid functions on pyramids off the textbook."""

import warnings

import numpy as np
import pytest

from fastroi.compat import openvino, tensorrt
from peers import live, replay
from peers.test_compat import pyramid_align


def cells(height, width, level):
    """The maps of tools/golden/make_openvino.py."""
    number = np.arange(2 * height * width, dtype=np.float32) * 37 % 101 + 100 * level
    return number.reshape(1, 2, height, width)


def check(path):
    meta, arrays = replay.load(path)
    for case in meta["cases"]:
        expected, boxes = (arrays[name] for name in case["results"])
        args = dict(case["args"])
        maps = [cells(*size, level) for level, size in enumerate(args.pop("sizes"))]
        pooled, copied = openvino.experimental_detectron_roi_feature_extractor([boxes, *maps], **args)
        assert pooled.shape == expected.shape
        bound = 600 * 2000 * np.finfo(np.float32).eps
        np.testing.assert_allclose(pooled, expected, rtol=0, atol=bound, err_msg=str(case["args"]))
        np.testing.assert_array_equal(copied, boxes)
    return len(meta["cases"])


def test_recorded_extractor():
    assert check(replay.GOLDEN / "openvino_pyramids.npz") == 30


if "openvino" in live.PACKAGES:

    @pytest.mark.peers
    def test_live_extractor(tmp_path):
        """`FASTROI_PEER_OPENVINO` names a Python that has it, if this one has not."""
        live.results("openvino", tmp_path, seed=1, boxes_per_set=160, huge_boxes=1)
        assert check(tmp_path / "openvino_pyramids.npz") == 300


MAP = cells(4, 5, 1)
BOX = np.array([[0, 0, 9, 7]], np.float32)


def extract(boxes=BOX, maps=(MAP,), scales=(4,), output_size=1):
    return openvino.experimental_detectron_roi_feature_extractor([boxes, *maps], output_size, 2, scales)[0]


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        ({"scales": [0]}, ValueError, r"pyramid_scales\[0\]: 0"),
        ({"maps": [MAP, MAP], "scales": [4, -8]}, ValueError, r"pyramid_scales\[1\]: -8"),
        ({"scales": [np.nan]}, ValueError, r"pyramid_scales\[0\]: nan"),
        ({"scales": [1e-320]}, ValueError, r"pyramid_scales\[0\]: "),
        ({"scales": ["4"]}, TypeError, r"pyramid_scales\[0\]: '4'"),
        ({"scales": [10**400]}, OverflowError, r"pyramid_scales\[0\]: an integer"),
        ({"scales": [4, 8]}, ValueError, "pyramid_scales: 2 for 1 levels"),
        ({"maps": []}, ValueError, "inputs: 1 arrays"),
        (
            {"maps": [MAP, MAP[:, :1]], "scales": [4, 8]},
            ValueError,
            r"inputs\[2\]: 1 images of 1 channels; 1 of 2 as in",
        ),
        ({"maps": [MAP, MAP.astype(int)], "scales": [4, 8]}, TypeError, r"inputs\[2\]: dtype int64"),
        ({"maps": [MAP[:, :, :0]]}, ValueError, r"inputs\[1\]: a map of 0 x 5"),
        ({"maps": [np.concatenate([MAP, MAP])]}, ValueError, "inputs: one image"),
        ({"output_size": (2, 3)}, TypeError, r"output_size: \(2, 3\)"),
        ({"boxes": np.array([[0, 0, 1e40, 1]])}, ValueError, r"inputs\[0\]\[0\]: .*exceeds float32"),
    ],
)
def test_extractor_refuses_by_name(arguments, kind, message):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(kind, match=f"^{message}"):
            extract(**arguments)


def far_boxes():
    """Beyond the map, with areas beyond float32, and with extents beyond float32."""
    return np.array([[0, 0, 1e30, 1e30], [-1e30, 2, 1e30, 1e30], [-3e38, -3e38, 3e38, 3e38]], np.float32)


def test_extractor_of_far_boxes():
    """Warnings are errors; an infinite area belongs to the last level, and no sample lies on the map."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not extract(far_boxes(), [MAP, MAP], [4, 8]).any()


LAST_LEVELS = {
    "reversed": lambda maps: maps[::-1],
    "equal": lambda maps: [maps[1]] * 4,
    "one cell": lambda maps: [maps[0], maps[0][:, :, :1, :1], maps[2][:, :, :1], maps[3]],
    "any sizes": lambda maps: [maps[2], maps[0][:, :, 2:9, 1:], maps[1], maps[1][:, :, 3:, :4]],
}


def tables(count=40):
    rng = np.random.default_rng(20261128)
    corner = rng.uniform(-100, 500, (2, count, 2))
    boxes = np.concatenate([corner, corner + np.exp(rng.uniform(0, 6.5, (2, count, 2)))], axis=2).astype(np.float32)
    boxes[:, 0], boxes[:, 1], boxes[:, 2] = 0, [9, 9, 5, 5], [0, 0, 1e30, 1e30]
    return boxes


def levels():
    rng = np.random.default_rng(7)
    return [rng.standard_normal((2, 3, 24 >> n, 32 >> n)).astype(np.float32) for n in range(4)]


@pytest.mark.parametrize("transform", [-1, 2])
@pytest.mark.parametrize("kind", LAST_LEVELS)
def test_tensorrt_pyramids_are_what_they_are(kind, transform):
    """Boxes go to maps by their number; each map is as large as it is."""
    maps, rois = LAST_LEVELS[kind](levels()), tables()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pooled = tensorrt.pyramid_roi_align(
            rois, *maps, pooled_size=2, image_size=(384, 512), roi_coords_transform=transform, sampling_ratio=2
        )
    expected = pyramid_align(rois, maps, 2, (384, 512), transform=transform, ratio=2)
    np.testing.assert_allclose(pooled, expected, rtol=0, atol=2e-5)


def test_tensorrt_crops_of_any_pyramid():
    """The scale is that of the number of the level, 1 / 4, 1 / 8, ...; samples stay in the map that is there."""
    maps = [
        np.full((1, 1, *size), level, np.float32) for level, size in enumerate([(1, 1), (9, 2), (9, 2), (1, 7), (2, 2)])
    ]
    rois = np.array([[[0, 0, side, side] for side in (112, 113, 225, 449, 897)]], np.float32)
    pooled = tensorrt.multilevel_crop_and_resize(rois, *maps, pooled_size=1, image_size=(3, 999, 999))
    assert pooled.ravel().tolist() == [0, 1, 2, 3, 4]


def test_tensorrt_without_boxes():
    maps, none = levels(), np.zeros((2, 0, 4), np.float32)
    assert tensorrt.pyramid_roi_align(none, *maps).shape == (2, 0, 3, 7, 7)
    assert tensorrt.multilevel_crop_and_resize(none, *maps, maps[3], pooled_size=2).shape == (2, 0, 3, 2, 2)


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        ({"image_size": (384,)}, ValueError, r"image_size: \(384,\); \(height, width\) required"),
        ({"image_size": 384}, ValueError, "image_size: 384"),
        ({"image_size": (np.nan, 512)}, TypeError, "image_size: nan"),
        ({"image_size": (1e40, 512)}, TypeError, "image_size: 1e"),
        ({"fpn_scale": np.nan}, TypeError, "fpn_scale: nan"),
        ({"fpn_scale": 1e40}, TypeError, "fpn_scale: 1e"),
        ({"sampling_ratio": None}, TypeError, "sampling_ratio: None"),
        ({"p3": np.zeros((2, 3, 0, 4), np.float32)}, ValueError, "p3: a map of 0 x 4 cells"),
        ({"rois": np.array([[["a"] * 4]] * 2)}, TypeError, "rois: dtype"),
        ({"rois": [[[0, 0, 1e40, 5]], [[0, 0, 1, 1]]]}, ValueError, r"rois\[0, 0\]: .*1e\+40"),
    ],
)
def test_tensorrt_refuses_by_name(arguments, kind, message):
    maps = dict(zip(("p2", "p3", "p4", "p5"), levels(), strict=True))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(kind, match=f"^{message}"):
            tensorrt.pyramid_roi_align(**{"rois": tables(), **maps, **arguments})
