// Loads of narrow elements by the instructions of a set: of whole vectors and of groups. Included after Vec<float>, words() and bytes() with
// their groups, and a widen() for each element.
#pragma once

namespace fastroi {
namespace {

#define FASTROI_LOADS(E, stored)                                                             \
    inline Vec<float> load(E element, const void* p) { return {widen(element, stored(p))}; } \
    inline Vec<float> load_groups(E element, const void* p, ptrdiff_t group_stride) {        \
        return {widen(element, stored##_of_groups(p, group_stride))};                        \
    }
FASTROI_LOADS(Float16, words)
FASTROI_LOADS(Bfloat16, words)
FASTROI_LOADS(Uint16, words)
FASTROI_LOADS(Int16, words)
FASTROI_LOADS(Uint8, bytes)
FASTROI_LOADS(Int8, bytes)
#undef FASTROI_LOADS

}  // namespace
}  // namespace fastroi
