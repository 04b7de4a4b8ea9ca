"""Arrays of every shape of memory: same values in, same values out, inputs untouched."""

import itertools
import tracemalloc

import numpy as np
import pytest
from helpers import assert_same, digest, expected_max

import fastroi

SHAPE = (3, 6, 7, 9)
ROIS = np.array([[0, 0, 0, 8, 6], [1, 2.5, 1.5, 5.5, 4], [2, -3, -2, 20, 3], [1, 4, 4, 4, 4], [2, 6, 5, 1, 2]])
BOXES, BATCH = ROIS[:, 1:], ROIS[:, 0].astype(int)


class Subclass(np.ndarray):
    pass


class Interface:
    """Only `__array_interface__`, as image and GIS libraries offer it."""

    def __init__(self, array):
        self._array = array
        self.__array_interface__ = array.__array_interface__


def permuted(order):
    def make(base, _):
        return np.ascontiguousarray(base.transpose(order)).transpose(np.argsort(order))

    return make


def stepped(*steps):
    def make(base, _):
        room = [abs(step) * size for step, size in zip(steps, base.shape, strict=True)]
        whole = np.full(room, 77, base.dtype)
        view = whole[tuple(slice(None, None, step) for step in steps)]
        view[...] = base
        return view

    return make


def repeated(axis):
    def make(base, _):
        one = base.take([0], axis=axis)
        return np.broadcast_to(one, base.shape)

    return make


def shifted(offset):
    """The array starts `offset` bytes into its buffer: not aligned to its itemsize."""

    def make(base, _):
        buffer = bytearray(base.nbytes + offset)
        view = np.frombuffer(buffer, base.dtype, base.size, offset).reshape(base.shape)
        view[...] = base
        return view

    return make


def field(padding):
    """A field of packed records: strides that are no multiple of the itemsize."""

    def make(base, _):
        record = np.dtype([("before", f"S{padding}"), ("value", base.dtype)])
        records = np.zeros(base.shape, record)
        records["value"] = base
        return records["value"]

    return make


def read_only(base, _):
    view = base.copy()
    view.flags.writeable = False
    return view


def memmap(base, folder):
    path = folder / "map.bin"
    base.tofile(path)
    return np.memmap(path, base.dtype, "r", shape=base.shape)


def window(base, _):
    whole = np.full([size + 5 for size in base.shape], 55, base.dtype)
    inside = whole[tuple(slice(2, 2 + size) for size in base.shape)]
    inside[...] = base
    return inside


ZOO = {
    "c-order": lambda base, _: base.copy(),
    "f-order": lambda base, _: np.asfortranarray(base),
    **{"axes-" + "".join(map(str, order)): permuted(order) for order in itertools.permutations(range(4))},
    **{
        f"step-{step}-axis-{axis}": stepped(*(step if i == axis else 1 for i in range(4)))
        for axis in range(4)
        for step in (2, 3, -1, -2)
    },
    "step--1-everywhere": stepped(-1, -1, -1, -1),
    "step-2-everywhere": stepped(2, 2, 2, 2),
    "step-mixed": stepped(2, -1, 3, -2),
    **{f"stride-0-axis-{axis}": repeated(axis) for axis in range(4)},
    **{f"offset-{offset}-bytes": shifted(offset) for offset in (1, 2, 3, 4, 5, 8, 12)},
    **{f"record-field-{padding}": field(padding) for padding in (1, 2, 3, 4, 7, 8)},
    "read-only": read_only,
    "memmap": memmap,
    "window": window,
    "subclass": lambda base, _: base.copy().view(Subclass),
    "array-interface": lambda base, _: Interface(base.copy()),
    "memoryview": lambda base, _: memoryview(base.copy()),
    "read-only-memoryview": lambda base, _: memoryview(base.tobytes()).cast("B").cast(base.dtype.char, base.shape),
}


def test_the_zoo_is_large():
    assert len(ZOO) >= 60


def hashed(array):
    return digest(np.asarray(array))


