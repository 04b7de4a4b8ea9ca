// The ABI's descriptors turned into what job.h and the plans take. Refuses every size, type and pointer that needs no box.
#pragma once
#include <cstring>

#include "../refusal.h"
#include "../job.h"

namespace fastroi {

// The caller's versioned struct over the defaults: fields past its struct_size keep theirs.
template <class Struct>
Struct read_struct(const Struct* from, const Struct& defaults, const char* name) {
    Struct result = defaults;
    if (!from) return result;
    if (from->struct_size < sizeof(size_t) || from->struct_size > 4096)
        refuse(FASTROI_INVALID_VALUE, -1, "%s: struct_size %zu; set it to sizeof the struct", name, from->struct_size);
    memcpy(&result, from, from->struct_size < sizeof result ? from->struct_size : sizeof result);
    return result;
}

// The caller's, over the defaults.
fastroi_exec read_exec(const fastroi_exec* from);

// As runs take it; `stop` is the sign of this call.
Execution read_execution(const fastroi_exec& exec, StopSign& stop);

// Extents and strides of any 4-D array; its dtype is the caller's to check.
Tensor read_tensor(const fastroi_tensor* t, const char* name);

// Every element's distance from the first is a number of bytes that int64 holds, with room to spare: a rounded sum tells it.
void check_span(const Tensor& t, const char* name);

// The element of maps and results that a dtype code stands for.
Element read_element(int32_t dtype, const char* name);

void check_dtype(const fastroi_tensor& t, int32_t dtype, const char* name);

// Feature maps of one level; `roi_count` boxes will be read from it.
Tensor read_features(const fastroi_tensor* features, int64_t roi_count);

// An output of (roi_count, channels, any, any); its dtype is the caller's to check.
Tensor read_output(const fastroi_tensor* out, int64_t roi_count, int64_t channels, const char* name);

void check_scale(double scale);

}  // namespace fastroi
