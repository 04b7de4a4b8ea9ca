// How anything below the C ABI says no: throw, with words that name the argument, the row and the value. Only capi.cpp
// catches. May include nothing of ours but fastroi.h.
#pragma once
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include "../fastroi/include/fastroi.h"

namespace fastroi {

struct Refusal {
    fastroi_status status;
    int64_t row;
    char message[256];
};

[[noreturn]] __attribute__((format(printf, 3, 4))) inline void refuse(fastroi_status status, int64_t row,
                                                                      const char* format, ...) {
    Refusal refusal;
    refusal.status = status;
    refusal.row = row;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(refusal.message, sizeof refusal.message, format, arguments);
    va_end(arguments);
    throw refusal;
}

}  // namespace fastroi
