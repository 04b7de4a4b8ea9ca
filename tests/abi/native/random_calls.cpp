// Random calls of every operator with arrays that a sanitizer knows the ends of, on every instruction set; every element of a result
// has to be written, and of initialised memory where that is looked at.
//
//   random_calls [--calls=N] [--seed=N] [--displaced=ROLE] [--uninitialised=1]
//
// The last two are faults that a sanitizer has to find: an array moved by a byte, and a map that nobody wrote.
#include <sanitizer/common_interface_defs.h>

#include "any_call.h"

#if defined(__has_feature)
#if __has_feature(memory_sanitizer)
#include <sanitizer/msan_interface.h>
#define WATCHES_INITIALISATION
#endif
#endif

namespace {

using namespace calls;

// What a sanitizer found says which call it was.
void name_call() {
    const ssize_t written = write(2, unit::subject, strlen(unit::subject)) + write(2, "\n", 1);
    if (written < 0) _exit(3);
}

// Results that nobody wrote: poisoned, or of a pattern that no result has.
void forget_results(const AnyCall& call) {
    call.clear_results();
#if defined(WATCHES_INITIALISATION)
    if (!call.starts_with_zeros())
        call.for_each_result([](const Placed& p) { __msan_allocated_memory(p.filled - p.first, (size_t)p.bytes); });
#endif
}

void look_at_results(const AnyCall& call) {
#if defined(WATCHES_INITIALISATION)
    call.for_each_result([](const Placed& p) {
        for_each_element(
            p, [&](int64_t at) { __msan_check_mem_is_initialized(p.filled + at, (size_t)item_size(p.tensor.dtype)); });
        __msan_unpoison(p.filled - p.first, (size_t)p.bytes);
    });
#else
    call.check_results();
#endif
}

// The memory of an input becomes that of an allocation.
void forget_map([[maybe_unused]] const AnyCall& call) {
#if defined(WATCHES_INITIALISATION)
    for (const Placed& map : call.maps()) __msan_allocated_memory(map.filled - map.first, (size_t)map.bytes);
#endif
}

}  // namespace

int main(int count, char** arguments) {
    Option options[] = {{"calls", 1000}, {"seed", 0}, {"displaced", -1}, {"uninitialised", 0}};
    read_options(count, arguments, options);
    const int64_t wanted = (int64_t)options[0].value, seed = (int64_t)options[1].value;
    __sanitizer_set_death_callback(name_call);
    const std::vector<Row> rows = operators_and_elements();
    HeapMemory memory;
    memory.displace((int)options[2].value, 1);
    int64_t calls = 0;
    for (int64_t trial = seed; calls < wanted; trial++) {
        Random random{Random{(uint64_t)trial}.bits()};
        const Row& row = rows[(size_t)(trial - seed) % rows.size()];
        const Choice choice = {row.code, row.types, random.between(1, 129), (Layout)random.below(layouts),
                               random.one_in(24)};
        memory.give_all_back();
        AnyCall call(choice, memory, random);
        if (options[3].value != 0) forget_map(call);
        char again[100];
        snprintf(again, sizeof again, "trial %lld of --seed=%lld", (long long)(trial - seed), (long long)seed);
        for (int32_t isa = 0; const char* name = fastroi_simd_supported(isa); isa++, calls++) {
            fastroi_exec exec{};
            exec.struct_size = sizeof exec;
            exec.num_threads = 1 + (int32_t)random.below(2);
            exec.simd = name;
            now_calling(choice, call, name, again);
            forget_results(call);
            fastroi_error error;
            const fastroi_status status = call.run(exec, &error);
            if (memory.displaces()) continue;  // what is read then may be refused
            if (status != FASTROI_OK) unit::fail(__FILE__, __LINE__, error.message);
            look_at_results(call);
        }
    }
    printf("operators and elements %lld\ncalls %lld\nisas", (long long)rows.size(), (long long)calls);
    for (int i = 0; const char* isa = fastroi_simd_supported(i); i++) printf(" %s", isa);
    printf("\n");
    return 0;
}
