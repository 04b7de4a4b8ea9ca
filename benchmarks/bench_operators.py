"""asv: every operator on every workload, and the memory and throughput of each."""

from __future__ import annotations

import time

import numpy as np

from . import cases
from .calls import fastroi_call

OPS = tuple(dict.fromkeys(case.op for case in cases.MAIN))
WORKLOADS = tuple(dict.fromkeys(case.workload for case in cases.MAIN))
PARAM_NAMES = ("op", "workload", "dtype", "layout", "isa", "threads")


def selected_call(op, workload, dtype, layout, isa, threads):
    """Return (case, call, the entered ISA selection); NotImplementedError makes asv skip.

    The lists of parameters never depend on what is installed, so that recorded series keep their
    names: what this version or machine lacks is skipped here.
    """
    import fastroi

    try:
        case = cases.find(op, workload)
    except KeyError as error:
        raise NotImplementedError(str(error)) from error
    if isa not in fastroi.simd.supported():
        raise NotImplementedError(f"this machine does not run {isa}")
    call = fastroi_call(case, layout=layout, dtype=dtype, threads=threads)
    selection = fastroi.simd.use(isa)
    selection.__enter__()
    return case, call, selection


class Operator:
    """Shared set-up: map, boxes and a resident output; the ISA forced."""

    param_names = PARAM_NAMES
    timeout = 120

    def setup(self, op, workload, dtype, layout, isa, threads):
        self.case, self.call, self.selection = selected_call(
            op, workload, dtype, layout, isa, threads
        )
        self.call()

    def teardown(self, *params):
        self.selection.__exit__(None, None, None)


class PreallocatedOutput(Operator):
    """ms of a call that writes into `out=`, float32."""

    params = (OPS, WORKLOADS, ("float32",), cases.LAYOUTS, cases.ISAS, cases.THREADS)
    warmup_time = 0.02
    sample_time = 0.02
    rounds = 2
    repeat = (3, 10, 0.5)

    def time_call(self, *params):
        self.call()


class Double(PreallocatedOutput):
    """The same in float64, on the article's map."""

    params = (("roi_pool", "roi_align"), ("A7",), ("float64",), cases.LAYOUTS, cases.ISAS,
              cases.THREADS)


class FreshOutput:
    """ms of a call that allocates its result, as most callers do."""

    params = (OPS, WORKLOADS, ("float32",), ("NCHW",), cases.ISAS, cases.THREADS)
    param_names = PARAM_NAMES
    timeout = 120
    warmup_time = 0.02
    sample_time = 0.02
    rounds = 2
    repeat = (3, 10, 0.5)

    def setup(self, op, workload, dtype, layout, isa, threads):
        case, _, self.selection = selected_call(op, workload, dtype, layout, isa, threads)
        self.call = fastroi_call(case, layout=layout, dtype=dtype, threads=threads,
                                 preallocated=False)
        self.call()

    def teardown(self, *params):
        self.selection.__exit__(None, None, None)

    def time_call(self, *params):
        self.call()


class Throughput(Operator):
    """GB/s of bytes that must move (map once, output once) over the best time of a call."""

    params = (OPS, WORKLOADS, ("float32",), ("NCHW",), cases.ISAS, cases.THREADS)

    def track_gigabytes_per_second(self, *params):
        times = []
        for _ in range(7):
            start = time.perf_counter()
            self.call()
            times.append(time.perf_counter() - start)
        return sum(self.case.bytes_moved(np.dtype(params[2]).itemsize)) / min(times) / 1e9

    track_gigabytes_per_second.unit = "GB/s"


class Memory(Operator):
    """Peak resident size of the process; compare with the same map and output untouched."""

    params = (OPS, WORKLOADS, ("float32",), ("NCHW",), cases.ISAS, cases.THREADS)

    def peakmem_call(self, *params):
        self.call()


class MemoryOfArrays:
    """Peak resident size with map and output alone: the part that is not fastroi's."""

    params = (OPS, WORKLOADS, ("float32",), ("NCHW",))
    param_names = PARAM_NAMES[:4]

    def setup(self, op, workload, dtype, layout):
        try:
            case = cases.find(op, workload)
        except KeyError as error:
            raise NotImplementedError(str(error)) from error
        self.arrays = case.features(layout, dtype), np.ones(case.output_shape(layout), dtype)

    def peakmem_arrays(self, *params):
        return self.arrays
