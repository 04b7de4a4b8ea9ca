// The operators on a GPU: plans by the CPU's own rules, one block per RoI, then one kernel family each for maxima, sums, sample
// points and gathered cells; masks have kernels of their own. This text and the rule headers are joined and compiled once per device and
// element type (FASTROI_ELEMENT: 0 float32, 1 float64, 2 float16, 3 bfloat16); the tests compile the same text as C++.
//
// Contraction is off (--fmad=false) and fused products are written, so that values equal those of the CPU's fused tiers.
// Every value of a result is computed by one thread in one order: no atomics, the same bits in every run.
#ifdef __CUDACC_RTC__
typedef int int32_t;
typedef unsigned int uint32_t;
typedef unsigned char uint8_t;
typedef unsigned short uint16_t;
typedef long long int64_t;
typedef unsigned long long uint64_t;
#define __builtin_inf() 1.7976931348623157e308  // NVRTC has none; no finite extent is beyond this either
#else
#include <stdint.h>
#endif

#include "tap_rules.h"
#include "ps_rules.h"
#include "gather_rules.h"
#include "mask_rules.h"

namespace fastroi {

// --- what the host passes --------------------------------------------------------------------------------------------

constexpr int max_levels = 16;

// A map in any layout; strides in elements.
struct Level {
    const void* data;
    int64_t image_stride, channel_stride, row_stride, column_stride;
    int64_t rows, columns;
    double scale_h, scale_w;
};

// One RoI after planning. image < 0: refused, its result is zero.
struct PlannedRoi {
    int64_t image, level, y_length, x_length;  // cells of all bins of an axis, taps where it has taps
    int64_t x_start, x_end;                    // hull of the touched columns
};

// Everything of a launch. 8-byte fields only, so that the host can lay it out without knowing a compiler's padding.
struct Launch {
    int64_t first, count;  // RoIs of the tables in this launch

    const void* boxes;
    int64_t boxes_are_double, box_columns, box_numbers, box_row_stride, box_column_stride;  // 4 numbers a box, 5 with an angle
    const int64_t* batch_indices;  // or null
    int64_t batch_stride, one_image_each;  // box k belongs to image k
    const int64_t* levels_of_rois;  // or null
    int64_t level_stride;
    int64_t images, level_count;
    uint64_t* error;

    PlannedRoi* planned;
    int32_t *y_first, *x_first;  // bins + 1 each; of a gathering operator how many items each bin has; ranges have none
    void *y_items, *x_items;     // ranges, taps, samples or cells
    int32_t *y_absent, *x_absent;
    int64_t y_capacity, x_capacity;

    void* out;
    int64_t* argmax;  // or null
    int64_t out_strides[4], argmax_strides[4];
    int64_t channels, bins_h, bins_w;
    int64_t first_bin, planned_bins;      // of each RoI in this launch
    int64_t group_h, group_w, bin_major;  // group_h 0: every bin reads the channel of its own number

    int64_t rule, arithmetic_is_float, coordinates;
    int64_t sampling_h, sampling_w;
    double outside;
    int64_t mean;
    int64_t corners, absent_is_zero, from_zero;

    int64_t aligned, clockwise, degrees, orientations;  // of boxes with an angle
    const void* offsets;                                // of moved bins, or null: (RoI, 2 * class, part row, part column)
    int64_t offsets_are_double, offset_strides[4];
    int64_t classes, part_h, part_w, samples;
    double movement;
    int64_t mask_code, out_code;  // MaskCode
    double threshold;
    void* scratch;  // of bins whose cells do not fit into shared memory
    int64_t scratch_cells;

    int64_t channel_block, slices, shared_items, channels_fastest;  // shared_items of paste_masks: the rows of a block
    int64_t staged;  // wide kernels: results go through shared memory into a contiguous channels-first array
    int64_t way;         // 0, or the Way that the kernel is part of: it does nothing where another was chosen
    int64_t* choice;     // a Way
    int64_t many_cells;  // of a RoI, from which on planes are worth keeping
    const void* source;  // of pack the map, of mix the result that is not mixed yet
    int64_t source_strides[4];
    Level levels[max_levels];
};

// --- element types ---------------------------------------------------------------------------------------------------

struct Float16 {
    uint16_t bits;
};
struct Bfloat16 {
    uint16_t bits;
};

#ifndef FASTROI_CUDA_SHIM
__device__ inline float float_of_half_bits(uint16_t bits) {
    float v;
    asm("cvt.f32.f16 %0, %1;" : "=f"(v) : "h"(bits));
    return v;
}
__device__ inline uint16_t half_bits_of_float(float v) {
    uint16_t bits;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(v));
    return bits;
}

// The same pointer, which the compiler no longer takes apart: an access at 32 bits behind it costs one instruction.
template <class T>
__device__ inline const T* opaque(const T* p) {
    asm("" : "+l"(p));
    return p;
}

// One access each: the compiler splits assignments.
__device__ inline void put(uint2* to, uint2 v) { asm volatile("st.global.v2.u32 [%0], {%1, %2};" : : "l"(to), "r"(v.x), "r"(v.y)); }
__device__ inline void put(uint4* to, uint4 v) {
    asm volatile("st.global.v4.u32 [%0], {%1, %2, %3, %4};" : : "l"(to), "r"(v.x), "r"(v.y), "r"(v.z), "r"(v.w));
}
#endif
template <class Word>
__device__ inline void put(Word* to, Word v) {
    *to = v;
}

__device__ inline float widened(float v) { return v; }
__device__ inline double widened(double v) { return v; }
__device__ inline float widened(Float16 v) { return float_of_half_bits(v.bits); }
__device__ inline float widened(Bfloat16 v) { return __uint_as_float((uint32_t)v.bits << 16); }

template <class T>
struct SumType {
    using type = float;
};
template <>
struct SumType<double> {
    using type = double;
};
template <class T>
using Sum = typename SumType<T>::type;

template <class T>
__device__ inline T narrowed(Sum<T> v) {
    return v;
}
template <>
__device__ inline Float16 narrowed<Float16>(float v) {
    return {half_bits_of_float(v)};
}
template <>
__device__ inline Bfloat16 narrowed<Bfloat16>(float v) {
    const uint32_t bits = __float_as_uint(v);
    if (v != v) return {(uint16_t)(bits >> 16 | 64)};
    return {(uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16)};
}

__device__ inline float fused(float a, float b, float c) { return fmaf(a, b, c); }
__device__ inline double fused(double a, double b, double c) { return fma(a, b, c); }
__device__ inline float divided(float a, float b) { return a / b; }
__device__ inline double divided(double a, double b) { return a / b; }

// NaN in `candidate` leaves `best`.
__device__ inline float raised(float best, float candidate) { return fmaxf(best, candidate); }
__device__ inline double raised(double best, double candidate) { return fmax(best, candidate); }

template <class A>
__device__ inline A minus_infinity() {
    return -(A)__int_as_float(0x7f800000);
}

// What a sum starts from: a fused product added to a negative zero is the product, sign and all.
template <class A>
constexpr A no_sum = -(A)0;

template <class A, int V>
__device__ inline void set_all(A (&values)[V], A value) {
#pragma unroll
    for (int c = 0; c < V; c++) values[c] = value;
}

template <class A, int V>
__device__ inline void add_product(A (&sum)[V], A weight, const A (&v)[V]) {
#pragma unroll
    for (int c = 0; c < V; c++) sum[c] = fused(weight, v[c], sum[c]);
}

// V consecutive channels, moved in one access of V * sizeof(T) bytes.
template <class T, int V>
struct alignas(V * sizeof(T)) Pack {
    T v[V];
};

// The built-in type of so many bytes.
template <int bytes>
struct Access;
template <>
struct Access<2> {
    using Type = uint16_t;
};
template <>
struct Access<4> {
    using Type = uint32_t;
};
template <>
struct Access<8> {
    using Type = uint2;
};
template <>
struct Access<16> {
    using Type = uint4;
};

// From global memory that no thread of the kernel writes.
template <class Value>
__device__ inline Value loaded(const Value* from) {
    using Word = typename Access<sizeof(Value)>::Type;
    const Word word = __ldg((const Word*)from);
    Value value;
    memcpy(&value, &word, sizeof value);
    return value;
}

// To global memory.
template <class Value>
__device__ inline void stored(Value* to, const Value& value) {
    using Word = typename Access<sizeof(Value)>::Type;
    Word word;
    memcpy(&word, &value, sizeof word);
    put((Word*)to, word);
}

template <class T, int V>
__device__ inline void load(const T* from, Sum<T> (&to)[V]) {
    const Pack<T, V> pack = loaded((const Pack<T, V>*)from);
#pragma unroll
    for (int i = 0; i < V; i++) to[i] = widened(pack.v[i]);
}

template <class T, int V>
__device__ inline void store(T* to, const Sum<T> (&from)[V]) {
    Pack<T, V> pack;
#pragma unroll
    for (int i = 0; i < V; i++) pack.v[i] = narrowed<T>(from[i]);
    stored((Pack<T, V>*)to, pack);
}

// --- reading boxes ---------------------------------------------------------------------------------------------------

// The error word is (row << 8 | code), the smallest of the call: which row is reported does not depend on timing.
enum ErrorCode : int32_t {
    error_coordinate = 1,  // 1..4: x1, y1, x2, y2
    error_fraction = 5,
    error_image = 6,
    error_level = 7,
    error_capacity = 8,
    error_batch_index = 9,
    error_rotated_coordinate = 10,  // 10..14: cx, cy, w, h, angle
    error_offset = 15,
    error_trans = 16,
};

__device__ inline void report(const Launch& launch, int64_t row, int code) {
    atomicMin((unsigned long long*)launch.error, (unsigned long long)row << 8 | (unsigned long long)code);
}

struct RoiBox {
    double number[5];  // x1, y1, x2, y2, or cx, cy, w, h, angle
    int64_t image, level;  // image < 0: refused
};

// The interval of a box on one axis.
__device__ inline double low_side(const RoiBox& box, bool is_y) { return box.number[is_y]; }
__device__ inline double high_side(const RoiBox& box, bool is_y) { return box.number[2 + is_y]; }

__device__ inline double box_number(const Launch& launch, int64_t row, int64_t column) {
    const int64_t at = row * launch.box_row_stride + column * launch.box_column_stride;
    return launch.boxes_are_double ? ((const double*)launch.boxes)[at] : (double)((const float*)launch.boxes)[at];
}

// Every thread of the block reads the box; only one of them reports.
__device__ inline RoiBox read_box(const Launch& launch, int64_t row) {
    const int64_t skipped = launch.box_columns - launch.box_numbers;
    const int first_error = launch.box_numbers == 5 ? error_rotated_coordinate : error_coordinate;
    RoiBox box = {};
    int code = 0;
#pragma unroll
    for (int i = 0; i < 5; i++) {
        if (i == launch.box_numbers) break;
        box.number[i] = box_number(launch, row, i + skipped);
        if (!is_finite(box.number[i]) && code == 0) code = first_error + i;
    }
    int64_t &image = box.image, &level = box.level;
    if (skipped) {
        const double number = box_number(launch, row, 0);
        if (code == 0 && (!is_finite(number) || FASTROI_FLOOR(number) != number)) code = error_fraction;
        if (code == 0 && (number < 0 || number >= (double)launch.images)) code = error_image;
        image = code == 0 ? (int64_t)number : 0;
    } else if (launch.batch_indices) {
        image = launch.batch_indices[row * launch.batch_stride];
        if (code == 0 && (image < 0 || image >= launch.images)) code = error_batch_index;
    } else if (launch.one_image_each) {
        image = row;
    }
    if (launch.levels_of_rois) {
        level = launch.levels_of_rois[row * launch.level_stride];
        if (code == 0 && (level < 0 || level >= launch.level_count)) code = error_level;
    }
    if (code == 0) return box;
    if (threadIdx.x == 0) report(launch, row, code);
    return {{}, -1, 0};
}

// --- plans -----------------------------------------------------------------------------------------------------------

struct alignas(16) SharedWords {
    uint32_t words[4];
};
extern __shared__ SharedWords dynamic_shared[];

__device__ inline bool no_cells(Range r) { return r.end <= r.start; }

__device__ inline Range planned_range(const Launch& launch, double lo, double hi, double scale, int64_t p, int64_t bins,
                                      int64_t extent) {
    const RangeRule rule = (RangeRule)launch.rule;
    const QuantisedAxis axis = quantise(rule, lo, hi, scale);
    return axis.outside ? Range{0, 0} : clipped(range_of_bin(rule, axis, p, bins), extent);
}

__device__ inline void plan_ranges(const Launch& launch) {
    const int64_t k = blockIdx.x, row = launch.first + k;
    const RoiBox box = read_box(launch, row);
    PlannedRoi roi = {box.image, box.level, 0, 0, 0, 0};
    if (box.image >= 0) {
        const Level& map = launch.levels[box.level];
        Range* const y = (Range*)launch.y_items + k * launch.bins_h;
        Range* const x = (Range*)launch.x_items + k * launch.bins_w;
        for (int64_t p = threadIdx.x; p < launch.bins_h; p += blockDim.x)
            y[p] = planned_range(launch, low_side(box, true), high_side(box, true), map.scale_h, p, launch.bins_h, map.rows);
        for (int64_t p = threadIdx.x; p < launch.bins_w; p += blockDim.x)
            x[p] = planned_range(launch, low_side(box, false), high_side(box, false), map.scale_w, p, launch.bins_w, map.columns);
        __syncthreads();
        if (threadIdx.x == 0) {
            for (int64_t p = 0; p < launch.bins_h; p++)
                if (!no_cells(y[p])) roi.y_length += y[p].end - y[p].start;
            for (int64_t p = 0; p < launch.bins_w; p++) {
                if (no_cells(x[p])) continue;
                roi.x_length += x[p].end - x[p].start;
                if (roi.x_end == 0 || x[p].start < roi.x_start) roi.x_start = x[p].start;
                if (x[p].end > roi.x_end) roi.x_end = x[p].end;
            }
        }
    }
    if (threadIdx.x == 0) launch.planned[k] = roi;
}

