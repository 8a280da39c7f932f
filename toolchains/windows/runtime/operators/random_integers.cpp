// The C functions that draw random integers, permutations, and zeros or ones.
#include <utility>

#include "random_options.h"

namespace aotwin::runtime {

namespace {

// Draws into a dense tensor of the same memory order, where `self` itself is not dense.
template <class Fill>
void fill_in_place(const Tensor& self, Fill&& fill) {
  if (self.is_dense()) {
    fill(self);
    return;
  }
  const Tensor drawn = empty_preserving(self, self.dtype());
  fill(drawn);
  copy_into(self, drawn);
}

// A Fisher-Yates shuffle of 0, 1, 2, ... that swaps each place with a later one.
Tensor random_permutation(int64_t count, Dtype dtype, Generator& generator) {
  for_real(dtype, "randperm", [](auto) {});
  require(count >= 0, "randperm: the number of elements ", count, " is negative");
  Tensor order = empty({count}, Dtype::i64);
  int64_t* const values = order.as<int64_t>();
  for (int64_t i = 0; i < count; ++i) {
    values[i] = i;
  }
  const bool wide = count >= int64_t(UINT32_MAX) / 20;
  const std::lock_guard lock(generator.mutex());
  for (int64_t i = 0; i + 1 < count; ++i) {
    const uint64_t drawn = wide ? generator.random64() : generator.random32();
    std::swap(values[i], values[i + static_cast<int64_t>(drawn % static_cast<uint64_t>(count - i))]);
  }
  return to_dtype(order, dtype);
}

void integers(const Tensor& tensor, int64_t low, int64_t high, AtenGeneratorHandle* generator) {
  fill_integers(tensor, low, high, generator_of(generator));
}

}  // namespace

}  // namespace aotwin::runtime

using namespace aotwin::runtime;

extern "C" {

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_randint)(int64_t high, const int64_t* size, int64_t size_len_, int32_t* dtype,
                                                   int32_t* layout, int32_t* device, int32_t, int32_t*, AtenTensorHandle* ret0) {
  return guarded([&] {
    const Options options(dtype, Dtype::i64, layout, device);
    answer(ret0, filled(list_of(size, size_len_), options.dtype, [&](const Tensor& t) { integers(t, 0, high, nullptr); }));
  });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_randint_generator)(int64_t high, const int64_t* size, int64_t size_len_,
                                                             AtenGeneratorHandle* generator, int32_t* dtype, int32_t* layout,
                                                             int32_t* device, int32_t, int32_t*, AtenTensorHandle* ret0) {
  return guarded([&] {
    const Options options(dtype, Dtype::i64, layout, device);
    answer(ret0, filled(list_of(size, size_len_), options.dtype, [&](const Tensor& t) { integers(t, 0, high, generator); }));
  });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_randint_low)(int64_t low, int64_t high, const int64_t* size, int64_t size_len_,
                                                       int32_t* dtype, int32_t* layout, int32_t* device, int32_t, int32_t*,
                                                       AtenTensorHandle* ret0) {
  return guarded([&] {
    const Options options(dtype, Dtype::i64, layout, device);
    answer(ret0, filled(list_of(size, size_len_), options.dtype, [&](const Tensor& t) { integers(t, low, high, nullptr); }));
  });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_randint_low_out)(AtenTensorHandle out, int64_t low, int64_t high, const int64_t* size,
                                                           int64_t size_len_) {
  return guarded([&] {
    const Tensor& target = borrow(out);
    require(target.sizes() == list_of(size, size_len_), "randint: the result has shape ", target.sizes(), ", ",
            list_of(size, size_len_), " is asked for");
    fill_in_place(target, [&](const Tensor& t) { integers(t, low, high, nullptr); });
  });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_randint_like)(AtenTensorHandle self, int64_t high, int32_t* dtype, int32_t* layout,
                                                        int32_t* device, int32_t, int32_t*, int32_t* memory_format,
                                                        AtenTensorHandle* ret0) {
  return guarded([&] {
    const Options options(dtype, borrow(self).dtype(), layout, device);
    Tensor result = empty_in_format(borrow(self), options.dtype, memory_format);
    integers(result, 0, high, nullptr);
    answer(ret0, std::move(result));
  });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_randint_like_low_dtype)(AtenTensorHandle self, int64_t low, int64_t high,
                                                                  int32_t* dtype, int32_t* layout, int32_t* device, int32_t,
                                                                  int32_t*, int32_t* memory_format, AtenTensorHandle* ret0) {
  return guarded([&] {
    const Options options(dtype, borrow(self).dtype(), layout, device);
    Tensor result = empty_in_format(borrow(self), options.dtype, memory_format);
    integers(result, low, high, nullptr);
    answer(ret0, std::move(result));
  });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_randperm)(int64_t n, int32_t* dtype, int32_t* layout, int32_t* device, int32_t,
                                                    int32_t*, AtenTensorHandle* ret0) {
  return guarded([&] {
    const Options options(dtype, Dtype::i64, layout, device);
    answer(ret0, random_permutation(n, options.dtype, default_generator()));
  });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_bernoulli__float)(AtenTensorHandle self, double p, AtenGeneratorHandle* generator) {
  return guarded([&] {
    fill_in_place(borrow(self), [&](const Tensor& t) { fill_bernoulli(t, p, generator_of(generator)); });
  });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_bernoulli__Tensor)(AtenTensorHandle self, AtenTensorHandle p,
                                                             AtenGeneratorHandle* generator) {
  return guarded([&] {
    fill_in_place(borrow(self), [&](const Tensor& t) { fill_bernoulli(t, borrow(p), generator_of(generator)); });
  });
}
}
