"""Golden vectors of mmcv's RoI operators.

Two of them run on the CPU.  The kernels that the package has for GPUs only are compiled as C++ (with
g++, without fused products and sums) and run by one thread.
"""

from __future__ import annotations

import ctypes
import subprocess
import tempfile
from pathlib import Path

import mmcv
import numpy as np
import torch
from common import ANGLES, Recorder, turned
from mmcv import ops

HERE = Path(__file__).resolve().parent
SCALES = {"1": 1.0, "1_4": 0.25, "0_3": 0.3}
MODES = {"max": 0, "avg": 1}
KERNEL = "kernel"


# -- the package's own CPU code -------------------------------------------------------------------


def call(op, dtype="float32", angles=None, **fixed):
    def run(input, rois):
        if angles:
            rois = turned(rois, angles)
        tensors = (torch.from_numpy(a).to(getattr(torch, dtype)) for a in (input, rois))
        return op(*tensors, *fixed.values()).numpy()

    return run


def roi_align(recorder):
    for aligned in (False, True):
        for mode in MODES:
            for ratio in (0, 2):
                for box_set, label in (("edge", "1"), ("random", "0_3"), ("huge", "1_4")):
                    if box_set == "random" and aligned != (ratio == 2):
                        continue
                    # a reversed box is refused
                    ordered = "_ordered" if aligned and box_set != "huge" else ""
                    args = {
                        "output_size": (3, 2),
                        "spatial_scale": SCALES[label],
                        "sampling_ratio": ratio,
                        "pool_mode": mode,
                        "aligned": aligned,
                    }
                    recorder.add(
                        "roi_align",
                        call(ops.roi_align, **args),
                        {"input": "map_normal", "rois": f"rois_{box_set}{ordered}_{label}"},
                        args,
                    )
    args = {"output_size": (7, 7), "spatial_scale": 0.3, "sampling_ratio": 0, "pool_mode": "avg", "aligned": True}
    recorder.add(
        "roi_align",
        call(ops.roi_align, "float64", **args),
        {"input": "map_normal", "rois": "rois_edge_ordered_0_3"},
        {**args, "dtype": "float64"},
    )


def rotated_cases():
    """Inputs and arguments: random boxes, and the boxes made of corners turned by each angle."""
    for aligned in (False, True):
        for ratio in (0, 2):
            for clockwise in (False, True):
                args = {
                    "output_size": (3, 2),
                    "spatial_scale": 1.0,
                    "sampling_ratio": ratio,
                    "aligned": aligned,
                    "clockwise": clockwise,
                }
                inputs = {"input": "map_normal", "rois": "rois_rotated"}
                yield inputs, args
                if clockwise == aligned:
                    ordered = "_ordered" if aligned else ""
                    inputs = {"input": "map_normal", "rois": f"rois_edge{ordered}_0_3"}
                    yield inputs, {**args, "spatial_scale": 0.3, "angles": ANGLES}


def roi_align_rotated(recorder):
    for inputs, args in rotated_cases():
        recorder.add("roi_align_rotated", call(ops.roi_align_rotated, **args), inputs, args)
    recorder.add(
        "roi_align_rotated", call(ops.roi_align_rotated, "float64", **args), inputs, {**args, "dtype": "float64"}
    )


# -- the package's CUDA kernels as C++ ------------------------------------------------------------


def compiled(folder):
    """A library of the installed package's kernels; the headers of CUDA and PyTorch are not needed."""
    for header in ("cuda.h", "pytorch_cuda_helper.hpp"):
        (folder / header).touch()
    kernels = Path(mmcv.__file__).parent / "ops" / "csrc" / "common" / "cuda"
    library = folder / "kernels.so"
    subprocess.run(
        [
            "g++",
            "-std=c++17",
            "-O2",
            "-ffp-contract=off",
            "-shared",
            "-fPIC",
            f"-I{folder}",
            f"-I{kernels}",
            HERE / "mmcv_kernels.cpp",
            "-o",
            library,
        ],
        check=True,
    )
    return ctypes.CDLL(str(library))


def launch(function, output, *arguments):
    """Run a kernel over all of `output`; arrays go as pointers, None as a null pointer."""

    def passed(value):
        if isinstance(value, np.ndarray):
            assert value.flags.c_contiguous
            assert value.dtype == np.float32
            return ctypes.c_void_p(value.ctypes.data)
        if value is None:
            return ctypes.c_void_p()
        return ctypes.c_float(value) if isinstance(value, float) else ctypes.c_int(value)

    function(ctypes.c_int(output.size), *map(passed, arguments))
    return output


def empty_bins(input, rois, size):
    """What the package allocates: a kernel may skip a box."""
    return np.zeros((len(rois), input.shape[1], *size), np.float32)


def plain_kernel(function, output_size, spatial_scale, *arguments):
    """A kernel whose arguments are the map, the boxes, the result, the size, the scale and others."""

    def run(input, rois):
        output = empty_bins(input, rois, output_size)
        return launch(function, output, input, rois, output, *output_size, spatial_scale, *arguments, *input.shape[1:])

    return run


