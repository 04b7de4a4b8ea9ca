// The function table of fastroi_capsule.h, which _core.pyx wraps in a capsule.
#define FASTROI_TABLE_ONLY
#include "../../fastroi/include/fastroi_capsule.h"

extern "C" const void* fastroi_function_table(void) {
#define FASTROI_TABLE_ENTRY(name) fastroi_##name,
    static const fastroi_functions table = {sizeof(fastroi_functions), FASTROI_ABI_VERSION,
                                            FASTROI_FUNCTIONS(FASTROI_TABLE_ENTRY)};
    return &table;
}
