# The table of operators, and the parameters of a call by name. Part of _core.pyx.

cdef enum:
    MOST_PARAMS_BYTES = 256

cdef enum Kind:
    INT32, INT64, DOUBLE, TENSOR, DOUBLES, INT64S

_KINDS = {
    "int32_t": INT32, "int64_t": INT64, "double": DOUBLE,
    "const fastroi_tensor *": TENSOR, "const double *": DOUBLES, "const int64_t *": INT64S,
}


cdef class Field:
    """A field of an operator's params: what it is of, and the names of its codes if it is a choice."""

    cdef readonly str name, type, of
    cdef readonly tuple choices
    cdef readonly size_t offset
    cdef Kind kind
    cdef dict codes


cdef Field read_field(const fastroi_field *row):
    cdef Field field = Field.__new__(Field)
    cdef int code = 0
    field.name, field.type, field.of, field.offset = row.name.decode(), row.type.decode(), row.of.decode(), row.offset
    field.kind = _KINDS[field.type]
    if row.choices != NULL:
        names = []
        while row.choices[code] != NULL:
            names.append(row.choices[code].decode())
            code += 1
        field.choices, field.codes = tuple(names), {name: code for code, name in enumerate(names)}
    return field


cdef class Operator:
    """A row of FASTROI_OPERATORS: its name, the fields of its params by name, and what it takes."""

    cdef readonly str name
    cdef readonly dict fields
    cdef readonly int flags
    cdef dict pairs  # of fields that are called NAME_h and NAME_w, by NAME
    cdef int code
    cdef size_t params_size


cdef dict read_operators():
    cdef const fastroi_operator *row
    cdef Operator operator
    cdef int code = 0
    operators = {}
    while True:
        row = fastroi_operator_at(code)
        if row == NULL:
            return operators
        operator = Operator.__new__(Operator)
        operator.name, operator.flags, operator.code = row.name.decode(), row.flags, code
        if row.params_size > MOST_PARAMS_BYTES:
            raise ImportError(f"{operator.name}: params of {row.params_size} bytes")
        operator.params_size = row.params_size
        operator.fields = {}
        for i in range(row.field_count):
            field = read_field(&row.fields[i])
            operator.fields[field.name] = field
        operator.pairs = {
            name.removesuffix("_h"): (field, operator.fields[name.removesuffix("h") + "w"])
            for name, field in operator.fields.items() if name.endswith("_h")
        }
        operators[operator.name] = operator
        code += 1


OPERATORS = read_operators()


cdef class Params:
    """The parameters of one call of an operator, by name: choices by their names, flags, numbers; arrays with `attach`.

    NAME of two fields NAME_h and NAME_w takes both, vertical first.
    """

    cdef readonly Operator operator
    cdef readonly dict arrays
    cdef unsigned char memory[MOST_PARAMS_BYTES]

    def __init__(self, str operator, **values):
        cdef Operator row = <Operator>(<dict>OPERATORS)[operator]
        self.operator = row
        self.arrays = {}
        memset(self.memory, 0, row.params_size)
        (<size_t *>self.memory)[0] = row.params_size
        for name, value in values.items():
            pair = row.pairs.get(name)
            if pair is None:
                self.set(<Field>row.fields[name], value)
            else:
                vertical, horizontal = value
                self.set(<Field>(<tuple>pair)[0], vertical)
                self.set(<Field>(<tuple>pair)[1], horizontal)

    cdef int set(self, Field field, value) except -1:
        cdef unsigned char *at = self.memory + field.offset
        if field.codes is not None:
            code = field.codes.get(value) if isinstance(value, str) else None
            if code is None:
                raise ValueError(f"{field.name}: {shown(value)} is not one of {', '.join(map(repr, field.choices))}")
            (<int32_t *>at)[0] = code
        elif field.kind == INT32:
            (<int32_t *>at)[0] = value
        elif field.kind == INT64:
            (<int64_t *>at)[0] = value
        else:
            (<double *>at)[0] = value
        return 0

    def __getitem__(self, str name):
        """The number that stands for a field: of a choice its code."""
        cdef Field field = self.operator.fields[name]
        cdef unsigned char *at = self.memory + field.offset
        if field.kind == INT32:
            return (<int32_t *>at)[0]
        return (<int64_t *>at)[0] if field.kind == INT64 else (<double *>at)[0]

    def attach(self, str name, array, int dtype=0):
        """An array that is a parameter: a view as `run` takes it with its dtype code, or numbers in one dimension."""
        self.arrays[name] = array, dtype

    def with_arrays(self, dict arrays):
        """The same parameters with other arrays."""
        cdef Params copy = Params.__new__(Params)
        copy.operator, copy.arrays = self.operator, arrays
        memcpy(copy.memory, self.memory, sizeof(self.memory))
        return copy

    cdef list point_to_arrays(self):
        """Put addresses into the params; what they point to lives as long as the result."""
        kept = []
        for name, (array, dtype) in self.arrays.items():
            self.point_to(<Field>self.operator.fields[name], array, dtype, kept)
        return kept

    cdef int point_to(self, Field field, array, int dtype, list kept) except -1:
        cdef void **at = <void **>(self.memory + field.offset)
        cdef const double[::1] doubles
        cdef const int64_t[::1] integers
        cdef Tensor tensor
        if field.kind == TENSOR:
            tensor = Tensor(array, dtype)
            kept.append(tensor)
            at[0] = &tensor.tensor
        elif field.kind == DOUBLES:
            doubles = array
            at[0] = <void *>&doubles[0]
        else:
            integers = array
            at[0] = <void *>&integers[0]
        return 0
