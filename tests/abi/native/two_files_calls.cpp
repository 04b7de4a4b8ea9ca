// The other file of that module: calls every function of the table and never imports the capsule.
#include <fastroi_capsule.h>

#include <climits>
#include <string>

static std::string text(const char* s) { return s ? s : "NULL"; }
static std::string number(int n) { return std::to_string(n); }

// Status and message of a call.
template <class Call>
static std::string refusal(const Call& call) {
    fastroi_error error;
    const fastroi_status status = call(&error);
    return number(status) + " " + error.message;
}

PyObject* answers(PyObject*, PyObject*) {
    double interval[2];
    int64_t edges[4], count, grid, bin[4];
    double coordinate[4], weight[4];
    const std::string found[] = {
        "version " + text(fastroi_version()),
        "abi_version " + number(fastroi_abi_version()),
        "compiler " + text(fastroi_compiler()),
        "has_openmp " + number(fastroi_has_openmp()),
        "default_threads " + number(fastroi_default_threads()),
        "usable_threads " + number(fastroi_usable_threads(1)),
        "simd_compiled " + text(fastroi_simd_compiled(0)),
        "simd_supported " + text(fastroi_simd_supported(0)),
        "simd_supported_below " + text(fastroi_simd_supported(INT_MIN)),
        "simd_active " + text(fastroi_simd_active()),
        "operator_at " + text(fastroi_operator_at(0) ? fastroi_operator_at(0)->name : nullptr),
        "simd_activate " + refusal([](fastroi_error* e) { return fastroi_simd_activate("none", e); }),
        "run " +
            refusal([](fastroi_error* e) { return fastroi_run(-1, nullptr, nullptr, nullptr, nullptr, nullptr, e); }),
        "roi_pool " +
            refusal([](fastroi_error* e) { return fastroi_roi_pool(nullptr, nullptr, nullptr, nullptr, nullptr, e); }),
        "list_plan " + refusal([](fastroi_error* e) {
            return fastroi_list_plan(0, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, e);
        }),
        "axis_ranges " +
            refusal([&](fastroi_error* e) { return fastroi_axis_ranges(0, 0, 1, 1, 2, 8, interval, edges, e); }),
        "axis_points " + refusal([&](fastroi_error* e) {
            return fastroi_axis_points(0, 0, 1, 1, 1, 2, 8, 4, interval, &grid, bin, coordinate, weight, &count, e);
        }),
        "without_error " + number(fastroi_run(-1, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr)),
    };
    PyObject* const list = PyList_New(0);
    for (const std::string& line : found) {
        PyObject* const item = PyUnicode_FromString(line.c_str());
        if (!item || PyList_Append(list, item) < 0) return nullptr;
        Py_DECREF(item);
    }
    return list;
}
