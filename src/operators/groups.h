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

// A window for each group that has bins; its axes are those of its row and its column of groups.
inline std::vector<ChannelWindow> channel_windows(const Groups& groups, const Tensor& out) {
    std::vector<ChannelWindow> windows;
    for (int64_t gh = 0; gh < groups.rows; gh++)
        for (int64_t gw = 0; gw < groups.columns; gw++) {
            const Range rows = bins_of_group(gh, groups.rows, out.rows),
                        columns = bins_of_group(gw, groups.columns, out.columns);
            if (is_empty(rows) || is_empty(columns)) continue;
            const int64_t group = gh * groups.columns + gw;
            if (groups.bin_major)
                windows.push_back({group * out.channels, 1, gh, gw, rows, columns});
            else
                windows.push_back({group, groups.rows * groups.columns, gh, gw, rows, columns});
        }
    return windows;
}

}  // namespace fastroi
