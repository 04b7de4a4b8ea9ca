// The forward CUDA kernels of mmcv as C++ functions, for operators that mmcv has no CPU code for. The kernels are those of
// the installed package; here are only the built-ins they use. One thread of one block walks over all elements, which
// CUDA_1D_KERNEL_LOOP allows.
#include <algorithm>
#include <cfloat>
#include <cmath>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline

using std::abs;
using std::cos;
using std::max;
using std::min;
using std::sin;

namespace {

struct Dim3 {
    int x, y, z;
};
constexpr Dim3 blockIdx{0, 0, 0}, threadIdx{0, 0, 0}, blockDim{1, 1, 1}, gridDim{1, 1, 1};

}  // namespace

// clang-format off: its macros are needed by the others
#include "common_cuda_helper.hpp"
// clang-format on
#include "deform_roi_pool_cuda_kernel.cuh"
#include "prroi_pool_cuda_kernel.cuh"
#include "riroi_align_rotated_cuda_kernel.cuh"
#include "roi_align_cuda_kernel.cuh"
#include "roi_align_rotated_cuda_kernel.cuh"
#include "roi_pool_cuda_kernel.cuh"

extern "C" {

void roi_pool(int n, const float* input, const float* rois, float* output, int ph, int pw, float scale, int channels,
              int height, int width) {
    roi_pool_forward_cuda_kernel<float>(n, input, rois, output, nullptr, ph, pw, scale, channels, height, width);
}

void roi_align(int n, const float* input, const float* rois, float* output, float* argmax_y, float* argmax_x, int ph,
               int pw, float scale, int ratio, int mode, int aligned, int channels, int height, int width) {
    roi_align_forward_cuda_kernel<float>(n, input, rois, output, argmax_y, argmax_x, ph, pw, scale, ratio, mode,
                                         aligned != 0, channels, height, width);
}

void roi_align_rotated(int n, const float* input, const float* rois, float* output, int ph, int pw, float scale,
                       int ratio, int aligned, int clockwise, int channels, int height, int width) {
    roi_align_rotated_forward_cuda_kernel<float>(n, input, rois, scale, ratio, aligned != 0, clockwise != 0, channels,
                                                 height, width, ph, pw, output);
}

void riroi_align_rotated(int n, const float* input, const float* rois, float* output, int ph, int pw, float scale,
                         int samples, int orientations, int clockwise, int channels, int height, int width) {
    riroi_align_rotated_forward_cuda_kernel<float>(n, input, rois, scale, samples, clockwise != 0,
                                                   channels / orientations, height, width, ph, pw, orientations,
                                                   output);
}

void prroi_pool(int n, const float* input, const float* rois, float* output, int ph, int pw, float scale, int channels,
                int height, int width) {
    prroi_pool_forward_cuda_kernel<float>(n, input, rois, output, ph, pw, scale, channels, height, width);
}

void deform_roi_pool(int n, const float* input, const float* rois, const float* offset, float* output, int ph, int pw,
                     float scale, int ratio, float gamma, int channels, int height, int width) {
    deform_roi_pool_forward_cuda_kernel<float>(n, input, rois, offset, output, ph, pw, scale, ratio, gamma, channels,
                                               height, width);
}
}
