// The kernels for one instruction set; setup.py gives this file its own compiler flags.
#include "vec_avx2.h"

#include "kernels.inl"

namespace fastroi {

const KernelTable* kernels_avx2() {
    static constexpr KernelTable table = kernel_table("avx2", 0, 1);
    return &table;
}

}  // namespace fastroi
