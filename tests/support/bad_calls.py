"""Bad calls of the C ABI as data: kinds of them, applied to a good call of every operator of the table.

The structs of fastroi.h, written down for ctypes. A kind spoils one thing of a good call: a field, a pointer, a shape, a number in
memory; beside it stand the status, the row and words of the message. Params are filled by the table's fields, so that a new
operator takes part by its row; a number that no kind knows is an error here, not a gap.
"""

import ctypes
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np

from fastroi import _core
from fastroi._core import OPERATORS, TAKES_LEVELS, TAKES_MASKS, TAKES_TURNED_BOXES

OK, INVALID_VALUE, INVALID_TYPE, OVERFLOW = range(4)
FLOAT32, FLOAT64, FLOAT16, INT32, INT64 = 0, 1, 2, 5, 6
NAN, INF = float("nan"), float("inf")
INT32_MIN, INT32_MAX, INT64_MIN, INT64_MAX = -(2**31), 2**31 - 1, -(2**63), 2**63 - 1
IMAGES, CHANNELS, ROWS, COLUMNS, COUNT, BINS = 2, 24, 6, 7, 3, (2, 3)
PARAMS_BYTES = 256  # room for the params of any operator; a library reads no more than it knows


class Error(ctypes.Structure):
    _fields_ = [("status", ctypes.c_int), ("row", ctypes.c_int64), ("message", ctypes.c_char * 256)]


class Tensor(ctypes.Structure):
    _fields_ = [
        ("data", ctypes.c_void_p),
        ("dtype", ctypes.c_int32),
        ("shape", ctypes.c_int64 * 4),
        ("strides", ctypes.c_int64 * 4),
    ]


class Boxes(ctypes.Structure):
    _fields_ = [
        ("data", ctypes.c_void_p),
        ("dtype", ctypes.c_int32),
        ("columns", ctypes.c_int32),
        ("count", ctypes.c_int64),
        ("strides", ctypes.c_int64 * 2),
        ("batch_indices", ctypes.c_void_p),
        ("batch_dtype", ctypes.c_int32),
        ("batch_stride", ctypes.c_int64),
    ]


class Exec(ctypes.Structure):
    _fields_ = [
        ("struct_size", ctypes.c_size_t),
        ("num_threads", ctypes.c_int32),
        ("simd", ctypes.c_char_p),
        ("cancel", ctypes.c_void_p),
        ("cancel_context", ctypes.c_void_p),
        ("flow", ctypes.c_int32),
    ]


NUMBERS = {
    "int32_t": ctypes.c_int32,
    "int64_t": ctypes.c_int64,
    "double": ctypes.c_double,
}


def tensor(array, dtype):
    return Tensor(array.ctypes.data, dtype, array.shape, array.strides)


class CCall:
    """A good call of an operator, whose parts a kind may change before it is made. The memory is its own."""

    def __init__(self, operator):
        self.row = OPERATORS[operator]
        self.operator = operator
        self.code = list(OPERATORS).index(operator)
        turned, self.masks = self.row.flags & TAKES_TURNED_BOXES, self.row.flags & TAKES_MASKS
        grouped = "group_h" in self.row.fields
        coordinates = 5 if turned else 4
        shape = (COUNT, 1, ROWS, COLUMNS) if self.masks else (IMAGES, CHANNELS, ROWS, COLUMNS)
        channels = 1 if self.masks else CHANNELS // (BINS[0] * BINS[1]) if grouped else CHANNELS
        self.map = (np.arange(np.prod(shape), dtype=np.float32) % 7 / 7).reshape(shape)
        self.box_rows = np.tile([0.5, 1, 3, 4, 0.25][:coordinates], (COUNT, 1))
        self.indices = np.array([0, 1, 1])
        self.result = np.full((COUNT, channels, *BINS), 77, np.float32)
        self.level_of_roi, self.scales = np.array([0, 1, 1]), np.array([1.0, 0.5])
        self.offsets = np.zeros((COUNT, 2, *BINS), np.float32)
        self.features = (Tensor * 2)(*[tensor(self.map, FLOAT32)] * 2)
        self.boxes = Boxes(
            self.box_rows.ctypes.data, FLOAT64, coordinates, COUNT, self.box_rows.strides,
            None if self.masks else self.indices.ctypes.data, INT64, self.indices.strides[0],
        )  # fmt: skip
        self.out = tensor(self.result, FLOAT32)
        self.exec = Exec(struct_size=ctypes.sizeof(Exec), num_threads=1)
        self.params = ctypes.create_string_buffer(PARAMS_BYTES)
        self.null = set()
        self.kept = []
        ctypes.c_size_t.from_buffer(self.params).value = PARAMS_BYTES
        for name in self.row.fields:
            self.set(name, self.good_value(name))

    def good_value(self, name):
        arrays = {"scales": self.scales, "level_of_roi": self.level_of_roi}
        if name in arrays:
            return arrays[name].ctypes.data
        field = self.row.fields[name]
        if field.of in ("array", "flag") or field.choices:
            return 0
        return GOOD_NUMBERS[name.removesuffix("_h").removesuffix("_w")][name.endswith("_w")]

    def set(self, name, value):
        field = self.row.fields[name]
        NUMBERS.get(field.type, ctypes.c_size_t).from_buffer(self.params, field.offset).value = value or 0

    def attach(self, name, array, dtype, **spoilt):
        """Point a field that is a tensor at an array."""
        described = tensor(array, dtype)
        for field, value in spoilt.items():
            setattr(described, field, value)
        self.kept += [array, described]
        self.set(name, ctypes.addressof(described))

    def memory(self):
        """What a refused call has to leave as it is."""
        arrays = (self.map, self.box_rows, self.indices, self.result, self.level_of_roi, self.scales, self.offsets)
        return [array.tobytes() for array in arrays]

    def pointers(self):
        parts = {name: getattr(self, name) for name in ("features", "boxes", "params", "out", "exec")}
        return [None if name in self.null else ctypes.byref(part) for name, part in parts.items()]


