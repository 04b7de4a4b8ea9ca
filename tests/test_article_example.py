"""The article's worked example, the first test of all."""

import numpy as np

import fastroi


def test_floor_rule_pools_exactly_the_articles_cells():
    features = np.random.default_rng(0).standard_normal((1, 512, 16, 16)).astype(np.float32)
    pooled = fastroi.roi_pool(features, [[296, 192, 496, 337]], 3, 1 / 32, rule="floor")
    for ph, y in enumerate((6, 7, 8)):
        for pw, x in enumerate((9, 11, 13)):
            np.testing.assert_array_equal(pooled[0, :, ph, pw], features[0, :, y, x : x + 2].max(axis=1))
