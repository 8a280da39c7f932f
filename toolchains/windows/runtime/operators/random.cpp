// The C functions that draw random numbers: uniform, normal, exponential, dropout.
#include <algorithm>
#include <utility>

#include "elementwise.h"
#include "random_options.h"

namespace aotwin::runtime {

namespace {

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

void uniform(const Tensor& tensor, AtenGeneratorHandle* generator) {
  fill_uniform(tensor, 0, 1, generator_of(generator));
}

void normal(const Tensor& tensor, AtenGeneratorHandle* generator) {
  fill_normal(tensor, 0, 1, generator_of(generator));
}

}  // namespace

}  // namespace aotwin::runtime

using namespace aotwin::runtime;

extern "C" {

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_rand)(const int64_t* size, int64_t size_len_, int32_t* dtype, int32_t* layout,
                                                int32_t* device, int32_t, int32_t*, AtenTensorHandle* ret0) {
  return guarded([&] {
    const Options options(dtype, Dtype::f32, layout, device);
    answer(ret0, filled(list_of(size, size_len_), options.dtype, [](const Tensor& t) { uniform(t, nullptr); }));
  });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_rand_generator)(const int64_t* size, int64_t size_len_, AtenGeneratorHandle* generator,
                                                          int32_t* dtype, int32_t* layout, int32_t* device, int32_t, int32_t*,
                                                          AtenTensorHandle* ret0) {
  return guarded([&] {
    const Options options(dtype, Dtype::f32, layout, device);
    answer(ret0, filled(list_of(size, size_len_), options.dtype, [&](const Tensor& t) { uniform(t, generator); }));
  });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_rand_like)(AtenTensorHandle self, int32_t* dtype, int32_t* layout, int32_t* device,
                                                     int32_t, int32_t*, int32_t* memory_format, AtenTensorHandle* ret0) {
  return guarded([&] {
    const Options options(dtype, borrow(self).dtype(), layout, device);
    Tensor result = empty_in_format(borrow(self), options.dtype, memory_format);
    uniform(result, nullptr);
    answer(ret0, std::move(result));
  });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_rand_like_generator)(AtenTensorHandle self, AtenGeneratorHandle* generator,
                                                               int32_t* dtype, int32_t* layout, int32_t* device, int32_t,
                                                               int32_t*, int32_t* memory_format, AtenTensorHandle* ret0) {
  return guarded([&] {
    const Options options(dtype, borrow(self).dtype(), layout, device);
    Tensor result = empty_in_format(borrow(self), options.dtype, memory_format);
    uniform(result, generator);
    answer(ret0, std::move(result));
  });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_randn)(const int64_t* size, int64_t size_len_, int32_t* dtype, int32_t* layout,
                                                 int32_t* device, int32_t, int32_t*, AtenTensorHandle* ret0) {
  return guarded([&] {
    const Options options(dtype, Dtype::f32, layout, device);
    answer(ret0, filled(list_of(size, size_len_), options.dtype, [](const Tensor& t) { normal(t, nullptr); }));
  });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_randn_generator)(const int64_t* size, int64_t size_len_, AtenGeneratorHandle* generator,
                                                           int32_t* dtype, int32_t* layout, int32_t* device, int32_t, int32_t*,
                                                           AtenTensorHandle* ret0) {
  return guarded([&] {
    const Options options(dtype, Dtype::f32, layout, device);
    answer(ret0, filled(list_of(size, size_len_), options.dtype, [&](const Tensor& t) { normal(t, generator); }));
  });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_randn_like)(AtenTensorHandle self, int32_t* dtype, int32_t* layout, int32_t* device,
                                                      int32_t, int32_t*, int32_t* memory_format, AtenTensorHandle* ret0) {
  return guarded([&] {
    const Options options(dtype, borrow(self).dtype(), layout, device);
    Tensor result = empty_in_format(borrow(self), options.dtype, memory_format);
    normal(result, nullptr);
    answer(ret0, std::move(result));
  });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_randn_like_generator)(AtenTensorHandle self, AtenGeneratorHandle* generator,
                                                                int32_t* dtype, int32_t* layout, int32_t* device, int32_t,
                                                                int32_t*, int32_t* memory_format, AtenTensorHandle* ret0) {
  return guarded([&] {
    const Options options(dtype, borrow(self).dtype(), layout, device);
    Tensor result = empty_in_format(borrow(self), options.dtype, memory_format);
    normal(result, generator);
    answer(ret0, std::move(result));
  });
}

// Where generated code takes its seeds from.

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

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_native_dropout)(AtenTensorHandle input, double p, int32_t* train,
                                                          AtenTensorHandle* ret0, AtenTensorHandle* ret1) {
  return guarded([&] {
    auto [output, mask] = dropout(borrow(input), p, train == nullptr || *train != 0);
    answer_all({ret0, ret1}, std::move(output), std::move(mask));
  });
}
}
