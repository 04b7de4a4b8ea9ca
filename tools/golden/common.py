"""Inputs and file format shared by the golden-vector writers.

Needs NumPy only, so that it runs in the environment of any package.  The inputs are built from
fixed seeds and from hand-made coordinates, written once to ``tests/peers/golden/inputs.npz``, and
every writer reads *that* file: a NumPy whose generators change cannot change the vectors.

A vector file holds one array per result and a JSON text ``meta``::

    {"package": ..., "versions": {...}, "inputs_sha256": ..., "cases": [
        {"name": ..., "op": ..., "inputs": {argument: input name}, "args": {...},
         "results": [array name, ...]}]}
"""

from __future__ import annotations

import hashlib
import json
import platform
import sys
from pathlib import Path

import numpy as np

GOLDEN = Path(__file__).resolve().parents[2] / "tests" / "peers" / "golden"
MAX_FILE_BYTES = 300_000
SEED = 20261122

# Corners (x1, y1, x2, y2) in cells of a 12 x 15 map (H x W): what separates the implementations.
EDGE_CELLS = (
    # ties: corners at k + .5, of both signs, and the float32 just below one half
    (0.5, 0.5, 4.5, 3.5),
    (1.5, 2.5, 6.5, 7.5),
    (-0.5, -0.5, 2.5, 2.5),
    (-1.5, -2.5, 3.5, 1.5),
    (0.49999997, 0.49999997, 5.0, 5.0),
    (2.0, 2.0, 7.49999952, 6.49999952),
    # wholly and partly off the map
    (-3.0, -2.0, 4.0, 5.0),
    (10.0, 8.0, 20.0, 17.0),
    (-9.0, -8.0, -4.0, -3.0),
    (16.0, 13.0, 22.0, 19.0),
    (-5.0, 3.0, 25.0, 6.0),
    (4.0, -7.0, 6.0, 21.0),
    # reversed on both axes, on one axis, and by less than a cell
    (8.0, 7.0, 2.0, 3.0),
    (8.0, 2.0, 3.0, 9.0),
    (2.0, 9.0, 11.0, 4.0),
    (6.25, 5.0, 6.0, 8.0),
    # zero area, on one axis and on both, on and between cells
    (4.0, 4.0, 4.0, 4.0),
    (4.25, 3.75, 4.25, 3.75),
    (3.0, 2.0, 3.0, 8.0),
    (2.0, 6.5, 9.0, 6.5),
    (0.0, 0.0, 0.0, 0.0),
    # tiny
    (5.1, 5.1, 5.2, 5.3),
    (7.9, 3.9, 8.1, 4.1),
    # exactly on -1, L - 1, L, and a hair beyond
    (-1.0, -1.0, 1.0, 1.0),
    (-1.0, -1.0, 14.0, 11.0),
    (0.0, 0.0, 14.0, 11.0),
    (0.0, 0.0, 15.0, 12.0),
    (14.0, 11.0, 15.0, 12.0),
    (14.0, 11.0, 16.0, 13.0),
    (-1.000001, -1.000001, 0.0, 0.0),
    (15.0, 12.0, 15.5, 12.5),
    (14.5, 11.5, 15.5, 12.5),
    (-0.5, -0.5, 14.5, 11.5),
    # sample points at exactly -1 and L once half a cell is subtracted
    (-0.5, -0.5, -0.5, -0.5),
    (15.5, 12.5, 15.5, 12.5),
    (-1.5, -1.5, 0.5, 0.5),
    # ordinary
    (2.3, 1.7, 9.6, 8.2),
    (0.0, 0.0, 6.0, 6.0),
    (9.25, 6.0, 15.5, 10.53125),
)
# Extents n - 1 of boxes whose n cells make float32 (57, 114, 121, ...), float64 (29, 58, 116, 123)
# or an accumulated bin edge (5, 10, 20, 23, ...) overrun at seven bins.
OVERRUN_LENGTHS = (5, 10, 20, 23, 29, 57, 58, 62, 114, 116, 121, 123, 124)
HUGE_CELLS = (
    (-700.0, -500.0, 900.0, 600.0),
    (-40.0, -30.0, 60.0, 45.0),
    (3.0, 2.0, 213.0, 172.0),
    (-2000.5, 1.25, 6.5, 9.75),
)


