// Channels first to channels last.
#pragma once

#include "elements.cuh"
#include "launch.cuh"

namespace fastroi {

constexpr int tile_side = 64;

// Copies one level's map so that the channels of a cell are contiguous, zeros after the last. A block moves a square of cells
// and channels through shared memory: both sides of it are contiguous accesses, and a thread has all of its reads in flight.
// The host packs no map whose cells and channels 32 bits cannot count.
template <class T, int V>
__device__ inline void pack(const Launch& launch) {
    constexpr int threads = 256, pitch = tile_side + 1, rows = threads / tile_side, groups = tile_side / V;
    T* const tile = (T*)dynamic_shared;
    const Level& map = launch.levels[0];
    const uint32_t columns = map.columns, cells = map.rows * columns, channels = launch.channels,
                   padded = map.column_stride;
    const uint32_t cell_tiles = (cells + tile_side - 1) / tile_side,
                   channel_tiles = (padded + tile_side - 1) / tile_side;
    const uint32_t image = blockIdx.x / cell_tiles / channel_tiles;
    const uint32_t first_channel = blockIdx.x / cell_tiles % channel_tiles * tile_side;
    const uint32_t first_cell = blockIdx.x % cell_tiles * tile_side;
    for (uint32_t thread = threadIdx.x; thread < threads; thread += blockDim.x) {
        const uint32_t cell = first_cell + thread % tile_side, row = thread / tile_side;
        if (cell >= cells) continue;
        const bool is_dense = launch.source_strides[2] == map.columns * launch.source_strides[3];
        const int64_t y = is_dense ? 0 : cell / columns, x = is_dense ? cell : cell % columns;
        const T* const source = (const T*)launch.source + image * launch.source_strides[0] +
                                y * launch.source_strides[2] + x * launch.source_strides[3] +
                                first_channel * launch.source_strides[1];
        T values[tile_side / rows];
#pragma unroll
        for (uint32_t i = 0; i < tile_side / rows; i++) {
            const uint32_t channel = i * rows + row;
            values[i] = first_channel + channel < channels ? source[channel * launch.source_strides[1]] : T{};
        }
#pragma unroll
        for (uint32_t i = 0; i < tile_side / rows; i++) tile[(i * rows + row) * pitch + thread % tile_side] = values[i];
    }
    __syncthreads();
    T* const to = (T*)map.data + image * map.image_stride + first_channel;
    for (uint32_t item = threadIdx.x; item < tile_side * groups; item += blockDim.x) {
        const uint32_t cell = item / groups, channel = item % groups * V;
        if (first_cell + cell >= cells || first_channel + channel >= padded) continue;
        Pack<T, V> values;
#pragma unroll
        for (int i = 0; i < V; i++) values.v[i] = tile[(channel + i) * pitch + cell];
        stored((Pack<T, V>*)(to + (int64_t)(first_cell + cell) * padded + channel), values);
    }
}

}  // namespace fastroi
