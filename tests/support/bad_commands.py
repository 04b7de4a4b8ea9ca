"""Bad command lines as data: files and options of `fastroi pool` that one thing is wrong with, for every operator of the table.

A command is a dict: the arrays of the files by name, and the options. Beside a kind stand words of the one line on standard error.
"""

from dataclasses import dataclass, field
from functools import partial

import numpy as np
from bad_inputs import CONVENTIONAL, COUNT, INF, NAN, changed, good_call, is_turned

from fastroi._core import OPERATORS, TAKES_LEVELS


@dataclass
class Command:
    """`fastroi pool` of an operator, before it is spoilt: arrays to be written to files, and options."""

    operator: str
    files: dict = field(default_factory=dict)
    options: dict = field(default_factory=dict)

    def __post_init__(self):
        good = good_call(self.operator)
        maps = next(good[name] for name in ("features", "image", "masks", "feature_pyramid") if name in good)
        maps = maps if isinstance(maps, list) else [maps]
        boxes = good.get("rois", good.get("boxes"))
        images = [0, 1, 1] if self.operator != "paste_masks" else range(COUNT)
        self.files = {"features.npy": maps[0], "boxes.npy": np.c_[images, boxes]}
        self.options = {"--op": self.operator}
        if self.operator == "paste_masks":
            self.options["--image-size"] = "7 6"
        else:
            self.options["--output-size"] = "2x3"
        if OPERATORS[self.operator].flags & TAKES_LEVELS:
            self.files["level1.npy"] = maps[1]
            self.options["--level"] = "level1.npy"
        for name in ("offset", "trans"):
            if name in good:
                self.files[f"{name}.npy"] = good[name]
                self.options[f"--{name}"] = f"{name}.npy"

    def arguments(self, folder):
        """Those of main(), with the files written to `folder`: arrays as .npy, bytes as they are."""
        for name, content in self.files.items():
            if isinstance(content, bytes):
                (folder / name).write_bytes(content)
            else:
                np.save(folder / name, content, allow_pickle=True)
        words = ["pool", "features.npy", "boxes.npy", "-o", "out.npy", "--quiet"]
        for name, value in self.options.items():
            words += [name, *value.split(" ")]
        return [str(folder / word) if word.endswith(".npy") else word for word in words]


def _file(name, change, command):
    command.files[name] = change(command.files[name])


def _option(name, value, command):
    command.options[name] = value


def _row(column, value):
    return lambda table: changed(table, (COUNT - 1, column), value)


def kinds(operator):
    """(name, what spoils a command, words of the answer); what no operator has a say in, for the first one only."""
    last = f"[{COUNT - 1}]"
    for column in range(1, 6 if is_turned(operator) else 5):
        yield f"nan in column {column}", partial(_file, "boxes.npy", _row(column, NAN)), ("boxes.npy", last, "nan")
    yield "inf in a column", partial(_file, "boxes.npy", _row(1, INF)), ("boxes.npy", last, "inf")
    for value in (9, -1, 0.5, NAN):
        yield f"image {value}", partial(_file, "boxes.npy", _row(0, value)), ("boxes.npy", last)
    yield "features of complex128", partial(_file, "features.npy", lambda a: a.astype(complex)), ("features.npy",)
    yield "no rows", partial(_file, "features.npy", lambda a: a[..., :0, :]), ("features.npy",)
    fields = OPERATORS[operator].fields
    for name in ("rule", "arithmetic", "method", "end"):
        if name in fields:
            yield f"no such {name}", partial(_option, f"--{name}", "no_such"), (f"--{name}", "no_such")
    if operator in CONVENTIONAL:
        yield "no such convention", partial(_option, "--aligned", "no_such"), ("--aligned", "no_such")
    if "sampling_h" in fields:
        yield "sampling 2^20 + 1", partial(_option, "--sampling-ratio", str(2**20 + 1)), ("sampling", str(2**20 + 1))
    size = "--image-size" if operator == "paste_masks" else "--output-size"
    for value in ("0", "99999999999"):
        yield f"size {value}", partial(_option, size, f"{value} {value}" if size == "--image-size" else value), (value,)
    if operator == next(iter(OPERATORS)):
        yield from of_any_operator()


def of_any_operator():
    for name in ("features.npy", "boxes.npy"):
        yield f"{name} of words", partial(_file, name, lambda _: b"no numbers at all"), (name,)
        yield f"{name} cut off", partial(_file, name, lambda _: b"\x93NUMPY\x01\x00\x76\x00{'descr'"), (name,)
        yield f"{name} empty", partial(_file, name, lambda _: b""), (name,)
        yield f"{name} of objects", partial(_file, name, lambda a: a.astype(object)), (name,)
        yield f"{name} of rank 1", partial(_file, name, np.ravel), (name,)
        yield f"no {name}", partial(_without, name), (name,)
    yield "boxes of complex128", partial(_file, "boxes.npy", lambda a: a.astype(complex)), ("boxes.npy",)
    yield "three columns", partial(_file, "boxes.npy", lambda a: a[:, :3]), ("boxes.npy",)
    for value in ("2x0", "-3", "2.5", "x"):
        yield f"size {value}", partial(_option, "--output-size", value), ("--output-size",)
    for value in ("nan", "0", "-1", "inf", "1/0", "x"):
        yield f"scale {value}", partial(_option, "--scale", value), ("--scale",)
    for value in ("0", "-2", "1.5", "x"):
        yield f"threads {value}", partial(_option, "--threads", value), ("--threads",)
    yield "sampling 1.5", partial(_option, "--sampling-ratio", "1.5"), ("--sampling-ratio", "1.5")
    yield "no such operator", partial(_option, "--op", "no_such"), ("--op", "no_such")
    yield "no such layout", partial(_option, "--layout", "NCWH"), ("--layout", "NCWH")


def _without(name, command):
    del command.files[name]
