"""Functions of the C ABI that write results refuse to write them to NULL; indices that no list has."""

import ctypes

import pytest

from fastroi import _core, simd

INVALID_VALUE = 1


class Error(ctypes.Structure):
    _fields_ = [("status", ctypes.c_int), ("row", ctypes.c_int64), ("message", ctypes.c_char * 256)]


@pytest.fixture
def library():
    return ctypes.CDLL(_core.__file__)


def answer(function, values, results):
    """Status and message of a call with `values` and pointers to `results`, None for NULL."""
    error = Error()
    pointers = [None if result is None else ctypes.byref(result) for result in results]
    return function(*values, *pointers, ctypes.byref(error)), error.message.decode()


def points_arguments(capacity):
    doubles = [ctypes.c_double(v) for v in (0.0, 8.0, 1.0)]
    results = [
        (ctypes.c_double * 2)(),
        ctypes.c_int64(),
        (ctypes.c_int64 * 16)(),
        (ctypes.c_double * 16)(),
        (ctypes.c_double * 16)(),
        ctypes.c_int64(),
    ]
    return [ctypes.c_int32(0), *doubles, *(ctypes.c_int64(v) for v in (2, 2, 16, capacity))], results


@pytest.mark.parametrize(
    ("place", "name"), list(enumerate(("interval", "grid", "bin", "coordinate", "weight", "count")))
)
def test_points_refuse_null(library, place, name):
    values, results = points_arguments(capacity=16)
    assert answer(library.fastroi_axis_points, values, results) == (0, "")
    assert results[5].value == 4
    results[place] = None
    assert answer(library.fastroi_axis_points, values, results) == (INVALID_VALUE, f"{name}: NULL")


def test_points_that_are_only_counted_need_no_room(library):
    values, results = points_arguments(capacity=0)
    results[2:5] = [None] * 3
    assert answer(library.fastroi_axis_points, values, results) == (0, "")
    assert results[5].value == 4


def test_points_refuse_a_negative_capacity(library):
    values, results = points_arguments(capacity=-1)
    assert answer(library.fastroi_axis_points, values, results) == (INVALID_VALUE, "capacity: -1")


@pytest.mark.parametrize(("place", "name"), list(enumerate(("interval", "edges"))))
def test_ranges_refuse_null(library, place, name):
    values = [ctypes.c_int32(0), *(ctypes.c_double(v) for v in (0, 8, 1)), ctypes.c_int64(2), ctypes.c_int64(16)]
    results = [(ctypes.c_double * 2)(), (ctypes.c_int64 * 4)()]
    assert answer(library.fastroi_axis_ranges, values, results) == (0, "")
    results[place] = None
    assert answer(library.fastroi_axis_ranges, values, results) == (INVALID_VALUE, f"{name}: NULL")


@pytest.mark.parametrize("function", ["fastroi_simd_supported", "fastroi_simd_compiled", "fastroi_operator_at"])
@pytest.mark.parametrize("index", [-(2**31), -1, 2**31 - 1])
def test_there_is_nothing_at_these_indices(library, function, index):
    look_up = getattr(library, function)
    look_up.restype = ctypes.c_void_p
    assert look_up(ctypes.c_int32(0)) is not None and simd.supported()
    assert look_up(ctypes.c_int32(index)) is None
