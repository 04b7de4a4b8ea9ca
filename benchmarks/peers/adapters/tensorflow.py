"""TensorFlow (CPU), eager; the result is always its own allocation."""

from __future__ import annotations

from . import Adapter


def load(threads: int, fresh: bool, variants: tuple[str, ...] = ()) -> Adapter:
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)

    def crop(job, features, boxes):
        arguments = [tf.convert_to_tensor(a) for a in (features, boxes, job.indices)]
        size = tf.constant(job.output_size)
        return (lambda: tf.image.crop_and_resize(*arguments, size), lambda result: result.numpy())

    return Adapter(
        tf.__version__,
        {"crop_and_resize": crop},
        notes="NHWC in and out; no preallocated output, malloc told to keep memory",
    )
