// Every instruction set of this machine beside the baseline: the same answer, the same maxima, sums within their rounding; and the
// same bits from those that fuse products and sums.
#include "results.h"
#include "target.h"

namespace fuzz {
namespace {

struct Answer {
    fastroi_status status;
    std::vector<double> values, places;
};

Answer answer_of(Call& call, const char* name) {
    call.exec.simd = name;
    call.out.fill_bytes(0);
    call.argmax.fill_bytes(0);
    const fastroi_status status = call.run();
    return {status, numbers_of(call.out), numbers_of(call.argmax)};
}

bool is_maximum_of_cells(const Call& call) {
    return call.op->argmax && call.get<int32_t>(call.op->reduce, 0) == FASTROI_REDUCE_MAX;
}

void require_same(const std::vector<double>& a, const std::vector<double>& b, const char* what) {
    for (size_t i = 0; i < a.size(); i++)
        if (!is_same(a[i], b[i])) fail("instruction sets differ in", what);
}

void require_near(const Call& call, const Answer& a, const Answer& b) {
    if (call.out.tensor.dtype == FASTROI_UINT8) return;  // a value at the threshold may fall on either side of it
    const Tolerance tolerance(call);
    for (size_t i = 0; i < a.values.size(); i++)
        if (!tolerance.allows(a.values[i], b.values[i]))
            fail("sums differ from the baseline's by more than their rounding");
}

}  // namespace

void run(Bytes& bytes) {
    Call call(bytes, Values::finite);
    const Answer baseline = answer_of(call, "baseline");
    Answer fused{};
    for (int32_t i = 0; const char* name = fastroi_simd_supported(i); i++) {
        if (strcmp(name, "baseline") == 0) continue;
        const Answer answer = answer_of(call, name);
        if (answer.status != baseline.status) fail("another status than the baseline's with", name);
        if (answer.status != FASTROI_OK) continue;
        require_same(answer.places, baseline.places, "places of maxima");
        if (is_maximum_of_cells(call)) require_same(answer.values, baseline.values, "maxima");
        require_near(call, answer, baseline);
        if (i > 0) require_same(answer.values, fused.values, "bits of fused sums");
        fused = answer;
    }
}

}  // namespace fuzz
