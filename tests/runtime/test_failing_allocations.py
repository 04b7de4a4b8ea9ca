"""Each allocation of a call fails once: a MemoryError each time, and the call after it works."""

import json
import os
import subprocess
import sys

import pytest
from bad_inputs import OPERATORS
from native_build import ROOT, run

SUPPORT = ROOT / "tests" / "support"
MASKS = ("paste_masks", "crop_masks")  # plans of each mask are allocated apart: too many to let each fail


def failed(folder, threads, times, *operators):
    """{operator: allocations that failed}."""
    library = folder / "failing.so"
    run(
        os.environ.get("CC", "cc"),
        "-std=c11",
        "-O2",
        "-shared",
        "-fPIC",
        SUPPORT / "failing_allocations.c",
        "-o",
        library,
    )
    script = SUPPORT / "failing_allocations.py"
    environment = os.environ | {"LD_PRELOAD": str(library), "PYTHONMALLOC": "malloc"}
    command = [sys.executable, "-X", "faulthandler", script, threads, times, *operators]
    done = subprocess.run(
        list(map(str, command)), env=environment, cwd=ROOT, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_allocation_of_every_operator(tmp_path, tried):
    counts = failed(tmp_path, threads=1, times=1)
    assert set(counts) == set(OPERATORS)
    assert min(counts.values()) > 20, "the failing allocator was not reached"
    tried("failing allocations", sum(counts.values()))


@pytest.mark.long
def test_every_allocation_of_calls_on_several_threads(tmp_path, tried):
    """The team runs already: OpenMP itself ends the process where it cannot allocate, and is asked before for as much as it needs."""
    operators = [name for name in OPERATORS if name not in MASKS]
    tried("failing allocations", sum(failed(tmp_path, 3, 2000, *operators).values()))
