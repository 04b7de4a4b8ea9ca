import fastroi
from setuptools import Extension, setup

setup(ext_modules=[Extension("pooler", ["pooler.c"], include_dirs=[fastroi.get_include()])])
