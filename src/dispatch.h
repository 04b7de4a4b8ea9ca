// Which instruction sets exist here and which one is in use.
#pragma once
#include "kernels/kernel_table.h"

namespace fastroi {

// Best first; nullptr past the end.
const KernelTable* compiled_kernels(int index);
const KernelTable* supported_kernels(int index);

// nullptr if unknown or not supported here.
const KernelTable* find_kernels(const char* name);

const KernelTable* active_kernels();
void activate_kernels(const KernelTable* kernels);

}  // namespace fastroi
