// Which instruction sets exist here and which one is in use.
#pragma once
#include "kernel_table.h"

namespace fastroi {

// Best first; nullptr past the end. FASTROI_SIMD_DISABLE=avx512,avx2 in the environment makes those unsupported, as on a machine
// without them, and whatever needs them; it is read once, and the baseline stays.
const KernelTable* compiled_kernels(int index);
const KernelTable* supported_kernels(int index);

// nullptr if unknown or not supported here.
const KernelTable* find_kernels(const char* name);

const KernelTable* active_kernels();
void activate_kernels(const KernelTable* kernels);

}  // namespace fastroi
