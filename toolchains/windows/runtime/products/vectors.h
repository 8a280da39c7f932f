// Registers of one CPU level: loads that convert, stores that round, transposes, exp and the rest of
// what kernels need. A kernel file is compiled once per level; the namespace keeps the instances of
// one level out of the other's way at link time (an inline function of AVX-512 code that the linker
// chose for everybody would fault on an ordinary PC), which is also why nothing of std is used here.
#pragma once

#include <immintrin.h>

#include <cstdint>

#ifndef AOTWIN_LEVEL
#error "compile kernel files with -DAOTWIN_LEVEL=3 (AVX2) or 4 (AVX-512)"
#endif
#if AOTWIN_LEVEL == 4
#define AOTWIN_LEVEL_NAMESPACE level4
#else
#define AOTWIN_LEVEL_NAMESPACE level3
#endif

namespace aotwin::runtime::products::AOTWIN_LEVEL_NAMESPACE {

inline constexpr int register_bytes = AOTWIN_LEVEL == 4 ? 64 : 32;
#define AOTWIN_ALWAYS [[gnu::always_inline]] inline

template <class T>
inline constexpr int lanes = register_bytes / static_cast<int>(sizeof(T));

// A vector of `N` elements, and the same one where memory need not be aligned.
template <class T, int N>
struct VectorOf {
  typedef T type __attribute__((vector_size(N * sizeof(T))));
  typedef T loose __attribute__((vector_size(N * sizeof(T)), aligned(alignof(T)), may_alias));
};
template <class T>
using Vector = typename VectorOf<T, lanes<T>>::type;

template <class T>
AOTWIN_ALWAYS Vector<T> spread(T value) {
  Vector<T> result = {};
  return result + value;
}
template <>
AOTWIN_ALWAYS Vector<float> spread(float value) {
  typedef Vector<float> V;
  V result;
  for (int i = 0; i < lanes<float>; ++i) result[i] = value;
  return result;
}
template <>
AOTWIN_ALWAYS Vector<double> spread(double value) {
  typedef Vector<double> V;
  V result;
  for (int i = 0; i < lanes<double>; ++i) result[i] = value;
  return result;
}

template <>
AOTWIN_ALWAYS Vector<int32_t> spread(int32_t value) {
  typedef Vector<int32_t> V;
  V result;
  for (int i = 0; i < lanes<int32_t>; ++i) result[i] = value;
  return result;
}

struct bfloat {  // 16 bits as they lie; arithmetic is in float
  uint16_t bits;
};
typedef _Float16 half;

// lanes<C> elements of memory as a register of C.
template <class C>
AOTWIN_ALWAYS Vector<C> load(const C* from) {
  return *reinterpret_cast<const typename VectorOf<C, lanes<C>>::loose*>(from);
}
template <class C>
AOTWIN_ALWAYS Vector<C> load(const bfloat* from) {
  static_assert(sizeof(C) == 4);
  typedef typename VectorOf<uint16_t, lanes<C>>::loose Raw;
  const auto wide = __builtin_convertvector(*reinterpret_cast<const Raw*>(from), Vector<uint32_t>);
  return reinterpret_cast<Vector<C>>(wide << 16);
}
template <class C>
AOTWIN_ALWAYS Vector<C> load(const half* from) {
  static_assert(sizeof(C) == 4);
  typedef typename VectorOf<half, lanes<C>>::loose Raw;
  return __builtin_convertvector(*reinterpret_cast<const Raw*>(from), Vector<C>);
}

template <class C>
AOTWIN_ALWAYS Vector<C> load(const int8_t* from) {
  static_assert(sizeof(C) == 4);
  typedef typename VectorOf<int8_t, lanes<C>>::loose Raw;
  return __builtin_convertvector(__builtin_convertvector(*reinterpret_cast<const Raw*>(from), Vector<int32_t>), Vector<C>);
}

// The first `count` elements, less than a register of them; the others are 0, and their memory is not read.
template <class C, class S>
AOTWIN_ALWAYS Vector<C> load_part(const S* from, int count) {
  S whole[lanes<C>] = {};
  for (int i = 0; i < count; ++i) whole[i] = from[i];
  return load<C>(whole);
}
template <>
AOTWIN_ALWAYS Vector<float> load_part<float, float>(const float* from, int count) {
#if AOTWIN_LEVEL == 4
  return reinterpret_cast<Vector<float>>(_mm512_maskz_loadu_ps(static_cast<__mmask16>((1U << count) - 1), from));
#else
  const Vector<int32_t> number = {0, 1, 2, 3, 4, 5, 6, 7};
  return reinterpret_cast<Vector<float>>(_mm256_maskload_ps(from, reinterpret_cast<__m256i>(number < count)));
#endif
}

AOTWIN_ALWAYS float widen(int8_t value) { return static_cast<float>(value); }
AOTWIN_ALWAYS float widen(float value) { return value; }
AOTWIN_ALWAYS double widen(double value) { return value; }
AOTWIN_ALWAYS float widen(half value) { return static_cast<float>(value); }
AOTWIN_ALWAYS float widen(bfloat value) {
  return __builtin_bit_cast(float, static_cast<uint32_t>(value.bits) << 16);
}

template <class C>
AOTWIN_ALWAYS void store(C* to, Vector<C> value) {
  *reinterpret_cast<typename VectorOf<C, lanes<C>>::loose*>(to) = value;
}
template <class C>
AOTWIN_ALWAYS void store(half* to, Vector<C> value) {
  typedef typename VectorOf<half, lanes<C>>::type Narrow;
  *reinterpret_cast<typename VectorOf<half, lanes<C>>::loose*>(to) = __builtin_convertvector(value, Narrow);
}
// Round to nearest, ties to even; NaN stays a NaN, whatever its payload.
template <class C>
AOTWIN_ALWAYS void store(bfloat* to, Vector<C> value) {
  const auto bits = reinterpret_cast<Vector<uint32_t>>(value);
  auto rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16;
  const auto nan = reinterpret_cast<Vector<uint32_t>>(value != value);
  rounded = (rounded & ~nan) | (nan & 0x7FC0);
  typedef typename VectorOf<uint16_t, lanes<C>>::type Narrow;
  *reinterpret_cast<typename VectorOf<uint16_t, lanes<C>>::loose*>(to) = __builtin_convertvector(rounded, Narrow);
}
AOTWIN_ALWAYS void narrow(float* to, float value) { *to = value; }
AOTWIN_ALWAYS void narrow(double* to, double value) { *to = value; }
AOTWIN_ALWAYS void narrow(half* to, float value) { *to = static_cast<half>(value); }
AOTWIN_ALWAYS void narrow(bfloat* to, float value) {
  const auto bits = __builtin_bit_cast(uint32_t, value);
  to->bits = value != value ? 0x7FC0 : static_cast<uint16_t>((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
}

template <class V>
AOTWIN_ALWAYS V multiply_add(V a, V b, V c) {
  return __builtin_elementwise_fma(a, b, c);
}

// Sum over a register, by halves: the same order whatever surrounds it.
template <class C>
AOTWIN_ALWAYS C sum_of(Vector<C> value) {
  C parts[lanes<C>];
  *reinterpret_cast<typename VectorOf<C, lanes<C>>::loose*>(parts) = value;
#pragma clang loop unroll(full)
  for (int width = lanes<C> / 2; width > 0; width /= 2) {
#pragma clang loop unroll(full)
    for (int i = 0; i < width; ++i) parts[i] += parts[i + width];
  }
  return parts[0];
}
// The same of several registers: four of floats share the last steps.
template <class C, int Count>
AOTWIN_ALWAYS void sums_of(const Vector<C> (&values)[Count], C (&sums)[Count]) {
  if constexpr (sizeof(C) == 4 && Count == 4) {
    typedef typename VectorOf<C, 4>::type Four;
    Four r[4];
#pragma clang loop unroll(full)
    for (int i = 0; i < 4; ++i) {
      C parts[lanes<C>];
      *reinterpret_cast<typename VectorOf<C, lanes<C>>::loose*>(parts) = values[i];
#pragma clang loop unroll(full)
      for (int width = lanes<C> / 2; width >= 4; width /= 2) {
#pragma clang loop unroll(full)
        for (int j = 0; j < width; ++j) parts[j] += parts[j + width];
      }
      r[i] = *reinterpret_cast<typename VectorOf<C, 4>::loose*>(parts);
    }
    const Four one = __builtin_shufflevector(r[0], r[1], 0, 1, 4, 5) + __builtin_shufflevector(r[0], r[1], 2, 3, 6, 7);
    const Four two = __builtin_shufflevector(r[2], r[3], 0, 1, 4, 5) + __builtin_shufflevector(r[2], r[3], 2, 3, 6, 7);
    *reinterpret_cast<typename VectorOf<C, 4>::loose*>(sums) = __builtin_shufflevector(one, two, 0, 2, 4, 6) + __builtin_shufflevector(one, two, 1, 3, 5, 7);
  } else {
#pragma clang loop unroll(full)
    for (int i = 0; i < Count; ++i) sums[i] = sum_of<C>(values[i]);
  }
}
template <class C>
AOTWIN_ALWAYS C largest_of(Vector<C> value) {
  return __builtin_reduce_max(value);
}

// A square of lanes<C> registers, mirrored at its diagonal.
AOTWIN_ALWAYS void transpose(Vector<float> (&r)[lanes<float>]) {
#if AOTWIN_LEVEL == 4
  Vector<float> t[16];
#pragma clang loop unroll(full)
  for (int i = 0; i < 16; i += 2) {
    t[i] = __builtin_shufflevector(r[i], r[i + 1], 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29);
    t[i + 1] = __builtin_shufflevector(r[i], r[i + 1], 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31);
  }
#pragma clang loop unroll(full)
  for (int i = 0; i < 16; i += 4) {
#pragma clang loop unroll(full)
    for (int j = 0; j < 2; ++j) {
      r[i + 2 * j] = __builtin_shufflevector(t[i + j], t[i + j + 2], 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29);
      r[i + 2 * j + 1] = __builtin_shufflevector(t[i + j], t[i + j + 2], 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31);
    }
  }
  // Now r[i + c] holds, for the four rows i.., columns c, 4 + c, 8 + c, 12 + c in its four quarters.
#pragma clang loop unroll(full)
  for (int i = 0; i < 16; i += 8) {
#pragma clang loop unroll(full)
    for (int c = 0; c < 4; ++c) {
      t[i + c] = __builtin_shufflevector(r[i + c], r[i + c + 4], 0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27);
      t[i + c + 4] = __builtin_shufflevector(r[i + c], r[i + c + 4], 4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31);
    }
  }
#pragma clang loop unroll(full)
  for (int c = 0; c < 8; ++c) {
    r[c] = __builtin_shufflevector(t[c], t[c + 8], 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23);
    r[c + 8] = __builtin_shufflevector(t[c], t[c + 8], 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
  }
#else
  Vector<float> t[8];
#pragma clang loop unroll(full)
  for (int i = 0; i < 8; i += 2) {
    t[i] = __builtin_shufflevector(r[i], r[i + 1], 0, 8, 1, 9, 4, 12, 5, 13);
    t[i + 1] = __builtin_shufflevector(r[i], r[i + 1], 2, 10, 3, 11, 6, 14, 7, 15);
  }
#pragma clang loop unroll(full)
  for (int i = 0; i < 8; i += 4) {
#pragma clang loop unroll(full)
    for (int j = 0; j < 2; ++j) {
      r[i + 2 * j] = __builtin_shufflevector(t[i + j], t[i + j + 2], 0, 1, 8, 9, 4, 5, 12, 13);
      r[i + 2 * j + 1] = __builtin_shufflevector(t[i + j], t[i + j + 2], 2, 3, 10, 11, 6, 7, 14, 15);
    }
  }
#pragma clang loop unroll(full)
  for (int c = 0; c < 4; ++c) {
    const auto low = r[c];
    const auto high = r[c + 4];
    r[c] = __builtin_shufflevector(low, high, 0, 1, 2, 3, 8, 9, 10, 11);
    r[c + 4] = __builtin_shufflevector(low, high, 4, 5, 6, 7, 12, 13, 14, 15);
  }
#endif
}
AOTWIN_ALWAYS void transpose(Vector<double> (&r)[lanes<double>]) {
  Vector<double> t[lanes<double>];
#if AOTWIN_LEVEL == 4
#pragma clang loop unroll(full)
  for (int i = 0; i < 8; i += 2) {
    t[i] = __builtin_shufflevector(r[i], r[i + 1], 0, 8, 2, 10, 4, 12, 6, 14);
    t[i + 1] = __builtin_shufflevector(r[i], r[i + 1], 1, 9, 3, 11, 5, 13, 7, 15);
  }
  // t[i + p]: rows i, i+1 of columns p, p+2, p+4, p+6 in quarters.
#pragma clang loop unroll(full)
  for (int i = 0; i < 8; i += 4) {
#pragma clang loop unroll(full)
    for (int p = 0; p < 2; ++p) {
      r[i + p] = __builtin_shufflevector(t[i + p], t[i + p + 2], 0, 1, 8, 9, 4, 5, 12, 13);
      r[i + p + 2] = __builtin_shufflevector(t[i + p], t[i + p + 2], 2, 3, 10, 11, 6, 7, 14, 15);
    }
  }
  // r[i + c]: rows i..i+3 of columns c and c+4 in halves.
#pragma clang loop unroll(full)
  for (int c = 0; c < 4; ++c) {
    const auto low = r[c];
    const auto high = r[c + 4];
    r[c] = __builtin_shufflevector(low, high, 0, 1, 2, 3, 8, 9, 10, 11);
    r[c + 4] = __builtin_shufflevector(low, high, 4, 5, 6, 7, 12, 13, 14, 15);
  }
#else
#pragma clang loop unroll(full)
  for (int i = 0; i < 4; i += 2) {
    t[i] = __builtin_shufflevector(r[i], r[i + 1], 0, 4, 2, 6);
    t[i + 1] = __builtin_shufflevector(r[i], r[i + 1], 1, 5, 3, 7);
  }
#pragma clang loop unroll(full)
  for (int p = 0; p < 2; ++p) {
    r[p] = __builtin_shufflevector(t[p], t[p + 2], 0, 1, 4, 5);
    r[p + 2] = __builtin_shufflevector(t[p], t[p + 2], 2, 3, 6, 7);
  }
#endif
}

}  // namespace aotwin::runtime::products::AOTWIN_LEVEL_NAMESPACE
