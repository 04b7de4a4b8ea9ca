// How the threads of a block divide what it reduces, and how results leave it.
#pragma once

#include "elements.cuh"
#include "launch.cuh"

namespace fastroi {

// Divisions are of 32 bits wherever the host sees to it that they fit: those of 64 take a hundred instructions.
__device__ inline int64_t roi_of_block(const Launch& launch) { return blockIdx.x / (uint32_t)launch.slices; }
__device__ inline int64_t slice_of_block(const Launch& launch) { return blockIdx.x % (uint32_t)launch.slices; }

// Three digits that count up by a fixed step: what item / n % m would give, without a division per item.
struct Odometer {
    int32_t high, middle, low;
    int32_t step_high, step_middle, step_low, middles, lows;

    __device__ Odometer(uint32_t item, uint32_t step, uint32_t middles_, uint32_t lows_)
        : middles(middles_), lows(lows_) {
        low = item % lows_;
        middle = item / lows_ % middles_;
        high = item / lows_ / middles_;
        step_low = step % lows_;
        step_middle = step / lows_ % middles_;
        step_high = step / lows_ / middles_;
    }
    __device__ void advance() {
        low += step_low;
        middle += step_middle;
        high += step_high;
        if (low >= lows) low -= lows, middle++;
        if (middle >= middles) middle -= middles, high++;
    }
};

// How much of a RoI a block reduces at a time: all bin rows of some channels, or some bin rows of one channel.
struct Tile {
    int32_t channels, bin_rows;

    // An item of shared memory holds one column of `lanes` channels.
    __device__ Tile(const Launch& launch, int64_t columns, int lanes) {
        const int64_t fitting = launch.shared_items / (columns > 0 ? columns : 1);
        bin_rows = (int32_t)(fitting < launch.bins_h ? (fitting > 0 ? fitting : 1) : launch.bins_h);
        const int64_t planes = fitting / bin_rows * lanes;
        channels = (int32_t)(planes < lanes ? lanes : planes > launch.channel_block ? launch.channel_block : planes);
    }
};

struct ChannelRange {
    int64_t first, end;

    __device__ ChannelRange(const Launch& launch, int64_t block) : first(block * launch.channel_block) {
        end = first + launch.channel_block < launch.channels ? first + launch.channel_block : launch.channels;
    }
};

template <class R, class A>
__device__ inline void fill(const Launch& launch, int64_t k, const ChannelRange& range, A value) {
    R* const out = (R*)launch.out + (launch.first + k) * launch.out_strides[0];
    int64_t* const argmax = launch.argmax ? launch.argmax + (launch.first + k) * launch.argmax_strides[0] : nullptr;
    const int64_t plane = launch.bins_h * launch.bins_w;
    for (int64_t item = threadIdx.x; item < (range.end - range.first) * plane; item += blockDim.x) {
        const int64_t c = range.first + item / plane, y = item % plane / launch.bins_w, x = item % launch.bins_w;
        out[c * launch.out_strides[1] + y * launch.out_strides[2] + x * launch.out_strides[3]] = rounded<R>(value);
        if (argmax)
            argmax[c * launch.argmax_strides[1] + y * launch.argmax_strides[2] + x * launch.argmax_strides[3]] = -1;
    }
}

__device__ inline int32_t smaller_of(int64_t a, int64_t b) { return (int32_t)(a < b ? a : b); }

// The items of a direct kernel: (bin row, bin column, channels) for channels-last results, (channels, bin row, bin column) else.
struct DirectItem {
    int64_t channel;
    int32_t ph, pw;
};

// The input channel of an output value: its own number, or that of its bin's group.
__device__ inline int64_t input_channel(const Launch& launch, const DirectItem& at) {
    if (launch.group_h == 0) return at.channel;
    const bool is_own_group = launch.group_h == launch.bins_h && launch.group_w == launch.bins_w;
    const int64_t row = is_own_group ? at.ph : at.ph * launch.group_h / launch.bins_h;
    const int64_t group = row * launch.group_w + (is_own_group ? at.pw : at.pw * launch.group_w / launch.bins_w);
    return launch.bin_major ? group * launch.channels + at.channel
                            : at.channel * launch.group_h * launch.group_w + group;
}

template <int V, class Body>
__device__ inline void for_each_output(const Launch& launch, int64_t slice, const Body& body) {
    const uint32_t bins_w = launch.bins_w, plane = launch.planned_bins, packs = launch.channels / V;
    const uint32_t step = launch.slices * blockDim.x, count = plane * packs;
    for (uint32_t item = slice * blockDim.x + threadIdx.x; item < count; item += step) {
        const uint32_t pack = launch.channels_fastest ? item % packs : item / plane;
        const uint32_t bin = launch.first_bin + (launch.channels_fastest ? item / packs : item % plane);
        body(DirectItem{(int64_t)pack * V, (int32_t)(bin / bins_w), (int32_t)(bin % bins_w)});
    }
}

// The next 16-byte boundary of shared memory.
__device__ inline void* after(const void* memory) {
    const int64_t used = (const char*)memory - (const char*)dynamic_shared;
    return (char*)dynamic_shared + (used + 15) / 16 * 16;
}

// Values of a RoI on their way to a channels-first result, a line of bins for each channel. Threads write V consecutive channels
// of one bin and read consecutive bins: lines of an odd length, those of a warp side by side, keep both clear of bank conflicts.
template <class R, int V>
struct Stage {
    R* values;
    int32_t packs, plane, pitch;

