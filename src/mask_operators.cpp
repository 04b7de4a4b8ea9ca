// Masks of instances: pasted from their boxes into an image, cropped from an image to their boxes.
#include <atomic>
#include <cmath>
#include <cstring>

#include "call.h"
#include "operators.h"
#include "plan/mask_rules.h"

namespace fastroi {
namespace {

// Calls body with a value of the type of a mask's elements.
template <class Body>
void with_mask_type(int32_t dtype, const Body& body) {
    if (dtype == FASTROI_UINT8)
        body(uint8_t{});
    else
        with_element_type(dtype, body);
}

// The type that a mask of Element is interpolated to before it meets the threshold.
template <class Element>
struct Interpolated {
    using type = float;
};
template <>
struct Interpolated<double> {
    using type = double;
};

// Masks (count, 1, rows, columns) of `dtype`s: uint8, float32 or float64.
Tensor read_masks(const fastroi_tensor* masks, const char* name) {
    const Tensor t = read_tensor(masks, name);
    if (masks->dtype != FASTROI_UINT8 && masks->dtype != FASTROI_FLOAT32 && masks->dtype != FASTROI_FLOAT64)
        refuse(FASTROI_INVALID_TYPE, -1, "%s: dtype code %d; uint8, float32 or float64 required", name, masks->dtype);
    if (t.channels != 1) refuse(FASTROI_INVALID_VALUE, -1, "%s: %lld channels; 1 required", name, (long long)t.channels);
    if (t.rows > max_bins - 2 || t.columns > max_bins - 2)
        refuse(FASTROI_OVERFLOW, -1, "%s: %lld x %lld; an axis holds at most 2^31 - 3", name, (long long)t.rows, (long long)t.columns);
    return t;
}

// uint8 for masks compared with a threshold, else what they are interpolated to.
Tensor read_mask_output(const fastroi_tensor* out, int32_t mask_dtype, int64_t count) {
    if (!out) refuse(FASTROI_INVALID_VALUE, -1, "out: NULL");
    const int32_t values = mask_dtype == FASTROI_FLOAT64 ? FASTROI_FLOAT64 : FASTROI_FLOAT32;
    return read_output(out, out->dtype == FASTROI_UINT8 ? FASTROI_UINT8 : values, count, 1, "out");
}

void check_threshold(double threshold) {
    if (!(threshold >= 0) || std::isinf(threshold))
        refuse(FASTROI_INVALID_VALUE, -1, "threshold: %g; it must be finite and not negative", threshold);
}

// Calls body(i) for every i in [0, count), each on some thread; the calling one asks whether to go on.
template <class Body>
void for_each_mask(const Execution& execution, int64_t count, const Body& body) {
    std::atomic<int64_t> next{0};
    std::atomic<bool> cancelled{false};
    const int threads = (int)std::max<int64_t>(1, std::min<int64_t>(usable_threads(execution.threads), count));
    run_on_threads(threads, [&](int thread) {
        auto worker = body();
        for (int64_t i; !cancelled && (i = next++) < count;) {
            worker(i);
            if (thread == 0 && execution.cancel && execution.cancel(execution.cancel_context)) cancelled = true;
        }
    });
    if (cancelled) refuse(FASTROI_CANCELLED, -1, "cancelled; out is partly written");
}

// What one row of results becomes.
template <class Value, class Result>
struct Finisher {
    Value threshold;
    bool strict;

    void store(double value, unsigned char* to) const {
        const Value rounded = (Value)value;
        Result result;
        if constexpr (std::is_same_v<Result, uint8_t>)
            result = is_in_mask(rounded, threshold, strict);
        else
            result = rounded;
        memcpy(to, &result, sizeof result);
    }
};

// --- pasting ---------------------------------------------------------------------------------------------------------------

// Pixels [first, first + taps.size()) of one axis.
struct PixelTaps {
    int64_t first = 0;
    std::vector<PasteTap> taps;

    template <class Real>
    void plan(const PasteAxis<Real>& axis) {
        first = axis.first;
        taps.clear();
        for (int64_t pixel = axis.first; pixel < axis.end; pixel++) taps.push_back(paste_tap(axis, pixel));
    }
};

template <class Element, class Real, class Result>
class Paster {
public:
    using Value = typename Interpolated<Element>::type;

    Paster(const Tensor& masks, const Tensor& out, const std::vector<Box>& boxes, PasteRule rule, Value threshold, bool zeroed)
        : masks_(masks), out_(out), boxes_(boxes), rule_(rule), finish_{threshold, rule == PasteRule::detectron}, zeroed_(zeroed),
          rows_((masks.rows + 1) * (masks.columns + 1)), row_(masks.columns + 1) {}

