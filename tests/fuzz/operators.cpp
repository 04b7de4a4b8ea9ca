// Every operator on any map, boxes and params: nothing beyond the caller's memory is touched, every plan lies inside its map
// (FASTROI_CHECK_PLANS), a refused call writes nothing, an accepted one writes every element and no byte between them.
#include "target.h"

namespace fuzz {
namespace {

constexpr unsigned char untouched = 0xa5, untouched_again = 0x5a;

void check_result(const Array& result, fastroi_status status, unsigned char before, const char* name) {
    const bool refused = status == FASTROI_INVALID_VALUE || status == FASTROI_INVALID_TYPE;
    if (refused && !result.all_bytes_are(before)) fail("a refused call wrote to", name);
    if (status == FASTROI_OK && !result.gaps_are(before)) fail("bytes between the elements are written in", name);
}

// A small element may be what was there before, but not twice.
void check_all_are_written(Call& call, const Array& result, const char* name) {
    const std::vector<const unsigned char*> left = result.elements_of(untouched);
    if (left.empty()) return;
    result.fill_bytes(untouched_again);
    call.run();
    const std::vector<const unsigned char*> again = result.elements_of(untouched_again);
    for (const unsigned char* element : left)
        if (std::count(again.begin(), again.end(), element)) fail("an element is not written in", name);
    result.fill_bytes(untouched);
    call.run();
}

}  // namespace

void run(Bytes& bytes) {
    Call call(bytes, Values::any);
    choose_instruction_set(call, bytes);
    if (bytes.one_in(12)) call.exec.flow = (int32_t)bytes.between(FASTROI_POOL, FASTROI_CHECK_SHAPES);
    const bool zeroed = call.get<int32_t>(call.op->zeroed, 0) != 0;
    const unsigned char before = zeroed ? 0 : untouched;
    call.out.fill_bytes(before);
    call.argmax.fill_bytes(untouched);
    const fastroi_status status = call.run();
    if (call.exec.flow != FASTROI_POOL) {
        if (!call.out.all_bytes_are(before) || !call.argmax.all_bytes_are(untouched)) fail("a check wrote");
        return;
    }
    if (status == FASTROI_OK && !zeroed) check_all_are_written(call, call.out, "out");
    if (status == FASTROI_OK) check_all_are_written(call, call.argmax, "argmax");
    check_result(call.out, status, before, "out");
    check_result(call.argmax, status, untouched, "argmax");
}

}  // namespace fuzz
