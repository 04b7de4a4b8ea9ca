"""An interpreter may end while a thread of it is inside of a call."""

import pytest
from helpers import run_python

# One thread keeps calling; each call takes longer than the interval at which the main thread's would ask for signals.
SCRIPT = """
import atexit, threading, time
from concurrent.futures import ThreadPoolExecutor
import numpy as np
import fastroi

features = np.random.default_rng(0).standard_normal((1, 1, 1500, 1500)).astype(np.float32)
boxes = np.tile([[3.0, 5, 1490, 1480]], (40, 1))
begun = threading.Event()

def pool(repeats):
    begun.set()
    for _ in range(repeats):
        fastroi.roi_pool(features, boxes, 1, reduce={reduce!r}, num_threads={threads})
"""

ENDINGS = {
    "daemon": """
threading.Thread(target=pool, args=(1000,), daemon=True).start()
begun.wait()
time.sleep({pause})
""",
    "atexit": """
atexit.register(pool, 1)
threading.Thread(target=pool, args=(1000,), daemon=True).start()
begun.wait()
time.sleep({pause})
""",
    "executor": """
threading.Thread(target=pool, args=(1000,), daemon=True).start()
ThreadPoolExecutor(2).map(pool, [1, 1])
begun.wait()
time.sleep({pause})
""",
}


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("reduce, threads", [("max", 1), ("mean", 2)])
def test_the_interpreter_ends_beside_a_call(ending, reduce, threads, tried):
    done = run_python((SCRIPT + ENDINGS[ending]).format(reduce=reduce, threads=threads, pause=0.03), check=False)
    assert (done.returncode, done.stderr) == (0, "")
    tried("processes", 1)


def test_the_main_thread_of_a_forked_child_is_interrupted(tried):
    """The thread that forked is the child's main thread, whichever it was before."""
    run_python("""
import os, signal, threading, warnings
import numpy as np
import fastroi

warnings.simplefilter("ignore")
features = np.ones((1, 1, 1500, 1500), np.float32)
boxes = np.tile([[3.0, 5, 1490, 1480]], (20_000, 1))

def fork():
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGALRM, signal.default_int_handler)
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        try:
            fastroi.roi_pool(features, boxes, 1, reduce="mean", num_threads=1)
        except KeyboardInterrupt:
            os._exit(7)
        os._exit(1)
    status.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))

status = []
thread = threading.Thread(target=fork)
thread.start()
thread.join()
assert status == [7], status
""")
    tried("processes", 1)
