"""Strategies for the objects that a caller may pass where an array, a number or a word is wanted."""

import array
import fractions
from decimal import Decimal

import bad_inputs
import hypothesis.extra.numpy as arrays
import numpy as np
from hypothesis import strategies as st

HUGE = (
    2**20 + 1,
    2**31 - 1,
    2**31,
    2**32,
    2**53 + 1,
    2**63 - 1,
    2**63,
    2**64,
    -(2**31),
    -(2**63),
    -(2**63) - 1,
    10**400,
    -(10**400),
)


class Word(str):
    """A subclass of str."""


class Sequence:
    """Something with a length and items that is no list."""

    def __len__(self):
        return 2

    def __getitem__(self, at):
        return (3, 2)[at]


class Endless:
    """A sequence that never says that it ends."""

    def __len__(self):
        return 2**62

    def __getitem__(self, at):
        raise IndexError(at)


class LikeInteger:
    def __index__(self):
        return 2


class LikeNumber:
    def __float__(self):
        return 0.5


class WrongIndex:
    def __index__(self):
        return "2"  # noqa: PLE0305


class WrongNumber:
    def __float__(self):
        return "0.5"


class WrongArray:
    def __array__(self, dtype=None, copy=None):
        return [1.0]


class Unwilling:
    """An object whose every conversion is refused."""

    def __index__(self):
        raise ValueError("no index")

    def __float__(self):
        raise ValueError("no float")

    def __array__(self, dtype=None, copy=None):
        raise ValueError("no array")

    def __repr__(self):
        return "Unwilling()"


class NeedsGradient:
    """An array whose library refuses with an error of a type of its own choice."""

    ndim = 1

    def _refuse(self, *arguments, **options):
        raise RuntimeError("detach it first")

    __index__ = __float__ = __array__ = __iter__ = __len__ = _refuse


class InPieces:
    """An array that lies on several devices."""

    def __dlpack_device__(self):
        raise BufferError("in pieces")

    def __array__(self, dtype=None, copy=None):
        return np.ones((3, 4))


ODD = (
    NeedsGradient(), InPieces(),
    None, Ellipsis, NotImplemented, object, len, np, slice(1), range(2), range(0), set(), {}, {2: 3}, frozenset((2, 3)), b"", b"max", bytearray(b"22"), "", "max", "mean",
    "half_pixel", "NHWC", Word("max"), Word("no such"), Sequence(), Endless(), LikeInteger(), LikeNumber(), WrongIndex(), WrongNumber(), WrongArray(), Unwilling(),
    fractions.Fraction(1, 3), Decimal("0.5"), Decimal("nan"), Decimal("1e999"), array.array("d", [1, 2]), array.array("i", [2, 3]), memoryview(b"ab"), ValueError,
    np.float16(0.5), np.float32(0.5), np.float64(2), np.longdouble(2), np.int8(2), np.uint64(2**63), np.bool_(True), np.str_("max"), np.bytes_(b"max"), np.complex64(1),
    np.datetime64("2020-01-01"), np.timedelta64(3, "s"), np.dtype("f4"), np.float32, np.array(2), np.array(0.5), np.array([2]), np.array([2, 3]), np.array([0.5, 0.25]),
    np.array("max"), np.array(None), np.array([None, 1.0]), np.ma.masked, np.ones((2, 2)).view(np.matrix), np.recarray((2,), [("a", "f4")]),
)  # fmt: skip
DTYPES = st.sampled_from(
    (
        "f4",
        "f8",
        "f2",
        ">f4",
        ">f8",
        "i1",
        "i4",
        "i8",
        ">i8",
        "u1",
        "u8",
        "?",
        "c8",
        "U2",
        "S2",
        "O",
        "M8[s]",
        "m8[s]",
        "f4,i2",
        np.longdouble,
    )
)
FLOATS = st.one_of(st.floats(), st.floats(width=32), st.sampled_from((0.0, -0.0, 0.5, 1.0, 2.0, 5e-324, 1e308)))
INTEGERS = st.one_of(st.integers(-9, 12), st.sampled_from(HUGE))
SCALARS = st.one_of(
    INTEGERS,
    FLOATS,
    st.booleans(),
    st.complex_numbers(),
    st.text(max_size=3),
    st.binary(max_size=3),
    st.sampled_from(ODD),
)
NESTED = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.tuples(inner, inner),
        st.tuples(inner),
        st.dictionaries(st.integers(0, 3), inner, max_size=2),
    ),
    max_leaves=10,
)
NUMBERS = st.lists(st.lists(st.one_of(FLOATS, st.integers(-9, 99)), min_size=4, max_size=5), max_size=4)


