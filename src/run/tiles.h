// How one call is cut up: channel blocks, images, work items. Plain values, decided once per call by run.cpp.
#pragma once
#include <stdint.h>

#include <vector>

#include "../kernels/kernel_table.h"

namespace fastroi {

inline int64_t length(Range r) { return r.end - r.start; }

// RoIs [first, end).
struct Part {
    int64_t first, end;
};

// Channels [first_channel, first_channel + kernels->lanes), of which the lanes [first_lane, end_lane) are this block's to
// write. A last block that would stick out is moved back over its neighbour; where one packed block holds all channels, or the
// narrowest has more lanes, it is padded with zeros, and `channels` says how many exist.
template <class T>
struct ChannelBlock {
    const BlockKernels<T>* kernels;
    int64_t first_channel, channels, first_lane, end_lane;
};

template <class T>
std::vector<ChannelBlock<T>> cut_channels(int64_t channels, const BlockKernels<T> (&widths)[block_widths], int widest,
                                          bool packed) {
    // One padded block is as many vectors as two halves of it that overlap, and visits each RoI once.
    if (packed && widest > 0 && channels > widths[widest - 1].lanes && channels < widths[widest].lanes)
        return {{&widths[widest], 0, channels, 0, channels}};
    std::vector<ChannelBlock<T>> blocks;
    for (int64_t c = 0; c < channels;) {
        const int64_t left = channels - c;
        int width = widest;
        while (width > 0 && widths[width].lanes > left) width--;
        const BlockKernels<T>& kernels = widths[width];
        if (kernels.lanes <= left)
            blocks.push_back({&kernels, c, kernels.lanes, 0, kernels.lanes});
        else if (channels >= kernels.lanes)
            blocks.push_back({&kernels, channels - kernels.lanes, kernels.lanes, kernels.lanes - left, kernels.lanes});
        else
            blocks.push_back({&kernels, 0, channels, 0, channels});
        c += left < kernels.lanes ? left : kernels.lanes;
    }
    return blocks;
}

// How a map reaches the kernels.
enum class Access {
    direct,      // its channels are contiguous: read in place
    packed_map,  // a channel block of the touched part of the map is packed once and serves many RoIs
    packed_roi,  // each RoI packs what it touches: few or small RoIs on a large map
    strips,      // column strips of the map are packed in turn: large RoIs, whose bins wait in scratch
    lines,       // few channels: columns of the map and bin rows are the lanes, not channels
    tables  // tables of maxima over runs of cells are made of the packed map, or of strips of it: see range_tables.h
};

// The RoIs order[first..end) of one image, and the part of the map that they touch in one window.
struct ImageRois {
    int64_t image, window, first, end;
    Range rows, columns;
    int64_t touched_cells;  // summed over the RoIs
    int64_t widest;         // columns from the first to the last, of one RoI
    int64_t most_scanned;   // columns that a scan of one RoI keeps, where no map is packed
    Access access;

    int64_t hull_cells() const { return length(rows) * length(columns); }
};

// What one thread does at a stretch: RoIs order[first..end) on channel blocks [first_block, end_block), in `windows`
// consecutive windows from that of image_rois on.
struct WorkItem {
    int64_t image_rois, first, end, first_block, end_block, windows;
};

}  // namespace fastroi
