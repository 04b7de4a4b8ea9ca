// Masks pasted and cropped; masks of every type are interpolated in double.
#pragma once

#include "mask_rules.h"
#include "plans.cuh"
#include "walking.cuh"

namespace fastroi {

#if FASTROI_ELEMENT == 1  // masks of every type are interpolated in double

enum MaskCode : int64_t { mask_float32 = 0, mask_float64 = 1, mask_uint8 = 7 };

// A cell of uint8 that a threshold in [0, 1] does not take is noted for its box, and counts as 0.
__device__ inline double mask_cell(const Launch& launch, int64_t row, int64_t at) {
    const void* const data = launch.levels[0].data;
    if (launch.mask_code == mask_uint8) {
        const uint8_t cell = ((const uint8_t*)data)[at];
        if (cell <= 1 || launch.out_code != mask_uint8 || launch.threshold > 1) return (double)cell;
        report(launch, row, error_mask_cell);
        return 0;
    }
    return launch.mask_code == mask_float64 ? ((const double*)data)[at] : (double)((const float*)data)[at];
}

// What an interpolated value becomes; masks of float64 are compared and kept as such, others as float32.
__device__ inline void store_mask(const Launch& launch, int64_t at, double value, bool strict) {
    const bool is_wide = launch.mask_code == mask_float64;
    if (launch.out_code == mask_uint8) {
        const bool is_set = is_wide ? is_in_mask(value, launch.threshold, strict)
                                    : is_in_mask((float)value, (float)launch.threshold, strict);
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
