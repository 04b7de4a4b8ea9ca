"""Bad input as data: kinds of it, applied to a good call of every operator of the table.

A kind names what it spoils by role, so that a new operator takes part by its row in the table of operators and the names of its
parameters; a parameter that no role knows is an error here, not a gap. What a refusal has to say stands beside the bad value:
the type of the exception and words of its message, "@" for the name of the parameter.
"""

import inspect
from dataclasses import dataclass
from functools import cache

import numpy as np

import fastroi
from fastroi._core import OPERATORS, TAKES_TURNED_BOXES

NAN, INF = float("nan"), float("inf")
IMAGES, CHANNELS, ROWS, COLUMNS = 2, 24, 6, 7  # channels: a multiple of the bins and of eight orientations
COUNT, BINS = 3, (2, 3)

# Names of parameters by what they are.
ROLES = {
    "map": ("features", "image", "masks", "feature_pyramid"),
    "boxes": ("rois", "boxes"),
    "indices": ("batch_indices", "box_indices", "mask_indices"),
    "size": ("output_size", "crop_size", "image_size"),
    "optional size": ("group_size", "part_size"),
    "scale": ("spatial_scale", "scales"),
    "sampling": ("sampling_ratio",),
    "choice": ("rule", "reduce", "arithmetic", "channel_order", "method", "end", "angle_unit", "level_rule", "layout"),
    "flag": ("clockwise", "return_argmax"),
    "convention": ("aligned",),
    "real": ("gamma", "trans_std", "threshold", "extrapolation_value", "canonical_level", "canonical_size"),
    "integer": ("orientations", "sample_per_part"),
    "offsets": ("offset", "trans"),
    "levels": ("levels",),
    "threads": ("num_threads",),
    "dtype": ("dtype",),
    "out": ("out",),
}
ROLE_OF = {name: role for role, names in ROLES.items() for name in names}


@dataclass(frozen=True)
class Case:
    """Arguments of one call, and what becomes of it: an exception with words in its message, or a value."""

    operator: str
    name: str
    arguments: dict
    error: type | tuple | None
    words: tuple = ()
    good: dict | None = None  # the call whose result a defined one equals

    @property
    def id(self):
        return f"{self.operator}-{self.name}"


# --- good calls -----------------------------------------------------------------------------------------------------------


def numbers(*shape, dtype=np.float32):
    return (np.arange(np.prod(shape)) % 11).reshape(shape).astype(dtype)


def is_turned(operator):
    return bool(OPERATORS[operator].flags & TAKES_TURNED_BOXES)


def good_boxes(operator):
    corners = [[0, 0, 3, 4], [1, 1, 4, 3], [0.5, 2, 6, 5]]
    return np.array([[*box, 0.25] for box in corners] if is_turned(operator) else corners)


def parameters(operator):
    return inspect.signature(getattr(fastroi, operator)).parameters


def good_call(operator):
    """Keywords of a call that is answered, all parameters without a default and those that bad values meet elsewhere."""
    makers = {
        "features": lambda: numbers(IMAGES, CHANNELS, ROWS, COLUMNS),
        "image": lambda: numbers(IMAGES, CHANNELS, ROWS, COLUMNS),
        "masks": lambda: numbers(COUNT, ROWS, COLUMNS) / 11,
        "feature_pyramid": lambda: [numbers(IMAGES, CHANNELS, ROWS, COLUMNS), numbers(IMAGES, CHANNELS, 3, 4)],
        "rois": lambda: good_boxes(operator),
        "boxes": lambda: good_boxes(operator),
        "batch_indices": lambda: np.array([0, 1, 1]),
        "box_indices": lambda: np.array([0, 1, 1]),
        "mask_indices": lambda: np.array([2, 1, 1]),
        "output_size": lambda: BINS,
        "crop_size": lambda: BINS,
        "image_size": lambda: (ROWS, COLUMNS),
        "scales": lambda: [1.0, 0.5],
        "offset": lambda: numbers(COUNT, 2, *BINS),
        "trans": lambda: numbers(COUNT, 2, *BINS),
        "layout": lambda: "NCHW",
    }
    found = {}
    for name, parameter in parameters(operator).items():
        if name in makers:
            found[name] = makers[name]()
        elif parameter.default is inspect.Parameter.empty:
            raise KeyError(f"{operator}: {name} has no good value in tests/support/bad_inputs.py")
    return found


