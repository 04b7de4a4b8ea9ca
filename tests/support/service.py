"""The load of a service, in a process of its own; prints calls, refusals and percentiles of the latency by operator, as JSON.

python tests/support/service.py threads SECONDS    # eight callers, beside a thread that rewrites their boxes
python tests/support/service.py prefork SECONDS    # four children, forked after parallel calls
"""

import json
import os
import sys
import threading
import time

import bad_inputs
import numpy as np
from bad_inputs import OPERATORS, ROLE_OF, is_per_box, repeated

CALLERS, CHILDREN = 8, 4
GUARD, PATTERN = 4096, 77  # elements before and after a result, and what they hold
TIMES = 100  # the boxes of a good call
COORDINATES = (np.nan, np.inf, -1e308, 1e25, 3.5, 5e-324, -7.0, 2.0**31)
INTEGERS = (-1, 0, 1, 2, 100, 2**31 - 1, 2**40, -(2**63))


class Load:
    """What callers call in turn, and what came of it."""

    def __init__(self):
        self.calls = {operator: repeated(operator, TIMES) for operator in OPERATORS}
        self.expected = {operator: bad_inputs.call(operator, call) for operator, call in self.calls.items()}
        self.latencies = {operator: [] for operator in OPERATORS}
        self.refused = 0

    def serve(self, until, first, threads, is_calm):
        """Calls each operator in turn; where nobody writes, what comes out is known."""
        names = list(OPERATORS)
        turn = first
        while time.monotonic() < until:
            operator = names[turn % len(names)]
            turn += 1
            expected = self.expected[operator]
            room = np.full(expected.size + 2 * GUARD, PATTERN, expected.dtype)
            out = room[GUARD:-GUARD].reshape(expected.shape)
            begun = time.perf_counter()
            try:
                bad_inputs.call(operator, self.calls[operator] | {"out": out, "num_threads": threads})
            except ValueError:
                self.refused += 1
            self.latencies[operator].append(time.perf_counter() - begun)
            beside = np.concatenate([room[:GUARD], room[-GUARD:]])
            assert (beside == beside[0]).all() and beside[0] == np.full(1, PATTERN, room.dtype)[0], operator
            assert not is_calm or np.array_equal(out, expected), operator

    def report(self):
        def milliseconds(times):
            return [round(1000 * float(value), 3) for value in np.percentile(times, (50, 90, 99, 100))]

        return {
            "calls": {operator: len(times) for operator, times in self.latencies.items()},
            "refused": self.refused,
            "ms at 50, 90, 99, 100 %": {op: milliseconds(times) for op, times in self.latencies.items() if times},
        }


def rewritten(load):
    """The arrays with a row for each box, and copies of them."""
    arrays = [value for call in load.calls.values() for name, value in call.items()
              if is_per_box(name, call) and ROLE_OF[name] != "map"]  # fmt: skip
    return arrays, [array.copy() for array in arrays]


def rewrite(arrays, copies, stop):
    rng = np.random.default_rng(0)
    while not stop.is_set():
        k = rng.integers(len(arrays))
        array, copy = arrays[k], copies[k]
        places = rng.integers(len(array), size=3)
        with np.errstate(over="ignore"):  # of float32
            array[places] = rng.choice(COORDINATES if array.dtype.kind == "f" else INTEGERS, array[places].shape)
        time.sleep(2e-4)
        array[...] = copy
    for array, copy in zip(arrays, copies):
        array[...] = copy


def run_threads(seconds):
    load = Load()
    stop = threading.Event()
    failures = []

    def caller(number):
        try:
            load.serve(until, number, 1 + number % 2, is_calm=False)
        except BaseException as error:
            failures.append(repr(error))

    until = time.monotonic() + seconds
    writer = threading.Thread(target=rewrite, args=(*rewritten(load), stop))
    callers = [threading.Thread(target=caller, args=(number,)) for number in range(CALLERS)]
    for thread in (writer, *callers):
        thread.start()
    for thread in callers:
        thread.join()
    stop.set()
    writer.join()
    assert not failures, failures
    load.serve(time.monotonic() + 0.2, 0, 2, is_calm=True)
    return [load.report()]


def serve_in_a_child(load, seconds, to):
    try:
        load.serve(time.monotonic() + seconds, 0, 2, is_calm=True)
        with os.fdopen(to, "w") as pipe:
            json.dump(load.report(), pipe)
    except BaseException as error:
        print(repr(error), file=sys.stderr)
        os._exit(1)
    os._exit(0)


def run_prefork(seconds):
    load = Load()
    load.serve(time.monotonic() + 0.2, 0, 2, is_calm=True)  # the children's parent has a team of threads
    children = []
    for _ in range(CHILDREN):
        source, to = os.pipe()
        child = os.fork()
        if child == 0:
            serve_in_a_child(load, seconds, to)
        os.close(to)
        children.append((child, source))
    reports = []
    for child, source in children:
        with os.fdopen(source) as pipe:
            reports.append(pipe.read())
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert status == 0, status
    return [json.loads(report) for report in reports]


if __name__ == "__main__":
    kind, duration = sys.argv[1:]
    print(json.dumps({"threads": run_threads, "prefork": run_prefork}[kind](float(duration))))
