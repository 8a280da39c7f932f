// What is derived from constants (weights in another order) and kept as long as they live.
#pragma once

#include "../core/tensor.h"

namespace aotwin::runtime::products {

enum Derived { kind_channels_last = 1, kind_contiguous = 2, kind_transposed = 3, kind_by_taps = 4, kind_pairs = 5 };

// make() once for each constant, view of it and `kind`; anew at each call for memory that is no constant.
template <class F>
Tensor derived_from_constant(const Tensor& source, int kind, F&& make);

bool find_derived(const Tensor& source, int kind, Tensor& result);
void keep_derived(const Tensor& source, int kind, const Tensor& result);

template <class F>
Tensor derived_from_constant(const Tensor& source, int kind, F&& make) {
  if (source.constant_key() == 0) {
    return make();
  }
  Tensor result;
  if (!find_derived(source, kind, result)) {
    result = make();
    keep_derived(source, kind, result);
  }
  return result;
}

}  // namespace aotwin::runtime::products
