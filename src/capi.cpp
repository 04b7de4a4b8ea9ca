// The C ABI: every entry point hands down and translates a refusal into a status. The only place that catches one.
#include <cstring>
#include <new>
#include <stdexcept>

#include "../fastroi/include/fastroi.h"
#include "dispatch.h"
#include "operators.h"
#include "plan/rules.h"
#include "refusal.h"
#include "threads.h"

#ifndef FASTROI_VERSION
#define FASTROI_VERSION "unknown"
#endif

namespace fastroi {
namespace {

void describe(fastroi_error* error, fastroi_status status, int64_t row, const char* message) {
    if (!error) return;
    error->status = status;
    error->row = row;
    strncpy(error->message, message, sizeof error->message - 1);
    error->message[sizeof error->message - 1] = '\0';
}

template <class Body>
fastroi_status guarded(fastroi_error* error, const Body& body) noexcept {
    try {
        body();
        describe(error, FASTROI_OK, -1, "");
        return FASTROI_OK;
    } catch (const Refusal& refusal) {
        describe(error, refusal.status, refusal.row, refusal.message);
        return refusal.status;
    } catch (const std::bad_alloc&) {
        describe(error, FASTROI_OUT_OF_MEMORY, -1, "not enough memory for the plan of this call");
        return FASTROI_OUT_OF_MEMORY;
    } catch (const std::length_error&) {
        describe(error, FASTROI_OVERFLOW, -1, "output_size: the plan of this call exceeds the address space");
        return FASTROI_OVERFLOW;
    }
}

constexpr const char* rule_names[range_rule_count] = {"floor", "fast_rcnn", "fast_rcnn_f32", "fast_rcnn_f64", "chainer",
                                                      "acl",   "mmcv",      "mnn",           "opencv"};

const char* name_of(const KernelTable* kernels) { return kernels ? kernels->name : nullptr; }

}  // namespace
}  // namespace fastroi

using namespace fastroi;

