#include "run.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <numeric>

#include "range_tables.h"
#include "reductions.h"
#include "refusal.h"
#include "scratch.h"
#include "stop_sign.h"
#include "threads.h"
#include "tiles.h"

namespace fastroi {
namespace {

// Fitted on a 2-core Zen 5 machine; docs/performance.md says how.
constexpr int64_t bytes_per_thread = 384 << 10;    // less work than this is not worth waking a thread for
constexpr int64_t stream_threshold = 12 << 20;     // outputs larger than this bypass the cache
// Up to this a packed map may have wide blocks; above it wants its RoIs sorted by row.
constexpr int64_t cached_block_bytes = 512 << 10;
constexpr int64_t packed_roi_cost = 3;             // a cell packed for one RoI against one packed for all: short rows
constexpr int64_t packed_roi_start = 16;           // cells that starting to pack for a RoI costs
constexpr int64_t pack_limit = 64 << 20;           // bytes of packed map per thread
constexpr int64_t bins_limit = 64 << 10;           // bytes of bins per thread before they are unpacked
constexpr int64_t strip_bytes = 512 << 10;         // a strip stays in the second-level cache
constexpr int64_t strip_bins_limit = 4 << 20;      // bytes of unfinished bins of an item in tables, strips or rows of windows
constexpr int64_t items_per_thread = 3;            // rows of windows make one item each if that leaves as many
constexpr int64_t max_strip_bins = 1024;           // a RoI with more bins is not worth strips
constexpr int64_t streamed_bytes = 16 << 10;       // of channels-last bin rows that are gathered before they are streamed
constexpr int64_t shortest_streamed_bin = 512;     // bytes of a bin's channels that are streamed without being gathered
constexpr int64_t longest_streamed_row = 1 << 20;  // a bin row longer than this is written in place
constexpr double pieces_cost = 6;                  // cycles for 64 bytes of a bin that are streamed apart from their neighbours
constexpr double ragged_pieces_cost = 25;          // the same where they are no cache line

// --- the run ---------------------------------------------------------------------------------------------------------

template <class T, class Reduction>
class Run {
public:
    Run(const Reduction& reduction, const Job& job, const Tensor& argmax, Part rois)
        : reduction_(reduction), job_(job), argmax_(argmax), stop_(job.execution) {
        order_by_image(rois);
        list_images();
        touch_cells();
        stream_ = (int64_t)order_.size() * bins_per_roi() * job.out.channels * element > stream_threshold;
        choose_blocks();
        for (ImageRois& rois : images_) choose_access(rois);
        choose_threads();
        make_tables();
        join_windows_ = windows_can_join();
        for (int64_t i = 0; i < (int64_t)images_.size(); i++) cut_image(i);
        if (join_windows_) divide_last_rows();
        plan_scratch();
    }

    void operator()() {
        std::atomic<int64_t> next{0};
        const int64_t items = (int64_t)items_.size();
        run_on_threads((int)std::min<int64_t>(threads_, items), [&](int thread) {
            unsigned char* const memory = thread_scratch.reserve(scratch_.total);
            if (!memory) stop_.raise(FASTROI_OUT_OF_MEMORY);
            while (!stop_.raised()) {
                const int64_t item = next.fetch_add(1, std::memory_order_relaxed);
                if (item >= items) break;
                process(items_[item], lay_out(memory), thread);
            }
            if (stream_) job_.execution.kernels->end_streaming();
            thread_scratch.trim();
        });
        stop_.throw_if_raised();
    }

private:
    // Bytes of each part of a thread's scratch.
    struct ScratchPlan {
        int64_t packed = 0, columns = 0, bins = 0, staging = 0, rows = 0, offsets = 0, total = 0;
    };
    struct Buffers {
        T *packed, *columns, *bins, *staging, *rows;
        int64_t* offsets;
    };

    static constexpr int64_t element = sizeof(T);

    static const BlockKernels<T> (&widths(const KernelTable& table))[block_widths] {
        if constexpr (sizeof(T) == 4)
            return table.f32;
        else
            return table.f64;
    }

    static bool channels_last(const Tensor& t) { return t.channel_stride == (ptrdiff_t)element; }

    const ChannelWindow& window(const ImageRois& rois) const { return job_.windows[rois.window]; }
    const Tensor& map_of(const ImageRois& rois) const { return job_.maps[rois.image / job_.maps[0].images]; }
    int64_t bins_per_roi() const { return job_.out.rows * job_.out.columns; }
    int64_t block_bytes() const { return block_lanes_ * element; }
    int64_t touched_cells(int64_t roi, const ChannelWindow& w) const {
        return length(reduction_.y(roi, w).hull) * length(reduction_.x(roi, w).hull);
    }

    // --- what is to be done ---

    void order_by_image(Part rois) {
        order_.resize(rois.end - rois.first);
        std::iota(order_.begin(), order_.end(), rois.first);
        if (job_.maps.size() > 1 || job_.maps[0].images > 1)
            std::stable_sort(order_.begin(), order_.end(),
                             [&](int64_t a, int64_t b) { return reduction_.image(a) < reduction_.image(b); });
    }

