// The operators whose bins gather weighted cells: rotated RoIAlign and deformable RoI pooling.
#include <cmath>
#include <cstring>
#include <tuple>

#include "../run/stop_sign.h"
#include "call.h"
#include "groups.h"

namespace fastroi {
namespace {

constexpr int64_t unfinished_numbers = 1 << 20;
constexpr int64_t cells_per_batch = 1 << 22;  // planned at a time: bounds the memory of plans, not the size of a call

// Between parts, which may each be too short for a poll.
void poll(const Call& call) {
    call.execution.stop->poll();
    call.execution.stop->throw_if_raised();
}

// Plans and runs some boxes and some rows of bins at a time. cells(k) estimates the cells of all bins of box k.
template <class Cells, class Body>
void for_each_part(const Call& call, const Cells& cells, const Body& body) {
    const int64_t count = (int64_t)call.rois.size(), rows = call.out.rows;
    if (count == 0) return;
    const int64_t step = std::max<int64_t>(1, std::min(rows, cells_per_batch / (4 * call.out.columns)));
    const double bins = (double)rows * (double)call.out.columns / 4;  // each lists where its cells begin
    for (int64_t row = 0; row < rows; row += step) {
        const Range part = {(int32_t)row, (int32_t)std::min(row + step, rows)};
        for (int64_t first = 0, end; first < count; first = end) {
            double total = 0;
            for (end = first; end < count && (end == first || total < cells_per_batch); end++)
                total += (bins + cells(end)) * (double)(part.end - part.start) / (double)rows;
            poll(call);
            body(part, first, end - first);
        }
    }
}

// No more than four cells a point, and no more than the map has; bins share the cells along their edges.
double estimated_cells(double points, const Call& call) {
    const double bins = (double)call.out.rows * (double)call.out.columns;
    return std::min(4 * points, 4 * bins + 2 * (double)call.map.rows * (double)call.map.columns);
}

// --- rotated RoIAlign ----------------------------------------------------------------------------------------------------

template <class T, class Real>
void plan_rotated_bin(CellCollector<T>& collector, const RotatedBox<Real>& b, int64_t ph, int64_t pw,
                      const Tensor& map) {
    collector.begin_bin();
    collector.begin_merging(b.y.grid <= 2 && b.x.grid <= 2);
    visit_rotated_points(
        b, ph, pw, map.rows, map.columns,
        [&](const AlignPoint<Real>& y, const AlignPoint<Real>& x) {
            cells_of_point(y, x,
                           [&](int64_t row, int64_t column, double weight) { collector.add(row, column, weight); });
        },
        [&](int64_t points) { collector.worked(points); });
    collector.finish_bin(b.outside ? 0 : rotated_weight(b));
}

template <class T, class Real>
void plan_rotated_as(const Call& call, const Rotation& r) {
    std::vector<RotatedBox<Real>> boxes;
    boxes.reserve(call.rois.size());
    for (const Box& box : call.rois)
        boxes.push_back(rotated_box<Real>(r, box.coordinate, call.out.rows, call.out.columns));
    const auto cells = [&](int64_t k) {
        const double bins = (double)call.out.rows * (double)call.out.columns;
        return boxes[k].outside ? 0 : estimated_cells(bins * (double)boxes[k].y.grid * (double)boxes[k].x.grid, call);
    };
    for_each_part(call, cells, [&](Range rows, int64_t first, int64_t count) {
        const auto plan_window = [&](CellCollector<T>& collector, int64_t k, int64_t) {
            for (int64_t ph = rows.start; ph < rows.end; ph++)
                for (int64_t pw = 0; pw < call.out.columns; pw++)
                    plan_rotated_bin(collector, boxes[k], ph, pw, call.map);
        };
        GatherPlan<T> plan(
            call.rois.data(), first, count, 1, call.planners(), [&](int64_t) { return call.out.columns; }, plan_window);
        call.flow.take(SumOverCells<T>{{std::move(plan)}},
                       call.job({{0, 1, 0, 0, rows, {0, (int32_t)call.out.columns}}}));
    });
}

void plan_rotated(const Call& call, const Rotation& r, int32_t arithmetic) {
    check_scales(r.scale_y, r.scale_x);
    check_sampling_ratios(r.sampling_y, r.sampling_x, max_gather_sampling);
    with_arithmetic_of(call.dtype, [&](auto element) {
        if (arithmetic == FASTROI_ARITHMETIC_F32)
            plan_rotated_as<decltype(element), float>(call, r);
        else
            plan_rotated_as<decltype(element), double>(call, r);
    });
}

// Calls body(piece) for a call whose results are numbers of T until a last part makes them what they are to be: for the call itself,
// if that is numbers of T as well; else for some of its boxes at a time, with memory of their own.
template <class T, class Body>
void for_each_unfinished(const Call& call, const Body& body) {
    if (call.rois.empty() || call.out_element == own_element<T>) return body(call);
    const int64_t count = (int64_t)call.rois.size(), bins = call.out.rows * call.out.columns;
    const int64_t numbers = call.out.channels * bins, step = std::max<int64_t>(1, unfinished_numbers / (numbers + 1));
    constexpr ptrdiff_t item = sizeof(T);
    for (int64_t first = 0; first < count; first += step) {
        Call piece = call;
        piece.rois.assign(call.rois.begin() + first, call.rois.begin() + std::min(first + step, count));
        const int64_t rois = (int64_t)piece.rois.size();
        piece.first_roi = first;
        piece.unfinished = Unfinished{std::shared_ptr<unsigned char[]>(new unsigned char[rois * numbers * item]),
                                      call.out, call.out_element};
        piece.unfinished->result.images = rois;
        piece.unfinished->result.data += first * call.out.image_stride;
        piece.out = {piece.unfinished->memory.get(),
                     rois,
                     call.out.channels,
                     call.out.rows,
                     call.out.columns,
                     numbers * item,
                     bins * item,
                     call.out.columns * item,
                     item};
        piece.out_element = own_element<T>;
        body(piece);
    }
}

template <class T, class Real>
MixedOrientations<T> orientations_of(const Call& call, const Rotation& r, int64_t count) {
    MixedOrientations<T> mixing{{}, count};
    mixing.of_roi.reserve(call.rois.size());
    for (const Box& box : call.rois)
        mixing.of_roi.push_back(orientation_of<Real>(angle_in_radians<Real>(r, box.coordinate[4]), count));
    return mixing;
}

// --- deformable ------------------------------------------------------------------------------------------------------------

// A private, finite copy of offsets (K, planes, rows, columns).
class Offsets {
public:
    Offsets(const fastroi_tensor* from, int64_t count, int64_t planes, int64_t rows, int64_t columns, const char* name,
            int32_t flow)
        : planes_(planes), rows_(rows), columns_(columns) {
        if (!from) return;
        const int64_t shape[4] = {count, planes, rows, columns};
        for (int i = 0; i < 4; i++)
            if (from->shape[i] != shape[i])
                refuse(FASTROI_INVALID_VALUE, -1, "%s: extent %lld of axis %d; %lld required", name,
                       (long long)from->shape[i], i, (long long)shape[i]);
        read_element(from->dtype, name);
        const int64_t size = product(product(count, planes, name), product(rows, columns, name), name);
        if (flow == FASTROI_CHECK_SHAPES) return;
        values_.resize(size);
        if (!values_.empty() && !from->data) refuse(FASTROI_INVALID_VALUE, -1, "%s: data is NULL", name);
        for (size_t i = 0; i < values_.size(); i++) values_[i] = finite_value(*from, (int64_t)i, name);
    }

