"""Elements of maps and outputs: patterns widened and numbers rounded as NumPy does it, and operators that pass ports.

A float16 map gives the bits of its float32 copy, and a float16 output holds what NumPy makes of a float32 output.
"""

import contextlib
import ctypes
import itertools
import mmap

import ml_dtypes
import numpy as np
import pytest
from native_build import ROOT, build_library

import fastroi

FLOATS = {"float16": np.dtype(np.float16), "bfloat16": np.dtype(ml_dtypes.bfloat16)}
INTEGERS = {
    "int8": np.dtype(np.int8),
    "uint8": np.dtype(np.uint8),
    "int16": np.dtype(np.int16),
    "uint16": np.dtype(np.uint16),
}
NARROW = FLOATS | INTEGERS
KINDS = NARROW | {"float32": np.dtype(np.float32), "float64": np.dtype(np.float64)}
PORTED = ("float32", *NARROW)
WIDTHS = range(3)
GUARD = mmap.PAGESIZE
PROT_NONE = 0
LAYOUTS = {"NCHW": (0, 1, 2, 3), "NHWC": (0, 2, 3, 1), "strided": (3, 1, 0, 2)}
WAYS = {
    "direct": 1, "packed map": 2, "packed roi": 4, "strips": 8, "lines": 16, "tables": 32, "streamed": 64, "streamed rows": 128,
}  # fmt: skip


class Tensor(ctypes.Structure):  # fastroi_tensor
    _fields_ = [
        ("data", ctypes.c_void_p),
        ("dtype", ctypes.c_int32),
        ("shape", ctypes.c_int64 * 4),
        ("strides", ctypes.c_int64 * 4),
    ]

    @classmethod
    def of(cls, array):
        return cls(array.ctypes.data, 0, array.shape, array.strides)


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    path = build_library(
        ROOT / "tests" / "unit" / "elements" / "elements.cpp", tmp_path_factory.mktemp("elements") / "elements.so"
    )
    library = ctypes.CDLL(str(path))
    library.elements.restype = ctypes.c_char_p
    library.lanes.restype = ctypes.c_int64
    library.has_port.restype = ctypes.c_bool
    return library


@pytest.fixture
def isa(isa):
    return isa.encode()


def code(library, element):
    return library.code_and_size(element.encode(), ctypes.byref(ctypes.c_int64()))


def pointer(array):
    return ctypes.c_void_p(array.ctypes.data)


def whole(number):
    return ctypes.c_int64(number)


def widened(library, element, stored):
    numbers = np.empty(stored.shape, np.float64 if element == "float64" else np.float32)
    library.widen(code(library, element), pointer(stored), pointer(numbers), whole(stored.size))
    return numbers


def rounded(library, element, numbers):
    stored = np.empty(numbers.shape, KINDS[element])
    library.round_numbers(code(library, element), pointer(numbers), pointer(stored), whole(numbers.size))
    return stored


def bits(array):
    return np.ascontiguousarray(array).view(f"u{array.itemsize}")


def patterns(element):
    kind = KINDS[element]
    return np.arange(1 << 8 * kind.itemsize).astype(f"u{kind.itemsize}").view(kind)


@contextlib.contextmanager
def environment(library, unusual):
    library.set_environment(unusual)
    try:
        yield
    finally:
        library.set_environment(False)


def between(numbers):
    """Each number and its neighbours among the float32."""
    numbers = np.float32(numbers)
    return np.concatenate(
        [numbers, np.nextafter(numbers, np.float32(np.inf)), np.nextafter(numbers, np.float32(-np.inf))]
    )


def numbers_to_round(rng, element):
    """What lies on and beside every tie, what lies outside, NaN of every kind, and float32 of any pattern."""
    with np.errstate(all="ignore"):
        values = patterns(element).astype(np.float64)
        values = np.unique(values[np.isfinite(values)])
        steps = np.abs(np.diff(values)[[0, -1]]) / 2  # where the next number beyond the last would begin
        ties = np.concatenate([(values[1:] + values[:-1]) / 2, values[[0, -1]] + steps * (-1, 1)])
        special = np.float32([0.0, -0.0, np.inf, -np.inf, np.nan, -np.nan, 1e-45, -1e-45, 3e38, -3e38])
        payloads = np.uint32([0x7F800001, 0xFF800001, 0x7FA00000, 0x7FFFFFFF, 0xFFC12345]).view(np.float32)
        anything = rng.integers(0, 1 << 32, 1 << 17, dtype=np.uint32).view(np.float32)
        near = rng.uniform(-1.2, 1.2, 1 << 16).astype(np.float32) * np.float32(min(values[-1], 1e30))
        return np.concatenate([between(ties), between(values), special, payloads, anything, near])


