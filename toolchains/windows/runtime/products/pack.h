// Panels: lanes side by side, k after k, converted to the type of the sums. Include after vectors.h.
#pragma once

#include "vectors.h"

namespace aotwin::runtime::products::AOTWIN_LEVEL_NAMESPACE {

// Lanes that are contiguous over k: transposed square by square. The stores of a square that is wider than the panel reach into the
// next k, which is stored later, and for the last one past the panel's end.
template <class C, class S>
void pack_lanes(C* panel, const S* const* lane, int count, int width, int64_t k) {
  typedef Vector<C> V;
  constexpr int side = lanes<C>;
  int64_t at = 0;
  for (; at + side <= k; at += side) {
    C* const to = panel + at * width;
    if (width % side == 0) {
      for (int first = 0; first < width; first += side) {
        V square[side];
#pragma clang loop unroll(full)
        for (int i = 0; i < side; ++i) square[i] = first + i < count ? load<C>(lane[first + i] + at) : V{};
        transpose(square);
#pragma clang loop unroll(full)
        for (int i = 0; i < side; ++i) store<C>(to + i * width + first, square[i]);
      }
    } else if (width < side) {
      V square[side];
#pragma clang loop unroll(full)
      for (int i = 0; i < side; ++i) square[i] = i < count ? load<C>(lane[i] + at) : V{};
      transpose(square);
#pragma clang loop unroll(full)
      for (int i = 0; i < side; ++i) store<C>(to + i * width, square[i]);
    } else {
      // The remainder first: its overhang is the beginning of the next k, which the squares store afterwards.
      const int whole = width / side * side;
      V rest[side];
#pragma clang loop unroll(full)
      for (int i = 0; i < side; ++i) rest[i] = whole + i < count ? load<C>(lane[whole + i] + at) : V{};
      transpose(rest);
#pragma clang loop unroll(full)
      for (int i = 0; i < side; ++i) store<C>(to + i * width + whole, rest[i]);
      for (int first = 0; first < whole; first += side) {
        V square[side];
#pragma clang loop unroll(full)
        for (int i = 0; i < side; ++i) square[i] = first + i < count ? load<C>(lane[first + i] + at) : V{};
        transpose(square);
#pragma clang loop unroll(full)
        for (int i = 0; i < side; ++i) store<C>(to + i * width + first, square[i]);
      }
    }
  }
  for (; at < k; ++at) {
    C* const to = panel + at * width;
    for (int i = 0; i < count; ++i) to[i] = widen(lane[i][at]);
    for (int i = count; i < width; ++i) to[i] = 0;
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

}  // namespace aotwin::runtime::products::AOTWIN_LEVEL_NAMESPACE
