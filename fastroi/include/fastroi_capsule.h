/*
 * fastroi from another extension module, without linking to it.
 *
 * Include this instead of fastroi.h, call fastroi_import_capsule() once (in the module's init function), and from then
 * on every function of fastroi.h may be called under its own name, with or without the GIL: the names go through a table of
 * function pointers, which `import fastroi` carries in the capsule fastroi._core._C_API.
 * One import serves all source files that are linked together. Before it, functions that return a status return
 * FASTROI_INVALID_VALUE with a message that names the import, text is "not imported", pointers are NULL, numbers are 0.
 */
#ifndef FASTROI_CAPSULE_H
#define FASTROI_CAPSULE_H

#if defined(FASTROI_H) && !defined(FASTROI_NO_PROTOTYPES)
#error "include fastroi_capsule.h in place of fastroi.h, not after it"
#endif
#ifndef FASTROI_NO_PROTOTYPES
#define FASTROI_NO_PROTOTYPES
#endif
#include "fastroi.h"

/*
 * Every function of fastroi.h but the operators, without its prefix. Append only: an extension built today must find its entries
 * for ever. Operators go through `run`: a new one does not change the table.
 */
#define FASTROI_FUNCTIONS(ENTRY) \
    ENTRY(version)               \
    ENTRY(abi_version)           \
    ENTRY(compiler)              \
    ENTRY(has_openmp)            \
    ENTRY(default_threads)       \
    ENTRY(simd_compiled)         \
    ENTRY(simd_supported)        \
    ENTRY(simd_active)           \
    ENTRY(simd_activate)         \
    ENTRY(operator_at)           \
    ENTRY(run)                   \
    ENTRY(list_plan)             \
    ENTRY(axis_ranges)           \
    ENTRY(axis_points)           \
    ENTRY(usable_threads)        \
    ENTRY(element_at)

#define FASTROI_TABLE_MEMBER(name) __typeof__(fastroi_##name) *name;
typedef struct fastroi_functions {
    size_t struct_size; /* of the table in the installed library */
    int32_t table_abi;  /* its FASTROI_ABI_VERSION */
    FASTROI_FUNCTIONS(FASTROI_TABLE_MEMBER)
} fastroi_functions;
#undef FASTROI_TABLE_MEMBER

#define FASTROI_CAPSULE_NAME "fastroi._core._C_API"

/* The library's own source file, which fills the table, stops here. */
#ifndef FASTROI_TABLE_ONLY

#include <Python.h>

/* What the functions do before the import. */
static inline fastroi_status fastroi_refuse_unimported(fastroi_error *error) {
    const char *message = "call fastroi_import_capsule() first, in the init function of this extension module";
    size_t i = 0;
    if (!error) return FASTROI_INVALID_VALUE;
    error->status = FASTROI_INVALID_VALUE;
    error->row = -1;
    do error->message[i] = message[i];
    while (message[i++]);
    return FASTROI_INVALID_VALUE;
}
static inline const char *fastroi_unimported_version(void) { return "not imported"; }
static inline int32_t fastroi_unimported_abi_version(void) { return 0; }
static inline const char *fastroi_unimported_compiler(void) { return "not imported"; }
static inline int32_t fastroi_unimported_has_openmp(void) { return 0; }
static inline int32_t fastroi_unimported_default_threads(void) { return 0; }
static inline const char *fastroi_unimported_simd_compiled(int32_t index) { return (void)index, (const char *)NULL; }
static inline const char *fastroi_unimported_simd_supported(int32_t index) { return (void)index, (const char *)NULL; }
static inline const char *fastroi_unimported_simd_active(void) { return "not imported"; }
static inline fastroi_status fastroi_unimported_simd_activate(const char *name, fastroi_error *error) {
    return (void)name, fastroi_refuse_unimported(error);
}
static inline const fastroi_operator *fastroi_unimported_operator_at(int32_t operator_code) {
    return (void)operator_code, (const fastroi_operator *)NULL;
}
static inline fastroi_status fastroi_unimported_run(int32_t operator_code, const fastroi_tensor *features,
                                                    const fastroi_boxes *boxes, const void *params,
                                                    const fastroi_tensor *out, const fastroi_exec *exec,
                                                    fastroi_error *error) {
    (void)operator_code, (void)features, (void)boxes, (void)params, (void)out, (void)exec;
    return fastroi_refuse_unimported(error);
}
static inline fastroi_status fastroi_unimported_list_plan(int32_t operator_code, const fastroi_tensor *features,
                                                          const fastroi_boxes *boxes, const void *params,
                                                          const fastroi_tensor *out, const fastroi_exec *exec,
                                                          fastroi_plan *plan, fastroi_error *error) {
    (void)operator_code, (void)features, (void)boxes, (void)params, (void)out, (void)exec, (void)plan;
    return fastroi_refuse_unimported(error);
}
static inline fastroi_status fastroi_unimported_axis_ranges(int32_t rule, double lo, double hi, double scale,
                                                            int64_t bins, int64_t extent, double interval[2],
                                                            int64_t *edges, fastroi_error *error) {
    (void)rule, (void)lo, (void)hi, (void)scale, (void)bins, (void)extent, (void)interval, (void)edges;
    return fastroi_refuse_unimported(error);
}
static inline fastroi_status fastroi_unimported_axis_points(int32_t op, double lo, double hi, double scale,
                                                            int64_t sampling_ratio, int64_t bins, int64_t extent,
                                                            int64_t capacity, double interval[2], int64_t *grid,
                                                            int64_t *bin, double *coordinate, double *weight,
                                                            int64_t *count, fastroi_error *error) {
    (void)op, (void)lo, (void)hi, (void)scale, (void)sampling_ratio, (void)bins, (void)extent, (void)capacity;
    (void)interval, (void)grid, (void)bin, (void)coordinate, (void)weight, (void)count;
    return fastroi_refuse_unimported(error);
}
static inline int32_t fastroi_unimported_usable_threads(int32_t num_threads) { return (void)num_threads, 0; }
static inline const fastroi_element *fastroi_unimported_element_at(int32_t index) {
    return (void)index, (const fastroi_element *)NULL;
}

