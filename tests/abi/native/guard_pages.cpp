// Every operator with every array flush against memory that cannot be touched: one byte read or written outside of any is a fault,
// and what faults says which call it was.
//
// A grid of operators and their elements x channels x layouts x either end, each on all instruction sets; what the grid leaves open
// is drawn anew for each of its cases.
//
//   guard_pages [--share=S --least=N] [--seed=N] [--case=N] [--operator=N] [--displaced=ROLE]
//
// Takes the share S of whatever is more: the grid, or N calls.
#include <sys/mman.h>

#include <memory>
#include <numeric>

#include "any_call.h"

namespace {

using namespace calls;

constexpr int64_t widest = 129;

// Blocks at one end of a region between two pages that nobody may touch. Inputs can be filled by one mapping of theirs, and only
// be read by the one that is given.
class GuardedRegion {
public:
    GuardedRegion(int64_t bytes, bool writable) : bytes_(bytes) {
        const int file = memfd_create("guarded", 0);
        CHECK(file >= 0);
        CHECK(ftruncate(file, bytes) == 0);
        filled_ = between_guards(file, PROT_READ | PROT_WRITE);
        given_ = writable ? filled_ : between_guards(file, PROT_READ);
        close(file);
    }
    Memory::Block at_end(int64_t bytes) const { return at(bytes_ - bytes, bytes); }
    Memory::Block at_start(int64_t bytes) const { return at(0, bytes); }

private:
    unsigned char* between_guards(int file, int protection) const {
        const int64_t page = sysconf(_SC_PAGESIZE);
        void* const all = mmap(nullptr, bytes_ + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        CHECK(all != MAP_FAILED);
        unsigned char* const inside = (unsigned char*)all + page;
        CHECK(mmap(inside, bytes_, protection, MAP_SHARED | MAP_FIXED, file, 0) == inside);
        return inside;
    }
    Memory::Block at(int64_t offset, int64_t bytes) const {
        CHECK_THAT(bytes, <=, bytes_);
        return {filled_ + offset, given_ + offset};
    }

    int64_t bytes_;
    unsigned char *filled_, *given_;
};

// A region for each array of a call.
class GuardedMemory : public Memory {
public:
    void use_end(bool end) { at_end_ = end; }
    void give_all_back() override { std::fill(std::begin(taken_), std::end(taken_), 0); }

private:
    Block place(Role role, int64_t bytes) override {
        std::vector<std::unique_ptr<GuardedRegion>>& regions = regions_[role];
        if (taken_[role] == regions.size())
            regions.push_back(std::make_unique<GuardedRegion>(64 << 20, role == result_role));
        const GuardedRegion& region = *regions[taken_[role]++];
        return at_end_ ? region.at_end(bytes) : region.at_start(bytes);
    }

    bool at_end_ = true;
    std::vector<std::unique_ptr<GuardedRegion>> regions_[result_role + 1];
    size_t taken_[result_role + 1] = {};
};

struct Grid {
    std::vector<Row> rows;
    int64_t only_operator;  // negative: all

    explicit Grid(int64_t code) : rows(operators_and_elements()), only_operator(code) {
        const auto other = [&](const Row& row) { return code >= 0 && row.code != code; };
        rows.erase(std::remove_if(rows.begin(), rows.end(), other), rows.end());
    }
    int64_t cases() const { return (int64_t)rows.size() * widest * layouts * 2; }
    Choice choice(int64_t i, bool* at_end) const {
        *at_end = i % 2;
        const Layout layout = (Layout)(i / 2 % layouts);
        const int64_t channels = 1 + i / 2 / layouts % widest;
        const Row& row = rows[(size_t)(i / 2 / layouts / widest)];
        return {row.code, row.types, channels, layout, false};
    }
};

int64_t isa_count() {
    int64_t count = 0;
    while (fastroi_simd_supported((int32_t)count)) count++;
    return count;
}

int64_t run_case(const Grid& grid, int64_t i, uint64_t seed, int displaced, GuardedMemory& memory) {
    Random random{Random{seed + (uint64_t)i * 0x9e3779b9u}.bits()};
    bool at_end;
    Choice choice = grid.choice(i, &at_end);
    choice.large = random.one_in(24);
    memory.give_all_back();
    memory.use_end(at_end);
    memory.displace(displaced, at_end ? 1 : -1);
    AnyCall call(choice, memory, random);
    char again[100];
    snprintf(again, sizeof again, "guard_pages --case=%lld --seed=%llu --operator=%lld", (long long)i,
             (unsigned long long)seed, (long long)grid.only_operator);
    int64_t calls = 0;
    for (int32_t isa = 0; const char* name = fastroi_simd_supported(isa); isa++, calls++) {
        fastroi_exec exec{};
        exec.struct_size = sizeof exec;
        exec.num_threads = 1 + (int32_t)random.below(2);
        exec.simd = name;
        now_calling(choice, call, name, again);
        call.clear_results();
        fastroi_error error;
        const fastroi_status status = call.run(exec, &error);
        if (memory.displaces()) continue;  // what is read then may be refused
        if (status != FASTROI_OK) unit::fail(__FILE__, __LINE__, error.message);
        call.check_results();
    }
    return calls;
}

// Every case of a grid once, in an order in which any part of it has something of everything.
struct Order {
    int64_t cases, first, step;
    Order(int64_t cases, uint64_t seed) : cases(cases), first((int64_t)(Random{seed}.bits() % (uint64_t)cases)) {
        for (step = (int64_t)((double)cases * 0.6180339887) | 1; std::gcd(step, cases) != 1;) step += 2;
    }
    int64_t operator[](int64_t j) const { return (first + j % cases * step) % cases; }
};

}  // namespace

int main(int count, char** arguments) {
    Option options[] = {{"share", 1}, {"least", 0}, {"seed", 0}, {"case", -1}, {"operator", -1}, {"displaced", -1}};
    read_options(count, arguments, options);
    const double share = options[0].value, least = options[1].value;
    const uint64_t seed = (uint64_t)options[2].value;
    const int64_t only = (int64_t)options[3].value, code = (int64_t)options[4].value;
    const int displaced = (int)options[5].value;
    const Grid grid(code);
    GuardedMemory memory;
    unit::report_faults();
    if (only >= 0) return run_case(grid, only, seed, displaced, memory) == 0;
    const Order order(grid.cases(), seed);
    const double whole = std::max(least, (double)(grid.cases() * isa_count()));
    int64_t calls = 0;
    // A round later the same case of the grid is another call.
    for (int64_t j = 0; (double)calls < share * whole; j++)
        calls += run_case(grid, order[j], seed + (uint64_t)(j / grid.cases()) * 1000003u, displaced, memory);
    printf("rows %lld\nisas %lld\nwhole %.0f\ncalls %lld\n", (long long)grid.rows.size(), (long long)isa_count(), whole,
           (long long)calls);
    return 0;
}
