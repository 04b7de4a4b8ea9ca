// The kernels for one instruction set; setup.py gives this file its own compiler flags.
#include "vec_avx512.h"

#include "kernels.inl"

namespace fastroi {

const KernelTable* kernels_avx512() {
    static constexpr KernelTable table = kernel_table("avx512", 1, 2);
    return &table;
}

}  // namespace fastroi