def is_per_box(name, arguments):
    """Whether an argument of a call has a row for each box."""
    own_masks = name == "masks" and arguments.get("mask_indices") is None
    return own_masks or ROLE_OF.get(name) in ("boxes", "indices", "offsets", "levels")


def repeated(operator, times):
    """A good call with its boxes so many times."""
    arguments = good_call(operator)
    for name, value in arguments.items():
        if is_per_box(name, arguments):
            arguments[name] = np.concatenate([value] * times)
    return arguments


# --- kinds: (name, role, value or function of the good value, error, words) ---------------------------------------------------


def changed(array, where, value):
    copy = np.array(array)
    copy[where] = value
    return copy


def spoilt_map(value, change):
    """The change of a map, of the first one of a pyramid."""
    return [change(value[0]), *value[1:]] if isinstance(value, list) else change(value)


def on_map(change):
    return lambda value: spoilt_map(value, change)


def typed(dtype):
    return lambda array: array.astype(dtype)


def structured(array):
    return np.zeros(array.shape, [("a", "f4")])


def masked(array):
    return np.ma.masked_array(array)


BAD_DTYPES = (
    "int32",
    "int64",
    "uint32",
    "complex64",
    "object",
    "U4",
    "S4",
    "M8[s]",
    "m8[s]",
    ">f2",
    ">f4",
    ">f8",
    ">u2",
)
REFUSAL = (TypeError, ValueError)

MAPS = [
    *((f"map of {name}", typed(name), TypeError, ("@",)) for name in BAD_DTYPES),
    ("map of longdouble", typed(np.longdouble), TypeError, ("@",)),
    ("structured map", structured, TypeError, ("@",)),
    ("masked map", masked, TypeError, ("@",)),
    ("map None", lambda _: None, TypeError, ("@",)),
    ("map of words", lambda _: "features.npy", TypeError, ("@",)),
    ("map a number", lambda _: 3.0, ValueError, ("@",)),
    ("map of rank 2", lambda m: m[0] if m.ndim == 3 else m[0, 0], ValueError, ("@",)),
    ("map of rank 6", lambda m: m[(None,) * (6 - m.ndim)], ValueError, ("@",)),
    ("ragged map", lambda _: [[1.0, 2.0], [3.0]], REFUSAL, ("@",)),
    ("map without rows", lambda m: m[..., :0, :], ValueError, ("@",)),
    ("map without columns", lambda m: m[..., :0], ValueError, ("@",)),
    ("no images", lambda m: m[:0], ValueError, ()),
    (
        "map of 2^31 columns",
        lambda m: np.broadcast_to(m[..., :1, :1], (*m.shape[:-2], 1, 2**31)),
        OverflowError,
        ("@", "2147483648"),
    ),
    (
        "map of 2^31 rows",
        lambda m: np.broadcast_to(m[..., :1, :1], (*m.shape[:-2], 2**31, 1)),
        OverflowError,
        ("@", "2147483648"),
    ),
]

