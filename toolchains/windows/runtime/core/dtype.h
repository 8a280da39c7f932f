// Element types: torch's numbers, their C++ types, conversion between them, and the choice of a template by dtype.
#pragma once

#include <bit>
#include <complex>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace aotwin::runtime {

// torch's ScalarType numbers.
enum class Dtype : int32_t {
  u8 = 0,
  i8 = 1,
  i16 = 2,
  i32 = 3,
  i64 = 4,
  f16 = 5,
  f32 = 6,
  f64 = 7,
  c32 = 8,
  c64 = 9,
  c128 = 10,
  boolean = 11,
  bf16 = 15,
  f8_e5m2 = 23,
  f8_e4m3fn = 24,
  f8_e5m2fnuz = 25,
  f8_e4m3fnuz = 26,
  u16 = 27,
  u32 = 28,
  u64 = 29,
  f8_e8m0fnu = 44,
  f4_e2m1fn_x2 = 45
};

// Bytes of one element. Throws Error for a number that is no dtype of ours.
size_t element_size(Dtype dtype);
// torch's name: "float32", "bfloat16"; "unknown dtype" for any other number.
const char* name_of(Dtype dtype);
bool is_floating(Dtype dtype);  // float8 included
bool is_complex(Dtype dtype);
bool is_integral(Dtype dtype, bool include_bool = false);
bool is_known(Dtype dtype);

using half = _Float16;
using bfloat16 = __bf16;

template <class T>
struct TypeTag {
  using type = T;
};

// c10's "opmath": what arithmetic over T is done in.
template <class T>
struct OpMath {
  using type = T;
};
template <>
struct OpMath<half> {
  using type = float;
};
template <>
struct OpMath<bfloat16> {
  using type = float;
};
template <class T>
using opmath_t = typename OpMath<T>::type;

template <class T>
inline constexpr bool is_half_v = std::is_same_v<T, half> || std::is_same_v<T, bfloat16>;

template <class T>
struct IsComplex : std::false_type {};
template <class T>
struct IsComplex<std::complex<T>> : std::true_type {};
template <class T>
inline constexpr bool is_complex_v = IsComplex<T>::value;

// Round to nearest even, NaN kept. The compiler would call a library function for each element, and does not vectorise a choice between
// two bfloat16: so it is made among integers. Loops over arrays store the bits into uint16_t.
inline uint16_t bfloat16_bits(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16;
  const uint32_t nan = (bits & 0x7FFFFFFF) > 0x7F800000 ? 0xFFFFFFFF : 0;
  return static_cast<uint16_t>((rounded & ~nan) | (0x7FC0 & nan));
}
inline bfloat16 to_bfloat16(float value) {
  return std::bit_cast<bfloat16>(bfloat16_bits(value));
}
inline float to_float(bfloat16 value) {
  return std::bit_cast<float>(static_cast<uint32_t>(std::bit_cast<uint16_t>(value)) << 16);
}

// Conversion of one element as torch's `to` does it. Use it instead of static_cast wherever bfloat16, bool or complex may occur.
template <class To, class From>
inline To cast(From value) {
  if constexpr (std::is_same_v<To, From>) {
    return value;
  } else if constexpr (std::is_same_v<From, bfloat16>) {
    return cast<To>(to_float(value));
  } else if constexpr (is_complex_v<From>) {
    if constexpr (is_complex_v<To>) {
      using Part = typename To::value_type;
      return To(static_cast<Part>(value.real()), static_cast<Part>(value.imag()));
    } else if constexpr (std::is_same_v<To, bool>) {
      return value.real() != 0 || value.imag() != 0;
    } else {
      return cast<To>(value.real());
    }
  } else if constexpr (std::is_same_v<To, bool>) {
    return value != From(0);
  } else if constexpr (is_complex_v<To>) {
    return To(cast<typename To::value_type>(value));
  } else if constexpr (std::is_same_v<To, bfloat16>) {
    return to_bfloat16(static_cast<float>(value));
  } else if constexpr (std::is_same_v<To, half> && !std::is_same_v<From, float>) {
    return static_cast<half>(static_cast<float>(value));  // twice rounded, as torch does
  } else if constexpr (std::is_same_v<From, half>) {
    return cast<To>(static_cast<float>(value));
  } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To> && sizeof(To) < 8) {
    // Out of range is undefined in C++; through a wider integer small types wrap, as torch's results do on x86.
    using Between = std::conditional_t<(sizeof(To) < 4), int32_t, std::conditional_t<std::is_signed_v<To>, To, int64_t>>;
    return static_cast<To>(static_cast<Between>(value));
  } else {
    return static_cast<To>(value);
  }
}

struct alignas(16) Bytes16 {
  uint64_t words[2];
};

[[noreturn]] void fail_dtype(Dtype dtype, const char* what);

// Each calls f(TypeTag<T>{}) with T of the dtype, and throws Error naming `what` ("cumsum") for any other:
//   for_real(tensor.dtype(), "cumsum", [&]<class T>(TypeTag<T>) { ... });
template <class F>
decltype(auto) for_float(Dtype dtype, const char* what, F&& f) {
  switch (dtype) {
    case Dtype::f32:
      return f(TypeTag<float>{});
    case Dtype::f64:
      return f(TypeTag<double>{});
    case Dtype::f16:
      return f(TypeTag<half>{});
    case Dtype::bf16:
      return f(TypeTag<bfloat16>{});
    default:
      fail_dtype(dtype, what);
  }
}

template <class F>
decltype(auto) for_integral(Dtype dtype, const char* what, F&& f) {
  switch (dtype) {
    case Dtype::u8:
      return f(TypeTag<uint8_t>{});
    case Dtype::i8:
      return f(TypeTag<int8_t>{});
    case Dtype::i16:
      return f(TypeTag<int16_t>{});
    case Dtype::i32:
      return f(TypeTag<int32_t>{});
    case Dtype::i64:
      return f(TypeTag<int64_t>{});
    case Dtype::u16:
      return f(TypeTag<uint16_t>{});
    case Dtype::u32:
      return f(TypeTag<uint32_t>{});
    case Dtype::u64:
      return f(TypeTag<uint64_t>{});
    default:
      fail_dtype(dtype, what);
  }
}

// Floating and integral.
template <class F>
decltype(auto) for_real(Dtype dtype, const char* what, F&& f) {
  switch (dtype) {
    case Dtype::f32:
    case Dtype::f64:
    case Dtype::f16:
    case Dtype::bf16:
      return for_float(dtype, what, f);
    default:
      return for_integral(dtype, what, f);
  }
}

// for_real, bool, complex64 and complex128.
template <class F>
decltype(auto) for_any(Dtype dtype, const char* what, F&& f) {
  switch (dtype) {
    case Dtype::boolean:
      return f(TypeTag<bool>{});
    case Dtype::c64:
      return f(TypeTag<std::complex<float>>{});
    case Dtype::c128:
      return f(TypeTag<std::complex<double>>{});
    default:
      return for_real(dtype, what, f);
  }
}

// By the element's size alone, for code that moves elements and does not look at them: every dtype, float8 and complex32 too.
template <class F>
decltype(auto) for_bytes(Dtype dtype, const char* what, F&& f) {
  switch (element_size(dtype)) {
    case 1:
      return f(TypeTag<uint8_t>{});
    case 2:
      return f(TypeTag<uint16_t>{});
    case 4:
      return f(TypeTag<uint32_t>{});
    case 8:
      return f(TypeTag<uint64_t>{});
    case 16:
      return f(TypeTag<Bytes16>{});
    default:
      fail_dtype(dtype, what);
  }
}

}  // namespace aotwin::runtime
