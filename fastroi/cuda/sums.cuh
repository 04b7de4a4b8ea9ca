// Sums over taps.
#pragma once

#include "plans.cuh"
#include "walking.cuh"

namespace fastroi {

// A tap whose index has become an offset in elements.
template <class A>
struct OffsetTap {
    int32_t offset;
    A weight;
};

template <class A>
struct FarTap {
    int64_t offset;
    A weight;
};

// Divides by the number of cells, if the operator's taps have weights of 1.
template <class A, int V>
__device__ inline void finish_mean(const Launch& launch, A (&sum)[V], int32_t y_taps, int32_t x_taps) {
    if (!launch.mean) return;
    const int64_t cells = (int64_t)y_taps * x_taps;
    if (cells <= 1) return;
#pragma unroll
    for (int c = 0; c < V; c++) sum[c] = divided(sum[c], (A)cells);
}

// The taps of one RoI in shared memory, behind `reserved` items of it.
template <class A>
struct SharedTaps {
    OffsetTap<A>*y, *x;
    int32_t *y_first, *x_first, *rest;

    __device__ SharedTaps(const Launch& launch, int64_t k, const PlannedRoi& roi, void* memory, int32_t row_stride,
                          int32_t column_stride, int32_t x_start) {
        const int32_t bins_h = (int32_t)launch.bins_h, bins_w = (int32_t)launch.bins_w;
        y = (OffsetTap<A>*)memory;
        x = y + launch.y_capacity;
        y_first = (int32_t*)(x + launch.x_capacity);
        x_first = y_first + bins_h + 1;
        rest = x_first + bins_w + 1;
        const Tap<A>* const y_taps = (const Tap<A>*)launch.y_items + k * launch.y_capacity;
        const Tap<A>* const x_taps = (const Tap<A>*)launch.x_items + k * launch.x_capacity;
        for (int32_t t = threadIdx.x; t < roi.y_length; t += blockDim.x)
            y[t] = {y_taps[t].index * row_stride, y_taps[t].weight};
        for (int32_t t = threadIdx.x; t < roi.x_length; t += blockDim.x)
            x[t] = {(x_taps[t].index - x_start) * column_stride, x_taps[t].weight};
        for (int32_t p = threadIdx.x; p <= bins_h; p += blockDim.x) y_first[p] = launch.y_first[k * (bins_h + 1) + p];
        for (int32_t p = threadIdx.x; p <= bins_w; p += blockDim.x) x_first[p] = launch.x_first[k * (bins_w + 1) + p];
    }
};

// Maps whose columns are contiguous. The weighted rows of each bin row, for every column some bin takes, go to shared memory;
// the bins' weighted columns come out of it. Columns are those of the hull, or one per tap where those are fewer.
template <class T, class R>
__device__ inline void sum_planar(const Launch& launch) {
    using A = Sum<T>;
    constexpr int N = lanes<A>;
    const int64_t k = roi_of_block(launch);
    const ChannelRange range(launch, slice_of_block(launch));
    const PlannedRoi roi = launch.planned[k];
    if (roi.image < 0) return fill<R>(launch, k, range, (A)0);
    if (roi.x_length == 0 || roi.y_length == 0) return fill<R>(launch, k, range, (A)launch.outside);

    const Level& map = launch.levels[roi.level];
    const int32_t bins_h = (int32_t)launch.bins_h, bins_w = (int32_t)launch.bins_w;
    const int32_t hull = (int32_t)(roi.x_end - roi.x_start), x_length = (int32_t)roi.x_length;
    const bool by_tap = x_length < hull;
    const int32_t columns = by_tap ? x_length : hull;
    const int32_t channel_stride = (int32_t)map.channel_stride, column_stride = (int32_t)map.column_stride;
    Pack<A, N>* const sums = (Pack<A, N>*)dynamic_shared;
    const SharedTaps<A> taps(launch, k, roi, sums + launch.shared_items, (int32_t)map.row_stride, 1,
                             (int32_t)roi.x_start);
    int32_t* const column_of = taps.rest;  // where a column lies in the map
    __syncthreads();
    for (int32_t t = threadIdx.x; t < columns; t += blockDim.x)
        column_of[t] = (by_tap ? taps.x[t].offset : t) * column_stride;
    __syncthreads();

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
                const int32_t first = taps.y_first[ph0 + at.middle], end = taps.y_first[ph0 + at.middle + 1];
                if (first == end) continue;
                const LaneOffsets<N> lane(channels - at.high * N, channel_stride);
                const int32_t column = at.high * N * channel_stride + column_of[at.low];
                A sum[N];
                set_all(sum, no_sum<A>);
#pragma unroll 2
                for (int32_t t = first; t < end; t++) {
                    const OffsetTap<A> tap = taps.y[t];
                    const int32_t cell = column + tap.offset;
#pragma unroll
                    for (int i = 0; i < N; i++) sum[i] = fused(tap.weight, widened(planes[cell + lane.at[i]]), sum[i]);
                }
                keep(sums + item, sum);
            }
            __syncthreads();
            Odometer bin(threadIdx.x, blockDim.x, bin_rows, bins_w);
            for (int32_t item = threadIdx.x; item < groups * bin_rows * bins_w; item += blockDim.x, bin.advance()) {
                const int32_t ph = ph0 + bin.middle, first = taps.x_first[bin.low], end = taps.x_first[bin.low + 1];
                const Pack<A, N>* const line = sums + (bin.high * bin_rows + bin.middle) * columns;
                const int32_t rows = taps.y_first[ph + 1] - taps.y_first[ph];
                A sum[N];
                if (first == end || rows == 0) {
                    set_all(sum, (A)launch.outside);
                } else {
                    set_all(sum, no_sum<A>);
                    for (int32_t t = first; t < end; t++) {
                        const OffsetTap<A> tap = taps.x[t];
                        add_product(sum, tap.weight, line[by_tap ? t : tap.offset].v);
                    }
                    finish_mean(launch, sum, rows, end - first);
                }
                R* const to = out + (c0 + bin.high * N) * launch.out_strides[1] + ph * launch.out_strides[2] +
                              bin.low * launch.out_strides[3];
#pragma unroll
                for (int i = 0; i < N; i++) {
                    if (bin.high * N + i >= channels) break;
                    to[i * launch.out_strides[1]] = rounded<R>(sum[i]);
                }
            }
            __syncthreads();
        }
}

