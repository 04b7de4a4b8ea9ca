// An extension module of two files: this one imports the capsule, unless told to forget it, and never calls.
#include <fastroi_capsule.h>

PyObject* answers(PyObject*, PyObject*);

static PyMethodDef methods[] = {{"answers", answers, METH_NOARGS, nullptr}, {nullptr, nullptr, 0, nullptr}};
static PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "two_files", nullptr, -1, methods, nullptr, nullptr, nullptr, nullptr};

PyMODINIT_FUNC PyInit_two_files() {
#ifndef FORGET_THE_IMPORT
    if (fastroi_import_capsule() < 0) return nullptr;
#endif
    return PyModule_Create(&definition);
}
