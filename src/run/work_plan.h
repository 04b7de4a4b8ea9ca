// What a call does, decided before any thread starts: which RoIs and channels make a work item, how the map reaches the kernels, and
// what memory a thread needs. Knows no rule and no instruction.
#pragma once
#include <stdint.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "line_choice.h"
#include "range_tables.h"
#include "reductions.h"
#include "../size.h"
#include "scratch.h"
#include "../threads.h"
#include "tiles.h"

namespace fastroi {

// Fitted on a 2-core Zen 5 machine; docs/performance.md says how.
constexpr int64_t stream_threshold = 12 << 20;  // outputs larger than this bypass the cache
// Up to this a packed map may have wide blocks; above it wants its RoIs sorted by row.
constexpr int64_t cached_block_bytes = 512 << 10;
constexpr int64_t packed_roi_cost = 3;      // a cell packed for one RoI against one packed for all: short rows
constexpr int64_t packed_roi_start = 16;    // cells that starting to pack for a RoI costs
constexpr int64_t scattered_cell_cost = 2;  // a cell of a list against one of a whole row
constexpr int64_t longest_scan = 4096;      // columns
constexpr int64_t bins_limit = 64 << 10;    // bytes of bins per thread before they are unpacked
constexpr int64_t strip_bytes = 512 << 10;  // a strip stays in the second-level cache
constexpr int64_t strip_bins_limit =
    4 << 20;                              // bytes of unfinished bins of an item in tables, strips or rows of windows
constexpr int64_t scan_limit = 60 << 20;  // bytes of packed map and reduced columns per thread
static_assert(scan_limit + strip_bins_limit <= scratch_limit, "what a scan packs leaves room for bins");
constexpr int64_t items_per_thread = 3;         // rows of windows make one item each if that leaves as many
constexpr int64_t max_strip_bins = 1024;        // a RoI with more bins is not worth strips
constexpr int64_t streamed_bytes = 16 << 10;    // of channels-last bin rows that are gathered before they are streamed
constexpr int64_t shortest_streamed_bin = 512;  // bytes of a bin's channels that are streamed without being gathered
constexpr int64_t longest_streamed_row = 1 << 20;  // a bin row longer than this is written in place
constexpr double pieces_cost = 6;          // cycles for 64 bytes of a bin that are streamed apart from their neighbours
constexpr double ragged_pieces_cost = 25;  // the same where they are no cache line

// Bytes of each part of a thread's scratch.
struct ScratchPlan {
    int64_t packed = 0, columns = 0, bins = 0, staging = 0, rows = 0, offsets = 0, total = 0;
};

template <class T, class Reduction>
class WorkPlan {
public:
    WorkPlan(const Reduction& reduction_of_call, const Job& job_of_call, Part rois)
        : reduction(reduction_of_call),
          job(job_of_call),
          argmax(job_of_call.argmax.data != nullptr),
          map_element(job.map_element.value_or(own_element<T>)),
          out_element(job.out_element.value_or(own_element<T>)) {
        direct = reads_maps_in_place();
        order_by_image(rois);
        list_images();
        touch_cells();
        stream = (int64_t)order.size() * bins_per_roi() * job.out.channels * out_item > stream_threshold;
        choose_blocks();
        if constexpr (Reduction::lines) choose_lines();
        for (ImageRois& image : images) choose_access(image);
        choose_threads();
        make_tables();
        join_windows = windows_can_join();
        for (int64_t i = 0; i < (int64_t)images.size(); i++) cut_image(i);
        if (join_windows) divide_last_rows();
        plan_scratch();
    }

    const Reduction& reduction;
    const Job& job;
    const bool argmax;
    const Element map_element, out_element;
    const int64_t map_item = item_size(map_element), out_item = item_size(out_element);  // bytes
    std::vector<int64_t> order;
    std::vector<ImageRois> images;
    std::vector<ChannelBlock<T>> blocks;
    std::vector<WorkItem> items;
    ScratchPlan scratch;
    RangeTables tables;
    int threads = 1;
    bool stream = false;  // the result goes past the cache
    int64_t images_per_window = 0;
    int64_t bin_rows = 1;  // of a RoI that are reduced together

    // Kernels know no element but the arithmetic's own. A map is read in place where it is stored as that and its channels are
    // contiguous, bins are written in place where the output is; everything else passes a port.
    bool is_read_in_place(const Tensor& map) const {
        return map_element == own_element<T> && map.channel_stride == (ptrdiff_t)sizeof(T);
    }
    bool is_written_in_place() const { return out_element == own_element<T> && out_is_channels_last(); }
    bool out_is_channels_last() const { return job.out.channel_stride == out_item; }
    const ChannelWindow& window(const ImageRois& rois) const { return job.windows[rois.window]; }
    const Tensor& map_of(const ImageRois& rois) const { return job.maps[rois.image / job.maps[0].images]; }
    int64_t bins_per_roi() const { return job.out.rows * job.out.columns; }
    int64_t hull_cells(int64_t roi, const ChannelWindow& w) const {
        return length(reduction.y(roi, w).hull) * length(reduction.x(roi, w).hull);
    }
    // What reading a RoI costs, in cells of its hull that are read one after the other.
    int64_t touched_cells(int64_t roi, const ChannelWindow& w) const {
        return std::min(hull_cells(roi, w),
                        estimated_product(scattered_cell_cost, listed_cells(reduction.y(roi, w), reduction.x(roi, w))));
    }
    // Whether so much of the hull is left out that the RoI's cells are better packed by themselves.
    bool is_sparse(int64_t roi, const ChannelWindow& w) const { return touched_cells(roi, w) < hull_cells(roi, w); }
    // Where no map is packed: whether the cells of a RoI are packed without those between. A scan in place does without, as long
    // as the columns that it keeps, from the first to the last, are few.
    bool packs_listed_cells(int64_t roi, const ChannelWindow& w) const {
        if (!is_sparse(roi, w)) return false;
        return !direct || (Reduction::scans_columns && length(reduction.x(roi, w).hull) > longest_scan);
    }

