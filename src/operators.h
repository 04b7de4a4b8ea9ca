// The operators of fastroi.h, one function each: check the parameters, plan in batches, run. Throw Refusal.
#pragma once
#include "../fastroi/include/fastroi.h"

namespace fastroi {

void roi_pool(const fastroi_tensor* features, const fastroi_boxes* boxes, const fastroi_roi_pool_params* params,
              const fastroi_tensor* out, const fastroi_tensor* argmax, const fastroi_exec* exec);

void roi_align(const fastroi_tensor* features, const fastroi_boxes* boxes, const fastroi_roi_align_params* params,
               const fastroi_tensor* out, const fastroi_exec* exec);

void multiscale_roi_align(const fastroi_tensor* features, const double* scales, int32_t levels, const fastroi_boxes* boxes,
                          const int64_t* level_of_roi, const fastroi_roi_align_params* params, const fastroi_tensor* out,
                          const fastroi_exec* exec);

void ps_roi_pool(const fastroi_tensor* features, const fastroi_boxes* boxes, const fastroi_ps_roi_pool_params* params,
                 const fastroi_tensor* out, const fastroi_exec* exec);

void ps_roi_align(const fastroi_tensor* features, const fastroi_boxes* boxes, const fastroi_ps_roi_align_params* params,
                  const fastroi_tensor* out, const fastroi_exec* exec);

void roi_warp(const fastroi_tensor* features, const fastroi_boxes* boxes, const fastroi_scale_params* params,
              const fastroi_tensor* out, const fastroi_exec* exec);

void prroi_pool(const fastroi_tensor* features, const fastroi_boxes* boxes, const fastroi_scale_params* params,
                const fastroi_tensor* out, const fastroi_exec* exec);

void crop_and_resize(const fastroi_tensor* features, const fastroi_boxes* boxes, const fastroi_crop_params* params,
                     const fastroi_tensor* out, const fastroi_exec* exec);

void roi_align_rotated(const fastroi_tensor* features, const fastroi_boxes* boxes, const fastroi_rotated_params* params,
                       const fastroi_tensor* out, const fastroi_exec* exec);

void riroi_align_rotated(const fastroi_tensor* features, const fastroi_boxes* boxes, const fastroi_riroi_params* params,
                         const fastroi_tensor* out, const fastroi_exec* exec);

void deform_roi_pool(const fastroi_tensor* features, const fastroi_boxes* boxes, const fastroi_tensor* offset,
                     const fastroi_deform_roi_pool_params* params, const fastroi_tensor* out, const fastroi_exec* exec);

void deform_ps_roi_pool(const fastroi_tensor* features, const fastroi_boxes* boxes, const fastroi_tensor* trans,
                        const fastroi_deform_ps_roi_pool_params* params, const fastroi_tensor* out, const fastroi_exec* exec);

void paste_masks(const fastroi_tensor* masks, const fastroi_boxes* boxes, const fastroi_paste_masks_params* params,
                 const fastroi_tensor* out, const fastroi_exec* exec);

void crop_masks(const fastroi_tensor* masks, const fastroi_boxes* boxes, const fastroi_crop_masks_params* params,
                const fastroi_tensor* out, const fastroi_exec* exec);

void axis_ranges(int32_t rule, double lo, double hi, double scale, int64_t bins, int64_t extent, double* interval,
                 int64_t* edges);

// The weighted taps of one axis, for explanation: op is a fastroi_taps_op. Returns how many there are; writes at most
// `capacity` of them.
int64_t axis_taps(int32_t op, double lo, double hi, double scale, int64_t sampling_ratio, int64_t bins, int64_t extent,
                  int64_t capacity, int64_t* bin, int64_t* cell, double* weight);

// Likewise its sample points: see fastroi_axis_points.
int64_t axis_points(int32_t op, double lo, double hi, double scale, int64_t sampling_ratio, int64_t bins, int64_t extent,
                    int64_t capacity, double* interval, int64_t* grid, int64_t* bin, double* coordinate, double* weight);

}  // namespace fastroi
