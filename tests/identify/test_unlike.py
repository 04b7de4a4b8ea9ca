"""An output that is none of anything: a short answer, and bounded work."""

import numpy as np
import pytest

import fastroi

RNG = np.random.default_rng(0)
FEATURES = RNG.standard_normal((1, 8, 25, 30), dtype=np.float32)
LOW = RNG.uniform(0, 300, (200, 2))
BOXES = np.hstack([LOW, LOW + RNG.uniform(20, 150, (200, 2))]).astype(np.float32)


@pytest.mark.parametrize(
    "observed, kind, sentence",
    [
        (RNG.standard_normal((200, 8, 3, 3), dtype=np.float32), "unlike", "the nearest candidate is unlike the output"),
        (np.full((200, 8, 3, 3), 5, np.float32), "constant", "all values of the output are 5, as of boxes off the map"),
    ],
)
def test_short_answer(observed, kind, sentence):
    found = fastroi.identify(FEATURES, BOXES, observed, spatial_scale=1 / 16, operators=["roi_pool", "prroi_pool"])
    lines = str(found).splitlines()
    assert found.verdict == "none" and [finding.kind for finding in found.findings] == [kind]
    assert len(lines) == 2 and lines[0].startswith("none of them: nothing") and sentence in lines[1]
    assert found.candidates and not found.explanations and found.explained_roi is None


def test_zeros_of_boxes_off_the_map_are_an_answer():
    observed = np.zeros((200, 8, 3, 3), np.float32)
    found = fastroi.identify(
        FEATURES, BOXES + np.float32(5000), observed, spatial_scale=1 / 16, operators=["prroi_pool"]
    )
    assert found.best.agrees and found.best.call in str(found)


def test_rois_in_another_order_of_another_layout():
    order = RNG.permutation(200)
    observed = fastroi.prroi_pool(FEATURES, BOXES, 3, 1 / 16)[order].transpose(0, 2, 3, 1)
    found = fastroi.identify(FEATURES, BOXES, observed, operators=["prroi_pool"])
    assert found.best.agrees and found.best.axes == "K PH PW C"
    assert dict(found.findings[0].values)["order"] == tuple(order.tolist())
    assert found.evaluated < 1500


def test_channels_in_another_order_among_many():
    features = RNG.standard_normal((1, 96, 13, 15), dtype=np.float32)
    order = RNG.permutation(96)
    observed = fastroi.prroi_pool(features, BOXES[:40] / 2, 3, 1 / 16)[:, order]
    found = fastroi.identify(features, BOXES[:40] / 2, observed, operators=["prroi_pool"])
    assert found.best.agrees and dict(found.findings[0].values)["order"] == tuple(order.tolist())
