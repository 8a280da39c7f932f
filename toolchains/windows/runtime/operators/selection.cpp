// One element out of many by its rank or frequency: kthvalue, median, nanmedian, mode.
#include <algorithm>
#include <limits>

#include "arguments.h"
#include "layout.h"
#include "order.h"
#include "walk.h"

namespace aotwin::runtime {

namespace {

// Position of the element of this rank. `keys` is overwritten with the line's keys.
template <class T>
int64_t position_of_rank(const T* line, int64_t step, int64_t length, int64_t rank, key_t_of<T>* keys) {
  for (int64_t i = 0; i < length; ++i) {
    keys[i] = order_key(line[i * step], false);
  }
  std::nth_element(keys, keys + rank, keys + length);
  for (int64_t i = 0; i < length; ++i) {
    if (order_key(line[i * step], false) == keys[rank]) {
      return i;
    }
  }
  fail("an element of rank ", rank, " was not found again");
}

// Shape of a reduction over one dimension.
Dims reduced(const Tensor& self, int64_t dim) {
  Dims sizes = self.sizes();
  if (!sizes.empty()) {
    sizes[static_cast<size_t>(dim)] = 1;
  }
  return sizes;
}

Tensor squeezed(const Tensor& tensor, int64_t dim, bool keep) {
  return keep || tensor.dim() == 0 ? tensor : without_dim(tensor, dim);
}

void kth_value(const Tensor& self, int64_t k, int64_t dim, bool keep, AtenTensorHandle* values, AtenTensorHandle* indices) {
  dim = wrap_dim(dim, self.dim());
  const int64_t length = self.dim() == 0 ? 1 : self.size(dim);
  require(length > 0 || self.numel() > 0, "kthvalue: dimension ", dim, " of ", self.sizes(), " has no elements");
  require(k >= 1 && k <= length, "kthvalue: the ", k, "th of ", length, " elements is asked for");
  Tensor found = empty(reduced(self, dim), self.dtype());
  Tensor positions = empty(found.sizes(), Dtype::i64);
  const Lines<3> lines({&self, &found, &positions}, dim);
  for_ordered(self.dtype(), "kthvalue", [&]<class T>(TypeTag<T>) {
    parallel_for(0, lines.count, 8192 / length, [&](int64_t first, int64_t last) {
      Scratch keys(static_cast<size_t>(length) * sizeof(T));
      lines.each(first, last, [&](const std::array<int64_t, 3>& at, int64_t) {
        const T* const line = self.as<T>() + at[0];
        const int64_t position = position_of_rank(line, lines.step[0], length, k - 1, keys.as<key_t_of<T>>());
        found.as<T>()[at[1]] = line[position * lines.step[0]];
        positions.as<int64_t>()[at[2]] = position;
      });
    });
  });
  answer_all({values, indices}, squeezed(found, dim, keep), squeezed(positions, dim, keep));
}

// The lower of the two middle elements. NaN if there is one, unless they are left out.
Tensor median_of_all(const Tensor& self, bool ignore_nan) {
  const Tensor source = contiguous(self);
  Tensor result = empty({}, self.dtype());
  for_real(self.dtype(), "median", [&]<class T>(TypeTag<T>) {
    const T* const values = source.as<T>();
    const int64_t count = source.numel();
    int64_t position = -1;
    int64_t numbers = count;
    for (int64_t i = 0; i < count; ++i) {
      if (is_nan(values[i])) {
        --numbers;
        position = i;
      }
    }
    if (numbers > 0 && (ignore_nan || numbers == count)) {
      Scratch keys(static_cast<size_t>(count) * sizeof(T));
      // NaN sorts behind all numbers.
      position = position_of_rank(values, 1, count, (numbers - 1) / 2, keys.as<key_t_of<T>>());
    }
    if (position >= 0) {
      *result.as<T>() = values[position];
    } else if constexpr (std::is_integral_v<T>) {
      *result.as<T>() = std::numeric_limits<T>::min();  // what NaN becomes there
    } else {
      *result.as<T>() = cast<T>(std::numeric_limits<float>::quiet_NaN());
    }
  });
  return result;
}

// The most frequent element, the smallest of several, and the last place where it stands.
void mode_of(const Tensor& self, int64_t dim, bool keep, AtenTensorHandle* values, AtenTensorHandle* indices) {
  dim = wrap_dim(dim, self.dim());
  const int64_t length = self.dim() == 0 ? 1 : self.size(dim);
  require(length > 0, "mode: dimension ", dim, " of ", self.sizes(), " has no elements");
  Tensor found = empty(reduced(self, dim), self.dtype());
  Tensor positions = empty(found.sizes(), Dtype::i64);
  const Lines<3> lines({&self, &found, &positions}, dim);
  for_ordered(self.dtype(), "mode", [&]<class T>(TypeTag<T>) {
    parallel_for(0, lines.count, 4096 / length, [&](int64_t first, int64_t last) {
      SortSpace<T> space(length);
      lines.each(first, last, [&](const std::array<int64_t, 3>& at, int64_t) {
        const T* const line = self.as<T>() + at[0];
        const uint32_t* const order = space.sort(line, lines.step[0], false);
        const key_t_of<T>* const keys = space.keys();
        int64_t best = 0;
        int64_t most = 0;
        for (int64_t start = 0; start < length;) {
          int64_t end = start + 1;
          while (end < length && keys[end] == keys[start]) {
            ++end;
          }
          if (end - start > most) {
            most = end - start;
            best = order[end - 1];
          }
          start = end;
        }
        found.as<T>()[at[1]] = line[best * lines.step[0]];
        positions.as<int64_t>()[at[2]] = best;
      });
    });
  });
  answer_all({values, indices}, squeezed(found, dim, keep), squeezed(positions, dim, keep));
}

}  // namespace

}  // namespace aotwin::runtime

using namespace aotwin::runtime;

extern "C" {

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_kthvalue)(AtenTensorHandle self, int64_t k, int64_t dim, int32_t keepdim,
                                                    AtenTensorHandle* ret0, AtenTensorHandle* ret1) {
  return guarded([&] { kth_value(borrow(self), k, dim, keepdim != 0, ret0, ret1); });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_median)(AtenTensorHandle self, AtenTensorHandle* ret0) {
  return guarded([&] { answer(ret0, median_of_all(borrow(self), false)); });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_nanmedian)(AtenTensorHandle self, AtenTensorHandle* ret0) {
  return guarded([&] { answer(ret0, median_of_all(borrow(self), true)); });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_mode)(AtenTensorHandle self, int64_t dim, int32_t keepdim, AtenTensorHandle* ret0,
                                                AtenTensorHandle* ret1) {
  return guarded([&] { mode_of(borrow(self), dim, keepdim != 0, ret0, ret1); });
}
}