/* Declared in every source file, it is one variable of the extension, and of no other. */
#if defined(_WIN32)
#define FASTROI_ONE_OF_ALL __declspec(selectany)
#else
#define FASTROI_ONE_OF_ALL __attribute__((weak, visibility("hidden")))
#endif

#define FASTROI_UNIMPORTED(name) fastroi_unimported_##name,
static const fastroi_functions fastroi_unimported = {sizeof(fastroi_functions), 0,
                                                     FASTROI_FUNCTIONS(FASTROI_UNIMPORTED)};
#undef FASTROI_UNIMPORTED

#ifdef __cplusplus
extern "C" {
#endif
FASTROI_ONE_OF_ALL const fastroi_functions *fastroi_table = &fastroi_unimported;
#ifdef __cplusplus
}
#endif
#undef FASTROI_ONE_OF_ALL

/* 0, or -1 with ImportError set: no fastroi, another ABI, or a fastroi older than the header compiled against. */
static inline int fastroi_import_capsule(void) {
    const fastroi_functions *table = (const fastroi_functions *)PyCapsule_Import(FASTROI_CAPSULE_NAME, 0);
    if (!table) return -1;
    if (table->table_abi != FASTROI_ABI_VERSION) {
        PyErr_Format(PyExc_ImportError, "the installed fastroi has ABI version %d, this extension was compiled for %d",
                     (int)table->table_abi, (int)FASTROI_ABI_VERSION);
        return -1;
    }
    if (table->struct_size < sizeof(fastroi_functions)) {
        PyErr_Format(PyExc_ImportError,
                     "the installed fastroi (%s) is older than the one this extension was compiled with",
                     table->version());
        return -1;
    }
    fastroi_table = table;
    return 0;
}

#define fastroi_version (fastroi_table->version)
#define fastroi_abi_version (fastroi_table->abi_version)
#define fastroi_compiler (fastroi_table->compiler)
#define fastroi_has_openmp (fastroi_table->has_openmp)
#define fastroi_default_threads (fastroi_table->default_threads)
#define fastroi_simd_compiled (fastroi_table->simd_compiled)
#define fastroi_simd_supported (fastroi_table->simd_supported)
#define fastroi_simd_active (fastroi_table->simd_active)
#define fastroi_simd_activate (fastroi_table->simd_activate)
#define fastroi_operator_at (fastroi_table->operator_at)
#define fastroi_run (fastroi_table->run)
#define fastroi_list_plan (fastroi_table->list_plan)
#define fastroi_axis_ranges (fastroi_table->axis_ranges)
#define fastroi_axis_points (fastroi_table->axis_points)
#define fastroi_usable_threads (fastroi_table->usable_threads)
#define fastroi_element_at (fastroi_table->element_at)

#define FASTROI_THROUGH_TABLE(name, fields, flags)                                                                \
    static inline fastroi_status fastroi_##name(const fastroi_tensor *features, const fastroi_boxes *boxes,       \
                                                const fastroi_##name##_params *params, const fastroi_tensor *out, \
                                                const fastroi_exec *exec, fastroi_error *error) {                 \
        return fastroi_run(FASTROI_OPERATOR_##name, features, boxes, params, out, exec, error);                   \
    }
FASTROI_OPERATORS(FASTROI_THROUGH_TABLE)
#undef FASTROI_THROUGH_TABLE

#endif /* FASTROI_TABLE_ONLY */
#endif
