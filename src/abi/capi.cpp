// The C ABI: every entry point hands down and translates a refusal into a status. The only place that catches one.
#include <cstring>
#include <new>
#include <stdexcept>

#include "../kernels/dispatch.h"
#include "../run/plan_listing.h"
#include "../refusal.h"
#include "../run/run.h"
#include "../run/stop_sign.h"
#include "../threads.h"
#include "operator_table.h"

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

// Not noexcept: the unwinding of a thread that its cancel callback ends passes through.
template <class Body>
fastroi_status guarded(fastroi_error* error, const Body& body) {
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

// Each part of the plan is run and forgotten.
class Pool : public Flow {
    void take(PlanPart part, const Job& job) override { pool(part, job); }
};

fastroi_plan checked_plan(const fastroi_plan* plan) {
    if (!plan || plan->struct_size < sizeof(fastroi_plan))
        refuse(FASTROI_INVALID_VALUE, -1, "plan: NULL, or struct_size is too small");
    if (plan->capacity < 0 || (plan->capacity > 0 && !plan->entries))
        refuse(FASTROI_INVALID_VALUE, -1, "plan: capacity %lld", (long long)plan->capacity);
    return {sizeof(fastroi_plan), plan->capacity, plan->entries, 0, 0};
}

void check_result(const void* result, const char* name) {
    if (!result) refuse(FASTROI_INVALID_VALUE, -1, "%s: NULL", name);
}

const char* name_of(const KernelTable* kernels) { return kernels ? kernels->name : nullptr; }

}  // namespace
}  // namespace fastroi

using namespace fastroi;

extern "C" {

fastroi_status fastroi_run(int32_t operator_code, const fastroi_tensor* features, const fastroi_boxes* boxes,
                           const void* params, const fastroi_tensor* out, const fastroi_exec* exec,
                           fastroi_error* error) {
    return guarded(error, [&] {
        const fastroi_exec execution = read_exec(exec);
        StopSign stop(execution.cancel, execution.cancel_context);
        Pool pool;
        run_operator(operator_code, {features, boxes, out, read_execution(execution, stop), pool}, params);
    });
}

fastroi_status fastroi_list_plan(int32_t operator_code, const fastroi_tensor* features, const fastroi_boxes* boxes,
                                 const void* params, const fastroi_tensor* out, const fastroi_exec* exec,
                                 fastroi_plan* plan, fastroi_error* error) {
    return guarded(error, [&] {
        if (!boxes || boxes->count != 1) refuse(FASTROI_INVALID_VALUE, -1, "rois: one box is listed at a time");
        fastroi_plan list = checked_plan(plan);
        const fastroi_exec execution = read_exec(exec);
        if (execution.flow != FASTROI_POOL)
            refuse(FASTROI_INVALID_VALUE, -1, "flow: %d; a list is of a call that pools", execution.flow);
        StopSign stop(execution.cancel, execution.cancel_context);
        PlanListing listing(list);
        run_operator(operator_code, {features, boxes, out, read_execution(execution, stop), listing}, params);
        plan->count = list.count;
        plan->reduce = list.reduce;
    });
}

#define FASTROI_DEFINE(name, fields, flags)                                                         \
    fastroi_status fastroi_##name(const fastroi_tensor* features, const fastroi_boxes* boxes,       \
                                  const fastroi_##name##_params* params, const fastroi_tensor* out, \
                                  const fastroi_exec* exec, fastroi_error* error) {                 \
        return fastroi_run(FASTROI_OPERATOR_##name, features, boxes, params, out, exec, error);     \
    }
FASTROI_OPERATORS(FASTROI_DEFINE)

const fastroi_element* fastroi_element_at(int32_t index) { return element_at(index); }
const fastroi_operator* fastroi_operator_at(int32_t operator_code) { return operator_at(operator_code); }

fastroi_status fastroi_axis_points(int32_t op, double lo, double hi, double scale, int64_t sampling_ratio, int64_t bins,
                                   int64_t extent, int64_t capacity, double interval[2], int64_t* grid, int64_t* bin,
                                   double* coordinate, double* weight, int64_t* count, fastroi_error* error) {
    return guarded(error, [&] {
        check_result(interval, "interval");
        check_result(grid, "grid");
        check_result(count, "count");
        if (capacity < 0) refuse(FASTROI_INVALID_VALUE, -1, "capacity: %lld", (long long)capacity);
        if (capacity > 0) {
            check_result(bin, "bin");
            check_result(coordinate, "coordinate");
            check_result(weight, "weight");
        }
        *count = axis_points(op, {lo, hi, scale, sampling_ratio, bins, extent}, capacity, interval, grid, bin,
                             coordinate, weight);
    });
}

fastroi_status fastroi_axis_ranges(int32_t rule, double lo, double hi, double scale, int64_t bins, int64_t extent,
                                   double interval[2], int64_t* edges, fastroi_error* error) {
    return guarded(error, [&] {
        check_result(interval, "interval");
        check_result(edges, "edges");
        axis_ranges(rule, {lo, hi, scale, 0, bins, extent}, interval, edges);
    });
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
int32_t fastroi_usable_threads(int32_t num_threads) { return usable_threads(chosen_threads(num_threads)); }
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
