// Masks of instances: pasted from their boxes into an image, or cropped from an image to their boxes.
#pragma once
#include <vector>

#include "../job.h"
#include "../plan/mask_rules.h"
#include "../plan/side.h"
#include "../plan/box.h"

namespace fastroi {

// Box k pastes mask k, or crops mask boxes[k].image. Taps are planned box by box, by the thread that needs them: those of all boxes
// would be larger than the masks.
struct MaskPart {
    enum Kind { paste, crop } kind;
    std::vector<Box> boxes;
    int32_t dtype, result_dtype, arithmetic;
    double threshold;
    PasteRule rule;                  // of paste
    bool zeroed;                     // of paste: the result is all zeros already
    bool aligned;                    // of crop
    int64_t sampling_h, sampling_w;  // of crop
};

// Refuses the first box whose mask of uint8 has a cell that the threshold does not take; reads the cells near the boxes only.
void check_mask_cells(const MaskPart& part, const Job& job);

// Maps and results are those of the job; its dtypes are the part's.
void pool_masks(const MaskPart& part, const Job& job);

template <class Real>
PasteAxis<Real> pasted_rows(const MaskPart& part, const Tensor& masks, const Tensor& out, int64_t k) {
    const double* const c = part.boxes[k].coordinate;
    return paste_axis<Real>(part.rule, c[1], c[3], masks.rows, out.rows);
}

template <class Real>
PasteAxis<Real> pasted_columns(const MaskPart& part, const Tensor& masks, const Tensor& out, int64_t k) {
    const double* const c = part.boxes[k].coordinate;
    return paste_axis<Real>(part.rule, c[0], c[2], masks.columns, out.columns);
}

template <class Real>
auto cropped_rows(const MaskPart& part, const Tensor& masks, const Tensor& out, int64_t k) {
    const double* const c = part.boxes[k].coordinate;
    return align_taps<Real>(align_rule(part.aligned), {c[1], c[3], 1, part.sampling_h, out.rows, masks.rows});
}

template <class Real>
auto cropped_columns(const MaskPart& part, const Tensor& masks, const Tensor& out, int64_t k) {
    const double* const c = part.boxes[k].coordinate;
    return align_taps<Real>(align_rule(part.aligned), {c[0], c[2], 1, part.sampling_w, out.columns, masks.columns});
}

}  // namespace fastroi
