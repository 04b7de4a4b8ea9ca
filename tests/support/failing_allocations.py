"""Every operator with its first, second, third ... allocation failing, in a process that preloads failing_allocations.c:

    PYTHONMALLOC=malloc LD_PRELOAD=... python tests/support/failing_allocations.py THREADS REPEATS [OPERATORS]

Allocations are the core's, Python's and NumPy's alike. Prints how many failed, by operator.
"""

import ctypes
import json
import sys
import traceback

import bad_inputs
import numpy as np
from bad_inputs import OPERATORS, repeated

library = ctypes.CDLL(None)


def is_answered_rightly(error):
    """NumPy's functions answer some failures by a SystemError; that must not come out of the core."""
    if isinstance(error, SystemError):
        frames = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
        return not any("_core.pyx" in name for name in [*frames, str(error)])
    return isinstance(error, MemoryError)


def failures(operator, arguments):
    """How many allocations of the call have failed, each in a call of its own."""
    expected = bad_inputs.call(operator, arguments)
    for number in range(100_000):
        failing, left = ctypes.c_long(number), -1
        try:
            library.let_allocation_fail(failing)
            try:
                result = bad_inputs.call(operator, arguments)
            finally:
                left = library.let_none_fail()
        except Exception as error:
            if not is_answered_rightly(error):
                raise
            result = bad_inputs.call(operator, arguments)
        assert np.array_equal(result, expected), (operator, number)
        if left >= 0:
            return number
    raise AssertionError(f"{operator}: more allocations than expected")


def main(threads, times, *operators):
    library.let_none_fail.restype = ctypes.c_long
    counts = {}
    for operator in operators or OPERATORS:
        arguments = repeated(operator, int(times)) | {"num_threads": int(threads)}
        counts[operator] = failures(operator, arguments)
    print(json.dumps(counts))


if __name__ == "__main__":
    main(*sys.argv[1:])