@pytest.mark.parametrize("kind", sorted(ZOO))
def test_features(kind, layout, dtype, tmp_path, rng):
    base = rng.standard_normal(SHAPE).astype(dtype)
    features = ZOO[kind](base, tmp_path)
    before = hashed(features), digest(ROIS)
    plain = np.array(features)
    if layout == "NHWC":
        plain = plain.transpose(0, 3, 1, 2)
    expected, expected_argmax = expected_max(plain, ROIS, (2, 3), 1.0, "fast_rcnn")
    for reduce in ("max", "mean"):
        pooled = fastroi.roi_pool(features, ROIS, (2, 3), layout=layout, reduce=reduce)
        contiguous = fastroi.roi_pool(np.array(features), ROIS, (2, 3), layout=layout, reduce=reduce)
        assert type(pooled) is np.ndarray
        assert pooled.tobytes() == contiguous.tobytes()
    pooled, argmax = fastroi.roi_pool(features, ROIS, (2, 3), layout=layout, return_argmax=True)
    if layout == "NHWC":
        pooled, argmax = pooled.transpose(0, 3, 1, 2), argmax.transpose(0, 3, 1, 2)
    assert_same(pooled, expected, ROIS)
    assert_same(argmax, expected_argmax, ROIS)
    assert (hashed(features), digest(ROIS)) == before


ROI_ZOO = {
    "c-order": lambda base: base.copy(),
    "f-order": np.asfortranarray,
    "step-2-rows": lambda base: np.repeat(base, 2, axis=0)[::2],
    "step-2-columns": lambda base: np.repeat(base, 2, axis=1)[:, ::2],
    "reversed-rows": lambda base: base[::-1].copy()[::-1],
    "reversed-columns": lambda base: base[:, ::-1].copy()[:, ::-1],
    "read-only": lambda base: read_only(base, None),
    "offset-1-byte": lambda base: shifted(1)(base, None),
    "offset-4-bytes": lambda base: shifted(4)(base, None),
    "record-field": lambda base: field(3)(base, None),
    "window": lambda base: window(base, None),
    "subclass": lambda base: base.copy().view(Subclass),
    "list-of-rows": lambda base: base,
}


@pytest.mark.parametrize("roi_dtype", ("f4", "f8", "i4", "i8", "u2"))
@pytest.mark.parametrize("kind", sorted(ROI_ZOO))
def test_rois(kind, roi_dtype, rng):
    features = rng.standard_normal(SHAPE).astype(np.float32)
    base = np.abs(ROIS).astype(roi_dtype)
    rois = ROI_ZOO[kind](base)
    before = hashed(rois)
    expected, _ = expected_max(features, base.astype(float), (2, 3), 1.0, "fast_rcnn")
    assert_same(fastroi.roi_pool(features, rois, (2, 3)), expected, base)
    pooled = fastroi.roi_pool(features, rois[:, 1:], (2, 3), batch_indices=rois[:, 0].astype(int))
    assert_same(pooled, expected, base)
    assert hashed(rois) == before


@pytest.mark.parametrize("id_dtype", ("i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"))
@pytest.mark.parametrize("kind", ("plain", "step-2", "reversed", "offset-1", "read-only"))
def test_batch_indices(kind, id_dtype, rng):
    features = rng.standard_normal(SHAPE).astype(np.float32)
    ids = BATCH.astype(id_dtype)
    view = {
        "plain": lambda: ids.copy(),
        "step-2": lambda: np.repeat(ids, 2)[::2],
        "reversed": lambda: ids[::-1].copy()[::-1],
        "offset-1": lambda: shifted(1)(ids, None),
        "read-only": lambda: read_only(ids, None),
    }[kind]()
    before = digest(view)
    pooled = fastroi.roi_pool(features, BOXES, (2, 3), batch_indices=view)
    assert_same(pooled, fastroi.roi_pool(features, ROIS, (2, 3)))
    assert digest(view) == before


@pytest.mark.parametrize("offset", (1, 2, 3, 4, 5))
def test_misaligned_out(isa, layout, dtype, offset, rng):
    features = rng.standard_normal(SHAPE).astype(dtype)
    fresh = fastroi.roi_pool(features, ROIS, (2, 3), layout=layout)
    buffer = bytearray(fresh.nbytes + offset)
    out = np.frombuffer(buffer, dtype, fresh.size, offset).reshape(fresh.shape)
    assert fastroi.roi_pool(features, ROIS, (2, 3), layout=layout, out=out) is out
    assert_same(out, fresh)


@pytest.mark.parametrize("kind", ("c-order", "f-order", "step-2-axis-3", "axes-0231"))
def test_strided_features_are_not_copied(kind, layout):
    base = np.zeros((1, 32, 200, 200), np.float32)
    features = ZOO[kind](base, None)
    rois = np.array([[0, 10, 10, 60, 60]])
    fastroi.roi_pool(features, rois, (2, 3), layout=layout)
    tracemalloc.start()
    try:
        fastroi.roi_pool(features, rois, (2, 3), layout=layout)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < base.nbytes / 4