    // The same images for every window.
    void list_images() {
        for (int64_t i = 0; i < (int64_t)order_.size(); i++) {
            const int64_t image = reduction_.image(order_[i]);
            if (i == 0 || images_.back().image != image) images_.push_back({image, 0, i, i, {0, 0}, {0, 0}, 0, 0, Access::direct});
            images_.back().end = i + 1;
        }
        images_per_window_ = (int64_t)images_.size();
        images_.resize(images_per_window_ * job_.windows.size());
        for (size_t i = images_per_window_; i < images_.size(); i++) {
            images_[i] = images_[i - images_per_window_];
            images_[i].window++;
        }
    }

    // RoIs outside, windows inside: the axes of a RoI lie together.
    void touch_cells() {
        for (int64_t k = 0; k < images_per_window_; k++)
            for (int64_t i = images_[k].first; i < images_[k].end; i++) touch_windows(k, order_[i]);
    }

    void touch_windows(int64_t image, int64_t roi) {
        Range rows = {0, 0};
        for (int64_t w = 0; w < (int64_t)job_.windows.size(); w++) {
            if (w == 0 || !same_row(w - 1, w)) rows = reduction_.y(roi, job_.windows[w]).hull;
            const Range columns = reduction_.x(roi, job_.windows[w]).hull;
            ImageRois& rois = images_[w * images_per_window_ + image];
            rois.widest = std::max(rois.widest, length(columns));
            if (is_empty(rows) || is_empty(columns)) continue;
            rois.rows = hull_of(rois.rows, rows);
            rois.columns = hull_of(rois.columns, columns);
            rois.touched_cells += length(rows) * length(columns);
        }
    }

    void choose_blocks() {
        const KernelTable& table = *job_.execution.kernels;
        direct_ = job_.out.channels >= widths(table)[0].lanes;
        for (const Tensor& map : job_.maps) direct_ = direct_ && channels_last(map) && job_.windows[0].step == 1;
        if constexpr (Reduction::strips) use_strips_ = strips_pay(widths(table)[table.packed_width].lanes * element);
        if constexpr (Reduction::tables) choose_tables(table);
        const bool narrow = use_strips_ || (table_choice_.pays && !table_choice_.one_strip);
        const bool wide = !table_choice_.pays && (direct_ || wide_blocks_fit(widths(table)[table.direct_width].lanes));
        const int widest = narrow ? 0 : wide ? table.direct_width : table.packed_width;
        blocks_ = cut_channels<T>(job_.out.channels, widths(table), widest, !direct_ && !narrow);
        for (const ChannelBlock<T>& block : blocks_) block_lanes_ = std::max(block_lanes_, block.kernels->lanes);
        bin_rows_ = std::max<int64_t>(1, std::min(job_.out.rows, bins_limit / (job_.out.columns * block_bytes())));
    }

    // Wider blocks look up a bin's cells and weights for more channels, as long as every packed map stays in the cache.
    bool wide_blocks_fit(int64_t lanes) const {
        int64_t cells = 0;
        for (const ImageRois& rois : images_) cells = std::max(cells, rois.hull_cells());
        return job_.out.channels >= lanes && cells * lanes * element <= cached_block_bytes;
    }

    // Strips read each cell from the cache that a whole-map scan of large bins would fetch from memory again and again. And they
    // hold part of a RoI that would be packed whole.
    bool strips_pay(int64_t block_bytes) const {
        if (order_.empty() || job_.windows.size() > 1 || job_.out.rows * job_.out.columns > max_strip_bins) return false;
        int64_t direct = 0, in_strips = 0, most_cells = 0;
        for (int64_t i : order_) {
            direct += reduction_.direct_cost(i, job_.windows[0]);
            in_strips += reduction_.strip_cost(i, job_.windows[0]);
            most_cells = std::max(most_cells, touched_cells(i, job_.windows[0]));
        }
        for (const ImageRois& rois : images_) in_strips += Reduction::packed_strip_cost(rois.hull_cells());
        return direct > in_strips || (!direct_ && most_cells * block_bytes > pack_limit);
    }

    void choose_tables(const KernelTable& table) {
        if (argmax_.data || job_.windows.size() > 1 || bins_per_roi() > max_strip_bins) return;
        const int64_t wide = widths(table)[table.packed_width].lanes * element, narrow = widths(table)[0].lanes * element;
        table_choice_ = fastroi::choose_tables(reduction_.plan.rois(), order_, images_, wide, narrow, scan(wide));
    }

    // What a scan of all images would do, in blocks of so many bytes where it packs.
    Scan scan(int64_t block_bytes) const {
        const int64_t cell_bytes = job_.out.channels * element;
        Scan all = {cell_bytes, direct_ ? cell_bytes : block_bytes, 0, 0};
        for (const ImageRois& rois : images_) {
            const Access access = scan_access(rois, block_bytes);
            if (access == Access::packed_map) all.packed_cells += (double)rois.hull_cells();
            if (access == Access::packed_roi) all.packed_cells += (double)packed_roi_cells(rois);
        }
        // Whole bins go past the cache at once. Out of tables they would do so in pieces, which may begin and end inside of a line.
        if (streams_rows()) all.streaming_saves = begins_with_lines(job_.out) ? pieces_cost : ragged_pieces_cost;
        return all;
    }

