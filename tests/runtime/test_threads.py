"""Thread counts: where they come from, and that results never depend on them."""

import concurrent.futures

import numpy as np
import pytest
from helpers import awkward_rois, digest, feature_map, run_python, to_layout

import fastroi

COUNTS = (1, 2, 3, 4, 5, 7, 8, 16, 33)
SHAPE = (3, 70, 40, 50)


@pytest.mark.parametrize("reduce", ("max", "mean"))
@pytest.mark.parametrize("count", (1, 5, 3000))
def test_results_are_identical(isa, layout, dtype, reduce, count):
    rng = np.random.default_rng(33)
    features = to_layout(feature_map(rng, SHAPE, dtype), layout)
    rois = awkward_rois(rng, count, SHAPE, 1 / 8)
    hashes = set()
    for threads in COUNTS:
        options = {"layout": layout, "reduce": reduce, "num_threads": threads}
        result = fastroi.roi_pool(features, rois, (3, 2), 1 / 8, **options)
        if reduce == "max":
            again, argmax = fastroi.roi_pool(features, rois, (3, 2), 1 / 8, return_argmax=True, **options)
            hashes.add(digest(result, argmax))
            assert (again == result).all() or np.isnan(features).any()
        else:
            hashes.add(digest(result))
    assert len(hashes) == 1


def test_one_roi_in_many_channels(isa, layout):
    rng = np.random.default_rng(1)
    features = to_layout(feature_map(rng, (1, 2048, 30, 30)), layout)
    box = np.array([[2, 3, 28, 27]])
    hashes = {digest(fastroi.roi_pool(features, box, (7, 5), layout=layout, num_threads=threads)) for threads in COUNTS}
    assert len(hashes) == 1


def test_batching_does_not_change_a_roi(isa, layout, dtype):
    rng = np.random.default_rng(2)
    features = to_layout(feature_map(rng, SHAPE, dtype), layout)
    rois = awkward_rois(rng, 200, SHAPE, 1 / 8)
    for reduce in ("max", "mean"):
        options = {"layout": layout, "reduce": reduce}
        together = fastroi.roi_pool(features, rois, (3, 2), 1 / 8, **options)
        for k in range(0, 200, 13):
            alone = fastroi.roi_pool(features, rois[k : k + 1], (3, 2), 1 / 8, **options)
            assert alone.tobytes() == together[k : k + 1].tobytes()


def test_set_num_threads():
    before = fastroi.get_num_threads()
    with fastroi.set_num_threads(3):
        assert fastroi.get_num_threads() == 3
        with fastroi.set_num_threads(2):
            assert fastroi.get_num_threads() == 2
        assert fastroi.get_num_threads() == 3
    assert fastroi.get_num_threads() == before


def test_set_num_threads_as_a_call():
    code = """
import fastroi
fastroi.set_num_threads(3)
assert fastroi.get_num_threads() == 3
fastroi.set_num_threads(1)
assert fastroi.get_num_threads() == 1
"""
    run_python(code)


@pytest.mark.parametrize(
    ("value", "error"), [(0, ValueError), (-1, ValueError), (1.5, TypeError), ("2", TypeError), (True, TypeError)]
)
def test_bad_thread_counts(value, error):
    with pytest.raises(error, match=str(value)):
        fastroi.set_num_threads(value)


def test_environment_variable():
    code = "import fastroi; print(fastroi.get_num_threads())"
    assert run_python(code, FASTROI_NUM_THREADS=3).stdout.strip() == "3"
    assert (
        run_python(
            "import fastroi; fastroi.set_num_threads(2); print(fastroi.get_num_threads())",
            FASTROI_NUM_THREADS=3,
        ).stdout.strip()
        == "2"
    )


@pytest.mark.parametrize("value", ("zero", "0", "-1", "2.5"))
def test_bad_environment_variable(value):
    done = run_python("import fastroi; fastroi.get_num_threads()", check=False, FASTROI_NUM_THREADS=value)
    assert done.returncode != 0
    assert "FASTROI_NUM_THREADS" in done.stderr
    assert value in done.stderr


def test_openmp_variable_is_the_default():
    code = "import fastroi; print(fastroi.get_num_threads())"
    assert run_python(code, OMP_NUM_THREADS=1, FASTROI_NUM_THREADS=None).stdout.strip() == "1"


def test_calls_from_many_python_threads():
    rng = np.random.default_rng(5)
    features = feature_map(rng, SHAPE)
    rois = awkward_rois(rng, 400, SHAPE, 1 / 8)
    expected = digest(fastroi.roi_pool(features, rois, (3, 2), 1 / 8))

    def call(number):
        isa = fastroi.simd.supported()[number % len(fastroi.simd.supported())]
        with fastroi.simd.use(isa):
            pooled = fastroi.roi_pool(features, rois, (3, 2), 1 / 8, num_threads=1 + number % 3)
        return digest(pooled + 0.0)

    normalised = digest(fastroi.roi_pool(features, rois, (3, 2), 1 / 8) + 0.0)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert set(pool.map(call, range(48))) == {normalised}
    assert digest(fastroi.roi_pool(features, rois, (3, 2), 1 / 8)) == expected


def test_first_calls_race():
    code = """
import threading, numpy as np, fastroi
features = np.random.default_rng(0).standard_normal((1, 32, 20, 20)).astype('f4')
boxes = np.tile([[1.0, 2, 15, 16]], (300, 1))
gate, results = threading.Barrier(8), []
def call():
    gate.wait()
    results.append(fastroi.roi_pool(features, boxes, 3).tobytes())
threads = [threading.Thread(target=call) for _ in range(8)]
[t.start() for t in threads]
[t.join() for t in threads]
assert len(results) == 8 and len(set(results)) == 1
"""
    for _ in range(3):
        run_python(code)
