// What a condition selects: nonzero, masked_select, masked_scatter.
#include "nonzero.h"

#include <algorithm>

#include "arguments.h"
#include "layout.h"
#include "walk.h"

namespace aotwin::runtime {

namespace {

constexpr int64_t grain = 32768;

// Calls f(part, first, last) for static parts of [0, count): the same parts for each call with the same count.
int64_t parts_of(int64_t count) {
  return std::clamp<int64_t>(count / grain, 1, 64);
}

template <class F>
void each_part(int64_t count, F&& f) {
  const int64_t parts = parts_of(count);
  parallel_for(0, parts, 1, [&](int64_t first, int64_t last) {
    for (int64_t part = first; part < last; ++part) {
      f(part, count * part / parts, count * (part + 1) / parts);
    }
  });
}

// One byte an element, 1 where it is not zero; contiguous.
Tensor truth(const Tensor& self) {
  return contiguous(to_dtype(self, Dtype::boolean));
}

// Where each part's elements begin among all that are set; `starts` has one more entry, the total.
void count_set(const uint8_t* set, int64_t count, int64_t (&starts)[65]) {
  each_part(count, [&](int64_t part, int64_t first, int64_t last) {
    int64_t total = 0;
    for (int64_t i = first; i < last; ++i) {
      total += set[i];
    }
    starts[part + 1] = total;
  });
  starts[0] = 0;
  for (int64_t part = 0; part < parts_of(count); ++part) {
    starts[part + 1] += starts[part];
  }
}

void write_positions(const uint8_t* set, const Dims& sizes, const int64_t (&starts)[65], int64_t limit, const Tensor& result) {
  int64_t* const coordinates = result.as<int64_t>();
  const int64_t row_step = result.stride(0);
  const int64_t column_step = result.stride(1);
  const size_t rank = sizes.size();
  const int64_t columns = rank == 0 ? 1 : sizes.back();
  each_part(product(sizes), [&](int64_t part, int64_t first, int64_t last) {
    int64_t written = starts[part];
    Dims outer = sizes;
    if (rank > 0) {
      outer.pop_back();
    }
    Walk<0> walk(outer, {}, columns == 0 ? 0 : first / columns);
    for (int64_t i = first; i < last && written < limit;) {
      const int64_t column = i % columns;
      const int64_t end = std::min(last, i - column + columns);
      for (int64_t k = column; i < end && written < limit; ++i, ++k) {
        if (set[i] != 0) {
          int64_t* row = coordinates + written * row_step;
          for (size_t d = 0; d + 1 < rank; ++d, row += column_step) {
            *row = walk.index()[d];
          }
          if (rank > 0) {
            *row = k;
          }
          ++written;
        }
      }
      walk.next();
    }
  });
}

Tensor nonzero_static(const Tensor& self, int64_t size, int64_t fill_value) {
  require(size >= 0, "nonzero_static: the size ", size, " is negative");
  const Tensor set = truth(self);
  int64_t starts[65];
  count_set(set.as<uint8_t>(), set.numel(), starts);
  Tensor result = empty({size, self.dim()}, Dtype::i64);
  write_positions(set.as<uint8_t>(), self.sizes(), starts, size, result);
  const int64_t found = std::min(size, starts[parts_of(set.numel())]);
  std::fill(result.as<int64_t>() + found * self.dim(), result.as<int64_t>() + size * self.dim(), fill_value);
  return result;
}

struct Masked {
  Tensor self;
  Tensor mask;
};

// Both of the same shape and contiguous; the mask as bytes.
Masked broadcast_mask(const Tensor& self, const Tensor& mask, const char* what, bool bytes_allowed) {
  require(mask.dtype() == Dtype::boolean || (bytes_allowed && mask.dtype() == Dtype::u8), what, ": the mask must be bool, not ",
          mask.dtype());
  const Dims shape = broadcast(self.sizes(), mask.sizes());
  return {contiguous(expand(self, shape)), truth(expand(mask, shape))};
}

Tensor masked_select(const Tensor& self, const Tensor& mask) {
  const Masked both = broadcast_mask(self, mask, "masked_select", true);
  const uint8_t* const set = both.mask.as<uint8_t>();
  const int64_t count = both.mask.numel();
  int64_t starts[65];
  count_set(set, count, starts);
  Tensor result = empty({starts[parts_of(count)]}, self.dtype());
  for_bytes(self.dtype(), "masked_select", [&]<class T>(TypeTag<T>) {
    const T* const source = both.self.as<T>();
    each_part(count, [&](int64_t part, int64_t first, int64_t last) {
      T* to = result.as<T>() + starts[part];
      for (int64_t i = first; i < last; ++i) {
        if (set[i] != 0) {
          *to++ = source[i];
        }
      }
    });
  });
  return result;
}

Tensor masked_scatter(const Tensor& self, const Tensor& mask, const Tensor& source) {
  require(self.dtype() == source.dtype(), "masked_scatter: self is ", self.dtype(), ", the source ", source.dtype());
  const Masked both = broadcast_mask(self, mask, "masked_scatter", false);
  const uint8_t* const set = both.mask.as<uint8_t>();
  const int64_t count = both.mask.numel();
  int64_t starts[65];
  count_set(set, count, starts);
  const int64_t wanted = starts[parts_of(count)];
  require(source.numel() >= wanted, "masked_scatter: the mask selects ", wanted, " elements, the source has ", source.numel());
  const Tensor values = contiguous(source);
  Tensor result = empty(both.self.sizes(), self.dtype());
  for_bytes(self.dtype(), "masked_scatter", [&]<class T>(TypeTag<T>) {
    const T* const old = both.self.as<T>();
    T* const to = result.as<T>();
    each_part(count, [&](int64_t part, int64_t first, int64_t last) {
      const T* next = values.as<T>() + starts[part];
      for (int64_t i = first; i < last; ++i) {
        to[i] = set[i] != 0 ? *next++ : old[i];
      }
    });
  });
  return result;
}

}  // namespace

Tensor nonzero(const Tensor& self) {
  const Tensor set = truth(self);
  int64_t starts[65];
  count_set(set.as<uint8_t>(), set.numel(), starts);
  const int64_t found = starts[parts_of(set.numel())];
  // Coordinate by coordinate in memory, as torch has it.
  Tensor result = empty_strided({found, self.dim()}, {1, found}, Dtype::i64);
  write_positions(set.as<uint8_t>(), self.sizes(), starts, found, result);
  return result;
}

}  // namespace aotwin::runtime

using namespace aotwin::runtime;

extern "C" {

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_nonzero)(AtenTensorHandle self, AtenTensorHandle* ret0) {
  return guarded([&] { answer(ret0, nonzero(borrow(self))); });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_nonzero)(AtenTensorHandle self, AtenTensorHandle* out) {
  return guarded([&] { answer(out, nonzero(borrow(self))); });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_nonzero_static)(AtenTensorHandle self, int64_t size, int64_t fill_value,
                                                          AtenTensorHandle* ret0) {
  return guarded([&] { answer(ret0, nonzero_static(borrow(self), size, fill_value)); });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_masked_select)(AtenTensorHandle self, AtenTensorHandle mask, AtenTensorHandle* ret0) {
  return guarded([&] { answer(ret0, masked_select(borrow(self), borrow(mask))); });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_masked_scatter)(AtenTensorHandle self, AtenTensorHandle mask, AtenTensorHandle source,
                                                          AtenTensorHandle* ret0) {
  return guarded([&] { answer(ret0, masked_scatter(borrow(self), borrow(mask), borrow(source))); });
}
}
