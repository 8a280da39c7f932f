// The tables of attention_kernels.h for one CPU level. Compiled once for each.
#include "attention_kernels.h"

#include "elementary.h"
#include "pack.h"
#include "vectors.h"

namespace aotwin::runtime::products::AOTWIN_LEVEL_NAMESPACE {
namespace {

template <class C>
inline constexpr C no_score = static_cast<C>(-__builtin_inf());

template <class C>
AOTWIN_ALWAYS Vector<C> lane_numbers(int first) {
  Vector<C> result;
  for (int i = 0; i < lanes<C>; ++i) result[i] = static_cast<C>(first + i);
  return result;
}
template <class V>
AOTWIN_ALWAYS V larger(V a, V b) {
  return a > b ? a : b;
}

// See attention_kernels.h.
template <class C>
inline constexpr C unit = sizeof(C) == 4 ? static_cast<C>(1.44269504088896341) : C(1);
AOTWIN_ALWAYS Vector<float> weight_of(Vector<float> x) { return power_of_two(x); }
AOTWIN_ALWAYS Vector<double> weight_of(Vector<double> x) { return exp(x); }
template <int N>
AOTWIN_ALWAYS void weights_of(Vector<float> (&x)[N]) {
  power_of_two(x);
}
template <int N>
AOTWIN_ALWAYS void weights_of(Vector<double> (&x)[N]) {
  for (int i = 0; i < N; ++i) x[i] = exp(x[i]);
}

// How far above the base scores may be: weights of up to 2^8 lose nothing.
inline constexpr int most_above = 8;

#if AOTWIN_LEVEL == 4
// Two registers of weights, none of them negative, as bfloat16; halves go up.
AOTWIN_ALWAYS Vector<uint32_t> rounded_pair(Vector<float> low, Vector<float> high) {
  typedef Vector<uint32_t> U;
  return (reinterpret_cast<U>(low) + 0x8000U) >> 16 | ((reinterpret_cast<U>(high) + 0x8000U) & 0xFFFF0000U);
}
#endif

// `Masked`: 0 none, 1 a number for each key, 2 one for each lane too.
template <class C, int Masked, bool Causal, bool Pairs>
AOTWIN_ALWAYS bool weigh_lanes(const Scores& given, int lane) {
  typedef Vector<C> V;
  C* const scores = static_cast<C*>(given.scores) + lane;
  const C* const mask = static_cast<const C*>(given.mask) + (Masked == 2 ? lane : 0);
  const int64_t row = given.width;
  const V scale = spread<C>(static_cast<C>(given.scale) * unit<C>);
  const V number = lane_numbers<C>(lane);
  V* const base_at = reinterpret_cast<V*>(static_cast<C*>(given.base) + lane);
  V* const sum_at = reinterpret_cast<V*>(static_cast<C*>(given.sum) + lane);
  const auto first_pass = [&](int64_t key, V& into) __attribute__((always_inline)) {
    V value = load<C>(scores + key * row) * scale;
    if constexpr (Masked == 1) {
      value += mask[key] * unit<C>;
    } else if constexpr (Masked == 2) {
      value += load<C>(mask + key * given.mask_row) * unit<C>;
    }
    if constexpr (Causal) {
      const auto limit = static_cast<C>(key - given.first_hidden);
      value = number >= spread<C>(limit + 1) ? value : spread<C>(no_score<C>);
    }
    if constexpr (Masked != 0 || Causal) store<C>(scores + key * row, value);
    into = larger(value, into);
  };
  V most[4] = {spread<C>(no_score<C>), spread<C>(no_score<C>), spread<C>(no_score<C>), spread<C>(no_score<C>)};
  int64_t key = 0;
  for (; key + 4 <= given.keys; key += 4) {
#pragma clang loop unroll(full)
    for (int i = 0; i < 4; ++i) first_pass(key + i, most[i]);
  }
  for (; key < given.keys; ++key) first_pass(key, most[0]);
  const V largest = larger(larger(most[0], most[1]), larger(most[2], most[3]));
  V base = *base_at;
  V so_far = *sum_at;
  const auto grown = largest > base + static_cast<C>(most_above);
  const bool any = __builtin_reduce_or(grown) != 0;
  if (any) {
    const V before = base;
    base = grown ? largest : base;
    const V correction = grown ? weight_of(before - base) : spread<C>(1);
    *base_at = base;
    *reinterpret_cast<V*>(static_cast<C*>(given.correction) + lane) = correction;
    so_far = so_far * correction;
  }
  // Nothing seen yet: any finite number will do to subtract.
  const V subtracted = base == spread<C>(no_score<C>) ? V{} : base;
  // The block's own sum, which loses less than one that goes on through all of them.
  V total[2] = {V{}, V{}};
  const auto weigh_keys = [&]<int Keys>(int64_t first) __attribute__((always_inline)) {
    V weight[Keys];
#pragma clang loop unroll(full)
    for (int i = 0; i < Keys; ++i) {
      const V value = load<C>(scores + (first + i) * row);
      weight[i] = Masked == 0 && !Causal ? multiply_add(value, scale, -subtracted) : value - subtracted;
    }
    weights_of(weight);
#pragma clang loop unroll(full)
    for (int i = 0; i < Keys; ++i) {
      total[i % 2] += weight[i];
      if constexpr (!Pairs) {
        store<C>(scores + (first + i) * row, weight[i]);
      } else if (i % 2 == 0) {
        store<uint32_t>(reinterpret_cast<uint32_t*>(scores + (first + i) / 2 * row), rounded_pair(weight[i], i + 1 < Keys ? weight[(i + 1) % Keys] : V{}));
      }
    }
  };
  for (key = 0; key + 4 <= given.keys; key += 4) weigh_keys.template operator()<4>(key);
  for (; key + 2 <= given.keys; key += 2) weigh_keys.template operator()<2>(key);
  if (key < given.keys) weigh_keys.template operator()<1>(key);
  *sum_at = so_far + (total[0] + total[1]);
  return any;
}

template <class C, int Masked, bool Pairs>
AOTWIN_ALWAYS bool weigh_masked(const Scores& scores, int lane) {
  // Whether the last key of the block is hidden from the first lane decides for the block.
  return scores.keys > scores.first_hidden + lane ? weigh_lanes<C, Masked, true, Pairs>(scores, lane) : weigh_lanes<C, Masked, false, Pairs>(scores, lane);
}

template <class C, bool Pairs>
bool weigh(const Scores& scores) {
  for (int lane = 0; lane < scores.width; lane += lanes<C>) store<C>(static_cast<C*>(scores.correction) + lane, spread<C>(1));
  bool any = false;
  for (int lane = 0; lane < scores.width; lane += lanes<C>) {
    const bool changed = scores.mask == nullptr    ? weigh_masked<C, 0, Pairs>(scores, lane)
                         : scores.mask_row == 0 ? weigh_masked<C, 1, Pairs>(scores, lane)
                                                : weigh_masked<C, 2, Pairs>(scores, lane);
    any = any || changed;
  }
  return any;
}

template <class C>
void rescale(void* rows, int64_t count, int width, const void* factors) {
  for (int lane = 0; lane < width; lane += lanes<C>) {
    const Vector<C> factor = load<C>(static_cast<const C*>(factors) + lane);
    C* const at = static_cast<C*>(rows) + lane;
    for (int64_t i = 0; i < count; ++i) store<C>(at + i * width, load<C>(at + i * width) * factor);
  }
}

template <class C, class T>
void write_rows(const C* sums, int64_t size, int width, int count, const C* factors, T* out, int64_t row) {
  typedef Vector<C> V;
  constexpr int side = lanes<C>;
  for (int lane = 0; lane < count; lane += side) {
    const V factor = load<C>(factors + lane);
    const int here = count - lane < side ? count - lane : side;
    int64_t i = 0;
    for (; i + side <= size; i += side) {
      V square[side];
#pragma clang loop unroll(full)
      for (int r = 0; r < side; ++r) square[r] = load<C>(sums + (i + r) * width + lane) * factor;
      transpose(square);
      if (here == side) {
#pragma clang loop unroll(full)
        for (int r = 0; r < side; ++r) store<C>(out + (lane + r) * row + i, square[r]);
      } else {
        C rows[side][side];
#pragma clang loop unroll(full)
        for (int r = 0; r < side; ++r) store<C>(rows[r], square[r]);
        for (int r = 0; r < here; ++r) store<C>(out + (lane + r) * row + i, load<C>(rows[r]));
      }
    }
    for (; i < size; ++i) {
      for (int r = 0; r < here; ++r) narrow(out + (lane + r) * row + i, sums[i * width + lane + r] * factors[lane + r]);
    }
  }
}

template <class C>
void write(Dtype dtype, const void* sums, int64_t size, int width, int count, const void* factors, void* out, int64_t row) {
  const C* const from = static_cast<const C*>(sums);
  const C* const by = static_cast<const C*>(factors);
  if constexpr (sizeof(C) == 8) {
    write_rows<C>(from, size, width, count, by, static_cast<double*>(out), row);
  } else if (dtype == Dtype::f32) {
    write_rows<C>(from, size, width, count, by, static_cast<float*>(out), row);
  } else if (dtype == Dtype::bf16) {
    write_rows<C>(from, size, width, count, by, static_cast<bfloat*>(out), row);
  } else {
    write_rows<C>(from, size, width, count, by, static_cast<half*>(out), row);
  }
}

// A register is stored for each k, and the next k written over what is too much of it; it is also read past the rows, where that may be.
template <class C, class S>
void pack_narrow_type(C* panel, const S* from, int64_t k_stride, int rows, int64_t k, bool may_read_past) {
  constexpr int side = lanes<C>;
  int64_t at = 0;
  const int64_t vectors = may_read_past ? k : k - 1 - (2 * side + k_stride - 1) / (k_stride > 0 ? k_stride : 1);
  for (; at < vectors; ++at) {
    for (int i = 0; i < rows; i += side) store<C>(panel + at * rows + i, load<C>(from + at * k_stride + i));
  }
  for (; at < k; ++at) {
    for (int i = 0; i < rows; ++i) panel[at * rows + i] = widen(from[at * k_stride + i]);
  }
}
template <class C>
void pack_narrow(Dtype dtype, void* panel, const void* from, int64_t k_stride, int rows, int64_t k, bool may_read_past) {
  C* const to = static_cast<C*>(panel);
  if constexpr (sizeof(C) == 8) {
    pack_narrow_type(to, static_cast<const double*>(from), k_stride, rows, k, may_read_past);
  } else if (dtype == Dtype::f32) {
    pack_narrow_type(to, static_cast<const float*>(from), k_stride, rows, k, may_read_past);
  } else if (dtype == Dtype::bf16) {
    pack_narrow_type(to, static_cast<const bfloat*>(from), k_stride, rows, k, may_read_past);
  } else {
    pack_narrow_type(to, static_cast<const half*>(from), k_stride, rows, k, may_read_past);
  }
}

#if AOTWIN_LEVEL == 4
void pack_narrow_pairs(Dtype, void* given_panel, const void* given_from, int64_t k_stride, int rows, int64_t k, bool may_read_past) {
  constexpr int side = lanes<float>;
  uint32_t* const panel = static_cast<uint32_t*>(given_panel);
  const bfloat* const from = static_cast<const bfloat*>(given_from);
  const int64_t vectors = may_read_past ? k : k - 1 - (2 * side + k_stride - 1) / (k_stride > 0 ? k_stride : 1);
  int64_t at = 0;
  for (; at + 2 <= vectors; at += 2) {
    const bfloat* const low = from + at * k_stride;
    for (int i = 0; i < rows; i += side) {
      store<uint32_t>(panel + at / 2 * rows + i, load_singles(low + i) | load_singles(low + k_stride + i) << 16);
    }
  }
  for (; at < k; at += 2) {
    const bfloat* const low = from + at * k_stride;
    for (int i = 0; i < rows; ++i) panel[at / 2 * rows + i] = pair_of(low[i], at + 1 < k ? low[k_stride + i] : bfloat{});
  }
}
#endif

// The memory behind scores is padded to whole registers.
template <class C>
double weigh_row(void* given, int64_t keys, double scale, const void* given_mask, double* largest) {
  typedef Vector<C> V;
  constexpr int side = lanes<C>;
  C* const scores = static_cast<C*>(given);
  const C* const mask = static_cast<const C*>(given_mask);
  V most = spread<C>(no_score<C>);
  int64_t at = 0;
  for (; at + side <= keys; at += side) {
    V value = load<C>(scores + at) * static_cast<C>(scale);
    if (mask != nullptr) value += load<C>(mask + at);
    store<C>(scores + at, value);
    most = larger(value, most);
  }
  C top = no_score<C>;
  for (int i = 0; i < side; ++i) top = most[i] > top ? most[i] : top;
  for (int64_t i = at; i < keys; ++i) {
    scores[i] = scores[i] * static_cast<C>(scale) + (mask != nullptr ? mask[i] : 0);
    top = scores[i] > top ? scores[i] : top;
  }
  *largest = static_cast<double>(top);
  const C base = top == no_score<C> ? 0 : top;
  for (int64_t i = keys; i % side != 0; ++i) scores[i] = no_score<C>;
  V total = {};
  for (at = 0; at < keys; at += side) {
    const V value = exp(load<C>(scores + at) - base);
    store<C>(scores + at, value);
    total += value;
  }
  return static_cast<double>(sum_of<C>(total));
}

template <class C>
constexpr AttentionKernels make_table() {
  return {unit<C>, weigh<C, false>, rescale<C>, write<C>, pack_narrow<C>, weigh_row<C>};
}

}  // namespace

constinit const AttentionKernels attention_kernels_float = make_table<float>();
constinit const AttentionKernels attention_kernels_double = make_table<double>();
#if AOTWIN_LEVEL == 4
constinit const AttentionKernels attention_kernels_pairs = {unit<float>, weigh<float, true>, rescale<float>, write<float>, pack_narrow_pairs, weigh_row<float>};
#endif

}  // namespace aotwin::runtime::products::AOTWIN_LEVEL_NAMESPACE