    __device__ Stage(void* memory, int32_t packs_, int32_t plane_)
        : values((R*)memory), packs(packs_), plane(plane_), pitch(plane_ | 1) {}
    __device__ R* line(int32_t channel) const { return values + (channel % V * packs + channel / V) * pitch; }

    template <class A>
    __device__ void write(int32_t channel, int32_t bin, const A (&from)[V]) const {
        R* const to = line(channel) + bin;
#pragma unroll
        for (int i = 0; i < V; i++) to[i * packs * pitch] = rounded<R>(from[i]);
    }

    __device__ void copy_to(R* out, int32_t channels) const {
        Odometer at(threadIdx.x, blockDim.x, channels, plane);
        for (int32_t i = threadIdx.x; i < channels * plane; i += blockDim.x, at.advance())
            out[i] = line(at.middle)[at.low];
    }
};

// What a block of a wide kernel reduces: some of a RoI's bins over all channels, or all bins over a block of channels. Items
// are counted in 32 bits.
template <class R, int V>
struct WideWork {
    int32_t first, step, count, packs;
    int64_t first_channel, channels;
    Stage<R, V> stage;

    __device__ WideWork(const Launch& launch, int64_t slice, void* memory)
        : stage(memory, 0, (int32_t)(launch.bins_h * launch.bins_w)) {
        first_channel = launch.staged ? slice * launch.channel_block : 0;
        channels = launch.channels - first_channel;
        if (launch.staged && channels > launch.channel_block) channels = launch.channel_block;
        stage.packs = packs = (int32_t)((channels + V - 1) / V);
        first = (int32_t)(threadIdx.x + (launch.staged ? 0 : slice * blockDim.x));
        step = (int32_t)(blockDim.x * (launch.staged ? 1 : launch.slices));
        count = stage.plane * packs;
    }

    template <class Body>
    __device__ void for_each(const Launch& launch, const Body& body) const {
        Odometer at(first, step, (int32_t)launch.bins_w, packs);
        for (int32_t item = first; item < count; item += step, at.advance())
            body(DirectItem{first_channel + (int64_t)at.low * V, at.high, at.middle});
    }

    template <class A>
    __device__ void write(const Launch& launch, int64_t k, const DirectItem& at, const A (&values)[V]) const {
        if (launch.staged)
            return stage.write((int32_t)(at.channel - first_channel), at.ph * (int32_t)launch.bins_w + at.pw, values);
        R* const out = (R*)launch.out + (launch.first + k) * launch.out_strides[0] + at.channel;
        store(out + at.ph * launch.out_strides[2] + at.pw * launch.out_strides[3], values);
    }

    // The result of a RoI that was refused.
    template <class A>
    __device__ void write_zeros(const Launch& launch, int64_t k) const {
        A zeros[V];
        set_all(zeros, (A)0);
        for_each(launch, [&](const DirectItem& at) { write(launch, k, at, zeros); });
        finish(launch, k);
    }

    // One contiguous run of the result; lanes past the last channel stay behind.
    __device__ void finish(const Launch& launch, int64_t k) const {
        if (!launch.staged) return;
        __syncthreads();
        stage.copy_to((R*)launch.out + (launch.first + k) * launch.out_strides[0] + first_channel * stage.plane,
                      (int32_t)channels);
    }
};

template <class R, class A, int V>
__device__ inline void write(const Launch& launch, int64_t k, const DirectItem& at, const A (&values)[V]) {
    R* const out = (R*)launch.out + (launch.first + k) * launch.out_strides[0] + at.channel * launch.out_strides[1];
    store(out + at.ph * launch.out_strides[2] + at.pw * launch.out_strides[3], values);
}

}  // namespace fastroi