    // Whether the channels of every bin do.
    static bool begins_with_lines(const Tensor& t) {
        return ((uintptr_t)t.data | t.image_stride | t.row_stride | t.column_stride) % cache_line == 0;
    }

    void make_tables() {
        if constexpr (Reduction::tables)
            if (table_choice_.pays) tables_ = RangeTables(reduction_.plan.rois(), order_, images_, table_choice_, block_bytes(), threads_);
    }

    void choose_access(ImageRois& rois) {
        rois.access = use_strips_ ? Access::strips : table_choice_.pays ? Access::tables : scan_access(rois, block_bytes());
        if (job_.windows.size() == 1 && shared_bytes(rois) > cached_block_bytes) sort_by_row(rois);
    }

    Access scan_access(const ImageRois& rois, int64_t block_bytes) const {
        if (direct_) return Access::direct;
        const bool map_is_large = packed_roi_cells(rois) < rois.hull_cells() || rois.hull_cells() * block_bytes > pack_limit;
        return map_is_large ? Access::packed_roi : Access::packed_map;
    }

    // What packing for each RoI costs, in cells of a map that is packed once.
    static int64_t packed_roi_cells(const ImageRois& rois) {
        return packed_roi_cost * (rois.touched_cells + packed_roi_start * (rois.end - rois.first));
    }

    void sort_by_row(const ImageRois& rois) {
        std::sort(order_.begin() + rois.first, order_.begin() + rois.end, [&](int64_t a, int64_t b) {
            const int32_t ya = reduction_.y(a, window(rois)).hull.start, yb = reduction_.y(b, window(rois)).hull.start;
            return ya < yb || (ya == yb && a < b);
        });
    }

    // Bytes that the RoIs of a work item share: of the map in place, or of a packed block.
    int64_t shared_bytes(const ImageRois& rois) const {
        if (rois.access == Access::direct) return rois.hull_cells() * job_.out.channels * element;
        return rois.access == Access::packed_map ? rois.hull_cells() * block_bytes() : 0;
    }

    void choose_threads() {
        int64_t touched = 0;
        for (const ImageRois& rois : images_) touched += rois.touched_cells;
        const int64_t written = (int64_t)order_.size() * bins_per_roi();
        const int64_t bytes = (touched + written) * job_.out.channels * element;
        threads_ = usable_threads((int)std::min<int64_t>(job_.execution.threads, 1 + bytes / bytes_per_thread));
    }

    // Where a packed block serves many RoIs, items divide the channels first; elsewhere they divide the RoIs.
    void cut_image(int64_t index) {
        const ImageRois& rois = images_[index];
        const int64_t blocks = (int64_t)blocks_.size(), count = rois.end - rois.first;
        const int64_t windows = join_windows_ ? windows_of_row(rois.window) : 1;
        if (blocks == 0 || windows == 0) return;
        const int64_t wanted = 4 * threads_;
        const bool shared = rois.access == Access::packed_map || rois.access == Access::strips || rois.access == Access::tables;
        int64_t chunks = threads_ == 1 ? 1 : std::min(count, shared ? (wanted + blocks - 1) / blocks : 4 * wanted);
        if (shared) chunks = std::min(chunks, std::max(1 + cells_read(rois) / (2 * rois.hull_cells() + 1), chunks_for_idle_threads(rois)));
        const int64_t waiting = rois.access == Access::strips ? count : rois.access == Access::tables ? waiting_rois(rois.first, rois.end) : 0;
        chunks = std::max(chunks, 1 + waiting * bins_per_roi() * block_bytes() / strip_bins_limit);
        if (windows > 1) chunks = std::max(chunks, 1 + count * bins_of_window_row(rois) * block_bytes() / strip_bins_limit);
        const int64_t blocks_per_item = shared || count < wanted ? 1 : blocks;
        for (int64_t b = 0; b < blocks; b += blocks_per_item)
            for (int64_t chunk = 0; chunk < chunks; chunk++)
                items_.push_back({index, rois.first + count * chunk / chunks, rois.first + count * (chunk + 1) / chunks, b,
                                  std::min(b + blocks_per_item, blocks), windows});
    }

    // The rows of windows that are left over when every thread has had as many.
    void divide_last_rows() {
        const int64_t left = (int64_t)items_.size() % threads_;
        if (left == 0) return;
        const std::vector<WorkItem> last(items_.end() - left, items_.end());
        items_.resize(items_.size() - left);
        for (const WorkItem& item : last) divide_row(item, std::min(threads_ / left, item.windows));
    }

    void divide_row(const WorkItem& row, int64_t parts) {
        for (int64_t part = 0; part < parts; part++) {
            WorkItem item = row;
            const int64_t first = row.windows * part / parts;
            item.image_rois += first * images_per_window_;
            item.windows = row.windows * (part + 1) / parts - first;
            items_.push_back(item);
        }
    }

    // Tables take longer to make than to read: only a thread without a block of its own makes those of another again.
    int64_t chunks_for_idle_threads(const ImageRois& rois) const {
        const int64_t blocks = (int64_t)blocks_.size();
        return rois.access == Access::tables ? (threads_ + blocks - 1) / blocks : 1;
    }

