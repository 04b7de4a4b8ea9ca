// Structs as no caller fills them: a sound call of which some fields hold any bytes. It is refused in words or answered, and what
// is refused for its values has written nothing. Fields that say where memory lies are only spoilt where it is not looked at.
#include "target.h"

namespace fuzz {
namespace {

constexpr unsigned char untouched = 0xa5;

class Spoilt {
public:
    Spoilt(Call& call, Bytes& bytes) : call_(call), bytes_(bytes), code_(call.code) {
        features_ = call.features.data();
        out_ = &call.out.tensor;
        for (int64_t i = bytes.between(1, 3); i > 0; i--) spoil();
    }

    void run() {
        Call& c = call_;
        if (blind_) c.exec.struct_size = sizeof c.exec, c.exec.flow = FASTROI_CHECK_SHAPES, exec_given_ = true;
        c.out.fill_bytes(untouched);
        fastroi_error error;
        memset(&error, 0x5a, sizeof error);
        const fastroi_status status =
            fastroi_run(code_, features_, boxes_given_ ? &c.boxes : nullptr, params_given_ ? c.params.data() : nullptr,
                        out_, exec_given_ ? &c.exec : nullptr, error_given_ ? &error : nullptr);
        if (error_given_) check_error(error, status);
        const bool refused = status == FASTROI_INVALID_VALUE || status == FASTROI_INVALID_TYPE;
        const bool only_checked = exec_given_ && c.exec.flow != FASTROI_POOL;
        if ((refused || only_checked) && !c.out.all_bytes_are(untouched))
            fail("a call that was refused or checked wrote");
    }

private:
    void spoil() {
        switch (bytes_.below(8)) {
            case 0: return spoil_tensor(call_.features[bytes_.below((int64_t)call_.features.size())]);
            case 1: return spoil_tensor(call_.out.tensor);
            case 2: return spoil_tensor(bytes_.one_in(2) ? call_.argmax.tensor : call_.offsets.tensor);
            case 3: return spoil_boxes();
            case 4: return spoil_exec();
            case 5: return spoil_params();
            case 6: return leave_out();
            default: code_ = unknown_operator();
        }
    }

    int32_t unknown_type() {
        const int32_t code = bytes_.raw<int32_t>();
        return code >= 0 && code <= FASTROI_BFLOAT16 ? -1 - code : code;
    }
    int32_t unknown_operator() {
        const int32_t code = bytes_.raw<int32_t>();
        return code >= 0 && code < operator_count() ? operator_count() : code;
    }
    int64_t any_number() { return bytes_.one_in(2) ? bytes_.hostile_int64() : bytes_.below(5); }

    void spoil_tensor(fastroi_tensor& t) {
        const int64_t axis = bytes_.below(4);
        switch (bytes_.below(6)) {
            case 0: t.data = nullptr; return;
            case 1: t.dtype = unknown_type(); return;
            case 2: t.shape[axis] = -1 - bytes_.below(100); return;
            case 3:  // where nothing lies behind a first element, a stride says nothing
                if (t.shape[axis] <= 1) t.strides[axis] = bytes_.hostile_int64();
                return;
            case 4: t.dtype = (int32_t)bytes_.below(FASTROI_UINT64 + 1); break;
            default: (bytes_.one_in(2) ? t.strides : t.shape)[axis] = any_number();
        }
        blind_ = true;
    }
    void spoil_boxes() {
        fastroi_boxes& b = call_.boxes;
        switch (bytes_.below(8)) {
            case 0: b.data = nullptr; return;
            case 1: b.dtype = unknown_type(); return;
            case 2: b.batch_dtype = unknown_type(); return;
            case 3: b.batch_indices = nullptr; return;
            case 4: b.count = -1 - bytes_.below(100); return;
            case 5: b.columns = unknown_type(); return;
            case 6:
                if (b.count <= 1) b.strides[0] = b.batch_stride = bytes_.hostile_int64();
                return;
            default: b.count = any_number(), b.columns = (int32_t)bytes_.below(9);
        }
        blind_ = true;
    }
    void spoil_exec() {
        fastroi_exec& e = call_.exec;
        static constexpr const char* names[] = {"", "none", "baseline", "AVX2",
                                                "a name that is longer than any message about it would like to be"};
        switch (bytes_.below(4)) {
            case 0: e.struct_size = (size_t)any_number(); return;
            case 1: e.num_threads = bytes_.raw<int32_t>() | INT32_MIN; return;
            case 2: e.simd = bytes_.one_of(names); return;
            default: e.flow = bytes_.raw<int32_t>();
        }
    }
    void spoil_params() {
        const Operator& op = *call_.op;
        if (bytes_.one_in(3)) {  // no more than there is, or than any library reads
            const size_t size = (size_t)any_number();
            const bool readable =
                (size <= op.row->params_size && size % sizeof(void*) == 0) || size < sizeof(size_t) || size > 4096;
            memcpy(call_.params.data(), &size, readable ? sizeof size : 0);
            return;
        }
        const fastroi_field* const f = op.row->fields + bytes_.below(op.row->field_count);
        const std::string type = f->type;
        if (type.back() == '*')
            call_.set<const void*>(f, nullptr);
        else if (f == op.levels)
            call_.set<int32_t>(f, -bytes_.below(9));
        else if (type == "int32_t")
            call_.set(f, bytes_.raw<int32_t>());
        else if (type == "double")
            call_.set(f, bytes_.hostile_double()), blind_ = true;
        else
            call_.set(f, any_number()), blind_ = true;  // what is accepted may ask for any amount of work
    }
    void leave_out() {
        switch (bytes_.below(6)) {
            case 0: features_ = nullptr; return;
            case 1: boxes_given_ = false; return;
            case 2: params_given_ = false; return;
            case 3: out_ = nullptr; return;
            case 4: error_given_ = false; return;
            default: exec_given_ = false;
        }
    }

    Call& call_;
    Bytes& bytes_;
    int32_t code_;
    const fastroi_tensor *features_, *out_;
    bool blind_ = false;  // no memory may be looked at: what describes it is untrue
    bool boxes_given_ = true, params_given_ = true, exec_given_ = true, error_given_ = true;
};

}  // namespace

void run(Bytes& bytes) {
    Call call(bytes, Values::any);
    Spoilt(call, bytes).run();
}

}  // namespace fuzz
