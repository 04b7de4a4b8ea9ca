from Cython.Build import cythonize
from setuptools import Extension, setup

import fastroi

extension = Extension("hottest", ["hottest.pyx"], include_dirs=[fastroi.get_include()])
setup(ext_modules=cythonize([extension], language_level=3))