// Adds weighted rows to the sums of X columns: all loads are in flight before the first sum waits.
template <int Y, int X, class T, int V, class Row>
__device__ inline void add_rows(const T* const (&column)[X], int32_t first, const Row& row, Sum<T> (&sum)[X][V]) {
    Sum<T> v[Y][X][V], weight[Y];
#pragma unroll
    for (int y = 0; y < Y; y++) {
        const auto tap = row(first + y);
        weight[y] = tap.weight;
#pragma unroll
        for (int x = 0; x < X; x++) load<T, V>(column[x] + tap.offset, v[y][x]);
    }
#pragma unroll
    for (int y = 0; y < Y; y++)
#pragma unroll
        for (int x = 0; x < X; x++) add_product(sum[x], weight[y], v[y][x]);
}

template <int X, class T, int V, class Row, class Column>
__device__ inline void add_columns(const T* channels, int32_t rows, const Row& row, int32_t first, const Column& column,
                                   Sum<T> (&sum)[V]) {
    using A = Sum<T>;
    A weight[X], of_rows[X][V];
    const T* base[X];
#pragma unroll
    for (int x = 0; x < X; x++) {
        const auto tap = column(first + x);
        base[x] = opaque(channels + tap.offset);
        weight[x] = tap.weight;
        set_all(of_rows[x], no_sum<A>);
    }
    int32_t y = 0;
#pragma unroll 1
    for (; y + 2 <= rows; y += 2) add_rows<2>(base, y, row, of_rows);
    if (y < rows) add_rows<1>(base, y, row, of_rows);
#pragma unroll
    for (int x = 0; x < X; x++) add_product(sum, weight[x], of_rows[x]);
}

// The weighted sum of a bin's weighted columns for V channels; row(i) and column(i) are its taps, with offsets in elements.
template <class T, int V, class Row, class Column>
__device__ inline void sum_of_taps(const T* channels, int32_t rows, const Row& row, int32_t columns,
                                   const Column& column, Sum<T> (&sum)[V]) {
    set_all(sum, no_sum<Sum<T>>);
    int32_t x = 0;
#pragma unroll 1
    for (; x + 2 <= columns; x += 2) add_columns<2>(channels, rows, row, x, column, sum);
    if (x < columns) add_columns<1>(channels, rows, row, x, column, sum);
}

// X columns of a bin of Y rows without a loop.
template <int Y, int X, class T, int V>
__device__ inline void add_columns(const T* channels, const OffsetTap<Sum<T>> (&row)[Y],
                                   const OffsetTap<Sum<T>>* column, Sum<T> (&sum)[V]) {
    Sum<T> of_rows[X][V], weight[X];
#pragma unroll
    for (int x = 0; x < X; x++) {
        weight[x] = column[x].weight;
        const T* const base = opaque(channels + column[x].offset);
#pragma unroll
        for (int y = 0; y < Y; y++) {
            Sum<T> v[V];
            load<T, V>(base + row[y].offset, v);
#pragma unroll
            for (int c = 0; c < V; c++)
                of_rows[x][c] = y == 0 ? row[y].weight * v[c] : fused(row[y].weight, v[c], of_rows[x][c]);
        }
    }
#pragma unroll
    for (int x = 0; x < X; x++) add_product(sum, weight[x], of_rows[x]);
}

