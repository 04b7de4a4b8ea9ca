"""Instruction sets: which there are, how one is forced, and that all agree."""

import asyncio
import os
import threading

import numpy as np
import pytest
from helpers import TAILS, assert_same, awkward_rois, feature_map, roi_pool, run_python

import fastroi

NAMES = ("baseline", "avx2", "avx512", "neon")
SUPPORTED = fastroi.simd.supported()


def test_lists():
    compiled = fastroi.simd.compiled()
    assert isinstance(compiled, tuple)
    assert isinstance(SUPPORTED, tuple)
    assert set(SUPPORTED) <= set(compiled) <= set(NAMES)
    assert SUPPORTED[-1] == compiled[-1] == "baseline"
    assert len(set(SUPPORTED)) == len(SUPPORTED)


def test_the_best_is_the_default():
    code = "import fastroi; print(fastroi.simd.active())"
    assert run_python(code, FASTROI_SIMD=None).stdout.strip() == SUPPORTED[0]


@pytest.mark.parametrize("name", SUPPORTED)
def test_forced_by_the_environment(name):
    code = """
import fastroi, numpy as np
print(fastroi.simd.active())
print(fastroi.roi_pool(np.arange(16, dtype='f4').reshape(1, 1, 4, 4),
                       np.array([[0, 0, 3, 3]]), 2).ravel().tolist())
"""
    lines = run_python(code, FASTROI_SIMD=name).stdout.split("\n")
    assert lines[0] == name
    assert lines[1] == "[5.0, 7.0, 13.0, 15.0]"


REFUSED = ["sse9", "AVX2 ", "0", *(name for name in NAMES if name not in SUPPORTED)]


@pytest.mark.parametrize("name", REFUSED)
def test_refused_at_import(name):
    done = run_python("import fastroi", check=False, FASTROI_SIMD=name)
    assert done.returncode != 0
    assert "ImportError" in done.stderr or "ValueError" in done.stderr
    assert "FASTROI_SIMD" in done.stderr
    assert name.strip() in done.stderr
    for choice in SUPPORTED:
        assert choice in done.stderr


@pytest.mark.parametrize("kept", SUPPORTED)
def test_disabled_by_the_environment(kept):
    """What is disabled is as if the machine lacked it: not listed, not the default, refused by name."""
    better = SUPPORTED[: SUPPORTED.index(kept)]
    already = os.environ.get("FASTROI_SIMD_DISABLE", "")
    code = "import fastroi; print(fastroi.simd.active(), *fastroi.simd.supported())"
    environment = {"FASTROI_SIMD_DISABLE": ", ".join([already, *better]), "FASTROI_SIMD": None}
    remaining = list(SUPPORTED[len(better) :])
    assert run_python(code, **environment).stdout.split() == [kept, *remaining]
    if better:  # those above need the last of them
        environment["FASTROI_SIMD_DISABLE"] = f"{already},{better[-1]}"
        assert run_python(code, **environment).stdout.split() == [kept, *remaining]
    for name in better:
        done = run_python(code, check=False, **{**environment, "FASTROI_SIMD": name})
        assert done.returncode != 0 and f"FASTROI_SIMD: {name!r} is not supported here" in done.stderr


@pytest.mark.parametrize("names", ["baseline", "sse9", "avx51", "avx5122", "AVX2", "avx2;avx512", "neon,avx2,sse9"])
def test_what_cannot_be_disabled_is_an_error(names):
    done = run_python("import fastroi", check=False, FASTROI_SIMD_DISABLE=names, FASTROI_SIMD=None)
    assert done.returncode != 0
    assert "ValueError: FASTROI_SIMD_DISABLE: " in done.stderr


@pytest.mark.parametrize("name", ["sse9", "", *(name for name in NAMES if name not in SUPPORTED)])
def test_refused_by_use(name):
    with pytest.raises(ValueError, match="baseline"), fastroi.simd.use(name):
        pass
    assert fastroi.simd.active() in SUPPORTED


def test_use_nests_and_ends():
    before = fastroi.simd.active()
    for outer in SUPPORTED:
        with fastroi.simd.use(outer):
            assert fastroi.simd.active() == outer
            for inner in SUPPORTED:
                with fastroi.simd.use(inner):
                    assert fastroi.simd.active() == inner
                assert fastroi.simd.active() == outer
    assert fastroi.simd.active() == before


def test_use_ends_after_an_error():
    before = fastroi.simd.active()
    with pytest.raises(KeyError), fastroi.simd.use("baseline"):
        raise KeyError
    assert fastroi.simd.active() == before


def test_use_stays_in_its_thread():
    seen = []
    with fastroi.simd.use("baseline"):
        thread = threading.Thread(target=lambda: seen.append(fastroi.simd.active()))
        thread.start()
        thread.join()
        assert fastroi.simd.active() == "baseline"
    assert seen == [fastroi.simd.active()]


def test_use_stays_in_its_task():
    async def forced(name, steps):
        with fastroi.simd.use(name):
            for _ in range(steps):
                await asyncio.sleep(0)
                assert fastroi.simd.active() == name

    async def together():
        await asyncio.gather(*(forced(name, 5) for name in SUPPORTED for _ in range(3)))

    asyncio.run(together())


@pytest.mark.parametrize("channels", TAILS)
def test_all_agree(layout, dtype, channels, rng):
    """Maxima and argmax are equal everywhere; means are within rounding of each other."""
    shape = (2, channels, 17, 23)
    features = feature_map(rng, shape, dtype)
    rois = awkward_rois(rng, 50, shape, 1 / 8)
    results = {}
    for name in SUPPORTED:
        with fastroi.simd.use(name):
            results[name] = (
                *roi_pool(features, rois, (3, 5), 1 / 8, layout=layout, return_argmax=True),
                roi_pool(features, rois, (3, 5), 1 / 8, layout=layout, reduce="mean"),
            )
    pooled, argmax, mean = results["baseline"]
    for name in SUPPORTED:
        assert_same(results[name][0], pooled, rois)
        assert_same(results[name][1], argmax, rois)
        np.testing.assert_allclose(
            results[name][2], mean, rtol=0, atol=64 * np.finfo(dtype).eps * np.abs(features).max()
        )


def test_wide_tiers_have_bit_identical_means(layout, dtype, rng):
    tiers = [name for name in SUPPORTED if name in ("avx2", "avx512")]
    features = feature_map(rng, (1, 77, 31, 19), dtype)
    rois = awkward_rois(rng, 80, features.shape, 1 / 8)
    results = set()
    for name in tiers:
        with fastroi.simd.use(name):
            pooled = roi_pool(features, rois, (3, 5), 1 / 8, layout=layout, reduce="mean")
            results.add(np.ascontiguousarray(pooled).tobytes())
    assert len(results) <= 1
