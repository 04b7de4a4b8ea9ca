// Callers at once: the same maps and boxes, results of their own, on several threads each, from the first call of a process on, while
// OpenMP's number of threads changes. Every caller gets the same bits.
//
//   concurrent_calls [--callers=N] [--threads=N] [--rounds=N] [--seed=N] [--shared=1]
//
// --shared=1 has them write one result, which ThreadSanitizer has to find.
#include <omp.h>

#include <atomic>
#include <memory>
#include <thread>

#include "any_call.h"

namespace {

using namespace calls;

// A call with inputs of its own, and a result for each caller.
struct Prepared {
    HeapMemory memory;
    Random random;
    std::unique_ptr<AnyCall> call;
    std::vector<std::vector<unsigned char>> results;
    std::vector<fastroi_tensor> outs;

    Prepared(const Choice& choice, uint64_t seed, int callers) : random{seed} {
        call = std::make_unique<AnyCall>(choice, memory, random);
        call->leave_argmax_out();
        const Placed& out = call->out();
        results.assign((size_t)callers, std::vector<unsigned char>((size_t)out.bytes));
        for (std::vector<unsigned char>& result : results) {
            outs.push_back(out.tensor);
            outs.back().data = result.data() + out.first;
        }
    }
};

// Lets callers go together.
class Gate {
public:
    explicit Gate(int callers) : missing_(callers) {}
    void pass() {
        missing_--;
        while (missing_ > 0) std::this_thread::yield();
    }

private:
    std::atomic<int> missing_;
};

struct Service {
    std::vector<std::unique_ptr<Prepared>> calls;
    int callers, threads;
    bool shared;
};

// An odd caller takes its threads from OpenMP, whose number it changes as it goes on.
fastroi_exec execution(const Service& service, int caller, size_t i) {
    fastroi_exec exec{};
    exec.struct_size = sizeof exec;
    exec.num_threads = service.threads;
    if (caller % 2 == 0) return exec;
    omp_set_num_threads(1 + (service.threads + (int)i) % 8);
    exec.num_threads = 0;
    return exec;
}

void make_calls(const Service& service, int caller, Gate* gate, std::atomic<int>* failures) {
    gate->pass();
    for (size_t i = 0; i < service.calls.size(); i++) {
        Prepared& prepared = *service.calls[i];
        const fastroi_tensor& out = prepared.outs[service.shared ? 0 : (size_t)caller];
        fastroi_error error;
        if (prepared.call->run(execution(service, caller, i), out, &error) != FASTROI_OK) {
            fprintf(stderr, "%s\n", error.message);
            ++*failures;
        }
    }
}

void run_callers(const Service& service) {
    Gate gate(service.callers);
    std::atomic<int> failures{0};
    std::vector<std::thread> threads;
    for (int caller = 0; caller < service.callers; caller++)
        threads.emplace_back(make_calls, std::cref(service), caller, &gate, &failures);
    for (std::thread& thread : threads) thread.join();
    CHECK_THAT(failures.load(), ==, 0);
    for (const auto& prepared : service.calls)
        for (const std::vector<unsigned char>& result : prepared->results)
            CHECK(service.shared || result == prepared->results[0]);
}

}  // namespace

int main(int count, char** arguments) {
    Option options[] = {{"callers", 2}, {"threads", 2}, {"rounds", 1}, {"seed", 0}, {"shared", 0}};
    read_options(count, arguments, options);
    Service service{{}, (int)options[0].value, (int)options[1].value, options[4].value != 0};
    const int rounds = (int)options[2].value;
    const uint64_t seed = (uint64_t)options[3].value;
    unit::now_checking("%d callers of %d threads", service.callers, service.threads);
    // The table alone says what there is: no call of the core comes before those of the callers.
    for (int round = 0; round < rounds; round++)
        for (int32_t code = 0; const fastroi_operator* op = fastroi_operator_at(code); code++) {
            const bool masks = op->flags & FASTROI_TAKES_MASKS;
            const uint64_t own = Random{seed + (uint64_t)(round * 64 + code)}.bits();
            const int32_t element = own % 2 ? FASTROI_FLOAT32 : FASTROI_FLOAT64;
            const Choice choice = {code, {element, element}, masks ? 129 : 64, (Layout)(own / 2 % layouts), true};
            service.calls.push_back(std::make_unique<Prepared>(choice, own, service.callers));
        }
    run_callers(service);
    printf("calls %lld\n", (long long)service.calls.size() * service.callers);
    return 0;
}