def align_kernel(function, output_size, spatial_scale, sampling_ratio, pool_mode, aligned):
    def run(input, rois):
        output = empty_bins(input, rois, output_size)
        argmax = np.empty_like(output), np.empty_like(output)
        return launch(
            function,
            output,
            input,
            rois,
            output,
            *argmax,
            *output_size,
            spatial_scale,
            sampling_ratio,
            MODES[pool_mode],
            aligned,
            *input.shape[1:],
        )

    return run


def rotated_kernel(function, angles=None, **args):
    run = plain_kernel(function, *args.values())
    return lambda input, rois: run(input, turned(rois, angles) if angles else rois)


def with_angles(angles):
    return {"angles": angles} if angles else {}


def deform_kernel(function, output_size, spatial_scale, sampling_ratio, gamma):
    def run(input, rois, offset=None):
        output = empty_bins(input, rois, output_size)
        return launch(
            function,
            output,
            input,
            rois,
            offset,
            output,
            *output_size,
            spatial_scale,
            sampling_ratio,
            gamma,
            *input.shape[1:],
        )

    return run


def pooling_kernels(recorder, library):
    for box_set, label, size in (
        ("edge", "1", (3, 2)),
        ("edge", "1_4", (7, 7)),
        ("edge", "0_3", (2, 3)),
        ("random", "1", (4, 3)),
        ("random", "0_3", (3, 2)),
        ("huge", "1", (7, 7)),
        ("overrun", "1", (7, 7)),
    ):
        feature = "map_wide" if box_set == "overrun" else "map_edge"
        args = {"output_size": size, "spatial_scale": SCALES[label]}
        inputs = {"input": feature, "rois": f"rois_{box_set}_{label}"}
        recorder.add("roi_pool", plain_kernel(library.roi_pool, **args), inputs, args)
        if box_set != "overrun":
            inputs = {"features": "map_normal", "rois": inputs["rois"]}
            run = plain_kernel(library.prroi_pool, **args)
            recorder.add("prroi_pool", lambda features, rois, run=run: run(features, rois), inputs, args)


def sampling_kernels(recorder, library):
    for aligned in (False, True):
        for ratio in (0, 2):
            for mode in MODES:
                args = {
                    "output_size": (3, 2),
                    "spatial_scale": 0.3,
                    "sampling_ratio": ratio,
                    "pool_mode": mode,
                    "aligned": aligned,
                }
                recorder.add(
                    "roi_align",
                    align_kernel(library.roi_align, **args),
                    {"input": "map_normal", "rois": "rois_edge_0_3"},
                    {**args, KERNEL: True},
                )
            args = {
                "output_size": (3, 2),
                "spatial_scale": 1.0,
                "sampling_ratio": ratio,
                "aligned": aligned,
                "clockwise": not aligned,
            }
            for rois, scale, angles in (("rois_rotated", 1.0, None), ("rois_edge_0_3", 0.3, ANGLES)):
                args["spatial_scale"] = scale
                run = rotated_kernel(library.roi_align_rotated, angles, **args)
                recorder.add(
                    "roi_align_rotated",
                    run,
                    {"input": "map_normal", "rois": rois},
                    {**args, **with_angles(angles), KERNEL: True},
                )


def deformable_kernels(recorder, library):
    for ratio in (0, 2):
        args = {"output_size": (3, 3), "spatial_scale": 1.0, "sampling_ratio": ratio, "gamma": 0.1}
        run = deform_kernel(library.deform_roi_pool, **args)
        recorder.add(
            "deform_roi_pool", run, {"input": "map_normal", "rois": "rois_random_1", "offset": "offsets_1"}, args
        )
        recorder.add("deform_roi_pool", run, {"input": "map_normal", "rois": "rois_edge_1"}, args)
        args = {**args, "spatial_scale": 0.25, "gamma": 1.0}
        recorder.add(
            "deform_roi_pool",
            deform_kernel(library.deform_roi_pool, **args),
            {"input": "map_normal", "rois": "rois_random_1_4", "offset": "offsets_1"},
            args,
        )


def rotation_invariant_kernels(recorder, library):
    for samples, orientations, clockwise in ((0, 8, False), (2, 8, True), (2, 4, False), (0, 4, True)):
        args = {
            "out_size": (2, 2),
            "spatial_scale": 1.0,
            "num_samples": samples,
            "num_orientations": orientations,
            "clockwise": clockwise,
        }
        for rois, scale, angles in (("rois_rotated", 1.0, None), ("rois_edge_0_3", 0.3, ANGLES)):
            args["spatial_scale"] = scale
            run = rotated_kernel(library.riroi_align_rotated, angles, **args)
            recorder.add(
                "riroi_align_rotated",
                lambda features, rois, run=run: run(features, rois),
                {"features": "map_ps4", "rois": rois},
                {**args, **with_angles(angles)},
            )


def main():
    torch.set_num_threads(1)
    recorder = Recorder("mmcv", mmcv=mmcv.__version__, torch=torch.__version__)
    roi_align(recorder)
    roi_align_rotated(recorder)
    recorder.write()
    with tempfile.TemporaryDirectory() as folder:
        library = compiled(Path(folder))
        for group in (pooling_kernels, sampling_kernels, deformable_kernels):
            group(recorder, library)
        recorder.write("_kernels")
        rotation_invariant_kernels(recorder, library)
        recorder.write("_kernels_riroi")


if __name__ == "__main__":
    main()