# A good value of every number, vertical and horizontal.
GOOD_NUMBERS = {
    "scale": (1.0, 1.0), "sampling": (2, 2), "group": BINS, "part": BINS, "orientations": (8, 8), "sample_per_part": (4, 4),
    "levels": (2, 2), "gamma": (0.1, 0.1), "trans_std": (0.1, 0.1), "threshold": (0.5, 0.5), "extrapolation_value": (0.0, 0.0),
}  # fmt: skip

# (value, status, words, "@" for the field's name)
_SCALE = [(v, INVALID_VALUE, ("spatial_scale",)) for v in (NAN, INF, -INF, 0.0, -0.0, -1.0)]
_FINITE = [(v, INVALID_VALUE, ("@",)) for v in (NAN, INF, -INF)]
BAD_NUMBERS = {
    "scale": _SCALE,
    "sampling": [(v, INVALID_VALUE, ("sampling_ratio", str(v))) for v in (2**20 + 1, INT64_MAX)]
    + [(INT64_MIN, OK, ())],
    "group": [(v, INVALID_VALUE, ("group_size",)) for v in (-1, INT64_MIN, INT64_MAX, 2**31, 5)],
    "part": [(v, INVALID_VALUE, ("part_size", str(v))) for v in (0, -1, INT64_MIN, INT64_MAX, 2**31)],
    "orientations": [(v, INVALID_VALUE, ("orientations", str(v))) for v in (0, -1, INT64_MIN, 7, INT64_MAX)],
    "sample_per_part": [(v, INVALID_VALUE, ("sample_per_part", str(v))) for v in (0, -1, INT64_MIN, 1025, INT64_MAX)],
    "levels": [(v, INVALID_VALUE, ("levels", str(v))) for v in (0, -1, INT32_MIN)],
    "gamma": _FINITE,
    "trans_std": _FINITE,
    "threshold": [*_FINITE, (-1e-300, INVALID_VALUE, ("@",))],
    "extrapolation_value": [(v, OK, ()) for v in (NAN, INF, -INF)],
}


@dataclass(frozen=True)
class Kind:
    """What is done to a good call, and how it is answered."""

    name: str
    spoil: object
    status: int
    words: tuple = ()
    row: int = -1


def _set(part, field, value, call):
    setattr(getattr(call, part) if part != "features" else call.features[0], field, value)


def _set_extent(part, axis, value, call):
    (call.features[0] if part == "features" else call.out).shape[axis] = value


def _null(part, call):
    call.null.add(part)


def _map_name(operator):
    return "masks" if OPERATORS[operator].flags & TAKES_MASKS else "features"


