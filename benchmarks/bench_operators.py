"""asv: every operator on every workload, and the memory and throughput of each."""

from __future__ import annotations

import time

import numpy as np

from . import cases
from .calls import fastroi_call

PARAM_NAMES = ("op", "workload", "dtype", "layout", "isa", "threads")
BEST = "best"
"""Stands for the best instruction set of the machine, whichever that is."""


def selection(op, workload, dtype, layout, isa, threads):
    """Return (case, context manager that forces the ISA); NotImplementedError makes asv skip.

    The lists of parameters never depend on what is installed, so that recorded series keep their
    names: what this version or machine lacks is skipped here.
    """
    import fastroi

    try:
        case = cases.find(op, workload)
    except KeyError as error:
        raise NotImplementedError(str(error)) from error
    if not hasattr(fastroi, op):
        raise NotImplementedError(f"fastroi has no {op}")
    if isa == BEST:
        isa = fastroi.simd.supported()[0]
    if isa not in fastroi.simd.supported():
        raise NotImplementedError(f"this machine does not run {isa}")
    return case, fastroi.simd.use(isa)


class Operator:
    """Shared set-up: map, boxes and a resident output; the ISA forced."""

    param_names = PARAM_NAMES
    timeout = 120
    forced = None

    def setup(self, op, workload, dtype, layout, isa, threads):
        self.case, forced = selection(op, workload, dtype, layout, isa, threads)
        forced.__enter__()
        self.forced = forced
        options = {"layout": layout, "dtype": dtype, "threads": threads}
        self.call = fastroi_call(self.case, **options)
        self.fresh_call = fastroi_call(self.case, preallocated=False, **options)
        self.call()

    def teardown(self, *params):
        if self.forced is not None:  # asv tears down what it skipped as well
            self.forced.__exit__(None, None, None)


def axes(op, dtypes=("float32",), group=cases.MAIN):
    """Return the parameters of one operator over all its workloads in a list of cases."""
    workloads = tuple(case.workload for case in group if case.op == op)
    return (op,), workloads, dtypes, cases.LAYOUTS, cases.ISAS, cases.THREADS


class Timed(Operator):
    """Seconds of a call: into `out=`, and with a result allocated by the call."""

    warmup_time = 0.02
    sample_time = 0.02
    rounds = 2
    repeat = (3, 10, 0.5)

    def run_preallocated(self, *params):
        self.call()

    def run_fresh(self, *params):
        self.fresh_call()


class RoiPool(Timed):
    params = axes("roi_pool")
    time_preallocated = Timed.run_preallocated
    time_fresh = Timed.run_fresh


class RoiAlign(Timed):
    params = axes("roi_align")
    time_preallocated = Timed.run_preallocated
    time_fresh = Timed.run_fresh


class RoiAlignRotated(Timed):
    params = axes("roi_align_rotated")
    time_preallocated = Timed.run_preallocated
    time_fresh = Timed.run_fresh


class PsRoiPool(Timed):
    params = axes("ps_roi_pool")
    time_preallocated = Timed.run_preallocated
    time_fresh = Timed.run_fresh


class PsRoiAlign(Timed):
    params = axes("ps_roi_align")
    time_preallocated = Timed.run_preallocated
    time_fresh = Timed.run_fresh


class CropAndResize(Timed):
    params = axes("crop_and_resize")
    time_preallocated = Timed.run_preallocated
    time_fresh = Timed.run_fresh


class RoiPoolMean(Timed):
    params = axes("roi_pool", group=cases.OPERATORS)
    time_preallocated = Timed.run_preallocated
    time_fresh = Timed.run_fresh


class RoiAlignMax(Timed):
    params = axes("roi_align", group=cases.OPERATORS)
    time_preallocated = Timed.run_preallocated
    time_fresh = Timed.run_fresh


class MultiscaleRoiAlign(Timed):
    params = axes("multiscale_roi_align", group=cases.OPERATORS)
    time_preallocated = Timed.run_preallocated
    time_fresh = Timed.run_fresh


class RoiWarp(Timed):
    params = axes("roi_warp", group=cases.OPERATORS)
    time_preallocated = Timed.run_preallocated
    time_fresh = Timed.run_fresh


class PrroiPool(Timed):
    params = axes("prroi_pool", group=cases.OPERATORS)
    time_preallocated = Timed.run_preallocated
    time_fresh = Timed.run_fresh


class AreaPool(Timed):
    params = axes("area_pool", group=cases.OPERATORS)
    time_preallocated = Timed.run_preallocated
    time_fresh = Timed.run_fresh


class RiroiAlignRotated(Timed):
    params = axes("riroi_align_rotated", group=cases.OPERATORS)
    time_preallocated = Timed.run_preallocated
    time_fresh = Timed.run_fresh


class DeformRoiPool(Timed):
    params = axes("deform_roi_pool", group=cases.OPERATORS)
    time_preallocated = Timed.run_preallocated
    time_fresh = Timed.run_fresh


class DeformPsRoiPool(Timed):
    params = axes("deform_ps_roi_pool", group=cases.OPERATORS)
    time_preallocated = Timed.run_preallocated
    time_fresh = Timed.run_fresh


class CropAndResizeNearest(Timed):
    params = axes("crop_and_resize", group=cases.OPERATORS)
    time_preallocated = Timed.run_preallocated
    time_fresh = Timed.run_fresh


class Masks(Timed):
    """Both operators of masks: they have one layout, and no kernel of an instruction set."""

    params = (("paste_masks", "crop_masks"), ("M",), ("float32",), ("NCHW",), ("baseline",), cases.THREADS)
    time_preallocated = Timed.run_preallocated
    time_fresh = Timed.run_fresh


class Double(Timed):
    """float64 on the article's map."""

    params = (("roi_pool", "roi_align"), ("A7",), ("float64",), cases.LAYOUTS, cases.ISAS, cases.THREADS)
    time_preallocated = Timed.run_preallocated


class Resources(Operator):
    """Throughput and memory of every case at its best instruction set."""

    params = (
        tuple(dict.fromkeys(case.op for case in (*cases.MAIN, *cases.OPERATORS))),
        tuple(dict.fromkeys(case.workload for case in (*cases.MAIN, *cases.OPERATORS))),
        ("float32",),
        ("NCHW",),
        (BEST,),
        cases.THREADS,
    )

    def track_throughput(self, *params):
        """GB/s of the bytes that must move, map once and output once, in the best of 7 calls."""
        times = []
        for _ in range(7):
            start = time.perf_counter()
            self.call()
            times.append(time.perf_counter() - start)
        return sum(self.case.bytes_moved(np.dtype(params[2]).itemsize)) / min(times) / 1e9

    def peakmem_call(self, *params):
        """Peak resident size of the process; `Arrays` is the part that is not fastroi's."""
        self.call()

    track_throughput.unit = "GB/s"


class Arrays:
    """Peak resident size of a process that only holds the map and an output."""

    params = Resources.params[:4]
    param_names = PARAM_NAMES[:4]

    def setup(self, op, workload, dtype, layout):
        try:
            case = cases.find(op, workload)
        except KeyError as error:
            raise NotImplementedError(str(error)) from error
        self.arrays = case.pyramid(layout, dtype), np.ones(case.output_shape(layout), case.output_dtype(dtype))

    def peakmem_arrays(self, *params):
        return self.arrays
