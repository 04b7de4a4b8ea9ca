// Maxima over sample points.
#pragma once
#include "bin_rows.inl"
#include "watch.inl"

namespace fastroi {
namespace {

// One candidate: weight * cells, or absent.
template <class T, int NV>
inline bool weighted_row(const MapTile& map, int32_t row, T weight, const SampleAxis<T>& x, T* scratch) {
    if (weight == 0) return false;
    for (int64_t i = 0; i < x.cell_count; i++) {
        const Block<T, NV> cell = Block<T, NV>::load(cell_address(map, row, x.cells[i]));
        Block<T, NV>::product(Vec<T>::broadcast(weight), cell)
            .store(scratch + (x.cells[i] - x.hull.start) * Block<T, NV>::lanes);
    }
    return true;
}

template <class T, int NV>
inline void interpolated_row(const MapTile& map, const Sample<T>& y, const SampleAxis<T>& x, T* scratch) {
    for (int64_t i = 0; i < x.cell_count; i++) {
        const unsigned char* const cell = cell_address(map, y.low, x.cells[i]);
        Block<T, NV> sum = Block<T, NV>::filled(0);
        if (y.weight != 0) sum = Block<T, NV>::product(Vec<T>::broadcast(y.weight), Block<T, NV>::load(cell));
        if (y.high_weight != 0)
            sum.add_product(Vec<T>::broadcast(y.high_weight), Block<T, NV>::load(cell + map.row_stride));
        sum.store(scratch + (x.cells[i] - x.hull.start) * Block<T, NV>::lanes);
    }
}

template <class T, int NV, class W>
inline void raise_bins_to_points(W& watch, const T* row, const SampleAxis<T>& x, const BinTile& bins, int64_t ph) {
    constexpr int lanes = Block<T, NV>::lanes;
    for (int64_t pw = 0; pw < x.count; pw++) {
        Block<T, NV> best = Block<T, NV>::load(bin_address(bins, ph, pw));
        for (int32_t s = x.first[pw]; s < x.first[pw + 1]; s++) {
            const Sample<T>& point = x.samples[s];
            const T* const cell = row + (point.low - x.hull.start) * (ptrdiff_t)lanes;
            Block<T, NV> sum = Block<T, NV>::filled(0);
            if (point.weight != 0)
                sum = Block<T, NV>::product(Vec<T>::broadcast(point.weight), Block<T, NV>::load(cell));
            if (point.high_weight != 0)
                sum.add_product(Vec<T>::broadcast(point.high_weight), Block<T, NV>::load(cell + lanes));
            best.raise_to(sum);
            watch.read(1);
        }
        best.store(bin_address(bins, ph, pw));
        watch.read(1);
    }
}

// A missing corner is one of weight zero: it takes part as a 0.
template <class T, int NV, class W>
inline void raise_bins_to_corners(W& watch, const T* row, const SampleAxis<T>& x, const BinTile& bins, int64_t ph) {
    constexpr int lanes = Block<T, NV>::lanes;
    for (int64_t pw = 0; pw < x.count; pw++) {
        Block<T, NV> best = Block<T, NV>::load(bin_address(bins, ph, pw));
        for (int32_t s = x.first[pw]; s < x.first[pw + 1]; s++) {
            const Sample<T>& point = x.samples[s];
            const T* const cell = row + (point.low - x.hull.start) * (ptrdiff_t)lanes;
            const T weights[2] = {point.weight, point.high_weight};
            for (int corner = 0; corner < 2; corner++) {
                if (weights[corner] == 0)
                    best.raise_to(Block<T, NV>::filled(0));
                else
                    best.raise_to(Block<T, NV>::product(Vec<T>::broadcast(weights[corner]),
                                                        Block<T, NV>::load(cell + corner * lanes)));
            }
            watch.read(2);
        }
        best.store(bin_address(bins, ph, pw));
        watch.read(1);
    }
}

template <class T, int NV>
inline void raise_bins(const BinTile& bins, int64_t ph, int64_t pw, T value) {
    unsigned char* const bin = bin_address(bins, ph, pw);
    Block<T, NV> best = Block<T, NV>::load(bin);
    best.raise_to(Block<T, NV>::filled(value));
    best.store(bin);
}

template <class T, int NV, class W>
inline void max_samples_of_bin_row(W& watch, const MapTile& map, const SampleAxis<T>& y, const SampleAxis<T>& x,
                                   bool corners, const BinTile& bins, int64_t ph, T* scratch) {
    for (int32_t s = y.first[ph]; s < y.first[ph + 1]; s++) {
        const Sample<T>& point = y.samples[s];
        watch.read(x.cell_count);
        if (!corners) {
            interpolated_row<T, NV>(map, point, x, scratch);
            raise_bins_to_points<T, NV>(watch, scratch, x, bins, ph);
            continue;
        }
        const T weights[2] = {point.weight, point.high_weight};
        for (int corner = 0; corner < 2; corner++) {
            if (weighted_row<T, NV>(map, point.low + corner, weights[corner], x, scratch))
                raise_bins_to_corners<T, NV>(watch, scratch, x, bins, ph);
            else
                for (int64_t pw = 0; pw < x.count; pw++)
                    if (x.first[pw] < x.first[pw + 1]) raise_bins<T, NV>(bins, ph, pw, 0);
        }
    }
}

template <class T, int NV, class W>
inline void max_samples_with(W& watch, const MapTile& map, const SampleAxis<T>& y, const SampleAxis<T>& x,
                             SampleMaximum mode, const BinTile& bins, T* scratch) {
    for (int64_t ph = 0; ph < y.count; ph++) {
        fill_bin_row<T, NV>(bins, ph, x.count, mode.from_zero ? (T)0 : minus_infinity<T>);
        max_samples_of_bin_row<T, NV>(watch, map, y, x, mode.corners, bins, ph, scratch);
        const bool row_has_points = y.first[ph] < y.first[ph + 1];
        for (int64_t pw = 0; pw < x.count; pw++) {
            const bool has_points = row_has_points && x.first[pw] < x.first[pw + 1];
            const bool has_absent = y.absent[ph] || x.absent[pw];
            if (!has_points)
                Block<T, NV>::filled(0).store(bin_address(bins, ph, pw));
            else if (has_absent && mode.absent_is_zero)
                raise_bins<T, NV>(bins, ph, pw, 0);
        }
        watch.read(x.count);
    }
}

template <class T, int NV>
void max_samples(const MapTile& map, const SampleAxis<T>& y, const SampleAxis<T>& x, SampleMaximum mode,
                 const BinTile& bins, T* scratch) {
    reduce_with(map, [&map, &y, &x, &bins, scratch, mode](auto& watch) {
        max_samples_with<T, NV>(watch, map, y, x, mode, bins, scratch);
    });
}

}  // namespace
}  // namespace fastroi
