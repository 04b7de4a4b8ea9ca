// Masks of instances: pasted from their boxes into an image, cropped from an image to their boxes.
#include <cmath>

#include "../run/masks.h"
#include "call.h"

namespace fastroi {
namespace {

// Masks (count, 1, rows, columns) of any element.
Tensor read_masks(const fastroi_tensor* masks, const char* name) {
    const Tensor t = read_tensor(masks, name);
    read_element(masks->dtype, name);
    if (t.channels != 1)
        refuse(FASTROI_INVALID_VALUE, -1, "%s: %lld channels; 1 required", name, (long long)t.channels);
    if (t.rows > max_bins - 2 || t.columns > max_bins - 2)
        refuse(FASTROI_OVERFLOW, -1, "%s: %lld x %lld; an axis holds at most 2^31 - 3", name, (long long)t.rows,
               (long long)t.columns);
    check_span(t, name);
    return t;
}

// uint8 for masks compared with a threshold, else a float for what they are interpolated to.
Tensor read_mask_output(const fastroi_tensor* out, int64_t count) {
    const Tensor t = read_output(out, count, 1, "out");
    const bool is_float = is_element(out->dtype) && !is_integer(out->dtype);
    if (!is_float && out->dtype != FASTROI_UINT8)
        refuse(FASTROI_INVALID_TYPE, -1, "out: dtype code %d; uint8 or a float required", out->dtype);
    return t;
}

void check_threshold(double threshold) {
    if (!(threshold >= 0) || std::isinf(threshold))
        refuse(FASTROI_INVALID_VALUE, -1, "threshold: %g; it must be finite and not negative", threshold);
}

// All boxes; none where their memory is not to be looked at.
std::vector<Box> boxes_of_masks(const Request& request, int64_t images) {
    if (request.execution.flow == FASTROI_CHECK_SHAPES) return planned_boxes(request, 4, images);
    return read_boxes(*request.boxes, 4, images, request.execution.stop);
}

// A call that only checks ends with what pooling would look at first.
void hand_on(const Request& request, MaskPart part, const Tensor& from, const Tensor& to) {
    const Job job{{from}, to, whole_window(to), request.execution};
    if (request.execution.flow == FASTROI_CHECK) return check_mask_cells(part, job);
    request.flow.take(std::move(part), job);
}

}  // namespace

void paste_masks(const Request& request, const fastroi_paste_masks_params& p) {
    check_threshold(p.threshold);
    const Tensor from = read_masks(request.features, "masks");
    const int64_t count = checked(request.boxes).count;
    if (from.images != count)
        refuse(FASTROI_INVALID_VALUE, -1, "masks: %lld of them for %lld boxes", (long long)from.images,
               (long long)count);
    if (count > 0 && (from.rows == 0 || from.columns == 0))
        refuse(FASTROI_INVALID_VALUE, -1, "masks: %lld x %lld cells; there is nothing to paste", (long long)from.rows,
               (long long)from.columns);
    const Tensor to = read_mask_output(request.out, count);
    std::vector<Box> boxes = boxes_of_masks(request, 1);
    if (boxes.empty()) return;
    hand_on(request,
            {MaskPart::paste, std::move(boxes), request.features->dtype, request.out->dtype, p.arithmetic, p.threshold,
             (PasteRule)p.rule, p.zeroed != 0, false, 0, 0},
            from, to);
}

void crop_masks(const Request& request, const fastroi_crop_masks_params& p) {
    check_threshold(p.threshold);
    check_sampling_ratios(p.sampling_h, p.sampling_w);
    const Tensor from = read_masks(request.features, "masks");
    const int64_t count = checked(request.boxes).count;
    if (count > 0 && (from.images == 0 || from.rows == 0 || from.columns == 0))
        refuse(FASTROI_INVALID_VALUE, -1, "masks: there is nothing to crop");
    const bool one_each = request.boxes->columns == 4 && !request.boxes->batch_indices;
    if (one_each && from.images != count)
        refuse(FASTROI_INVALID_VALUE, -1, "masks: %lld of them for %lld boxes", (long long)from.images,
               (long long)count);
    const Tensor to = read_mask_output(request.out, count);
    std::vector<Box> boxes = boxes_of_masks(request, one_each ? 1 : from.images);
    if (boxes.empty()) return;
    if (one_each)
        for (size_t k = 0; k < boxes.size(); k++) boxes[k].image = (int64_t)k;
    hand_on(request,
            {MaskPart::crop, std::move(boxes), request.features->dtype, request.out->dtype, p.arithmetic, p.threshold,
             PasteRule{}, false, p.aligned != 0, p.sampling_h, p.sampling_w},
            from, to);
}

}  // namespace fastroi