    // By all RoIs of an image: out of tables, at most four a bin.
    int64_t cells_read(const ImageRois& rois) const {
        return rois.access == Access::tables ? 4 * (rois.end - rois.first) * bins_per_roi() : rois.touched_cells;
    }

    // RoIs of order[first..end) whose bins are not done in one visit to a table.
    int64_t waiting_rois(int64_t first, int64_t end) const { return tables_.waiting_before(end) - tables_.waiting_before(first); }

    // Windows of a row join into one item, so that planes are written by rows of bins and not value by value, as long as that
    // leaves items for all threads.
    bool windows_can_join() const {
        if (job_.windows.size() == 1 || channels_last(job_.out) || argmax_.data) return false;
        int64_t items = 0;
        for (const ImageRois& rois : images_) {
            if (rois.access != Access::packed_map || length(window(rois).bin_rows) > bin_rows_) return false;
            if (windows_of_row(rois.window) > 0) items += (int64_t)blocks_.size();
        }
        return threads_ == 1 || items >= items_per_thread * threads_;
    }

    // How many windows are in the row that window w begins; 0 if it begins none.
    int64_t windows_of_row(int64_t w) const {
        if (w > 0 && same_row(w - 1, w)) return 0;
        int64_t end = w + 1;
        while (end < (int64_t)job_.windows.size() && same_row(w, end)) end++;
        return end - w;
    }

    bool same_row(int64_t w, int64_t other) const { return job_.windows[w].y_window == job_.windows[other].y_window; }

    int64_t bins_of_window_row(const ImageRois& rois) const { return length(window(rois).bin_rows) * job_.out.columns; }

    // --- scratch ---

    void plan_scratch() {
        int64_t packed_cells = 0, column_cells = 0, rois_of_bins = 1;
        for (const ImageRois& rois : images_) {
            if (rois.access == Access::packed_map) packed_cells = std::max(packed_cells, rois.hull_cells());
            if (rois.access == Access::strips) {
                packed_cells = std::max(packed_cells, length(rois.rows) * strip_width(rois));
                column_cells = std::max(column_cells, job_.out.rows * strip_width(rois));
            }
            if (rois.access == Access::tables) packed_cells = std::max(packed_cells, 2 * table_cells(rois));
            column_cells = std::max(column_cells, rois.widest);
            if (rois.access != Access::packed_roi) continue;
            for (int64_t i = rois.first; i < rois.end; i++)
                packed_cells = std::max(packed_cells, tallest_rows(order_[i], window(rois)) *
                                                          length(reduction_.x(order_[i], window(rois)).hull));
        }
        if (use_strips_) {
            bin_rows_ = job_.out.rows;
            for (const WorkItem& item : items_) rois_of_bins = std::max(rois_of_bins, item.end - item.first);
        } else if (table_choice_.pays) {
            bin_rows_ = job_.out.rows;
            for (const WorkItem& item : items_) rois_of_bins = std::max(rois_of_bins, 1 + waiting_rois(item.first, item.end));
        }
        const int64_t bins = product(bin_rows_, job_.out.columns, "output_size");
        scratch_.packed = round_up(product(packed_cells, block_bytes(), "features"));
        scratch_.columns = round_up(product(column_cells, block_bytes(), "features") + column_scratch_bytes);
        int64_t waiting_bins = product(rois_of_bins, bins, "output_size");
        for (const WorkItem& item : items_) {
            const int64_t rois = item.windows > 1 ? item.end - item.first : 0;
            waiting_bins = std::max(waiting_bins, rois * bins_of_window_row(images_[item.image_rois]));
        }
        scratch_.bins = round_up(product(waiting_bins + block_lanes_, block_bytes(), "output_size"));
        scratch_.staging = round_up(product(bins + block_lanes_, block_bytes(), "output_size"));
        scratch_.offsets = argmax_.data ? round_up(product(bins * block_lanes_, 8, "output_size")) : 0;
        scratch_.rows = streams_rows() ? round_up(streamed_rows() * bin_row_bytes()) : 0;
        scratch_.total = scratch_.packed + scratch_.columns + scratch_.bins + scratch_.staging + scratch_.rows + scratch_.offsets;
    }

    int64_t table_cells(const ImageRois& rois) const { return length(rois.rows) * table_strip_columns(rois, block_bytes()); }

    // Columns of a strip: as many as the cache holds.
    int64_t strip_width(const ImageRois& rois) const {
        const int64_t column_bytes = std::max<int64_t>(1, length(rois.rows) * block_bytes());
        return std::max<int64_t>(1, std::min(length(rois.columns), strip_bytes / column_bytes));
    }

    // Rows that the tallest group of bin rows of a RoI touches.
    int64_t tallest_rows(int64_t roi, const ChannelWindow& w) const {
        const auto& y = reduction_.y(roi, w);
        if (bin_rows_ >= y.count) return length(y.hull);
        int64_t tallest = 0;
        for (int64_t p = 0; p < y.count; p += bin_rows_)
            tallest = std::max(tallest, length(rows_of_bins(y, p, std::min(p + bin_rows_, y.count))));
        return tallest;
    }

