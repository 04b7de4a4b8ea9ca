// Plans whose bins are ranges of rows times ranges of columns.
#pragma once
#include <stdint.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "../size.h"
#include "../threads.h"
#include "axis_plan.h"
#include "box.h"
#include "pace.h"

namespace fastroi {

struct OutputSize {
    int64_t rows, columns;
};

// The axis of the bins whose cells, clipped to the map, cells(p) gives; they are written to `bins`.
template <class BinCells>
RangeAxis range_axis(int64_t count, const BinCells& cells, Range* bins, Pace& pace) {
    Range hull = {0, 0};
    int64_t longest = 0;
    for (int64_t p = 0, seen = 0; p < count; p++) {
        if (p == seen) {
            seen = count - p > steps_between_looks ? p + steps_between_looks : count;
            pace.worked(seen - p);
        }
        bins[p] = cells(p);
        if (is_empty(bins[p])) continue;
        if (is_empty(hull)) hull = bins[p];
        if (bins[p].start < hull.start) hull.start = bins[p].start;
        if (bins[p].end > hull.end) hull.end = bins[p].end;
        if (bins[p].end - bins[p].start > longest) longest = bins[p].end - bins[p].start;
    }
    return {bins, count, hull, longest};
}

// RoIs whose bins are ranges of rows times ranges of columns, for boxes [first, first + count). Owns what the axes point to.
class RangePlan {
public:
    // cells(box) returns a pair of what range_axis takes, for rows and for columns.
    template <class Cells>
    RangePlan(const Box* boxes, int64_t first, int64_t count, OutputSize output, const Planners& planners,
              const Cells& cells)
        : ranges_(product(count, output.rows + output.columns, "output_size")), axes_(2 * count), rois_(count) {
        const int64_t per_roi = output.rows + output.columns;
        const int64_t worth = (count * per_roi + bins_per_thread / 2) / bins_per_thread;
        const int64_t most_parts = std::min<int64_t>(planners.threads, count);
        const int parts = (int)(worth < 1 ? 1 : worth < most_parts ? worth : most_parts);
        plan_on_threads(planners, parts, [&](int part, Pace& pace) {
            for (int64_t i = count * part / parts; i < count * (part + 1) / parts; i++) {
                const Box& box = boxes[first + i];
                Range* const ranges = ranges_.data() + i * per_roi;
                RangeAxis* const axes = axes_.data() + 2 * i;
                const auto& [y, x] = cells(box);
                axes[0] = range_axis(output.rows, y, ranges, pace);
                axes[1] = range_axis(output.columns, x, ranges + output.rows, pace);
                rois_[i] = {box.image, first + i, axes, axes + 1};
            }
        });
    }

    RangePlan(RangePlan&&) = default;

    const std::vector<PlannedRoi<RangeAxis>>& rois() const { return rois_; }

private:
    // Some 20 microseconds. A thread that is woken for less costs as much on an idle machine, and a time slice on a busy one.
    static constexpr int64_t bins_per_thread = 2560;

    std::vector<Range> ranges_;
    std::vector<RangeAxis> axes_;
    std::vector<PlannedRoi<RangeAxis>> rois_;
};

}  // namespace fastroi