def tensors(operator):
    features = _map_name(operator)
    for part, name in (("features", features), ("out", "out")):
        yield Kind(f"{name} NULL", partial(_null, part), INVALID_VALUE, (name,))
        yield Kind(f"data of {name} NULL", partial(_set, part, "data", None), INVALID_VALUE, (name, "NULL"))
        for dtype in (-1, INT32, INT64, 9, 10, 12, INT32_MAX, INT32_MIN):
            yield Kind(
                f"{name} of dtype {dtype}", partial(_set, part, "dtype", dtype), INVALID_TYPE, (name, str(dtype))
            )
        for axis in range(4):
            for value in (-1, INT64_MIN):
                spoil = partial(_set_extent, part, axis, value)
                yield Kind(f"extent {axis} of {name} {value}", spoil, INVALID_VALUE, (name, str(value)))
    for axis in (2, 3):
        yield Kind(f"no cells along axis {axis}", partial(_set_extent, "features", axis, 0), INVALID_VALUE, (features,))
        yield Kind(
            f"no bins along axis {axis}", partial(_set_extent, "out", axis, 0), INVALID_VALUE, ("output_size", "0")
        )
        for value in (2**31, INT64_MAX):
            spoil = partial(_set_extent, "features", axis, value)
            yield Kind(f"{value} cells along axis {axis}", spoil, OVERFLOW, (features, str(value)))
            spoil = partial(_set_extent, "out", axis, value)
            yield Kind(f"{value} bins along axis {axis}", spoil, INVALID_VALUE, ("output_size", str(value)))
    yield Kind("no images", partial(_set_extent, "features", 0, 0), INVALID_VALUE, (features,))
    for axis in (0, 1):
        for value in (0, 5, 2**40, INT64_MAX):
            yield Kind(
                f"out of {value} along axis {axis}",
                partial(_set_extent, "out", axis, value),
                INVALID_VALUE,
                ("out", str(value)),
            )
    yield Kind("sizes that exceed int64", _enormous, OVERFLOW, ("out", "exceeds int64"))


def _enormous(call):
    """Boxes, channels and bins by the billion, all in the same few bytes."""
    times = 1 if call.masks else 2**20
    call.boxes.count, call.boxes.strides = 2**40, (0, 0)
    for level in call.features:
        level.shape[1] *= times
        level.shape[0] = 2**40 if call.masks else IMAGES
        level.strides = (0, 0, 0, 0)
    call.out.shape, call.out.strides = (2**40, call.out.shape[1] * times, 2**16, 3 * 2**16), (0, 0, 0, 0)


def _set_number(column, value, dtype, call):
    call.box_rows[COUNT - 1, column] = value
    if dtype == FLOAT32:
        narrow = call.box_rows.astype(np.float32)
        call.kept.append(narrow)
        call.boxes.data, call.boxes.dtype, call.boxes.strides = narrow.ctypes.data, FLOAT32, narrow.strides


def _set_index(value, call):
    call.indices[COUNT - 1] = value
    call.boxes.batch_indices, call.boxes.batch_dtype = call.indices.ctypes.data, INT64
    call.boxes.batch_stride = call.indices.strides[0]


def _with_column(value, call, dtype=np.float64):
    """The boxes with the image in front, that of the last box as given."""
    rows = np.c_[[0, 0, value], call.box_rows].astype(dtype)
    call.kept.append(rows)
    call.boxes.data, call.boxes.dtype, call.boxes.strides = (
        rows.ctypes.data,
        FLOAT64 if dtype == np.float64 else FLOAT32,
        rows.strides,
    )
    call.boxes.columns, call.boxes.batch_indices = rows.shape[1], None


def _with_both(call):
    _with_column(0, call)
    call.boxes.batch_indices = call.indices.ctypes.data


def _many_images(call):
    _with_column(0, call, np.float32)
    for level in call.features:
        level.shape[0], level.strides[0] = 2**24 + 1, 0


