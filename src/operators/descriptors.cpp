#include "descriptors.h"

#include <cmath>

#include "../kernels/dispatch.h"
#include "../plan/rules.h"
#include "../size.h"
#include "../threads.h"

namespace fastroi {
namespace {

constexpr int max_threads = 1024;

}  // namespace

fastroi_exec read_exec(const fastroi_exec* from) { return read_struct(from, fastroi_exec{}, "exec"); }

Execution read_execution(const fastroi_exec& exec, StopSign& stop) {
    if (exec.num_threads < 0 || exec.num_threads > max_threads)
        refuse(FASTROI_INVALID_VALUE, -1, "num_threads: %d is outside [0, %d]", exec.num_threads, max_threads);
    const KernelTable* kernels = exec.simd ? find_kernels(exec.simd) : active_kernels();
    if (!kernels) refuse(FASTROI_INVALID_VALUE, -1, "simd: '%.40s' is not supported here", exec.simd);
    if (exec.flow < FASTROI_POOL || exec.flow > FASTROI_CHECK_SHAPES)
        refuse(FASTROI_INVALID_VALUE, -1, "flow: unknown code %d", exec.flow);
    return {chosen_threads(exec.num_threads), kernels, exec.flow, &stop};
}

// Where nothing lies behind a first element any number may stand for a stride; kernels look ahead by some of them.
static int64_t stride_of(const fastroi_tensor& t, int axis) {
    constexpr int64_t longest = (int64_t)1 << 46;
    const bool is_of_no_use = t.shape[axis] <= 1 && (t.strides[axis] > longest || t.strides[axis] < -longest);
    return is_of_no_use ? 0 : t.strides[axis];
}

Tensor read_tensor(const fastroi_tensor* t, const char* name) {
    if (!t) refuse(FASTROI_INVALID_VALUE, -1, "%s: NULL", name);
    bool empty = false;
    for (int64_t extent : t->shape) {
        if (extent < 0) refuse(FASTROI_INVALID_VALUE, -1, "%s: extent %lld is negative", name, (long long)extent);
        empty = empty || extent == 0;
    }
    if (!t->data && !empty) refuse(FASTROI_INVALID_VALUE, -1, "%s: data is NULL", name);
    return {(unsigned char*)t->data, t->shape[0],      t->shape[1],      t->shape[2],     t->shape[3],
            stride_of(*t, 0),        stride_of(*t, 1), stride_of(*t, 2), stride_of(*t, 3)};
}

void check_span(const Tensor& t, const char* name) {
    const double span = (double)t.images * std::fabs((double)t.image_stride) +
                        (double)t.channels * std::fabs((double)t.channel_stride) +
                        (double)t.rows * std::fabs((double)t.row_stride) +
                        (double)t.columns * std::fabs((double)t.column_stride);
    const bool empty = t.images == 0 || t.channels == 0 || t.rows == 0 || t.columns == 0;
    if (empty || span < 0x1p62) return;
    refuse(FASTROI_OVERFLOW, -1, "%s: %lld x %lld x %lld x %lld with strides that span %g bytes", name,
           (long long)t.images, (long long)t.channels, (long long)t.rows, (long long)t.columns, span);
}

Element read_element(int32_t dtype, const char* name) {
    if (!is_element(dtype))
        refuse(FASTROI_INVALID_TYPE, -1, "%s: dtype code %d; a float, or an integer of 8 or 16 bits, required", name,
               dtype);
    return (Element)dtype;
}

Tensor read_features(const fastroi_tensor* features, int64_t roi_count) {
    const Tensor t = read_tensor(features, "features");
    read_element(features->dtype, "features");
    if (t.rows > max_bins || t.columns > max_bins)
        refuse(FASTROI_OVERFLOW, -1, "features: a map of %lld x %lld cells; an axis holds at most 2^31 - 1",
               (long long)t.rows, (long long)t.columns);
    if (roi_count > 0 && (t.rows == 0 || t.columns == 0))
        refuse(FASTROI_INVALID_VALUE, -1, "features: a map of %lld x %lld cells has nothing to pool", (long long)t.rows,
               (long long)t.columns);
    if (roi_count > 0 && t.images == 0)
        refuse(FASTROI_INVALID_VALUE, -1, "features: 0 images, but %lld rois", (long long)roi_count);
    check_span(t, "features");
    return t;
}

void check_dtype(const fastroi_tensor& t, int32_t dtype, const char* name) {
    if (t.dtype != dtype) refuse(FASTROI_INVALID_TYPE, -1, "%s: dtype code %d; %d required", name, t.dtype, dtype);
}

Tensor read_output(const fastroi_tensor* out, int64_t roi_count, int64_t channels, const char* name) {
    const Tensor t = read_tensor(out, name);
    if (t.images != roi_count || t.channels != channels)
        refuse(FASTROI_INVALID_VALUE, -1, "%s: shape (%lld, %lld, ...); (%lld, %lld, ...) required", name,
               (long long)t.images, (long long)t.channels, (long long)roi_count, (long long)channels);
    if (t.rows < 1 || t.columns < 1 || t.rows > max_bins || t.columns > max_bins)
        refuse(FASTROI_INVALID_VALUE, -1, "output_size: %lld x %lld; both must be in [1, 2^31 - 1]", (long long)t.rows,
               (long long)t.columns);
    product(product(product(t.images, t.channels, name), product(t.rows, t.columns, name), name), 8, name);
    check_span(t, name);
    return t;
}

void check_scale(double scale) {
    if (!(scale > 0) || std::isinf(scale))
        refuse(FASTROI_INVALID_VALUE, -1, "spatial_scale: %g; it must be positive and finite", scale);
}

}  // namespace fastroi
