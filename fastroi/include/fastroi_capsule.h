/*
 * fastroi from another extension module, without linking to it.
 *
 * Include this instead of fastroi.h, call fastroi_import_capsule() once (in the module's init function), and from then
 * on every function of fastroi.h may be called under its own name, with or without the GIL: the names become macros that
 * go through a table of function pointers, which `import fastroi` carries in the capsule fastroi._core._C_API.
 * Each source file that calls has a pointer of its own, so each needs the import.
 */
#ifndef FASTROI_CAPSULE_H
#define FASTROI_CAPSULE_H

#include "fastroi.h"

/* Every function of fastroi.h, without its prefix. Append only: an extension built today must find its entries for ever. */
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
    ENTRY(roi_pool_rule_name)    \
    ENTRY(axis_ranges)           \
    ENTRY(roi_pool)              \
    ENTRY(roi_align)             \
    ENTRY(multiscale_roi_align)  \
    ENTRY(ps_roi_pool)           \
    ENTRY(ps_roi_align)          \
    ENTRY(roi_warp)              \
    ENTRY(prroi_pool)            \
    ENTRY(crop_and_resize)       \
    ENTRY(axis_taps)             \
    ENTRY(axis_points)           \
    ENTRY(roi_align_rotated)     \
    ENTRY(riroi_align_rotated)   \
    ENTRY(deform_roi_pool)       \
    ENTRY(deform_ps_roi_pool)    \
    ENTRY(paste_masks)           \
    ENTRY(crop_masks)

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

static const fastroi_functions *fastroi_table = NULL;

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
        PyErr_Format(PyExc_ImportError, "the installed fastroi (%s) is older than the one this extension was compiled with",
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
#define fastroi_roi_pool_rule_name (fastroi_table->roi_pool_rule_name)
#define fastroi_axis_ranges (fastroi_table->axis_ranges)
#define fastroi_roi_pool (fastroi_table->roi_pool)
#define fastroi_roi_align (fastroi_table->roi_align)
#define fastroi_multiscale_roi_align (fastroi_table->multiscale_roi_align)
#define fastroi_ps_roi_pool (fastroi_table->ps_roi_pool)
#define fastroi_ps_roi_align (fastroi_table->ps_roi_align)
#define fastroi_roi_warp (fastroi_table->roi_warp)
#define fastroi_prroi_pool (fastroi_table->prroi_pool)
#define fastroi_crop_and_resize (fastroi_table->crop_and_resize)
#define fastroi_axis_taps (fastroi_table->axis_taps)
#define fastroi_axis_points (fastroi_table->axis_points)
#define fastroi_roi_align_rotated (fastroi_table->roi_align_rotated)
#define fastroi_riroi_align_rotated (fastroi_table->riroi_align_rotated)
#define fastroi_deform_roi_pool (fastroi_table->deform_roi_pool)
#define fastroi_deform_ps_roi_pool (fastroi_table->deform_ps_roi_pool)
#define fastroi_paste_masks (fastroi_table->paste_masks)
#define fastroi_crop_masks (fastroi_table->crop_masks)

#endif /* FASTROI_TABLE_ONLY */
#endif