# Radians given in turn to boxes that are made of corners: right angles, between them, beyond a turn.
ANGLES = (0.0, 1.5707963, -1.5707963, 3.1415927, 0.7853982, 1.0, -2.5, 7.0)


# Scales that float32 cannot hold, for maps of float64.
HOSTILE_SCALES = (1 / 3, 0.3, 1 / 7)


def turned(rois, angles):
    """(K, 5) rows with corners as (K, 6) rows with centre, signed size and one of `angles`, in float32."""
    centre, size = (rois[:, 1:3] + rois[:, 3:5]) / 2, rois[:, 3:5] - rois[:, 1:3]
    angle = np.resize(np.asarray(angles, np.float32), len(rois))
    return np.column_stack([rois[:, :1], centre, size, angle])


def _with_batch(cells, images):
    cells = np.asarray(cells, dtype=np.float64)
    index = (np.arange(len(cells)) % images).astype(np.float64)
    return np.column_stack([index, cells])


def _random_cells(rng, count, height, width):
    """Boxes in, partly off and far off the map; one in eight reversed on an axis."""
    size = np.exp(rng.uniform(np.log(0.05), np.log(30.0), size=(count, 2)))
    centre = rng.uniform(-0.25, 1.25, size=(count, 2)) * (width, height)
    boxes = np.column_stack([centre - size / 2, centre + size / 2])
    flip = rng.random(count) < 0.125
    boxes[flip] = boxes[flip][:, [2, 1, 0, 3]]
    half = rng.random(count) < 0.25
    boxes[half] = np.round(boxes[half] * 2) / 2
    return boxes


