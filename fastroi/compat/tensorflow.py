"""TensorFlow's ``tf.image.crop_and_resize`` on NumPy arrays."""

__all__ = ["crop_and_resize"]