template <int Y, class T, int V>
__device__ inline void sum_of_few_rows(const T* channels, const OffsetTap<Sum<T>>* rows, int32_t columns,
                                       const OffsetTap<Sum<T>>* column, Sum<T> (&sum)[V]) {
    OffsetTap<Sum<T>> row[Y];
#pragma unroll
    for (int y = 0; y < Y; y++) row[y] = rows[y];
    set_all(sum, no_sum<Sum<T>>);
    int32_t x = 0;
#pragma unroll 1
    for (; x + 2 <= columns; x += 2) add_columns<Y, 2>(channels, row, column + x, sum);
    if (x < columns) add_columns<Y, 1>(channels, row, column + x, sum);
}

// The same sum; bins of few rows, and most are, keep the taps of these in registers.
template <class T, int V>
__device__ inline void sum_of_near_taps(const T* channels, int32_t rows, const OffsetTap<Sum<T>>* row, int32_t columns,
                                        const OffsetTap<Sum<T>>* column, Sum<T> (&sum)[V]) {
    switch (rows) {
        case 1: return sum_of_few_rows<1>(channels, row, columns, column, sum);
        case 2: return sum_of_few_rows<2>(channels, row, columns, column, sum);
        case 3: return sum_of_few_rows<3>(channels, row, columns, column, sum);
        case 4: return sum_of_few_rows<4>(channels, row, columns, column, sum);
    }
    sum_of_taps(channels, rows, [&](int32_t i) { return row[i]; }, columns, [&](int32_t i) { return column[i]; }, sum);
}

template <class T, class R, int V>
__device__ inline void sum_direct(const Launch& launch) {
    using A = Sum<T>;
    const int64_t k = roi_of_block(launch);
    const PlannedRoi roi = launch.planned[k];
    const Level& map = launch.levels[roi.level];
    const int64_t row_stride = map.row_stride, column_stride = map.column_stride;
    const T* const image = (const T*)map.data + (roi.image < 0 ? 0 : roi.image) * map.image_stride;
    const Tap<A>* const y_taps = (const Tap<A>*)launch.y_items + k * launch.y_capacity;
    const Tap<A>* const x_taps = (const Tap<A>*)launch.x_items + k * launch.x_capacity;
    const int32_t* const y_first = launch.y_first + k * (launch.bins_h + 1);
    const int32_t* const x_first = launch.x_first + k * (launch.bins_w + 1);
    for_each_output<V>(launch, slice_of_block(launch), [&](const DirectItem& at) {
        A sum[V];
        int32_t y = 0, y_end = 0, x = 0, x_end = 0;
        if (roi.image >= 0)
            y = y_first[at.ph], y_end = y_first[at.ph + 1], x = x_first[at.pw], x_end = x_first[at.pw + 1];
        if (y == y_end || x == x_end) {
            set_all(sum, roi.image < 0 ? (A)0 : (A)launch.outside);
        } else {
            sum_of_taps(
                image + input_channel(launch, at) * map.channel_stride, y_end - y,
                [&](int32_t i) { return FarTap<A>{y_taps[y + i].index * row_stride, y_taps[y + i].weight}; }, x_end - x,
                [&](int32_t i) { return FarTap<A>{x_taps[x + i].index * column_stride, x_taps[x + i].weight}; }, sum);
            finish_mean(launch, sum, y_end - y, x_end - x);
        }
        write<R>(launch, k, at, sum);
    });
}

// Channels-last maps: a thread per 16 bytes of channels of a bin, taps in shared memory, 32-bit offsets in an image.
template <class T, class R, int V>
__device__ inline void sum_wide(const Launch& launch) {
    using A = Sum<T>;
    const int64_t k = roi_of_block(launch);
    const PlannedRoi roi = launch.planned[k];
    if (roi.image < 0)
        return WideWork<R, V>(launch, slice_of_block(launch), dynamic_shared).template write_zeros<A>(launch, k);
    const Level& map = launch.levels[roi.level];
    const T* const image = opaque((const T*)map.data + roi.image * map.image_stride);
    const SharedTaps<A> taps(launch, k, roi, dynamic_shared, (int32_t)map.row_stride, (int32_t)map.column_stride, 0);
    const WideWork<R, V> work(launch, slice_of_block(launch), after(taps.rest));
    const A outside = (A)launch.outside;
    __syncthreads();
    work.for_each(launch, [&](const DirectItem& at) {
        A sum[V];
        const int32_t y = taps.y_first[at.ph], rows = taps.y_first[at.ph + 1] - y;
        const int32_t x = taps.x_first[at.pw], columns = taps.x_first[at.pw + 1] - x;
        if (rows == 0 || columns == 0) {
            set_all(sum, outside);
        } else {
            sum_of_near_taps(opaque(image + at.channel), rows, taps.y + y, columns, taps.x + x, sum);
            finish_mean(launch, sum, rows, columns);
        }
        work.write(launch, k, at, sum);
    });
    work.finish(launch, k);
}

}  // namespace fastroi
