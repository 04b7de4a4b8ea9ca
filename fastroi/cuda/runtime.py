"""All that is asked of CuPy."""

from contextlib import nullcontext

import numpy as np

from . import OPTIONS, element_options, source
from .launch import BY_VALUE

NO_ERROR = 2**64 - 1


class CupyRuntime:
    """All that is asked of CuPy: arrays in, memory, one module per device and set of kernels, launches, the error word.

    A set is named by its elements, as `element_options` takes them.
    """

    threads, plan_threads = 256, 128

    def __init__(self, cupy):
        self.cupy = cupy
        self._kernels = {}
        self._errors = {}
        self._attributes = {}

    def device_id(self, array):
        device = getattr(array, "__dlpack_device__", None)
        return device()[1] if device is not None else self.cupy.asarray(array).device.id

    def current(self):
        return self.cupy.cuda.runtime.getDevice()

    def on(self, device_id):
        return nullcontext() if device_id == self.current() else self.cupy.cuda.Device(device_id)

    def is_array(self, value):
        return isinstance(value, self.cupy.ndarray)

    def array(self, value):
        """What is no CuPy array as one: on the same memory if it lies on a GPU, else copied to the current device."""
        if getattr(value, "__dlpack_device__", None) is not None and not isinstance(value, np.ndarray):
            return self.cupy.from_dlpack(value)
        return self.cupy.asarray(value)

    def empty(self, shape, dtype):
        return self.cupy.empty(shape, dtype)

    def pointer(self, array):
        return array.data.ptr

    def _attribute(self, name):
        device = self.current()
        value = self._attributes.get((device, name))
        if value is None:
            value = self._attributes[device, name] = self.cupy.cuda.Device(device).attributes[name]
        return value

    def most_shared_bytes(self):
        """Shared memory that a block may have if the driver is asked."""
        return self._attribute("MaxSharedMemoryPerBlockOptin")

    def multiprocessors(self):
        return self._attribute("MultiProcessorCount")

    def error_word(self):
        device = self.current()
        word = self._errors.get(device)
        if word is None:
            word = self._errors[device] = self.cupy.empty(1, np.uint64)
            self._clear(word)
            self.cupy.cuda.Device().synchronize()  # once per device: other streams may use it next
        return word

    def _clear(self, word):
        word.data.memset_async(255, word.nbytes, self.cupy.cuda.get_current_stream())

    def take_error(self):
        word = self.error_word()
        number = int(word.get()[0])
        if number != NO_ERROR:
            self._clear(word)
        return number

    def kernel(self, kernel_set, name):
        device = self.current()
        kernel = self._kernels.get((device, kernel_set, name))
        if kernel is None:
            module = self._kernels.get((device, kernel_set))
            if module is None:
                options = (*OPTIONS, *element_options(*kernel_set))
                module = self.cupy.RawModule(code=source(), options=options, backend="nvrtc")
                self._kernels[device, kernel_set] = module
            kernel = self._kernels[device, kernel_set, name] = module.get_function("fastroi_" + name)
            if name.endswith("_resident"):
                kernel.max_dynamic_shared_size_bytes = self.most_shared_bytes()
        return kernel

    def launch(self, kernel_set, name, blocks, threads, shared_bytes, call):
        arguments = (np.frombuffer(call, BY_VALUE),)
        self.kernel(kernel_set, name)((blocks,), (threads,), arguments, shared_mem=shared_bytes)


_runtime = None


def runtime():
    global _runtime
    if _runtime is None:
        try:
            import cupy
        except ImportError:
            raise ImportError(
                "features: a GPU array needs CuPy: pip install cupy-cuda13x or cupy-cuda12x, as your driver has it"
            ) from None
        _runtime = CupyRuntime(cupy)
    return _runtime


def pointer_and_strides(array):
    """Address, and strides in elements."""
    item, strides = array.itemsize, array.strides
    if any(stride % item for stride in strides):
        raise ValueError(f"array: strides {array.strides} are not multiples of the item size {item}; use .copy()")
    return runtime().pointer(array), tuple([stride // item for stride in strides])