    Buffers lay_out(unsigned char* memory) const {
        Buffers b;
        b.packed = (T*)memory;
        b.columns = (T*)(memory += scratch_.packed);
        b.bins = (T*)(memory += scratch_.columns);
        b.staging = (T*)(memory += scratch_.bins);
        b.rows = (T*)(memory += scratch_.staging);
        b.offsets = (int64_t*)(memory += scratch_.rows);
        return b;
    }

    // --- doing it ---

    void process(const WorkItem& item, const Buffers& buffers, int thread) {
        const ImageRois& rois = images_[item.image_rois];
        if (rois.access == Access::strips) {
            for (int64_t b = item.first_block; b < item.end_block; b++)
                process_strips(blocks_[b], rois, item, buffers, thread);
            return;
        }
        if constexpr (Reduction::tables)
            if (rois.access == Access::tables) return process_tables(rois, item, buffers, thread);
        if (item.windows > 1) return process_window_row(item, buffers, thread);
        if (streams_rows(rois, item)) return stream_rows(rois, item, buffers, thread);
        MapTile packed{};
        if (rois.access == Access::packed_map)
            packed = pack(blocks_[item.first_block], rois, rois.rows, rois.columns, buffers.packed);
        // RoIs outside, blocks inside: what a RoI reads and writes of all its channels is adjacent where no map is packed.
        for (int64_t i = item.first; i < item.end && !stop_.raised(); i++) {
            if (!sum_whole_bins(rois, item, order_[i])) {
                for (int64_t b = item.first_block; b < item.end_block; b++)
                    process_roi(blocks_[b], rois, order_[i],
                                rois.access == Access::direct ? tile_in_place(blocks_[b], rois) : packed, buffers);
            }
            stop_.worked(thread, (touched_cells(order_[i], window(rois)) + bins_per_roi()) * (item.end_block - item.first_block));
        }
    }

    int64_t bin_row_bytes() const { return job_.out.columns * job_.out.channels * element; }
    int64_t streamed_rows() const { return std::max<int64_t>(1, std::min(job_.out.rows, streamed_bytes / bin_row_bytes())); }

    // A channels-last result larger than the cache: a bin row of all channels is one run of memory.
    bool streams_rows() const {
        const Tensor& out = job_.out;
        return stream_ && direct_ && !use_strips_ && !table_choice_.pays && !argmax_.data && channels_last(out) &&
               bin_row_bytes() <= longest_streamed_row && out.column_stride == out.channels * element && out.row_stride == bin_row_bytes();
    }
    bool streams_rows(const ImageRois& rois, const WorkItem& item) const {
        return streams_rows() && rois.access == Access::direct && item.end_block - item.first_block == (int64_t)blocks_.size();
    }

    void stream_rows(const ImageRois& rois, const WorkItem& item, const Buffers& buffers, int thread) {
        const ChannelWindow& w = window(rois);
        const ptrdiff_t column_stride = job_.out.channels * element;
        for (int64_t i = item.first; i < item.end && !stop_.raised(); i++) {
            const auto& y = reduction_.y(order_[i], w);
            unsigned char* const out = job_.out.data + reduction_.output(order_[i]) * job_.out.image_stride;
            const int64_t whole = sum_whole_bins(rois, item, order_[i]) ? y.count : 0;
            for (int64_t p = whole; p < y.count; p += streamed_rows()) {
                const int64_t end = std::min(p + streamed_rows(), y.count);
                for (const ChannelBlock<T>& block : blocks_) {
                    const BinTile bins{(unsigned char*)(buffers.rows + block.first_channel), bin_row_bytes(), column_stride};
                    reduction_.reduce(*block.kernels, tile_in_place(block, rois), bins_of(y, p, end), reduction_.x(order_[i], w), bins,
                                      buffers.columns);
                }
                blocks_[0].kernels->stream(buffers.rows, out + p * job_.out.row_stride, (end - p) * bin_row_bytes() / element);
            }
            stop_.worked(thread, (touched_cells(order_[i], w) + bins_per_roi()) * (int64_t)blocks_.size());
        }
    }

    // Map and output are channels-last, and the item has all channels: a bin is one run of memory.
    bool has_whole_bins(const ImageRois& rois, const WorkItem& item) const {
        return rois.access == Access::direct && channels_last(job_.out) &&
               item.end_block - item.first_block == (int64_t)blocks_.size() &&
               (!stream_ || job_.out.channels * element >= shortest_streamed_bin);
    }

    // Writes the RoI bin by bin, all channels of each, if its bins share few columns; says whether it did.
    bool sum_whole_bins(const ImageRois& rois, const WorkItem& item, int64_t roi) const {
        if constexpr (std::is_same_v<Reduction, SumOverTaps<T>>) {
            const auto& y = reduction_.y(roi, window(rois));
            const auto& x = reduction_.x(roi, window(rois));
            if (!has_whole_bins(rois, item) || reduction_.bins_share_columns(y, x, Reduction::whole_bin_store)) return false;
            const ChannelBlock<T>& block = blocks_[0];
            const BinTile bins{first_output(block, rois, roi, job_.out), job_.out.row_stride, job_.out.column_stride};
            block.kernels->sum_whole_bins(tile_in_place(block, rois), job_.out.channels, y, x, reduction_.outside, bins, stream_);
            return true;
        }
        return false;
    }