def test_the_table_is_complete(library):
    listed = library.elements().decode().split()
    assert sorted(listed) == sorted(KINDS)
    for name in listed:
        size = ctypes.c_int64()
        assert library.code_and_size(name.encode(), ctypes.byref(size)) >= 0
        assert size.value == KINDS[name].itemsize
    assert len({code(library, name) for name in listed}) == len(listed)


@pytest.mark.parametrize("unusual", [False, True], ids=["usual", "unusual environment"])
@pytest.mark.parametrize("element", NARROW)
def test_every_pattern_widens_exactly(library, element, unusual):
    stored = patterns(element)
    with environment(library, unusual):
        numbers = widened(library, element, stored)
        again = rounded(library, element, numbers)
    with np.errstate(all="ignore"):
        expected = stored.astype(np.float32)
    nan = np.isnan(expected)
    assert (np.isnan(numbers) == nan).all()
    assert (bits(numbers)[~nan] == bits(expected)[~nan]).all()
    quiet = {"float16": 0x200, "bfloat16": 0x40}.get(element, 0)
    assert (bits(again) == np.where(nan, bits(stored) | quiet, bits(stored))).all()


@pytest.mark.parametrize("unusual", [False, True], ids=["usual", "unusual environment"])
@pytest.mark.parametrize("element", FLOATS)
def test_floats_are_rounded_as_numpy_does(library, rng, element, unusual):
    numbers = numbers_to_round(rng, element)
    with environment(library, unusual):
        got = rounded(library, element, numbers)
    with np.errstate(all="ignore"):
        expected = numbers.astype(KINDS[element])
    nan = np.isnan(numbers)
    assert nan.sum() > 100
    assert (bits(got)[~nan] == bits(expected)[~nan]).all()
    kept = bits(numbers[nan]) >> (13 if element == "float16" else 16)  # of the payload
    mask, quiet = (0x1FF, 0x7E00) if element == "float16" else (0x3F, 0x7FC0)
    assert (bits(got)[nan] == (bits(numbers[nan]) >> 16 & 0x8000 | quiet | kept & mask)).all()


@pytest.mark.parametrize("unusual", [False, True], ids=["usual", "unusual environment"])
@pytest.mark.parametrize("element", INTEGERS)
def test_integers_are_rounded_half_to_even_and_saturated(library, rng, element, unusual):
    numbers = numbers_to_round(rng, element)
    with environment(library, unusual):
        got = rounded(library, element, numbers)
    limits = np.iinfo(KINDS[element])
    with np.errstate(all="ignore"):
        exact = np.rint(numbers.astype(np.float64))
    expected = np.where(np.isnan(exact), 0, np.clip(exact, limits.min, limits.max))
    assert (got == expected).all()


# --- ports ---------------------------------------------------------------------------------------------------------------


