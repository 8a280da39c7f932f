// The C functions that draw random numbers.
#include <algorithm>
#include <utility>

#include "elementwise.h"
#include "random_fill.h"

namespace aotwin::runtime {

namespace {

struct Options {
  Options(const int32_t* dtype_number, Dtype fallback, const int32_t* layout, const int32_t* device)
      : dtype(dtype_or(dtype_number, fallback)) {
    check_layout(layout);
    check_device(device);
  }
  Dtype dtype;
};

// torch's numbers of memory formats: 0 contiguous, 1 preserve, 2 and 3 channels-last.
Tensor empty_in_format(const Tensor& self, Dtype dtype, const int32_t* format) {
  switch (value_or<int32_t>(format, 1)) {
    case 0:
      return empty(self.sizes(), dtype);
    case 1:
      return empty_preserving(self, dtype);
    default:
      return empty_like_channels_last(self.sizes(), dtype);
  }
}

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

std::pair<Tensor, Tensor> dropout(const Tensor& input, double probability, bool train) {
  require(probability >= 0 && probability <= 1, "dropout: the probability ", probability, " is not in [0, 1]");
  if (input.numel() == 0 || !train || probability == 0) {
    Tensor mask = empty_preserving(input, Dtype::boolean);
    std::fill(mask.as<bool>(), mask.as<bool>() + mask.numel(), true);
    return {clone(input), std::move(mask)};
  }
  Tensor mask = empty_preserving(input, Dtype::boolean);
  if (probability == 1) {
    fill_zero(mask);
  } else {
    fill_bernoulli(mask, 1 - probability, default_generator());
  }
  Tensor output = empty_preserving(input, input.dtype());
  const Tensor source = aligned(input, output, input.dtype());
  for_float(input.dtype(), "dropout", [&]<class T>(TypeTag<T>) {
    const opmath_t<T> scale = cast<opmath_t<T>>(probability == 1 ? 0.0 : 1 / (1 - probability));
    for (int64_t i = 0; i < output.numel(); ++i) {
      const opmath_t<T> kept = cast<opmath_t<T>>(mask.as<bool>()[i]);
      output.as<T>()[i] = cast<T>(cast<opmath_t<T>>(cast<T>(cast<opmath_t<T>>(source.as<T>()[i]) * kept)) * scale);
    }
  });
  return {std::move(output), std::move(mask)};
}

// A tensor like `self`, filled.
template <class Fill>
Tensor filled_like(const Tensor& self, Fill&& fill) {
  Tensor result = empty_preserving(self, self.dtype());
  fill(result);
  return result;
}

template <class Fill>
Tensor filled(const Dims& sizes, Dtype dtype, Fill&& fill) {
  Tensor result = empty(sizes, dtype);
  fill(result);
  return result;
}

void uniform(const Tensor& tensor, AtenGeneratorHandle* generator) {
  fill_uniform(tensor, 0, 1, generator_of(generator));
}

void normal(const Tensor& tensor, AtenGeneratorHandle* generator) {
  fill_normal(tensor, 0, 1, generator_of(generator));
}

void integers(const Tensor& tensor, int64_t low, int64_t high, AtenGeneratorHandle* generator) {
  fill_integers(tensor, low, high, generator_of(generator));
}

}  // namespace

}  // namespace aotwin::runtime

using namespace aotwin::runtime;

#define AOTWIN_OPTIONS int32_t *dtype, int32_t *layout, int32_t *device, int32_t, int32_t *
#define AOTWIN_SIZE const int64_t *size, int64_t size_len_

extern "C" {

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_rand)(AOTWIN_SIZE, AOTWIN_OPTIONS, AtenTensorHandle* ret0) {
  return guarded([&] {
    const Options options(dtype, Dtype::f32, layout, device);
    answer(ret0, filled(list_of(size, size_len_), options.dtype, [](const Tensor& t) { uniform(t, nullptr); }));
  });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_rand_generator)(AOTWIN_SIZE, AtenGeneratorHandle* generator, AOTWIN_OPTIONS,
                                                          AtenTensorHandle* ret0) {
  return guarded([&] {
    const Options options(dtype, Dtype::f32, layout, device);
    answer(ret0, filled(list_of(size, size_len_), options.dtype, [&](const Tensor& t) { uniform(t, generator); }));
  });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_rand_like)(AtenTensorHandle self, AOTWIN_OPTIONS, int32_t* memory_format,
                                                     AtenTensorHandle* ret0) {
  return guarded([&] {
    const Options options(dtype, borrow(self).dtype(), layout, device);
    Tensor result = empty_in_format(borrow(self), options.dtype, memory_format);
    uniform(result, nullptr);
    answer(ret0, std::move(result));
  });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_rand_like_generator)(AtenTensorHandle self, AtenGeneratorHandle* generator, AOTWIN_OPTIONS,
                                                               int32_t* memory_format, AtenTensorHandle* ret0) {
  return guarded([&] {
    const Options options(dtype, borrow(self).dtype(), layout, device);
    Tensor result = empty_in_format(borrow(self), options.dtype, memory_format);
    uniform(result, generator);
    answer(ret0, std::move(result));
  });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_randn)(AOTWIN_SIZE, AOTWIN_OPTIONS, AtenTensorHandle* ret0) {
  return guarded([&] {
    const Options options(dtype, Dtype::f32, layout, device);
    answer(ret0, filled(list_of(size, size_len_), options.dtype, [](const Tensor& t) { normal(t, nullptr); }));
  });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_randn_generator)(AOTWIN_SIZE, AtenGeneratorHandle* generator, AOTWIN_OPTIONS,
                                                           AtenTensorHandle* ret0) {
  return guarded([&] {
    const Options options(dtype, Dtype::f32, layout, device);
    answer(ret0, filled(list_of(size, size_len_), options.dtype, [&](const Tensor& t) { normal(t, generator); }));
  });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_randn_like)(AtenTensorHandle self, AOTWIN_OPTIONS, int32_t* memory_format,
                                                      AtenTensorHandle* ret0) {
  return guarded([&] {
    const Options options(dtype, borrow(self).dtype(), layout, device);
    Tensor result = empty_in_format(borrow(self), options.dtype, memory_format);
    normal(result, nullptr);
    answer(ret0, std::move(result));
  });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_randn_like_generator)(AtenTensorHandle self, AtenGeneratorHandle* generator, AOTWIN_OPTIONS,
                                                                int32_t* memory_format, AtenTensorHandle* ret0) {
  return guarded([&] {
    const Options options(dtype, borrow(self).dtype(), layout, device);
    Tensor result = empty_in_format(borrow(self), options.dtype, memory_format);
    normal(result, generator);
    answer(ret0, std::move(result));
  });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_randint)(int64_t high, AOTWIN_SIZE, AOTWIN_OPTIONS, AtenTensorHandle* ret0) {
  return guarded([&] {
    const Options options(dtype, Dtype::i64, layout, device);
    answer(ret0, filled(list_of(size, size_len_), options.dtype, [&](const Tensor& t) { integers(t, 0, high, nullptr); }));
  });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_randint_generator)(int64_t high, AOTWIN_SIZE, AtenGeneratorHandle* generator, AOTWIN_OPTIONS,
                                                             AtenTensorHandle* ret0) {
  return guarded([&] {
    const Options options(dtype, Dtype::i64, layout, device);
    answer(ret0, filled(list_of(size, size_len_), options.dtype, [&](const Tensor& t) { integers(t, 0, high, generator); }));
  });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_randint_low)(int64_t low, int64_t high, AOTWIN_SIZE, AOTWIN_OPTIONS, AtenTensorHandle* ret0) {
  return guarded([&] {
    const Options options(dtype, Dtype::i64, layout, device);
    answer(ret0, filled(list_of(size, size_len_), options.dtype, [&](const Tensor& t) { integers(t, low, high, nullptr); }));
  });
}