template <class A>
struct Tap {
    int32_t index;
    A weight;
};

enum TapRule : int64_t { tap_range_mean, tap_align, tap_ps_mean, tap_warp, tap_precise, tap_crop, tap_crop_nearest };

// Calls use(taps) with the rule's callable taps(bin, sink).
template <class Use>
__device__ inline void with_axis_taps(const Launch& launch, int64_t kind, double lo, double hi, double scale, int64_t bins,
                                      int64_t extent, int64_t sampling, Use&& use) {
    switch (kind) {
        case tap_range_mean:
            return use([&](int64_t p, auto&& sink) {
                range_mean_taps(planned_range(launch, lo, hi, scale, p, bins, extent), sink);
            });
        case tap_align: {
            const AlignRule rule = align_rule((int32_t)launch.coordinates);
            if (launch.arithmetic_is_float) {
                const AlignAxis<float> axis = align_axis<float>(rule, lo, hi, scale, bins, sampling);
                return use([&](int64_t p, auto&& sink) { align_taps(axis, p, extent, sink); });
            }
            const AlignAxis<double> axis = align_axis<double>(rule, lo, hi, scale, bins, sampling);
            return use([&](int64_t p, auto&& sink) { align_taps(axis, p, extent, sink); });
        }
        case tap_ps_mean: {
            const PsRule rule = (PsRule)launch.rule;
            if (launch.arithmetic_is_float) {
                const PsAxis<float> axis = ps_axis<float>(rule, lo, hi, scale, bins);
                return use([&](int64_t p, auto&& sink) {
                    if (!axis.outside) range_mean_taps(ps_bin(rule, axis, p, extent), sink);
                });
            }
            const PsAxis<double> axis = ps_axis<double>(rule, lo, hi, scale, bins);
            return use([&](int64_t p, auto&& sink) {
                if (!axis.outside) range_mean_taps(ps_bin(rule, axis, p, extent), sink);
            });
        }
        case tap_warp: {
            const WarpAxis axis = warp_axis(lo, hi, scale, bins);
            return use([&](int64_t p, auto&& sink) { warp_taps(axis, p, extent, sink); });
        }
        case tap_precise: {
            const PreciseAxis axis = precise_axis(lo, hi, scale, bins);
            return use([&](int64_t p, auto&& sink) { precise_taps(axis, p, extent, sink); });
        }
        default: {
            const CropAxis axis = crop_axis(lo, hi, bins, extent);
            return use([&](int64_t p, auto&& sink) {
                if (kind == tap_crop_nearest)
                    crop_nearest_taps(axis, p, extent, sink);
                else
                    crop_bilinear_taps(axis, p, extent, sink);
            });
        }
    }
}

// Where a block lists the items of one axis: bins in parallel, each counted first, so that they end up packed and in order.
// visit(p, emit) emits bin p. Returns the number of items; beyond `capacity` nothing is written.
template <class Item, class Visit>
__device__ inline int64_t list_items(int64_t bins, int64_t capacity, int32_t* first, Item* items, Visit&& visit) {
    int64_t* const counts = (int64_t*)dynamic_shared;
    int64_t base = 0;
    for (int64_t block = 0; block < bins; block += blockDim.x) {
        const int64_t p = block + threadIdx.x;
        const int64_t threads = bins - block < blockDim.x ? bins - block : blockDim.x;
        int64_t count = 0;
        if (p < bins) visit(p, [&](const Item&) { count++; });
        __syncthreads();
        counts[threadIdx.x] = count;
        __syncthreads();
        int64_t position = base;
        for (int64_t t = 0; t < threads; t++) {
            if (t < (int64_t)threadIdx.x) position += counts[t];
            base += counts[t];
        }
        if (p < bins) {
            first[p] = (int32_t)(position < capacity ? position : capacity);
            visit(p, [&](const Item& item) {
                if (position < capacity) items[position] = item;
                position++;
            });
        }
    }
    if (threadIdx.x == 0) first[bins] = (int32_t)(base < capacity ? base : capacity);
    return base;
}

__device__ inline void finish_plan(const Launch& launch, PlannedRoi roi) {
    if (threadIdx.x != 0) return;
    if (roi.y_length > launch.y_capacity || roi.x_length > launch.x_capacity) {
        report(launch, launch.first + blockIdx.x, error_capacity);
        roi = {-1, 0, 0, 0, 0, 0};
    }
    launch.planned[blockIdx.x] = roi;
}

// The first and last column of some bin; each thread looks through a part of the taps.
template <class A>
__device__ inline void find_hull(const Launch& launch, const Tap<A>* taps, PlannedRoi& roi) {
    Range* const parts = (Range*)dynamic_shared;
    const int64_t listed = roi.x_length < launch.x_capacity ? roi.x_length : launch.x_capacity;
    Range hull = {0x7fffffff, 0};
    __syncthreads();
    for (int64_t t = threadIdx.x; t < listed; t += blockDim.x) {
        const int32_t index = taps[t].index;
        hull = {index < hull.start ? index : hull.start, index >= hull.end ? index + 1 : hull.end};
    }
    parts[threadIdx.x] = hull;
    __syncthreads();
    if (threadIdx.x != 0 || listed == 0) return;
    for (uint32_t t = 1; t < blockDim.x; t++) {
        hull.start = parts[t].start < hull.start ? parts[t].start : hull.start;
        hull.end = parts[t].end > hull.end ? parts[t].end : hull.end;
    }
    roi.x_start = hull.start;
    roi.x_end = hull.end;
}

template <class A>
__device__ inline void plan_taps(const Launch& launch, int64_t kind) {
    const int64_t k = blockIdx.x;
    const RoiBox box = read_box(launch, launch.first + k);
    PlannedRoi roi = {box.image, box.level, 0, 0, 0, 0};
    if (box.image >= 0) {
        const Level& map = launch.levels[box.level];
        // One text for both axes keeps the rules from being compiled twice.
        for (int axis = 0; axis < 2; axis++) {
            const bool is_y = axis == 0;
            const int64_t bins = is_y ? launch.bins_h : launch.bins_w;
            const int64_t capacity = is_y ? launch.y_capacity : launch.x_capacity;
            int32_t* const first = (is_y ? launch.y_first : launch.x_first) + k * (bins + 1);
            Tap<A>* const items = (Tap<A>*)(is_y ? launch.y_items : launch.x_items) + k * capacity;
            int64_t length = 0;
            with_axis_taps(launch, kind, low_side(box, is_y), high_side(box, is_y), is_y ? map.scale_h : map.scale_w,
                           bins, is_y ? map.rows : map.columns, is_y ? launch.sampling_h : launch.sampling_w,
                           [&](auto&& taps) {
                               length = list_items<Tap<A>>(bins, capacity, first, items, [&](int64_t p, auto&& emit) {
                                   taps(p, [&](int64_t index, double weight) {
                                       const Tap<A> tap = {(int32_t)index, (A)weight};
                                       if (tap.weight != 0) emit(tap);
                                   });
                               });
                           });
            (is_y ? roi.y_length : roi.x_length) = length;
        }
        find_hull(launch, (const Tap<A>*)launch.x_items + k * launch.x_capacity, roi);
    }
    finish_plan(launch, roi);
}

template <class A, class Real>
__device__ inline void plan_samples_of(const Launch& launch) {
    const int64_t k = blockIdx.x;
    const RoiBox box = read_box(launch, launch.first + k);
    PlannedRoi roi = {box.image, box.level, 0, 0, 0, 0};
    if (box.image >= 0) {
        const Level& map = launch.levels[box.level];
        const AlignRule rule = align_rule((int32_t)launch.coordinates);
        for (int axis = 0; axis < 2; axis++) {
            const bool is_y = axis == 0;
            const int64_t bins = is_y ? launch.bins_h : launch.bins_w;
            const int64_t capacity = is_y ? launch.y_capacity : launch.x_capacity;
            const int64_t extent = is_y ? map.rows : map.columns;
            int32_t* const first = (is_y ? launch.y_first : launch.x_first) + k * (bins + 1);
            int32_t* const absent = (is_y ? launch.y_absent : launch.x_absent) + k * bins;
            Sample<A>* const items = (Sample<A>*)(is_y ? launch.y_items : launch.x_items) + k * capacity;
            const AlignAxis<Real> a =
                align_axis<Real>(rule, low_side(box, is_y), high_side(box, is_y), is_y ? map.scale_h : map.scale_w, bins,
                                 is_y ? launch.sampling_h : launch.sampling_w);
            const int64_t length = list_items<Sample<A>>(bins, capacity, first, items, [&](int64_t p, auto&& emit) {
                absent[p] = visit_align_points(a, p, extent, [&](const AlignPoint<Real>& point) {
                    emit(Sample<A>{(int32_t)point.low, (A)point.weight, (A)point.high_weight});
                });
            });
            (is_y ? roi.y_length : roi.x_length) = length;
        }
    }
    finish_plan(launch, roi);
}

template <class A>
__device__ inline void plan_samples(const Launch& launch) {
    if (launch.arithmetic_is_float)
        plan_samples_of<A, float>(launch);
    else
        plan_samples_of<A, double>(launch);
}

// --- walking over items ----------------------------------------------------------------------------------------------

// Divisions are of 32 bits wherever the host sees to it that they fit: those of 64 take a hundred instructions.
__device__ inline int64_t roi_of_block(const Launch& launch) { return blockIdx.x / (uint32_t)launch.slices; }
__device__ inline int64_t slice_of_block(const Launch& launch) { return blockIdx.x % (uint32_t)launch.slices; }

// Three digits that count up by a fixed step: what item / n % m would give, without a division per item.
struct Odometer {
    int32_t high, middle, low;
    int32_t step_high, step_middle, step_low, middles, lows;

    __device__ Odometer(uint32_t item, uint32_t step, uint32_t middles_, uint32_t lows_) : middles(middles_), lows(lows_) {
        low = item % lows_;
        middle = item / lows_ % middles_;
        high = item / lows_ / middles_;
        step_low = step % lows_;
        step_middle = step / lows_ % middles_;
        step_high = step / lows_ / middles_;
    }
    __device__ void advance() {
        low += step_low;
        middle += step_middle;
        high += step_high;
        if (low >= lows) low -= lows, middle++;
        if (middle >= middles) middle -= middles, high++;
    }
};

// How much of a RoI a block reduces at a time: all bin rows of some channels, or some bin rows of one channel.
struct Tile {
    int32_t channels, bin_rows;

    // An item of shared memory holds one column of `lanes` channels.
    __device__ Tile(const Launch& launch, int64_t columns, int lanes) {
        const int64_t fitting = launch.shared_items / (columns > 0 ? columns : 1);
        bin_rows = (int32_t)(fitting < launch.bins_h ? (fitting > 0 ? fitting : 1) : launch.bins_h);
        const int64_t planes = fitting / bin_rows * lanes;
        channels = (int32_t)(planes < lanes ? lanes : planes > launch.channel_block ? launch.channel_block : planes);
    }
};

struct ChannelRange {
    int64_t first, end;

    __device__ ChannelRange(const Launch& launch, int64_t block) : first(block * launch.channel_block) {
        end = first + launch.channel_block < launch.channels ? first + launch.channel_block : launch.channels;
    }
};

template <class T>
__device__ inline void fill(const Launch& launch, int64_t k, const ChannelRange& range, Sum<T> value) {
    T* const out = (T*)launch.out + (launch.first + k) * launch.out_strides[0];
    int64_t* const argmax = launch.argmax ? launch.argmax + (launch.first + k) * launch.argmax_strides[0] : nullptr;
    const int64_t plane = launch.bins_h * launch.bins_w;
    for (int64_t item = threadIdx.x; item < (range.end - range.first) * plane; item += blockDim.x) {
        const int64_t c = range.first + item / plane, y = item % plane / launch.bins_w, x = item % launch.bins_w;
        out[c * launch.out_strides[1] + y * launch.out_strides[2] + x * launch.out_strides[3]] = narrowed<T>(value);
        if (argmax) argmax[c * launch.argmax_strides[1] + y * launch.argmax_strides[2] + x * launch.argmax_strides[3]] = -1;
    }
}

__device__ inline int32_t smaller_of(int64_t a, int64_t b) { return (int32_t)(a < b ? a : b); }

// --- max over ranges -------------------------------------------------------------------------------------------------

// Channels that a thread of a planar kernel reduces side by side: one index computation serves them all, and their loads
// are in flight together.
template <class A>
constexpr int lanes = 16 / sizeof(A);

// Offsets of a thread's lanes; lanes past the last channel repeat the first and are not written.
template <int N>
struct LaneOffsets {
    int32_t at[N];

    __device__ LaneOffsets(int32_t channels_left, int32_t channel_stride) {
#pragma unroll
        for (int i = 0; i < N; i++) at[i] = i < channels_left ? i * channel_stride : 0;
    }
};

template <class A, int N>
__device__ inline void keep(Pack<A, N>* to, const A (&values)[N]) {
    Pack<A, N> pack;
#pragma unroll
    for (int i = 0; i < N; i++) pack.v[i] = values[i];
    *to = pack;
}

