// The operators on a GPU: plans by the CPU's own rules, one block per RoI, then one kernel family each for maxima, sums, sample
// points and gathered cells; masks have kernels of their own. This text, what it includes and the rule headers are joined and
// compiled once per device and element type (FASTROI_ELEMENT: 0 float32, 1 float64, 2 float16, 3 bfloat16); the tests compile the
// same text as C++.
//
// Contraction is off (--fmad=false) and fused products are written, so that values equal those of the CPU's fused tiers.
// Every value of a result is computed by one thread in one order: no atomics, the same bits in every run.
#ifdef __CUDACC_RTC__
typedef int int32_t;
typedef unsigned int uint32_t;
typedef unsigned char uint8_t;
typedef unsigned short uint16_t;
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

#if FASTROI_ELEMENT == 0
using Element = float;
#elif FASTROI_ELEMENT == 1
using Element = double;
#elif FASTROI_ELEMENT == 2
using Element = Float16;
#else
using Element = Bfloat16;
#endif
constexpr int wide = 16 / sizeof(Element);
using Weight = Sum<Element>;

}  // namespace fastroi

// name, threads per block at most, blocks that a multiprocessor is to hold at least, the call.
#define FASTROI_KERNELS(KERNEL)                                                          \
    KERNEL(plan_ranges, 128, 4, plan_ranges(launch))                                     \
    KERNEL(plan_range_means, 128, 4, plan_taps<Weight>(launch, tap_range_mean))          \
    KERNEL(plan_align, 128, 4, plan_taps<Weight>(launch, tap_align))                     \
    KERNEL(plan_ps_means, 128, 4, plan_taps<Weight>(launch, tap_ps_mean))                \
    KERNEL(plan_warp, 128, 4, plan_taps<Weight>(launch, tap_warp))                       \
    KERNEL(plan_precise, 128, 4, plan_taps<Weight>(launch, tap_precise))                 \
    KERNEL(plan_area, 128, 4, plan_taps<Weight>(launch, tap_area))                       \
    KERNEL(plan_crop, 128, 4, plan_taps<Weight>(launch, tap_crop))                       \
    KERNEL(plan_crop_nearest, 128, 4, plan_taps<Weight>(launch, tap_crop_nearest))       \
    KERNEL(plan_samples, 128, 4, plan_samples<Weight>(launch))                           \
    KERNEL(max_planar, 256, 4, (max_planar<Element, false>(launch)))                     \
    KERNEL(argmax_planar, 256, 4, (max_planar<Element, true>(launch)))                   \
    KERNEL(max_direct, 256, 4, (max_direct<Element, 1, false>(launch)))                  \
    KERNEL(max_wide, 256, 4, (max_wide<Element, wide>(launch)))                          \
    KERNEL(argmax_direct, 256, 4, (max_direct<Element, 1, true>(launch)))                \
    KERNEL(sum_planar, 256, 4, (sum_planar<Element>(launch)))                            \
    KERNEL(sum_direct, 256, 4, (sum_direct<Element, 1>(launch)))                         \
    KERNEL(sum_wide, 256, 4, (sum_wide<Element, wide>(launch)))                          \
    KERNEL(choose, 256, 4, choose(launch))                                               \
    KERNEL(max_resident, 512, 1, (pool_resident<Element, ResidentMax<Element>>(launch))) \
    KERNEL(sum_resident, 512, 1, (pool_resident<Element, ResidentSum<Element>>(launch))) \
    KERNEL(max_samples, 256, 4, (max_samples<Element>(launch)))                          \
    KERNEL(plan_rotated, 128, 4, plan_rotated<Weight>(launch))                           \
    KERNEL(plan_moved, 128, 4, plan_moved<false>(launch))                                \
    KERNEL(plan_parts, 128, 4, plan_moved<true>(launch))                                 \
    KERNEL(cells_direct, 256, 4, (gather_direct<Element, 1, false>(launch)))             \
    KERNEL(cells_wide, 256, 4, (gather_wide<Element, wide, false>(launch)))              \
    KERNEL(products_direct, 256, 4, (gather_direct<Element, 1, true>(launch)))           \
    KERNEL(products_wide, 256, 4, (gather_wide<Element, wide, true>(launch)))            \
    KERNEL(points_direct, 256, 2, (gather_points<Element, 1>(launch)))                   \
    KERNEL(points_wide, 256, 2, (gather_points<Element, wide>(launch)))                  \
    KERNEL(mix, 256, 4, (mix<Element>(launch)))                                          \
    KERNEL(pack, 256, 4, (pack<Element, wide>(launch)))                                  \
    FASTROI_MASK_KERNELS(KERNEL)

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