    const unsigned char* first_cell(const ChannelBlock<T>& block, const ImageRois& rois) const {
        const Tensor& map = map_of(rois);
        const ChannelWindow& w = window(rois);
        return map.data + rois.image % map.images * map.image_stride + (w.first + block.first_channel * w.step) * map.channel_stride;
    }

    MapTile tile_in_place(const ChannelBlock<T>& block, const ImageRois& rois) const {
        return {first_cell(block, rois), map_of(rois).row_stride, map_of(rois).column_stride};
    }

    // Packs part of the map. The origin is where cell (0, 0) would lie: kernels address cells by their place on the whole map.
    MapTile pack(const ChannelBlock<T>& block, const ImageRois& rois, Range rows, Range columns, T* dst) const {
        const Tensor& map = map_of(rois);
        const PlanarBlock planes{first_cell(block, rois), window(rois).step * map.channel_stride, map.row_stride,
                                 map.column_stride, block.channels};
        block.kernels->pack(planes, rows, columns, dst);
        return packed_tile(block, rows, columns, dst);
    }

    MapTile packed_tile(const ChannelBlock<T>& block, Range rows, Range columns, const T* packed) const {
        const ptrdiff_t column_stride = block.kernels->lanes * element;
        const ptrdiff_t row_stride = length(columns) * column_stride;
        const uintptr_t origin = (uintptr_t)packed - rows.start * row_stride - columns.start * column_stride;
        return {(const unsigned char*)origin, row_stride, column_stride};
    }

    unsigned char* first_output(const ChannelBlock<T>& block, const ImageRois& rois, int64_t roi, const Tensor& t) const {
        const ChannelWindow& w = window(rois);
        return t.data + reduction_.output(roi) * t.image_stride + block.first_channel * t.channel_stride +
               w.bin_rows.start * t.row_stride + w.bin_columns.start * t.column_stride;
    }

    bool writes_in_place(const ChannelBlock<T>& block) const {
        return channels_last(job_.out) && block.first_lane == 0 && block.end_lane == block.kernels->lanes;
    }

    BinTile bins_in_place(const ChannelBlock<T>& block, const ImageRois& rois, int64_t i) const {
        return {first_output(block, rois, order_[i], job_.out), job_.out.row_stride, job_.out.column_stride};
    }

    void process_roi(const ChannelBlock<T>& block, const ImageRois& rois, int64_t roi, const MapTile& map,
                     const Buffers& buffers) {
        const ChannelWindow& w = window(rois);
        const auto& y = reduction_.y(roi, w);
        const auto& x = reduction_.x(roi, w);
        unsigned char* const out = first_output(block, rois, roi, job_.out);
        const bool in_place = writes_in_place(block);
        const int64_t step = in_place && rois.access != Access::packed_roi && !argmax_.data ? y.count : bin_rows_;
        for (int64_t p = 0; p < y.count; p += step) {
            const int64_t end = std::min(p + step, y.count);
            const MapTile tile = rois.access == Access::packed_roi
                                     ? pack(block, rois, end - p == y.count ? y.hull : rows_of_bins(y, p, end), x.hull, buffers.packed)
                                     : map;
            const BinTile bins = in_place ? BinTile{out + p * job_.out.row_stride, job_.out.row_stride, job_.out.column_stride}
                                          : dense_bins(block, x.count, buffers.bins);
            const auto group = bins_of(y, p, end);
            reduction_.reduce(*block.kernels, tile, group, x, bins, buffers.columns);
            if (!in_place) unpack(block, bins, end - p, x.count, out + p * job_.out.row_stride, buffers.staging);
            if (argmax_.data) write_argmax(block, rois, tile, roi, p, group, x, bins, buffers.offsets);
        }
    }

    BinTile dense_bins(const ChannelBlock<T>& block, int64_t columns, T* bins) const {
        const ptrdiff_t column_stride = block.kernels->lanes * element;
        return {(unsigned char*)bins, columns * column_stride, column_stride};
    }

    void unpack(const ChannelBlock<T>& block, const BinTile& bins, int64_t rows, int64_t columns, unsigned char* out,
                T* staging) const {
        const PlanarBins planes{out, job_.out.channel_stride, job_.out.row_stride, job_.out.column_stride,
                                block.first_lane, block.end_lane, stream_};
        block.kernels->unpack(bins, rows, columns, planes, staging);
    }

    template <class Axis>
    void write_argmax(const ChannelBlock<T>& block, const ImageRois& rois, const MapTile& map, int64_t roi, int64_t first_bin,
                      const Axis& y, const Axis& x, const BinTile& bins, int64_t* offsets) const {
        if constexpr (std::is_same_v<Reduction, MaxOverRanges<T>>) {
            reduction_.argmax(*block.kernels, map, y, x, bins, offsets);
            unsigned char* const plane = first_output(block, rois, roi, argmax_) + first_bin * argmax_.row_stride;
            for (int64_t ph = 0; ph < y.count; ph++)
                for (int64_t pw = 0; pw < x.count; pw++, offsets += block.kernels->lanes)
                    for (int64_t lane = block.first_lane; lane < block.end_lane; lane++)
                        memcpy(plane + lane * argmax_.channel_stride + ph * argmax_.row_stride + pw * argmax_.column_stride,
                               offsets + lane, sizeof *offsets);
        }
    }

