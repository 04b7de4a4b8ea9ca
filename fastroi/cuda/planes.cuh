// Bins of any number of cells from whole planes in shared memory, and the choice between that and reading bins.
#pragma once

#include "sums.cuh"

namespace fastroi {

// --- whole planes in shared memory --------------------------------------------------------------------------------------

// For boxes that may have very many cells: a block holds the planes of some channels of one image, read once, and its warps
// take a RoI each. Any layout; values, scratch and plans need no barrier but those of a warp.

constexpr uint32_t warp_size = 32, whole_warp = 0xffffffff;
constexpr int most_strips = 8;  // of 32 columns that a thread reduces side by side

// Moves values by the threads of a block; the reads of a thread are in flight together.
template <class Value, class From>
__device__ inline void move(int32_t count, const From& from, Value* to) {
    constexpr int batch = 8;
    const int32_t step = (int32_t)blockDim.x;
    for (int32_t first = (int32_t)threadIdx.x; first < count; first += batch * step) {
        Value values[batch];
#pragma unroll
        for (int i = 0; i < batch; i++)
            if (first + i * step < count) values[i] = loaded(from(first + i * step));
#pragma unroll
        for (int i = 0; i < batch; i++)
            if (first + i * step < count) to[first + i * step] = values[i];
    }
}

// The planes of `channels` channels, one after another, rows without gaps.
template <class T>
__device__ inline void load_planes(const Level& map, const T* from, int32_t channels, T* planes) {
    const int32_t columns = (int32_t)map.columns, cells = (int32_t)map.rows * columns, count = channels * cells;
    const int64_t row_stride = map.row_stride, column_stride = map.column_stride;
    if (column_stride == 1 && row_stride == columns && (channels == 1 || map.channel_stride == cells) &&
        (uint64_t)from % 16 == 0) {
        constexpr int32_t V = sizeof(uint4) / sizeof(T);
        const uint4* const words = (const uint4*)from;
        move(count / V, [&](int32_t i) { return words + i; }, (uint4*)planes);
        return move(count % V, [&](int32_t i) { return from + count / V * V + i; }, planes + count / V * V);
    }
    for (int32_t channel = 0; channel < channels; channel++, from += map.channel_stride, planes += cells)
        if (row_stride == columns * column_stride)
            move(cells, [&](int32_t cell) { return from + cell * column_stride; }, planes);
        else
            move(
                cells,
                [&](int32_t cell) { return from + (cell / columns * row_stride + cell % columns * column_stride); },
                planes);
}

// The warp's RoI and plane.
template <class T, class R>
struct Resident {
    int64_t k;
    PlannedRoi roi;
    const T* plane;
    int32_t pitch;  // of its rows
    R* out;         // of the RoI and channel
    Sum<T>* scratch;
    int32_t lane;
};

// A RoI that was refused is nobody's; the first block of all takes it.
__device__ inline bool is_of(const PlannedRoi& roi, int64_t image, int64_t level) {
    return roi.image < 0 ? image == 0 && level == 0 : roi.image == image && roi.level == level;
}

// Calls body(Resident) for every channel of the block and every RoI of the warp.
template <class T, class R, class Body>
__device__ inline void for_each_resident(const Launch& launch, const Body& body) {
    const uint32_t slices = launch.slices, groups = (launch.channels + launch.channel_block - 1) / launch.channel_block;
    const uint32_t slice = blockIdx.x % slices, group = blockIdx.x / slices % groups;
    const uint32_t plane_number = blockIdx.x / slices / groups;
    const int64_t image = plane_number % (uint32_t)launch.images, level = plane_number / (uint32_t)launch.images;
    const Level& map = launch.levels[level];
    const int64_t first_channel = group * launch.channel_block;
    const int32_t channels = smaller_of(launch.channel_block, launch.channels - first_channel),
                  cells = map.rows * map.columns;
    T* const planes = (T*)dynamic_shared;
    load_planes(map, (const T*)map.data + image * map.image_stride + first_channel * map.channel_stride, channels,
                planes);
    __syncthreads();

    const uint32_t warps = blockDim.x / warp_size, warp = threadIdx.x / warp_size, lane = threadIdx.x % warp_size;
    Sum<T>* const scratch = (Sum<T>*)after(planes + channels * cells) + warp * launch.shared_items;
    R* const out = (R*)launch.out + launch.first * launch.out_strides[0] + first_channel * launch.out_strides[1];
    const int64_t step = slices * warps;
    for (int64_t first = slice * warps + warp; first < launch.count; first += step * warp_size) {
        const int64_t mine = first + lane * step;
        uint32_t found = __ballot_sync(whole_warp, mine < launch.count && is_of(launch.planned[mine], image, level));
        for (; found; found &= found - 1) {
            const int64_t k = first + (__ffs(found) - 1) * step;
            const PlannedRoi roi = launch.planned[k];
            for (int32_t c = 0; c < channels; c++)
                body(Resident<T, R>{k, roi, planes + c * cells, (int32_t)map.columns,
                                    out + k * launch.out_strides[0] + c * launch.out_strides[1], scratch,
                                    (int32_t)lane});
        }
    }
}

// A lane's columns in N strips of 32. All strips but the last are whole; its lanes past the end read the last column.
template <class T, int N>
struct Strips {
    static constexpr int count = N;
    const T *first, *last;

