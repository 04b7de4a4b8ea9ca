from setuptools import Extension, setup

import fastroi

setup(ext_modules=[Extension("pooler", ["pooler.c"], include_dirs=[fastroi.get_include()])])