@st.composite
def some_arrays(draw):
    dtype = np.dtype(draw(DTYPES))
    shape = draw(arrays.array_shapes(min_dims=0, max_dims=6, min_side=0, max_side=4))
    filled = np.arange(np.prod(shape)).reshape(shape) % draw(st.sampled_from((2, 3, 7)))
    if dtype.kind == "f" and draw(st.booleans()):
        filled = filled * draw(FLOATS.filter(lambda value: abs(value) < 1e4 or value != value))
    array = np.zeros(shape, dtype) if dtype.names else np.asarray(filled).astype(dtype)
    array = (
        array[draw(arrays.basic_indices(shape, allow_ellipsis=True))] if array.ndim and draw(st.booleans()) else array
    )
    if isinstance(array, np.ndarray):
        array.flags.writeable = draw(st.booleans()) and array.flags.writeable
        if draw(st.sampled_from((False, False, True))):
            array = array.T
    return array


TABLED = [value for rows in bad_inputs.ROWS_OF_ROLES.values() for _, value, *_ in rows if not callable(value)]
ANYTHING = st.one_of(
    st.sampled_from(ODD), SCALARS, NESTED, NUMBERS, some_arrays(), some_arrays(), st.sampled_from(TABLED)
)


def near(good):
    """Objects that a good value becomes by one change."""
    if not isinstance(good, np.ndarray):
        return ANYTHING
    changes = [
        *bad_inputs.FORMS.values(),
        np.ndarray.tolist,
        list,
        tuple,
        np.squeeze,
        np.negative,
        lambda array: array[:0],
        lambda array: array[None],
        lambda array: array.T,
    ]
    return st.one_of(
        st.sampled_from(changes).map(lambda change: change(np.array(good))),
        DTYPES.filter(lambda dtype: dtype != "f4,i2").map(good.astype),
        st.tuples(st.integers(0, good.size - 1), FLOATS).map(lambda change: with_value(good, *change)),
    )  # fmt: skip


def with_value(good, at, value):
    changed = good.astype(float)
    changed.flat[at] = value
    return changed if good.dtype.kind != "i" or value != value or abs(value) > 1e18 else changed.astype(good.dtype)


SMALL = st.integers(1, 5)
GOOD_OF_ROLES = {
    "size": st.one_of(
        SMALL, st.tuples(SMALL, SMALL), st.lists(SMALL, min_size=2, max_size=2).map(np.array), SMALL.map(np.uint8)
    ),
    "scale": st.one_of(
        st.floats(1e-3, 9), st.tuples(st.floats(1e-3, 9), st.floats(1e-3, 9)), st.integers(1, 9).map(np.float32)
    ),
    "sampling": st.one_of(st.integers(-3, 5), st.tuples(st.integers(0, 4), st.integers(0, 4))),
    "flag": st.booleans(),
    "convention": st.booleans(),
    "real": st.floats(0, 9),
    "integer": st.integers(1, 8),
    "levels": st.lists(st.integers(0, 1), min_size=bad_inputs.COUNT, max_size=bad_inputs.COUNT),
    "threads": st.one_of(st.none(), st.integers(1, 3)),
    "boxes": NUMBERS,
    "dtype": st.sampled_from((None, "float16", "bfloat16", np.uint8, "f8", np.dtype(np.float32), int)),
}
GOOD_OF_ROLES["optional size"] = GOOD_OF_ROLES["size"]


def fitting(operator, parameter):
    """Values that an operator mostly has a use for."""
    role, field = bad_inputs.ROLE_OF[parameter], bad_inputs.OPERATORS[operator].fields.get(parameter)
    if role == "out":
        return st.builds(bad_inputs.unwritten, st.just(operator))
    if getattr(field, "choices", None):
        return st.sampled_from(field.choices)
    return GOOD_OF_ROLES.get(role, ANYTHING)