// Maps whose columns are contiguous. Column maxima of each bin row go to shared memory, the bins' maxima come out of it.
// Offsets inside a channel block are 32 bits wide: the host has checked that they fit.
template <class T, bool with_argmax>
__device__ inline void max_planar(const Launch& launch) {
    using A = Sum<T>;
    constexpr int N = lanes<A>;
    const int64_t k = roi_of_block(launch);
    const ChannelRange range(launch, slice_of_block(launch));
    const PlannedRoi roi = launch.planned[k];
    const int32_t columns = (int32_t)(roi.x_end - roi.x_start), bins_h = (int32_t)launch.bins_h, bins_w = (int32_t)launch.bins_w;
    if (roi.image < 0 || columns <= 0) return fill<T>(launch, k, range, 0);

    Pack<A, N>* const maxima = (Pack<A, N>*)dynamic_shared;
    Pack<int32_t, N>* const rows = (Pack<int32_t, N>*)(maxima + launch.shared_items);
    Range* const y_bins = (Range*)(rows + (with_argmax ? launch.shared_items : 0));
    Range* const x_bins = y_bins + bins_h;
    for (int32_t p = threadIdx.x; p < bins_h; p += blockDim.x) y_bins[p] = ((const Range*)launch.y_items)[k * bins_h + p];
    for (int32_t p = threadIdx.x; p < bins_w; p += blockDim.x) {
        Range r = ((const Range*)launch.x_items)[k * bins_w + p];
        if (!no_cells(r)) r = {r.start - (int32_t)roi.x_start, r.end - (int32_t)roi.x_start};
        x_bins[p] = r;
    }
    __syncthreads();

    const Level& map = launch.levels[roi.level];
    const int32_t channel_stride = (int32_t)map.channel_stride, row_stride = (int32_t)map.row_stride;
    const int32_t column_stride = (int32_t)map.column_stride;
    const T* const image = (const T*)map.data + roi.image * map.image_stride + roi.x_start * map.column_stride;
    T* const out = (T*)launch.out + (launch.first + k) * launch.out_strides[0];
    const Tile tile(launch, columns, N);
    for (int64_t c0 = range.first; c0 < range.end; c0 += tile.channels)
        for (int32_t ph0 = 0; ph0 < bins_h; ph0 += tile.bin_rows) {
            const int32_t channels = smaller_of(tile.channels, range.end - c0), bin_rows = smaller_of(tile.bin_rows, bins_h - ph0);
            const int32_t groups = (channels + N - 1) / N;
            const T* const planes = image + c0 * map.channel_stride;
            Odometer at(threadIdx.x, blockDim.x, bin_rows, columns);
            for (int32_t item = threadIdx.x; item < groups * bin_rows * columns; item += blockDim.x, at.advance()) {
                const Range r = y_bins[ph0 + at.middle];
                const LaneOffsets<N> lane(channels - at.high * N, channel_stride);
                int32_t cell = at.high * N * channel_stride + r.start * row_stride + at.low * column_stride;
                A best[N];
                int32_t best_row[N];
#pragma unroll
                for (int i = 0; i < N; i++) best[i] = minus_infinity<A>(), best_row[i] = -1;
#pragma unroll 2
                for (int32_t y = r.start; y < r.end; y++, cell += row_stride) {
#pragma unroll
                    for (int i = 0; i < N; i++) {
                        const A v = widened(planes[cell + lane.at[i]]);
                        if (!with_argmax)
                            best[i] = raised(best[i], v);
                        else if (v > best[i] || (v == best[i] && best_row[i] < 0))
                            best[i] = v, best_row[i] = y;
                    }
                }
                keep(maxima + item, best);
                if (with_argmax) keep(rows + item, best_row);
            }
            __syncthreads();
            Odometer bin(threadIdx.x, blockDim.x, bin_rows, bins_w);
            for (int32_t item = threadIdx.x; item < groups * bin_rows * bins_w; item += blockDim.x, bin.advance()) {
                const Range x = x_bins[bin.low];
                const int32_t ph = ph0 + bin.middle, line = (bin.high * bin_rows + bin.middle) * columns;
                const bool is_empty_bin = no_cells(x) || no_cells(y_bins[ph]);
                A best[N];
                int32_t best_row[N], best_column[N];
#pragma unroll
                for (int i = 0; i < N; i++)
                    best[i] = is_empty_bin ? 0 : minus_infinity<A>(), best_row[i] = -1, best_column[i] = 0;
                for (int32_t column = is_empty_bin ? x.end : x.start; column < x.end; column++) {
                    const Pack<A, N> v = maxima[line + column];
                    Pack<int32_t, N> y;
                    if (with_argmax) y = rows[line + column];
#pragma unroll
                    for (int i = 0; i < N; i++) {
                        if (!with_argmax)
                            best[i] = raised(best[i], v.v[i]);
                        else if (y.v[i] >= 0 && (best_row[i] < 0 || v.v[i] > best[i] || (v.v[i] == best[i] && y.v[i] < best_row[i])))
                            best[i] = v.v[i], best_row[i] = y.v[i], best_column[i] = column;
                    }
                }
                const int64_t c = c0 + bin.high * N;
                T* to = out + c * launch.out_strides[1] + ph * launch.out_strides[2] + bin.low * launch.out_strides[3];
                int64_t* offset = nullptr;
                if (with_argmax)
                    offset = launch.argmax + (launch.first + k) * launch.argmax_strides[0] + c * launch.argmax_strides[1] +
                             ph * launch.argmax_strides[2] + bin.low * launch.argmax_strides[3];
#pragma unroll
                for (int i = 0; i < N; i++) {
                    if (bin.high * N + i >= channels) break;
                    to[i * launch.out_strides[1]] = narrowed<T>(best[i]);
                    if (with_argmax)
                        offset[i * launch.argmax_strides[1]] =
                            best_row[i] < 0 ? -1 : best_row[i] * map.columns + roi.x_start + best_column[i];
                }
            }
            __syncthreads();
        }
}

// The items of a direct kernel: (bin row, bin column, channels) for channels-last results, (channels, bin row, bin column) else.
struct DirectItem {
    int64_t channel;
    int32_t ph, pw;
};

template <int V, class Body>
__device__ inline void for_each_output(const Launch& launch, int64_t slice, const Body& body) {
    const uint32_t bins_w = launch.bins_w, plane = launch.planned_bins, packs = launch.channels / V;
    const uint32_t step = launch.slices * blockDim.x, count = plane * packs;
    for (uint32_t item = slice * blockDim.x + threadIdx.x; item < count; item += step) {
        const uint32_t pack = launch.channels_fastest ? item % packs : item / plane;
        const uint32_t bin = launch.first_bin + (launch.channels_fastest ? item / packs : item % plane);
        body(DirectItem{(int64_t)pack * V, (int32_t)(bin / bins_w), (int32_t)(bin % bins_w)});
    }
}

// Values of a RoI on their way to a channels-first result, a line of bins for each channel. Threads write V consecutive channels
// of one bin and read consecutive bins: lines of an odd length, those of a warp side by side, keep both clear of bank conflicts.
template <class T, int V>
struct Stage {
    T* values;
    int32_t packs, plane, pitch;

    __device__ Stage(void* memory, int32_t packs_, int32_t plane_) : values((T*)memory), packs(packs_), plane(plane_), pitch(plane_ | 1) {}
    __device__ T* line(int32_t channel) const { return values + (channel % V * packs + channel / V) * pitch; }

    __device__ void write(int32_t channel, int32_t bin, const Sum<T> (&from)[V]) const {
        T* const to = line(channel) + bin;
#pragma unroll
        for (int i = 0; i < V; i++) to[i * packs * pitch] = narrowed<T>(from[i]);
    }

    __device__ void copy_to(T* out, int32_t channels) const {
        Odometer at(threadIdx.x, blockDim.x, channels, plane);
        for (int32_t i = threadIdx.x; i < channels * plane; i += blockDim.x, at.advance()) out[i] = line(at.middle)[at.low];
    }
};

// What a block of a wide kernel reduces: some of a RoI's bins over all channels, or all bins over a block of channels. Items
// are counted in 32 bits.
template <class T, int V>
struct WideWork {
    int32_t first, step, count, packs;
    int64_t first_channel, channels;
    Stage<T, V> stage;

    __device__ WideWork(const Launch& launch, int64_t slice, void* memory) : stage(memory, 0, (int32_t)(launch.bins_h * launch.bins_w)) {
        first_channel = launch.staged ? slice * launch.channel_block : 0;
        channels = launch.channels - first_channel;
        if (launch.staged && channels > launch.channel_block) channels = launch.channel_block;
        stage.packs = packs = (int32_t)((channels + V - 1) / V);
        first = (int32_t)(threadIdx.x + (launch.staged ? 0 : slice * blockDim.x));
        step = (int32_t)(blockDim.x * (launch.staged ? 1 : launch.slices));
        count = stage.plane * packs;
    }

    template <class Body>
    __device__ void for_each(const Launch& launch, const Body& body) const {
        Odometer at(first, step, (int32_t)launch.bins_w, packs);
        for (int32_t item = first; item < count; item += step, at.advance())
            body(DirectItem{first_channel + (int64_t)at.low * V, at.high, at.middle});
    }

    __device__ void write(const Launch& launch, int64_t k, const DirectItem& at, const Sum<T> (&values)[V]) const {
        if (launch.staged)
            return stage.write((int32_t)(at.channel - first_channel), at.ph * (int32_t)launch.bins_w + at.pw, values);
        T* const out = (T*)launch.out + (launch.first + k) * launch.out_strides[0] + at.channel;
        store<T, V>(out + at.ph * launch.out_strides[2] + at.pw * launch.out_strides[3], values);
    }

    // The result of a RoI that was refused.
    __device__ void write_zeros(const Launch& launch, int64_t k) const {
        Sum<T> zeros[V];
        set_all(zeros, (Sum<T>)0);
        for_each(launch, [&](const DirectItem& at) { write(launch, k, at, zeros); });
        finish(launch, k);
    }

    // One contiguous run of the result; lanes past the last channel stay behind.
    __device__ void finish(const Launch& launch, int64_t k) const {
        if (!launch.staged) return;
        __syncthreads();
        stage.copy_to((T*)launch.out + (launch.first + k) * launch.out_strides[0] + first_channel * stage.plane, (int32_t)channels);
    }
};

template <class T, int V>
__device__ inline void write(const Launch& launch, int64_t k, const DirectItem& at, const Sum<T> (&values)[V]) {
    T* const out = (T*)launch.out + (launch.first + k) * launch.out_strides[0] + at.channel * launch.out_strides[1];
    store<T, V>(out + at.ph * launch.out_strides[2] + at.pw * launch.out_strides[3], values);
}

// Any layout: a thread per V channels of a bin.
template <class T, int V, bool with_argmax>
__device__ inline void max_direct(const Launch& launch) {
    using A = Sum<T>;
    const int64_t k = roi_of_block(launch);
    const PlannedRoi roi = launch.planned[k];
    const Level& map = launch.levels[roi.level];
    const int64_t row_stride = map.row_stride, column_stride = map.column_stride;
    const T* const image = (const T*)map.data + (roi.image < 0 ? 0 : roi.image) * map.image_stride;
    for_each_output<V>(launch, slice_of_block(launch), [&](const DirectItem& at) {
        A best[V];
        int64_t offset[V];
        Range y = {0, 0}, x = {0, 0};
        if (roi.image >= 0) {
            y = ((const Range*)launch.y_items)[k * launch.bins_h + at.ph];
            x = ((const Range*)launch.x_items)[k * launch.bins_w + at.pw];
        }
        const bool is_empty_bin = no_cells(y) || no_cells(x);
#pragma unroll
        for (int i = 0; i < V; i++) best[i] = is_empty_bin ? 0 : minus_infinity<A>(), offset[i] = -1;
        if (!is_empty_bin) {
            const T* row = image + at.channel * map.channel_stride + y.start * row_stride + x.start * column_stride;
            for (int32_t i = y.start; i < y.end; i++, row += row_stride) {
                const T* cell = row;
                for (int32_t j = x.start; j < x.end; j++, cell += column_stride) {
                    A v[V];
                    load<T, V>(cell, v);
#pragma unroll
                    for (int c = 0; c < V; c++) {
                        if (!with_argmax) {
                            best[c] = raised(best[c], v[c]);
                        } else if (v[c] > best[c] || (v[c] == best[c] && offset[c] < 0)) {
                            best[c] = v[c];
                            offset[c] = i * map.columns + j;
                        }
                    }
                }
            }
        }
        write<T, V>(launch, k, at, best);
        if (with_argmax)
            for (int c = 0; c < V; c++)
                launch.argmax[(launch.first + k) * launch.argmax_strides[0] + (at.channel + c) * launch.argmax_strides[1] +
                              at.ph * launch.argmax_strides[2] + at.pw * launch.argmax_strides[3]] = offset[c];
    });
}

// Raises V maxima to some cells: all loads are in flight before the first comparison waits.
template <int Y, int X, class T, int V>
__device__ inline void raise_to_cells(const T* (&row)[Y], int32_t column_stride, Sum<T> (&best)[V]) {
    Sum<T> v[Y][X][V];
#pragma unroll
    for (int y = 0; y < Y; y++)
#pragma unroll
        for (int x = 0; x < X; x++, row[y] += column_stride) load<T, V>(row[y], v[y][x]);
#pragma unroll
    for (int y = 0; y < Y; y++)
#pragma unroll
        for (int x = 0; x < X; x++)
#pragma unroll
            for (int c = 0; c < V; c++) best[c] = raised(best[c], v[y][x][c]);
}

// X columns of a bin, two rows at a time.
template <int X, class T, int V>
__device__ inline void raise_to_columns(const T* first, int32_t row_stride, int32_t column_stride, int32_t rows, Sum<T> (&best)[V]) {
#pragma unroll 1
    for (; rows >= 2; rows -= 2, first += 2 * row_stride) {
        const T* pair[] = {first, first + row_stride};
        raise_to_cells<2, X>(pair, column_stride, best);
    }
    if (rows == 0) return;
    const T* single[] = {first};
    raise_to_cells<1, X>(single, column_stride, best);
}

template <class T, int V>
__device__ inline void raise_to_bin(const T* first, int32_t row_stride, int32_t column_stride, int32_t rows, int32_t columns,
                                    Sum<T> (&best)[V]) {
#pragma unroll 1
    for (; columns > 4; columns -= 4, first += 4 * column_stride) raise_to_columns<4>(first, row_stride, column_stride, rows, best);
    switch (columns) {
        case 1: return raise_to_columns<1>(first, row_stride, column_stride, rows, best);
        case 2: return raise_to_columns<2>(first, row_stride, column_stride, rows, best);
        case 3: return raise_to_columns<3>(first, row_stride, column_stride, rows, best);
        default: return raise_to_columns<4>(first, row_stride, column_stride, rows, best);
    }
}

