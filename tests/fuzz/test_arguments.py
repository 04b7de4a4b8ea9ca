"""Whatever object is passed for an argument of an operator, the answer is a result or an error that names an argument.

Operators and parameters are those of the table; a new one takes part by its row. Nothing else is raised, no warning is, and no
input changes.
"""

import contextlib
import math
import operator
import re

import bad_inputs
import numpy as np
import pytest
from any_objects import ANYTHING, fitting, near
from bad_inputs import ROLE_OF
from helpers import digest
from hypothesis import assume
from hypothesis import strategies as st
from searching import EVERYDAY, LONG, search

import fastroi
from fastroi._checks.call import named_dtype

REFUSALS = (ValueError, TypeError, OverflowError, MemoryError)
MOST_WORK = (
    10_000  # bins or samples of a box; what asks for more is answered in time that follows it, and is not tried here
)
BEYOND_MEMORY = 2**50
FORMS = (EVERYDAY, pytest.param(LONG, marks=pytest.mark.long))


@st.composite
def calls(draw):
    """(operator, arguments): a good call with anything for one argument or two."""
    name = draw(st.sampled_from(sorted(bad_inputs.OPERATORS)))
    arguments = bad_inputs.good_call(name)
    parameters = sorted(bad_inputs.parameters(name))
    for parameter in draw(st.lists(st.sampled_from(parameters), min_size=1, max_size=2, unique=True)):
        good = arguments.get(parameter)
        kinds = (ANYTHING, near(good), fitting(name, parameter))
        arguments[parameter] = draw(st.sampled_from(kinds).flatmap(lambda kind: kind))
    return name, arguments


def numbers_in(value):
    """Whole numbers of an argument that may be one, a pair, or neither."""
    parts = value if isinstance(value, (list, tuple)) else np.ravel(value) if isinstance(value, np.ndarray) else [value]
    for part in parts:
        with contextlib.suppress(Exception):
            yield abs(operator.index(part))


def work(arguments):
    """How many bins and samples are asked for, as far as numbers say."""
    asked = 1
    for name, value in arguments.items():
        if ROLE_OF[name] in ("size", "optional size", "sampling", "integer"):
            asked *= math.prod(max(1, number) for number in numbers_in(value))
    return asked


def snapshot(value):
    if isinstance(value, np.ndarray):
        return digest(value) if value.dtype != object else repr(value)
    if isinstance(value, (list, tuple)):
        return [snapshot(part) for part in value]
    return repr(value)


def check_call(name, arguments):
    assume(not MOST_WORK < work(arguments) < BEYOND_MEMORY)
    before = {parameter: snapshot(value) for parameter, value in arguments.items()}
    try:
        result = getattr(fastroi, name)(**arguments)
    except REFUSALS as error:
        check_message(name, error)
        written = ()
    else:
        check_result(name, arguments, result)
        written = ("out",)
    after = {parameter: snapshot(value) for parameter, value in arguments.items() if parameter not in written}
    assert after == {parameter: before[parameter] for parameter in after}


def check_message(name, error):
    assert type(error) in REFUSALS
    said = re.match(r"\w+", str(error))
    assert said and said[0] in bad_inputs.parameters(name), error
    assert len(str(error)) < 3000


def check_result(name, arguments, result):
    values, *argmax = result if isinstance(result, tuple) else (result,)
    for part in argmax:
        assert (part.shape, part.dtype) == (values.shape, np.dtype(np.int64))
    if arguments.get("out") is not None:
        assert values is arguments["out"]
    assert type(values) in (np.ndarray, np.memmap)
    size = next(value for parameter, value in arguments.items() if ROLE_OF[parameter] == "size")
    sides = [int(side) for side in np.broadcast_to(size, 2)]
    masks = "masks" in arguments
    bins = values.shape[1:3] if masks or arguments.get("layout") == "NHWC" else values.shape[2:]
    assert list(bins) == sides
    assert values.ndim == (3 if masks else 4)
    assert values.dtype == dtype_of(arguments)
    assert len(values) == count_of(arguments)


def dtype_of(arguments):
    """Of a result: what is asked for, else the map's, float32 for integers; bool of masks under a threshold."""
    if "masks" in arguments and arguments.get("threshold", 0.5) is not None:
        return np.bool_
    if arguments.get("dtype") is not None:
        return named_dtype(arguments["dtype"])
    maps = next(value for parameter, value in arguments.items() if ROLE_OF[parameter] == "map")
    own = np.asarray(maps[0] if "feature_pyramid" in arguments else maps).dtype
    return own if own.kind not in "biu" else np.float32


def count_of(arguments):
    """How many boxes there are, however they are grouped by images."""
    rois = next(value for parameter, value in arguments.items() if ROLE_OF[parameter] == "boxes")
    tables = rois if isinstance(rois, (list, tuple)) and any(np.ndim(table) == 2 for table in rois) else [rois]
    return sum(math.prod(np.shape(table)[:-1]) for table in tables if np.ndim(table) > 1)


def check(call):
    name, arguments = call
    check_call(name, arguments)


@pytest.mark.parametrize("form", FORMS)
def test_any_object_is_taken_or_refused_by_name(tried, form):
    search(calls(), check, form, tried, 200, 20_000)
