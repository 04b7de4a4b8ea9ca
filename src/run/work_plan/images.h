// Which RoIs read which image and window, in which order, and what they touch.
#pragma once
#include "../work_plan.h"

namespace fastroi {

template <class T, class Reduction>
inline void WorkPlan<T, Reduction>::order_by_image(Part rois) {
    order.resize(rois.end - rois.first);
    std::iota(order.begin(), order.end(), rois.first);
    if (job.maps.size() > 1 || job.maps[0].images > 1)
        std::stable_sort(order.begin(), order.end(),
                         [&](int64_t a, int64_t b) { return reduction.image(a) < reduction.image(b); });
}

// The same images for every window.
template <class T, class Reduction>
inline void WorkPlan<T, Reduction>::list_images() {
    for (int64_t i = 0; i < (int64_t)order.size(); i++) {
        const int64_t image = reduction.image(order[i]);
        if (i == 0 || images.back().image != image)
            images.push_back({image, 0, i, i, {0, 0}, {0, 0}, 0, 0, 0, Access::direct});
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
template <class T, class Reduction>
inline void WorkPlan<T, Reduction>::touch_cells() {
    for (int64_t k = 0; k < images_per_window; k++)
        for (int64_t i = images[k].first; i < images[k].end; i++) touch_windows(k, order[i]);
}

template <class T, class Reduction>
inline void WorkPlan<T, Reduction>::touch_windows(int64_t image, int64_t roi) {
    Range rows = {0, 0};
    for (int64_t w = 0; w < (int64_t)job.windows.size(); w++) {
        if (w == 0 || !same_row(w - 1, w)) rows = reduction.y(roi, job.windows[w]).hull;
        const Range columns = reduction.x(roi, job.windows[w]).hull;
        ImageRois& rois = images[w * images_per_window + image];
        rois.widest = std::max(rois.widest, length(columns));
        rois.most_scanned = std::max(rois.most_scanned, scanned_columns(roi, job.windows[w]));
        if (is_empty(rows) || is_empty(columns)) continue;
        rois.rows = hull_of(rois.rows, rows);
        rois.columns = hull_of(rois.columns, columns);
        rois.touched_cells = estimated_sum(rois.touched_cells, touched_cells(roi, job.windows[w]));
    }
}

template <class T, class Reduction>
inline void WorkPlan<T, Reduction>::sort_by_row(const ImageRois& rois) {
    std::sort(order.begin() + rois.first, order.begin() + rois.end, [&](int64_t a, int64_t b) {
        const int32_t ya = reduction.y(a, window(rois)).hull.start, yb = reduction.y(b, window(rois)).hull.start;
        return ya < yb || (ya == yb && a < b);
    });
}

}  // namespace fastroi
