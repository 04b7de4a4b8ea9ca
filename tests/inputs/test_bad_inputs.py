"""Bad and extreme input: refused by name, row and value before anything is computed or changed.

The ids B.. number the classes of input that crashed or misled RoI operators elsewhere: unchecked
batch indices, NaN-blind guards, 32-bit products, empty-means-valid shortcuts.
"""

import itertools
import re
import threading
import time

import numpy as np
import oracle
import pytest
from helpers import assert_same, digest, roi_pool, to_layout

import fastroi

FEATURES = np.arange(2 * 3 * 5 * 6, dtype=np.float32).reshape(2, 3, 5, 6)
ONE_IMAGE = FEATURES[:1]
BOXES = np.array([[0.0, 0, 3, 3], [1, 1, 4, 4], [0, 2, 5, 4], [2, 0, 3, 4]])
BATCH = np.array([0, 1, 1, 0])
NAN, INF = float("nan"), float("inf")


def rois(row=None, column=None, value=None, dtype=np.float64):
    """Four good [batch, x1, y1, x2, y2] rows with one value replaced."""
    good = np.c_[BATCH, BOXES].astype(dtype)
    if row is not None:
        good[row, column] = value
    return good


def boxes(row, column, value, dtype=np.float64):
    good = BOXES.astype(dtype)
    good[row, column] = value
    return good


def structured():
    return np.zeros((1, 3, 5, 6), [("a", "f4")])


def case(id, error, *words, **arguments):
    return pytest.param(error, words, arguments, id=id)