// Channels-last maps: a thread per 16 bytes of channels of a bin, 32-bit offsets in an image.
template <class T, int V>
__device__ inline void max_wide(const Launch& launch) {
    using A = Sum<T>;
    const int64_t k = roi_of_block(launch);
    const PlannedRoi roi = launch.planned[k];
    const WideWork<T, V> work(launch, slice_of_block(launch), dynamic_shared);
    if (roi.image < 0) return work.write_zeros(launch, k);
    const Level& map = launch.levels[roi.level];
    const int32_t row_stride = (int32_t)map.row_stride, column_stride = (int32_t)map.column_stride;
    const T* const image = opaque((const T*)map.data + roi.image * map.image_stride);
    const Range* const y_bins = opaque((const Range*)launch.y_items + k * launch.bins_h);
    const Range* const x_bins = opaque((const Range*)launch.x_items + k * launch.bins_w);
    work.for_each(launch, [&](const DirectItem& at) {
        A best[V];
        const Range y = loaded(y_bins + at.ph), x = loaded(x_bins + at.pw);
        if (no_cells(y) || no_cells(x)) {
            set_all(best, (A)0);
        } else {
            set_all(best, minus_infinity<A>());
            const T* const first = opaque(image + at.channel) + (y.start * row_stride + x.start * column_stride);
            raise_to_bin(first, row_stride, column_stride, y.end - y.start, x.end - x.start, best);
        }
        work.write(launch, k, at, best);
    });
    work.finish(launch, k);
}

// --- sum over taps ---------------------------------------------------------------------------------------------------

// A tap whose index has become an offset in elements.
template <class A>
struct OffsetTap {
    int32_t offset;
    A weight;
};

template <class A>
struct FarTap {
    int64_t offset;
    A weight;
};

// Divides by the number of cells, if the operator's taps have weights of 1.
template <class A, int V>
__device__ inline void finish_mean(const Launch& launch, A (&sum)[V], int32_t y_taps, int32_t x_taps) {
    if (!launch.mean) return;
    const int64_t cells = (int64_t)y_taps * x_taps;
    if (cells <= 1) return;
#pragma unroll
    for (int c = 0; c < V; c++) sum[c] = divided(sum[c], (A)cells);
}

// The taps of one RoI in shared memory, behind `reserved` items of it.
template <class A>
struct SharedTaps {
    OffsetTap<A>*y, *x;
    int32_t *y_first, *x_first, *rest;

    __device__ SharedTaps(const Launch& launch, int64_t k, const PlannedRoi& roi, void* memory, int32_t row_stride,
                          int32_t column_stride, int32_t x_start) {
        const int32_t bins_h = (int32_t)launch.bins_h, bins_w = (int32_t)launch.bins_w;
        y = (OffsetTap<A>*)memory;
        x = y + launch.y_capacity;
        y_first = (int32_t*)(x + launch.x_capacity);
        x_first = y_first + bins_h + 1;
        rest = x_first + bins_w + 1;
        const Tap<A>* const y_taps = (const Tap<A>*)launch.y_items + k * launch.y_capacity;
        const Tap<A>* const x_taps = (const Tap<A>*)launch.x_items + k * launch.x_capacity;
        for (int32_t t = threadIdx.x; t < roi.y_length; t += blockDim.x) y[t] = {y_taps[t].index * row_stride, y_taps[t].weight};
        for (int32_t t = threadIdx.x; t < roi.x_length; t += blockDim.x)
            x[t] = {(x_taps[t].index - x_start) * column_stride, x_taps[t].weight};
        for (int32_t p = threadIdx.x; p <= bins_h; p += blockDim.x) y_first[p] = launch.y_first[k * (bins_h + 1) + p];
        for (int32_t p = threadIdx.x; p <= bins_w; p += blockDim.x) x_first[p] = launch.x_first[k * (bins_w + 1) + p];
    }
};

// Maps whose columns are contiguous. The weighted rows of each bin row, for every column some bin takes, go to shared memory;
// the bins' weighted columns come out of it. Columns are those of the hull, or one per tap where those are fewer.
template <class T>
__device__ inline void sum_planar(const Launch& launch) {
    using A = Sum<T>;
    constexpr int N = lanes<A>;
    const int64_t k = roi_of_block(launch);
    const ChannelRange range(launch, slice_of_block(launch));
    const PlannedRoi roi = launch.planned[k];
    if (roi.image < 0) return fill<T>(launch, k, range, 0);
    if (roi.x_length == 0 || roi.y_length == 0) return fill<T>(launch, k, range, (A)launch.outside);

    const Level& map = launch.levels[roi.level];
    const int32_t bins_h = (int32_t)launch.bins_h, bins_w = (int32_t)launch.bins_w;
    const int32_t hull = (int32_t)(roi.x_end - roi.x_start), x_length = (int32_t)roi.x_length;
    const bool by_tap = x_length < hull;
    const int32_t columns = by_tap ? x_length : hull;
    const int32_t channel_stride = (int32_t)map.channel_stride, column_stride = (int32_t)map.column_stride;
    Pack<A, N>* const sums = (Pack<A, N>*)dynamic_shared;
    const SharedTaps<A> taps(launch, k, roi, sums + launch.shared_items, (int32_t)map.row_stride, 1, (int32_t)roi.x_start);
    int32_t* const column_of = taps.rest;  // where a column lies in the map
    __syncthreads();
    for (int32_t t = threadIdx.x; t < columns; t += blockDim.x) column_of[t] = (by_tap ? taps.x[t].offset : t) * column_stride;
    __syncthreads();

    const T* const image = (const T*)map.data + roi.image * map.image_stride + roi.x_start * map.column_stride;
    T* const out = (T*)launch.out + (launch.first + k) * launch.out_strides[0];
    const Tile tile(launch, columns, N);
    for (int64_t c0 = range.first; c0 < range.end; c0 += tile.channels)
        for (int32_t ph0 = 0; ph0 < bins_h; ph0 += tile.bin_rows) {
            const int32_t channels = smaller_of(tile.channels, range.end - c0), bin_rows = smaller_of(tile.bin_rows, bins_h - ph0);
            const int32_t groups = (channels + N - 1) / N;
            const T* const planes = image + c0 * map.channel_stride;
            Odometer at(threadIdx.x, blockDim.x, bin_rows, columns);
            for (int32_t item = threadIdx.x; item < groups * bin_rows * columns; item += blockDim.x, at.advance()) {
                const int32_t first = taps.y_first[ph0 + at.middle], end = taps.y_first[ph0 + at.middle + 1];
                if (first == end) continue;
                const LaneOffsets<N> lane(channels - at.high * N, channel_stride);
                const int32_t column = at.high * N * channel_stride + column_of[at.low];
                A sum[N];
                set_all(sum, no_sum<A>);
#pragma unroll 2
                for (int32_t t = first; t < end; t++) {
                    const OffsetTap<A> tap = taps.y[t];
                    const int32_t cell = column + tap.offset;
#pragma unroll
                    for (int i = 0; i < N; i++) sum[i] = fused(tap.weight, widened(planes[cell + lane.at[i]]), sum[i]);
                }
                keep(sums + item, sum);
            }
            __syncthreads();
            Odometer bin(threadIdx.x, blockDim.x, bin_rows, bins_w);
            for (int32_t item = threadIdx.x; item < groups * bin_rows * bins_w; item += blockDim.x, bin.advance()) {
                const int32_t ph = ph0 + bin.middle, first = taps.x_first[bin.low], end = taps.x_first[bin.low + 1];
                const Pack<A, N>* const line = sums + (bin.high * bin_rows + bin.middle) * columns;
                const int32_t rows = taps.y_first[ph + 1] - taps.y_first[ph];
                A sum[N];
                if (first == end || rows == 0) {
                    set_all(sum, (A)launch.outside);
                } else {
                    set_all(sum, no_sum<A>);
                    for (int32_t t = first; t < end; t++) {
                        const OffsetTap<A> tap = taps.x[t];
                        add_product(sum, tap.weight, line[by_tap ? t : tap.offset].v);
                    }
                    finish_mean(launch, sum, rows, end - first);
                }
                T* const to = out + (c0 + bin.high * N) * launch.out_strides[1] + ph * launch.out_strides[2] +
                              bin.low * launch.out_strides[3];
#pragma unroll
                for (int i = 0; i < N; i++) {
                    if (bin.high * N + i >= channels) break;
                    to[i * launch.out_strides[1]] = narrowed<T>(sum[i]);
                }
            }
            __syncthreads();
        }
}

// The input channel of an output value: its own number, or that of its bin's group.
__device__ inline int64_t input_channel(const Launch& launch, const DirectItem& at) {
    if (launch.group_h == 0) return at.channel;
    const bool is_own_group = launch.group_h == launch.bins_h && launch.group_w == launch.bins_w;
    const int64_t group = is_own_group ? at.ph * launch.bins_w + at.pw
                                       : at.ph * launch.group_h / launch.bins_h * launch.group_w + at.pw * launch.group_w / launch.bins_w;
    return launch.bin_major ? group * launch.channels + at.channel : at.channel * launch.group_h * launch.group_w + group;
}

// Adds weighted rows to the sums of X columns: all loads are in flight before the first sum waits.
template <int Y, int X, class T, int V, class Row>
__device__ inline void add_rows(const T* const (&column)[X], int32_t first, const Row& row, Sum<T> (&sum)[X][V]) {
    Sum<T> v[Y][X][V], weight[Y];
#pragma unroll
    for (int y = 0; y < Y; y++) {
        const auto tap = row(first + y);
        weight[y] = tap.weight;
#pragma unroll
        for (int x = 0; x < X; x++) load<T, V>(column[x] + tap.offset, v[y][x]);
    }
#pragma unroll
    for (int y = 0; y < Y; y++)
#pragma unroll
        for (int x = 0; x < X; x++) add_product(sum[x], weight[y], v[y][x]);
}

template <int X, class T, int V, class Row, class Column>
__device__ inline void add_columns(const T* channels, int32_t rows, const Row& row, int32_t first, const Column& column, Sum<T> (&sum)[V]) {
    using A = Sum<T>;
    A weight[X], of_rows[X][V];
    const T* base[X];
#pragma unroll
    for (int x = 0; x < X; x++) {
        const auto tap = column(first + x);
        base[x] = opaque(channels + tap.offset);
        weight[x] = tap.weight;
        set_all(of_rows[x], no_sum<A>);
    }
    int32_t y = 0;
#pragma unroll 1
    for (; y + 2 <= rows; y += 2) add_rows<2>(base, y, row, of_rows);
    if (y < rows) add_rows<1>(base, y, row, of_rows);
#pragma unroll
    for (int x = 0; x < X; x++) add_product(sum, weight[x], of_rows[x]);
}

// The weighted sum of a bin's weighted columns for V channels; row(i) and column(i) are its taps, with offsets in elements.
template <class T, int V, class Row, class Column>
__device__ inline void sum_of_taps(const T* channels, int32_t rows, const Row& row, int32_t columns, const Column& column, Sum<T> (&sum)[V]) {
    set_all(sum, no_sum<Sum<T>>);
    int32_t x = 0;
#pragma unroll 1
    for (; x + 2 <= columns; x += 2) add_columns<2>(channels, rows, row, x, column, sum);
    if (x < columns) add_columns<1>(channels, rows, row, x, column, sum);
}

// X columns of a bin of Y rows without a loop.
template <int Y, int X, class T, int V>
__device__ inline void add_columns(const T* channels, const OffsetTap<Sum<T>> (&row)[Y], const OffsetTap<Sum<T>>* column, Sum<T> (&sum)[V]) {
    Sum<T> of_rows[X][V], weight[X];
#pragma unroll
    for (int x = 0; x < X; x++) {
        weight[x] = column[x].weight;
        const T* const base = opaque(channels + column[x].offset);
#pragma unroll
        for (int y = 0; y < Y; y++) {
            Sum<T> v[V];
            load<T, V>(base + row[y].offset, v);
#pragma unroll
            for (int c = 0; c < V; c++) of_rows[x][c] = y == 0 ? row[y].weight * v[c] : fused(row[y].weight, v[c], of_rows[x][c]);
        }
    }
#pragma unroll
    for (int x = 0; x < X; x++) add_product(sum, weight[x], of_rows[x]);
}

template <int Y, class T, int V>
__device__ inline void sum_of_few_rows(const T* channels, const OffsetTap<Sum<T>>* rows, int32_t columns, const OffsetTap<Sum<T>>* column,
                                       Sum<T> (&sum)[V]) {
    OffsetTap<Sum<T>> row[Y];
#pragma unroll
    for (int y = 0; y < Y; y++) row[y] = rows[y];
    set_all(sum, no_sum<Sum<T>>);
    int32_t x = 0;
#pragma unroll 1
    for (; x + 2 <= columns; x += 2) add_columns<Y, 2>(channels, row, column + x, sum);
    if (x < columns) add_columns<Y, 1>(channels, row, column + x, sum);
}

// The same sum; bins of few rows, and most are, keep the taps of these in registers.
template <class T, int V>
__device__ inline void sum_of_near_taps(const T* channels, int32_t rows, const OffsetTap<Sum<T>>* row, int32_t columns,
                                        const OffsetTap<Sum<T>>* column, Sum<T> (&sum)[V]) {
    switch (rows) {
        case 1: return sum_of_few_rows<1>(channels, row, columns, column, sum);
        case 2: return sum_of_few_rows<2>(channels, row, columns, column, sum);
        case 3: return sum_of_few_rows<3>(channels, row, columns, column, sum);
        case 4: return sum_of_few_rows<4>(channels, row, columns, column, sum);
    }
    sum_of_taps(channels, rows, [&](int32_t i) { return row[i]; }, columns, [&](int32_t i) { return column[i]; }, sum);
}

