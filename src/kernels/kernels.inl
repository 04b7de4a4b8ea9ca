// The kernels, once, over Vec<T>. Included by each isa_*.cpp after its vec_*.h; everything is in an anonymous namespace,
// so that no two instruction sets share a symbol. A plan is a proof that indices are in bounds: nothing here checks,
// allocates or fails.
#pragma once
#include <type_traits>

#include "gather.inl"
#include "lines.inl"
#include "masks.inl"
#include "planar.inl"
#include "ranges.inl"
#include "samples.inl"
#include "taps.inl"

namespace fastroi {
namespace {

// Maps of E are packed where T is what they are computed in; results of every T can be stored as E.
template <class T, class E, int NV>
constexpr Port<T> port_of() {
    using R = result_of<T, E>;
    if constexpr (std::is_same_v<typename E::Arithmetic, T>)
        return {pack<E, NV>, load_line<E>, unpack<E, NV>, stream<E>};
    else
        return {nullptr, nullptr, unpack<R, NV>, stream<R>};
}

template <class T, int NV>
constexpr void open_ports(BlockKernels<T>& kernels) {
#define FASTROI_X(name, code, type) kernels.ports[code] = port_of<T, type, NV>();
    FASTROI_ELEMENTS(FASTROI_X)
#undef FASTROI_X
}

template <class T, int bytes>
constexpr BlockKernels<T> block_kernels() {
    constexpr int NV = bytes / sizeof(Vec<T>);
    BlockKernels<T> kernels{Block<T, NV>::lanes, max_ranges<T, NV>,  begin_maxima<T, NV>,  raise_to_runs<T, NV>,
                            max_cells<T, NV>,    mean_ranges<T, NV>, argmax_ranges<T, NV>, sum_taps<T, NV>,
                            sum_bins<T, NV>,     sum_whole_bins<T>,  begin_sums<T, NV>,    add_strip<T, NV>,
                            divide_bins<T, NV>,  max_samples<T, NV>, gather<T, NV>,        {}};
    open_ports<T, NV>(kernels);
    return kernels;
}

template <class T>
constexpr LineKernels<T> line_kernels() {
    return {Vec<T>::lanes, max_range_lines<T>, sum_tap_lines<T>, max_sample_lines<T>, find_in_lines<T>};
}

constexpr KernelTable kernel_table(const char* name, int packed_width, int direct_width) {
    return {name,
            packed_width,
            direct_width,
            end_streaming,
            {block_kernels<float, 64>(), block_kernels<float, 128>(), block_kernels<float, 256>()},
            {block_kernels<double, 64>(), block_kernels<double, 128>(), block_kernels<double, 256>()},
            line_kernels<float>(),
            line_kernels<double>(),
            mask_kernels()};
}

}  // namespace
}  // namespace fastroi
