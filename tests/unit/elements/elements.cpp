// Elements behind plain C functions, for test_elements.py: the conversions of element.h, the ports of each instruction set, and
// operators whose maps and outputs are stored as any element that has a port.
#include <cfenv>

#include "../../../src/kernels/dispatch.h"
#include "../../../src/operators/planning.h"
#include "../../../src/run/run.h"
#include "../../../src/run/stop_sign.h"
#include "../../../src/run/work_plan.h"

using namespace fastroi;

static_assert((int)Element::float32 == FASTROI_FLOAT32 && (int)Element::float64 == FASTROI_FLOAT64 &&
              (int)Element::float16 == FASTROI_FLOAT16);
static_assert((int)Element::int8 == FASTROI_INT8 && (int)Element::int16 == FASTROI_INT16);
static_assert((int)Element::uint8 == FASTROI_UINT8 && (int)Element::uint16 == FASTROI_UINT16);

namespace {

template <class E>
void widen_all(const typename E::Stored* from, typename E::Arithmetic* to, int64_t count) {
    for (int64_t i = 0; i < count; i++) to[i] = E::widen(from[i]);
}

template <class E>
void round_all(const typename E::Arithmetic* from, typename E::Stored* to, int64_t count) {
    for (int64_t i = 0; i < count; i++) to[i] = E::round(from[i]);
}

MaxOverRanges<float> max_part(const std::vector<Box>& boxes, const Job& job) {
    const Batch all{boxes, 0, (int64_t)boxes.size(), 1};
    const auto ranges = [](const Side& side) { return quantised_ranges(RangeRule::fast_rcnn, side); };
    return {{plan_ranges(all, job.out, SidesOnMap{job.maps[0], job.out}, ranges)}, job.maps[0].columns};
}

SumOverTaps<float> mean_part(const std::vector<Box>& boxes, const Job& job) {
    const Batch all{boxes, 0, (int64_t)boxes.size(), 1};
    const AlignRule rule = align_rule((int32_t)Aligned::asymmetric);
    const auto taps = [&](const Side& side) { return align_taps<double>(rule, side); };
    return {{plan_taps<float>(all, Finish::sum, SidesOnMap{job.maps[0], job.out}, taps)}, 0};
}

// One bit for each way in which images are accessed, and one for outputs that are streamed, by rows of bins or otherwise.
template <class Reduction>
int ways(const Reduction& reduction, const Job& job) {
    const WorkPlan<float, Reduction> work(reduction, job, reduction.all());
    int bits = work.streams_rows() ? 128 : work.stream ? 64 : 0;
    for (const ImageRois& rois : work.images) bits |= 1 << (int)rois.access;
    return bits;
}

}  // namespace

#pragma GCC visibility push(default)
extern "C" {

const char* elements(void) {
#define FASTROI_X(name, code, type) #name " "
    return FASTROI_ELEMENTS(FASTROI_X);
#undef FASTROI_X
}

int code_and_size(const char* element, int64_t* size) {
#define FASTROI_X(name, code, type) \
    if (!strcmp(element, #name)) return *size = item_size(Element::name), code;
    FASTROI_ELEMENTS(FASTROI_X)
#undef FASTROI_X
    return -1;
}

void widen(int element, const void* from, void* to, int64_t count) {
#define FASTROI_X(name, code, type) \
    if (element == code) widen_all<type>((const type::Stored*)from, (type::Arithmetic*)to, count);
    FASTROI_ELEMENTS(FASTROI_X)
#undef FASTROI_X
}

void round_numbers(int element, const void* from, void* to, int64_t count) {
#define FASTROI_X(name, code, type) \
    if (element == code) round_all<type>((const type::Arithmetic*)from, (type::Stored*)to, count);
    FASTROI_ELEMENTS(FASTROI_X)
#undef FASTROI_X
}

// Rounding upward, subnormal operands and results taken for zero; or as a process begins.
void set_environment(int unusual) {
    fesetround(unusual ? FE_UPWARD : FE_TONEAREST);
#if defined(__x86_64__)
    const unsigned flush = 0x8040, state = __builtin_ia32_stmxcsr();
    __builtin_ia32_ldmxcsr(unusual ? state | flush : state & ~flush);
#else
    const uint64_t flush = 1 << 24;
    uint64_t state;
    asm volatile("mrs %0, fpcr" : "=r"(state));
    asm volatile("msr fpcr, %0" ::"r"(unusual ? state | flush : state & ~flush));
#endif
}

int64_t lanes(const char* isa, int width) { return find_kernels(isa)->f32[width].lanes; }

bool has_port(const char* isa, int width, int element) {
    return find_kernels(isa)->f32[width].port((Element)element).pack;
}

void pack(const char* isa, int width, int element, const PlanarBlock* map, int rows, int columns, float* to) {
    find_kernels(isa)->f32[width].port((Element)element).pack(*map, {0, rows}, {0, columns}, to);
}

void unpack(const char* isa, int width, int element, const BinTile* bins, int64_t rows, int64_t columns,
            const PlanarBins* out) {
    const BlockKernels<float>& kernels = find_kernels(isa)->f32[width];
    std::vector<float> staging((rows * columns + 1) * kernels.lanes);
    kernels.port((Element)element).unpack(*bins, rows, columns, *out, staging.data());
    find_kernels(isa)->end_streaming();
}

void stream(const char* isa, int element, const float* from, unsigned char* to, int64_t count) {
    find_kernels(isa)->f32[0].port((Element)element).stream(from, to, count);
    find_kernels(isa)->end_streaming();
}

// Maxima over ranges, or means of bilinear samples; an element of -1 is the default. Returns the ways taken.
int pool(const char* isa, int mean, int threads, int map_element, const fastroi_tensor* map, int out_element,
         const fastroi_tensor* out, const double* boxes, int64_t count) {
    StopSign stop(nullptr, nullptr);
    Job job{{read_tensor(map, "map")}, read_tensor(out, "out"), {}, {threads, find_kernels(isa), FASTROI_POOL, &stop}};
    job.windows = whole_window(job.out);
    if (map_element >= 0) job.map_element = (Element)map_element;
    if (out_element >= 0) job.out_element = (Element)out_element;
    std::vector<Box> rois(count);
    for (int64_t i = 0; i < count; i++) {
        for (int c = 0; c < 4; c++) rois[i].coordinate[c] = boxes[4 * i + c];
        rois[i].image = i % job.maps[0].images;
    }
    const PlanPart part = mean ? PlanPart(mean_part(rois, job)) : PlanPart(max_part(rois, job));
    fastroi::pool(part, job);
    return mean ? ways(std::get<SumOverTaps<float>>(part), job) : ways(std::get<MaxOverRanges<float>>(part), job);
}
}
