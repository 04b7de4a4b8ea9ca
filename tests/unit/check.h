// What the unit tests share: checks that say where, with which values and how to repeat what failed, and random numbers that
// are the same everywhere.
#pragma once
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <string>

namespace unit {

// What is being checked, and the arguments that repeat it; plain memory, since a signal handler prints it too.
inline char subject[512];

__attribute__((format(printf, 1, 2))) inline void now_checking(const char* format, ...) {
    va_list values;
    va_start(values, format);
    vsnprintf(subject, sizeof subject, format, values);
    va_end(values);
}

inline std::string text(double value) {
    char buffer[64];
    snprintf(buffer, sizeof buffer, "%.17g", value);
    return buffer;
}

[[noreturn]] inline void fail(const char* file, int line, const std::string& what) {
    printf("FAILED %s:%d: %s\nwhile checking %s\n", file, line, what.c_str(), subject);
    exit(1);
}

[[noreturn]] inline void fail_comparison(const char* file, int line, const char* comparison, double left,
                                         double right) {
    fail(file, line, std::string(comparison) + ": " + text(left) + ", " + text(right));
}

#define CHECK(condition)                                                \
    do {                                                                \
        if (!(condition)) ::unit::fail(__FILE__, __LINE__, #condition); \
    } while (0)

// Compares by `relation` and prints both sides.
#define CHECK_THAT(a, relation, b)                                                                             \
    do {                                                                                                       \
        const auto left = (a);                                                                                 \
        const auto right = (b);                                                                                \
        if (!(left relation right))                                                                            \
            ::unit::fail_comparison(__FILE__, __LINE__, #a " " #relation " " #b, (double)left, (double)right); \
    } while (0)

// A read or write outside of memory says what was being checked, too.
inline void report_faults() {
    const auto report = [](int signal_number) {
        const char message[] = "FAILED: memory that is not the caller's was touched\nwhile checking ";
        if (write(1, message, sizeof message - 1) < 0 || write(1, subject, strlen(subject)) < 0 ||
            write(1, "\n", 1) < 0)
            _exit(3);
        signal(signal_number, SIG_DFL);
        raise(signal_number);
    };
    signal(SIGSEGV, report);
    signal(SIGBUS, report);
}

struct Random {
    uint64_t state;
    uint64_t bits() {
        uint64_t z = state += 0x9e3779b97f4a7c15u;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
        z = (z ^ z >> 27) * 0x94d049bb133111ebu;
        return z ^ z >> 31;
    }
    int64_t below(int64_t n) { return (int64_t)(bits() % (uint64_t)n); }
    int64_t between(int64_t least, int64_t most) { return least + below(most - least + 1); }
    bool one_in(int64_t n) { return below(n) == 0; }
    double uniform() { return (double)(bits() >> 11) * 0x1p-53; }
    double symmetric() { return 2 * uniform() - 1; }
};

// --seed=N --trials=N, and nothing else.
struct SeedAndTrials {
    uint64_t seed = 0;
    int64_t trials;

    SeedAndTrials(int count, char** arguments, int64_t usual_trials) : trials(usual_trials) {
        for (int i = 1; i < count; i++) {
            unsigned long long number = 0;
            if (sscanf(arguments[i], "--seed=%llu", &number) == 1) {
                seed = number;
            } else if (sscanf(arguments[i], "--trials=%llu", &number) == 1) {
                trials = (int64_t)number;
            } else {
                fprintf(stderr, "unknown argument %s; [--seed=N] [--trials=N]\n", arguments[i]);
                exit(2);
            }
        }
    }
};

// Trials are seeded one by one: any of them is repeated alone.
template <class Check>
void each_trial(const char* program, const char* name, const SeedAndTrials& given, const Check& check) {
    for (int64_t i = 0; i < given.trials; i++) {
        const uint64_t seed = given.seed + (uint64_t)i;
        now_checking("%s; again: %s --seed=%llu --trials=1", name, program, (unsigned long long)seed);
        Random random{Random{seed}.bits()};  // whose neighbours are no shifted copies
        check(random);
    }
}

}  // namespace unit
