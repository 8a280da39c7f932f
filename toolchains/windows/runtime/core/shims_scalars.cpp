// Numbers out of tensors of one element, and into such.
#include <cmath>
#include <cstring>
#include <limits>

#include "convert.h"
#include "scalar.h"

namespace aotwin::runtime {

Scalar item(const Tensor& tensor) {
  require(tensor.defined(), "item: the tensor is undefined");
  require(tensor.numel() == 1, "a tensor of ", tensor.numel(), " elements (sizes ", tensor.sizes(), ") is no single number");
  const Dtype dtype = tensor.dtype();
  Scalar result;
  void* to = &result.real;
  Dtype wide = Dtype::f64;
  result.kind = Scalar::Kind::real;
  if (is_complex(dtype)) {
    result.kind = Scalar::Kind::complex;
    to = &result.complex;
    wide = Dtype::c128;
  } else if (dtype == Dtype::u64) {
    result.kind = Scalar::Kind::unsigned_integer;
    to = &result.unsigned_integer;
    wide = Dtype::u64;
  } else if (is_integral(dtype, true)) {
    result.kind = dtype == Dtype::boolean ? Scalar::Kind::boolean : Scalar::Kind::integer;
    to = &result.integer;
    wide = Dtype::i64;
  }
  if (dtype == wide) {
    std::memcpy(to, tensor.data(), element_size(wide));
  } else {
    Converter(wide, dtype)(static_cast<char*>(to), 0, tensor.as<const char>(), 0, 1);
  }
  return result;
}

namespace {

template <class T>
struct Limits : std::numeric_limits<T> {};
// The standard library has none for these two.
template <>
struct Limits<half> {
  static double max() {
    return 65504;
  }
};
template <>
struct Limits<bfloat16> {
  static double max() {
    return 3.3895313892515355e38;
  }
};

[[noreturn]] void out_of_range(const Scalar& scalar, const char* name) {
  switch (scalar.kind) {
    case Scalar::Kind::real:
      fail("the number ", scalar.real, " is out of the range of ", name);
    case Scalar::Kind::complex:
      fail("the complex number ", scalar.complex.real(), " + ", scalar.complex.imag(), "i is out of the range of ", name);
    case Scalar::Kind::unsigned_integer:
      fail("the number ", scalar.unsigned_integer, " is out of the range of ", name);
    default:
      fail("the number ", scalar.integer, " is out of the range of ", name);
  }
}

template <class T>
bool fits(double value) {
  if constexpr (std::is_integral_v<T>) {
    // Compared in float64, as torch does; NaN is never in range.
    return value >= static_cast<double>(std::numeric_limits<T>::lowest()) &&
        value <= static_cast<double>(std::numeric_limits<T>::max());
  } else {
    return !std::isfinite(value) || std::fabs(value) <= static_cast<double>(Limits<T>::max());
  }
}

}  // namespace

template <class T>
T scalar_to(const Scalar& scalar, const char* name) {
  if constexpr (is_complex_v<T>) {
    if (scalar.kind == Scalar::Kind::complex) {
      using Part = typename T::value_type;
      if (!fits<Part>(scalar.complex.real()) || !fits<Part>(scalar.complex.imag())) {
        out_of_range(scalar, name);
      }
      return cast<T>(scalar.complex);
    }
    return T(scalar_to<typename T::value_type>(scalar, name));
  } else if constexpr (std::is_same_v<T, bool>) {
    switch (scalar.kind) {
      case Scalar::Kind::real:
        return scalar.real != 0;
      case Scalar::Kind::complex:
        return cast<bool>(scalar.complex);
      case Scalar::Kind::unsigned_integer:
        return scalar.unsigned_integer != 0;
      default:
        return scalar.integer != 0;
    }
  } else {
    switch (scalar.kind) {
      case Scalar::Kind::complex:
        if (scalar.complex.imag() != 0 || !fits<T>(scalar.complex.real())) {
          out_of_range(scalar, name);
        }
        return cast<T>(scalar.complex.real());
      case Scalar::Kind::real:
        if (!fits<T>(scalar.real)) {
          out_of_range(scalar, name);
        }
        return cast<T>(scalar.real);
      case Scalar::Kind::unsigned_integer:
        if constexpr (std::is_integral_v<T>) {
          if (scalar.unsigned_integer > static_cast<uint64_t>(std::numeric_limits<T>::max())) {
            out_of_range(scalar, name);
          }
        } else if (!fits<T>(static_cast<double>(scalar.unsigned_integer))) {
          out_of_range(scalar, name);
        }
        return cast<T>(scalar.unsigned_integer);
      default:
        if constexpr (std::is_unsigned_v<T>) {
          // Negative numbers wrap, as long as their amount is in range.
          const uint64_t amount = scalar.integer < 0 ? -static_cast<uint64_t>(scalar.integer) : static_cast<uint64_t>(scalar.integer);
          if (amount > std::numeric_limits<T>::max()) {
            out_of_range(scalar, name);
          }
        } else if constexpr (std::is_integral_v<T>) {
          if (scalar.integer < std::numeric_limits<T>::min() || scalar.integer > std::numeric_limits<T>::max()) {
            out_of_range(scalar, name);
          }
        } else if (!fits<T>(static_cast<double>(scalar.integer))) {
          out_of_range(scalar, name);
        }
        return cast<T>(scalar.integer);
    }
  }
}

namespace {

template <class T>
AOTITorchError read_item(AtenTensorHandle tensor, T* result, const char* name) {
  return guarded([&] {
    require(result != nullptr, "item: the pointer for the result is null");
    *result = scalar_to<T>(item(borrow(tensor)), name);
  });
}

template <class T>
AOTITorchError make_scalar(const T& value, Dtype dtype, AtenTensorHandle* result) {
  return guarded([&] {
    require(result != nullptr, "scalar_to_tensor: the pointer for the result is null");
    Tensor tensor = empty({}, dtype);
    std::memcpy(tensor.data(), &value, sizeof(T));
    *result = give(std::move(tensor));
  });
}

}  // namespace
}  // namespace aotwin::runtime

