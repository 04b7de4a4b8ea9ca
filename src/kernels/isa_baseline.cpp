// The kernels for one instruction set; setup.py gives this file its own compiler flags.
#include "vec_baseline.h"

#include "kernels.inl"

namespace fastroi {

const KernelTable* kernels_baseline() {
    static constexpr KernelTable table = kernel_table("baseline", 0, 0);
    return &table;
}

}  // namespace fastroi