// Where generated code takes its seeds from.
AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_randint_low_out)(AtenTensorHandle out, int64_t low, int64_t high, AOTWIN_SIZE) {
  return guarded([&] {
    const Tensor& target = borrow(out);
    require(target.sizes() == list_of(size, size_len_), "randint: the result has shape ", target.sizes(), ", ",
            list_of(size, size_len_), " is asked for");
    fill_in_place(target, [&](const Tensor& t) { integers(t, low, high, nullptr); });
  });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_randint_like)(AtenTensorHandle self, int64_t high, AOTWIN_OPTIONS, int32_t* memory_format,
                                                        AtenTensorHandle* ret0) {
  return guarded([&] {
    const Options options(dtype, borrow(self).dtype(), layout, device);
    Tensor result = empty_in_format(borrow(self), options.dtype, memory_format);
    integers(result, 0, high, nullptr);
    answer(ret0, std::move(result));
  });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_randint_like_low_dtype)(AtenTensorHandle self, int64_t low, int64_t high, AOTWIN_OPTIONS,
                                                                  int32_t* memory_format, AtenTensorHandle* ret0) {
  return guarded([&] {
    const Options options(dtype, borrow(self).dtype(), layout, device);
    Tensor result = empty_in_format(borrow(self), options.dtype, memory_format);
    integers(result, low, high, nullptr);
    answer(ret0, std::move(result));
  });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_randperm)(int64_t n, AOTWIN_OPTIONS, AtenTensorHandle* ret0) {
  return guarded([&] {
    const Options options(dtype, Dtype::i64, layout, device);
    answer(ret0, random_permutation(n, options.dtype, default_generator()));
  });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_normal_functional)(AtenTensorHandle self, double mean, double std,
                                                             AtenGeneratorHandle* generator, AtenTensorHandle* ret0) {
  return guarded([&] {
    answer(ret0, filled_like(borrow(self), [&](const Tensor& t) { fill_normal(t, mean, std, generator_of(generator)); }));
  });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_uniform)(AtenTensorHandle self, double from, double to, AtenGeneratorHandle* generator,
                                                   AtenTensorHandle* ret0) {
  return guarded([&] {
    answer(ret0, filled_like(borrow(self), [&](const Tensor& t) { fill_uniform(t, from, to, generator_of(generator)); }));
  });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_exponential)(AtenTensorHandle self, double lambd, AtenGeneratorHandle* generator,
                                                       AtenTensorHandle* ret0) {
  return guarded([&] {
    answer(ret0, filled_like(borrow(self), [&](const Tensor& t) { fill_exponential(t, lambd, generator_of(generator)); }));
  });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_bernoulli__float)(AtenTensorHandle self, double p, AtenGeneratorHandle* generator) {
  return guarded([&] {
    fill_in_place(borrow(self), [&](const Tensor& t) { fill_bernoulli(t, p, generator_of(generator)); });
  });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_bernoulli__Tensor)(AtenTensorHandle self, AtenTensorHandle p, AtenGeneratorHandle* generator) {
  return guarded([&] {
    fill_in_place(borrow(self), [&](const Tensor& t) { fill_bernoulli(t, borrow(p), generator_of(generator)); });
  });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_native_dropout)(AtenTensorHandle input, double p, int32_t* train, AtenTensorHandle* ret0,
                                                          AtenTensorHandle* ret1) {
  return guarded([&] {
    auto [output, mask] = dropout(borrow(input), p, train == nullptr || *train != 0);
    answer_all({ret0, ret1}, std::move(output), std::move(mask));
  });
}
}