    // Window by window of a row, or of part of one, over all RoIs of the item; their bins stay in scratch until the last window is done.
    void process_window_row(const WorkItem& item, const Buffers& buffers, int thread) {
        const ChannelBlock<T>& block = blocks_[item.first_block];
        const ImageRois& first = images_[item.image_rois];
        const ImageRois& last = images_[item.image_rois + (item.windows - 1) * images_per_window_];
        const int64_t first_column = window(first).bin_columns.start, columns = window(last).bin_columns.end - first_column;
        const int64_t roi_bins = length(window(first).bin_rows) * columns;
        const auto bins_at = [&](int64_t i, int64_t column) {
            const int64_t bin = (i - item.first) * roi_bins + column - first_column;
            return dense_bins(block, columns, buffers.bins + bin * block.kernels->lanes);
        };
        for (int64_t k = 0; k < item.windows; k++) {
            const ImageRois& rois = images_[item.image_rois + k * images_per_window_];
            const ChannelWindow& w = window(rois);
            const MapTile map = pack(block, rois, rois.rows, rois.columns, buffers.packed);
            for (int64_t i = item.first; i < item.end && !stop_.raised(); i++) {
                reduction_.reduce(*block.kernels, map, reduction_.y(order_[i], w), reduction_.x(order_[i], w),
                                  bins_at(i, w.bin_columns.start), buffers.columns);
                stop_.worked(thread, touched_cells(order_[i], w) + bins_per_roi());
            }
        }
        for (int64_t i = item.first; i < item.end && !stop_.raised(); i++) {
            unpack(block, bins_at(i, first_column), length(window(first).bin_rows), columns,
                   first_output(block, first, order_[i], job_.out), buffers.staging);
        }
    }

    // Column strip by column strip over all RoIs of the item; their bins stay in scratch until the last strip is done.
    void process_strips(const ChannelBlock<T>& block, const ImageRois& rois, const WorkItem& item, const Buffers& buffers,
                        int thread) {
        if constexpr (Reduction::strips) {
            const int64_t roi_bins = bins_per_roi() * block.kernels->lanes;
            const auto bins_at = [&](int64_t i) {
                return dense_bins(block, job_.out.columns, buffers.bins + (i - item.first) * roi_bins);
            };
            const ChannelWindow& w = window(rois);
            for (int64_t i = item.first; i < item.end; i++)
                reduction_.begin(*block.kernels, reduction_.y(order_[i], w), reduction_.x(order_[i], w), bins_at(i));
            const int64_t width = strip_width(rois);
            for (int64_t x = rois.columns.start; x < rois.columns.end && !stop_.raised(); x += width) {
                const Range strip = {(int32_t)x, (int32_t)std::min<int64_t>(x + width, rois.columns.end)};
                const MapTile map = pack(block, rois, rois.rows, strip, buffers.packed);
                for (int64_t i = item.first; i < item.end; i++) {
                    reduction_.reduce_strip(*block.kernels, map, reduction_.y(order_[i], w), reduction_.x(order_[i], w), strip,
                                            bins_at(i), buffers.columns);
                }
                stop_.worked(thread, item.end - item.first + length(rois.rows) * length(strip));
            }
            for (int64_t i = item.first; i < item.end && !stop_.raised(); i++) {
                reduction_.finish(*block.kernels, reduction_.y(order_[i], w), reduction_.x(order_[i], w), bins_at(i));
                unpack(block, bins_at(i), job_.out.rows, job_.out.columns, first_output(block, rois, order_[i], job_.out),
                       buffers.staging);
            }
        }
    }

    // --- tables ---

    // The two tables of a strip: of rows, and, from the first column level on, of rows and columns.
    struct StripTables {
        const Run& run;
        const ChannelBlock<T>& block;
        const ImageRois& rois;
        T* memory;
        Range strip = {0, 0};
        int row_level = 0, column_level = 0;

        MapTile at(const TableReading& reading) {
            if (strip.start != reading.strip.start || strip.end != reading.strip.end || is_empty(strip)) {
                strip = reading.strip;
                run.pack(block, rois, rois.rows, strip, memory);
                row_level = column_level = 0;
            }
            for (; row_level < reading.row_level; row_level++, column_level = 0) double_runs(memory, memory, (1LL << row_level) * length(strip));
            for (; column_level < reading.column_level; column_level++)
                double_runs(column_level ? columns() : memory, columns(), 1LL << column_level);
            return run.packed_tile(block, rois.rows, strip, column_level ? columns() : memory);
        }
        T* columns() const { return memory + length(rois.rows) * length(strip) * block.kernels->lanes; }
        void double_runs(const T* from, T* to, int64_t reach) const {
            block.kernels->max_cells(from, from + reach * block.kernels->lanes, to, length(rois.rows) * length(strip) - reach);
        }
    };

