// Walking over index spaces: an odometer, and the lines along one dimension.
#pragma once

#include <array>
#include <cstdint>

#include "../core/tensor.h"
#include "../threads/parallel.h"

namespace aotwin::runtime {

// Steps through `sizes` in row-major order from a given position and keeps one offset (in elements) for each of N operands.
template <int N>
class Walk {
 public:
  Walk(const Dims& sizes, const std::array<const Dims*, N>& strides, int64_t position)
      : sizes_(sizes), strides_(strides), index_(Dims::filled(sizes.size(), 0)) {
    for (size_t i = sizes.size(); i-- > 0;) {
      if (position == 0 || sizes[i] == 0) {
        break;
      }
      index_[i] = position % sizes[i];
      position /= sizes[i];
      for (int k = 0; k < N; ++k) {
        offsets_[k] += index_[i] * (*strides[k])[i];
      }
    }
  }

  const std::array<int64_t, N>& offsets() const {
    return offsets_;
  }
  int64_t operator[](int operand) const {
    return offsets_[operand];
  }
  const Dims& index() const {
    return index_;
  }

  void next() {
    for (size_t i = sizes_.size(); i-- > 0;) {
      if (++index_[i] < sizes_[i]) {
        for (int k = 0; k < N; ++k) {
          offsets_[k] += (*strides_[k])[i];
        }
        return;
      }
      for (int k = 0; k < N; ++k) {
        offsets_[k] -= (sizes_[i] - 1) * (*strides_[k])[i];
      }
      index_[i] = 0;
    }
  }

 private:
  const Dims& sizes_;
  std::array<const Dims*, N> strides_;
  Dims index_;
  std::array<int64_t, N> offsets_{};
};

// The lines along dimension `dim` of N tensors whose other dimensions have the same sizes.
template <int N>
struct Lines {
  Lines(const std::array<const Tensor*, N>& tensors, int64_t dim) : sizes(tensors[0]->sizes()) {
    if (!sizes.empty()) {
      sizes.erase(static_cast<size_t>(dim));
    }
    count = product(sizes);
    for (int k = 0; k < N; ++k) {
      rest[k] = tensors[k]->strides();
      step[k] = 0;
      if (!rest[k].empty()) {
        step[k] = rest[k][static_cast<size_t>(dim)];
        rest[k].erase(static_cast<size_t>(dim));
      }
    }
  }

  // f(offsets, number) for the lines [first, last).
  template <class F>
  void each(int64_t first, int64_t last, F&& f) const {
    std::array<const Dims*, N> strides;
    for (int k = 0; k < N; ++k) {
      strides[k] = &rest[k];
    }
    Walk<N> walk(sizes, strides, first);
    for (int64_t line = first; line < last; ++line, walk.next()) {
      f(walk.offsets(), line);
    }
  }

  // The same over all lines, spread over threads; `work` is the number of elements in a line.
  template <class F>
  void each_parallel(int64_t work, F&& f) const {
    const int64_t grain = 16384 / (work > 0 ? work : 1);
    parallel_for(0, count, grain, [&](int64_t first, int64_t last) { each(first, last, f); });
  }

  Dims sizes;
  int64_t count = 0;
  std::array<Dims, N> rest;
  std::array<int64_t, N> step{};
};

}  // namespace aotwin::runtime