def guarded(size, at_end):
    """Bytes between two pages that fault when touched, at their end or their start."""
    inside = -(-size // GUARD) * GUARD
    memory = mmap.mmap(-1, inside + 2 * GUARD)
    first = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    for page in (first, first + GUARD + inside):
        assert ctypes.CDLL(None).mprotect(ctypes.c_void_p(page), ctypes.c_size_t(GUARD), PROT_NONE) == 0
    return np.frombuffer(memory, np.uint8, size, GUARD + (inside - size if at_end else 0))


def laid_out(values, layout, at_end=True):
    """The same array in guarded memory. strided: other axes, gaps, rows backwards, an odd address."""
    order = LAYOUTS[layout]
    shape = [values.shape[axis] for axis in order]
    gap = layout == "strided"
    if gap:
        shape[-1] *= 2
    memory = guarded(int(np.prod(shape)) * values.itemsize + gap, at_end)
    array = memory[gap:].view(values.dtype).reshape(shape)
    array = array[..., ::2] if gap else array
    array = array.transpose(np.argsort(order))
    array = array[:, :, ::-1] if gap else array
    array[...] = values
    return array


class PlanarBlock(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("strides", ctypes.c_ssize_t * 3), ("channels", ctypes.c_int64)]


class BinTile(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("row_stride", ctypes.c_ssize_t), ("column_stride", ctypes.c_ssize_t)]


class PlanarBins(ctypes.Structure):
    _fields_ = [
        ("data", ctypes.c_void_p), ("strides", ctypes.c_ssize_t * 3), ("first_lane", ctypes.c_int64),
        ("end_lane", ctypes.c_int64), ("stream", ctypes.c_bool),
    ]  # fmt: skip


def any_stored(rng, element, shape):
    """Numbers of any pattern, of NaN too."""
    size = KINDS[element].itemsize
    return rng.integers(0, 1 << 8 * size, shape, dtype=f"u{size}").view(KINDS[element])


def test_ports_are_where_they_should_be(library):
    for isa, width, element in itertools.product(fastroi.simd.supported(), WIDTHS, KINDS):
        assert library.has_port(isa.encode(), width, code(library, element)) == (element != "float64")


@pytest.mark.parametrize("element", PORTED)
def test_packing_widens(library, rng, isa, element):
    for width, layout, at_end in itertools.product(WIDTHS, LAYOUTS, (False, True)):
        lanes = library.lanes(isa, width)
        for channels, columns in itertools.product({1, lanes // 2 + 1, lanes}, (1, 5, 37)):
            stored = laid_out(any_stored(rng, element, (1, channels, 3, columns)), layout, at_end)
            packed = guarded(3 * columns * lanes * 4, at_end).view(np.float32).reshape(3, columns, lanes)
            packed[...] = np.nan
            block = PlanarBlock(stored.ctypes.data, stored.strides[1:], channels)
            library.pack(isa, width, code(library, element), ctypes.byref(block), 3, columns, pointer(packed))
            expected = np.zeros((3, columns, lanes), np.float32)
            expected[..., :channels] = widened(library, element, np.ascontiguousarray(stored[0])).transpose(1, 2, 0)
            assert (bits(packed) == bits(expected)).all(), (width, layout, channels, columns)


@pytest.mark.parametrize("element", PORTED)
def test_unpacking_rounds(library, rng, isa, element):
    numbers = numbers_to_round(rng, "float16")
    for width, layout, stream in itertools.product(WIDTHS, LAYOUTS, (False, True)):
        lanes = library.lanes(isa, width)
        for (first, end), (rows, columns) in itertools.product(((0, lanes), (3, lanes)), ((1, 1), (2, 3), (5, 7))):
            bins = rng.choice(numbers, (rows, columns, lanes))
            out = laid_out(any_stored(rng, element, (1, lanes, rows, columns)), layout)
            expected = out.copy()
            expected[0, first:end] = rounded(library, element, bins).transpose(2, 0, 1)[first:end]
            tile = BinTile(bins.ctypes.data, *bins.strides[:2])
            planes = PlanarBins(out.ctypes.data, out.strides[1:], first, end, stream)
            library.unpack(
                isa,
                width,
                code(library, element),
                ctypes.byref(tile),
                whole(rows),
                whole(columns),
                ctypes.byref(planes),
            )
            assert (bits(out) == bits(expected)).all(), (width, layout, stream, first, rows)


@pytest.mark.parametrize("unusual", [False, True], ids=["usual", "unusual environment"])
@pytest.mark.parametrize("element", PORTED)
def test_streaming_rounds(library, rng, isa, element, unusual):
    numbers = numbers_to_round(rng, "float16")
    for count, shift in ((numbers.size, 0), (1000, 2), (3000, 33), (7, 62), (0, 0)):
        memory = guarded(count * KINDS[element].itemsize + shift, True)
        with environment(library, unusual):
            library.stream(isa, code(library, element), pointer(numbers), pointer(memory[shift:]), whole(count))
        got = memory[shift:].view(KINDS[element])
        assert (bits(got) == bits(rounded(library, element, numbers[:count]))).all(), (count, shift)


# --- operators -------------------------------------------------------------------------------------------------------------


def pooled(library, isa, reduce, features, boxes, out, threads=1):
    """Returns the ways taken; float32 arrays go by default."""
    named = {np.dtype(np.float16): code(library, "float16"), np.dtype(np.float32): -1}
    boxes = np.ascontiguousarray(boxes, np.float64)
    return library.pool(
        isa, reduce == "mean", threads, named[features.dtype], ctypes.byref(Tensor.of(features)),
        named[out.dtype], ctypes.byref(Tensor.of(out)), pointer(boxes), whole(len(boxes)),
    )  # fmt: skip


def boxes_of(rng, count, rows, columns, largest):
    """Boxes on and around the map, from below a cell to `largest` of its sides."""
    centre = rng.uniform(-0.1, 1.1, (count, 2)) * (columns, rows)
    half = rng.uniform(0, largest / 2, (count, 2)) * (columns, rows)
    return np.concatenate([centre - half, centre + half], axis=1)


def half_map(rng, shape, special=False):
    """A float16 map with ties and subnormal numbers, and with NaN and infinities if `special`."""
    values = rng.standard_normal(shape).astype(np.float16)
    flat = values.reshape(-1)
    flat[::7] = rng.integers(-9, 9, flat[::7].size)
    flat[::11] *= np.float16(2**-16)
    if special:
        flat[::5] = rng.choice(np.float16([np.nan, np.inf, -np.inf]), flat[::5].size)
    return values + np.float16(0)  # the sign of a maximum among zeros is nobody's business


def check_bits(library, isa, reduce, values, size, boxes, combinations):
    """Pools a float16 map in (layout, kind) of the map and of the output, and compares with its float32 copy; returns the ways taken."""
    expected = np.empty((len(boxes), values.shape[1], *size), np.float32)
    pooled(library, isa, reduce, values.astype(np.float32), boxes, expected)
    taken = 0
    for layout, kind, out_layout, out_kind in combinations:
        features = laid_out(values.astype(kind), layout)
        out = laid_out(np.zeros(expected.shape, out_kind), out_layout)
        taken |= pooled(library, isa, reduce, features, boxes, out, threads=2)
        with np.errstate(all="ignore"):
            wanted = expected.astype(out_kind)
        assert (bits(out) == bits(wanted)).all(), (values.shape, layout, kind, out_layout, out_kind)
    return {way for way, bit in WAYS.items() if taken & bit}


@pytest.mark.parametrize("reduce", ["max", "mean"])
@pytest.mark.parametrize("channels", [1, 3, 8, 16, 17, 33, 70, 129])
def test_float16_gives_the_bits_of_float32(library, rng, isa, channels, reduce):
    kinds = (np.float16, np.float32)
    combinations = [c for c in itertools.product(LAYOUTS, kinds, LAYOUTS, kinds) if np.float16 in c]
    for rows, columns in ((9, 13), (11, 3)):
        values = half_map(rng, (2, channels, rows, columns), special=reduce == "max")
        check_bits(library, isa, reduce, values, (3, 2), boxes_of(rng, 7, rows, columns, 0.9), combinations)


FAR_APART = np.array([[10, 10, 14, 14], [280, 180, 285, 183], [20, 150, 23, 155]])

# Map, output size, boxes or their number, and how maxima over a float16 map of any layout, and means, then access it.
ACCESS = {
    "small boxes far apart": ((1, 17, 200, 300), (4, 4), FAR_APART, "packed roi", "packed roi"),
    "too many bins to wait": ((1, 35, 20, 24), (33, 33), 9, "packed map", "packed map"),
    "few channels": ((1, 2, 200, 300), (8, 8), FAR_APART, "lines", "lines"),
    "many large boxes": ((1, 36, 96, 96), (1, 1), 200, "tables", "strips"),
}


@pytest.mark.parametrize("reduce", ["max", "mean"])
@pytest.mark.parametrize("name", ACCESS)
def test_float16_gives_the_bits_of_float32_whatever_the_access(library, rng, isa, name, reduce):
    shape, size, boxes, *access = ACCESS[name]
    if isinstance(boxes, int):
        boxes = boxes_of(rng, boxes, *shape[2:], 1.5)
    combinations = [(layout, np.float16, "NCHW", np.float32) for layout in LAYOUTS]
    taken = check_bits(library, isa, reduce, half_map(rng, shape), size, boxes, combinations)
    assert taken == {access[reduce == "mean"]}


@pytest.mark.parametrize(
    ("combination", "way"),
    [
        (("NCHW", np.float16, "NCHW", np.float16), "streamed"),
        (("NHWC", np.float16, "NHWC", np.float16), "streamed"),
        (("NHWC", np.float32, "NHWC", np.float16), "streamed rows"),
    ],
)
def test_large_float16_outputs_are_those_of_float32_rounded(library, rng, isa, combination, way):
    values, boxes = half_map(rng, (1, 64, 5, 6)), boxes_of(rng, 2050, 5, 6, 0.9)
    assert way in check_bits(library, isa, "mean", values, (7, 7), boxes, [combination])