template <class T, int V>
__device__ inline void sum_direct(const Launch& launch) {
    using A = Sum<T>;
    const int64_t k = roi_of_block(launch);
    const PlannedRoi roi = launch.planned[k];
    const Level& map = launch.levels[roi.level];
    const int64_t row_stride = map.row_stride, column_stride = map.column_stride;
    const T* const image = (const T*)map.data + (roi.image < 0 ? 0 : roi.image) * map.image_stride;
    const Tap<A>* const y_taps = (const Tap<A>*)launch.y_items + k * launch.y_capacity;
    const Tap<A>* const x_taps = (const Tap<A>*)launch.x_items + k * launch.x_capacity;
    const int32_t* const y_first = launch.y_first + k * (launch.bins_h + 1);
    const int32_t* const x_first = launch.x_first + k * (launch.bins_w + 1);
    for_each_output<V>(launch, slice_of_block(launch), [&](const DirectItem& at) {
        A sum[V];
        int32_t y = 0, y_end = 0, x = 0, x_end = 0;
        if (roi.image >= 0) y = y_first[at.ph], y_end = y_first[at.ph + 1], x = x_first[at.pw], x_end = x_first[at.pw + 1];
        if (y == y_end || x == x_end) {
            set_all(sum, roi.image < 0 ? (A)0 : (A)launch.outside);
        } else {
            sum_of_taps(
                image + input_channel(launch, at) * map.channel_stride,
                y_end - y, [&](int32_t i) { return FarTap<A>{y_taps[y + i].index * row_stride, y_taps[y + i].weight}; },
                x_end - x, [&](int32_t i) { return FarTap<A>{x_taps[x + i].index * column_stride, x_taps[x + i].weight}; }, sum);
            finish_mean(launch, sum, y_end - y, x_end - x);
        }
        write<T, V>(launch, k, at, sum);
    });
}

// The next 16-byte boundary of shared memory.
__device__ inline void* after(const void* memory) {
    const int64_t used = (const char*)memory - (const char*)dynamic_shared;
    return (char*)dynamic_shared + (used + 15) / 16 * 16;
}

// Channels-last maps: a thread per 16 bytes of channels of a bin, taps in shared memory, 32-bit offsets in an image.
template <class T, int V>
__device__ inline void sum_wide(const Launch& launch) {
    using A = Sum<T>;
    const int64_t k = roi_of_block(launch);
    const PlannedRoi roi = launch.planned[k];
    if (roi.image < 0) return WideWork<T, V>(launch, slice_of_block(launch), dynamic_shared).write_zeros(launch, k);
    const Level& map = launch.levels[roi.level];
    const T* const image = opaque((const T*)map.data + roi.image * map.image_stride);
    const SharedTaps<A> taps(launch, k, roi, dynamic_shared, (int32_t)map.row_stride, (int32_t)map.column_stride, 0);
    const WideWork<T, V> work(launch, slice_of_block(launch), after(taps.rest));
    const A outside = (A)launch.outside;
    __syncthreads();
    work.for_each(launch, [&](const DirectItem& at) {
        A sum[V];
        const int32_t y = taps.y_first[at.ph], rows = taps.y_first[at.ph + 1] - y;
        const int32_t x = taps.x_first[at.pw], columns = taps.x_first[at.pw + 1] - x;
        if (rows == 0 || columns == 0) {
            set_all(sum, outside);
        } else {
            sum_of_near_taps(opaque(image + at.channel), rows, taps.y + y, columns, taps.x + x, sum);
            finish_mean(launch, sum, rows, columns);
        }
        work.write(launch, k, at, sum);
    });
    work.finish(launch, k);
}

// --- whole planes in shared memory -----------------------------------------------------------------------------------

// For boxes that may have very many cells: a block holds the planes of some channels of one image, read once, and its warps
// take a RoI each. Any layout; values, scratch and plans need no barrier but those of a warp.

constexpr uint32_t warp_size = 32, whole_warp = 0xffffffff;
constexpr int most_strips = 8;  // of 32 columns that a thread reduces side by side

// Moves values by the threads of a block; the reads of a thread are in flight together.
template <class Value, class From>
__device__ inline void move(int32_t count, const From& from, Value* to) {
    constexpr int batch = 8;
    const int32_t step = (int32_t)blockDim.x;
    for (int32_t first = (int32_t)threadIdx.x; first < count; first += batch * step) {
        Value values[batch];
#pragma unroll
        for (int i = 0; i < batch; i++)
            if (first + i * step < count) values[i] = loaded(from(first + i * step));
#pragma unroll
        for (int i = 0; i < batch; i++)
            if (first + i * step < count) to[first + i * step] = values[i];
    }
}

// The planes of `channels` channels, one after another, rows without gaps.
template <class T>
__device__ inline void load_planes(const Level& map, const T* from, int32_t channels, T* planes) {
    const int32_t columns = (int32_t)map.columns, cells = (int32_t)map.rows * columns, count = channels * cells;
    const int64_t row_stride = map.row_stride, column_stride = map.column_stride;
    if (column_stride == 1 && row_stride == columns && (channels == 1 || map.channel_stride == cells) && (uint64_t)from % 16 == 0) {
        constexpr int32_t V = 16 / sizeof(T);
        const Pack<T, V>* const packs = (const Pack<T, V>*)from;
        move(count / V, [&](int32_t i) { return packs + i; }, (Pack<T, V>*)planes);
        return move(count % V, [&](int32_t i) { return from + count / V * V + i; }, planes + count / V * V);
    }
    for (int32_t channel = 0; channel < channels; channel++, from += map.channel_stride, planes += cells)
        if (row_stride == columns * column_stride)
            move(cells, [&](int32_t cell) { return from + cell * column_stride; }, planes);
        else
            move(cells, [&](int32_t cell) { return from + (cell / columns * row_stride + cell % columns * column_stride); }, planes);
}

// The warp's RoI and plane.
template <class T>
struct Resident {
    int64_t k;
    PlannedRoi roi;
    const T* plane;
    int32_t pitch;  // of its rows
    T* out;         // of the RoI and channel
    Sum<T>* scratch;
    int32_t lane;
};

// A RoI that was refused is nobody's; the first block of all takes it.
__device__ inline bool is_of(const PlannedRoi& roi, int64_t image, int64_t level) {
    return roi.image < 0 ? image == 0 && level == 0 : roi.image == image && roi.level == level;
}

// Calls body(Resident) for every channel of the block and every RoI of the warp.
template <class T, class Body>
__device__ inline void for_each_resident(const Launch& launch, const Body& body) {
    const uint32_t slices = launch.slices, groups = (launch.channels + launch.channel_block - 1) / launch.channel_block;
    const uint32_t slice = blockIdx.x % slices, group = blockIdx.x / slices % groups, plane_number = blockIdx.x / slices / groups;
    const int64_t image = plane_number % (uint32_t)launch.images, level = plane_number / (uint32_t)launch.images;
    const Level& map = launch.levels[level];
    const int64_t first_channel = group * launch.channel_block;
    const int32_t channels = smaller_of(launch.channel_block, launch.channels - first_channel), cells = map.rows * map.columns;
    T* const planes = (T*)dynamic_shared;
    load_planes(map, (const T*)map.data + image * map.image_stride + first_channel * map.channel_stride, channels, planes);
    __syncthreads();

    const uint32_t warps = blockDim.x / warp_size, warp = threadIdx.x / warp_size, lane = threadIdx.x % warp_size;
    Sum<T>* const scratch = (Sum<T>*)after(planes + channels * cells) + warp * launch.shared_items;
    T* const out = (T*)launch.out + launch.first * launch.out_strides[0] + first_channel * launch.out_strides[1];
    const int64_t step = slices * warps;
    for (int64_t first = slice * warps + warp; first < launch.count; first += step * warp_size) {
        const int64_t mine = first + lane * step;
        uint32_t found = __ballot_sync(whole_warp, mine < launch.count && is_of(launch.planned[mine], image, level));
        for (; found; found &= found - 1) {
            const int64_t k = first + (__ffs(found) - 1) * step;
            const PlannedRoi roi = launch.planned[k];
            for (int32_t c = 0; c < channels; c++)
                body(Resident<T>{k, roi, planes + c * cells, (int32_t)map.columns,
                                 out + k * launch.out_strides[0] + c * launch.out_strides[1], scratch, (int32_t)lane});
        }
    }
}

// A lane's columns in N strips of 32. All strips but the last are whole; its lanes past the end read the last column.
template <class T, int N>
struct Strips {
    static constexpr int count = N;
    const T *first, *last;

    __device__ Strips(const T* row, int32_t column, int32_t columns)
        : first(row + column), last(row + smaller_of(column + (N - 1) * (int32_t)warp_size, columns - 1)) {}

    // `offset` is in bytes, so that an address takes one instruction.
    __device__ void read(int32_t offset, Sum<T> (&values)[N]) const {
        const T* const whole = (const T*)((const char*)first + offset);
#pragma unroll
        for (int i = 0; i < N - 1; i++) values[i] = widened(whole[i * (int32_t)warp_size]);
        values[N - 1] = widened(*(const T*)((const char*)last + offset));
    }
};

// Calls body(Strips, column of the lane) until all columns are done: N strips at a time, as few as hold them.
template <class T, class Body>
__device__ inline void for_each_strips(const T* row, int32_t columns, int32_t lane, const Body& body) {
    constexpr int32_t most_columns = most_strips * warp_size;
    for (int32_t first = 0; first < columns; first += most_columns) {
        const int32_t column = first + lane;
        switch ((smaller_of(most_columns, columns - first) + warp_size - 1) / warp_size) {
            case 1: body(Strips<T, 1>(row, column, columns), column); break;
            case 2: body(Strips<T, 2>(row, column, columns), column); break;
            case 3: body(Strips<T, 3>(row, column, columns), column); break;
            case 4: body(Strips<T, 4>(row, column, columns), column); break;
            case 5: body(Strips<T, 5>(row, column, columns), column); break;
            case 6: body(Strips<T, 6>(row, column, columns), column); break;
            case 7: body(Strips<T, 7>(row, column, columns), column); break;
            default: body(Strips<T, most_strips>(row, column, columns), column);
        }
    }
}

// Reduces a RoI in two steps, as many bin rows at a time as scratch holds: reduction.columns() takes the cells of a bin row
// column by column, reduction.bin() what that left in a line of scratch.
template <class T, class Reduction>
__device__ inline void reduce_resident(const Launch& launch, const Resident<T>& at, const Reduction& reduction) {
    const int32_t bins_h = (int32_t)launch.bins_h, bins_w = (int32_t)launch.bins_w;
    const int32_t columns = (int32_t)(at.roi.x_end - at.roi.x_start);
    const int32_t rows = columns == 0 ? bins_h : smaller_of(bins_h, (int32_t)launch.shared_items / columns);
    for (int32_t ph0 = 0; ph0 < bins_h; ph0 += rows) {
        const int32_t bin_rows = smaller_of(rows, bins_h - ph0);
        for_each_strips(at.plane + at.roi.x_start, columns, at.lane, [&](auto strips, int32_t column) {
            constexpr int N = decltype(strips)::count;
            Sum<T>* to = at.scratch + column;
            for (int32_t row = 0; row < bin_rows; row++, to += columns) {
                Sum<T> values[N];
                reduction.columns(ph0 + row, strips, values);
#pragma unroll
                for (int i = 0; i < N; i++)
                    if (i < N - 1 || column + i * (int32_t)warp_size < columns) to[i * (int32_t)warp_size] = values[i];
            }
        });
        __syncwarp();
        for (uint32_t item = at.lane; item < (uint32_t)(bin_rows * bins_w); item += warp_size) {
            const int32_t row = item / (uint32_t)bins_w, pw = item % (uint32_t)bins_w;
            const Sum<T> value = at.roi.image < 0 ? 0 : reduction.bin(at.scratch + row * columns, ph0 + row, pw);
            at.out[(ph0 + row) * launch.out_strides[2] + pw * launch.out_strides[3]] = narrowed<T>(value);
        }
        __syncwarp();
    }
}

template <class T>
struct ResidentMax {
    using A = Sum<T>;
    const Range *y_bins, *x_bins;
    int32_t x_start, row_bytes;

    __device__ ResidentMax(const Launch& launch, const Resident<T>& at)
        : y_bins((const Range*)launch.y_items + at.k * launch.bins_h),
          x_bins((const Range*)launch.x_items + at.k * launch.bins_w),
          x_start((int32_t)at.roi.x_start),
          row_bytes(at.pitch * (int32_t)sizeof(T)) {}

    template <int N>
    __device__ void columns(int32_t ph, const Strips<T, N>& strips, A (&best)[N]) const {
        set_all(best, minus_infinity<A>());
        const Range rows = loaded(y_bins + ph);
#pragma unroll(N < 3 ? 4 : 2)
        for (int32_t y = rows.start; y < rows.end; y++) {
            A cells[N];
            strips.read(y * row_bytes, cells);
#pragma unroll
            for (int i = 0; i < N; i++) best[i] = raised(best[i], cells[i]);
        }
    }

    __device__ A bin(const A* line, int32_t ph, int32_t pw) const {
        const Range y = loaded(y_bins + ph), x = loaded(x_bins + pw);
        if (no_cells(y) || no_cells(x)) return 0;
        A best = minus_infinity<A>();
#pragma unroll 4
        for (int32_t column = x.start; column < x.end; column++) best = raised(best, line[column - x_start]);
        return best;
    }
};

template <class T>
struct ResidentSum {
    using A = Sum<T>;
    const Launch& launch;
    const Tap<A> *y_taps, *x_taps;
    const int32_t *y_first, *x_first;
    int32_t x_start, row_bytes;

    __device__ ResidentSum(const Launch& launch_, const Resident<T>& at)
        : launch(launch_),
          y_taps(opaque((const Tap<A>*)launch.y_items + at.k * launch.y_capacity)),
          x_taps(opaque((const Tap<A>*)launch.x_items + at.k * launch.x_capacity)),
          y_first(launch.y_first + at.k * (launch.bins_h + 1)),
          x_first(launch.x_first + at.k * (launch.bins_w + 1)),
          x_start((int32_t)at.roi.x_start),
          row_bytes(at.pitch * (int32_t)sizeof(T)) {}

    template <int N>
    __device__ void columns(int32_t ph, const Strips<T, N>& strips, A (&sum)[N]) const {
        set_all(sum, no_sum<A>);
        const int32_t end = y_first[ph + 1];
#pragma unroll(N < 3 ? 4 : 2)
        for (int32_t t = y_first[ph]; t < end; t++) {
            const Tap<A> tap = loaded(y_taps + t);
            A cells[N];
            strips.read(tap.index * row_bytes, cells);
            add_product(sum, tap.weight, cells);
        }
    }

