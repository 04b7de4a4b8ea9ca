// Maxima over ranges.
#pragma once

#include "plans.cuh"
#include "walking.cuh"

namespace fastroi {

// Channels that a thread of a planar kernel reduces side by side: one index computation serves them all, and their loads
// are in flight together.
template <class A>
constexpr int lanes = 16 / sizeof(A);

// Offsets of a thread's lanes; lanes past the last channel repeat the first and are not written.
template <int N>
struct LaneOffsets {
    int32_t at[N];

    __device__ LaneOffsets(int32_t channels_left, int32_t channel_stride) {
#pragma unroll
        for (int i = 0; i < N; i++) at[i] = i < channels_left ? i * channel_stride : 0;
    }
};

template <class A, int N>
__device__ inline void keep(Pack<A, N>* to, const A (&values)[N]) {
    Pack<A, N> pack;
#pragma unroll
    for (int i = 0; i < N; i++) pack.v[i] = values[i];
    *to = pack;
}

// Maps whose columns are contiguous. Column maxima of each bin row go to shared memory, the bins' maxima come out of it.
// Offsets inside a channel block are 32 bits wide: the host has checked that they fit.
template <class T, class R, bool with_argmax>
__device__ inline void max_planar(const Launch& launch) {
    using A = Sum<T>;
    constexpr int N = lanes<A>;
    const int64_t k = roi_of_block(launch);
    const ChannelRange range(launch, slice_of_block(launch));
    const PlannedRoi roi = launch.planned[k];
    const int32_t columns = (int32_t)(roi.x_end - roi.x_start), bins_h = (int32_t)launch.bins_h,
                  bins_w = (int32_t)launch.bins_w;
    if (roi.image < 0 || columns <= 0) return fill<R>(launch, k, range, (A)0);

    Pack<A, N>* const maxima = (Pack<A, N>*)dynamic_shared;
    Pack<int32_t, N>* const rows = (Pack<int32_t, N>*)(maxima + launch.shared_items);
    Range* const y_bins = (Range*)(rows + (with_argmax ? launch.shared_items : 0));
    Range* const x_bins = y_bins + bins_h;
    for (int32_t p = threadIdx.x; p < bins_h; p += blockDim.x)
        y_bins[p] = ((const Range*)launch.y_items)[k * bins_h + p];
    for (int32_t p = threadIdx.x; p < bins_w; p += blockDim.x) {
        Range r = ((const Range*)launch.x_items)[k * bins_w + p];
        if (!no_cells(r)) r = {r.start - (int32_t)roi.x_start, r.end - (int32_t)roi.x_start};
        x_bins[p] = r;
    }
    __syncthreads();

    const Level& map = launch.levels[roi.level];
    const int32_t channel_stride = (int32_t)map.channel_stride, row_stride = (int32_t)map.row_stride;
    const int32_t column_stride = (int32_t)map.column_stride;
    const T* const image = (const T*)map.data + roi.image * map.image_stride + roi.x_start * map.column_stride;
    R* const out = (R*)launch.out + (launch.first + k) * launch.out_strides[0];
    const Tile tile(launch, columns, N);
    for (int64_t c0 = range.first; c0 < range.end; c0 += tile.channels)
        for (int32_t ph0 = 0; ph0 < bins_h; ph0 += tile.bin_rows) {
            const int32_t channels = smaller_of(tile.channels, range.end - c0),
                          bin_rows = smaller_of(tile.bin_rows, bins_h - ph0);
            const int32_t groups = (channels + N - 1) / N;
            const T* const planes = image + c0 * map.channel_stride;
            Odometer at(threadIdx.x, blockDim.x, bin_rows, columns);
            for (int32_t item = threadIdx.x; item < groups * bin_rows * columns; item += blockDim.x, at.advance()) {
                const Range r = y_bins[ph0 + at.middle];
                const LaneOffsets<N> lane(channels - at.high * N, channel_stride);
                int32_t cell = at.high * N * channel_stride + r.start * row_stride + at.low * column_stride;
                A best[N];
                int32_t best_row[N];
#pragma unroll
                for (int i = 0; i < N; i++) best[i] = minus_infinity<A>(), best_row[i] = -1;
#pragma unroll 2
                for (int32_t y = r.start; y < r.end; y++, cell += row_stride) {
#pragma unroll
                    for (int i = 0; i < N; i++) {
                        const A v = widened(planes[cell + lane.at[i]]);
                        if (!with_argmax)
                            best[i] = raised(best[i], v);
                        else if (v > best[i] || (v == best[i] && best_row[i] < 0))
                            best[i] = v, best_row[i] = y;
                    }
                }
                keep(maxima + item, best);
                if (with_argmax) keep(rows + item, best_row);
            }
            __syncthreads();
            Odometer bin(threadIdx.x, blockDim.x, bin_rows, bins_w);
            for (int32_t item = threadIdx.x; item < groups * bin_rows * bins_w; item += blockDim.x, bin.advance()) {
                const Range x = x_bins[bin.low];
                const int32_t ph = ph0 + bin.middle, line = (bin.high * bin_rows + bin.middle) * columns;
                const bool is_empty_bin = no_cells(x) || no_cells(y_bins[ph]);
                A best[N];
                int32_t best_row[N], best_column[N];
#pragma unroll
                for (int i = 0; i < N; i++)
                    best[i] = is_empty_bin ? 0 : minus_infinity<A>(), best_row[i] = -1, best_column[i] = 0;
                for (int32_t column = is_empty_bin ? x.end : x.start; column < x.end; column++) {
                    const Pack<A, N> v = maxima[line + column];
                    Pack<int32_t, N> y;
                    if (with_argmax) y = rows[line + column];
#pragma unroll
                    for (int i = 0; i < N; i++) {
                        if (!with_argmax)
                            best[i] = raised(best[i], v.v[i]);
                        else if (y.v[i] >= 0 &&
                                 (best_row[i] < 0 || v.v[i] > best[i] || (v.v[i] == best[i] && y.v[i] < best_row[i])))
                            best[i] = v.v[i], best_row[i] = y.v[i], best_column[i] = column;
                    }
                }
                const int64_t c = c0 + bin.high * N;
                R* to = out + c * launch.out_strides[1] + ph * launch.out_strides[2] + bin.low * launch.out_strides[3];
                int64_t* offset = nullptr;
                if (with_argmax)
                    offset = launch.argmax + (launch.first + k) * launch.argmax_strides[0] +
                             c * launch.argmax_strides[1] + ph * launch.argmax_strides[2] +
                             bin.low * launch.argmax_strides[3];
#pragma unroll
                for (int i = 0; i < N; i++) {
                    if (bin.high * N + i >= channels) break;
                    to[i * launch.out_strides[1]] = rounded<R>(best[i]);
                    if (with_argmax)
                        offset[i * launch.argmax_strides[1]] =
                            best_row[i] < 0 ? -1 : best_row[i] * map.columns + roi.x_start + best_column[i];
                }
            }
            __syncthreads();
        }
}

// Any layout: a thread per V channels of a bin.
template <class T, class R, int V, bool with_argmax>
__device__ inline void max_direct(const Launch& launch) {
    using A = Sum<T>;
    const int64_t k = roi_of_block(launch);
    const PlannedRoi roi = launch.planned[k];
    const Level& map = launch.levels[roi.level];
    const int64_t row_stride = map.row_stride, column_stride = map.column_stride;
    const T* const image = (const T*)map.data + (roi.image < 0 ? 0 : roi.image) * map.image_stride;
    for_each_output<V>(launch, slice_of_block(launch), [&](const DirectItem& at) {
        A best[V];
        int64_t offset[V];
        Range y = {0, 0}, x = {0, 0};
        if (roi.image >= 0) {
            y = ((const Range*)launch.y_items)[k * launch.bins_h + at.ph];
            x = ((const Range*)launch.x_items)[k * launch.bins_w + at.pw];
        }
        const bool is_empty_bin = no_cells(y) || no_cells(x);
#pragma unroll
        for (int i = 0; i < V; i++) best[i] = is_empty_bin ? 0 : minus_infinity<A>(), offset[i] = -1;
        if (!is_empty_bin) {
            const T* row = image + at.channel * map.channel_stride + y.start * row_stride + x.start * column_stride;
            for (int32_t i = y.start; i < y.end; i++, row += row_stride) {
                const T* cell = row;
                for (int32_t j = x.start; j < x.end; j++, cell += column_stride) {
                    A v[V];
                    load<T, V>(cell, v);
#pragma unroll
                    for (int c = 0; c < V; c++) {
                        if (!with_argmax) {
                            best[c] = raised(best[c], v[c]);
                        } else if (v[c] > best[c] || (v[c] == best[c] && offset[c] < 0)) {
                            best[c] = v[c];
                            offset[c] = i * map.columns + j;
                        }
                    }
                }
            }
        }
        write<R>(launch, k, at, best);
        if (with_argmax)
            for (int c = 0; c < V; c++)
                launch.argmax[(launch.first + k) * launch.argmax_strides[0] +
                              (at.channel + c) * launch.argmax_strides[1] + at.ph * launch.argmax_strides[2] +
                              at.pw * launch.argmax_strides[3]] = offset[c];
    });
}

// Raises V maxima to some cells: all loads are in flight before the first comparison waits.
template <int Y, int X, class T, int V>
__device__ inline void raise_to_cells(const T* (&row)[Y], int32_t column_stride, Sum<T> (&best)[V]) {
    Sum<T> v[Y][X][V];
#pragma unroll
    for (int y = 0; y < Y; y++)
#pragma unroll
        for (int x = 0; x < X; x++, row[y] += column_stride) load<T, V>(row[y], v[y][x]);
#pragma unroll
    for (int y = 0; y < Y; y++)
#pragma unroll
        for (int x = 0; x < X; x++)
#pragma unroll
            for (int c = 0; c < V; c++) best[c] = raised(best[c], v[y][x][c]);
}

// X columns of a bin, two rows at a time.
template <int X, class T, int V>
__device__ inline void raise_to_columns(const T* first, int32_t row_stride, int32_t column_stride, int32_t rows,
                                        Sum<T> (&best)[V]) {
#pragma unroll 1
    for (; rows >= 2; rows -= 2, first += 2 * row_stride) {
        const T* pair[] = {first, first + row_stride};
        raise_to_cells<2, X>(pair, column_stride, best);
    }
    if (rows == 0) return;
    const T* single[] = {first};
    raise_to_cells<1, X>(single, column_stride, best);
}

template <class T, int V>
__device__ inline void raise_to_bin(const T* first, int32_t row_stride, int32_t column_stride, int32_t rows,
                                    int32_t columns, Sum<T> (&best)[V]) {
#pragma unroll 1
    for (; columns > 4; columns -= 4, first += 4 * column_stride)
        raise_to_columns<4>(first, row_stride, column_stride, rows, best);
    switch (columns) {
        case 1: return raise_to_columns<1>(first, row_stride, column_stride, rows, best);
        case 2: return raise_to_columns<2>(first, row_stride, column_stride, rows, best);
        case 3: return raise_to_columns<3>(first, row_stride, column_stride, rows, best);
        default: return raise_to_columns<4>(first, row_stride, column_stride, rows, best);
    }
}

// Channels-last maps: a thread per 16 bytes of channels of a bin, 32-bit offsets in an image.
template <class T, class R, int V>
__device__ inline void max_wide(const Launch& launch) {
    using A = Sum<T>;
    const int64_t k = roi_of_block(launch);
    const PlannedRoi roi = launch.planned[k];
    const WideWork<R, V> work(launch, slice_of_block(launch), dynamic_shared);
    if (roi.image < 0) return work.template write_zeros<A>(launch, k);
    const Level& map = launch.levels[roi.level];
    const int32_t row_stride = (int32_t)map.row_stride, column_stride = (int32_t)map.column_stride;
    const T* const image = opaque((const T*)map.data + roi.image * map.image_stride);
    const Range* const y_bins = opaque((const Range*)launch.y_items + k * launch.bins_h);
    const Range* const x_bins = opaque((const Range*)launch.x_items + k * launch.bins_w);
    work.for_each(launch, [&](const DirectItem& at) {
        A best[V];
        const Range y = loaded(y_bins + at.ph), x = loaded(x_bins + at.pw);
        if (no_cells(y) || no_cells(x)) {
            set_all(best, (A)0);
        } else {
            set_all(best, minus_infinity<A>());
            const T* const first = opaque(image + at.channel) + (y.start * row_stride + x.start * column_stride);
            raise_to_bin(first, row_stride, column_stride, y.end - y.start, x.end - x.start, best);
        }
        work.write(launch, k, at, best);
    });
    work.finish(launch, k);
}

}  // namespace fastroi