REFUSED = [
    # boxes that are not finite
    case("B01-inf-from-float32", ValueError, "rois", 0, "inf", rois=np.array([[0, INF, 0, 0, 0]], np.float32)),
    case("B04-nan-in-a-box", ValueError, "rois", 2, "nan", rois=rois(2, 3, NAN)),
    case("B13-minus-inf", ValueError, "rois", 3, "-inf", rois=rois(3, 1, -INF)),
    case("B18-nan-x1-x2", ValueError, "rois", 1, "nan", features=ONE_IMAGE, rois=boxes(1, [0, 2], NAN)),
    case("B18-all-nan", ValueError, "rois", 1, "nan", rois=rois(1, slice(1, 5), NAN)),
    case("B18-nan-float32", ValueError, "rois", 1, "nan", rois=rois(1, 4, NAN, np.float32)),
    case("B18-inf-minus-inf", ValueError, "rois", 0, "inf", rois=rois(0, [1, 3], INF)),
    case("B18-in-a-list", ValueError, "rois", 5, "nan", rois=[BOXES, boxes(1, 2, NAN)]),
    case("B34-nan-every-rule", ValueError, "rois", 3, "nan", rois=rois(3, 2, NAN), rule="mmcv"),
    # batch indices
    case("B12-index-equals-n", ValueError, "rois", 2, "2", rois=rois(2, 0, 2)),
    case("B12-index-array", ValueError, "batch_indices", 3, "2", rois=BOXES, batch_indices=np.array([0, 1, 1, 2])),
    case(
        "B12-huge-index",
        ValueError,
        "batch_indices",
        1,
        str(2**40),
        rois=BOXES,
        batch_indices=np.array([0, 2**40, 1, 0]),
    ),
    case(
        "B12-uint64-index",
        ValueError,
        "batch_indices",
        1,
        str(2**63 + 5),
        rois=BOXES,
        batch_indices=np.array([0, 2**63 + 5, 1, 0], np.uint64),
    ),
    case(
        "B17-not-a-batch-column",
        ValueError,
        "rois",
        0,
        rois=np.abs(np.random.default_rng(4828).standard_normal((25, 5))),
    ),
    case("B18-nan-index", ValueError, "rois", 1, "nan", rois=rois(1, 0, NAN)),
    case("B18-inf-index", ValueError, "rois", 1, "inf", rois=rois(1, 0, INF)),
    case("B30-minus-one", ValueError, "rois", 2, "-1", rois=rois(2, 0, -1)),
    case("B30-minus-one-array", ValueError, "batch_indices", 0, "-1", rois=BOXES, batch_indices=[-1, 0, 1, 0]),
    case("B31-beyond-int64", ValueError, "rois", 0, "1e+30", rois=rois(0, 0, 1e30)),
    case("B31-int-rois", ValueError, "rois", 3, "9", rois=rois(3, 0, 9, np.int64)),
    case("B38-index-0.9", ValueError, "rois", 1, "0.9", rois=rois(1, 0, 0.9)),
    case("B38-index-minus-0.5", ValueError, "rois", 1, "-0.5", rois=rois(1, 0, -0.5)),
    case(
        "B38-float-batch-indices",
        (TypeError, ValueError),
        "batch_indices",
        rois=BOXES,
        batch_indices=np.array([0, 0.5, 1, 0]),
    ),
    case("B39-no-index-several-images", ValueError, "batch_indices", rois=BOXES),
    case("B40-no-images", ValueError, "features", features=FEATURES[:0], rois=rois()),
    case("batch-length", ValueError, "batch_indices", rois=BOXES, batch_indices=[0, 1, 1]),
    case("batch-rank", ValueError, "batch_indices", rois=BOXES, batch_indices=BATCH[:, None]),
    case("batch-given-twice", ValueError, "batch_indices", rois=rois(), batch_indices=BATCH),
    # shapes of rois
    case("B05-rank-one-empty", ValueError, "rois", rois=np.zeros(0), batch_indices=[]),
    case("B05-no-columns", ValueError, "rois", rois=np.zeros((1, 0)), batch_indices=[0]),
    case("B07-three-columns", ValueError, "rois", rois=BOXES[:, :3], batch_indices=BATCH),
    case("B07-six-columns", ValueError, "rois", rois=np.zeros((2, 6))),
    case("B21-four-columns", ValueError, "batch_indices", rois=BOXES),
    case("B33-one-row", ValueError, "rois", rois=BOXES[0], batch_indices=[0]),
    case("B33-rank-three", ValueError, "rois", rois=BOXES[None], batch_indices=[0]),
    case("B27-list-too-short", ValueError, "rois", rois=[BOXES]),
    case("B27-list-too-long", ValueError, "rois", rois=[BOXES] * 3),
    case("B27-list-of-five-columns", ValueError, "rois", rois=[rois(), rois()]),
    case("B27-list-of-rows", ValueError, "rois", rois=[BOXES[0], BOXES[1]]),
    case("B27-list-and-batch", ValueError, "batch_indices", rois=[BOXES, BOXES], batch_indices=[0] * 8),
    # shapes of features
    case("B09-rank-two", ValueError, "features", features=FEATURES[0, 0], rois=rois()),
    case("B09-rank-five", ValueError, "features", features=FEATURES[None], rois=rois()),
    case("B26-no-rows", ValueError, "features", features=np.zeros((2, 3, 0, 6), "f4"), rois=rois()),
    case("B26-no-columns", ValueError, "features", features=np.zeros((2, 3, 5, 0), "f4"), rois=rois()),
    case("B26-no-rows-nhwc", ValueError, "features", features=np.zeros((2, 0, 5, 3), "f4"), rois=rois(), layout="NHWC"),
    case("B47-zero-dimensional", ValueError, "features", features=np.zeros((), "f4"), rois=rois()),
    # output sizes
    case("B02-overflow", OverflowError, "output_size", output_size=(22719123801, 1145309325)),
    case(
        "B03-overflow",
        OverflowError,
        "output_size",
        output_size=(2065374891, 1145309325),
        features=np.zeros((2, 5, 2, 2), "f4"),
    ),
    case("B35-beyond-int64", OverflowError, "output_size", output_size=2**70),
    case("B35-beyond-uint64", OverflowError, "output_size", output_size=(1, 2**64 + 1)),
    case(
        "B42-int64-product",
        OverflowError,
        "output_size",
        output_size=2**12,
        features=np.broadcast_to(np.float32(0), (1, 2**20, 1, 1)),
        rois=np.broadcast_to(BOXES[0], (2**20, 4)),
    ),
    case(
        "B42-address-space",
        OverflowError,
        "output_size",
        output_size=2**11,
        features=np.broadcast_to(np.float32(0), (1, 2**20, 1, 1)),
        rois=np.broadcast_to(BOXES[0], (2**20, 4)),
    ),
    case("B41-beyond-int32", OverflowError, "output_size", output_size=(2**31, 1), rois=rois()[:0]),
    case("B08-negative", ValueError, "output_size", "-1", output_size=-1),
    case("B08-negative-width", ValueError, "output_size", "-3", output_size=(2, -3)),
    case("B11-zero", ValueError, "output_size", "0", output_size=0),
    case("B23-zero-width", ValueError, "output_size", "0", output_size=(7, 0)),
    case("B14-one-element", ValueError, "output_size", output_size=(7,)),
    case("B14-three-elements", ValueError, "output_size", output_size=(7, 7, 7)),
    case("B41-list-of-one", ValueError, "output_size", output_size=[7]),
    case("B41-bools", (TypeError, ValueError), "output_size", output_size=(True, True)),
    case("B41-bool", (TypeError, ValueError), "output_size", output_size=True),
    case("B41-floats", (TypeError, ValueError), "output_size", output_size=(7.0, 7)),
    case("B41-float", (TypeError, ValueError), "output_size", output_size=7.0),
    case("B41-string", (TypeError, ValueError), "output_size", output_size="7"),
    case("B41-none", (TypeError, ValueError), "output_size", output_size=None),
    # scales
    case("B37-nan", ValueError, "spatial_scale", "nan", spatial_scale=NAN),
    case("B37-inf", ValueError, "spatial_scale", "inf", spatial_scale=INF),
    case("B37-zero", ValueError, "spatial_scale", "0", spatial_scale=0),
    case("B37-negative", ValueError, "spatial_scale", "-1", spatial_scale=-1.0),
    case("B37-pair", ValueError, "spatial_scale", "nan", spatial_scale=(0.5, NAN)),
    case("B37-three", ValueError, "spatial_scale", spatial_scale=(0.5, 0.5, 0.5)),
    case("B37-string", (TypeError, ValueError), "spatial_scale", spatial_scale="1/16"),
    case("B37-none", (TypeError, ValueError), "spatial_scale", spatial_scale=None),
    # dtypes
    *(
        case(f"B46-{name}", TypeError, "features", name, features=np.zeros((2, 3, 5, 6), name))
        for name in (
            "int32",
            "int64",
            "uint32",
            "uint64",
            "bool",
            "complex64",
            "complex128",
            "object",
        )
    ),
    case(
        "B46-longdouble",
        TypeError,
        "features",
        str(np.dtype(np.longdouble)),
        features=np.zeros((2, 3, 5, 6), np.longdouble),
    ),
    case("B46-structured", TypeError, "features", features=structured()),
    case("B46-datetime", TypeError, "features", "datetime64", features=np.zeros((2, 3, 5, 6), "M8[s]")),
    case("B46-string", TypeError, "features", features=np.zeros((2, 3, 5, 6), "U1")),
    case("B46-byte-swapped", TypeError, "features", ">f4", "astype", features=FEATURES.astype(">f4")),
    case("B46-byte-swapped-double", TypeError, "features", ">f8", "astype", features=FEATURES.astype(">f8")),
    case("B46-complex-rois", TypeError, "rois", rois=rois().astype(complex)),
    case("B46-object-rois", TypeError, "rois", rois=rois().astype(object)),
    case("B46-string-rois", TypeError, "rois", rois=rois().astype("U8")),
    case("B46-bool-rois", TypeError, "rois", rois=rois().astype(bool)),
    case("B46-datetime-rois", TypeError, "rois", rois=rois().astype("M8[s]")),
    case("B46-complex-batch", TypeError, "batch_indices", rois=BOXES, batch_indices=BATCH.astype(complex)),
    case("B46-bool-batch", TypeError, "batch_indices", rois=BOXES, batch_indices=BATCH.astype(bool)),
    # things that are not plain arrays
    case("B47-masked", TypeError, "features", features=np.ma.masked_array(FEATURES, FEATURES > 9)),
    case("B47-masked-rois", TypeError, "rois", rois=np.ma.masked_array(rois())),
    case("B47-masked-in-a-list", TypeError, "rois", rois=[BOXES, np.ma.masked_array(BOXES)]),
    case("B47-none", TypeError, "features", features=None),
    case("B47-none-rois", TypeError, "rois", rois=None),
    case("B47-ragged", (TypeError, ValueError), "rois", rois=[[0, 1, 2, 3], [0, 1, 2]]),
    case("B47-string", TypeError, "features", features="features.npy"),
    # choices
    case("rule", ValueError, "rule", "caffe", "fast_rcnn", "floor", rule="caffe"),
    case("rule-type", (TypeError, ValueError), "rule", rule=3),
    case("reduce", ValueError, "reduce", "sum", "max", "mean", reduce="sum"),
    case("layout", ValueError, "layout", "NCWH", "NCHW", "NHWC", layout="NCWH"),
    case("argmax-of-a-mean", ValueError, "argmax", "mean", reduce="mean", return_argmax=True),
    case("threads-zero", ValueError, "num_threads", "0", num_threads=0),
    case("threads-negative", ValueError, "num_threads", "-2", num_threads=-2),
    case("threads-float", TypeError, "num_threads", num_threads=1.5),
    case("threads-bool", TypeError, "num_threads", num_threads=True),
    # out
    case("out-shape", ValueError, "out", out=np.zeros((4, 3, 3, 2), "f4")),
    case("out-rank", ValueError, "out", out=np.zeros((12, 3, 2), "f4")),
    case("out-dtype", (TypeError, ValueError), "out", "float64", out=np.zeros((4, 3, 2, 3))),
    case("out-byte-swapped", (TypeError, ValueError), "out", out=np.zeros((4, 3, 2, 3), ">f4")),
    case("out-list", TypeError, "out", out=[0.0]),
    case("out-masked", TypeError, "out", out=np.ma.zeros((4, 3, 2, 3), "f4")),
    case("out-read-only", ValueError, "out", out=np.broadcast_to(np.float32(0), (4, 3, 2, 3))),
]


