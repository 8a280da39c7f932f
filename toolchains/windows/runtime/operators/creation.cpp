// New tensors: full, zeros, windows.
#include <cmath>
#include <numbers>

#include "arguments.h"
#include "filling.h"

namespace aotwin::runtime {

namespace {


Tensor hann_window(int64_t length, Dtype dtype) {
  require(length >= 0, "hann_window: the length ", length, " is negative");
  Tensor result = empty({length}, dtype);
  for_float(dtype, "hann_window", [&]<class T>(TypeTag<T>) {
    T* const values = result.as<T>();
    for (int64_t i = 0; i < length; ++i) {
      const double angle = 2 * std::numbers::pi * static_cast<double>(i) / static_cast<double>(length);
      values[i] = cast<T>(length == 1 ? 1.0 : 0.5 - 0.5 * std::cos(angle));
    }
  });
  return result;
}

}  // namespace

void fill(const Tensor& tensor, double value) {
  Tensor one = empty({}, Dtype::f64);
  *one.as<double>() = value;
  copy_into(tensor, one);
}

}  // namespace aotwin::runtime

using namespace aotwin::runtime;

extern "C" {

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_fill__Scalar)(AtenTensorHandle self, double value) {
  return guarded([&] { fill(borrow(self), value); });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_aten_fill__Scalar)(AtenTensorHandle self, double value) {
  return guarded([&] { fill(borrow(self), value); });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_aten_full)(const int64_t* size, int64_t size_len_, double fill_value, int32_t* dtype,
                                                 int32_t* layout, int32_t* device, int32_t, int32_t*, AtenTensorHandle* ret0) {
  return guarded([&] {
    check_layout(layout);
    check_device(device);
    Tensor result = empty(list_of(size, size_len_), dtype_or(dtype, Dtype::f32));
    fill(result, fill_value);
    answer(ret0, std::move(result));
  });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_aten_new_empty)(AtenTensorHandle self, const int64_t* size, int64_t size_len_, int32_t* dtype,
                                                      int32_t* layout, int32_t* device, int32_t, int32_t*,
                                                      AtenTensorHandle* ret0) {
  return guarded([&] {
    check_layout(layout);
    check_device(device);
    answer(ret0, empty(list_of(size, size_len_), dtype_or(dtype, borrow(self).dtype())));
  });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_aten_new_zeros)(AtenTensorHandle self, const int64_t* size, int64_t size_len_, int32_t* dtype,
                                                      int32_t* layout, int32_t* device, int32_t, int32_t*,
                                                      AtenTensorHandle* ret0) {
  return guarded([&] {
    check_layout(layout);
    check_device(device);
    answer(ret0, zeros(list_of(size, size_len_), dtype_or(dtype, borrow(self).dtype())));
  });
}

// torch has no memory behind these; here they are ordinary zeros.
AOTITorchError AOTWIN_SHIM(aoti_torch_cpu__efficientzerotensor)(const int64_t* size, int64_t size_len_, int32_t* dtype,
                                                                int32_t* layout, int32_t* device, int32_t, int32_t*,
                                                                AtenTensorHandle* ret0) {
  return guarded([&] {
    check_layout(layout);
    check_device(device);
    answer(ret0, zeros(list_of(size, size_len_), dtype_or(dtype, Dtype::f32)));
  });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_hann_window)(int64_t window_length, int32_t* dtype, int32_t* layout, int32_t* device,
                                                       int32_t, int32_t*, AtenTensorHandle* ret0) {
  return guarded([&] {
    check_layout(layout);
    check_device(device);
    answer(ret0, hann_window(window_length, dtype_or(dtype, Dtype::f32)));
  });
}
}