SIZES = [
    ("size 0", 0, ValueError, ("@", "0")),
    ("size -1", -1, ValueError, ("@", "-1")),
    ("size of no columns", (2, 0), ValueError, ("@", "0")),
    ("size of negative rows", (-3, 2), ValueError, ("@", "-3")),
    ("size of one number", (7,), ValueError, ("@",)),
    ("size of three numbers", (1, 2, 3), ValueError, ("@", "3")),
    ("size of no number", (), ValueError, ("@",)),
    ("size 2.0", 2.0, TypeError, ("@", "2.0")),
    ("size nan", NAN, TypeError, ("@", "nan")),
    ("size True", True, TypeError, ("@", "True")),
    ("size of words", "7", TypeError, ("@", "'7'")),
    ("size of a dict", {2: 3}, TypeError, ("@",)),
    ("size of a table", np.ones((2, 2), int), ValueError, ("@",)),
    ("size of floats", np.ones(2), TypeError, ("@", "1.0")),
    ("size 2^31", 2**31, OverflowError, ("@", "2147483648")),
    ("size 2^64", 2**64, OverflowError, ("@", "18446744073709551616")),
    ("size beyond memory", (2**31 - 1, 2**31 - 1), (OverflowError, ValueError), ()),
]
THREADS = [
    ("threads 0", 0, ValueError, ("@", "0")),
    ("threads -2", -2, ValueError, ("@", "-2")),
    ("threads 1025", 1025, ValueError, ("@", "1025")),
    ("threads 1.5", 1.5, TypeError, ("@", "1.5")),
    ("threads True", True, TypeError, ("@", "True")),
    ("threads of words", "2", TypeError, ("@", "'2'")),
    ("threads 2^70", 2**70, (OverflowError, ValueError), ("@", str(2**70))),
]
SCALES = [
    ("scale nan", NAN, ValueError, ("@", "nan")),
    ("scale inf", INF, ValueError, ("@", "inf")),
    ("scale -inf", -INF, ValueError, ("@", "-inf")),
    ("scale 0", 0.0, ValueError, ("@", "0")),
    ("scale -0", -0.0, ValueError, ("@", "-0")),
    ("scale -1", -1.0, ValueError, ("@", "-1")),
    ("scale with nan", (0.5, NAN), ValueError, ("@", "nan")),
    ("scale with 0", (0.0, 0.5), ValueError, ("@", "0")),
    ("scale of three numbers", (1.0, 1.0, 1.0), ValueError, ("@", "3")),
    ("scale of no number", (), ValueError, ("@",)),
    ("scale of words", "1/16", TypeError, ("@", "'1/16'")),
    ("scale None", None, TypeError, ("@", "None")),
    ("scale True", True, TypeError, ("@", "True")),
    ("scale complex", 1j, TypeError, ("@", "1j")),
    ("scale of a table", np.ones((2, 2)), ValueError, ("@",)),
]
SAMPLINGS = [
    ("sampling 2^20 + 1", 2**20 + 1, ValueError, ("@", "1048577")),
    ("sampling 2^63 - 1", 2**63 - 1, ValueError, ("@", str(2**63 - 1))),
    ("sampling 2^70", 2**70, OverflowError, ("@", str(2**70))),
    ("sampling 1.5", 1.5, TypeError, ("@", "1.5")),
    ("sampling nan", NAN, TypeError, ("@", "nan")),
    ("sampling of words", "2", TypeError, ("@", "'2'")),
    ("sampling None", None, TypeError, ("@", "None")),
    ("sampling True", True, TypeError, ("@", "True")),
    ("sampling of three numbers", (1, 2, 3), ValueError, ("@", "3")),
    ("sampling too fine across", (1, 2**20 + 1), ValueError, ("@", "1048577")),
]
CHOICES = [
    ("no such choice", "no such", ValueError, ("@", "'no such'")),
    ("choice 3", 3, ValueError, ("@", "3")),
    ("choice None", None, ValueError, ("@", "None")),
    ("choice in bytes", b"max", ValueError, ("@", "b'max'")),
    ("choice of a list", ["max"], ValueError, ("@", "max")),
]
FLAGS = [
    ("flag of words", "yes", TypeError, ("@", "'yes'")),
    ("flag None", None, TypeError, ("@", "None")),
    ("flag 1.0", 1.0, TypeError, ("@", "1.0")),
]
REALS = [
    ("real of words", "0.1", TypeError, ("@", "'0.1'")),
    ("real True", True, TypeError, ("@", "True")),
    ("real complex", 1j, TypeError, ("@", "1j")),
    ("real of two numbers", np.ones(2), TypeError, ("@",)),
]
FINITE = [(f"real {value}", value, ValueError, ("@", str(value))) for value in (NAN, INF, -INF)]
INTEGERS = [
    ("integer 0", 0, ValueError, ("@", "0")),
    ("integer -1", -1, ValueError, ("@", "-1")),
    ("integer 1.5", 1.5, TypeError, ("@", "1.5")),
    ("integer True", True, TypeError, ("@", "True")),
    ("integer of words", "4", TypeError, ("@", "'4'")),
    ("integer None", None, TypeError, ("@", "None")),
    ("integer 2^31", 2**31, (OverflowError, ValueError), ("@", "2147483648")),
    ("integer 2^64", 2**64, OverflowError, ("@", str(2**64))),
]
DTYPES = [
    *(
        (f"dtype {name}", name, REFUSAL, ("@", name))
        for name in ("int32", "uint64", "bool", "complex64", "object", "U4", ">f4")
    ),
    ("dtype of longdouble", np.dtype(np.longdouble), REFUSAL, ("@",)),
    ("structured dtype", [("a", "f4")], REFUSAL, ("@",)),
    ("no such dtype", "no such", REFUSAL, ("@", "'no such'")),
    ("dtype 3", 3, REFUSAL, ("@", "3")),
]
LAST = COUNT - 1
INDICES = [
    ("index of an image too many", lambda i: changed(i, LAST, 9), ValueError, (f"@[{LAST}]", "9")),
    ("index -1", lambda i: changed(i, LAST, -1), ValueError, (f"@[{LAST}]", "-1")),
    ("index 2^40", lambda i: changed(i, LAST, 2**40), ValueError, (f"@[{LAST}]", str(2**40))),
    (
        "index 2^63 + 5",
        lambda i: changed(i.astype(np.uint64), LAST, 2**63 + 5),
        ValueError,
        (f"@[{LAST}]", str(2**63 + 5)),
    ),
    ("indices of float64", typed("f8"), TypeError, ("@", "float64")),
    ("indices of bool", typed("?"), TypeError, ("@", "bool")),
    ("indices of complex128", typed("c16"), TypeError, ("@", "complex128")),
    ("indices of objects", typed("O"), TypeError, ("@", "object")),
    ("indices of words", typed("U2"), TypeError, ("@",)),
    ("masked indices", masked, TypeError, ("@", "MaskedArray")),
    ("indices of rank 2", lambda i: i[:, None], ValueError, ("@", "(3, 1)")),
    ("an index too few", lambda i: i[:-1], ValueError, ("@", "(2,)")),
    ("one index", lambda i: 1, ValueError, ("@", "()")),
]
BOXES = [
    *((f"boxes of {name}", typed(name), TypeError, ("@",)) for name in ("c16", "O", "?", "U8", "S8", "M8[s]", "m8[s]")),
    ("boxes of the other byte order", typed(">f8"), TypeError, ("@", ">f8")),
    ("boxes of longdouble", typed(np.longdouble), TypeError, ("@",)),
    ("structured boxes", structured, TypeError, ("@",)),
    ("masked boxes", masked, TypeError, ("@", "MaskedArray")),
    ("boxes None", lambda _: None, TypeError, ("@", "None")),
    ("boxes of words", lambda _: "boxes.csv", REFUSAL, ("@",)),
    ("ragged boxes", lambda b: [list(b[0]), list(b[1][:-1])], REFUSAL, ("@",)),
    ("one box", lambda b: b[0], ValueError, ("@",)),
    ("boxes of rank 4", lambda b: b[None, None], ValueError, ("@",)),
    ("boxes of three numbers", lambda b: b[:, :3], ValueError, ("@", "(3, 3)")),
    ("boxes of eight numbers", lambda b: np.tile(b[:, :4], 2), ValueError, ("@", "(3, 8)")),
    ("boxes of no number", lambda b: b[:, :0], ValueError, ("@", "(3, 0)")),
]
OFFSETS = [
    ("an offset nan", lambda o: changed(o, (LAST, 1, 1, 2), NAN), ValueError, ("@[2, 1, 1, 2]", "nan")),
    ("an offset -inf", lambda o: changed(o, (LAST, 0, 0, 0), -INF), ValueError, ("@[2, 0, 0, 0]", "-inf")),
    ("offsets of int64", typed("i8"), TypeError, ("@", "int64")),
    ("offsets of objects", typed("O"), TypeError, ("@", "object")),
    ("offsets of the other byte order", typed(">f4"), TypeError, ("@", ">f4")),
    ("masked offsets", masked, TypeError, ("@", "MaskedArray")),
    ("offsets of rank 3", lambda o: o[0], ValueError, ("@", "3")),
    ("offsets of two boxes", lambda o: o[:2], ValueError, ("@", "(2, 2, 2, 3)")),
    ("offsets of one plane", lambda o: o[:, :1], ValueError, ("@", "1")),
]
LEVELS = [
    ("a level too many", [0, 1, 2], ValueError, ("@[2]", "2")),
    ("level -1", [0, -1, 1], ValueError, ("@[1]", "-1")),
    ("level 2^63 + 5", np.array([0, 0, 2**63 + 5], np.uint64), ValueError, ("@[2]", str(2**63 + 5))),
    ("levels of float64", [0.0, 1.0, 1.0], TypeError, ("@", "float64")),
    ("levels of bool", [True, False, True], TypeError, ("@", "bool")),
    ("a level too few", [0, 1], ValueError, ("@", "(2,)")),
    ("levels of rank 2", [[0, 1, 1]], ValueError, ("@", "(1, 3)")),
]
ROWS_OF_ROLES = {
    "map": [(name, on_map(change), *rest) for name, change, *rest in MAPS],
    "boxes": BOXES,
    "indices": INDICES,
    "size": [*SIZES, ("size None", None, TypeError, ("@", "None"))],
    "optional size": SIZES[:-1],
    "scale": SCALES,
    "sampling": SAMPLINGS,
    "choice": CHOICES,
    "convention": [row for row in CHOICES if row[1] is not None],
    "flag": FLAGS,
    "real": REALS,
    "integer": INTEGERS,
    "offsets": OFFSETS,
    "levels": LEVELS,
    "threads": THREADS,
    "dtype": DTYPES,
}


