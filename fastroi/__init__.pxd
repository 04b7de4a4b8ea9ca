# `cimport fastroi` for other extensions: every declaration of fastroi.h (nogil, noexcept), called through the capsule, so
# that nothing has to be linked. Compile with fastroi.get_include() on the include path and call import_fastroi() once.
from fastroi.capi cimport *


cdef extern from *:
    int import_fastroi "fastroi_import_capsule"() except -1
