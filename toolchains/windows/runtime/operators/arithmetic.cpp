// Arithmetic that generated code leaves to the library: mostly over complex numbers, which it does not compute itself.
#include <cmath>
#include <numeric>
#include <numbers>

#include "elementwise.h"
#include "promotion.h"

namespace aotwin::runtime {

namespace {

Tensor number(double value, Dtype dtype) {
  Tensor one = empty({}, Dtype::f64);
  *one.as<double>() = value;
  return to_dtype(one, dtype);
}

Tensor add(const Tensor& a, const Tensor& b, double alpha, Dtype dtype, const char* what) {
  Tensor result = empty_for(a, b, dtype);
  for_any(dtype, what, [&]<class T>(TypeTag<T>) {
    if constexpr (std::is_same_v<T, bool>) {
      map_pairs<T>(a, b, result, [&](bool x, bool y) { return x || (y && alpha != 0); });
    } else if (alpha == 1) {
      map_pairs<T>(a, b, result, [](auto x, auto y) { return x + y; });
    } else {
      const opmath_t<T> factor = cast<opmath_t<T>>(alpha);
      map_pairs<T>(a, b, result, [&](auto x, auto y) { return x + factor * y; });
    }
  });
  return result;
}

Tensor multiply(const Tensor& a, const Tensor& b, Dtype dtype) {
  Tensor result = empty_for(a, b, dtype);
  for_any(dtype, "mul", [&]<class T>(TypeTag<T>) {
    if constexpr (is_complex_v<T>) {
      // Written out: the operator of C++ mends infinities, which torch's does not.
      map_pairs<T>(a, b, result, [](T x, T y) {
        return T(x.real() * y.real() - x.imag() * y.imag(), x.real() * y.imag() + x.imag() * y.real());
      });
    } else {
      map_pairs<T>(a, b, result, [](auto x, auto y) { return static_cast<decltype(x)>(x * y); });
    }
  });
  return result;
}

template <class T>
T integer_power(T base, T exponent) {
  if (std::is_signed_v<T> && exponent < 0) {
    const bool odd = (exponent & 1) != 0;
    return base == T(1) ? T(1) : base == static_cast<T>(-1) ? static_cast<T>(odd ? -1 : 1) : T(0);
  }
  using Wide = uint64_t;  // overflow wraps
  Wide result = 1;
  Wide factor = static_cast<Wide>(base);
  for (Wide left = static_cast<Wide>(exponent); left != 0; left >>= 1) {
    if ((left & 1) != 0) {
      result *= factor;
    }
    factor *= factor;
  }
  return static_cast<T>(result);
}

template <class T>
T raised(T base, T exponent) {
  if constexpr (std::is_same_v<T, std::complex<float>>) {
    // Through a logarithm, whose rounding error the exponent multiplies.
    return cast<T>(std::pow(std::complex<double>(base), std::complex<double>(exponent)));
  } else {
    return std::pow(base, exponent);
  }
}

Tensor power(const Tensor& base, const Tensor& exponent, Dtype dtype) {
  Tensor result = empty_for(base, exponent, dtype);
  for_any(dtype, "pow", [&]<class T>(TypeTag<T>) {
    if constexpr (std::is_same_v<T, bool>) {
      map_pairs<T>(base, exponent, result, [](bool x, bool y) { return x || !y; });
    } else if constexpr (std::is_integral_v<T>) {
      map_pairs<T>(base, exponent, result, integer_power<T>);
    } else {
      map_pairs<T>(base, exponent, result, [](auto x, auto y) { return raised(x, y); });
    }
  });
  return result;
}

Tensor power_of_number(const Tensor& base, double exponent) {
  const Dtype dtype = result_dtype_with_number(base);
  Tensor result = empty_preserving(base, dtype);
  const Tensor source = to_dtype(base, dtype);
  for_any(dtype, "pow", [&]<class T>(TypeTag<T>) {
    using Math = opmath_t<T>;
    const auto apply = [&](auto f) { map_elements<T, T>(source, result, [&](T x) { return cast<T>(static_cast<Math>(f(cast<Math>(x)))); }); };
    if constexpr (!std::is_integral_v<T>) {
      // The exponents that torch takes apart as well, for their exactness.
      if (exponent == 2) {
        apply([](Math x) { return x * x; });
      } else if (exponent == 3) {
        apply([](Math x) { return x * x * x; });
      } else if (exponent == 0.5 && !is_complex_v<T>) {
        apply([](Math x) { return std::sqrt(x); });
      } else if (exponent == -1 && !is_complex_v<T>) {
        apply([](Math x) { return Math(1) / x; });
      } else {
        const Math power = cast<Math>(exponent);
        apply([&](Math x) { return raised(x, power); });
      }
    }
  });
  return result;
}

Tensor absolute(const Tensor& self) {
  Tensor result = empty_preserving(self, real_part(self.dtype()));
  if (self.dtype() == Dtype::boolean) {
    fail("abs is not defined for bool");
  }
  for_any(self.dtype(), "abs", [&]<class T>(TypeTag<T>) {
    if constexpr (is_complex_v<T>) {
      map_elements<T, typename T::value_type>(self, result, [](T x) { return std::hypot(x.real(), x.imag()); });
    } else if constexpr (std::is_integral_v<T>) {
      map_elements<T, T>(self, result, [](T x) { return x < T(0) ? static_cast<T>(T(0) - x) : x; });
    } else {
      map_elements<T, T>(self, result, [](T x) { return cast<T>(std::fabs(cast<opmath_t<T>>(x))); });
    }
  });
  return result;
}

Tensor angle(const Tensor& self) {
  const Dtype dtype = real_part(floating_result(self.dtype()));
  Tensor result = empty_preserving(self, dtype);
  const Tensor source = is_integral(self.dtype(), true) ? to_dtype(self, dtype) : self;
  for_any(source.dtype(), "angle", [&]<class T>(TypeTag<T>) {
    if constexpr (is_complex_v<T>) {
      map_elements<T, typename T::value_type>(source, result, [](T x) { return std::atan2(x.imag(), x.real()); });
    } else if constexpr (!std::is_integral_v<T>) {
      map_elements<T, T>(source, result, [](T x) {
        return is_nan(x) ? x : cast<T>(cast<opmath_t<T>>(x) < 0 ? static_cast<opmath_t<T>>(std::numbers::pi) : opmath_t<T>(0));
      });
    }
  });
  return result;
}

Tensor polar(const Tensor& length, const Tensor& angle) {
  require(length.dtype() == angle.dtype() && (length.dtype() == Dtype::f32 || length.dtype() == Dtype::f64),
          "polar: length and angle must both be float32 or float64, they are ", length.dtype(), " and ", angle.dtype());
  const bool single = length.dtype() == Dtype::f32;
  Tensor result = empty_for(length, angle, single ? Dtype::c64 : Dtype::c128);
  const Tensor r = aligned(length, result, length.dtype());
  const Tensor phi = aligned(angle, result, angle.dtype());
  const auto run = [&]<class T>(TypeTag<T>) {
    parallel_for(0, result.numel(), elementwise_grain / 4, [&](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; ++i) {
        const T at = phi.as<T>()[i];
        result.as<std::complex<T>>()[i] = {r.as<T>()[i] * std::cos(at), r.as<T>()[i] * std::sin(at)};
      }
    });
  };
  single ? run(TypeTag<float>{}) : run(TypeTag<double>{});
  return result;
}

Tensor greatest_common_divisor(const Tensor& a, const Tensor& b) {
  const Dtype dtype = result_dtype(a, b);
  Tensor result = empty_for(a, b, dtype);
  for_integral(dtype, "gcd", [&]<class T>(TypeTag<T>) {
    map_pairs<T>(a, b, result, [](T x, T y) {
      while (y != 0) {
        const T rest = y == static_cast<T>(-1) ? T(0) : static_cast<T>(x % y);
        x = y;
        y = rest;
      }
      return x < T(0) ? static_cast<T>(T(0) - x) : x;
    });
  });
  return result;
}

}  // namespace

}  // namespace aotwin::runtime