def spoilt(name, good, value):
    """The bad value of a parameter: made of the good one, or as it is; of one scale of a pyramid's."""
    if callable(value):
        return value(good[name])
    return [value, 0.5] if name == "scales" else value


def refusals(operator):
    """Every kind that a parameter of the operator can be spoilt by."""
    for name in parameters(operator):
        role = ROLE_OF.get(name)
        if role is None:
            raise KeyError(f"{operator}: {name} has no role in tests/support/bad_inputs.py")
        if role == "out":
            yield from bad_results(operator)
            continue
        rows = ROWS_OF_ROLES[role]
        if role == "convention" and operator not in CONVENTIONAL:
            rows = FLAGS
        if role == "real" and name not in ANY_REAL:
            rows = [*rows, *FINITE]
        if name not in OPTIONAL:
            rows = [row for row in rows if row[1] is not None or role == "choice"]
        for kind, value, error, words in rows:
            good = good_call(operator)
            yield refusal(operator, f"{name}: {kind}", good | {name: spoilt(name, good, value)}, error, words, name)
    yield from bad_coordinates(operator)


CONVENTIONAL = tuple(name for name, row in OPERATORS.items() if getattr(row.fields.get("aligned"), "choices", None))
ANY_REAL = ("extrapolation_value",)  # it is written, not computed with
OPTIONAL = (
    "spatial_scale",
    "sampling_ratio",
    "output_size",
    "crop_size",
    "image_size",
    "orientations",
    "sample_per_part",
)


