// Groups of bins that read the same channels.
#pragma once
#include <vector>

#include "../job.h"

namespace fastroi {

struct Groups {
    int64_t rows, columns;
    bool bin_major;  // channel group * C + c, not c * groups + group
};

// The bins p of `bins` that belong to group g of `groups`: floor(p * groups / bins) == g.
inline Range bins_of_group(int64_t g, int64_t groups, int64_t bins) {
    return {(int32_t)((g * bins + groups - 1) / groups), (int32_t)(((g + 1) * bins + groups - 1) / groups)};
}

// The groups that have bins, ascending; there may be more groups than bins.
inline std::vector<int64_t> groups_with_bins(int64_t groups, int64_t bins) {
    std::vector<int64_t> found;
    for (int64_t p = 0; p < bins; p = bins_of_group(found.back(), groups, bins).end) found.push_back(p * groups / bins);
    return found;
}

// A window for each group that has bins; its axes are those of its row and its column of such groups, by their place among them.
inline std::vector<ChannelWindow> channel_windows(const Groups& groups, const Tensor& out) {
    std::vector<ChannelWindow> windows;
    const std::vector<int64_t> rows = groups_with_bins(groups.rows, out.rows),
                               columns = groups_with_bins(groups.columns, out.columns);
    for (size_t y = 0; y < rows.size(); y++)
        for (size_t x = 0; x < columns.size(); x++) {
            const int64_t gh = rows[y], gw = columns[x], group = gh * groups.columns + gw;
            windows.push_back({groups.bin_major ? group * out.channels : group,
                               groups.bin_major ? 1 : groups.rows * groups.columns, (int64_t)y, (int64_t)x,
                               bins_of_group(gh, groups.rows, out.rows),
                               bins_of_group(gw, groups.columns, out.columns)});
        }
    return windows;
}

}  // namespace fastroi