using namespace aotwin::runtime;

extern "C" {

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_add_Tensor)(AtenTensorHandle self, AtenTensorHandle other, double alpha,
                                                      AtenTensorHandle* ret0) {
  return guarded(
      [&] { answer(ret0, add(borrow(self), borrow(other), alpha, result_dtype(borrow(self), borrow(other)), "add")); });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_add_Scalar)(AtenTensorHandle self, double other, double alpha, AtenTensorHandle* ret0) {
  return guarded([&] {
    const Dtype dtype = result_dtype_with_number(borrow(self));
    answer(ret0, add(borrow(self), number(other, dtype), alpha, dtype, "add"));
  });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_aten_subtract_Tensor)(AtenTensorHandle self, AtenTensorHandle other, double alpha,
                                                            AtenTensorHandle* ret0) {
  return guarded([&] {
    require(borrow(self).dtype() != Dtype::boolean && borrow(other).dtype() != Dtype::boolean, "subtract is not defined for bool");
    answer(ret0, add(borrow(self), borrow(other), -alpha, result_dtype(borrow(self), borrow(other)), "subtract"));
  });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_mul_Tensor)(AtenTensorHandle self, AtenTensorHandle other, AtenTensorHandle* ret0) {
  return guarded([&] { answer(ret0, multiply(borrow(self), borrow(other), result_dtype(borrow(self), borrow(other)))); });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_mul_Scalar)(AtenTensorHandle self, double other, AtenTensorHandle* ret0) {
  return guarded([&] {
    const Dtype dtype = result_dtype_with_number(borrow(self));
    answer(ret0, multiply(borrow(self), number(other, dtype), dtype));
  });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_pow_Tensor_Tensor)(AtenTensorHandle self, AtenTensorHandle exponent,
                                                             AtenTensorHandle* ret0) {
  return guarded([&] { answer(ret0, power(borrow(self), borrow(exponent), result_dtype(borrow(self), borrow(exponent)))); });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_pow_Tensor_Scalar)(AtenTensorHandle self, double exponent, AtenTensorHandle* ret0) {
  return guarded([&] { answer(ret0, power_of_number(borrow(self), exponent)); });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_pow_Scalar)(double self, AtenTensorHandle exponent, AtenTensorHandle* ret0) {
  return guarded([&] {
    const Dtype dtype = result_dtype_with_number(borrow(exponent));
    answer(ret0, power(number(self, dtype), borrow(exponent), dtype));
  });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_abs)(AtenTensorHandle self, AtenTensorHandle* ret0) {
  return guarded([&] { answer(ret0, absolute(borrow(self))); });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_angle)(AtenTensorHandle self, AtenTensorHandle* ret0) {
  return guarded([&] { answer(ret0, angle(borrow(self))); });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_polar)(AtenTensorHandle abs, AtenTensorHandle angle, AtenTensorHandle* ret0) {
  return guarded([&] { answer(ret0, polar(borrow(abs), borrow(angle))); });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_gcd)(AtenTensorHandle self, AtenTensorHandle other, AtenTensorHandle* ret0) {
  return guarded([&] { answer(ret0, greatest_common_divisor(borrow(self), borrow(other))); });
}
}