def refusal(operator, kind, arguments, error, words, name):
    return Case(operator, kind, arguments, error, tuple(word.replace("@", name) for word in words))


def bad_coordinates(operator):
    """A coordinate of the last box that is not finite, of each in turn."""
    good = good_call(operator)
    name = next(name for name in ROLES["boxes"] if name in good)
    for column in range(good[name].shape[1]):
        for value in (NAN, INF, -INF):
            for dtype in ("f8", "f4"):
                boxes = changed(good[name], (LAST, column), value).astype(dtype)
                kind = f"{name}: {value} in column {column} of {dtype}"
                yield refusal(operator, kind, good | {name: boxes}, ValueError, (f"@[{LAST}]", str(value)), name)


def call(operator, arguments):
    return getattr(fastroi, operator)(**arguments)


@cache
def result_of(operator):
    return call(operator, good_call(operator))


def unwritten(operator):
    """A result for a call to fill, if it is answered."""
    return np.full_like(result_of(operator), 1)


def bad_results(operator):
    good = good_call(operator)
    result = result_of(operator)
    beside = np.zeros((2, *result.shape), result.dtype)
    read_only = np.zeros_like(result)
    read_only.flags.writeable = False
    shared = next(np.asarray(value) for name, value in good.items() if ROLE_OF.get(name) == "boxes")
    room = np.zeros(max(shared.nbytes, result.nbytes) + 64, np.uint8)
    own = np.ndarray(result.shape, result.dtype, room)
    boxes = np.ndarray(shared.shape, shared.dtype, room)
    boxes[:] = shared
    boxes_name = next(name for name in ROLES["boxes"] if name in good)
    rows = [
        ("of another shape", beside[0, ..., :-1], ValueError, ()),
        ("of another rank", beside, ValueError, ()),
        ("of another dtype", np.zeros(result.shape, np.int16), TypeError, ("int16",)),
        ("of the other byte order", np.zeros(result.shape, ">f4"), TypeError, (">f4",)),
        ("of objects", np.zeros(result.shape, object), TypeError, ("object",)),
        ("a list", [0.0], TypeError, ("list",)),
        ("of words", "out.npy", TypeError, ("str",)),
        ("masked", np.ma.zeros(result.shape, result.dtype), TypeError, ("MaskedArray",)),
        ("a subclass", np.zeros(result.shape, result.dtype).view(np.recarray), TypeError, ("recarray",)),
        ("read-only", read_only, ValueError, ("read-only",)),
        ("one number", np.broadcast_to(np.zeros((), result.dtype), result.shape), ValueError, ()),
        ("overlapping itself", np.lib.stride_tricks.as_strided(beside, result.shape, (result.itemsize,) * result.ndim),
         ValueError, ("overlap",)),
    ]  # fmt: skip
    for kind, out, error, words in rows:
        yield refusal(operator, f"out: {kind}", good | {"out": out}, error, ("@", *words), "out")
    yield refusal(
        operator,
        "out: over the boxes",
        good | {"out": own, boxes_name: boxes},
        ValueError,
        ("@", "shares memory"),
        "out",
    )