    void process_tables(const ImageRois& rois, const WorkItem& item, const Buffers& buffers, int thread) {
        for (int64_t b = item.first_block; b < item.end_block; b++) {
            const ChannelBlock<T>& block = blocks_[b];
            const ChannelWindow& w = window(rois);
            const auto bins_at = [&](int64_t slot) {
                return dense_bins(block, job_.out.columns, buffers.bins + slot * bins_per_roi() * block.kernels->lanes);
            };
            const auto waiting_bins = [&](int64_t i) { return bins_at(1 + waiting_rois(item.first, i)); };
            const auto waits = [&](int64_t i) { return waiting_rois(i, i + 1) > 0; };
            const auto write = [&](int64_t i, const BinTile& bins) {
                unpack(block, bins, job_.out.rows, job_.out.columns, first_output(block, rois, order_[i], job_.out), buffers.staging);
            };
            const bool in_place = writes_in_place(block) && !stream_;
            const auto bins_alone = [&](int64_t i) { return in_place ? bins_in_place(block, rois, i) : bins_at(0); };
            const auto begin = [&](int64_t i, const BinTile& bins) {
                block.kernels->begin_maxima(reduction_.y(order_[i], w), reduction_.x(order_[i], w), bins);
            };
            for (int64_t i = item.first; i < item.end; i++)
                if (waits(i)) begin(i, waiting_bins(i));
            StripTables tables{*this, block, rois, buffers.packed};
            for (const TableReading& reading : tables_.readings(item.image_rois)) {
                if (stop_.raised() || !tables_.is_read_by(reading, item.first, item.end)) continue;
                const MapTile maxima = tables.at(reading);
                stop_.worked(thread, length(rois.rows) * length(reading.strip));
                tables_.for_each_visit(reading, item.first, item.end, [&](const TableVisit& visit) {
                    const BinTile bins = visit.alone ? bins_alone(visit.index) : waiting_bins(visit.index);
                    if (visit.alone && visit.y.count * visit.x.count < bins_per_roi()) begin(visit.index, bins);
                    block.kernels->raise_to_runs(maxima, visit.y, visit.x, visit.alone, bins);
                    if (visit.alone && !in_place) write(visit.index, bins);
                    stop_.worked(thread, bins_per_roi());
                });
            }
            for (int64_t i = item.first; i < item.end && !stop_.raised(); i++)
                if (waits(i)) write(i, waiting_bins(i));
        }
    }

    const Reduction& reduction_;
    const Job& job_;
    const Tensor argmax_;
    StopSign stop_;
    std::vector<int64_t> order_;
    std::vector<ImageRois> images_;
    std::vector<ChannelBlock<T>> blocks_;
    std::vector<WorkItem> items_;
    ScratchPlan scratch_;
    int threads_ = 1;
    bool stream_ = false, direct_ = false, use_strips_ = false, join_windows_ = false;
    TableChoice table_choice_{};
    RangeTables tables_;
    int64_t images_per_window_ = 0, block_lanes_ = 1, bin_rows_ = 1;
};

}  // namespace

std::vector<ChannelWindow> whole_window(const Tensor& out) {
    return {{0, 1, 0, 0, {0, (int32_t)out.rows}, {0, (int32_t)out.columns}}};
}

template <class T>
void run_max_ranges(const RangePlan& plan, const Job& job, const Tensor& argmax) {
    const MaxOverRanges<T> reduction{{plan}, job.maps[0].columns};
    const int64_t count = reduction.count(), step = rois_listed_at_once(plan.rois(), job.maps[0].rows);
    for (int64_t first = 0; first < count; first += step)
        Run<T, MaxOverRanges<T>>(reduction, job, argmax, {first, std::min(first + step, count)})();
}

template <class T>
void run_mean_ranges(const RangePlan& plan, const Job& job) {
    const MeanOverRanges<T> reduction{{plan}};
    Run<T, MeanOverRanges<T>>(reduction, job, Tensor{}, reduction.all())();
}

template <class T>
void run_sum_taps(const TapPlan<T>& plan, const Job& job, T outside) {
    const SumOverTaps<T> reduction{{plan}, outside};
    Run<T, SumOverTaps<T>>(reduction, job, Tensor{}, reduction.all())();
}

template <class T>
void run_max_samples(const SamplePlan<T>& plan, const Job& job, SampleMaximum mode) {
    const MaxOverSamples<T> reduction{{plan}, mode};
    Run<T, MaxOverSamples<T>>(reduction, job, Tensor{}, reduction.all())();
}

template <class T>
void run_gather(const GatherPlan<T>& plan, const Job& job) {
    const SumOverCells<T> reduction{{plan}};
    Run<T, SumOverCells<T>>(reduction, job, Tensor{}, reduction.all())();
}

template void run_gather<float>(const GatherPlan<float>&, const Job&);
template void run_gather<double>(const GatherPlan<double>&, const Job&);
template void run_max_ranges<float>(const RangePlan&, const Job&, const Tensor&);
template void run_max_ranges<double>(const RangePlan&, const Job&, const Tensor&);
template void run_mean_ranges<float>(const RangePlan&, const Job&);
template void run_mean_ranges<double>(const RangePlan&, const Job&);
template void run_sum_taps<float>(const TapPlan<float>&, const Job&, float);
template void run_sum_taps<double>(const TapPlan<double>&, const Job&, double);
template void run_max_samples<float>(const SamplePlan<float>&, const Job&, SampleMaximum);
template void run_max_samples<double>(const SamplePlan<double>&, const Job&, SampleMaximum);

}  // namespace fastroi