def plain_arrays(values):
    """Every array among `values` and their lists that is small enough to hash."""
    parts = itertools.chain.from_iterable(v if isinstance(v, list) else [v] for v in values)
    return [part for part in parts if isinstance(part, np.ndarray) and part.dtype != object and part.nbytes < 1e6]


@pytest.mark.filterwarnings("ignore:.*matrix.*:PendingDeprecationWarning")
@pytest.mark.parametrize(("error", "words", "arguments"), REFUSED)
def test_refused(error, words, arguments):
    """The error has the right type, names argument, row and value, and nothing has changed."""
    call = {"features": FEATURES, "rois": rois(), "output_size": (2, 3)} | arguments
    if isinstance(call["features"], np.ndarray) and call["features"].shape[:1] == (1,):
        call["rois"] = arguments.get("rois", BOXES)
    given = plain_arrays(call.values())
    before = digest(*given)
    started = time.thread_time()
    with pytest.raises(error) as caught:
        fastroi.roi_pool(**call)
    assert time.thread_time() - started < 1
    message = str(caught.value)
    for word in words:
        pattern = rf"(?<![\d.]){word}(?!\d)" if isinstance(word, int) else re.escape(word)
        assert re.search(pattern, message), f"{word!r} is not in {message!r}"
    assert digest(*given) == before