def box_tables(operator):
    last = COUNT - 1
    coordinates = 5 if OPERATORS[operator].flags & TAKES_TURNED_BOXES else 4
    for value in (NAN, INF, -INF):
        for column in range(coordinates):
            for dtype in (FLOAT64, FLOAT32):
                name = f"{value} in column {column} of dtype {dtype}"
                yield Kind(
                    name, partial(_set_number, column, value, dtype), INVALID_VALUE, (f"rois[{last}]", str(value)), last
                )
    yield Kind("boxes NULL", partial(_null, "boxes"), INVALID_VALUE, ("rois",))
    yield Kind("data of boxes NULL", partial(_set, "boxes", "data", None), INVALID_VALUE, ("rois", "NULL"))
    for count in (-1, INT64_MIN):
        yield Kind(f"{count} boxes", partial(_set, "boxes", "count", count), INVALID_VALUE, ())
    for columns in (-1, 0, 3, 7, INT32_MAX, INT32_MIN):
        yield Kind(
            f"{columns} columns", partial(_set, "boxes", "columns", columns), INVALID_VALUE, ("rois", str(columns))
        )
    for dtype in (-1, 11, INT32_MAX, INT32_MIN):
        yield Kind(
            f"boxes of dtype {dtype}", partial(_set, "boxes", "dtype", dtype), INVALID_TYPE, ("rois", str(dtype))
        )
    if operator == "paste_masks":  # box k is that of mask k
        return
    for value in (9, -1, INT64_MAX, INT64_MIN):
        words = (f"batch_indices[{last}]",) + ((str(value),) if abs(value) < 2**53 else ())
        yield Kind(f"image {value}", partial(_set_index, value), INVALID_VALUE, words, last)
    for value in (9, -1, 0.5, -0.5, NAN, INF, 1e300):
        yield Kind(f"image {value} in a column", partial(_with_column, value), INVALID_VALUE, (f"rois[{last}]",), last)
    for dtype in (-1, FLOAT32, FLOAT16, 11):
        yield Kind(f"images of dtype {dtype}", partial(_indices_of, dtype), INVALID_TYPE, ("batch_indices",))
    yield Kind("images twice", _with_both, INVALID_VALUE, ("batch_indices",))
    if not OPERATORS[operator].flags & TAKES_MASKS:
        yield Kind("more images than float32 tells apart", _many_images, INVALID_TYPE, ("rois", str(2**24 + 1)))
        yield Kind(
            "no images among two", partial(_set, "boxes", "batch_indices", None), INVALID_VALUE, ("batch_indices", "2")
        )


def _indices_of(dtype, call):
    _set_index(1, call)
    call.boxes.batch_dtype = dtype


def _set_param(name, value, call):
    call.set(name, value)


def _set_params_size(value, call):
    ctypes.c_size_t.from_buffer(call.params).value = value


def params(operator):
    yield Kind("params NULL", partial(_null, "params"), INVALID_VALUE, ("params",))
    for size in (0, 7, 4097, 2**64 - 1):
        yield Kind(f"params of {size} bytes", partial(_set_params_size, size), INVALID_VALUE, ("params", str(size)))
    for name, field in OPERATORS[operator].fields.items():
        if field.choices:
            for code in (-1, len(field.choices), INT32_MAX, INT32_MIN):
                yield Kind(f"{name} {code}", partial(_set_param, name, code), INVALID_VALUE, (name, str(code)))
        elif field.of == "number":
            for value, status, words in BAD_NUMBERS[name.removesuffix("_h").removesuffix("_w")]:
                words = tuple(word.replace("@", name) for word in words)
                yield Kind(f"{name} {value}", partial(_set_param, name, value), status, words)
        elif field.of == "flag":
            for value in (2, -1):
                yield Kind(f"{name} {value}", partial(_set_param, name, value), OK)
        elif field.type == "const fastroi_tensor *":
            yield from arrays(name)
    if OPERATORS[operator].flags & TAKES_LEVELS:
        yield from levels()


def _attach(name, call, value=0.0, dtype=FLOAT32, **spoilt):
    """Offsets, the last of which is as given."""
    offsets = call.offsets.copy()
    offsets[COUNT - 1, 1, 1, 2] = value
    call.attach(name, offsets, dtype, **spoilt)


def arrays(name):
    """Offsets, which are read, and argmax, which is written."""
    if name == "argmax":
        yield Kind("argmax of dtype 0", partial(_attach, name), INVALID_TYPE, (name,))
        yield Kind("argmax of another shape", partial(_attach, name, dtype=INT64), INVALID_VALUE, (name,))
        return
    last = COUNT - 1
    for value in (NAN, INF, -INF):
        spoil = partial(_attach, name, value=value)
        yield Kind(f"{value} in {name}", spoil, INVALID_VALUE, (f"{name}[{last}, 1, 1, 2]", str(value)), last)
    for dtype in (-1, 12, INT64):
        yield Kind(f"{name} of dtype {dtype}", partial(_attach, name, dtype=dtype), INVALID_TYPE, (name, str(dtype)))
    for shape in (
        (2, 2, 2, 3),
        (3, 3, 2, 3),
        (3, 2, 3, 3),
        (3, 2, 2, 2),
        (3, 2, 2, -3),
        (3, 0, 2, 3),
        (INT64_MAX, 2, 2, 3),
    ):
        spoil = partial(_attach, name, shape=shape)
        yield Kind(f"{name} of shape {shape}", spoil, INVALID_VALUE, (name,))
    yield Kind(f"data of {name} NULL", partial(_attach, name, data=None), INVALID_VALUE, (name, "NULL"))


