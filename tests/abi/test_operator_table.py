"""The table of operators: version 1 of the ABI as it was published, and its readings in Python and on the command line."""

import enum
import inspect
import json
from pathlib import Path

import numpy as np
import pytest
from helpers import public_operators

import fastroi
from fastroi import _core
from fastroi.cuda import operators as gpu_operators

VERSION_1 = Path(__file__).with_name("abi_1.json")
# Results, or inputs that the function has under other names.
ARRAYS_OF_THE_CALL = {"argmax", "scales", "horizontal_scales", "level_of_roi"}


def table():
    """{operator: [[field, type, offset, of, choices], ...]} of the library."""
    return {
        name: [
            [f.name, f.type, f.offset, f.of, list(f.choices) if f.choices else None] for f in operator.fields.values()
        ]
        for name, operator in _core.OPERATORS.items()
    }


def test_version_1_is_kept():
    """Operators, fields and choices come in the order they were published in; new ones come after them."""
    published, now = json.loads(VERSION_1.read_text()), table()
    assert list(now)[: len(published)] == list(published)
    for name, fields in published.items():
        for then, field in zip(fields, now[name], strict=False):
            assert field[:4] == then[:4], name
            assert (field[4] or [])[: len(then[4] or [])] == (then[4] or []), (name, field[0])
        assert len(now[name]) >= len(fields)


def test_every_operator_is_a_function_of_fastroi():
    assert set(_core.OPERATORS) == public_operators()


def test_every_operator_runs_on_a_gpu():
    assert set(gpu_operators._OPERATORS) == set(_core.OPERATORS)


@pytest.mark.parametrize("name", _core.OPERATORS)
def test_every_field_is_an_argument(name):
    """Of the function of the same name, as it is or as half of a pair."""
    pairs = {"scale": "spatial_scale", "sampling": "sampling_ratio", "group": "group_size", "part": "part_size"}
    parameters = set(inspect.signature(getattr(fastroi, name)).parameters)
    for field in _core.OPERATORS[name].fields:
        stem, _, side = field.rpartition("_")
        argument = pairs[stem] if side in ("h", "w") else field
        if argument not in ARRAYS_OF_THE_CALL | {"levels", "zeroed"}:
            assert argument in parameters, field


def test_params_are_named_and_judged():
    params = _core.Params("roi_pool", rule="acl", reduce="mean", scale_h=0.5, scale_w=0.25)
    assert (params["rule"], params["reduce"], params["scale_h"], params["scale_w"]) == (5, 1, 0.5, 0.25)
    with pytest.raises(ValueError, match="rule: 'caffe' is not one of 'floor', 'fast_rcnn'"):
        _core.Params("roi_pool", rule="caffe")
    with pytest.raises(ValueError, match="rule: 1 is not one of"):
        _core.Params("roi_pool", rule=1)
    for value in (("floor",), (), None, b"floor"):
        with pytest.raises(ValueError, match="rule: .* is not one of"):
            _core.Params("roi_pool", rule=value)
    with pytest.raises(KeyError):
        _core.Params("roi_pool", colour=1)
    with pytest.raises(ValueError, match="unpack"):
        _core.Params("roi_pool", scale=(1.0,))


def test_a_choice_may_be_any_string():
    class Rule(str, enum.Enum):
        ACL = "acl"

    for value in (np.str_("acl"), Rule.ACL):
        assert _core.Params("roi_pool", rule=value)["rule"] == 5


def test_a_number_of_a_field_that_does_not_fit_is_refused():
    with pytest.raises(OverflowError, match="sampling_ratio"):
        fastroi.roi_align(np.zeros((1, 1, 4, 4)), [[0, 0, 1, 1]], 1, sampling_ratio=2**70)
    with pytest.raises(ValueError, match="sampling_ratio: 9223372036854775807; at most 1048576"):
        fastroi.roi_align(np.zeros((1, 1, 4, 4)), [[0, 0, 1, 1]], 1, sampling_ratio=2**63 - 1)
