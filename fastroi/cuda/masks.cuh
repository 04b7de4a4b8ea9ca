// Masks pasted and cropped; masks of every element are interpolated in double.
#pragma once

#include "mask_rules.h"
#include "plans.cuh"
#include "walking.cuh"

namespace fastroi {

#if FASTROI_ELEMENT == 1 && !defined(FASTROI_RESULT)  // with the plans of float64, whatever the elements of the masks

template <class E>
constexpr bool is_integer = false;
template <class Number, int32_t lowest, int32_t highest>
constexpr bool is_integer<SmallInteger<Number, lowest, highest>> = true;

__device__ inline bool is_thresholded(const Launch& launch) { return launch.out_code == (int64_t)Element::uint8; }

// A cell of an integer that a threshold in [0, 1] does not take is noted for its box, and counts as 0.
template <class E>
__device__ inline double mask_cell_of(const Launch& launch, int64_t row, int64_t at) {
    const typename E::Stored cell = ((const typename E::Stored*)launch.levels[0].data)[at];
    if (!is_integer<E> || cell == 0 || cell == 1 || launch.threshold > 1 || !is_thresholded(launch))
        return (double)E::widen(cell);
    report(launch, row, error_mask_cell);
    return 0;
}

__device__ inline double mask_cell(const Launch& launch, int64_t row, int64_t at) {
    switch ((Element)launch.mask_code) {
#define FASTROI_X(name, code, type) \
    case Element::name: return mask_cell_of<type>(launch, row, at);
        FASTROI_ELEMENTS(FASTROI_X)
#undef FASTROI_X
    }
    return 0;
}

template <class Value>
__device__ inline void store_number(const Launch& launch, int64_t at, Value value) {
    switch ((Element)launch.out_code) {
#define FASTROI_X(name, code, type) \
    case Element::name: ((Stored<type>*)launch.out)[at] = rounded<Stored<type>>(value); return;
        FASTROI_ELEMENTS(FASTROI_X)
#undef FASTROI_X
    }
}

template <class Value>
__device__ inline void store_value(const Launch& launch, int64_t at, Value value, bool strict) {
    if (is_thresholded(launch))
        ((uint8_t*)launch.out)[at] = is_in_mask(value, (Value)launch.threshold, strict);
    else
        store_number(launch, at, value);
}

// What an interpolated value becomes; masks of float64 are compared and kept as such, others as float32.
__device__ inline void store_mask(const Launch& launch, int64_t at, double value, bool strict) {
    if (launch.mask_code == (int64_t)Element::float64)
        store_value(launch, at, value, strict);
    else
        store_value(launch, at, (float)value, strict);
}

__device__ inline void store_no_mask(const Launch& launch, int64_t at) { store_number(launch, at, 0.0f); }

// A cell by its positions, which are cells plus one; 0 is off the mask.
__device__ inline double pasted_cell(const Launch& launch, int64_t row, int64_t mask, int32_t y, int32_t x) {
    const Level& map = launch.levels[0];
    return y == 0 || x == 0 ? 0 : mask_cell(launch, row, mask + (y - 1) * map.row_stride + (x - 1) * map.column_stride);
}

// A block pastes some rows of an image, a thread some of its columns: the tap of a column is found once for all these rows.
template <class Real>
__device__ inline void paste_rows(const Launch& launch, int64_t k, const RoiBox& box, int64_t first, int64_t end) {
    const PasteRule rule = (PasteRule)launch.rule;
    const Level& map = launch.levels[0];
    const bool is_refused = box.image < 0, strict = rule == PasteRule::detectron;
    const PasteAxis<Real> y =
        paste_axis<Real>(rule, low_side(box, true), high_side(box, true), map.rows, launch.bins_h);
    const PasteAxis<Real> x =
        paste_axis<Real>(rule, low_side(box, false), high_side(box, false), map.columns, launch.bins_w);
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
                return down.low_weight * pasted_cell(launch, launch.first + k, mask, down.low, position) +
                       down.high_weight * pasted_cell(launch, launch.first + k, mask, down.high, position);
            };
            store_mask(launch, at,
                       across.low_weight * combined(across.low) + across.high_weight * combined(across.high), strict);
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
        const int64_t at = (launch.first + k) * launch.out_strides[0] + bin.ph * launch.out_strides[2] +
                           bin.pw * launch.out_strides[3];
        if (roi.image < 0) return store_no_mask(launch, at);
        double sum = 0;
        for (int32_t t = x_first[bin.pw]; t < x_first[bin.pw + 1]; t++) {
            const int64_t column = roi.image * map.image_stride + x_taps[t].index * map.column_stride;
            double rows = 0;
#pragma unroll 4
            for (int32_t s = y_first[bin.ph]; s < y_first[bin.ph + 1]; s++)
                rows +=
                    y_taps[s].weight * mask_cell(launch, launch.first + k, column + y_taps[s].index * map.row_stride);
            sum += x_taps[t].weight * rows;
        }
        store_mask(launch, at, sum, false);
    });
}

#define FASTROI_MASK_KERNELS(KERNEL)                 \
    KERNEL(paste_masks, 256, 4, paste_masks(launch)) \
    KERNEL(crop_masks, 256, 4, crop_masks(launch))
#else
#define FASTROI_MASK_KERNELS(KERNEL)
#endif

}  // namespace fastroi
