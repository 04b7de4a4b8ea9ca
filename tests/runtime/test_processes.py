"""Processes of loky, which neither forks nor spawns as multiprocessing does, and interpreters beside the main one."""

import pytest
from helpers import run_python

LOKY = """
import loky
import numpy as np

def pooled(threads):
    import fastroi
    features = np.random.default_rng(0).standard_normal((2, 128, 40, 40)).astype(np.float32)
    rois = np.tile([[0.0, 1, 2, 30, 31], [1, 5, 5, 39, 20]], (400, 1))
    return fastroi.roi_pool(features, rois, (7, 6), num_threads=threads).tobytes()

expected = pooled(2)
with loky.ProcessPoolExecutor(2) as workers:
    assert set(workers.map(pooled, [1, 2, 3, 2])) == {expected}
assert pooled(2) == expected
print("done")
"""

INTERPRETERS = """
import threading
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters

ANOTHER = '''
import warnings
warnings.simplefilter("ignore")  # NumPy's, about interpreters
try:
    import fastroi
    import numpy as np
except ImportError as error:
    print("refused:", error, flush=True)
else:
    pooled = fastroi.roi_pool(np.ones((1, 256, 64, 64), "f4"), [[0, 0, 7, 7.0]] * 600, 2, num_threads=2)
    assert (pooled == 1).all()
    print("pooled", flush=True)
'''

def another():
    interpreter = interpreters.create()
    failure = interpreters.run_string(interpreter, ANOTHER)
    assert not failure, failure
    return interpreter

def pooled():
    import fastroi
    import numpy as np
    features, boxes = np.ones((1, 256, 64, 64), "f4"), np.tile([[0, 0, 7.0, 7]], (600, 1))
    assert (fastroi.roi_pool(features, boxes, 2, num_threads=2) == 1).all()
"""

SCENARIOS = {
    "first": """
interpreters.destroy(another())
try:
    pooled()
except ImportError as error:
    print("refused:", error)
""",
    "after the main one": """
pooled()
for _ in range(3):
    interpreters.destroy(another())
pooled()
""",
    "beside a call": """
pooled()
stop = threading.Event()
def busy():
    while not stop.is_set():
        pooled()
thread = threading.Thread(target=busy)
thread.start()
try:
    for _ in range(3):
        interpreters.destroy(another())
finally:
    stop.set()
    thread.join()
pooled()
""",
    "when the process ends": "another()",
}


def test_loky(tried):
    assert run_python(LOKY, timeout=120).stdout.strip().endswith("done")
    tried("processes", 1)


@pytest.mark.parametrize("name", SCENARIOS)
def test_another_interpreter(name, tried):
    """It pools, or its import is refused in words."""
    lines = run_python(INTERPRETERS + SCENARIOS[name]).stdout.splitlines()
    assert lines and all(line == "pooled" or line.startswith("refused: ") for line in lines)
    tried("processes", 1)
