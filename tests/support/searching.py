"""Properties that are searched with hypothesis: a few hundred fixed examples every day, and many that FASTROI_SEED chooses."""

from helpers import LONG_SCALE, SEED
from hypothesis import HealthCheck, given, seed, settings

EVERYDAY, LONG = "everyday", "long"


def search(strategy, judge, form, tried, examples, long_examples):
    """Let `judge` look at what a strategy draws. The gate counts the long form, whose number it promises."""
    seen = [0]
    count = examples if form == EVERYDAY else max(1, round(long_examples * min(LONG_SCALE, 1)))

    @settings(
        max_examples=count,
        derandomize=form == EVERYDAY,
        database=None,
        deadline=None,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def holds(example):
        judge(example)
        seen[0] += 1

    (holds if form == EVERYDAY else seed(SEED)(holds))()
    assert seen[0] > count // 2, "most examples were left out"
    if form == LONG:
        tried("arguments and readers", seen[0])
