// Whether a map has so few channels that its columns are the better lanes.
#pragma once
#include "../work_plan.h"

namespace fastroi {

template <class T, class Reduction>
inline void WorkPlan<T, Reduction>::choose_lines() {
    use_lines = lines_pay();
    if (!use_lines) return;
    use_strips = false;
    table_choice = {};
    const auto& kernels = widths(*job.execution.kernels);
    const auto fits = [&](const BlockKernels<T>& block) { return block.lanes >= job.out.channels; };
    const BlockKernels<T>* const block = std::find_if(std::begin(kernels), std::end(kernels), fits);
    blocks = {{block, 0, job.out.channels, 0, job.out.channels}};
    block_lanes = block->lanes;
}

// Rows or columns that the bins of an axis read, those of two bins twice.
inline int64_t reads_of_bins(const RangeAxis& axis) {
    int64_t reads = 0;
    for (int64_t p = 0; p < axis.count; p++) reads += is_empty(axis.bins[p]) ? 0 : length(axis.bins[p]);
    return reads;
}
template <class T>
int64_t reads_of_bins(const TapAxis<T>& axis) {
    return axis.first[axis.count] - axis.first[0];
}

template <class T>
int64_t reads_of_bins(const SampleAxis<T>& axis) {
    return 2 * (int64_t)(axis.first[axis.count] - axis.first[0]);
}

// How often the bin rows of a RoI are reduced: samples are taken one by one.
template <class Axis>
double rounds_of(const Axis&) {
    return 1;
}
template <class T>
double rounds_of(const SampleAxis<T>& axis) {
    return std::max(1.0, (double)axis.first[axis.count] / (double)axis.count);
}

template <class T, class Reduction>
inline bool WorkPlan<T, Reduction>::lines_pay() const {
    if (job.windows.size() > 1 || order.empty() || bins_per_roi() == 0 || job.out.channels == 0) return false;
    if (job.out.channels > most_line_channels || is_not_worth_a_choice() || !lines_fit()) return false;
    return fastroi::lines_pay(line_work());
}

// Few cells and bins are reduced sooner than the better way is found.
template <class T, class Reduction>
inline bool WorkPlan<T, Reduction>::is_not_worth_a_choice() const {
    constexpr int64_t few = 256;
    int64_t numbers = (int64_t)order.size() * bins_per_roi();
    for (const ImageRois& rois : images) numbers = estimated_sum(numbers, rois.touched_cells);
    return estimated_product(numbers, job.out.channels) < few;
}

// Whether what ports widen for one RoI fits into a thread's scratch, and its reduced bins.
template <class T, class Reduction>
inline bool WorkPlan<T, Reduction>::lines_fit() const {
    const auto fits = [&](int64_t roi) {
        const int64_t numbers = estimated_product(hull_cells(roi, job.windows[0]), job.out.channels);
        return estimated_product(numbers, number) <= scan_limit;
    };
    if (estimated_product(job.out.columns * job.out.channels, line_bytes) > strip_bins_limit) return false;
    return std::all_of(images.begin(), images.end(), [&](const ImageRois& rois) {
        return lines_are_in_place(map_of(rois)) ||
               std::all_of(order.begin() + rois.first, order.begin() + rois.end, fits);
    });
}

// Of some RoIs, spread over the order, for all of them.
template <class T, class Reduction>
inline LineWork WorkPlan<T, Reduction>::line_work() const {
    const int64_t count = (int64_t)order.size(), samples = std::min<int64_t>(count, 64);
    LineWork work;
    work.sums = !Reduction::tables;
    const ImageRois* image = images.data();
    for (int64_t s = 0; s < samples; s++) {
        const int64_t index = count * s / samples;
        while (image->end <= index) image++;
        add_line_work(work, order[index], map_of(*image), (double)count / (double)samples);
    }
    work.packed_cells = use_strips ? 0 : scan(block_bytes()).packed_cells;
    if (use_strips)
        for (const ImageRois& rois : images) work.packed_cells += (double)rois.hull_cells();
    work.packed_cells *= (double)block_vectors();
    if (table_choice.pays) work.tables = table_choice.cost * (double)block_vectors();
    return work;
}

template <class T, class Reduction>
inline int64_t WorkPlan<T, Reduction>::block_vectors() const {
    return (job.out.channels * number + line_bytes - 1) / line_bytes;
}

template <class T, class Reduction>
inline void WorkPlan<T, Reduction>::add_line_work(LineWork& work, int64_t roi, const Tensor& map, double times) const {
    const auto& y = reduction.y(roi, job.windows[0]);
    const auto& x = reduction.x(roi, job.windows[0]);
    const double interleaved = (double)interleaved_channels(map), planes = (double)job.out.channels / interleaved;
    const double rounds = rounds_of(y);
    const double lines = rounds * planes * (double)y.count, numbers = (double)length(x.hull) * interleaved;
    const double groups = rounds * std::ceil(planes * (double)y.count / (double)lines_together());
    const double vectors = std::ceil(numbers / (double)line_kernels().vector_lanes);
    const double columns = (double)reads_of_bins(x), rows = (double)reads_of_bins(y);
    work.groups += times * groups;
    work.loads += times * planes * rows * vectors;
    work.pieces += times * lines * vectors;
    work.numbers += times * groups * numbers;
    work.column_reads += times * groups * interleaved * columns;
    work.values += times * (double)(job.out.channels * bins_per_roi());
    if (!lines_are_in_place(map))
        work.widened += times * (double)hull_cells(roi, job.windows[0]) * (double)job.out.channels;
    const double blocks = times * (double)block_vectors();
    work.rois += times;
    work.scanned += blocks * (double)reads_of_roi(roi, job.windows[0]);
    work.bins += blocks * (double)bins_per_roi();
}

template <class T, class Reduction>
inline void WorkPlan<T, Reduction>::plan_line_scratch() {
    const auto bytes = [](Size size) { return size.rounded_up(cache_line).count(); };
    int64_t widened = 0, interleaved = 1;
    for (const ImageRois& rois : images) {
        const Tensor& map = map_of(rois);
        interleaved = std::max(interleaved, interleaved_channels(map));
        if (lines_are_in_place(map)) continue;
        for (int64_t i = rois.first; i < rois.end; i++)
            widened = std::max(widened, product(hull_cells(order[i], window(rois)), job.out.channels, "features"));
    }
    const Size bins = Size(job.out.columns, "output_size");
    scratch.packed = bytes(Size(widened, "features") * number);
    scratch.columns = bytes(Size(line_scratch_bytes, "features"));
    scratch.bins = bytes((bins * interleaved + lines_together()) * line_bytes);
    scratch.staging = bytes((bins + lines_together()) * line_bytes * std::max<int64_t>(1, out_item / number));
    const Size total = Size(scratch.packed, "features") + scratch.columns + scratch.bins + scratch.staging;
    scratch.total = total.count();
}

}  // namespace fastroi