    double at(int64_t k, int64_t plane, int64_t row, int64_t column) const {
        return values_.empty() ? 0 : values_[((k * planes_ + plane) * rows_ + row) * columns_ + column];
    }

private:
    double finite_value(const fastroi_tensor& from, int64_t i, const char* name) const {
        const int64_t column = i % columns_, row = i / columns_ % rows_, plane = i / columns_ / rows_ % planes_;
        const int64_t k = i / columns_ / rows_ / planes_;
        const unsigned char* const p = (const unsigned char*)from.data + k * from.strides[0] + plane * from.strides[1] +
                                       row * from.strides[2] + column * from.strides[3];
        double value = 0;
        with_element((Element)from.dtype, [&](auto element) {
            typename decltype(element)::Stored stored;
            memcpy(&stored, p, sizeof stored);
            value = (double)element.widen(stored);
        });
        if (!std::isfinite(value))
            refuse(FASTROI_INVALID_VALUE, k, "%s[%lld, %lld, %lld, %lld]: %g; offsets must be finite", name,
                   (long long)k, (long long)plane, (long long)row, (long long)column, value);
        return value;
    }

    int64_t planes_, rows_, columns_;
    std::vector<double> values_;
};

template <class T, class Emit>
const typename CellCollector<T>::Taps& listed(typename CellCollector<T>::Taps& taps, const Emit& emit) {
    taps.clear();
    emit([&](int64_t index, double weight) { taps.emplace_back((int32_t)index, weight); });
    return taps;
}

template <class T, class Real>
void plan_deform_roi_pool(const Call& call, const fastroi_deform_roi_pool_params& p, const Offsets& offsets) {
    const auto y_axis = [&](int64_t k) {
        const double* const c = call.rois[k].coordinate;
        return movable_axis<Real>(c[1], c[3], p.scale_h, call.out.rows, p.sampling_h);
    };
    const auto x_axis = [&](int64_t k) {
        const double* const c = call.rois[k].coordinate;
        return movable_axis<Real>(c[0], c[2], p.scale_w, call.out.columns, p.sampling_w);
    };
    // The bins may all be moved to the same cells, so the map does not bound them.
    const auto cells = [&](int64_t k) {
        const auto axis_cells = [](const MovableAxis<Real>& a, int64_t extent) {
            return std::min(2 * (double)a.axis.grid, std::min((double)extent, std::fabs((double)a.axis.bin) + 2));
        };
        return (double)call.out.rows * (double)call.out.columns * axis_cells(y_axis(k), call.map.rows) *
               axis_cells(x_axis(k), call.map.columns);
    };
    for_each_part(call, cells, [&](Range rows, int64_t first, int64_t count) {
        const auto plan_window = [&](CellCollector<T>& collector, int64_t k, int64_t) {
            const MovableAxis<Real> y = y_axis(k), x = x_axis(k);
            for (int64_t ph = rows.start; ph < rows.end; ph++)
                for (int64_t pw = 0; pw < call.out.columns; pw++) {
                    const AlignAxis<Real> moved_y = moved(y, p.gamma, offsets.at(k, 1, ph, pw));
                    const AlignAxis<Real> moved_x = moved(x, p.gamma, offsets.at(k, 0, ph, pw));
                    collector.begin_bin();
                    collector.add_product(listed<T>(collector.row_taps(),
                                                    [&](auto&& sink) { align_taps(moved_y, ph, call.map.rows, sink); }),
                                          listed<T>(collector.column_taps(), [&](auto&& sink) {
                                              align_taps(moved_x, pw, call.map.columns, sink);
                                          }));
                }
        };
        GatherPlan<T> plan(
            call.rois.data(), first, count, 1, call.planners(), [&](int64_t) { return call.out.columns; }, plan_window);
        call.flow.take(SumOverCells<T>{{std::move(plan)}},
                       call.job({{0, 1, 0, 0, rows, {0, (int32_t)call.out.columns}}}));
    });
}

// --- deformable position-sensitive -------------------------------------------------------------------------------------------

struct PartPooling {
    fastroi_deform_ps_roi_pool_params p;
    int64_t classes, channels_per_class;
};

// The windows of one class, a group each; the plan has one pair of axes per window.
std::vector<ChannelWindow> class_windows(const PartPooling& pooling, int64_t cls, const Tensor& out) {
    std::vector<ChannelWindow> windows = channel_windows({pooling.p.group_h, pooling.p.group_w, false}, out);
    for (size_t w = 0; w < windows.size(); w++) {
        windows[w].first += cls * pooling.channels_per_class * pooling.p.group_h * pooling.p.group_w;
        windows[w].y_window = windows[w].x_window = (int64_t)w;
    }
    return windows;
}

template <class T, class Real>
void plan_class(const Call& call, const PartPooling& pooling, const Offsets& trans, int64_t cls) {
    const fastroi_deform_ps_roi_pool_params& p = pooling.p;
    Job job = call.job(class_windows(pooling, cls, call.out));
    job.out.data += cls * pooling.channels_per_class * job.out.channel_stride;
    job.out.channels = pooling.channels_per_class;
    job.first_channel = cls * pooling.channels_per_class;
    const auto shift = [&](int64_t k, int64_t plane, int64_t ph, int64_t pw) {
        return part_shift<Real>(
            trans.at(k, 2 * cls + plane, ph * p.part_h / call.out.rows, pw * p.part_w / call.out.columns), p.trans_std);
    };
    const auto plan_window = [&](CellCollector<T>& collector, int64_t k, int64_t w) {
        const double* const c = call.rois[k].coordinate;
        const PartAxis<Real> y = part_axis<Real>(c[1], c[3], p.scale_h, call.out.rows);
        const PartAxis<Real> x = part_axis<Real>(c[0], c[2], p.scale_w, call.out.columns);
        const ChannelWindow& window = job.windows[w];
        for (int64_t ph = window.bin_rows.start; ph < window.bin_rows.end; ph++)
            for (int64_t pw = window.bin_columns.start; pw < window.bin_columns.end; pw++) {
                const Real dy = shift(k, 1, ph, pw), dx = shift(k, 0, ph, pw);
                collector.begin_bin();
                collector.add_product(
                    listed<T>(collector.row_taps(),
                              [&](auto&& sink) { part_taps(y, ph, p.sample_per_part, dy, call.map.rows, sink); }),
                    listed<T>(collector.column_taps(),
                              [&](auto&& sink) { part_taps(x, pw, p.sample_per_part, dx, call.map.columns, sink); }));
            }
    };
    const double bins = (double)call.out.rows * (double)call.out.columns;
    const double cells = bins * 4 * (double)p.sample_per_part * (double)p.sample_per_part;
    const int64_t count = (int64_t)call.rois.size();
    const int64_t step = (int64_t)std::max(1.0, std::min((double)cells_per_batch / cells, (double)count));
    for (int64_t first = 0; first < count; first += step) {
        poll(call);
        GatherPlan<T> plan(
            call.rois.data(), first, std::min(step, count - first), (int64_t)job.windows.size(), call.planners(),
            [&](int64_t w) { return (int64_t)job.windows[w].bin_columns.end - job.windows[w].bin_columns.start; },
            plan_window);
        call.flow.take(SumOverCells<T>{{std::move(plan)}}, job);
    }
}

template <class Body>
void with_types(int32_t dtype, int32_t arithmetic, const Body& body) {
    with_arithmetic_of(dtype,
                       [&](auto element) { with_arithmetic(arithmetic, [&](auto real) { body(element, real); }); });
}

}  // namespace

void roi_align_rotated(const Request& request, const fastroi_roi_align_rotated_params& p) {
    const Call call(request, 1, 5);
    const bool degrees = p.angle_unit == FASTROI_DEGREES;
    plan_rotated(call, {p.aligned != 0, p.clockwise != 0, degrees, p.sampling_h, p.sampling_w, p.scale_h, p.scale_w},
                 p.arithmetic);
}

void riroi_align_rotated(const Request& request, const fastroi_riroi_align_rotated_params& p) {
    if (p.orientations < 1)
        refuse(FASTROI_INVALID_VALUE, -1, "orientations: %lld; at least 1", (long long)p.orientations);
    const Call call(request, 1, 5);
    if (call.map.channels % p.orientations != 0)
        refuse(FASTROI_INVALID_VALUE, -1, "features: %lld channels are not a multiple of %lld orientations",
               (long long)call.map.channels, (long long)p.orientations);
    const Rotation rotation = {false,     p.clockwise != 0, p.angle_unit == FASTROI_DEGREES, p.sampling_h, p.sampling_w,
                               p.scale_h, p.scale_w};
    with_types(call.dtype, p.arithmetic, [&](auto number, auto real) {
        using T = decltype(number);
        for_each_unfinished<T>(call, [&](const Call& piece) {
            plan_rotated(piece, rotation, p.arithmetic);
            if (piece.rois.empty()) return;
            call.flow.take(orientations_of<T, decltype(real)>(piece, rotation, p.orientations), piece.job());
        });
    });
}

void deform_roi_pool(const Request& request, const fastroi_deform_roi_pool_params& p) {
    check_scales(p.scale_h, p.scale_w);
    check_sampling_ratios(p.sampling_h, p.sampling_w, max_gather_sampling);
    if (!std::isfinite(p.gamma)) refuse(FASTROI_INVALID_VALUE, -1, "gamma: %g; it must be finite", p.gamma);
    const Call call(request);
    const Offsets offsets(p.offset, request.boxes->count, 2, call.out.rows, call.out.columns, "offset",
                          call.execution.flow);
    with_types(call.dtype, p.arithmetic, [&](auto element, auto real) {
        plan_deform_roi_pool<decltype(element), decltype(real)>(call, p, offsets);
    });
}

void deform_ps_roi_pool(const Request& request, const fastroi_deform_ps_roi_pool_params& p) {
    check_scales(p.scale_h, p.scale_w);
    if (p.sample_per_part < 1)
        refuse(FASTROI_INVALID_VALUE, -1, "sample_per_part: %lld; at least 1", (long long)p.sample_per_part);
    check_sampling_ratio(p.sample_per_part, "sample_per_part", max_gather_sampling);
    if (!std::isfinite(p.trans_std)) refuse(FASTROI_INVALID_VALUE, -1, "trans_std: %g; it must be finite", p.trans_std);
    for (int64_t extent : {p.group_h, p.group_w, p.part_h, p.part_w})
        if (extent < 1 || extent > max_bins)
            refuse(FASTROI_INVALID_VALUE, -1, "group_size, part_size: %lld; both must be in [1, 2^31 - 1]",
                   (long long)extent);
    const Call call(request, product(p.group_h, p.group_w, "group_size"));
    const int64_t classes = p.trans ? p.trans->shape[1] / 2 : 1;
    if (classes < 1 || call.out.channels % classes != 0)
        refuse(FASTROI_INVALID_VALUE, -1, "trans: %lld classes for %lld output channels", (long long)classes,
               (long long)call.out.channels);
    const Offsets offsets(p.trans, request.boxes->count, 2 * classes, p.part_h, p.part_w, "trans", call.execution.flow);
    if (call.rois.empty()) return;
    const PartPooling pooling = {p, classes, call.out.channels / classes};
    with_types(call.dtype, p.arithmetic, [&](auto element, auto real) {
        for (int64_t cls = 0; cls < classes; cls++)
            plan_class<decltype(element), decltype(real)>(call, pooling, offsets, cls);
    });
}

}  // namespace fastroi