    __device__ A bin(const A* line, int32_t ph, int32_t pw) const {
        const int32_t rows = y_first[ph + 1] - y_first[ph], first = x_first[pw], end = x_first[pw + 1];
        if (rows == 0 || first == end) return (A)launch.outside;
        A sum[1] = {no_sum<A>};
#pragma unroll 4
        for (int32_t t = first; t < end; t++) {
            const Tap<A> tap = loaded(x_taps + t);
            sum[0] = fused(tap.weight, line[tap.index - x_start], sum[0]);
        }
        finish_mean(launch, sum, rows, end - first);
        return sum[0];
    }
};

template <class T, class Reduction>
__device__ inline void pool_resident(const Launch& launch) {
    for_each_resident<T>(launch, [&](const Resident<T>& at) { reduce_resident(launch, at, Reduction(launch, at)); });
}

// --- which way --------------------------------------------------------------------------------------------------------

// How large the boxes are is seen only here. Both ways give the same bits.
enum Way : int64_t { by_planes = 1, by_bins = 2 };

__device__ inline bool goes_another_way(const Launch& launch) { return launch.way != 0 && *launch.choice != launch.way; }

// One block looks at all RoIs.
__device__ inline void choose(const Launch& launch) {
    int64_t* const parts = (int64_t*)dynamic_shared;
    int64_t cells = 0;
    for (int64_t k = threadIdx.x; k < launch.count; k += blockDim.x) {
        const PlannedRoi roi = launch.planned[k];
        if (roi.image >= 0) cells += roi.y_length * roi.x_length;
    }
    parts[threadIdx.x] = cells;
    __syncthreads();
    if (threadIdx.x != 0) return;
    for (uint32_t t = 1; t < blockDim.x; t++) cells += parts[t];
    *launch.choice = cells >= launch.many_cells * launch.count ? by_planes : by_bins;
}

// --- max over sample points ------------------------------------------------------------------------------------------

// One row of a sample point: both of its rows, weighted, or the one row of a corner. A row of weight zero is never read.
template <class T>
struct SampleRow {
    using A = Sum<T>;
    const T *low, *high;
    A weight, high_weight;

    __device__ A at(int64_t offset) const {
        A sum = 0;
        if (weight != 0) sum = weight * widened(low[offset]);
        if (high_weight != 0) sum = fused(high_weight, widened(high[offset]), sum);
        return sum;
    }
};

template <class T>
__device__ inline Sum<T> raised_to_points(Sum<T> best, const SampleRow<T>& row, const Sample<Sum<T>>* x, int32_t count,
                                          int64_t column_stride) {
    for (int32_t s = 0; s < count; s++) {
        Sum<T> sum = 0;
        if (x[s].weight != 0) sum = x[s].weight * row.at(x[s].low * column_stride);
        if (x[s].high_weight != 0) sum = fused(x[s].high_weight, row.at((x[s].low + 1) * column_stride), sum);
        best = raised(best, sum);
    }
    return best;
}

// Each corner by itself; a missing one takes part as a 0.
template <class T>
__device__ inline Sum<T> raised_to_corners(Sum<T> best, const SampleRow<T>& row, const Sample<Sum<T>>* x, int32_t count,
                                           int64_t column_stride) {
    using A = Sum<T>;
    const SampleRow<T> corners[2] = {{row.low, row.low, row.weight, 0}, {row.high, row.high, row.high_weight, 0}};
    for (int i = 0; i < 2; i++)
        for (int32_t s = 0; s < count; s++) {
            const bool has_row = corners[i].weight != 0;
            const A low = has_row && x[s].weight != 0 ? x[s].weight * corners[i].at(x[s].low * column_stride) : (A)0;
            const A high =
                has_row && x[s].high_weight != 0 ? x[s].high_weight * corners[i].at((x[s].low + 1) * column_stride) : (A)0;
            best = raised(raised(best, low), high);
        }
    return best;
}

template <class T>
__device__ inline void max_samples(const Launch& launch) {
    using A = Sum<T>;
    const int64_t k = roi_of_block(launch);
    const PlannedRoi roi = launch.planned[k];
    const Level& map = launch.levels[roi.level];
    const T* const image = (const T*)map.data + (roi.image < 0 ? 0 : roi.image) * map.image_stride;
    const Sample<A>* const y = (const Sample<A>*)launch.y_items + k * launch.y_capacity;
    const Sample<A>* const x = (const Sample<A>*)launch.x_items + k * launch.x_capacity;
    for_each_output<1>(launch, slice_of_block(launch), [&](const DirectItem& at) {
        A best[1] = {0};
        if (roi.image >= 0) {
            const int64_t row = k * (launch.bins_h + 1) + at.ph, column = k * (launch.bins_w + 1) + at.pw;
            const int32_t x_begin = launch.x_first[column], x_count = launch.x_first[column + 1] - x_begin;
            const T* const plane = image + at.channel * map.channel_stride;
            if (!launch.from_zero) best[0] = minus_infinity<A>();
            for (int32_t s = launch.y_first[row]; s < launch.y_first[row + 1]; s++) {
                const T* const low = plane + y[s].low * map.row_stride;
                const SampleRow<T> points = {low, low + map.row_stride, y[s].weight, y[s].high_weight};
                best[0] = launch.corners ? raised_to_corners(best[0], points, x + x_begin, x_count, map.column_stride)
                                         : raised_to_points(best[0], points, x + x_begin, x_count, map.column_stride);
            }
            const bool has_points = x_count > 0 && launch.y_first[row] < launch.y_first[row + 1];
            const bool has_absent = launch.y_absent[k * launch.bins_h + at.ph] || launch.x_absent[k * launch.bins_w + at.pw];
            if (!has_points)
                best[0] = 0;
            else if (has_absent && launch.absent_is_zero)
                best[0] = raised(best[0], (A)0);
        }
        write<T, 1>(launch, k, at, best);
    });
}

// --- gathered cells --------------------------------------------------------------------------------------------------

// A cell of a listed bin. Weight and low word side by side: where offsets are short, one access of 8 bytes reads them.
template <class A>
struct alignas(16) ListedCell {
    A weight;
    int32_t low, high;

    __device__ ListedCell(A weight_, int64_t offset) : weight(weight_), low((int32_t)offset), high((int32_t)(offset >> 32)) {}
    __device__ ListedCell() {}
    __device__ int64_t offset() const { return (int64_t)high << 32 | (uint32_t)low; }
};

// The weighted sum of cells that come one by one, for V channels; none of a weight of zero.
template <class T, int V>
struct CellSum {
    using A = Sum<T>;
    A value[V];
    bool is_empty = true;

    __device__ CellSum() { set_all(value, no_sum<A>); }

    __device__ void add(const T* cell, A weight) {
        A v[V];
        load<T, V>(cell, v);
        add_product(value, weight, v);
        is_empty = false;
    }

    __device__ void finish() {
        if (is_empty) set_all(value, (A)0);
    }
};

// Where the lists of a bin are, by the number of its class and its own.
__device__ inline int64_t list_of(const Launch& launch, int64_t k, int64_t cls, int64_t bin) {
    return (k * launch.classes + cls) * launch.planned_bins + bin - launch.first_bin;
}

// Adds the cells of a planned bin; Offset is as wide as offsets in an image are.
template <bool products, class Offset, class T, int V>
__device__ inline void add_cells(const Launch& launch, int64_t list, const T* channel, Offset row_stride, Offset column_stride,
                                 CellSum<T, V>& sum) {
    using A = Sum<T>;
    const int32_t count = launch.y_first[list];
    if (!products) {
        const ListedCell<A>* const cells = opaque((const ListedCell<A>*)launch.y_items + list * launch.y_capacity);
#pragma unroll 4
        for (int32_t t = 0; t < count; t++) {
            const ListedCell<A> cell = loaded(cells + t);
            sum.add(channel + (Offset)cell.offset(), cell.weight);
        }
        return;
    }
    const Tap<double>* const y = (const Tap<double>*)launch.y_items + list * launch.y_capacity;
    const Tap<double>* const x = (const Tap<double>*)launch.x_items + list * launch.x_capacity;
    const int32_t columns = launch.x_first[list];
    for (int32_t s = 0; s < count; s++) {
        const Tap<double> row = loaded(y + s);
        const T* const cells = opaque(channel + row.index * row_stride);
#pragma unroll 2
        for (int32_t t = 0; t < columns; t++) {
            const Tap<double> column = loaded(x + t);
            const A weight = (A)(row.weight * column.weight);
            if (weight != 0) sum.add(cells + column.index * column_stride, weight);
        }
    }
}

__device__ inline int64_t class_of(const Launch& launch, int64_t channel) {
    return launch.classes == 1 ? 0 : channel / (launch.channels / launch.classes);
}

// Any layout: a thread per V channels of a bin.
template <class T, int V, bool products>
__device__ inline void gather_direct(const Launch& launch) {
    const int64_t k = roi_of_block(launch);
    const PlannedRoi roi = launch.planned[k];
    const Level& map = launch.levels[0];
    const T* const image = (const T*)map.data + (roi.image < 0 ? 0 : roi.image) * map.image_stride;
    for_each_output<V>(launch, slice_of_block(launch), [&](const DirectItem& at) {
        CellSum<T, V> sum;
        const int64_t list = list_of(launch, k, class_of(launch, at.channel), at.ph * launch.bins_w + at.pw);
        const T* const channel = image + input_channel(launch, at) * map.channel_stride;
        if (roi.image >= 0) add_cells<products>(launch, list, channel, map.row_stride, map.column_stride, sum);
        sum.finish();
        write<T, V>(launch, k, at, sum.value);
    });
}

// Channels-last maps: a thread per 16 bytes of channels of a bin, 32-bit offsets in an image.
template <class T, int V, bool products>
__device__ inline void gather_wide(const Launch& launch) {
    const int64_t k = roi_of_block(launch);
    const PlannedRoi roi = launch.planned[k];
    const Level& map = launch.levels[0];
    const T* const image = (const T*)map.data + (roi.image < 0 ? 0 : roi.image) * map.image_stride;
    const WideWork<T, V> work(launch, slice_of_block(launch), dynamic_shared);
    work.for_each(launch, [&](const DirectItem& at) {
        CellSum<T, V> sum;
        const int64_t list = list_of(launch, k, 0, at.ph * launch.bins_w + at.pw);
        if (roi.image >= 0)
            add_cells<products>(launch, list, opaque(image + at.channel), (int32_t)map.row_stride, (int32_t)map.column_stride, sum);
        sum.finish();
        work.write(launch, k, at, sum.value);
    });
    work.finish(launch, k);
}

// --- moved bins ------------------------------------------------------------------------------------------------------

__device__ inline double offset_number(const Launch& launch, int64_t row, int64_t plane, int64_t y, int64_t x) {
    const int64_t at = row * launch.offset_strides[0] + plane * launch.offset_strides[1] + y * launch.offset_strides[2] +
                       x * launch.offset_strides[3];
    return launch.offsets_are_double ? ((const double*)launch.offsets)[at] : (double)((const float*)launch.offsets)[at];
}

// Whether all offsets of a RoI are finite; every thread of the block looks at some and hears the answer.
__device__ inline bool offsets_are_finite(const Launch& launch, int64_t row) {
    int64_t* const parts = (int64_t*)dynamic_shared;
    const int64_t plane = launch.part_h * launch.part_w, count = launch.offsets ? 2 * launch.classes * plane : 0;
    bool are_finite = true;
    for (int64_t i = threadIdx.x; i < count; i += blockDim.x)
        are_finite = are_finite && is_finite(offset_number(launch, row, i / plane, i % plane / launch.part_w, i % launch.part_w));
    parts[threadIdx.x] = are_finite;
    __syncthreads();
    for (uint32_t t = 0; t < blockDim.x; t++) are_finite = are_finite && parts[t];
    return are_finite;
}

// The taps of one axis of one bin, moved by `offset`.
template <class Real, bool parts, class Sink>
__device__ inline void moved_taps(const Launch& launch, const RoiBox& box, bool is_y, int64_t p, double offset, Sink&& sink) {
    const Level& map = launch.levels[0];
    const double lo = low_side(box, is_y), hi = high_side(box, is_y), scale = is_y ? map.scale_h : map.scale_w;
    const int64_t bins = is_y ? launch.bins_h : launch.bins_w, extent = is_y ? map.rows : map.columns;
    if (parts) {
        const Real shift = part_shift<Real>(offset, launch.movement);
        return part_taps(part_axis<Real>(lo, hi, scale, bins), p, launch.samples, shift, extent, sink);
    }
    const MovableAxis<Real> axis = movable_axis<Real>(lo, hi, scale, bins, is_y ? launch.sampling_h : launch.sampling_w);
    align_taps(moved(axis, launch.movement, offset), p, extent, sink);
}

// Lists the taps of both axes of every bin, a thread per list.
template <class Real, bool parts>
__device__ inline void list_moved_taps(const Launch& launch, int64_t k, const RoiBox& box) {
    const int64_t lists = 2 * launch.classes * launch.planned_bins;
    for (int64_t i = threadIdx.x; i < lists; i += blockDim.x) {
        const bool is_y = i & 1;
        const int64_t cls = i / 2 / launch.planned_bins, bin = launch.first_bin + i / 2 % launch.planned_bins;
        const int64_t ph = bin / launch.bins_w, pw = bin % launch.bins_w, list = list_of(launch, k, cls, bin);
        const int64_t capacity = is_y ? launch.y_capacity : launch.x_capacity;
        Tap<double>* const taps = (Tap<double>*)(is_y ? launch.y_items : launch.x_items) + list * capacity;
        const double offset = launch.offsets ? offset_number(launch, launch.first + k, 2 * cls + is_y, ph * launch.part_h / launch.bins_h,
                                                             pw * launch.part_w / launch.bins_w)
                                             : 0;
        int64_t count = 0;
        moved_taps<Real, parts>(launch, box, is_y, is_y ? ph : pw, offset, [&](int64_t index, double weight) {
            if (count < capacity) taps[count] = {(int32_t)index, weight};
            count++;
        });
        if (count > capacity) report(launch, launch.first + k, error_capacity);
        (is_y ? launch.y_first : launch.x_first)[list] = (int32_t)(count <= capacity ? count : 0);
    }
}