def _set_level(value, call):
    call.level_of_roi[COUNT - 1] = value


def _set_level_scale(value, call):
    call.scales[1] = value


def _set_second_map(field, value, call):
    setattr(call.features[1], field, value)


def levels():
    last = COUNT - 1
    for value in (2, -1, INT64_MAX, INT64_MIN):
        yield Kind(f"level {value}", partial(_set_level, value), INVALID_VALUE, (f"levels[{last}]", str(value)), last)
    for value in (NAN, INF, 0.0, -1.0):
        yield Kind(f"scale {value} of a level", partial(_set_level_scale, value), INVALID_VALUE, ("spatial_scale",))
    for name in ("scales", "level_of_roi"):
        yield Kind(f"{name} NULL", partial(_set_param, name, None), INVALID_VALUE, ("levels",))
    yield Kind("a level of another dtype", partial(_set_second_map, "dtype", FLOAT64), INVALID_TYPE, ("features[1]",))
    shape = (IMAGES, 1, ROWS, COLUMNS)
    yield Kind("a level of other channels", partial(_set_second_map, "shape", shape), INVALID_VALUE, ("features[1]",))


def execution():
    for size in (0, 7, 4097):
        yield Kind(
            f"exec of {size} bytes", partial(_set, "exec", "struct_size", size), INVALID_VALUE, ("exec", str(size))
        )
    for threads in (-1, 1025, INT32_MAX, INT32_MIN):
        yield Kind(
            f"{threads} threads",
            partial(_set, "exec", "num_threads", threads),
            INVALID_VALUE,
            ("num_threads", str(threads)),
        )
    for flow in (-1, 3, INT32_MAX, INT32_MIN):
        yield Kind(f"flow {flow}", partial(_set, "exec", "flow", flow), INVALID_VALUE, ("flow", str(flow)))
    for name in (b"none", b"", b"x" * 1000):
        yield Kind(f"simd {name[:8]}", partial(_set, "exec", "simd", name), INVALID_VALUE, ("simd", name[:40].decode()))
    for code in (-1, len(OPERATORS), INT32_MAX, INT32_MIN):
        yield Kind(f"operator {code}", partial(_set_code, code), INVALID_VALUE, ("operator", str(code)))
    yield Kind("nothing", lambda call: None, OK)
    yield Kind("exec NULL", partial(_null, "exec"), OK)


def _set_code(value, call):
    call.code = value


def kinds(operator):
    yield from tensors(operator)
    yield from box_tables(operator)
    yield from params(operator)
    yield from execution()


# --- doors ------------------------------------------------------------------------------------------------------------------


@cache
def library():
    return ctypes.CDLL(_core.__file__)


def through_the_name(call, error):
    """fastroi_NAME, and fastroi_run for an operator that has none."""
    if call.code != list(OPERATORS).index(call.operator):
        return library().fastroi_run(ctypes.c_int32(call.code), *call.pointers(), ctypes.byref(error))
    return getattr(library(), f"fastroi_{call.operator}")(*call.pointers(), ctypes.byref(error))


@cache
def _run_of_capsule():
    """The entry `run` of the table behind fastroi_capsule.h, by its place in FASTROI_FUNCTIONS."""
    header = (Path(_core.__file__).parent / "include" / "fastroi_capsule.h").read_text("utf-8")
    entries = header.split("#define FASTROI_FUNCTIONS(ENTRY)")[1].split("\n\n")[0]
    names = [part.split(")")[0] for part in entries.split("ENTRY(")[1:]]
    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = ctypes.c_void_p, (ctypes.py_object, ctypes.c_char_p)
    table = pointer(_core._C_API, b"fastroi._core._C_API")
    words = (ctypes.c_size_t * (2 + len(names))).from_address(table)  # struct_size, table_abi and its padding, entries
    assert words[0] == ctypes.sizeof(words)
    return ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int32, *[ctypes.c_void_p] * 6)(words[2 + names.index("run")])


def through_the_capsule(call, error):
    return _run_of_capsule()(call.code, *call.pointers(), ctypes.byref(error))


DOORS = {"C ABI": through_the_name, "capsule": through_the_capsule}