extern "C" {

fastroi_status fastroi_roi_pool(const fastroi_tensor* features, const fastroi_boxes* boxes,
                                const fastroi_roi_pool_params* params, const fastroi_tensor* out,
                                const fastroi_tensor* argmax, const fastroi_exec* exec, fastroi_error* error) {
    return guarded(error, [&] { roi_pool(features, boxes, params, out, argmax, exec); });
}

fastroi_status fastroi_roi_align(const fastroi_tensor* features, const fastroi_boxes* boxes, const fastroi_roi_align_params* params,
                           const fastroi_tensor* out, const fastroi_exec* exec, fastroi_error* error) {
    return guarded(error, [&] { roi_align(features, boxes, params, out, exec); });
}

fastroi_status fastroi_ps_roi_pool(const fastroi_tensor* features, const fastroi_boxes* boxes, const fastroi_ps_roi_pool_params* params,
                           const fastroi_tensor* out, const fastroi_exec* exec, fastroi_error* error) {
    return guarded(error, [&] { ps_roi_pool(features, boxes, params, out, exec); });
}

fastroi_status fastroi_ps_roi_align(const fastroi_tensor* features, const fastroi_boxes* boxes, const fastroi_ps_roi_align_params* params,
                           const fastroi_tensor* out, const fastroi_exec* exec, fastroi_error* error) {
    return guarded(error, [&] { ps_roi_align(features, boxes, params, out, exec); });
}

fastroi_status fastroi_roi_warp(const fastroi_tensor* features, const fastroi_boxes* boxes, const fastroi_scale_params* params,
                           const fastroi_tensor* out, const fastroi_exec* exec, fastroi_error* error) {
    return guarded(error, [&] { roi_warp(features, boxes, params, out, exec); });
}

fastroi_status fastroi_prroi_pool(const fastroi_tensor* features, const fastroi_boxes* boxes, const fastroi_scale_params* params,
                           const fastroi_tensor* out, const fastroi_exec* exec, fastroi_error* error) {
    return guarded(error, [&] { prroi_pool(features, boxes, params, out, exec); });
}

fastroi_status fastroi_crop_and_resize(const fastroi_tensor* features, const fastroi_boxes* boxes, const fastroi_crop_params* params,
                           const fastroi_tensor* out, const fastroi_exec* exec, fastroi_error* error) {
    return guarded(error, [&] { crop_and_resize(features, boxes, params, out, exec); });
}

fastroi_status fastroi_multiscale_roi_align(const fastroi_tensor* features, const double* scales, int32_t levels,
                                            const fastroi_boxes* boxes, const int64_t* level_of_roi,
                                            const fastroi_roi_align_params* params, const fastroi_tensor* out,
                                            const fastroi_exec* exec, fastroi_error* error) {
    return guarded(error, [&] { multiscale_roi_align(features, scales, levels, boxes, level_of_roi, params, out, exec); });
}

fastroi_status fastroi_roi_align_rotated(const fastroi_tensor* features, const fastroi_boxes* boxes,
                                           const fastroi_rotated_params* params, const fastroi_tensor* out, const fastroi_exec* exec,
                                           fastroi_error* error) {
    return guarded(error, [&] { roi_align_rotated(features, boxes, params, out, exec); });
}

fastroi_status fastroi_riroi_align_rotated(const fastroi_tensor* features, const fastroi_boxes* boxes,
                                           const fastroi_riroi_params* params, const fastroi_tensor* out, const fastroi_exec* exec,
                                           fastroi_error* error) {
    return guarded(error, [&] { riroi_align_rotated(features, boxes, params, out, exec); });
}

fastroi_status fastroi_deform_roi_pool(const fastroi_tensor* features, const fastroi_boxes* boxes, const fastroi_tensor* offset,
                                           const fastroi_deform_roi_pool_params* params, const fastroi_tensor* out, const fastroi_exec* exec,
                                           fastroi_error* error) {
    return guarded(error, [&] { deform_roi_pool(features, boxes, offset, params, out, exec); });
}

fastroi_status fastroi_deform_ps_roi_pool(const fastroi_tensor* features, const fastroi_boxes* boxes, const fastroi_tensor* trans,
                                           const fastroi_deform_ps_roi_pool_params* params, const fastroi_tensor* out, const fastroi_exec* exec,
                                           fastroi_error* error) {
    return guarded(error, [&] { deform_ps_roi_pool(features, boxes, trans, params, out, exec); });
}

fastroi_status fastroi_paste_masks(const fastroi_tensor* masks, const fastroi_boxes* boxes, const fastroi_paste_masks_params* params,
                                   const fastroi_tensor* out, const fastroi_exec* exec, fastroi_error* error) {
    return guarded(error, [&] { paste_masks(masks, boxes, params, out, exec); });
}

fastroi_status fastroi_crop_masks(const fastroi_tensor* masks, const fastroi_boxes* boxes, const fastroi_crop_masks_params* params,
                                   const fastroi_tensor* out, const fastroi_exec* exec, fastroi_error* error) {
    return guarded(error, [&] { crop_masks(masks, boxes, params, out, exec); });
}

fastroi_status fastroi_axis_taps(int32_t op, double lo, double hi, double scale, int64_t sampling_ratio, int64_t bins,
                                 int64_t extent, int64_t capacity, int64_t* bin, int64_t* cell, double* weight, int64_t* count,
                                 fastroi_error* error) {
    return guarded(error, [&] { *count = axis_taps(op, lo, hi, scale, sampling_ratio, bins, extent, capacity, bin, cell, weight); });
}

fastroi_status fastroi_axis_points(int32_t op, double lo, double hi, double scale, int64_t sampling_ratio, int64_t bins,
                                   int64_t extent, int64_t capacity, double interval[2], int64_t* grid, int64_t* bin,
                                   double* coordinate, double* weight, int64_t* count, fastroi_error* error) {
    return guarded(error, [&] {
        *count = axis_points(op, lo, hi, scale, sampling_ratio, bins, extent, capacity, interval, grid, bin, coordinate, weight);
    });
}

fastroi_status fastroi_axis_ranges(int32_t rule, double lo, double hi, double scale, int64_t bins, int64_t extent,
                                   double interval[2], int64_t* edges, fastroi_error* error) {
    return guarded(error, [&] { axis_ranges(rule, lo, hi, scale, bins, extent, interval, edges); });
}

const char* fastroi_roi_pool_rule_name(int32_t rule) {
    return rule >= 0 && rule < range_rule_count ? rule_names[rule] : nullptr;
}

const char* fastroi_version(void) { return FASTROI_VERSION; }
int32_t fastroi_abi_version(void) { return FASTROI_ABI_VERSION; }
const char* fastroi_simd_compiled(int32_t index) { return name_of(compiled_kernels(index)); }
const char* fastroi_simd_supported(int32_t index) { return name_of(supported_kernels(index)); }
const char* fastroi_simd_active(void) { return active_kernels()->name; }

fastroi_status fastroi_simd_activate(const char* name, fastroi_error* error) {
    return guarded(error, [&] {
        const KernelTable* kernels = name ? find_kernels(name) : nullptr;
        if (!kernels) refuse(FASTROI_INVALID_VALUE, -1, "simd: '%.40s' is not supported here", name ? name : "NULL");
        activate_kernels(kernels);
    });
}

int32_t fastroi_default_threads(void) { return default_threads(); }
int32_t fastroi_has_openmp(void) { return has_openmp(); }

const char* fastroi_compiler(void) {
#if defined(__clang__)
    return "clang " __clang_version__;
#elif defined(__GNUC__)
    return "gcc " __VERSION__;
#else
    return "unknown";
#endif
}

}  // extern "C"
