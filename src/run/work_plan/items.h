// What each thread does at a stretch, and how many threads are worth waking.
#pragma once
#include "../work_plan.h"

namespace fastroi {

// Bytes that the RoIs of a work item share: of the map in place, or of a packed block.
template <class T, class Reduction>
inline int64_t WorkPlan<T, Reduction>::shared_bytes(const ImageRois& rois) const {
    if (rois.access == Access::direct || rois.access == Access::lines)
        return estimated_product(rois.hull_cells(), estimated_product(job.out.channels, map_item));
    return rois.access == Access::packed_map ? estimated_product(rois.hull_cells(), block_bytes()) : 0;
}

template <class T, class Reduction>
inline void WorkPlan<T, Reduction>::choose_threads() {
    int64_t touched = 0;
    for (const ImageRois& rois : images) touched = estimated_sum(touched, rois.touched_cells);
    const int64_t written = (int64_t)order.size() * bins_per_roi();
    const int64_t bytes = estimated_product(
        estimated_sum(estimated_product(touched, map_item), estimated_product(written, out_item)), job.out.channels);
    threads = threads_worth(job.execution.threads, bytes);
}

// Where a packed block serves many RoIs, items divide the channels first; elsewhere they divide the RoIs.
template <class T, class Reduction>
inline void WorkPlan<T, Reduction>::cut_image(int64_t index) {
    const ImageRois& rois = images[index];
    const int64_t block_count = (int64_t)blocks.size(), count = rois.end - rois.first;
    const int64_t windows = join_windows ? windows_of_row(rois.window) : 1;
    if (block_count == 0 || windows == 0) return;
    const int64_t wanted = 4 * threads;
    const bool shared =
        rois.access == Access::packed_map || rois.access == Access::strips || rois.access == Access::tables;
    int64_t chunks = threads == 1 ? 1 : std::min(count, shared ? (wanted + block_count - 1) / block_count : 4 * wanted);
    if (shared)
        chunks =
            std::min(chunks, std::max(1 + cells_read(rois) / estimated_sum(estimated_product(2, rois.hull_cells()), 1),
                                      chunks_for_idle_threads(rois)));
    const int64_t waiting = rois.access == Access::strips   ? count
                            : rois.access == Access::tables ? waiting_rois(rois.first, rois.end)
                                                            : 0;
    const auto chunks_of_bins = [&](int64_t bins) {
        return 1 + estimated_product(bins, block_bytes()) / strip_bins_limit;
    };
    chunks = std::max(chunks, chunks_of_bins(waiting * bins_per_roi()));
    if (windows > 1) chunks = std::max(chunks, chunks_of_bins(count * bins_of_window_row(rois)));
    const int64_t blocks_per_item = shared || count < wanted ? 1 : block_count;
    for (int64_t b = 0; b < block_count; b += blocks_per_item)
        for (int64_t chunk = 0; chunk < chunks; chunk++)
            items.push_back({index, rois.first + count * chunk / chunks, rois.first + count * (chunk + 1) / chunks, b,
                             std::min(b + blocks_per_item, block_count), windows});
}

// The rows of windows that are left over when every thread has had as many.
template <class T, class Reduction>
inline void WorkPlan<T, Reduction>::divide_last_rows() {
    const int64_t left = (int64_t)items.size() % threads;
    if (left == 0) return;
    const std::vector<WorkItem> last(items.end() - left, items.end());
    items.resize(items.size() - left);
    for (const WorkItem& item : last) divide_row(item, std::min(threads / left, item.windows));
}

template <class T, class Reduction>
inline void WorkPlan<T, Reduction>::divide_row(const WorkItem& row, int64_t parts) {
    for (int64_t part = 0; part < parts; part++) {
        WorkItem item = row;
        const int64_t first = row.windows * part / parts;
        item.image_rois += first * images_per_window;
        item.windows = row.windows * (part + 1) / parts - first;
        items.push_back(item);
    }
}

// Tables take longer to make than to read: only a thread without a block of its own makes those of another again.
template <class T, class Reduction>
inline int64_t WorkPlan<T, Reduction>::chunks_for_idle_threads(const ImageRois& rois) const {
    const int64_t block_count = (int64_t)blocks.size();
    return rois.access == Access::tables ? (threads + block_count - 1) / block_count : 1;
}

// By all RoIs of an image: out of tables, at most four a bin.
template <class T, class Reduction>
inline int64_t WorkPlan<T, Reduction>::cells_read(const ImageRois& rois) const {
    return rois.access == Access::tables ? estimated_product(4, (rois.end - rois.first) * bins_per_roi())
                                         : rois.touched_cells;
}

// Windows of a row join into one item, so that planes are written by rows of bins and not value by value, as long as that
// leaves items for all threads.
template <class T, class Reduction>
inline bool WorkPlan<T, Reduction>::windows_can_join() const {
    if (job.windows.size() == 1 || out_is_channels_last() || argmax) return false;
    int64_t joined = 0;
    for (const ImageRois& rois : images) {
        if (rois.access != Access::packed_map || length(window(rois).bin_rows) > bin_rows) return false;
        if (windows_of_row(rois.window) > 0) joined += (int64_t)blocks.size();
    }
    return threads == 1 || joined >= items_per_thread * threads;
}

// How many windows are in the row that window w begins; 0 if it begins none.
template <class T, class Reduction>
inline int64_t WorkPlan<T, Reduction>::windows_of_row(int64_t w) const {
    if (w > 0 && same_row(w - 1, w)) return 0;
    int64_t end = w + 1;
    while (end < (int64_t)job.windows.size() && same_row(w, end)) end++;
    return end - w;
}

}  // namespace fastroi
