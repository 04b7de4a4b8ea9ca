"""Rounding and the treatment of subnormals are the caller's: no call changes them, and all threads of a call have them alike."""

import ctypes
from concurrent.futures import ThreadPoolExecutor

import bad_inputs
import numpy as np
import pytest
from bad_inputs import OPERATORS, ROLE_OF, repeated, spoilt_map

# Bits of MXCSR, the register of x86-64 that says how to round, which exceptions trap and what becomes of subnormals. The bits
# below those tell what has happened; they are no setting.
SETTINGS = 0xFFC0
DEFAULT, FLUSHING = 0x1F80, 0x9FC0
REGISTERS = {
    "default": DEFAULT,
    "flushing": FLUSHING,
    "upward": DEFAULT | 0x4000,
    "downward": DEFAULT | 0x2000,
    "towards zero, flushing": FLUSHING | 0x6000,
}
library = ctypes.CDLL("libm.so.6")


def environment():
    """The C library's fenv_t, whose last word is MXCSR."""
    held = (ctypes.c_uint32 * 8)()
    library.fegetenv(held)
    return held


def settings():
    return environment()[7] & SETTINGS


def set_register(value):
    held = environment()
    held[7] = value
    library.fesetenv(held)


@pytest.mark.parametrize("name", REGISTERS)
def test_no_operator_changes_them(name, isa, tried):
    calls = [bad_inputs.good_call(op) | {"num_threads": threads, "out": None} for op in OPERATORS for threads in (1, 2)]
    after = []
    try:
        set_register(REGISTERS[name])
        for operator, arguments in zip(np.repeat(list(OPERATORS), 2), calls):
            bad_inputs.call(operator, arguments)
            after.append(settings())
    finally:
        set_register(DEFAULT)
    assert after == [REGISTERS[name] & SETTINGS] * len(calls)
    tried("float environment", len(calls))


def with_subnormals(operator):
    """A call large enough for several threads, of a map of subnormal numbers."""
    arguments = repeated(operator, 700)
    name = next(name for name in arguments if ROLE_OF[name] == "map")
    arguments[name] = spoilt_map(arguments[name], lambda values: values * np.float32(1e-40))
    return arguments


def results(operator, arguments, first, then):
    """Bytes of the result on one thread and on three, which started while `first` was set."""
    try:
        set_register(first)
        bad_inputs.call(operator, arguments | {"num_threads": 3})
        set_register(then)
        return [bad_inputs.call(operator, arguments | {"num_threads": threads}).tobytes() for threads in (1, 3)]
    finally:
        set_register(DEFAULT)


@pytest.mark.parametrize("operator", OPERATORS)
def test_threads_have_the_callers(operator, tried):
    arguments = with_subnormals(operator)
    for first, then in ((DEFAULT, FLUSHING), (FLUSHING, DEFAULT)):
        with ThreadPoolExecutor(1) as fresh:  # a thread that has no team of its own yet
            alone, together = fresh.submit(results, operator, arguments, first, then).result()
        assert alone == together, (operator, hex(first), hex(then))
        tried("float environment", 1)