def build_inputs(seed=SEED, boxes_per_set=160, huge_boxes=0):
    """All maps and boxes, by name.

    The vectors kept in the repository use the defaults; comparisons with a package that is at hand
    ask for thousands of boxes and other seeds.
    """
    rng = np.random.default_rng(seed)
    height, width = 12, 15
    ramp = np.arange(height * width, dtype=np.float32).reshape(height, width)
    edge = np.empty((2, 4, height, width), np.float32)
    for n in range(2):
        edge[n, 0] = ramp + 200 * n
        edge[n, 1] = -ramp - 1 - 200 * n
        edge[n, 2] = rng.permutation(height * width).reshape(height, width) - 90
        edge[n, 3] = -1 - rng.integers(0, 40, size=(height, width))
    wide_ramp = np.arange(132 * 140, dtype=np.float32).reshape(1, 1, 132, 140)
    inputs = {
        "map_edge": edge,
        "map_wide": np.concatenate([wide_ramp, -wide_ramp - 1], axis=1),
        "map_normal": rng.standard_normal((2, 5, height, width)).astype(np.float32),
        "map_ps": rng.standard_normal((2, 18, height, width)).astype(np.float32),
        "map_ps_ramp": np.tile(np.stack([ramp, -ramp - 1]), (2, 9, 1, 1)).astype(np.float32),
        "map_ps4": rng.standard_normal((2, 32, height, width)).astype(np.float32),
        "map_relu": np.maximum(rng.standard_normal((2, 3, height, width)), 0).astype(np.float32),
    }
    for level, (h, w) in enumerate(((48, 64), (24, 32), (12, 16), (6, 8))):
        values = rng.integers(-128, 128, size=(2, 3, h, w)) / 8
        inputs[f"pyramid_{level}"] = values.astype(np.float32)

    edge_cells = _with_batch(EDGE_CELLS, 2)
    random_cells = _with_batch(_random_cells(rng, boxes_per_set, height, width), 2)
    lengths = [(2.0, 1.0, 2.0 + n - 1, 1.0 + n - 1) for n in OVERRUN_LENGTHS]
    lengths += [(0.0, 3.0, n - 1.0, 9.0) for n in range(1, 131, 3)]
    huge = np.exp(rng.uniform(np.log(20), np.log(2000), size=(huge_boxes, 4)))
    huge = np.vstack([HUGE_CELLS, huge * (-1, -1, 1, 1)])
    sets = {
        "edge": edge_cells,
        "random": random_cells,
        "overrun": _with_batch(lengths, 1),
        "huge": _with_batch(huge, 2),
    }
    for name, cells in sets.items():
        for label, scale in (("1", 1.0), ("1_4", 0.25), ("0_3", 0.3)):
            boxes = cells.copy()
            boxes[:, 1:] /= scale
            inputs[f"rois_{name}_{label}"] = boxes.astype(np.float32)
            if name in ("edge", "random"):
                # some packages refuse, or crash on, a box reversed on one axis only
                width, height = boxes[:, 3] - boxes[:, 1], boxes[:, 4] - boxes[:, 2]
                proper = (width >= 0) & (height >= 0)
                inputs[f"rois_{name}_ordered_{label}"] = boxes[proper].astype(np.float32)

    # normalised y1, x1, y2, x2 for crop_and_resize: inside, beyond, flipped, degenerate, corners
    unit = rng.uniform(-0.2, 1.2, size=(boxes_per_set * 3 // 8, 4))
    hand = [
        (0, 0, 1, 1),
        (1, 1, 0, 0),
        (0.5, 0.5, 0.5, 0.5),
        (0, 1, 1, 0),
        (-0.5, -0.5, 0.5, 0.5),
        (0.25, 0.25, 1.5, 1.5),
        (1, 1, 1, 1),
        (0, 0, 0, 0),
        (1.0000001, 0, 1.0000001, 1),
        (0.1, 0.1, 1.0, 1.0),
        (0.3, 0.7, 1.0, 1.0),
        (0.7, 0.1, 1.0, 1.0),
        (0, 0, 0.9, 0.9),
        (2, 2, 3, 3),
        (-1, -1, -0.5, -0.5),
        (0.5, 0, 0.5, 1),
        (1.0, 1.0, 0.1, 0.3),
        # sample points at k + .5 on the 12 x 15 map
        (0.5 / 11, 0.5 / 14, 9.5 / 11, 12.5 / 14),
        (1.5 / 11, 2.5 / 14, 1.5 / 11, 2.5 / 14),
    ]
    boxes = np.vstack([np.asarray(hand, np.float64), unit])
    inputs["boxes_unit"] = boxes.astype(np.float32)
    inputs["boxes_unit_index"] = (np.arange(len(boxes)) % 2).astype(np.int32)

    # image boxes whose square root of area lies on and around the level thresholds
    sides = [28, 56, 111, 111.9997, 112, 113, 223, 223.9999, 224, 224.0001, 225, 447, 448, 449, 896, 1000]
    squares = [(3.0, 5.0, 3.0 + s, 5.0 + s) for s in sides]
    oblong = [
        (2.0, 1.0, 2.0 + 448, 1.0 + 112),
        (0.0, 0.0, 4.0, 60.0),
        (10, 10, 10, 10),
        (30, 30, 10, 50),
        (30, 30, 10, 10),
        (-20, -30, 90, 80),
        (400, 300, 700, 500),
    ]
    count = boxes_per_set * 3 // 8
    mixed = np.exp(rng.uniform(np.log(6), np.log(400), size=(count, 2)))
    corner = rng.uniform(-20, 200, size=(count, 2))
    boxes = np.vstack([squares, oblong, np.column_stack([corner, corner + mixed])])
    inputs["rois_levels"] = _with_batch(boxes, 2).astype(np.float32)

    # rotated: index, centre x, centre y, width, height, angle in radians
    count = boxes_per_set // 2
    centre = rng.uniform(-3, 17, size=(count, 2))
    size = np.exp(rng.uniform(np.log(0.1), np.log(20), size=(count, 2)))
    angle = rng.uniform(-4, 4, size=count)
    angle[:9] = np.array([0, 0.25, 0.5, 1, -0.25, -0.5, -1, 2, 1 / 3]) * np.pi
    inputs["rois_rotated"] = np.column_stack([np.arange(count) % 2, centre, size, angle]).astype(np.float32)

    # offsets of deformable pooling, one part grid of 3 x 3 for each of one and of three classes
    inputs["offsets_1"] = rng.uniform(-1, 1, size=(len(random_cells), 2, 3, 3)).astype(np.float32)
    inputs["offsets_2"] = rng.uniform(-1, 1, size=(len(random_cells), 4, 3, 3)).astype(np.float32)

    # masks of 14 x 14 cells in [0, 1], their boxes on an image of 40 x 50, and masks of that size
    count = max(24, boxes_per_set // 20)
    smooth = rng.standard_normal((count, 7, 7)).repeat(2, axis=1).repeat(2, axis=2)
    values = 1 / (1 + np.exp(-smooth - 0.3 * rng.standard_normal((count, 14, 14))))
    inputs["masks"] = values.astype(np.float32)
    size = np.exp(rng.uniform(np.log(0.5), np.log(60), size=(count, 2)))
    # centres on the image: torchvision raises where the padded box misses it
    centre = rng.uniform(0.02, 0.98, size=(count, 2)) * (50, 40)
    boxes = np.column_stack([centre - size / 2, centre + size / 2])
    boxes[:6] = [
        (0, 0, 50, 40),
        (10, 5, 24, 19),
        (-7, -7, 7, 7),
        (30.5, 20.5, 44.5, 34.5),
        (49, 39, 60, 50),
        (12, 8, 13, 9),
    ]
    inputs["boxes_masks"] = boxes.astype(np.float32)
    image = np.zeros((count, 40, 50), np.float32)
    for k in range(count):
        top, left = rng.integers(0, 25, size=2)
        image[k, top : top + rng.integers(3, 15), left : left + rng.integers(3, 25)] = 1
    inputs["masks_image"] = image
    return inputs


def write_inputs(path, **sizes):
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, **build_inputs(**sizes))


def places():
    """The input file and the folder of the results: the repository's, or those on the command line."""
    if len(sys.argv) == 1:
        return GOLDEN / "inputs.npz", GOLDEN
    return Path(sys.argv[1]), Path(sys.argv[2])


class Recorder:
    """Collects the results of one package and writes them as one vector file."""

    def __init__(self, package, **versions):
        self.input_file, self.folder = places()
        with np.load(self.input_file) as data:
            self.inputs = {name: data[name] for name in data.files}
        self.package = package
        self.versions = {"python": platform.python_version(), "numpy": np.__version__, **versions}
        self.cases = []
        self.arrays = {}

    def add(self, op, function, inputs, args):
        """Call ``function(**inputs as arrays)`` and record what it gave.

        ``inputs`` maps the argument's name to an input's name; ``args`` is what the vector file
        says about the call (JSON values only).
        """
        arrays = {key: self.inputs[name] for key, name in inputs.items()}
        case = {"name": f"{op}-{len(self.cases)}", "op": op, "inputs": inputs, "args": args, "results": []}
        results = function(**arrays)
        if isinstance(results, np.ndarray):
            results = (results,)
        for number, result in enumerate(results):
            key = f"{case['name']}-{number}"
            self.arrays[key] = np.ascontiguousarray(result)
            case["results"].append(key)
        self.cases.append(case)

    def write(self, suffix=""):
        meta = {
            "package": self.package,
            "versions": self.versions,
            "platform": f"{platform.system()} {platform.machine()}",
            "inputs_sha256": hashlib.sha256(self.input_file.read_bytes()).hexdigest(),
            "cases": self.cases,
        }
        path = self.folder / f"{self.package}{suffix}.npz"
        meta = np.array(json.dumps(meta, sort_keys=True))
        np.savez_compressed(path, meta=meta, **self.arrays)
        size = path.stat().st_size
        if self.folder == GOLDEN and size >= MAX_FILE_BYTES:
            raise SystemExit(f"{path.name}: {size} bytes, the limit is {MAX_FILE_BYTES}")
        print(f"{path.name}: {size} bytes, {len(self.cases)} cases")
        self.cases, self.arrays = [], {}


if __name__ == "__main__":
    write_inputs(GOLDEN / "inputs.npz")
