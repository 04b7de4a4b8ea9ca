// Elements in memory, one at a time, by vectors and by runs: what there is of load_groups() and store() in vec_*.h is taken, and the
// conversions of element.h where there is nothing.
#pragma once
#include <string.h>

#include "block.inl"

namespace fastroi {
namespace {

template <class E>
constexpr bool is_own = false;
template <class T>
constexpr bool is_own<Own<T>> = true;

template <class E>
constexpr ptrdiff_t item = sizeof(typename E::Stored);

template <class E>
inline typename E::Arithmetic widened(const unsigned char* from) {
    typename E::Stored stored;
    memcpy(&stored, from, sizeof stored);
    return E::widen(stored);
}

template <class E>
inline void write_rounded(typename E::Arithmetic x, unsigned char* to) {
    const typename E::Stored stored = E::round(x);
    memcpy(to, &stored, sizeof stored);
}

// The elements that become 16 bytes of T each, group g of them from p + g * group_stride.
template <class E, class T = typename E::Arithmetic>
inline Vec<T> load_groups(E, const void* p, ptrdiff_t group_stride) {
    constexpr int group = 16 / sizeof(T);
    T lanes[Vec<T>::lanes];
    for (int i = 0; i < Vec<T>::lanes; i++)
        lanes[i] = widened<E>((const unsigned char*)p + i / group * group_stride + i % group * item<E>);
    return Vec<T>::load(lanes);
}
template <class T>
inline Vec<T> load_groups(Own<T>, const void* p, ptrdiff_t group_stride) {
    return Vec<T>::load_groups(p, group_stride);
}

template <class E, class T = typename E::Arithmetic>
inline Vec<T> load(E element, const void* p) {
    return load_groups(element, p, 16 / sizeof(T) * item<E>);
}
template <class T>
inline Vec<T> load(Own<T>, const void* p) {
    return Vec<T>::load(p);
}

template <class E, class T = typename E::Arithmetic>
inline void store(E, Vec<T> v, void* p) {
    T lanes[Vec<T>::lanes];
    v.store(lanes);
    for (int i = 0; i < Vec<T>::lanes; i++) write_rounded<E>(lanes[i], (unsigned char*)p + i * item<E>);
}
template <class T>
inline void store(Own<T>, Vec<T> v, void* p) {
    v.store(p);
}

template <class E, int NV, class T = typename E::Arithmetic>
inline Block<T, NV> load_block(const unsigned char* p) {
    Block<T, NV> b;
    for (int i = 0; i < NV; i++) b.v[i] = load(E{}, p + i * Vec<T>::lanes * item<E>);
    return b;
}

template <class E, int NV, class T = typename E::Arithmetic>
inline void store_block(const Block<T, NV>& b, unsigned char* p) {
    for (int i = 0; i < NV; i++) store(E{}, b.v[i], p + i * Vec<T>::lanes * item<E>);
}

template <class E, class T = typename E::Arithmetic>
inline void widen_run(const unsigned char* from, int64_t count, T* to) {
    if constexpr (is_own<E>) {
        memcpy(to, from, count * sizeof(T));
    } else {
        int64_t i = 0;
        for (; i + Vec<T>::lanes <= count; i += Vec<T>::lanes) load(E{}, from + i * item<E>).store(to + i);
        for (; i < count; i++) to[i] = widened<E>(from + i * item<E>);
    }
}

template <class E, class T = typename E::Arithmetic>
inline void round_run(const T* from, int64_t count, unsigned char* to) {
    if constexpr (is_own<E>) {
        memcpy(to, from, count * sizeof(T));
    } else {
        int64_t i = 0;
        for (; i + Vec<T>::lanes <= count; i += Vec<T>::lanes) store(E{}, Vec<T>::load(from + i), to + i * item<E>);
        for (; i < count; i++) write_rounded<E>(from[i], to + i * item<E>);
    }
}

}  // namespace
}  // namespace fastroi
