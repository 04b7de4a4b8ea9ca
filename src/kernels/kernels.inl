// The kernels, once, over Vec<T>. Included by each isa_*.cpp after its vec_*.h; everything is in an anonymous namespace,
// so that no two instruction sets share a symbol. A plan is a proof that indices are in bounds: nothing here checks,
// allocates or fails.
#pragma once
#include "gather.inl"
#include "masks.inl"
#include "planar.inl"
#include "ranges.inl"
#include "samples.inl"
#include "taps.inl"

namespace fastroi {
namespace {

template <class E, int NV>
constexpr Port<typename E::Arithmetic> port_of() {
    return {pack<E, NV>, unpack<E, NV>, stream<E>};
}

// Which elements have a port.
template <int NV>
constexpr void open_ports(BlockKernels<float>& kernels) {
    kernels.ports[(int)Element::f32] = port_of<Float32, NV>();
    kernels.ports[(int)Element::f16] = port_of<Float16, NV>();
}
template <int NV>
constexpr void open_ports(BlockKernels<double>& kernels) {
    kernels.ports[(int)Element::f64] = port_of<Float64, NV>();
}

template <class T, int bytes>
constexpr BlockKernels<T> block_kernels() {
    constexpr int NV = bytes / sizeof(Vec<T>);
    BlockKernels<T> kernels{Block<T, NV>::lanes, max_ranges<T, NV>,  begin_maxima<T, NV>,  raise_to_runs<T, NV>,
                            max_cells<T, NV>,    mean_ranges<T, NV>, argmax_ranges<T, NV>, sum_taps<T, NV>,
                            sum_bins<T, NV>,     sum_whole_bins<T>,  begin_sums<T, NV>,    add_strip<T, NV>,
                            divide_bins<T, NV>,  max_samples<T, NV>, gather<T, NV>,        {}};
    open_ports<NV>(kernels);
    return kernels;
}

constexpr KernelTable kernel_table(const char* name, int packed_width, int direct_width) {
    return {name,
            packed_width,
            direct_width,
            end_streaming,
            {block_kernels<float, 64>(), block_kernels<float, 128>(), block_kernels<float, 256>()},
            {block_kernels<double, 64>(), block_kernels<double, 128>(), block_kernels<double, 256>()},
            mask_kernels()};
}

}  // namespace
}  // namespace fastroi