def test_matrix_is_refused():
    with pytest.warns(PendingDeprecationWarning):
        boxes = np.matrix(BOXES)
    with pytest.raises(TypeError, match="rois"):
        fastroi.roi_pool(ONE_IMAGE, boxes, 2)


@pytest.mark.parametrize(
    "bad",
    [rois(3, 2, NAN), rois(3, 0, 7), rois(3, 0, -1), rois(3, 0, 0.5), rois(3, 1, INF)],
    ids=["nan", "index-7", "index--1", "index-0.5", "inf"],
)
@pytest.mark.parametrize("layout", ("NCHW", "NHWC"))
@pytest.mark.parametrize("num_threads", (1, 2))
def test_out_is_untouched_when_the_last_row_is_bad(bad, layout, num_threads):
    features = to_layout(FEATURES, layout)
    many = np.concatenate([np.tile(rois(), (300, 1)), bad])
    shape = (len(many), 3, 2, 3) if layout == "NCHW" else (len(many), 2, 3, 3)
    out = np.full(shape, 12345, np.float32)
    with pytest.raises(ValueError, match=rf"\b{len(many) - 1}\b"):
        fastroi.roi_pool(features, many, (2, 3), layout=layout, out=out, num_threads=num_threads)
    assert (out == 12345).all()