    void operator()(int64_t k) {
        const double* const c = boxes_[k].coordinate;
        y_.plan(paste_axis<Real>(rule_, c[1], c[3], masks_.rows, out_.rows));
        x_.plan(paste_axis<Real>(rule_, c[0], c[2], masks_.columns, out_.columns));
        unsigned char* const image = out_.data + k * out_.image_stride;
        if (!zeroed_) clear(image);
        read_mask(masks_.data + k * masks_.image_stride);
        for (size_t i = 0; i < y_.taps.size(); i++) {
            combine_rows(y_.taps[i]);
            unsigned char* to = image + (y_.first + (int64_t)i) * out_.row_stride + x_.first * out_.column_stride;
            for (const PasteTap& tap : x_.taps) {
                finish_.store(tap.low_weight * row_[tap.low] + tap.high_weight * row_[tap.high], to);
                to += out_.column_stride;
            }
        }
    }

private:
    void clear(unsigned char* image) const {
        for (int64_t y = 0; y < out_.rows; y++) {
            unsigned char* const row = image + y * out_.row_stride;
            if (out_.column_stride == (ptrdiff_t)sizeof(Result)) {
                memset(row, 0, out_.columns * sizeof(Result));
            } else {
                for (int64_t x = 0; x < out_.columns; x++) memset(row + x * out_.column_stride, 0, sizeof(Result));
            }
        }
    }
    // With a row and a column of zeros before the first.
    void read_mask(const unsigned char* mask) {
        for (int64_t y = 0; y < masks_.rows; y++)
            for (int64_t x = 0; x < masks_.columns; x++) {
                Element e;
                memcpy(&e, mask + y * masks_.row_stride + x * masks_.column_stride, sizeof e);
                rows_[(y + 1) * (masks_.columns + 1) + x + 1] = (double)e;
            }
    }
    void combine_rows(const PasteTap& tap) {
        const double* const low = rows_.data() + tap.low * (masks_.columns + 1);
        const double* const high = rows_.data() + tap.high * (masks_.columns + 1);
        for (int64_t x = 0; x <= masks_.columns; x++) row_[x] = tap.low_weight * low[x] + tap.high_weight * high[x];
    }

    const Tensor masks_, out_;
    const std::vector<Box>& boxes_;
    const PasteRule rule_;
    const Finisher<Value, Result> finish_;
    const bool zeroed_;
    std::vector<double> rows_, row_;
    PixelTaps y_, x_;
};

// --- cropping --------------------------------------------------------------------------------------------------------------

template <class Element, class Real, class Result>
class Cropper {
public:
    using Value = typename Interpolated<Element>::type;

    Cropper(const Tensor& masks, const Tensor& out, const std::vector<Box>& boxes, const fastroi_crop_masks_params& params)
        : masks_(masks), out_(out), boxes_(boxes), params_(params), finish_{(Value)params.threshold, false} {}

    void operator()(int64_t k) {
        Arena arena;
        const double* const c = boxes_[k].coordinate;
        const TapAxis<double> y = plan_axis(arena, c[1], c[3], params_.sampling_h, out_.rows, masks_.rows);
        const TapAxis<double> x = plan_axis(arena, c[0], c[2], params_.sampling_w, out_.columns, masks_.columns);
        const unsigned char* const mask = masks_.data + boxes_[k].image * masks_.image_stride;
        sums_.resize(x.hull.end - x.hull.start);
        for (int64_t ph = 0; ph < out_.rows; ph++) {
            add_rows(mask, y, ph, x.hull);
            unsigned char* const to = out_.data + k * out_.image_stride + ph * out_.row_stride;
            for (int64_t pw = 0; pw < out_.columns; pw++) finish_.store(bin_sum(y, x, ph, pw), to + pw * out_.column_stride);
        }
    }

private:
    TapAxis<double> plan_axis(Arena& arena, double lo, double hi, int64_t sampling, int64_t bins, int64_t extent) {
        const AlignAxis<Real> axis = align_axis<Real>(align_rule(params_.aligned != 0), lo, hi, 1, bins, sampling);
        return collector_.collect(arena, bins, [&](int64_t p, auto&& sink) { align_taps(axis, p, extent, sink); });
    }
    void add_rows(const unsigned char* mask, const TapAxis<double>& y, int64_t ph, Range columns) {
        std::fill(sums_.begin(), sums_.end(), 0.0);
        for (int32_t t = y.first[ph]; t < y.first[ph + 1]; t++)
            add_row(mask + y.index[t] * masks_.row_stride + columns.start * masks_.column_stride, y.weight[t]);
    }
    void add_row(const unsigned char* row, double weight) {
        const int64_t count = (int64_t)sums_.size();
        double* const sums = sums_.data();
        if (masks_.column_stride == (ptrdiff_t)sizeof(Element) && (uintptr_t)row % alignof(Element) == 0) {
            const Element* const cells = (const Element*)row;
            for (int64_t x = 0; x < count; x++) sums[x] += weight * (double)cells[x];
            return;
        }
        for (int64_t x = 0; x < count; x++) {
            Element cell;
            memcpy(&cell, row + x * masks_.column_stride, sizeof cell);
            sums[x] += weight * (double)cell;
        }
    }
    double bin_sum(const TapAxis<double>& y, const TapAxis<double>& x, int64_t ph, int64_t pw) const {
        double sum = 0;
        if (y.first[ph] == y.first[ph + 1]) return sum;
        for (int32_t t = x.first[pw]; t < x.first[pw + 1]; t++) sum += x.weight[t] * sums_[x.index[t] - x.hull.start];
        return sum;
    }

