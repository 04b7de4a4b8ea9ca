"""Threads that there are no processors for, and threads that the system refuses."""

import os
import textwrap

import pytest
from helpers import run_python

WORK = """
import os, resource, zlib, numpy as np, fastroi
features = np.random.default_rng(0).standard_normal((1, 256, 64, 64)).astype("f4")
boxes = np.tile([[1.0, 2, 60, 50]], (600, 1))
out = np.empty((600, 256, 7, 7), "f4")

def pooled(threads):
    out[:] = 0
    return zlib.crc32(fastroi.roi_pool(features, boxes, 7, out=out, num_threads=threads))

def threads_now():
    return len(os.listdir("/proc/self/task"))

before = threads_now()
"""
HUGE_STACKS = {"OMP_STACKSIZE": "256m"}


def run(code, **environment):
    return run_python(WORK + textwrap.dedent(code), **environment).stdout.split()


def test_no_more_threads_than_processors_unless_asked_twice():
    code = "pooled(64); print(threads_now() - before, fastroi.set_num_threads(64) and fastroi.get_num_threads())"
    started, most = map(int, run(code, FASTROI_OVERSUBSCRIBE="0"))
    assert started < most <= len(os.sched_getaffinity(0))
    started, most = map(int, run(code, FASTROI_OVERSUBSCRIBE="1"))
    assert started > len(os.sched_getaffinity(0)) and most == 64


@pytest.mark.parametrize(("megabytes", "stacks"), [(0, {}), (9, {}), (200, {}), (200, HUGE_STACKS)])
def test_threads_that_have_no_room(megabytes, stacks, tried):
    code = f"""
    expected = pooled(1)
    used = int(open("/proc/self/statm").read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (used + {megabytes << 20}, resource.RLIM_INFINITY))
    print(pooled(64) == expected, pooled(64) == expected, threads_now() - before)
    """
    *equal, started = run(code, FASTROI_OVERSUBSCRIBE="1", **stacks)
    assert equal == ["True", "True"]
    assert int(started) < 63
    tried("processes", 1)


def test_threads_that_the_system_refuses(tried):
    """As a limit on processes does, which does not bind root."""
    code = """
    expected = pooled(1)
    if os.getuid() == 0:
        os.setuid(54321)
    resource.setrlimit(resource.RLIMIT_NPROC, (3, 3))
    print(pooled(64) == expected, threads_now() - before)
    """
    equal, started = run(code, FASTROI_OVERSUBSCRIBE="1")
    assert equal == "True"
    assert int(started) < 3
    tried("processes", 1)


@pytest.mark.parametrize("value", ["yes", "2"])
def test_bad_environment_variable(value):
    done = run_python("import fastroi", check=False, FASTROI_OVERSUBSCRIBE=value)
    assert done.stderr.splitlines()[-1] == f"ValueError: FASTROI_OVERSUBSCRIBE: {value!r} is neither '0' nor '1'"
