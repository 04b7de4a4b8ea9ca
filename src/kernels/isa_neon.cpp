// The kernels for one instruction set; setup.py gives this file its own compiler flags.
#include "vec_neon.h"

#include "kernels.inl"

namespace fastroi {

const KernelTable* kernels_neon() {
    static constexpr KernelTable table = kernel_table("neon", 0, 0);
    return &table;
}

}  // namespace fastroi
