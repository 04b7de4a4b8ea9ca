// What a call does, decided before any thread starts: which RoIs and channels make a work item, how the map reaches the kernels, and
// what memory a thread needs. Knows no rule and no instruction.
#pragma once
#include <stdint.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include "range_tables.h"
#include "reductions.h"
#include "../refusal.h"
#include "scratch.h"
#include "../threads.h"
#include "tiles.h"

namespace fastroi {

// Fitted on a 2-core Zen 5 machine; docs/performance.md says how.
constexpr int64_t bytes_per_thread = 384 << 10;  // less work than this is not worth waking a thread for
constexpr int64_t stream_threshold = 12 << 20;   // outputs larger than this bypass the cache
// Up to this a packed map may have wide blocks; above it wants its RoIs sorted by row.
constexpr int64_t cached_block_bytes = 512 << 10;
constexpr int64_t packed_roi_cost = 3;      // a cell packed for one RoI against one packed for all: short rows
constexpr int64_t packed_roi_start = 16;    // cells that starting to pack for a RoI costs
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
        order_by_image(rois);
        list_images();
        touch_cells();
        stream = (int64_t)order.size() * bins_per_roi() * job.out.channels * out_item > stream_threshold;
        choose_blocks();
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
    int64_t touched_cells(int64_t roi, const ChannelWindow& w) const {
        return length(reduction.y(roi, w).hull) * length(reduction.x(roi, w).hull);
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

    void order_by_image(Part rois) {
        order.resize(rois.end - rois.first);
        std::iota(order.begin(), order.end(), rois.first);
        if (job.maps.size() > 1 || job.maps[0].images > 1)
            std::stable_sort(order.begin(), order.end(),
                             [&](int64_t a, int64_t b) { return reduction.image(a) < reduction.image(b); });
    }

    // The same images for every window.
    void list_images() {
        for (int64_t i = 0; i < (int64_t)order.size(); i++) {
            const int64_t image = reduction.image(order[i]);
            if (i == 0 || images.back().image != image)
                images.push_back({image, 0, i, i, {0, 0}, {0, 0}, 0, 0, Access::direct});
            images.back().end = i + 1;
        }
        images_per_window = (int64_t)images.size();
        images.resize(images_per_window * job.windows.size());
        for (size_t i = images_per_window; i < images.size(); i++) {
            images[i] = images[i - images_per_window];
            images[i].window++;
        }
    }

    // RoIs outside, windows inside: the axes of a RoI lie together.
    void touch_cells() {
        for (int64_t k = 0; k < images_per_window; k++)
            for (int64_t i = images[k].first; i < images[k].end; i++) touch_windows(k, order[i]);
    }

    void touch_windows(int64_t image, int64_t roi) {
        Range rows = {0, 0};
        for (int64_t w = 0; w < (int64_t)job.windows.size(); w++) {
            if (w == 0 || !same_row(w - 1, w)) rows = reduction.y(roi, job.windows[w]).hull;
            const Range columns = reduction.x(roi, job.windows[w]).hull;
            ImageRois& rois = images[w * images_per_window + image];
            rois.widest = std::max(rois.widest, length(columns));
            if (is_empty(rows) || is_empty(columns)) continue;
            rois.rows = hull_of(rois.rows, rows);
            rois.columns = hull_of(rois.columns, columns);
            rois.touched_cells += length(rows) * length(columns);
        }
    }

    void choose_blocks() {
        const KernelTable& table = *job.execution.kernels;
        direct = job.out.channels >= widths(table)[0].lanes;
        for (const Tensor& map : job.maps) direct = direct && is_read_in_place(map) && job.windows[0].step == 1;
        scan_block_bytes = widths(table)[direct ? table.direct_width : table.packed_width].lanes * number;
        if constexpr (Reduction::strips) use_strips = strips_pay();
        if constexpr (Reduction::tables) choose_tables(table);
        const bool narrow = use_strips || (table_choice.pays && !table_choice.one_strip);
        const bool wide = !table_choice.pays && (direct || wide_blocks_fit(widths(table)[table.direct_width].lanes));
        const int widest = narrow ? 0 : wide ? table.direct_width : table.packed_width;
        blocks = cut_channels<T>(job.out.channels, widths(table), widest, !direct && !narrow);
        for (const ChannelBlock<T>& block : blocks) block_lanes = std::max(block_lanes, block.kernels->lanes);
        bin_rows = std::max<int64_t>(1, std::min(job.out.rows, bins_limit / (job.out.columns * block_bytes())));
    }

    // Wider blocks look up a bin's cells and weights for more channels, as long as every packed map stays in the cache.
    bool wide_blocks_fit(int64_t lanes) const {
        int64_t cells = 0;
        for (const ImageRois& rois : images) cells = std::max(cells, rois.hull_cells());
        return job.out.channels >= lanes && cells * lanes * number <= cached_block_bytes;
    }

    // Strips read each cell from the cache that a whole-map scan of large bins would fetch from memory again and again. And they
    // hold part of a RoI that would be packed whole.
    bool strips_pay() const {
        if (order.empty() || job.windows.size() > 1 || job.out.rows * job.out.columns > max_strip_bins) return false;
        int64_t in_one_piece = 0, in_strips = 0;
        for (int64_t i : order) {
            in_one_piece += reduction.direct_cost(i, job.windows[0]);
            in_strips += reduction.strip_cost(i, job.windows[0]);
        }
        for (const ImageRois& rois : images) in_strips += Reduction::packed_strip_cost(rois.hull_cells());
        return in_one_piece > in_strips || !rois_fit();
    }

    // Whether every RoI can be scanned in one piece: its cells, where they are packed, and a row of reduced columns.
    bool rois_fit() const {
        const auto fits = [&](int64_t rows, int64_t columns) {
            return (columns + (direct ? 0 : rows * columns)) * scan_block_bytes <= scan_limit;
        };
        const auto all_fit = [&](const ImageRois& rois) { return fits(length(rois.rows), rois.widest); };
        if (std::all_of(images.begin(), images.end(), all_fit)) return true;
        const ChannelWindow& w = job.windows[0];
        return std::all_of(order.begin(), order.end(), [&](int64_t i) {
            return fits(length(reduction.y(i, w).hull), length(reduction.x(i, w).hull));
        });
    }

    void choose_tables(const KernelTable& table) {
        if (argmax || job.windows.size() > 1 || bins_per_roi() > max_strip_bins) return;
        const int64_t wide = widths(table)[table.packed_width].lanes * number, narrow = widths(table)[0].lanes * number;
        table_choice = fastroi::choose_tables(reduction.plan.rois(), order, images, wide, narrow, scan(wide));
    }

    // What a scan of all images would do, in blocks of so many bytes where it packs.
    Scan scan(int64_t block_bytes) const {
        const int64_t cell_bytes = job.out.channels * map_item;
        Scan all = {rois_fit(), cell_bytes, direct ? cell_bytes : block_bytes, 0, 0};
        for (const ImageRois& rois : images) {
            const Access access = scan_access(rois, block_bytes);
            if (access == Access::packed_map) all.packed_cells += (double)rois.hull_cells();
            if (access == Access::packed_roi) all.packed_cells += (double)packed_roi_cells(rois);
        }
        // Whole bins go past the cache at once. Out of tables they would do so in pieces, which may begin and end inside of a line.
        if (streams_rows()) all.streaming_saves = begins_with_lines(job.out) ? pieces_cost : ragged_pieces_cost;
        return all;
    }

    // Whether the channels of every bin do.
    static bool begins_with_lines(const Tensor& t) {
        return ((uintptr_t)t.data | t.image_stride | t.row_stride | t.column_stride) % cache_line == 0;
    }

    void make_tables() {
        if constexpr (Reduction::tables)
            if (table_choice.pays)
                tables = RangeTables(reduction.plan.rois(), order, images, table_choice, block_bytes(), threads);
    }

    void choose_access(ImageRois& rois) {
        rois.access = use_strips          ? Access::strips
                      : table_choice.pays ? Access::tables
                                          : scan_access(rois, block_bytes());
        if (job.windows.size() == 1 && shared_bytes(rois) > cached_block_bytes) sort_by_row(rois);
    }

    Access scan_access(const ImageRois& rois, int64_t block_bytes) const {
        if (direct) return Access::direct;
        const bool map_is_large =
            packed_roi_cells(rois) < rois.hull_cells() || (rois.hull_cells() + rois.widest) * block_bytes > scan_limit;
        return map_is_large ? Access::packed_roi : Access::packed_map;
    }

    // What packing for each RoI costs, in cells of a map that is packed once.
    static int64_t packed_roi_cells(const ImageRois& rois) {
        return packed_roi_cost * (rois.touched_cells + packed_roi_start * (rois.end - rois.first));
    }

    void sort_by_row(const ImageRois& rois) {
        std::sort(order.begin() + rois.first, order.begin() + rois.end, [&](int64_t a, int64_t b) {
            const int32_t ya = reduction.y(a, window(rois)).hull.start, yb = reduction.y(b, window(rois)).hull.start;
            return ya < yb || (ya == yb && a < b);
        });
    }

    // Bytes that the RoIs of a work item share: of the map in place, or of a packed block.
    int64_t shared_bytes(const ImageRois& rois) const {
        if (rois.access == Access::direct) return rois.hull_cells() * job.out.channels * map_item;
        return rois.access == Access::packed_map ? rois.hull_cells() * block_bytes() : 0;
    }

    void choose_threads() {
        int64_t touched = 0;
        for (const ImageRois& rois : images) touched += rois.touched_cells;
        const int64_t written = (int64_t)order.size() * bins_per_roi();
        const int64_t bytes = (touched * map_item + written * out_item) * job.out.channels;
        threads = usable_threads((int)std::min<int64_t>(job.execution.threads, 1 + bytes / bytes_per_thread));
    }

    // Where a packed block serves many RoIs, items divide the channels first; elsewhere they divide the RoIs.
    void cut_image(int64_t index) {
        const ImageRois& rois = images[index];
        const int64_t block_count = (int64_t)blocks.size(), count = rois.end - rois.first;
        const int64_t windows = join_windows ? windows_of_row(rois.window) : 1;
        if (block_count == 0 || windows == 0) return;
        const int64_t wanted = 4 * threads;
        const bool shared =
            rois.access == Access::packed_map || rois.access == Access::strips || rois.access == Access::tables;
        int64_t chunks =
            threads == 1 ? 1 : std::min(count, shared ? (wanted + block_count - 1) / block_count : 4 * wanted);
        if (shared)
            chunks = std::min(
                chunks, std::max(1 + cells_read(rois) / (2 * rois.hull_cells() + 1), chunks_for_idle_threads(rois)));
        const int64_t waiting = rois.access == Access::strips   ? count
                                : rois.access == Access::tables ? waiting_rois(rois.first, rois.end)
                                                                : 0;
        chunks = std::max(chunks, 1 + waiting * bins_per_roi() * block_bytes() / strip_bins_limit);
        if (windows > 1)
            chunks = std::max(chunks, 1 + count * bins_of_window_row(rois) * block_bytes() / strip_bins_limit);
        const int64_t blocks_per_item = shared || count < wanted ? 1 : block_count;
        for (int64_t b = 0; b < block_count; b += blocks_per_item)
            for (int64_t chunk = 0; chunk < chunks; chunk++)
                items.push_back({index, rois.first + count * chunk / chunks, rois.first + count * (chunk + 1) / chunks,
                                 b, std::min(b + blocks_per_item, block_count), windows});
    }

    // The rows of windows that are left over when every thread has had as many.
    void divide_last_rows() {
        const int64_t left = (int64_t)items.size() % threads;
        if (left == 0) return;
        const std::vector<WorkItem> last(items.end() - left, items.end());
        items.resize(items.size() - left);
        for (const WorkItem& item : last) divide_row(item, std::min(threads / left, item.windows));
    }

    void divide_row(const WorkItem& row, int64_t parts) {
        for (int64_t part = 0; part < parts; part++) {
            WorkItem item = row;
            const int64_t first = row.windows * part / parts;
            item.image_rois += first * images_per_window;
            item.windows = row.windows * (part + 1) / parts - first;
            items.push_back(item);
        }
    }

    // Tables take longer to make than to read: only a thread without a block of its own makes those of another again.
    int64_t chunks_for_idle_threads(const ImageRois& rois) const {
        const int64_t block_count = (int64_t)blocks.size();
        return rois.access == Access::tables ? (threads + block_count - 1) / block_count : 1;
    }

    // By all RoIs of an image: out of tables, at most four a bin.
    int64_t cells_read(const ImageRois& rois) const {
        return rois.access == Access::tables ? 4 * (rois.end - rois.first) * bins_per_roi() : rois.touched_cells;
    }

    // Windows of a row join into one item, so that planes are written by rows of bins and not value by value, as long as that
    // leaves items for all threads.
    bool windows_can_join() const {
        if (job.windows.size() == 1 || out_is_channels_last() || argmax) return false;
        int64_t joined = 0;
        for (const ImageRois& rois : images) {
            if (rois.access != Access::packed_map || length(window(rois).bin_rows) > bin_rows) return false;
            if (windows_of_row(rois.window) > 0) joined += (int64_t)blocks.size();
        }
        return threads == 1 || joined >= items_per_thread * threads;
    }

    // How many windows are in the row that window w begins; 0 if it begins none.
    int64_t windows_of_row(int64_t w) const {
        if (w > 0 && same_row(w - 1, w)) return 0;
        int64_t end = w + 1;
        while (end < (int64_t)job.windows.size() && same_row(w, end)) end++;
        return end - w;
    }

    int64_t bins_of_window_row(const ImageRois& rois) const { return length(window(rois).bin_rows) * job.out.columns; }

    bool same_row(int64_t w, int64_t other) const { return job.windows[w].y_window == job.windows[other].y_window; }

    // --- scratch ---

    void plan_scratch() {
        int64_t packed_cells = 0, column_cells = 0, rois_of_bins = 1;
        for (const ImageRois& rois : images) {
            const bool scan = rois.access != Access::strips && rois.access != Access::tables;
            if (scan) column_cells = std::max(column_cells, rois.widest);
            if (rois.access == Access::packed_map) packed_cells = std::max(packed_cells, rois.hull_cells());
            if (rois.access == Access::strips) {
                packed_cells = std::max(packed_cells, length(rois.rows) * strip_width(rois));
                column_cells = std::max(column_cells, job.out.rows * strip_width(rois));
            }
            if (rois.access == Access::tables) packed_cells = std::max(packed_cells, 2 * table_cells(rois));
            if (rois.access != Access::packed_roi) continue;
            for (int64_t i = rois.first; i < rois.end; i++)
                packed_cells = std::max(packed_cells, tallest_rows(order[i], window(rois)) *
                                                          length(reduction.x(order[i], window(rois)).hull));
        }
        if (use_strips) {
            bin_rows = job.out.rows;
            for (const WorkItem& item : items) rois_of_bins = std::max(rois_of_bins, item.end - item.first);
        } else if (table_choice.pays) {
            bin_rows = job.out.rows;
            for (const WorkItem& item : items)
                rois_of_bins = std::max(rois_of_bins, 1 + waiting_rois(item.first, item.end));
        }
        const int64_t bins = product(bin_rows, job.out.columns, "output_size");
        scratch.packed = round_up(product(packed_cells, block_bytes(), "features"));
        scratch.columns = round_up(product(column_cells, block_bytes(), "features") + column_scratch_bytes);
        int64_t waiting_bins = product(rois_of_bins, bins, "output_size");
        for (const WorkItem& item : items) {
            const int64_t rois = item.windows > 1 ? item.end - item.first : 0;
            waiting_bins = std::max(waiting_bins, rois * bins_of_window_row(images[item.image_rois]));
        }
        scratch.bins = round_up(product(waiting_bins + block_lanes, block_bytes(), "output_size"));
        scratch.staging = round_up(product(bins + block_lanes, block_bytes(), "output_size"));
        scratch.offsets = argmax ? round_up(product(bins * block_lanes, 8, "output_size")) : 0;
        scratch.rows = streams_rows() ? round_up(streamed_rows() * bin_row_bytes()) : 0;
        scratch.total =
            scratch.packed + scratch.columns + scratch.bins + scratch.staging + scratch.rows + scratch.offsets;
    }

    int64_t table_cells(const ImageRois& rois) const {
        return length(rois.rows) * table_strip_columns(rois, block_bytes());
    }

    // Rows that the tallest group of bin rows of a RoI touches.
    int64_t tallest_rows(int64_t roi, const ChannelWindow& w) const {
        const auto& y = reduction.y(roi, w);
        if (bin_rows >= y.count) return length(y.hull);
        int64_t tallest = 0;
        for (int64_t p = 0; p < y.count; p += bin_rows)
            tallest = std::max(tallest, length(rows_of_bins(y, p, std::min(p + bin_rows, y.count))));
        return tallest;
    }

    TableChoice table_choice{};
    bool direct = false, use_strips = false, join_windows = false;
    int64_t block_lanes = 1;
    int64_t scan_block_bytes = 0;  // of the channels that a scan takes together
};

}  // namespace fastroi
