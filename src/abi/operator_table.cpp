#include "operator_table.h"

#include <cstddef>
#include <iterator>

namespace fastroi {
namespace {

// The names of what a field may say that it is one of, under the name of that list; what is no choice has none.
#define FASTROI_NAME(enumerator, name) #name,
#define FASTROI_NAMES(list, CHOICES)                         \
    constexpr int32_t list##_count = FASTROI_COUNT(CHOICES); \
    constexpr const char* list##_names[] = {CHOICES(FASTROI_NAME) nullptr};
#define FASTROI_NO_NAMES(list)          \
    constexpr int32_t list##_count = 0; \
    constexpr const char* const* list##_names = nullptr;
FASTROI_CHOICES(FASTROI_NAMES)
FASTROI_NO_NAMES(number)
FASTROI_NO_NAMES(flag)
FASTROI_NO_NAMES(array)

#define FASTROI_FIELD(type, name, of) {#name, #type, offsetof(Params, name), #of, of##_count, of##_names},
#define FASTROI_FIELD_TABLE(name, FIELDS, flags)                    \
    namespace name##_table {                                        \
        using Params = fastroi_##name##_params;                     \
        constexpr fastroi_field fields[] = {FIELDS(FASTROI_FIELD)}; \
    }
FASTROI_OPERATORS(FASTROI_FIELD_TABLE)

#define FASTROI_ROW(name, FIELDS, flags) \
    {#name, flags, sizeof(name##_table::Params), (int32_t)std::size(name##_table::fields), name##_table::fields},
constexpr fastroi_operator operators[] = {FASTROI_OPERATORS(FASTROI_ROW)};

template <class Params>
Params read_params(const void* from, const fastroi_operator& op) {
    if (!from) refuse(FASTROI_INVALID_VALUE, -1, "params: NULL");
    const Params params = read_struct((const Params*)from, Params{}, "params");
    for (int32_t i = 0; i < op.field_count; i++) {
        const fastroi_field& field = op.fields[i];
        if (!field.choices) continue;
        int32_t code;
        memcpy(&code, (const unsigned char*)&params + field.offset, sizeof code);
        if (code < 0 || code >= field.choice_count)
            refuse(FASTROI_INVALID_VALUE, -1, "%s: unknown code %d", field.name, code);
    }
    return params;
}

}  // namespace

const fastroi_element* element_at(int32_t index) {
#define FASTROI_X(name, code, type) {#name, code, sizeof(type::Stored)},
    static constexpr fastroi_element elements[] = {FASTROI_ELEMENTS(FASTROI_X)};
#undef FASTROI_X
    return index >= 0 && index < (int32_t)std::size(elements) ? &elements[index] : nullptr;
}

const fastroi_operator* operator_at(int32_t code) {
    return code >= 0 && code < (int32_t)std::size(operators) ? &operators[code] : nullptr;
}

void run_operator(int32_t code, const Request& request, const void* params) {
#define FASTROI_CASE(name, FIELDS, flags) \
    case FASTROI_OPERATOR_##name: return name(request, read_params<fastroi_##name##_params>(params, operators[code]));
    switch (code) { FASTROI_OPERATORS(FASTROI_CASE) }
    refuse(FASTROI_INVALID_VALUE, -1, "operator: unknown code %d", code);
}

}  // namespace fastroi
