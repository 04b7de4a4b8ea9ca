"""Forked and spawned children keep working, whatever the parent has run before."""

import subprocess
import sys

import pytest

WORK = """
import os, sys, threading, time
import numpy as np
import fastroi

features = np.random.default_rng(0).standard_normal((2, 128, 40, 40)).astype(np.float32)
rois = np.tile([[0.0, 1, 2, 30, 31], [1, 5, 5, 39, 20]], (400, 1))

def pool(threads=2):
    return fastroi.roi_pool(features, rois, (7, 6), num_threads=threads).tobytes()

def wait(child):
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0, status

def in_child(work):
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if work() else 3)
        except BaseException:
            os._exit(4)
    return child
"""

SCENARIOS = {
    "fork-before-any-call": """
child = in_child(lambda: len(pool()) > 0)
wait(child)
pool()
""",
    "fork-after-a-parallel-call": """
expected = pool()
wait(in_child(lambda: pool() == expected))
assert pool() == expected
""",
    "fork-twice": """
expected = pool()
def grandchild():
    first = pool() == expected
    wait(in_child(lambda: pool() == expected))
    return first and pool(3) == expected
wait(in_child(grandchild))
assert pool() == expected
""",
    "many-children": """
expected = pool()
children = [in_child(lambda: pool() == expected) for _ in range(6)]
assert pool() == expected
for child in children:
    wait(child)
""",
    "fork-inside-a-thread": """
expected = pool()
failures = []
def body():
    try:
        wait(in_child(lambda: pool() == expected))
    except BaseException as error:
        failures.append(error)
thread = threading.Thread(target=body)
thread.start()
thread.join()
assert not failures, failures
""",
    "fork-while-another-thread-pools": """
expected = pool()
stop = threading.Event()
def busy():
    while not stop.is_set():
        pool()
thread = threading.Thread(target=busy)
thread.start()
time.sleep(0.05)
children = [in_child(lambda: pool() == expected) for _ in range(3)]
for child in children:
    wait(child)
stop.set()
thread.join()
assert pool() == expected
""",
}

POOLS = """
import multiprocessing

def work(_):
    return pool()

if __name__ == "__main__":
    expected = pool()
    context = multiprocessing.get_context("{method}")
    with context.Pool(2) as workers:
        assert set(workers.map(work, range(6))) == {{expected}}
    assert pool() == expected
    print("done")
"""


def run_script(code, folder):
    path = folder / "scenario.py"
    path.write_text(WORK + code)
    return subprocess.run([sys.executable, "-W", "ignore", str(path)], capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_fork(name, tmp_path, tried):
    done = run_script(SCENARIOS[name] + "\nprint('done')\n", tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith("done")
    tried("processes", 1)


@pytest.mark.parametrize("method", ("fork", "forkserver", "spawn"))
def test_multiprocessing(method, tmp_path, tried):
    done = run_script(POOLS.format(method=method), tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith("done")
    tried("processes", 1)


def test_process_pool_executor(tmp_path, tried):
    code = """
import concurrent.futures

def work(_):
    return pool()

if __name__ == "__main__":
    expected = pool()
    with concurrent.futures.ProcessPoolExecutor(2) as workers:
        assert set(workers.map(work, range(4))) == {expected}
    print("done")
"""
    done = run_script(code, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith("done")
    tried("processes", 1)
