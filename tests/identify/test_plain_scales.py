"""Scales that are no stride, but that somebody wrote in two digits or as a part of one."""

import numpy as np
import pytest

import fastroi

FEATURES = np.random.default_rng(0).standard_normal((2, 8, 25, 30), dtype=np.float32)


def rois_at(scale):
    """Boxes that reach over the map under this scale, and somewhat beyond."""
    rng = np.random.default_rng(1)
    corner = np.stack([rng.uniform(-20, 300, 40), rng.uniform(-20, 250, 40)], 1)
    boxes = np.hstack([corner, corner + rng.uniform(20, 200, (40, 2))]) * (0.07 / scale)
    return np.hstack([rng.integers(0, 2, (40, 1)), boxes]).astype(np.float32)


@pytest.mark.parametrize(("name", "scale"), [("roi_align", 0.07), ("roi_pool", 1 / 12)])
def test_plain_scales_are_found_exactly(name, scale):
    rois = rois_at(scale)
    report = fastroi.identify(FEATURES, rois, getattr(fastroi, name)(FEATURES, rois, 7, scale))
    assert report.best.agreeing == 40
    assert report.best.spatial_scale == (scale, scale)
    assert report.best.call.startswith(f"{name}(")
    assert [finding.kind for finding in report.findings] == ["scale_fitted"]
