// The operators on a GPU: plans by the CPU's own rules, one block per RoI, then one kernel family each for maxima, sums, sample
// points and gathered cells; masks have kernels of their own. This text, what it includes and the rule headers are joined and
// compiled for each device in two kinds of sets, whose elements are codes of element.h: kernels that reduce, for maps of
// FASTROI_ELEMENT and results of FASTROI_RESULT; and, without the latter, kernels that plan, for maps whose sums are of
// FASTROI_ELEMENT. The tests compile the same text as C++.
//
// Contraction is off (--fmad=false) and fused products are written, so that values equal those of the CPU's fused tiers.
// Every value of a result is computed by one thread in one order: no atomics, the same bits in every run.
#ifdef __CUDACC_RTC__
typedef signed char int8_t;
typedef short int16_t;
typedef int int32_t;
typedef unsigned char uint8_t;
typedef unsigned short uint16_t;
typedef unsigned int uint32_t;
typedef long long int64_t;
typedef unsigned long long uint64_t;
#define __builtin_inf() 1.7976931348623157e308  // NVRTC has none; no finite extent is beyond this either
#else
#include <stdint.h>
#endif

#include "cells.cuh"
#include "masks.cuh"
#include "maxima.cuh"
#include "pack.cuh"
#include "planes.cuh"
#include "samples.cuh"
#include "sums.cuh"
#include "turned.cuh"

namespace fastroi {

template <int32_t code>
struct ElementOf;
#define FASTROI_X(name, code, type) \
    template <>                     \
    struct ElementOf<code> {        \
        using Type = Stored<type>;  \
    };
FASTROI_ELEMENTS(FASTROI_X)
#undef FASTROI_X

using Map = ElementOf<FASTROI_ELEMENT>::Type;
using Weight = Sum<Map>;
#ifdef FASTROI_RESULT
using Out = ElementOf<FASTROI_RESULT>::Type;
constexpr int most_wide = 8;  // sums of a thread, so that the cells of a bin stay in registers
constexpr int wide = widest_access / sizeof(Map) < most_wide ? widest_access / sizeof(Map) : most_wide;
#endif

}  // namespace fastroi

// name, threads per block at most, blocks that a multiprocessor is to hold at least, the call.
#ifdef FASTROI_RESULT
#define FASTROI_KERNELS(KERNEL)                                                       \
    KERNEL(max_planar, 256, 4, (max_planar<Map, Out, false>(launch)))                 \
    KERNEL(argmax_planar, 256, 4, (max_planar<Map, Out, true>(launch)))               \
    KERNEL(max_direct, 256, 4, (max_direct<Map, Out, 1, false>(launch)))              \
    KERNEL(max_wide, 256, 4, (max_wide<Map, Out, wide>(launch)))                      \
    KERNEL(argmax_direct, 256, 4, (max_direct<Map, Out, 1, true>(launch)))            \
    KERNEL(sum_planar, 256, 4, (sum_planar<Map, Out>(launch)))                        \
    KERNEL(sum_direct, 256, 4, (sum_direct<Map, Out, 1>(launch)))                     \
    KERNEL(sum_wide, 256, 4, (sum_wide<Map, Out, wide>(launch)))                      \
    KERNEL(max_resident, 512, 1, (pool_resident<Map, Out, ResidentMax<Map>>(launch))) \
    KERNEL(sum_resident, 512, 1, (pool_resident<Map, Out, ResidentSum<Map>>(launch))) \
    KERNEL(max_samples, 256, 4, (max_samples<Map, Out>(launch)))                      \
    KERNEL(cells_direct, 256, 4, (gather_direct<Map, Out, 1, false>(launch)))         \
    KERNEL(cells_wide, 256, 4, (gather_wide<Map, Out, wide, false>(launch)))          \
    KERNEL(products_direct, 256, 4, (gather_direct<Map, Out, 1, true>(launch)))       \
    KERNEL(products_wide, 256, 4, (gather_wide<Map, Out, wide, true>(launch)))        \
    KERNEL(points_direct, 256, 2, (gather_points<Map, Out, 1>(launch)))               \
    KERNEL(points_wide, 256, 2, (gather_points<Map, Out, wide>(launch)))              \
    KERNEL(mix, 256, 4, (mix<Weight, Out>(launch)))                                   \
    KERNEL(pack, 256, 4, (pack<Map, wide>(launch)))
#else
#define FASTROI_KERNELS(KERNEL)                                                    \
    KERNEL(plan_ranges, 128, 4, plan_ranges(launch))                               \
    KERNEL(plan_range_means, 128, 4, plan_taps<Weight>(launch, tap_range_mean))    \
    KERNEL(plan_align, 128, 4, plan_taps<Weight>(launch, tap_align))               \
    KERNEL(plan_ps_means, 128, 4, plan_taps<Weight>(launch, tap_ps_mean))          \
    KERNEL(plan_warp, 128, 4, plan_taps<Weight>(launch, tap_warp))                 \
    KERNEL(plan_precise, 128, 4, plan_taps<Weight>(launch, tap_precise))           \
    KERNEL(plan_area, 128, 4, plan_taps<Weight>(launch, tap_area))                 \
    KERNEL(plan_crop, 128, 4, plan_taps<Weight>(launch, tap_crop))                 \
    KERNEL(plan_crop_nearest, 128, 4, plan_taps<Weight>(launch, tap_crop_nearest)) \
    KERNEL(plan_samples, 128, 4, plan_samples<Weight>(launch))                     \
    KERNEL(choose, 256, 4, choose(launch))                                         \
    KERNEL(plan_rotated, 128, 4, plan_rotated<Weight>(launch))                     \
    KERNEL(plan_moved, 128, 4, plan_moved<false>(launch))                          \
    KERNEL(plan_parts, 128, 4, plan_moved<true>(launch))                           \
    FASTROI_MASK_KERNELS(KERNEL)
#endif

#define FASTROI_DEFINE(name, threads, blocks, call)                      \
    extern "C" __global__ void __launch_bounds__(threads, blocks)        \
        fastroi_##name(const FASTROI_PARAMETER fastroi::Launch launch) { \
        using namespace fastroi;                                         \
        if (goes_another_way(launch)) return;                            \
        call;                                                            \
    }
#ifdef FASTROI_CUDA_SHIM
#define FASTROI_PARAMETER
#else
#define FASTROI_PARAMETER __grid_constant__
#endif
FASTROI_KERNELS(FASTROI_DEFINE)