    // What a RoI reads of one block, about.
    int64_t reads_of_roi(int64_t roi, const ChannelWindow& w) const {
        return reads_of(reduction.y(roi, w), reduction.x(roi, w));
    }

    // RoIs of order[first..end) whose bins are not done in one visit to a table.
    int64_t waiting_rois(int64_t first, int64_t end) const {
        return tables.waiting_before(end) - tables.waiting_before(first);
    }

    // Columns of a strip: as many as the cache holds.
    int64_t strip_width(const ImageRois& rois) const {
        const int64_t column_bytes = std::max<int64_t>(1, length(rois.rows) * block_bytes());
        return std::max<int64_t>(1, std::min(length(rois.columns), strip_bytes / column_bytes));
    }

    // A channels-last result larger than the cache: a bin row of all channels is one run of memory.
    bool streams_rows() const {
        const Tensor& out = job.out;
        return stream && direct && !use_strips && !table_choice.pays && !argmax && out_is_channels_last() &&
               bin_row_bytes() <= longest_streamed_row && out.column_stride == out.channels * out_item &&
               out.row_stride == out.columns * out.column_stride;
    }

    // Whether all channels of a cell lie together: then they make one plane of interleaved numbers, elsewhere a plane each.
    int64_t interleaved_channels(const Tensor& map) const {
        const bool together = map.channel_stride == map_item && map.column_stride == job.out.channels * map_item;
        return together ? job.out.channels : 1;
    }
    bool lines_are_in_place(const Tensor& map) const {
        return map_element == own_element<T> && (interleaved_channels(map) > 1 || map.column_stride == map_item);
    }
    static constexpr int64_t lines_together() { return line_bytes / number; }
    const LineKernels<T>& line_kernels() const {
        if constexpr (sizeof(T) == 4)
            return job.execution.kernels->lines_f32;
        else
            return job.execution.kernels->lines_f64;
    }
    // Of the narrowest blocks: its lanes are as many as lines that are reduced together.
    const Port<T>& line_port() const { return widths(*job.execution.kernels)[0].port(out_element); }

    // Of all channels, before they are rounded.
    int64_t bin_row_bytes() const { return job.out.columns * job.out.channels * number; }
    int64_t streamed_rows() const {
        return std::max<int64_t>(1, std::min(job.out.rows, streamed_bytes / bin_row_bytes()));
    }

private:
    static constexpr int64_t number = sizeof(T);

    static const BlockKernels<T> (&widths(const KernelTable& table))[block_widths] {
        if constexpr (sizeof(T) == 4)
            return table.f32;
        else
            return table.f64;
    }

    int64_t block_bytes() const { return block_lanes * number; }

    int64_t bins_of_window_row(const ImageRois& rois) const { return length(window(rois).bin_rows) * job.out.columns; }
    bool same_row(int64_t w, int64_t other) const { return job.windows[w].y_window == job.windows[other].y_window; }

    // work_plan/images.h
    void order_by_image(Part rois);
    void list_images();
    void touch_cells();
    void touch_windows(int64_t image, int64_t roi);
    void sort_by_row(const ImageRois& rois);

    // work_plan/blocks.h
    bool reads_maps_in_place() const;
    void choose_blocks();
    bool wide_blocks_fit(int64_t lanes) const;

    // work_plan/access.h
    bool strips_pay() const;
    bool rois_fit() const;
    void choose_tables(const KernelTable& table);
    Scan scan(int64_t block_bytes) const;
    static bool begins_with_lines(const Tensor& t);
    void make_tables();
    void choose_access(ImageRois& rois);
    Access scan_access(const ImageRois& rois, int64_t block_bytes) const;
    static int64_t packed_roi_cells(const ImageRois& rois);

    // work_plan/lines.h
    void choose_lines();
    bool lines_pay() const;
    bool is_not_worth_a_choice() const;
    bool lines_fit() const;
    LineWork line_work() const;
    void add_line_work(LineWork& work, int64_t roi, const Tensor& map, double times) const;
    int64_t block_vectors() const;
    void plan_line_scratch();

    // work_plan/items.h
    void choose_threads();
    void cut_image(int64_t index);
    void divide_last_rows();
    void divide_row(const WorkItem& row, int64_t parts);
    int64_t chunks_for_idle_threads(const ImageRois& rois) const;
    int64_t cells_read(const ImageRois& rois) const;
    int64_t shared_bytes(const ImageRois& rois) const;
    bool windows_can_join() const;
    int64_t windows_of_row(int64_t w) const;

    // work_plan/memory.h
    void plan_scratch();
    int64_t table_cells(const ImageRois& rois) const;
    int64_t packed_cells(int64_t roi, const ChannelWindow& w) const;
    int64_t scanned_columns(int64_t roi, const ChannelWindow& w) const;
    int64_t tallest_rows(int64_t roi, const ChannelWindow& w) const;

    TableChoice table_choice{};
    bool direct = false, use_strips = false, use_lines = false, join_windows = false;
    int64_t block_lanes = 1;
    int64_t scan_block_bytes = 0;  // of the channels that a scan takes together
};

}  // namespace fastroi

#include "work_plan/access.h"
#include "work_plan/blocks.h"
#include "work_plan/images.h"
#include "work_plan/items.h"
#include "work_plan/lines.h"
#include "work_plan/memory.h"
