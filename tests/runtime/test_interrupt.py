"""Ctrl-C stops a long call at once, and the library works afterwards."""

import json

import pytest
from helpers import run_python

# The number of boxes grows until one call takes seconds; then each repeat is interrupted.
SCRIPT = """
import json, os, signal, threading, time
import numpy as np
import fastroi

features = np.random.default_rng(0).standard_normal((1, 1, 1500, 1500)).astype(np.float32)
box = np.array([[3.0, 5, 1490, 1480]])

def pool(count):
    return fastroi.roi_pool(features, np.tile(box, (count, 1)), 1,
                            reduce={reduce!r}, num_threads={threads})

expected = pool(1)
count, taken = 20, 0.0
while taken < 0.4 and count < 30_000_000:
    count *= 4
    started = time.perf_counter()
    pool(count)
    taken = time.perf_counter() - started
count = int(count * 3 / taken)

delays = []
for _ in range({repeats}):
    sent = []

    def interrupt():
        sent.append(time.process_time())
        os.kill(os.getpid(), signal.SIGINT)

    timer = threading.Timer(0.3, interrupt)
    timer.start()
    try:
        pool(count)
        delays.append(None)
    except KeyboardInterrupt:
        delays.append(time.process_time() - sent[0])
    timer.join()
    assert (pool(1) == expected).all()
print(json.dumps(delays))
"""


@pytest.mark.parametrize("threads", (1, 2))
@pytest.mark.parametrize("reduce", ("max", "mean"))
def test_latency(reduce, threads):
    done = run_python(SCRIPT.format(reduce=reduce, threads=threads, repeats=5), timeout=120)
    delays = json.loads(done.stdout)
    assert None not in delays, "a call ran to its end although it was interrupted"
    # Of the processors' time, by all threads of the call: on a busy machine the wall's says nothing.
    assert sorted(delays)[len(delays) // 2] < 0.2 * threads
    assert max(delays) < 1 * threads


def test_a_handler_that_returns_lets_the_call_finish():
    code = """
import signal, time
import numpy as np
import fastroi

seen = []
signal.signal(signal.SIGALRM, lambda *_: seen.append(1))
signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
features = np.random.default_rng(0).standard_normal((1, 4, 800, 800)).astype(np.float32)
boxes = np.tile([[3.0, 5, 790, 780]], (400, 1))
expected = fastroi.roi_pool(features, boxes[:1], 3, reduce="mean")
until = time.perf_counter() + 0.5
while time.perf_counter() < until:
    pooled = fastroi.roi_pool(features, boxes, 3, reduce="mean")
    assert (pooled == expected).all()
signal.setitimer(signal.ITIMER_REAL, 0)
assert seen
"""
    run_python(code)


# One box that takes hours, wherever it spends them: {name: call}.
INSIDE = """
import json, os, signal, threading, time
import numpy as np
import fastroi

def huge(channels_last):
    shape, strides = ((1, SIDE, SIDE, 64), (0, 0, 0, 4)) if channels_last else ((1, 1, SIDE, SIDE), (0, 0, 0, 0))
    return np.lib.stride_tricks.as_strided(np.ones(64, np.float32), shape, strides)

SIDE = 1 << 19
small, planes, last = np.ones((1, 1, 8, 8), np.float32), huge(False), huge(True)
masks = np.lib.stride_tricks.as_strided(np.ones(1, np.uint8), (1, SIDE, SIDE), (0, 0, 0))
box, on_small = [[0, 0, SIDE, SIDE]], [[0, 0, 8, 8]]
threads = {"num_threads": NUMBER}
calls = {
    "plan": lambda: fastroi.roi_align(small, np.tile(on_small, (9000, 1)), 7, sampling_ratio=1 << 20, **threads),
    "samples": lambda: fastroi.roi_align(small, on_small, 7, sampling_ratio=1 << 20, reduce="max", **threads),
    "tables": lambda: fastroi.roi_pool(planes, box, 1, **threads),
    "places": lambda: fastroi.roi_pool(last, box, 1, layout="NHWC", return_argmax=True, **threads),
    "sums": lambda: fastroi.roi_pool(planes, box, 1, reduce="mean", **threads),
    "sums in place": lambda: fastroi.prroi_pool(last, box, 2, layout="NHWC", **threads),
    "means": lambda: fastroi.ps_roi_pool(last, box, 1, layout="NHWC", **threads),
    "masks": lambda: fastroi.crop_masks(masks, box, 1, **threads),
}
delays = {}
for name, call in calls.items():
    sent = []

    def interrupt():
        sent.append(time.process_time())
        os.kill(os.getpid(), signal.SIGINT)

    timer = threading.Timer(0.2, interrupt)
    timer.start()
    try:
        call()
    except KeyboardInterrupt:
        delays[name] = time.process_time() - sent[0]
    timer.join()
print(json.dumps(delays))
"""


@pytest.mark.parametrize("threads", (1, 2))
def test_inside_of_one_box(threads):
    done = run_python(INSIDE.replace("NUMBER", str(threads)), timeout=120)
    delays = json.loads(done.stdout)
    assert set(delays) == {"plan", "samples", "tables", "places", "sums", "sums in place", "means", "masks"}
    assert sorted(delays.values())[len(delays) // 2] < 0.2 * threads
    assert max(delays.values()) < 1 * threads, delays
