"""Golden vectors of detectron2's ROIAlignRotated (CPU), and of its level rule run through PyTorch.

The project is not on PyPI, and ROIAlignRotated is all of its C++ code that concerns RoIs: that one file
of a checkout, named by the variable FASTROI_DETECTRON2, is compiled against the PyTorch of this environment.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch
from common import Recorder, turned
from torch.utils import cpp_extension

#: Degrees given in turn to boxes that are made of corners: right angles, between them, beyond a turn.
ANGLES = (0, 90, -90, 180, 45, 57.3, -143.24, 400)
#: The version of the file that the vectors in the repository come from; of a folder without history, too.
COMMIT = "281af81c5a8078df14bbdd49bb2b81cfe99b853e"
BINDING = """
#include "ROIAlignRotated.h"
PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) { m.def("forward", &detectron2::ROIAlignRotated_forward_cpu); }
"""


def compiled(folder):
    # the ninja of this environment, which need not be the active one
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    # PyTorch has dropped the dispatch by type(), which the file still asks for
    source = (folder / "ROIAlignRotated_cpu.cpp").read_text().replace(".type()", ".scalar_type()")
    return cpp_extension.load_inline("detectron2_rotated", source + BINDING, extra_include_paths=[str(folder)])


def version(checkout):
    answer = subprocess.run(["git", "-C", checkout, "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return answer.stdout.strip() or COMMIT


def in_degrees(rois):
    return np.column_stack([rois[:, :5], np.degrees(rois[:, 5])])


def call(forward, dtype="float32", angles=None, **args):
    def run(input, rois):
        rois = turned(rois, angles) if angles else in_degrees(rois)
        tensors = (torch.from_numpy(a).to(getattr(torch, dtype)) for a in (input, rois))
        return forward(*tensors, args["spatial_scale"], *args["output_size"], args["sampling_ratio"]).numpy()

    return run


def levels(boxes, k_min, k_max):
    """The expression of ROIPooler; -1 where the area is negative, which belongs to no level there."""
    sides = torch.sqrt(torch.from_numpy((boxes[:, 3] - boxes[:, 1]) * (boxes[:, 4] - boxes[:, 2])))
    exact = torch.floor(4 + torch.log2(sides / 224 + sys.float_info.epsilon))
    level = torch.clamp(exact, min=k_min, max=k_max) - k_min
    return torch.where(torch.isnan(level), -1, level).to(torch.int64).numpy()


def main():
    checkout = os.environ.get("FASTROI_DETECTRON2")
    if not checkout:
        sys.exit(f"FASTROI_DETECTRON2: name a checkout of detectron2 (the vectors are of {COMMIT[:10]})")
    torch.set_num_threads(1)
    forward = compiled(Path(checkout) / "detectron2" / "layers" / "csrc" / "ROIAlignRotated").forward
    recorder = Recorder("detectron2", detectron2=version(checkout), torch=torch.__version__)
    for ratio in (0, 2):
        # a negative size is refused
        for rois, scale, angles in (
            ("rois_rotated", 1.0, None),
            ("rois_edge_ordered_1", 1.0, ANGLES),
            ("rois_edge_ordered_0_3", 0.3, ANGLES),
            ("rois_random_ordered_1_4", 0.25, ANGLES),
        ):
            args = {"output_size": (3, 2), "spatial_scale": scale, "sampling_ratio": ratio}
            if angles:
                args["angles"] = angles
            inputs = {"input": "map_normal", "rois": rois}
            recorder.add("roi_align_rotated", call(forward, **args), inputs, args)
            if scale == 0.3:
                recorder.add(
                    "roi_align_rotated", call(forward, "float64", **args), inputs, {**args, "dtype": "float64"}
                )
    args = {"k_min": 2, "k_max": 5}
    recorder.add("levels", lambda boxes: levels(boxes, **args), {"boxes": "rois_levels"}, args)
    recorder.write()


if __name__ == "__main__":
    main()