    __device__ Strips(const T* row, int32_t column, int32_t columns)
        : first(row + column), last(row + smaller_of(column + (N - 1) * (int32_t)warp_size, columns - 1)) {}

    // `offset` is in bytes, so that an address takes one instruction.
    __device__ void read(int32_t offset, Sum<T> (&values)[N]) const {
        const T* const whole = (const T*)((const char*)first + offset);
#pragma unroll
        for (int i = 0; i < N - 1; i++) values[i] = widened(whole[i * (int32_t)warp_size]);
        values[N - 1] = widened(*(const T*)((const char*)last + offset));
    }
};

// Calls body(Strips, column of the lane) until all columns are done: N strips at a time, as few as hold them.
template <class T, class Body>
__device__ inline void for_each_strips(const T* row, int32_t columns, int32_t lane, const Body& body) {
    constexpr int32_t most_columns = most_strips * warp_size;
    for (int32_t first = 0; first < columns; first += most_columns) {
        const int32_t column = first + lane;
        switch ((smaller_of(most_columns, columns - first) + warp_size - 1) / warp_size) {
            case 1: body(Strips<T, 1>(row, column, columns), column); break;
            case 2: body(Strips<T, 2>(row, column, columns), column); break;
            case 3: body(Strips<T, 3>(row, column, columns), column); break;
            case 4: body(Strips<T, 4>(row, column, columns), column); break;
            case 5: body(Strips<T, 5>(row, column, columns), column); break;
            case 6: body(Strips<T, 6>(row, column, columns), column); break;
            case 7: body(Strips<T, 7>(row, column, columns), column); break;
            default: body(Strips<T, most_strips>(row, column, columns), column);
        }
    }
}

// Reduces a RoI in two steps, as many bin rows at a time as scratch holds: reduction.columns() takes the cells of a bin row
// column by column, reduction.bin() what that left in a line of scratch.
template <class T, class R, class Reduction>
__device__ inline void reduce_resident(const Launch& launch, const Resident<T, R>& at, const Reduction& reduction) {
    const int32_t bins_h = (int32_t)launch.bins_h, bins_w = (int32_t)launch.bins_w;
    const int32_t columns = (int32_t)(at.roi.x_end - at.roi.x_start);
    const int32_t rows = columns == 0 ? bins_h : smaller_of(bins_h, (int32_t)launch.shared_items / columns);
    for (int32_t ph0 = 0; ph0 < bins_h; ph0 += rows) {
        const int32_t bin_rows = smaller_of(rows, bins_h - ph0);
        for_each_strips(at.plane + at.roi.x_start, columns, at.lane, [&](auto strips, int32_t column) {
            constexpr int N = decltype(strips)::count;
            Sum<T>* to = at.scratch + column;
            for (int32_t row = 0; row < bin_rows; row++, to += columns) {
                Sum<T> values[N];
                reduction.columns(ph0 + row, strips, values);
#pragma unroll
                for (int i = 0; i < N; i++)
                    if (i < N - 1 || column + i * (int32_t)warp_size < columns) to[i * (int32_t)warp_size] = values[i];
            }
        });
        __syncwarp();
        for (uint32_t item = at.lane; item < (uint32_t)(bin_rows * bins_w); item += warp_size) {
            const int32_t row = item / (uint32_t)bins_w, pw = item % (uint32_t)bins_w;
            const Sum<T> value = at.roi.image < 0 ? 0 : reduction.bin(at.scratch + row * columns, ph0 + row, pw);
            at.out[(ph0 + row) * launch.out_strides[2] + pw * launch.out_strides[3]] = rounded<R>(value);
        }
        __syncwarp();
    }
}

template <class T>
struct ResidentMax {
    using A = Sum<T>;
    const Range *y_bins, *x_bins;
    int32_t x_start, row_bytes;