# --- defined values ------------------------------------------------------------------------------------------------------------


class Subclass(np.ndarray):
    pass


def unaligned(array):
    room = np.zeros(array.nbytes + 1, np.uint8)
    copy = np.ndarray(array.shape, array.dtype, room, offset=1)
    copy[...] = array
    return copy


def read_only(array):
    copy = np.array(array)
    copy.flags.writeable = False
    return copy


def mirrored(array):
    """The same values in memory that runs backwards along every axis."""
    turned = (slice(None, None, -1),) * array.ndim
    return np.ascontiguousarray(array[turned])[turned]


FORMS = {
    "a subclass": lambda a: a.view(Subclass),
    "unaligned": unaligned,
    "read-only": read_only,
    "backwards": mirrored,
    "Fortran's order": np.asfortranarray,
    "nested lists": lambda a: a.tolist() if a.dtype != np.float32 else a[::1],
    "a memoryview": lambda a: memoryview(np.ascontiguousarray(a)),
    "every second": lambda a: np.repeat(a, 2, axis=-1)[..., ::2],
}
FAR_BOXES = {
    "1e308": [-1e308, -1e308, 1e308, 1e308],
    "float32's limits": [-3.4e38, -3.4e38, 3.4e38, 3.4e38],
    "1e25": [1e25, 50, 1e25, 1e9],
    "2^31": [-(2.0**31) - 1, -(2.0**31), 2.0**31 - 1, 2.0**31],
    "2^53 + 1": [2.0**53 + 1, 0, 2.0**53 + 3, 1],
    "denormal": [1e-310, 5e-324, 2e-310, 1e-323],
    "a point": [2, 2, 2, 2],
    "minus zero": [-0.0, -0.0, -0.0, -0.0],
    "reversed": [4, 4, 1, 1],
    "outside": [200, 200, 300, 300],
}


def same_values(operator):
    """Arrays of every form whose values are those of a good call."""
    good = good_call(operator)
    for name, value in good.items():
        if isinstance(value, np.ndarray):
            for form, change in FORMS.items():
                yield Case(operator, f"{name}: {form}", good | {name: change(value)}, None, good=good)
            if ROLE_OF[name] == "indices":
                for dtype in ("i1", "u1", ">i4", "u8"):
                    yield Case(operator, f"{name}: of {dtype}", good | {name: value.astype(dtype)}, None, good=good)


def extremes(operator):
    """Boxes and scales whose results lie between 0 and the one value of the map."""
    good = good_call(operator)
    map_name, boxes_name = (next(n for n in ROLES[role] if n in good) for role in ("map", "boxes"))
    ones = spoilt_map(good[map_name], np.ones_like)
    for name, box in FAR_BOXES.items():
        table = np.tile([*box, 0.5] if is_turned(operator) else box, (COUNT, 1))
        yield Case(operator, f"{boxes_name}: {name}", good | {map_name: ones, boxes_name: table}, None)
    for scale in (5e-324, 1e-45, 1e38, 1e308) if "spatial_scale" in parameters(operator) else ():
        yield Case(operator, f"spatial_scale: {scale}", good | {map_name: ones, "spatial_scale": scale}, None)


def python_cases(operator):
    """All of them, those of a row of the table."""
    yield from refusals(operator)
    yield from same_values(operator)
    yield from extremes(operator)
