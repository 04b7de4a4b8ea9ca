/*
 * An extension module in C that pools RoIs through fastroi's capsule: no link to fastroi, no NumPy C API.
 *
 * pooler.pool(features, rois, scale, out): features (N, C, H, W), rois (K, 5) rows [image, x1, y1, x2, y2], out
 * (K, C, PH, PW), all C-contiguous float32 buffers. The rule is the article's, "floor".
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <fastroi_capsule.h>

static int get_float32(PyObject* object, int writable, int ndim, Py_buffer* view, const char* name) {
    if (PyObject_GetBuffer(object, view, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT | (writable ? PyBUF_WRITABLE : 0)) < 0)
        return -1;
    if (view->ndim == ndim && strcmp(view->format, "f") == 0) return 0;
    PyErr_Format(PyExc_TypeError, "%s: a float32 buffer of %d dimensions is required", name, ndim);
    PyBuffer_Release(view);
    return -1;
}

static fastroi_tensor as_tensor(const Py_buffer* view) {
    fastroi_tensor tensor = {view->buf, FASTROI_FLOAT32, {0}, {0}};
    for (int i = 0; i < 4; i++) {
        tensor.shape[i] = view->shape[i];
        tensor.strides[i] = view->strides[i];
    }
    return tensor;
}

static PyObject* pool_buffers(const Py_buffer* features, const Py_buffer* rois, const Py_buffer* out, double scale) {
    const fastroi_tensor map = as_tensor(features), result = as_tensor(out);
    const fastroi_boxes boxes = {.data = rois->buf,
                                 .dtype = FASTROI_FLOAT32,
                                 .columns = (int32_t)rois->shape[1],
                                 .count = rois->shape[0],
                                 .strides = {rois->strides[0], rois->strides[1]}};
    const fastroi_roi_pool_params params = {.struct_size = sizeof params,
                                            .rule = FASTROI_RULE_FLOOR,
                                            .reduce = FASTROI_REDUCE_MAX,
                                            .scale_h = scale,
                                            .scale_w = scale};
    fastroi_error error;
    fastroi_status status;
    Py_BEGIN_ALLOW_THREADS status = fastroi_roi_pool(&map, &boxes, &params, &result, NULL, &error);
    Py_END_ALLOW_THREADS if (status == FASTROI_OK) Py_RETURN_NONE;
    return PyErr_Format(PyExc_ValueError, "%s", error.message);
}

static PyObject* pool(PyObject* self, PyObject* arguments) {
    PyObject *features_object, *rois_object, *out_object, *result = NULL;
    Py_buffer features, rois, out;
    double scale;
    (void)self;
    if (!PyArg_ParseTuple(arguments, "OOdO", &features_object, &rois_object, &scale, &out_object)) return NULL;
    if (get_float32(features_object, 0, 4, &features, "features") < 0) return NULL;
    if (get_float32(rois_object, 0, 2, &rois, "rois") == 0) {
        if (get_float32(out_object, 1, 4, &out, "out") == 0) {
            result = pool_buffers(&features, &rois, &out, scale);
            PyBuffer_Release(&out);
        }
        PyBuffer_Release(&rois);
    }
    PyBuffer_Release(&features);
    return result;
}

static PyMethodDef methods[] = {
    {"pool", pool, METH_VARARGS, "pool(features, rois, scale, out): RoI pooling, rule 'floor'"}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "pooler", NULL, -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit_pooler(void) {
    if (fastroi_import_capsule() < 0) return NULL;
    return PyModule_Create(&definition);
}