    template <class R>
    __device__ ResidentMax(const Launch& launch, const Resident<T, R>& at)
        : y_bins((const Range*)launch.y_items + at.k * launch.bins_h),
          x_bins((const Range*)launch.x_items + at.k * launch.bins_w),
          x_start((int32_t)at.roi.x_start),
          row_bytes(at.pitch * (int32_t)sizeof(T)) {}

    template <int N>
    __device__ void columns(int32_t ph, const Strips<T, N>& strips, A (&best)[N]) const {
        set_all(best, minus_infinity<A>());
        const Range rows = loaded(y_bins + ph);
#pragma unroll(N < 3 ? 4 : 2)
        for (int32_t y = rows.start; y < rows.end; y++) {
            A cells[N];
            strips.read(y * row_bytes, cells);
#pragma unroll
            for (int i = 0; i < N; i++) best[i] = raised(best[i], cells[i]);
        }
    }

    __device__ A bin(const A* line, int32_t ph, int32_t pw) const {
        const Range y = loaded(y_bins + ph), x = loaded(x_bins + pw);
        if (no_cells(y) || no_cells(x)) return 0;
        A best = minus_infinity<A>();
#pragma unroll 4
        for (int32_t column = x.start; column < x.end; column++) best = raised(best, line[column - x_start]);
        return best;
    }
};

template <class T>
struct ResidentSum {
    using A = Sum<T>;
    const Launch& launch;
    const Tap<A>* y_taps;
    const Tap<A>* x_taps;
    const int32_t *y_first, *x_first;
    int32_t x_start, row_bytes;

    template <class R>
    __device__ ResidentSum(const Launch& launch_, const Resident<T, R>& at)
        : launch(launch_),
          y_taps(opaque((const Tap<A>*)launch.y_items + at.k * launch.y_capacity)),
          x_taps(opaque((const Tap<A>*)launch.x_items + at.k * launch.x_capacity)),
          y_first(launch.y_first + at.k * (launch.bins_h + 1)),
          x_first(launch.x_first + at.k * (launch.bins_w + 1)),
          x_start((int32_t)at.roi.x_start),
          row_bytes(at.pitch * (int32_t)sizeof(T)) {}

    template <int N>
    __device__ void columns(int32_t ph, const Strips<T, N>& strips, A (&sum)[N]) const {
        set_all(sum, no_sum<A>);
        const int32_t end = y_first[ph + 1];
#pragma unroll(N < 3 ? 4 : 2)
        for (int32_t t = y_first[ph]; t < end; t++) {
            const Tap<A> tap = loaded(y_taps + t);
            A cells[N];
            strips.read(tap.index * row_bytes, cells);
            add_product(sum, tap.weight, cells);
        }
    }

    __device__ A bin(const A* line, int32_t ph, int32_t pw) const {
        const int32_t rows = y_first[ph + 1] - y_first[ph], first = x_first[pw], end = x_first[pw + 1];
        if (rows == 0 || first == end) return (A)launch.outside;
        A sum[1] = {no_sum<A>};
#pragma unroll 4
        for (int32_t t = first; t < end; t++) {
            const Tap<A> tap = loaded(x_taps + t);
            sum[0] = fused(tap.weight, line[tap.index - x_start], sum[0]);
        }
        finish_mean(launch, sum, rows, end - first);
        return sum[0];
    }
};

template <class T, class R, class Reduction>
__device__ inline void pool_resident(const Launch& launch) {
    for_each_resident<T, R>(launch,
                            [&](const Resident<T, R>& at) { reduce_resident(launch, at, Reduction(launch, at)); });
}

// --- which way ----------------------------------------------------------------------------------------------------------

// How large the boxes are is seen only here. Both ways give the same bits.
enum Way : int64_t { by_planes = 1, by_bins = 2 };

__device__ inline bool goes_another_way(const Launch& launch) {
    return launch.way != 0 && *launch.choice != launch.way;
}

// One block looks at all RoIs.
__device__ inline void choose(const Launch& launch) {
    int64_t* const parts = (int64_t*)dynamic_shared;
    int64_t cells = 0;
    for (int64_t k = threadIdx.x; k < launch.count; k += blockDim.x) {
        const PlannedRoi roi = launch.planned[k];
        if (roi.image >= 0) cells += roi.y_length * roi.x_length;
    }
    parts[threadIdx.x] = cells;
    __syncthreads();
    if (threadIdx.x != 0) return;
    for (uint32_t t = 1; t < blockDim.x; t++) cells += parts[t];
    *launch.choice = cells >= launch.many_cells * launch.count ? by_planes : by_bins;
}

}  // namespace fastroi