template <bool parts>
__device__ inline void plan_moved(const Launch& launch) {
    const int64_t k = blockIdx.x, row = launch.first + k;
    RoiBox box = read_box(launch, row);
    if (!offsets_are_finite(launch, row) && box.image >= 0) {
        if (threadIdx.x == 0) report(launch, row, parts ? error_trans : error_offset);
        box.image = -1;
    }
    if (threadIdx.x == 0) launch.planned[k] = {box.image, 0, 0, 0, 0, 0};
    if (box.image < 0) return;
    if (launch.arithmetic_is_float)
        list_moved_taps<float, parts>(launch, k, box);
    else
        list_moved_taps<double, parts>(launch, k, box);
}

// --- turned boxes ----------------------------------------------------------------------------------------------------

__device__ inline Rotation rotation_of(const Launch& launch) {
    return {launch.aligned != 0, launch.clockwise != 0, launch.degrees != 0, launch.sampling_h, launch.sampling_w,
            launch.levels[0].scale_h, launch.levels[0].scale_w};
}

template <class Real>
__device__ inline RotatedBox<Real> turned_box(const Launch& launch, const RoiBox& box) {
    return rotated_box<Real>(rotation_of(launch), box.number, launch.bins_h, launch.bins_w);
}

template <class Real>
__device__ inline double weight_of_point(const RotatedBox<Real>& box) {
    return box.outside ? 0 : rotated_weight(box);
}

constexpr int most_listed_cells = 64;  // of bins that one thread plans by itself: 16 points of four cells

// The cells of a bin of few points, in the order in which the points come upon them. Returns their number.
template <class A, class Real>
__device__ inline int32_t list_few_cells(const RotatedBox<Real>& box, int64_t ph, int64_t pw, const Level& map, ListedCell<A>* cells) {
    int64_t keys[most_listed_cells];
    double weights[most_listed_cells];
    int32_t count = 0, kept = 0;
    visit_rotated_points(box, ph, pw, map.rows, map.columns, [&](const AlignPoint<Real>& y, const AlignPoint<Real>& x) {
        cells_of_point(y, x, [&](int64_t row, int64_t column, double weight) {
            if (weight == 0) return;
            const int64_t key = row << 32 | column;
            int32_t at = 0;
            while (at < count && keys[at] != key) at++;
            if (at == count) keys[count] = key, weights[count] = 0, count++;
            weights[at] += weight;
        });
    });
    const double scale = weight_of_point(box);
    for (int32_t i = 0; i < count; i++) {
        const A weight = (A)(weights[i] * scale);
        if (weight != 0) cells[kept++] = {weight, (keys[i] >> 32) * map.row_stride + (keys[i] & 0xffffffff) * map.column_stride};
    }
    return kept;
}

template <class A, class Real>
__device__ inline void plan_rotated_in(const Launch& launch, int64_t k, const RoiBox& box) {
    const RotatedBox<Real> turned = turned_box<Real>(launch, box);
    for (int64_t i = threadIdx.x; i < launch.planned_bins; i += blockDim.x) {
        const int64_t bin = launch.first_bin + i, list = list_of(launch, k, 0, bin);
        ListedCell<A>* const cells = (ListedCell<A>*)launch.y_items + list * launch.y_capacity;
        launch.y_first[list] = list_few_cells<A>(turned, bin / launch.bins_w, bin % launch.bins_w, launch.levels[0], cells);
    }
}

template <class A>
__device__ inline void plan_rotated(const Launch& launch) {
    const int64_t k = blockIdx.x;
    const RoiBox box = read_box(launch, launch.first + k);
    if (threadIdx.x == 0) launch.planned[k] = {box.image, 0, 0, 0, 0, 0};
    if (box.image < 0) return;
    if (launch.arithmetic_is_float)
        plan_rotated_in<A, float>(launch, k, box);
    else
        plan_rotated_in<A, double>(launch, k, box);
}

// Bins of many points: a block merges the cells of one bin, then sums them for all channels.

constexpr int chunk_points = 32, chunk_cells = 4 * chunk_points;

// The cells of some points, as numbers inside the hull of the bin; -1: none.
struct CellChunk {
    double weight[chunk_cells];
    int32_t cell[chunk_cells];
    int32_t is_new[chunk_cells];
};

// Rows and columns that the points of a bin touch.
struct CellHull {
    Range rows, columns;

    __device__ int64_t width() const { return columns.end - columns.start; }
    __device__ int64_t area() const { return (rows.end - rows.start) * width(); }
};

__device__ inline Range joined(Range a, Range b) {
    return {a.start < b.start ? a.start : b.start, a.end > b.end ? a.end : b.end};
}

// The cells of a bin with their weights in the order in which the points come upon them; `position` tells where in the list a
// cell of the hull is. Once the list is complete its numbers become rows, and positions columns.
struct CellTable {
    double* weight;
    int32_t *cell, *position;

    __device__ CellTable(void* memory, int64_t cells)
        : weight((double*)memory), cell((int32_t*)(weight + cells)), position(cell + cells) {}
    static constexpr int64_t bytes_per_cell = 16;
};

// Calls body(first of 32 points, their number, point(i)) all over a bin, in reading order of the box's own frame.
template <class Real, class Body>
__device__ inline void for_each_strip(const RotatedBox<Real>& box, int64_t ph, int64_t pw, const Level& map, Body&& body) {
    if (box.outside) return;
    const PointSpan rows = point_rows_near_map(box, ph, map.rows, map.columns);
    const bool is_short = box.x.grid <= short_grid;  // then every row of points is tried whole, and rows follow one another
    for (int64_t i = rows.first; i < rows.end; i += is_short ? rows.end - rows.first : 1) {
        const PointSpan span = points_of_row_near_map(box, pw, align_coordinate(box.y, ph, i), map.rows, map.columns);
        const int64_t width = span.end - span.first, height = is_short ? rows.end - rows.first : 1;
        if (width <= 0) continue;
        body(width * height, [&, i, width](int64_t number) {
            const Real yy = align_coordinate(box.y, ph, i + number / width);
            const Real xx = align_coordinate(box.x, pw, span.first + number % width);
            return rotated_point(box, yy, xx, map.rows, map.columns);
        });
    }
}

template <class Real>
__device__ inline CellHull find_cell_hull(const RotatedBox<Real>& box, int64_t ph, int64_t pw, const Level& map) {
    CellHull hull = {{0x7fffffff, 0}, {0x7fffffff, 0}};
    for_each_strip(box, ph, pw, map, [&](int64_t count, auto&& point_at) {
        for (int64_t i = threadIdx.x; i < count; i += blockDim.x) {
            const MapPoint<Real> point = point_at(i);
            if (point.y.absent || point.x.absent) continue;
            const int32_t y = (int32_t)point.y.low, x = (int32_t)point.x.low;
            hull.rows = joined(hull.rows, {y, y + 1 + (point.y.high_weight != 0)});
            hull.columns = joined(hull.columns, {x, x + 1 + (point.x.high_weight != 0)});
        }
    });
    CellHull* const parts = (CellHull*)dynamic_shared;
    __syncthreads();
    parts[threadIdx.x] = hull;
    __syncthreads();
    for (uint32_t t = 0; t < blockDim.x; t++) hull = {joined(hull.rows, parts[t].rows), joined(hull.columns, parts[t].columns)};
    __syncthreads();
    return hull.rows.end == 0 ? CellHull{{0, 0}, {0, 0}} : hull;
}

// Adds a chunk's cells to the list. Of equal cells the first one's thread adds all, in order; new ones go to the end in order.
// Returns how many are new.
__device__ inline int32_t merge_chunk(CellChunk& chunk, int32_t cells, const CellTable& table, int32_t listed) {
    __syncthreads();
    for (int32_t e = threadIdx.x; e < cells; e += blockDim.x) {
        const int32_t cell = chunk.cell[e];
        bool is_first = cell >= 0;
        for (int32_t f = 0; f < e; f++) is_first = is_first && chunk.cell[f] != cell;
        chunk.is_new[e] = is_first ? 1 + (table.position[cell] < 0) : 0;
    }
    __syncthreads();
    int32_t added = 0;
    for (int32_t f = 0; f < cells; f++) added += chunk.is_new[f] == 2;
    for (int32_t e = threadIdx.x; e < cells; e += blockDim.x) {
        if (chunk.is_new[e] == 0) continue;
        const int32_t cell = chunk.cell[e];
        int32_t at = listed;
        double weight = 0;
        if (chunk.is_new[e] == 2) {
            for (int32_t f = 0; f < e; f++) at += chunk.is_new[f] == 2;
            table.cell[at] = cell;
            table.position[cell] = at;
        } else {
            at = table.position[cell];
            weight = table.weight[at];
        }
        for (int32_t f = e; f < cells; f++)
            if (chunk.cell[f] == cell) weight += chunk.weight[f];
        table.weight[at] = weight;
    }
    return added;
}

// Lists the cells of a bin, their rows in table.cell and their columns in table.position. Returns their number.
template <class A, class Real>
__device__ inline int32_t list_many_cells(const RotatedBox<Real>& box, int64_t ph, int64_t pw, const Level& map, const CellHull& hull,
                                          CellChunk& chunk, const CellTable& table) {
    for (int64_t i = threadIdx.x; i < hull.area(); i += blockDim.x) table.position[i] = -1;
    const int32_t width = (int32_t)hull.width();
    int32_t listed = 0;
    for_each_strip(box, ph, pw, map, [&](int64_t count, auto&& point_at) {
        for (int64_t first = 0; first < count; first += chunk_points) {
            const int32_t points = smaller_of(chunk_points, count - first);
            for (int32_t i = threadIdx.x; i < points; i += blockDim.x) {
                const MapPoint<Real> point = point_at(first + i);
                int32_t e = 4 * i;
                const bool is_absent = point.y.absent || point.x.absent;
                cells_of_point(point.y, point.x, [&](int64_t row, int64_t column, double weight) {
                    const bool is_cell = !is_absent && weight != 0;
                    chunk.cell[e] = is_cell ? (int32_t)(row - hull.rows.start) * width + (int32_t)(column - hull.columns.start) : -1;
                    chunk.weight[e++] = weight;
                });
            }
            listed += merge_chunk(chunk, 4 * points, table, listed);
            __syncthreads();
        }
    });
    const double scale = weight_of_point(box);
    for (int32_t t = threadIdx.x; t < listed; t += blockDim.x) {
        const int32_t cell = table.cell[t];
        table.cell[t] = hull.rows.start + cell / width;
        table.position[t] = hull.columns.start + cell % width;
        table.weight[t] = (double)(A)(table.weight[t] * scale);
    }
    __syncthreads();
    return listed;
}

// One bin for all channels, if its cells fit into the memory of this launch: shared memory, or scratch where that is given.
template <class T, int V, class Real>
__device__ inline void gather_bin_of_points(const Launch& launch, int64_t k, int64_t bin, const RoiBox& box) {
    using A = Sum<T>;
    const Level& map = launch.levels[0];
    const int64_t ph = bin / launch.bins_w, pw = bin % launch.bins_w;
    const RotatedBox<Real> turned = turned_box<Real>(launch, box);
    const CellHull hull = find_cell_hull(turned, ph, pw, map);
    if ((hull.area() > launch.shared_items) != (launch.scratch != nullptr)) return;
    CellChunk& chunk = *(CellChunk*)dynamic_shared;
    char* const memory = launch.scratch ? (char*)launch.scratch + blockIdx.x * launch.scratch_cells * CellTable::bytes_per_cell
                                        : (char*)(&chunk + 1);
    const CellTable table(memory, launch.scratch ? launch.scratch_cells : launch.shared_items);
    const int32_t listed = list_many_cells<A>(turned, ph, pw, map, hull, chunk, table);
    const T* const image = (const T*)map.data + box.image * map.image_stride;
    for (int64_t c = (int64_t)threadIdx.x * V; c < launch.channels; c += (int64_t)blockDim.x * V) {
        CellSum<T, V> sum;
        const T* const channel = image + c * map.channel_stride;
#pragma unroll 4
        for (int32_t t = 0; t < listed; t++) {
            const A weight = (A)table.weight[t];
            if (weight != 0) sum.add(channel + (table.cell[t] * map.row_stride + table.position[t] * map.column_stride), weight);
        }
        sum.finish();
        const DirectItem at = {c, (int32_t)ph, (int32_t)pw};
        if (!launch.staged) {
            write<T, V>(launch, k, at, sum.value);
            continue;
        }
        for (int i = 0; i < V && c + i < launch.channels; i++) {
            const Sum<T> one[1] = {sum.value[i]};
            write<T, 1>(launch, k, {c + i, at.ph, at.pw}, one);
        }
    }
    __syncthreads();
}

template <class T, int V>
__device__ inline void gather_points(const Launch& launch) {
    const int64_t bins = launch.bins_h * launch.bins_w;
    for (int64_t item = blockIdx.x; item < launch.count * bins; item += gridDim.x) {
        const int64_t k = item / bins, bin = item % bins;
        const RoiBox box = read_box(launch, launch.first + k);
        if (box.image < 0) {
            const Sum<T> zero[1] = {0};
            for (int64_t c = threadIdx.x; c < launch.channels; c += blockDim.x)
                write<T, 1>(launch, k, {c, (int32_t)(bin / launch.bins_w), (int32_t)(bin % launch.bins_w)}, zero);
        } else if (launch.arithmetic_is_float) {
            gather_bin_of_points<T, V, float>(launch, k, bin, box);
        } else {
            gather_bin_of_points<T, V, double>(launch, k, bin, box);
        }
    }
}

// --- orientations ----------------------------------------------------------------------------------------------------

template <class Real>
__device__ inline Orientation turned_orientation(const Launch& launch, const RoiBox& box) {
    return orientation_of<Real>(angle_in_radians<Real>(rotation_of(launch), box.number[4]), launch.orientations);
}