    const Tensor masks_, out_;
    const std::vector<Box>& boxes_;
    const fastroi_crop_masks_params& params_;
    const Finisher<Value, Result> finish_;
    Collector<double> collector_;
    std::vector<double> sums_;
};

// Calls body with values of the types of elements, coordinates and results.
template <class Body>
void with_mask_types(int32_t dtype, int32_t arithmetic, int32_t result, const Body& body) {
    with_mask_type(dtype, [&](auto element) {
        using Value = typename Interpolated<decltype(element)>::type;
        with_element_type(arithmetic == FASTROI_ARITHMETIC_F32 ? FASTROI_FLOAT32 : FASTROI_FLOAT64, [&](auto real) {
            if (result == FASTROI_UINT8)
                body(element, real, uint8_t{});
            else
                body(element, real, Value{});
        });
    });
}

}  // namespace

void paste_masks(const fastroi_tensor* masks, const fastroi_boxes* boxes, const fastroi_paste_masks_params* params,
                 const fastroi_tensor* out, const fastroi_exec* exec) {
    const fastroi_paste_masks_params p = read_params(params);
    check_code(p.rule, paste_rule_count, "rule");
    check_code(p.arithmetic, 2, "arithmetic");
    check_threshold(p.threshold);
    const Execution execution = read_execution(exec);
    const Tensor from = read_masks(masks, "masks");
    const int64_t count = checked(boxes).count;
    if (from.images != count)
        refuse(FASTROI_INVALID_VALUE, -1, "masks: %lld of them for %lld boxes", (long long)from.images, (long long)count);
    if (count > 0 && (from.rows == 0 || from.columns == 0))
        refuse(FASTROI_INVALID_VALUE, -1, "masks: %lld x %lld cells; there is nothing to paste", (long long)from.rows, (long long)from.columns);
    const Tensor to = read_mask_output(out, masks->dtype, count);
    const std::vector<Box> rois = read_boxes(*boxes, 4, 1);
    with_mask_types(masks->dtype, p.arithmetic, out->dtype, [&](auto element, auto real, auto result) {
        using Worker = Paster<decltype(element), decltype(real), decltype(result)>;
        for_each_mask(execution, count, [&] {
            return Worker(from, to, rois, (PasteRule)p.rule, (typename Worker::Value)p.threshold, p.zeroed != 0);
        });
    });
}

void crop_masks(const fastroi_tensor* masks, const fastroi_boxes* boxes, const fastroi_crop_masks_params* params,
                const fastroi_tensor* out, const fastroi_exec* exec) {
    const fastroi_crop_masks_params p = read_params(params);
    check_code(p.arithmetic, 2, "arithmetic");
    check_threshold(p.threshold);
    if (p.sampling_h > max_sampling_ratio || p.sampling_w > max_sampling_ratio)
        refuse(FASTROI_INVALID_VALUE, -1, "sampling_ratio: at most %lld", (long long)max_sampling_ratio);
    const Execution execution = read_execution(exec);
    const Tensor from = read_masks(masks, "masks");
    const int64_t count = checked(boxes).count;
    if (count > 0 && (from.images == 0 || from.rows == 0 || from.columns == 0))
        refuse(FASTROI_INVALID_VALUE, -1, "masks: there is nothing to crop");
    const Tensor to = read_mask_output(out, masks->dtype, count);
    const std::vector<Box> rois = read_boxes(*boxes, 4, from.images);
    with_mask_types(masks->dtype, p.arithmetic, out->dtype, [&](auto element, auto real, auto result) {
        for_each_mask(execution, count,
                      [&] { return Cropper<decltype(element), decltype(real), decltype(result)>(from, to, rois, p); });
    });
}

}  // namespace fastroi
