// The C ABI: descriptors in, status out. Checks what needs no box, hands the rest down, and is the only place that catches.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <new>
#include <stdexcept>

#include "../fastroi/include/fastroi.h"
#include "dispatch.h"
#include "refusal.h"
#include "run.h"
#include "threads.h"

#ifndef FASTROI_VERSION
#define FASTROI_VERSION "unknown"
#endif

namespace fastroi {
namespace {

// RoIs planned and run at a time: bounds the memory of plans, not the size of a call.
constexpr int64_t rois_per_batch = 16384;
constexpr int64_t plan_entries_per_batch = 1 << 22;
constexpr int max_threads = 1024;

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

// The caller's versioned struct over the defaults: fields past its struct_size keep theirs.
template <class Struct>
Struct read_struct(const Struct* from, const Struct& defaults, const char* name) {
    Struct result = defaults;
    if (!from) return result;
    if (from->struct_size < sizeof(size_t) || from->struct_size > 4096)
        refuse(FASTROI_INVALID_VALUE, -1, "%s: struct_size %zu; set it to sizeof the struct", name, from->struct_size);
    memcpy(&result, from, from->struct_size < sizeof result ? from->struct_size : sizeof result);
    return result;
}

Execution read_execution(const fastroi_exec* from) {
    const fastroi_exec exec = read_struct(from, fastroi_exec{}, "exec");
    if (exec.num_threads < 0 || exec.num_threads > max_threads)
        refuse(FASTROI_INVALID_VALUE, -1, "num_threads: %d is outside [0, %d]", exec.num_threads, max_threads);
    const KernelTable* kernels = exec.simd ? find_kernels(exec.simd) : active_kernels();
    if (!kernels) refuse(FASTROI_INVALID_VALUE, -1, "simd: '%.40s' is not supported here", exec.simd);
    return {exec.num_threads ? exec.num_threads : default_threads(), kernels, exec.cancel, exec.cancel_context};
}

Tensor read_tensor(const fastroi_tensor* t, const char* name) {
    if (!t) refuse(FASTROI_INVALID_VALUE, -1, "%s: NULL", name);
    bool empty = false;
    for (int64_t extent : t->shape) {
        if (extent < 0) refuse(FASTROI_INVALID_VALUE, -1, "%s: extent %lld is negative", name, (long long)extent);
        empty = empty || extent == 0;
    }
    if (!t->data && !empty) refuse(FASTROI_INVALID_VALUE, -1, "%s: data is NULL", name);
    return {(unsigned char*)t->data, t->shape[0], t->shape[1], t->shape[2], t->shape[3],
            t->strides[0], t->strides[1], t->strides[2], t->strides[3]};
}

Tensor read_features(const fastroi_tensor* features, int64_t roi_count) {
    const Tensor t = read_tensor(features, "features");
    if (features->dtype != FASTROI_FLOAT32 && features->dtype != FASTROI_FLOAT64)
        refuse(FASTROI_INVALID_TYPE, -1, "features: dtype code %d; float32 or float64 required", features->dtype);
    if (t.rows > max_bins || t.columns > max_bins)
        refuse(FASTROI_OVERFLOW, -1, "features: a map of %lld x %lld cells; an axis holds at most 2^31 - 1",
               (long long)t.rows, (long long)t.columns);
    if (roi_count > 0 && (t.rows == 0 || t.columns == 0))
        refuse(FASTROI_INVALID_VALUE, -1, "features: a map of %lld x %lld cells has nothing to pool", (long long)t.rows,
               (long long)t.columns);
    if (roi_count > 0 && t.images == 0) refuse(FASTROI_INVALID_VALUE, -1, "features: 0 images, but %lld rois", (long long)roi_count);
    return t;
}

Tensor read_output(const fastroi_tensor* out, int32_t dtype, int64_t roi_count, int64_t channels, const char* name) {
    const Tensor t = read_tensor(out, name);
    if (out->dtype != dtype) refuse(FASTROI_INVALID_TYPE, -1, "%s: dtype code %d; %d required", name, out->dtype, dtype);
    if (t.images != roi_count || t.channels != channels)
        refuse(FASTROI_INVALID_VALUE, -1, "%s: shape (%lld, %lld, ...); (%lld, %lld, ...) required", name, (long long)t.images,
               (long long)t.channels, (long long)roi_count, (long long)channels);
    if (t.rows < 1 || t.columns < 1 || t.rows > max_bins || t.columns > max_bins)
        refuse(FASTROI_INVALID_VALUE, -1, "output_size: %lld x %lld; both must be in [1, 2^31 - 1]", (long long)t.rows,
               (long long)t.columns);
    product(product(product(t.images, t.channels, name), product(t.rows, t.columns, name), name), 8, name);
    return t;
}

void check_scale(double scale) {
    if (!(scale > 0) || std::isinf(scale))
        refuse(FASTROI_INVALID_VALUE, -1, "spatial_scale: %g; it must be positive and finite", scale);
}

RangeRule checked_rule(int32_t rule) {
    if (rule < 0 || rule >= range_rule_count) refuse(FASTROI_INVALID_VALUE, -1, "rule: unknown code %d", rule);
    return (RangeRule)rule;
}

int64_t batch_size(const Tensor& out) {
    const int64_t fitting = plan_entries_per_batch / (out.rows + out.columns);
    return fitting < 1 ? 1 : fitting < rois_per_batch ? fitting : rois_per_batch;
}

void roi_pool(const fastroi_tensor* features, const fastroi_boxes* boxes, const fastroi_roi_pool_params* params,
              const fastroi_tensor* out, const fastroi_tensor* argmax, const fastroi_exec* exec) {
    if (!boxes) refuse(FASTROI_INVALID_VALUE, -1, "rois: NULL");
    if (!params) refuse(FASTROI_INVALID_VALUE, -1, "params: NULL");
    const fastroi_roi_pool_params p = read_struct(params, fastroi_roi_pool_params{}, "params");
    const Execution execution = read_execution(exec);
    const Tensor map = read_features(features, boxes->count);
    const Tensor result = read_output(out, features->dtype, boxes->count, map.channels, "out");
    Tensor offsets{};
    if (argmax) {
        offsets = read_output(argmax, FASTROI_INT64, boxes->count, map.channels, "argmax");
        if (offsets.rows != result.rows || offsets.columns != result.columns)
            refuse(FASTROI_INVALID_VALUE, -1, "argmax: its shape differs from out's");
    }
    check_scale(p.scale_h);
    check_scale(p.scale_w);
    const RangeRule rule = checked_rule(p.rule);
    if (p.reduce != FASTROI_REDUCE_MAX && p.reduce != FASTROI_REDUCE_MEAN)
        refuse(FASTROI_INVALID_VALUE, -1, "reduce: unknown code %d", p.reduce);
    if (p.reduce == FASTROI_REDUCE_MEAN && argmax) refuse(FASTROI_INVALID_VALUE, -1, "argmax: a mean has none");

    const std::vector<Box> rois = read_boxes(*boxes, 4, map.images);
    if (map.channels == 0) return;  // no value to write, and no block of channels to divide the work by
    const int64_t step = batch_size(result);
    for (int64_t first = 0; first < (int64_t)rois.size(); first += step) {
        const int64_t count = std::min<int64_t>(step, (int64_t)rois.size() - first);
        const RangePlan plan(rule, rois.data(), first, count, {map.rows, map.columns}, {result.rows, result.columns},
                             p.scale_h, p.scale_w, usable_threads(execution.threads));
        const Job job{{map}, result, whole_window(result), execution};
        if (features->dtype == FASTROI_FLOAT32)
            run_max_ranges<float>(plan, job, offsets);
        else
            run_max_ranges<double>(plan, job, offsets);
    }
}

void axis_ranges(int32_t rule_code, double lo, double hi, double scale, int64_t bins, int64_t extent, double* interval,
                 int64_t* edges) {
    const RangeRule rule = checked_rule(rule_code);
    check_scale(scale);
    if (!std::isfinite(lo) || !std::isfinite(hi))
        refuse(FASTROI_INVALID_VALUE, -1, "box: [%g, %g]; coordinates must be finite", lo, hi);
    if (bins < 1 || bins > max_bins) refuse(FASTROI_INVALID_VALUE, -1, "output_size: %lld", (long long)bins);
    if (extent > max_bins) refuse(FASTROI_OVERFLOW, -1, "map_size: %lld", (long long)extent);
    const QuantisedAxis axis = quantise(rule, lo, hi, scale);
    interval[0] = axis.lo;
    interval[1] = axis.hi;
    for (int64_t p = 0; p < bins; p++) {
        CellRange r = axis.outside ? CellRange{0, 0} : range_of_bin(rule, axis, p, bins);
        if (extent >= 0) {
            const Range inside = clipped(r, extent);
            r = {inside.start, inside.end};
        }
        edges[2 * p] = r.start;
        edges[2 * p + 1] = r.end;
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