// From the pooled orientations of a RoI, turned by the angle of its box, to the result.
template <class T>
__device__ inline void mix(const Launch& launch) {
    using A = Sum<T>;
    const int64_t k = roi_of_block(launch), count = launch.orientations;
    const RoiBox box = read_box(launch, launch.first + k);
    const T* const source = (const T*)launch.source + (launch.first + k) * launch.source_strides[0];
    Orientation turn = {0, 0, 0};
    if (box.image >= 0)
        turn = launch.arithmetic_is_float ? turned_orientation<float>(launch, box) : turned_orientation<double>(launch, box);
    for_each_output<1>(launch, slice_of_block(launch), [&](const DirectItem& at) {
        const T* const bin = source + at.ph * launch.source_strides[2] + at.pw * launch.source_strides[3];
        const int64_t first = at.channel / count * count;
        const A value[1] = {mixed<A>(turn, at.channel - first, count, [&](int64_t from) {
            return widened(bin[(first + from) * launch.source_strides[1]]);
        })};
        write<T, 1>(launch, k, at, value);
    });
}

// --- masks -----------------------------------------------------------------------------------------------------------

#if FASTROI_ELEMENT == 1  // masks of every type are interpolated in double

enum MaskCode : int64_t { mask_float32 = 0, mask_float64 = 1, mask_uint8 = 7 };

__device__ inline double mask_cell(const Launch& launch, int64_t at) {
    const void* const data = launch.levels[0].data;
    if (launch.mask_code == mask_uint8) return (double)((const uint8_t*)data)[at];
    return launch.mask_code == mask_float64 ? ((const double*)data)[at] : (double)((const float*)data)[at];
}

// What an interpolated value becomes; masks of float64 are compared and kept as such, others as float32.
__device__ inline void store_mask(const Launch& launch, int64_t at, double value, bool strict) {
    const bool is_wide = launch.mask_code == mask_float64;
    if (launch.out_code == mask_uint8) {
        const bool is_set = is_wide ? is_in_mask(value, launch.threshold, strict) : is_in_mask((float)value, (float)launch.threshold, strict);
        ((uint8_t*)launch.out)[at] = is_set;
    } else if (is_wide) {
        ((double*)launch.out)[at] = value;
    } else {
        ((float*)launch.out)[at] = (float)value;
    }
}

__device__ inline void store_no_mask(const Launch& launch, int64_t at) {
    if (launch.out_code == mask_uint8)
        ((uint8_t*)launch.out)[at] = 0;
    else if (launch.mask_code == mask_float64)
        ((double*)launch.out)[at] = 0;
    else
        ((float*)launch.out)[at] = 0;
}

// A cell by its positions, which are cells plus one; 0 is off the mask.
__device__ inline double pasted_cell(const Launch& launch, int64_t mask, int32_t y, int32_t x) {
    const Level& map = launch.levels[0];
    return y == 0 || x == 0 ? 0 : mask_cell(launch, mask + (y - 1) * map.row_stride + (x - 1) * map.column_stride);
}

// A block pastes some rows of an image, a thread some of its columns: the tap of a column is found once for all these rows.
template <class Real>
__device__ inline void paste_rows(const Launch& launch, int64_t k, const RoiBox& box, int64_t first, int64_t end) {
    const PasteRule rule = (PasteRule)launch.rule;
    const Level& map = launch.levels[0];
    const bool is_refused = box.image < 0, strict = rule == PasteRule::detectron;
    const PasteAxis<Real> y = paste_axis<Real>(rule, low_side(box, true), high_side(box, true), map.rows, launch.bins_h);
    const PasteAxis<Real> x = paste_axis<Real>(rule, low_side(box, false), high_side(box, false), map.columns, launch.bins_w);
    PasteTap* const y_taps = (PasteTap*)dynamic_shared;
    for (int64_t row = first + threadIdx.x; row < end; row += blockDim.x) y_taps[row - first] = paste_tap(y, row);
    __syncthreads();
    const int64_t mask = box.image * map.image_stride, image = (launch.first + k) * launch.out_strides[0];
    for (int64_t column = threadIdx.x; column < launch.bins_w; column += blockDim.x) {
        const bool has_column = !is_refused && column >= x.first && column < x.end;
        const PasteTap across = paste_tap(x, column);
        for (int64_t row = first; row < end; row++) {
            const int64_t at = image + row * launch.out_strides[2] + column * launch.out_strides[3];
            if (!has_column || row < y.first || row >= y.end) {
                store_no_mask(launch, at);
                continue;
            }
            const PasteTap down = y_taps[row - first];
            const auto combined = [&](int32_t position) {
                return down.low_weight * pasted_cell(launch, mask, down.low, position) +
                       down.high_weight * pasted_cell(launch, mask, down.high, position);
            };
            store_mask(launch, at, across.low_weight * combined(across.low) + across.high_weight * combined(across.high), strict);
        }
    }
}

__device__ inline void paste_masks(const Launch& launch) {
    const int64_t k = roi_of_block(launch), first = slice_of_block(launch) * launch.shared_items;
    const int64_t end = first + launch.shared_items < launch.bins_h ? first + launch.shared_items : launch.bins_h;
    const RoiBox box = read_box(launch, launch.first + k);
    if (launch.arithmetic_is_float)
        paste_rows<float>(launch, k, box, first, end);
    else
        paste_rows<double>(launch, k, box, first, end);
}

// A thread a bin; products and sums are rounded one by one, as on the CPU.
__device__ inline void crop_masks(const Launch& launch) {
    const int64_t k = roi_of_block(launch);
    const PlannedRoi roi = launch.planned[k];
    const Level& map = launch.levels[0];
    const Tap<double>* const y_taps = (const Tap<double>*)launch.y_items + k * launch.y_capacity;
    const Tap<double>* const x_taps = (const Tap<double>*)launch.x_items + k * launch.x_capacity;
    const int32_t* const y_first = launch.y_first + k * (launch.bins_h + 1);
    const int32_t* const x_first = launch.x_first + k * (launch.bins_w + 1);
    for_each_output<1>(launch, slice_of_block(launch), [&](const DirectItem& bin) {
        const int64_t at = (launch.first + k) * launch.out_strides[0] + bin.ph * launch.out_strides[2] + bin.pw * launch.out_strides[3];
        if (roi.image < 0) return store_no_mask(launch, at);
        double sum = 0;
        for (int32_t t = x_first[bin.pw]; t < x_first[bin.pw + 1]; t++) {
            const int64_t column = roi.image * map.image_stride + x_taps[t].index * map.column_stride;
            double rows = 0;
#pragma unroll 4
            for (int32_t s = y_first[bin.ph]; s < y_first[bin.ph + 1]; s++)
                rows += y_taps[s].weight * mask_cell(launch, column + y_taps[s].index * map.row_stride);
            sum += x_taps[t].weight * rows;
        }
        store_mask(launch, at, sum, false);
    });
}

#define FASTROI_MASK_KERNELS(KERNEL)                                                     \
    KERNEL(paste_masks, 256, 4, paste_masks(launch))                                     \
    KERNEL(crop_masks, 256, 4, crop_masks(launch))
#else
#define FASTROI_MASK_KERNELS(KERNEL)
#endif

// --- channels first to channels last ---------------------------------------------------------------------------------

constexpr int tile_side = 64;

// Copies one level's map so that the channels of a cell are contiguous, zeros after the last. A block moves a square of cells
// and channels through shared memory: both sides of it are contiguous accesses, and a thread has all of its reads in flight.
// The host packs no map whose cells and channels 32 bits cannot count.
template <class T, int V>
__device__ inline void pack(const Launch& launch) {
    constexpr int threads = 256, pitch = tile_side + 1, rows = threads / tile_side, groups = tile_side / V;
    T* const tile = (T*)dynamic_shared;
    const Level& map = launch.levels[0];
    const uint32_t columns = map.columns, cells = map.rows * columns, channels = launch.channels, padded = map.column_stride;
    const uint32_t cell_tiles = (cells + tile_side - 1) / tile_side, channel_tiles = (padded + tile_side - 1) / tile_side;
    const uint32_t image = blockIdx.x / cell_tiles / channel_tiles;
    const uint32_t first_channel = blockIdx.x / cell_tiles % channel_tiles * tile_side, first_cell = blockIdx.x % cell_tiles * tile_side;
    for (uint32_t thread = threadIdx.x; thread < threads; thread += blockDim.x) {
        const uint32_t cell = first_cell + thread % tile_side, row = thread / tile_side;
        if (cell >= cells) continue;
        const bool is_dense = launch.source_strides[2] == map.columns * launch.source_strides[3];
        const int64_t y = is_dense ? 0 : cell / columns, x = is_dense ? cell : cell % columns;
        const T* const source = (const T*)launch.source + image * launch.source_strides[0] + y * launch.source_strides[2] +
                                x * launch.source_strides[3] + first_channel * launch.source_strides[1];
        T values[tile_side / rows];
#pragma unroll
        for (uint32_t i = 0; i < tile_side / rows; i++) {
            const uint32_t channel = i * rows + row;
            values[i] = first_channel + channel < channels ? source[channel * launch.source_strides[1]] : T{};
        }
#pragma unroll
        for (uint32_t i = 0; i < tile_side / rows; i++) tile[(i * rows + row) * pitch + thread % tile_side] = values[i];
    }
    __syncthreads();
    T* const to = (T*)map.data + image * map.image_stride + first_channel;
    for (uint32_t item = threadIdx.x; item < tile_side * groups; item += blockDim.x) {
        const uint32_t cell = item / groups, channel = item % groups * V;
        if (first_cell + cell >= cells || first_channel + channel >= padded) continue;
        Pack<T, V> values;
#pragma unroll
        for (int i = 0; i < V; i++) values.v[i] = tile[(channel + i) * pitch + cell];
        stored((Pack<T, V>*)(to + (int64_t)(first_cell + cell) * padded + channel), values);
    }
}

// --- what the host launches ------------------------------------------------------------------------------------------

#if FASTROI_ELEMENT == 0
using Element = float;
#elif FASTROI_ELEMENT == 1
using Element = double;
#elif FASTROI_ELEMENT == 2
using Element = Float16;
#else
using Element = Bfloat16;
#endif
constexpr int wide = 16 / sizeof(Element);
using Weight = Sum<Element>;

}  // namespace fastroi

// name, threads per block at most, blocks that a multiprocessor is to hold at least, the call.
#define FASTROI_KERNELS(KERNEL)                                                          \
    KERNEL(plan_ranges, 128, 4, plan_ranges(launch))                                     \
    KERNEL(plan_range_means, 128, 4, plan_taps<Weight>(launch, tap_range_mean))          \
    KERNEL(plan_align, 128, 4, plan_taps<Weight>(launch, tap_align))                     \
    KERNEL(plan_ps_means, 128, 4, plan_taps<Weight>(launch, tap_ps_mean))                \
    KERNEL(plan_warp, 128, 4, plan_taps<Weight>(launch, tap_warp))                       \
    KERNEL(plan_precise, 128, 4, plan_taps<Weight>(launch, tap_precise))                 \
    KERNEL(plan_crop, 128, 4, plan_taps<Weight>(launch, tap_crop))                       \
    KERNEL(plan_crop_nearest, 128, 4, plan_taps<Weight>(launch, tap_crop_nearest))       \
    KERNEL(plan_samples, 128, 4, plan_samples<Weight>(launch))                           \
    KERNEL(max_planar, 256, 4, (max_planar<Element, false>(launch)))                     \
    KERNEL(argmax_planar, 256, 4, (max_planar<Element, true>(launch)))                   \
    KERNEL(max_direct, 256, 4, (max_direct<Element, 1, false>(launch)))                  \
    KERNEL(max_wide, 256, 4, (max_wide<Element, wide>(launch)))                          \
    KERNEL(argmax_direct, 256, 4, (max_direct<Element, 1, true>(launch)))                \
    KERNEL(sum_planar, 256, 4, (sum_planar<Element>(launch)))                            \
    KERNEL(sum_direct, 256, 4, (sum_direct<Element, 1>(launch)))                         \
    KERNEL(sum_wide, 256, 4, (sum_wide<Element, wide>(launch)))                          \
    KERNEL(choose, 256, 4, choose(launch))                                               \
    KERNEL(max_resident, 512, 1, (pool_resident<Element, ResidentMax<Element>>(launch))) \
    KERNEL(sum_resident, 512, 1, (pool_resident<Element, ResidentSum<Element>>(launch))) \
    KERNEL(max_samples, 256, 4, (max_samples<Element>(launch)))                          \
    KERNEL(plan_rotated, 128, 4, plan_rotated<Weight>(launch))                           \
    KERNEL(plan_moved, 128, 4, plan_moved<false>(launch))                                \
    KERNEL(plan_parts, 128, 4, plan_moved<true>(launch))                                 \
    KERNEL(cells_direct, 256, 4, (gather_direct<Element, 1, false>(launch)))             \
    KERNEL(cells_wide, 256, 4, (gather_wide<Element, wide, false>(launch)))              \
    KERNEL(products_direct, 256, 4, (gather_direct<Element, 1, true>(launch)))           \
    KERNEL(products_wide, 256, 4, (gather_wide<Element, wide, true>(launch)))            \
    KERNEL(points_direct, 256, 2, (gather_points<Element, 1>(launch)))                   \
    KERNEL(points_wide, 256, 2, (gather_points<Element, wide>(launch)))                  \
    KERNEL(mix, 256, 4, (mix<Element>(launch)))                                          \
    KERNEL(pack, 256, 4, (pack<Element, wide>(launch)))                                  \
    FASTROI_MASK_KERNELS(KERNEL)

#define FASTROI_DEFINE(name, threads, blocks, call)                                                              \
    extern "C" __global__ void __launch_bounds__(threads, blocks) fastroi_##name(const FASTROI_PARAMETER fastroi::Launch launch) { \
        using namespace fastroi;                                                                         \
        if (goes_another_way(launch)) return;                                                            \
        call;                                                                                            \
    }
#ifdef FASTROI_CUDA_SHIM
#define FASTROI_PARAMETER
#else
#define FASTROI_PARAMETER __grid_constant__
#endif
FASTROI_KERNELS(FASTROI_DEFINE)
