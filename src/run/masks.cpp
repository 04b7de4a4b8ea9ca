#include "masks.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <type_traits>

#include "../plan/tap_plan.h"
#include "../refusal.h"
#include "../size.h"
#include "../type_codes.h"
#include "tiles.h"
#include "workers.h"

namespace fastroi {
namespace {

// Widens `count` cells of a row, `stride` bytes apart.
using RowReader = void (*)(const unsigned char* from, ptrdiff_t stride, int64_t count, double* to);

template <class E>
void read_row(const unsigned char* from, ptrdiff_t stride, int64_t count, double* to) {
    for (int64_t x = 0; x < count; x++) {
        typename E::Stored stored;
        memcpy(&stored, from + x * stride, sizeof stored);
        to[x] = (double)E::widen(stored);
    }
}

RowReader row_reader(int32_t dtype) {
    RowReader reader = nullptr;
    with_element((Element)dtype, [&](auto element) { reader = read_row<decltype(element)>; });
    return reader;
}

// What `count` boxes read and write at most, in the float64 numbers that it is worked on as.
int64_t bytes_of_masks(const Job& job, int64_t count) {
    const Tensor &mask = job.maps[0], &out = job.out;
    const int64_t cells = estimated_sum(mask.rows * mask.columns, out.rows * out.columns);
    return estimated_product(estimated_product(cells, sizeof(double)), count);
}

// Calls pool(k, worker) for every box k, on all threads; make_pool() is called on each of them.
template <class MakePool>
void for_each_mask(const Job& job, int64_t count, const MakePool& make_pool) {
    std::atomic<int64_t> next{0};
    StopSign& stop = *job.execution.stop;
    const int wanted = (int)std::max<int64_t>(1, std::min<int64_t>(job.execution.threads, count));
    const int threads = threads_worth(wanted, bytes_of_masks(job, count));
    work_on_threads(threads, &stop, [&](int thread) {
        Worker worker(stop, thread);
        auto pool = make_pool();
        for (int64_t k; !worker.stopped() && (k = next++) < count;) pool(k, worker);
    });
    stop.throw_if_raised();
}

// --- cells of integers -----------------------------------------------------------------------------------------------------

// A threshold in [0, 1] is a share of one, so 255 of a mask of 0 and 255 must not meet it unseen.
bool must_be_zero_or_one(const MaskPart& part) {
    return is_integer(part.dtype) && part.result_dtype == FASTROI_UINT8 && part.threshold <= 1;
}

// The cells of an axis that samples between two corners can read, and some beside them.
Range cells_between(double a, double b, int64_t extent) {
    const double first = std::floor(std::min(a, b)) - 1, end = std::ceil(std::max(a, b)) + 2;
    return {(int32_t)std::clamp(first, 0.0, (double)extent), (int32_t)std::clamp(end, 0.0, (double)extent)};
}

// A cell that is interpolated takes as long as some bytes that are only looked at, or set.
int64_t cells_worth(int64_t bytes) { return 1 + bytes / 16; }

// The cells of one mask that a box may read.
struct CellWindow {
    const unsigned char* data;
    Range rows, columns;
    ptrdiff_t row_stride, column_stride;
    int32_t dtype;

    CellWindow(const MaskPart& part, const Tensor& masks, int64_t k)
        : rows{0, (int32_t)masks.rows},
          columns{0, (int32_t)masks.columns},
          row_stride(masks.row_stride),
          column_stride(masks.column_stride),
          dtype(part.dtype) {
        const Box& box = part.boxes[k];
        data = masks.data + (part.kind == MaskPart::paste ? k : box.image) * masks.image_stride;
        if (part.kind == MaskPart::paste) return;
        rows = cells_between(box.coordinate[1], box.coordinate[3], masks.rows);
        columns = cells_between(box.coordinate[0], box.coordinate[2], masks.columns);
    }
    double cell(int64_t y, int64_t x) const {
        double value;
        row_reader(dtype)(data + y * row_stride + x * column_stride, 0, 1, &value);
        return value;
    }
    bool row_has_other(int64_t y) const {
        const unsigned char* const row = data + y * row_stride;
        if (item_size((Element)dtype) == 2) return any_other<uint16_t>(row);
        return any_other<uint8_t>(row);
    }
    template <class Bits>
    bool any_other(const unsigned char* row) const {
        Bits bits = 0;
        const auto read = [&](ptrdiff_t stride) {
            for (int64_t x = columns.start; x < columns.end; x++) {
                Bits cell;
                memcpy(&cell, row + x * stride, sizeof cell);
                bits |= cell;
            }
        };
        if (column_stride == (ptrdiff_t)sizeof(Bits))
            read(sizeof(Bits));
        else
            read(column_stride);
        return bits > 1;
    }
    bool has_other(Worker& worker) const {
        for (int64_t y = rows.start; y < rows.end && !worker.stopped(); y++) {
            if (row_has_other(y)) return true;
            worker.worked(cells_worth(length(columns)));
        }
        return false;
    }
    [[noreturn]] void refuse_first_other(int64_t box, int64_t mask) const {
        int64_t y = rows.start, x = columns.start;
        while (!row_has_other(y)) y++;
        while (cell(y, x) == 0 || cell(y, x) == 1) x++;
        refuse(
            FASTROI_INVALID_VALUE, box,
            "masks[%lld]: cell [%lld, %lld] is %g, and a threshold in [0, 1] takes integer masks of 0 and 1; pass masks > 0, "
            "masks / 255, or a threshold above 1 that is in the masks' unit",
            (long long)mask, (long long)y, (long long)x, cell(y, x));
    }
};

auto mark_kernel(const MaskKernels& kernels, float) { return kernels.mark_f32; }
auto mark_kernel(const MaskKernels& kernels, double) { return kernels.mark_f64; }

// What a row of interpolated values becomes: a mask, by a threshold, or values as they are stored. Either is rounded to Value first.
template <class Value>
struct Finisher {
    Value threshold;
    bool strict;
    int32_t result_dtype;

