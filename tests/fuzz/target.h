// What libFuzzer calls. A target defines run(), and ends the process by fail() where a promise is broken.
#pragma once
#include "call.h"

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

namespace fuzz {

void run(Bytes& bytes);

inline void choose_instruction_set(Call& call, Bytes& bytes) {
    int32_t count = 0;
    while (fastroi_simd_supported(count)) count++;
    call.exec.simd = fastroi_simd_supported((int32_t)bytes.below(count));
}

// The operator that FASTROI_FUZZ_OPERATOR names, or -1.
inline int32_t only_operator() {
    const char* const name = getenv("FASTROI_FUZZ_OPERATOR");
    for (int32_t code = 0; name && code < operator_count(); code++)
        if (strcmp(name, fastroi_operator_at(code)->name) == 0) return code;
    return name && *name ? (fprintf(stderr, "FASTROI_FUZZ_OPERATOR=%s: no such operator\n", name), exit(2), -1) : -1;
}

}  // namespace fuzz

// An allocation that is refused is an answer; few steps of where memory came from, since a call allocates often.
extern "C" const char* __asan_default_options() {
    return "allocator_may_return_null=1:malloc_context_size=4:quarantine_size_mb=16";
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    fuzz::Bytes bytes(data, size);
    fuzz::run(bytes);
    return 0;
}

// The first byte is the operator: a run that is about one of them keeps to it, and its inputs mean the same in every run.
extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t most, unsigned) {
    static const int32_t only = fuzz::only_operator();
    size = LLVMFuzzerMutate(data, size, most);
    if (only >= 0 && size > 0) data[0] = (uint8_t)only;
    return size;
}
