"""What CMake (``find_package(fastroi)``) and pkg-config read; ``python -m fastroi --cmake-dir`` prints where it lies."""