    Finisher(const MaskPart& part, bool is_strict)
        : threshold((Value)part.threshold), strict(is_strict), result_dtype(part.result_dtype) {}

    void store_row(const MaskKernels& kernels, const std::vector<double>& values, unsigned char* to,
                   ptrdiff_t stride) const {
        const int64_t count = (int64_t)values.size();
        if (result_dtype != FASTROI_UINT8) return store_values(values, to, stride);
        if (stride == 1) return mark_kernel(kernels, threshold)(values.data(), threshold, strict, to, count);
        for (int64_t i = 0; i < count; i++) to[i * stride] = is_in_mask((Value)values[i], threshold, strict);
    }
    void store_values(const std::vector<double>& values, unsigned char* to, ptrdiff_t stride) const {
        with_element((Element)result_dtype, [&](auto element) {
            using E = result_of<Value, decltype(element)>;
            for (double value : values) {
                const auto stored = E::round((Value)value);
                memcpy(to, &stored, sizeof stored);
                to += stride;
            }
        });
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

template <class Value, class Real>
class Paster {
public:
    Paster(const MaskPart& part, const Job& job)
        : masks_(job.maps[0]),
          out_(job.out),
          part_(part),
          kernels_(job.execution.kernels->masks),
          finish_(part, part.rule == PasteRule::detectron),
          reader_(row_reader(part.dtype)),
          rows_((masks_.rows + 1) * (masks_.columns + 1)),
          row_(masks_.columns + 1) {}

    void operator()(int64_t k, Worker& worker) {
        y_.plan(pasted_rows<Real>(part_, masks_, out_, k));
        x_.plan(pasted_columns<Real>(part_, masks_, out_, k));
        unsigned char* const image = out_.data + k * out_.image_stride;
        if (!part_.zeroed) clear(image, worker);
        read_mask(masks_.data + k * masks_.image_stride, worker);
        pixels_.resize(x_.taps.size());
        for (size_t i = 0; i < y_.taps.size() && !worker.stopped(); i++) {
            combine_rows(y_.taps[i]);
            kernels_.interpolate(row_.data(), x_.taps.data(), pixels_.data(), (int64_t)pixels_.size());
            unsigned char* to = image + (y_.first + (int64_t)i) * out_.row_stride + x_.first * out_.column_stride;
            finish_.store_row(kernels_, pixels_, to, out_.column_stride);
            worker.worked((int64_t)pixels_.size() + masks_.columns);
        }
    }

private:
    void clear(unsigned char* image, Worker& worker) const {
        for (int64_t y = 0; y < out_.rows && !worker.stopped(); y++) {
            worker.worked(cells_worth(out_.columns));
            unsigned char* const row = image + y * out_.row_stride;
            const int64_t item = item_size((Element)part_.result_dtype);
            if (out_.column_stride == item) {
                memset(row, 0, out_.columns * item);
            } else {
                for (int64_t x = 0; x < out_.columns; x++) memset(row + x * out_.column_stride, 0, item);
            }
        }
    }
    // With a row and a column of zeros before the first.
    void read_mask(const unsigned char* mask, Worker& worker) {
        for (int64_t y = 0; y < masks_.rows && !worker.stopped(); y++) {
            worker.worked(masks_.columns);
            reader_(mask + y * masks_.row_stride, masks_.column_stride, masks_.columns,
                    &rows_[(y + 1) * (masks_.columns + 1) + 1]);
        }
    }
    void combine_rows(const PasteTap& tap) {
        const int64_t count = masks_.columns + 1;
        kernels_.combine(rows_.data() + tap.low * count, tap.low_weight, rows_.data() + tap.high * count,
                         tap.high_weight, row_.data(), count);
    }

    const Tensor &masks_, &out_;
    const MaskPart& part_;
    const MaskKernels& kernels_;
    const Finisher<Value> finish_;
    const RowReader reader_;
    std::vector<double> rows_, row_, pixels_;
    PixelTaps y_, x_;
};

// --- cropping --------------------------------------------------------------------------------------------------------------

template <class Value, class Real>
class Cropper {
public:
    Cropper(const MaskPart& part, const Job& job)
        : masks_(job.maps[0]),
          out_(job.out),
          part_(part),
          kernels_(job.execution.kernels->masks),
          stop_(*job.execution.stop),
          finish_(part, false),
          reader_(row_reader(part.dtype)) {}

    void operator()(int64_t k, Worker& worker) {
        Arena arena;
        collector_.keep_pace({&stop_, worker.thread()});
        const TapAxis<double> y = collector_.collect(arena, out_.rows, cropped_rows<Real>(part_, masks_, out_, k),
                                                     false, std::max<int64_t>(1, part_.sampling_h));
        const TapAxis<double> x = collector_.collect(arena, out_.columns, cropped_columns<Real>(part_, masks_, out_, k),
                                                     false, std::max<int64_t>(1, part_.sampling_w));
        const unsigned char* const mask = masks_.data + part_.boxes[k].image * masks_.image_stride;
        sums_.resize(x.hull.end - x.hull.start);
        row_.resize(sums_.size());
        bins_.resize(out_.columns);
        for (int64_t ph = 0; ph < out_.rows && !worker.stopped(); ph++) {
            add_rows(mask, y, ph, x.hull, worker);
            unsigned char* const to = out_.data + k * out_.image_stride + ph * out_.row_stride;
            for (int64_t pw = 0; pw < out_.columns; pw++) bins_[pw] = bin_sum(y, x, ph, pw);
            finish_.store_row(kernels_, bins_, to, out_.column_stride);
            worker.worked(out_.columns);
        }
    }

private:
    void add_rows(const unsigned char* mask, const TapAxis<double>& y, int64_t ph, Range columns, Worker& worker) {
        std::fill(sums_.begin(), sums_.end(), 0.0);
        for (int32_t t = y.first[ph]; t < y.first[ph + 1] && !worker.stopped(); t++) {
            add_row(mask + y.index[t] * masks_.row_stride + columns.start * masks_.column_stride, y.weight[t]);
            worker.worked(length(columns));
        }
    }
    void add_row(const unsigned char* row, double weight) {
        const int64_t count = (int64_t)sums_.size(), item = item_size((Element)part_.dtype);
        if (masks_.column_stride == item && (uintptr_t)row % item == 0) {
            if (part_.dtype == FASTROI_UINT8) return kernels_.add_u8(row, weight, sums_.data(), count);
            if (part_.dtype == FASTROI_FLOAT32) return kernels_.add_f32((const float*)row, weight, sums_.data(), count);
        }
        reader_(row, masks_.column_stride, count, row_.data());
        kernels_.add_f64(row_.data(), weight, sums_.data(), count);
    }
    double bin_sum(const TapAxis<double>& y, const TapAxis<double>& x, int64_t ph, int64_t pw) const {
        double sum = 0;
        if (y.first[ph] == y.first[ph + 1]) return sum;
        for (int32_t t = x.first[pw]; t < x.first[pw + 1]; t++) sum += x.weight[t] * sums_[x.index[t] - x.hull.start];
        return sum;
    }

    const Tensor &masks_, &out_;
    const MaskPart& part_;
    const MaskKernels& kernels_;
    StopSign& stop_;
    const Finisher<Value> finish_;
    const RowReader reader_;
    Collector<double> collector_;
    std::vector<double> sums_, row_, bins_;
};

// Calls body with values of the types that a mask is interpolated to before it meets the threshold, and of coordinates.
template <class Body>
void with_mask_types(const MaskPart& part, const Body& body) {
    with_arithmetic_of(part.dtype,
                       [&](auto value) { with_arithmetic(part.arithmetic, [&](auto real) { body(value, real); }); });
}

}  // namespace

void check_mask_cells(const MaskPart& part, const Job& job) {
    if (!must_be_zero_or_one(part)) return;
    const int64_t count = (int64_t)part.boxes.size();
    std::atomic<int64_t> worst{count};
    for_each_mask(job, count, [&] {
        return [&](int64_t k, Worker& worker) {
            if (!CellWindow(part, job.maps[0], k).has_other(worker)) return;
            int64_t least = worst;
            while (k < least && !worst.compare_exchange_weak(least, k)) {
            }
        };
    });
    const int64_t k = worst;
    if (k < count)
        CellWindow(part, job.maps[0], k).refuse_first_other(k, part.kind == MaskPart::paste ? k : part.boxes[k].image);
}

void pool_masks(const MaskPart& part, const Job& job) {
    const int64_t count = (int64_t)part.boxes.size();
    check_mask_cells(part, job);
    with_mask_types(part, [&](auto value, auto real) {
        using V = decltype(value);
        using R = decltype(real);
        if (part.kind == MaskPart::paste)
            for_each_mask(job, count, [&] { return Paster<V, R>(part, job); });
        else
            for_each_mask(job, count, [&] { return Cropper<V, R>(part, job); });
    });
}

}  // namespace fastroi
