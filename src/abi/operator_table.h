// FASTROI_OPERATORS as data, and as the way from an operator's code to its function.
#pragma once
#include "../operators/operators.h"

namespace fastroi {

// NULL for a code that is none.
const fastroi_operator* operator_at(int32_t code);

// What maps and results may be stored as; NULL past the end.
const fastroi_element* element_at(int32_t index);

// params points to the operator's struct, as large as the caller's struct_size says. Every choice in it is checked here.
void run_operator(int32_t code, const Request& request, const void* params);

}  // namespace fastroi