using aotwin::runtime::Dtype;
using aotwin::runtime::make_scalar;
using aotwin::runtime::read_item;

extern "C" {

// c10::complex, as it is passed by value.
struct alignas(8) AotwinComplex64 {
  float real;
  float imag;
};
struct alignas(16) AotwinComplex128 {
  double real;
  double imag;
};

AOTITorchError AOTWIN_SHIM(aoti_torch_item_float16)(AtenTensorHandle tensor, aotwin::runtime::half* result) {
  return read_item(tensor, result, "float16");
}
AOTITorchError AOTWIN_SHIM(aoti_torch_item_bfloat16)(AtenTensorHandle tensor, aotwin::runtime::bfloat16* result) {
  return read_item(tensor, result, "bfloat16");
}
AOTITorchError AOTWIN_SHIM(aoti_torch_item_float32)(AtenTensorHandle tensor, float* result) {
  return read_item(tensor, result, "float32");
}
AOTITorchError AOTWIN_SHIM(aoti_torch_item_float64)(AtenTensorHandle tensor, double* result) {
  return read_item(tensor, result, "float64");
}
AOTITorchError AOTWIN_SHIM(aoti_torch_item_uint8)(AtenTensorHandle tensor, uint8_t* result) {
  return read_item(tensor, result, "uint8");
}
AOTITorchError AOTWIN_SHIM(aoti_torch_item_uint16)(AtenTensorHandle tensor, uint16_t* result) {
  return read_item(tensor, result, "uint16");
}
AOTITorchError AOTWIN_SHIM(aoti_torch_item_uint32)(AtenTensorHandle tensor, uint32_t* result) {
  return read_item(tensor, result, "uint32");
}
AOTITorchError AOTWIN_SHIM(aoti_torch_item_uint64)(AtenTensorHandle tensor, uint64_t* result) {
  return read_item(tensor, result, "uint64");
}
AOTITorchError AOTWIN_SHIM(aoti_torch_item_int8)(AtenTensorHandle tensor, int8_t* result) {
  return read_item(tensor, result, "int8");
}
AOTITorchError AOTWIN_SHIM(aoti_torch_item_int16)(AtenTensorHandle tensor, int16_t* result) {
  return read_item(tensor, result, "int16");
}
AOTITorchError AOTWIN_SHIM(aoti_torch_item_int32)(AtenTensorHandle tensor, int32_t* result) {
  return read_item(tensor, result, "int32");
}
AOTITorchError AOTWIN_SHIM(aoti_torch_item_int64)(AtenTensorHandle tensor, int64_t* result) {
  return read_item(tensor, result, "int64");
}
AOTITorchError AOTWIN_SHIM(aoti_torch_item_bool)(AtenTensorHandle tensor, bool* result) {
  return read_item(tensor, result, "bool");
}
AOTITorchError AOTWIN_SHIM(aoti_torch_item_complex64)(AtenTensorHandle tensor, AotwinComplex64* result) {
  return read_item(tensor, reinterpret_cast<std::complex<float>*>(result), "complex64");
}

AOTITorchError AOTWIN_SHIM(aoti_torch_scalar_to_tensor_float32)(float value, AtenTensorHandle* result) {
  return make_scalar(value, Dtype::f32, result);
}
AOTITorchError AOTWIN_SHIM(aoti_torch_scalar_to_tensor_float64)(double value, AtenTensorHandle* result) {
  return make_scalar(value, Dtype::f64, result);
}
AOTITorchError AOTWIN_SHIM(aoti_torch_scalar_to_tensor_uint8)(uint8_t value, AtenTensorHandle* result) {
  return make_scalar(value, Dtype::u8, result);
}
AOTITorchError AOTWIN_SHIM(aoti_torch_scalar_to_tensor_uint16)(uint16_t value, AtenTensorHandle* result) {
  return make_scalar(value, Dtype::u16, result);
}
AOTITorchError AOTWIN_SHIM(aoti_torch_scalar_to_tensor_uint32)(uint32_t value, AtenTensorHandle* result) {
  return make_scalar(value, Dtype::u32, result);
}
AOTITorchError AOTWIN_SHIM(aoti_torch_scalar_to_tensor_uint64)(uint64_t value, AtenTensorHandle* result) {
  return make_scalar(value, Dtype::u64, result);
}
AOTITorchError AOTWIN_SHIM(aoti_torch_scalar_to_tensor_int8)(int8_t value, AtenTensorHandle* result) {
  return make_scalar(value, Dtype::i8, result);
}
AOTITorchError AOTWIN_SHIM(aoti_torch_scalar_to_tensor_int16)(int16_t value, AtenTensorHandle* result) {
  return make_scalar(value, Dtype::i16, result);
}
AOTITorchError AOTWIN_SHIM(aoti_torch_scalar_to_tensor_int32)(int32_t value, AtenTensorHandle* result) {
  return make_scalar(value, Dtype::i32, result);
}
AOTITorchError AOTWIN_SHIM(aoti_torch_scalar_to_tensor_int64)(int64_t value, AtenTensorHandle* result) {
  return make_scalar(value, Dtype::i64, result);
}
AOTITorchError AOTWIN_SHIM(aoti_torch_scalar_to_tensor_bool)(bool value, AtenTensorHandle* result) {
  return make_scalar(value, Dtype::boolean, result);
}
AOTITorchError AOTWIN_SHIM(aoti_torch_scalar_to_tensor_complex64)(AotwinComplex64 value, AtenTensorHandle* result) {
  return make_scalar(value, Dtype::c64, result);
}
AOTITorchError AOTWIN_SHIM(aoti_torch_scalar_to_tensor_complex128)(AotwinComplex128 value, AtenTensorHandle* result) {
  return make_scalar(value, Dtype::c128, result);
}
}
