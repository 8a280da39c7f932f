// Panels: lanes side by side, k after k, converted to the type of the sums. Include after vectors.h.
#pragma once

#include "vectors.h"

namespace aotwin::runtime::products::AOTWIN_LEVEL_NAMESPACE {

// Lanes that are contiguous over k: transposed square by square. The stores of a square that is wider than the panel reach into the
// next k, which is stored later, and for the last one past the panel's end.
// One square of `rows` of k (a whole one, or fewer) from lane + at.
template <class C, class S, bool Whole>
AOTWIN_ALWAYS void pack_square(C* to, const S* const* lane, int64_t at, int first, int count, int width, int rows) {
  constexpr int side = lanes<C>;
  Vector<C> square[side];
#pragma clang loop unroll(full)
  for (int i = 0; i < side; ++i) {
    if constexpr (Whole) {
      square[i] = first + i < count ? load<C>(lane[first + i] + at) : Vector<C>{};
    } else {
      square[i] = first + i < count ? load_part<C>(lane[first + i] + at, rows) : Vector<C>{};
    }
  }
  transpose(square);
  if constexpr (Whole) {
#pragma clang loop unroll(full)
    for (int i = 0; i < side; ++i) store<C>(to + i * width + first, square[i]);
  } else {
#pragma clang loop unroll(full)
    for (int i = 0; i < side; ++i) {
      if (i < rows) store<C>(to + i * width + first, square[i]);
    }
  }
}

template <class C, class S, bool Whole>
AOTWIN_ALWAYS void pack_squares(C* to, const S* const* lane, int64_t at, int count, int width, int rows) {
  constexpr int side = lanes<C>;
  // The remainder beside whole squares first: its overhang is the beginning of the next k, which the squares store afterwards.
  const int whole = width / side * side;
  if (width != whole) pack_square<C, S, Whole>(to, lane, at, whole, count, width, rows);
  for (int first = 0; first < whole; first += side) pack_square<C, S, Whole>(to, lane, at, first, count, width, rows);
}

template <class C, class S>
void pack_lanes(C* panel, const S* const* lane, int count, int width, int64_t k) {
  constexpr int side = lanes<C>;
  int64_t at = 0;
  for (; at + side <= k; at += side) pack_squares<C, S, true>(panel + at * width, lane, at, count, width, side);
  if (at == k) {
    return;
  }
  if (k >= side) {
    // Once more the last whole square: it stores what is there already, and the rest.
    pack_squares<C, S, true>(panel + (k - side) * width, lane, k - side, count, width, side);
  } else {
    pack_squares<C, S, false>(panel, lane, 0, count, width, static_cast<int>(k));
  }
}

template <class C, class S>
void pack_columns(C* panel, const S* from, int64_t k_stride, int count, int width, int64_t k) {
  constexpr int side = lanes<C>;
  if (count == width && width % side == 0) {
    for (int64_t at = 0; at < k; ++at) {
      for (int i = 0; i < width; i += side) store<C>(panel + at * width + i, load<C>(from + at * k_stride + i));
    }
    return;
  }
  for (int64_t at = 0; at < k; ++at) {
    int i = 0;
    for (; i + side <= count; i += side) store<C>(panel + at * width + i, load<C>(from + at * k_stride + i));
    for (; i < count; ++i) panel[at * width + i] = widen(from[at * k_stride + i]);
    for (; i < width; ++i) panel[at * width + i] = 0;
  }
}

template <class C, class S>
void pack_any(C* panel, const S* from, int64_t lane_stride, int64_t k_stride, int count, int width, int64_t k) {
  for (int64_t at = 0; at < k; ++at) {
    int i = 0;
    for (; i < count; ++i) panel[at * width + i] = widen(from[at * k_stride + i * lane_stride]);
    for (; i < width; ++i) panel[at * width + i] = 0;
  }
}

// Pairs of k in 32 bits each. `S`: bfloat (kept as bits), int8_t or uint8_t (widened to 16 bits).
AOTWIN_ALWAYS uint32_t pair_of(bfloat low, bfloat high) { return low.bits | static_cast<uint32_t>(high.bits) << 16; }
AOTWIN_ALWAYS uint32_t pair_of(int8_t low, int8_t high) {
  return static_cast<uint16_t>(low) | static_cast<uint32_t>(static_cast<uint16_t>(high)) << 16;
}
AOTWIN_ALWAYS uint32_t pair_of(uint8_t low, uint8_t high) { return low | static_cast<uint32_t>(high) << 16; }

// A register of pairs that follow each other.
AOTWIN_ALWAYS Vector<float> load_pairs(const bfloat* from) { return *reinterpret_cast<const VectorOf<float, lanes<float>>::loose*>(reinterpret_cast<const float*>(from)); }
template <class S>
AOTWIN_ALWAYS Vector<float> load_pairs(const S* from) {
  typedef typename VectorOf<S, 2 * lanes<float>>::loose Raw;
  return reinterpret_cast<Vector<float>>(__builtin_convertvector(*reinterpret_cast<const Raw*>(from), Vector<int16_t>));
}
// A register of 16 bits each in 32.
AOTWIN_ALWAYS Vector<uint32_t> load_singles(const bfloat* from) {
  typedef typename VectorOf<uint16_t, lanes<float>>::loose Raw;
  return __builtin_convertvector(*reinterpret_cast<const Raw*>(from), Vector<uint32_t>);
}
template <class S>
AOTWIN_ALWAYS Vector<uint32_t> load_singles(const S* from) {
  typedef typename VectorOf<S, lanes<float>>::loose Raw;
  typedef typename VectorOf<uint16_t, lanes<float>>::type Half;
  typedef typename VectorOf<int16_t, lanes<float>>::type SignedHalf;
  return __builtin_convertvector(reinterpret_cast<Half>(__builtin_convertvector(*reinterpret_cast<const Raw*>(from), SignedHalf)), Vector<uint32_t>);
}

// As pack_lanes; panels of pairs have 1 to 14 lanes, or whole registers of them.
template <class S>
void pack_pair_lanes(uint32_t* panel, const S* const* lane, int count, int width, int64_t k) {
  constexpr int side = lanes<float>;
  float* const out = reinterpret_cast<float*>(panel);
  int64_t at = 0;
  for (; at + 2 * side <= k; at += 2 * side) {
    float* const to = out + at / 2 * width;
    for (int first = 0; first < width; first += side) {
      Vector<float> square[side];
#pragma clang loop unroll(full)
      for (int i = 0; i < side; ++i) square[i] = first + i < count ? load_pairs(lane[first + i] + at) : Vector<float>{};
      transpose(square);
#pragma clang loop unroll(full)
      for (int i = 0; i < side; ++i) store<float>(to + i * width + first, square[i]);
    }
  }
  for (; at < k; at += 2) {
    uint32_t* const to = panel + at / 2 * width;
    for (int i = 0; i < count; ++i) to[i] = pair_of(lane[i][at], at + 1 < k ? lane[i][at + 1] : S{});
    for (int i = count; i < width; ++i) to[i] = 0;
  }
}

template <class S>
void pack_pair_columns(uint32_t* panel, const S* from, int64_t k_stride, int count, int width, int64_t k) {
  constexpr int side = lanes<float>;
  for (int64_t at = 0; at < k; at += 2) {
    const S* const low = from + at * k_stride;
    const bool both = at + 1 < k;
    const S* const high = both ? low + k_stride : low;
    uint32_t* const to = panel + at / 2 * width;
    int i = 0;
    for (; both && i + side <= count; i += side) {
      store<uint32_t>(to + i, load_singles(low + i) | load_singles(high + i) << 16);
    }
    for (; i < count; ++i) to[i] = pair_of(low[i], both ? high[i] : S{});
    for (; i < width; ++i) to[i] = 0;
  }
}

template <class S>
void pack_pair_any(uint32_t* panel, const S* from, int64_t lane_stride, int64_t k_stride, int count, int width, int64_t k) {
  for (int64_t at = 0; at < k; at += 2) {
    uint32_t* const to = panel + at / 2 * width;
    for (int i = 0; i < count; ++i) {
      const S* const low = from + at * k_stride + i * lane_stride;
      to[i] = pair_of(low[0], at + 1 < k ? low[k_stride] : S{});
    }
    for (int i = count; i < width; ++i) to[i] = 0;
  }
}

}  // namespace aotwin::runtime::products::AOTWIN_LEVEL_NAMESPACE
