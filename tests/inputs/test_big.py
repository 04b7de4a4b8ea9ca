"""Sizes and offsets beyond 2**31: sparse mappings of which only the last pages are touched."""

import pytest
from helpers import run_python

PRELUDE = """
import mmap
import numpy as np
import fastroi

def sparse(dtype, *shape):
    size = int(np.prod(shape, dtype=object)) * np.dtype(dtype).itemsize
    no_reserve = getattr(mmap, "MAP_NORESERVE", 0x4000)  # named since Python 3.13
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | no_reserve
    return np.frombuffer(mmap.mmap(-1, size, flags), dtype).reshape(shape)

def checked():
    # Not getrusage: its maximum survives exec, so it would be the test runner's.
    with open("/proc/self/status") as status:
        resident = next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024
    assert resident < 300, f"{resident:.0f} MiB resident"
    print("done")
"""

CASES = {
    "last-image-nchw": """
features = sparse("f4", 2**14 + 3, 32, 64, 65)
assert features.size > 2**31 and features.nbytes > 2**32
last = len(features) - 1
features[last] = np.arange(32 * 64 * 65, dtype="f4").reshape(32, 64, 65)
rois = np.array([[last, 0, 0, 64, 63], [last, 3, 4, 3, 4], [0, 0, 0, 64, 63]], float)
pooled, argmax = fastroi.roi_pool(features, rois, (2, 3), return_argmax=True)
plane = np.arange(32) * 64 * 65
assert (pooled[0, :, 1, 2] == plane + 64 * 65 - 1).all()
assert (argmax[0, :, 1, 2] == 64 * 65 - 1).all()
assert (pooled[1] == (plane + 4 * 65 + 3)[:, None, None]).all()
assert (pooled[2] == 0).all() and (argmax[2, :, 0, 0] == 0).all()
mean = fastroi.roi_pool(features, rois, 1, reduce="mean")
assert (abs(mean[0, :, 0, 0] - (plane + (64 * 65 - 1) / 2)) < 1).all()
""",
    "last-image-nhwc": """
features = sparse("f4", 2**14 + 3, 64, 65, 32)
assert features.size > 2**31 and features.nbytes > 2**32
last = len(features) - 1
features[last] = np.arange(64 * 65 * 32, dtype="f4").reshape(64, 65, 32)
rois = np.array([[last, 0, 0, 64, 63], [last, 3, 4, 3, 4], [1, 0, 0, 64, 63]], float)
pooled, argmax = fastroi.roi_pool(features, rois, (2, 3), layout="NHWC", return_argmax=True)
assert (pooled[0, 1, 2] == (64 * 65 - 1) * 32 + np.arange(32)).all()
assert (argmax[0, 1, 2] == 64 * 65 - 1).all()
assert (pooled[1] == (4 * 65 + 3) * 32 + np.arange(32)).all()
assert (pooled[2] == 0).all()
""",
    "one-plane-nchw": """
side = 46400
features = sparse("f4", 1, 1, side, side)
assert side * side > 2**31
features[0, 0, side - 3 :, side - 5 :] = np.arange(15).reshape(3, 5)
box = np.array([[side - 5, side - 3, side - 1, side - 1]], float)
pooled, argmax = fastroi.roi_pool(features, box, (3, 5), return_argmax=True)
assert (pooled.ravel() == np.arange(15)).all()
rows, columns = np.mgrid[side - 3 : side, side - 5 : side]
assert (argmax[0, 0] == rows * side + columns).all() and argmax.max() > 2**31
mean = fastroi.roi_pool(features, box, 1, reduce="mean")
assert mean.item() == 7
""",
    "one-plane-nhwc": """
side = 46400
features = sparse("f4", 1, side, side, 1)
features[0, side - 3 :, side - 5 :, 0] = np.arange(15).reshape(3, 5)
box = np.array([[side - 5, side - 3, side - 1, side - 1]], float)
pooled, argmax = fastroi.roi_pool(features, box, (3, 5), layout="NHWC", return_argmax=True)
assert (pooled.ravel() == np.arange(15)).all()
assert argmax.max() == side * side - 1
""",
    "float64": """
features = sparse("f8", 2**13, 64, 64, 66)
assert features.size > 2**31
last = len(features) - 1
features[last] = 5
features[last, :, 63, 65] = 9
pooled, argmax = fastroi.roi_pool(
    features, np.array([[last, 0, 0, 65, 63]], float), (1, 2), return_argmax=True)
assert (pooled[0, :, 0] == [5, 9]).all() and (argmax[0, :, 0] == [0, 64 * 66 - 1]).all()
""",
    "last-channel": """
features = sparse("f4", 1, 2**19 + 5, 64, 65)
assert features.size > 2**31
features[0, -1] = np.arange(64 * 65).reshape(64, 65)
view = features[:, -3:]
pooled = fastroi.roi_pool(view, np.array([[0, 0, 64, 63]], float), 1)
assert pooled.ravel().tolist() == [0, 0, 64 * 65 - 1]
""",
    "out": """
store = sparse("f4", 3, 2**31 + 7)
out = np.lib.stride_tricks.as_strided(
    store, (3, 20, 2, 3), (store.strides[0], 24, 12, 4), writeable=True)
features = np.random.default_rng(0).standard_normal((1, 20, 9, 9)).astype("f4")
boxes = np.array([[0, 0, 8, 8], [2, 2, 5, 5], [1, 3, 8, 4]], float)
assert (out.__array_interface__["strides"][0]) > 2**32
pooled = fastroi.roi_pool(features, boxes, (2, 3), out=out)
assert (pooled == fastroi.roi_pool(features, boxes, (2, 3))).all()
""",
    "out-far-bins": """
store = sparse("f4", 2, 2**31 + 7)
out = np.lib.stride_tricks.as_strided(
    store, (1, 40, 2, 3), (4, 4, store.strides[0], 160), writeable=True)
features = np.random.default_rng(0).standard_normal((1, 40, 9, 9)).astype("f4")
box = np.array([[0, 0, 8, 8]], float)
fastroi.roi_pool(features, box, (2, 3), out=out)
assert (out == fastroi.roi_pool(features, box, (2, 3))).all()
""",
    "rois": """
rois = sparse("f8", 2**28 + 3, 5)
assert rois.nbytes > 2**32
far = rois[:: 2**28]
far[-1] = [1, 2, 2, 2, 2]
features = np.arange(2 * 25, dtype="f4").reshape(2, 1, 5, 5)
assert fastroi.roi_pool(features, far, 1).ravel().tolist() == [0, 25 + 12]
""",
    "stride-0-giant": """
features = np.broadcast_to(
    np.arange(30, dtype="f4").reshape(1, 1, 5, 6), (2**20, 2**12, 5, 6))
assert features.size > 2**32
view = features[:, : 2**3]
rois = np.array([[2**20 - 1, 0, 0, 5, 4], [7, 1, 1, 1, 1]], float)
pooled = fastroi.roi_pool(view, rois, 1)
assert (pooled[0] == 29).all() and (pooled[1] == 7).all()
""",
}


@pytest.mark.parametrize("num_threads", (1, 2))
@pytest.mark.parametrize("name", sorted(CASES))
def test_beyond_32_bits(name, num_threads):
    code = PRELUDE + CASES[name] + "\nchecked()\n"
    done = run_python(code, timeout=60, FASTROI_NUM_THREADS=num_threads)
    assert done.stdout.strip() == "done"


@pytest.mark.parametrize("layout", ("NCHW", "NHWC"))
def test_every_instruction_set(isa, layout):
    code = PRELUDE + CASES[f"last-image-{layout.lower()}"] + "\nchecked()\n"
    assert run_python(code, FASTROI_SIMD=isa).stdout.strip() == "done"