EXTREME_BOXES = {
    "B01-1e40-in-float64": [1e40, 0, 0, 0],
    "B19-float32-limits": [-3e38, -3e38, 3e38, 3e38],
    "B19-float64-limits": [-1.7e308, -1.7e308, 1.7e308, 1.7e308],
    "B22-1e20": [1e20, -1e20, 1e20, 1e20],
    "B22-int-limits": [-2147483649.0, -2147483648.0, 2147483647.0, 2147483648.0],
    "B22-int64-limits": [-(2.0**63), -(2.0**63), 2.0**63, 2.0**63],
    "B22-uneven": [-1e30, -1e18, 1e18, 1e30],
    "B24-one-extent-negative": [10, 0, 0, 10],
    "B25-46341": [0, 0, 46341, 46341],
    "B25-65537": [0, 0, 65537, 65537],
    "B25-1e5": [0, 0, 1e5, 1e5],
    "B44-point": [2, 2, 2, 2],
    "B44-reversed": [4, 4, 1, 1],
    "B44-denormal": [1e-310, 1e-310, 2e-310, 2e-310],
    "B45-crossing-every-border": [-3, -3, 9, 9],
    "B45-outside": [20, 20, 30, 30],
}


@pytest.mark.parametrize("name", sorted(EXTREME_BOXES))
@pytest.mark.parametrize("scale", (1.0, 1 / 16, 1e10, 1e300, 1e-45, 1e38, 5e-324))
def test_extreme_boxes_are_defined(rule, name, scale):
    rows = np.array([[0.0, *EXTREME_BOXES[name]]])
    expected, _, _ = oracle.roi_pool(ONE_IMAGE, rows, (2, 3), scale, rule)
    started = time.thread_time()
    pooled = fastroi.roi_pool(ONE_IMAGE, rows, (2, 3), scale, rule=rule)
    assert time.thread_time() - started < 1
    assert_same(pooled, expected.astype(np.float32), rows)


@pytest.mark.parametrize("value", (INF, -INF, NAN, 3.4e38, -3.4e38, 1e-45, -0.0))
def test_b06_pixel_values_steer_nothing(value, layout):
    features = np.full((1, 5, 4, 4), value, np.float32)
    pooled = roi_pool(features, np.array([[0, 0, 3, 3], [-9, -9, 90, 90]]), (2, 3), 1.0, layout=layout)
    assert pooled.shape == (2, 5, 2, 3)


def test_b05_empty_boxes_stay_valid():
    pooled = fastroi.roi_pool(FEATURES, np.zeros((0, 4)), (2, 3), batch_indices=np.zeros(0, int))
    assert pooled.shape == (0, 3, 2, 3)
    assert fastroi.roi_pool(FEATURES, [BOXES[:0], BOXES[:0]], (2, 3)).shape == (0, 3, 2, 3)


def test_b41_large_output_without_boxes():
    pooled = fastroi.roi_pool(ONE_IMAGE, BOXES[:0], (65536, 65536))
    assert pooled.shape == (0, 3, 65536, 65536)


def test_b38_float32_column_cannot_name_every_image():
    """2**24 + 1 is not a float32: rows say which image they mean, exactly or not at all."""
    column = np.float32(2**24 + 1)
    with pytest.raises(ValueError, match="rois"):
        fastroi.roi_pool(FEATURES, np.array([[column, 0, 0, 1, 1]], np.float32), 1)


def test_b48_rois_rewritten_by_another_thread(layout):
    """A row that changes after validation may give a stale result, never a bad access."""
    features = to_layout(np.zeros((2, 64, 8, 8), np.float32), layout)
    good = np.tile(np.array([[1.0, 0, 0, 7, 7]]), (4000, 1))
    shared = good.copy()
    stop = threading.Event()

    def rewrite():
        while not stop.is_set():
            shared[:, 0] = 2.0**40
            shared[:, 1:] = [NAN, -1e30, 1e30, INF]
            shared[:] = good

    writer = threading.Thread(target=rewrite)
    writer.start()
    outcomes = set()
    try:
        until = time.perf_counter() + 1.0
        while time.perf_counter() < until:
            try:
                pooled = fastroi.roi_pool(features, shared, (3, 2), layout=layout)
                outcomes.add("pooled")
                assert (pooled == 0).all()
            except ValueError:
                outcomes.add("refused")
    finally:
        stop.set()
        writer.join()
    assert outcomes <= {"pooled", "refused"}
    assert outcomes
