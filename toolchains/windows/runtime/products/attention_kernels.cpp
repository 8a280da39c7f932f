// The tables of attention_kernels.h for one CPU level. Compiled once for each.
#include "attention_kernels.h"

#include "elementary.h"
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

// `Masked`: 0 none, 1 a number for each key, 2 one for each lane too.
template <class C, int Masked, bool Causal>
AOTWIN_ALWAYS bool weigh_lanes(const Scores& given, int lane) {
  typedef Vector<C> V;
  C* const scores = static_cast<C*>(given.scores) + lane;
  const C* const mask = static_cast<const C*>(given.mask) + (Masked == 2 ? lane : 0);
  const int64_t row = given.width;
  const auto scale = static_cast<C>(given.scale);
  const V number = lane_numbers<C>(lane);
  V* const largest_at = reinterpret_cast<V*>(static_cast<C*>(given.largest) + lane);
  V* const sum_at = reinterpret_cast<V*>(static_cast<C*>(given.sum) + lane);
  const V before = *largest_at;
  V most[2] = {before, before};
  const auto first_pass = [&](int64_t key, V& into) __attribute__((always_inline)) {
    V value = load<C>(scores + key * row) * scale;
    if constexpr (Masked == 1) {
      value += mask[key];
    } else if constexpr (Masked == 2) {
      value += load<C>(mask + key * given.mask_row);
    }
    if constexpr (Causal) {
      const auto limit = static_cast<C>(key - given.first_hidden);
      value = number >= spread<C>(limit + 1) ? value : spread<C>(no_score<C>);
    }
    if constexpr (Masked != 0 || Causal) store<C>(scores + key * row, value);
    into = larger(value, into);
  };
  int64_t key = 0;
  for (; key + 2 <= given.keys; key += 2) {
    first_pass(key, most[0]);
    first_pass(key + 1, most[1]);
  }
  if (key < given.keys) first_pass(key, most[0]);
  const V largest = larger(most[0], most[1]);
  // Nothing seen yet: any finite number will do to subtract.
  const V base = largest == spread<C>(no_score<C>) ? V{} : largest;
  const V correction = exp(before - base);
  V total[2] = {*sum_at * correction, V{}};
  const auto second_pass = [&](int64_t at, V& into) __attribute__((always_inline)) {
    V value = load<C>(scores + at * row);
    if constexpr (Masked == 0 && !Causal) value = value * scale;
    value = exp(value - base);
    store<C>(scores + at * row, value);
    into += value;
  };
  for (key = 0; key + 2 <= given.keys; key += 2) {
    second_pass(key, total[0]);
    second_pass(key + 1, total[1]);
  }
  if (key < given.keys) second_pass(key, total[0]);
  *largest_at = largest;
  *sum_at = total[0] + total[1];
  *reinterpret_cast<V*>(static_cast<C*>(given.correction) + lane) = correction;
  const auto changed = correction != spread<C>(1);
  bool any = false;
  for (int i = 0; i < lanes<C>; ++i) any = any || changed[i] != 0;
  return any;
}

template <class C, int Masked>
AOTWIN_ALWAYS bool weigh_masked(const Scores& scores, int lane) {
  // Whether the last key of the block is hidden from the first lane decides for the block.
  return scores.keys > scores.first_hidden + lane ? weigh_lanes<C, Masked, true>(scores, lane) : weigh_lanes<C, Masked, false>(scores, lane);
}

template <class C>
bool weigh(const Scores& scores) {
  bool any = false;
  for (int lane = 0; lane < scores.width; lane += lanes<C>) {
    const bool changed = scores.mask == nullptr    ? weigh_masked<C, 0>(scores, lane)
                         : scores.mask_row == 0 ? weigh_masked<C, 1>(scores, lane)
                                                : weigh_masked<C, 2>(scores, lane);
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
  return {weigh<C>, rescale<C>, write<C>, pack_narrow<C>, weigh_row<C>};
}

}  // namespace

constinit const AttentionKernels attention_kernels_float = make_table<float>();
constinit const AttentionKernels attention_kernels_double = make_table<double>();

}  // namespace aotwin::runtime::products::AOTWIN_LEVEL_NAMESPACE
