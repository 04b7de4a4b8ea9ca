"""asv: small calls and sweeps, where the cost should follow the RoIs."""

from __future__ import annotations

from . import cases
from .bench_operators import PARAM_NAMES, Operator


class SmallCalls(Operator):
    """One and ten RoIs on a small and on a large map."""

    params = (
        ("roi_pool", "roi_align"),
        ("small1", "small10", "large1", "large10"),
        ("float32",),
        cases.LAYOUTS,
        cases.ISAS,
        cases.THREADS,
    )
    param_names = PARAM_NAMES

    def time_call(self, *params):
        self.call()


class CallOverhead(Operator):
    """One RoI on a 1x1x4x4 map: the price of a call."""

    params = (("roi_pool",), ("call",), ("float32",), ("NCHW",), cases.ISAS, (1,))

    def time_call(self, *params):
        self.call()


class BoxSides(Operator):
    """A thousand boxes of one side: twice the side should cost at most twice the time."""

    params = (
        ("roi_pool",),
        ("side100", "side200", "side400", "side800"),
        ("float32",),
        ("NCHW",),
        cases.ISAS,
        cases.THREADS,
    )
    sample_time = 0.02
    rounds = 2
    repeat = (3, 10, 0.5)

    def time_call(self, *params):
        self.call()


class BoxCounts(BoxSides):
    """From one RoI to a thousand on a large map."""

    params = (
        ("roi_pool", "roi_align"),
        ("count1", "count10", "count100", "count1000"),
        ("float32",),
        ("NCHW",),
        cases.ISAS,
        cases.THREADS,
    )
