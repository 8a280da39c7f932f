#include "plain_sums.h"

#include <algorithm>
#include <complex>

#include "../threads/parallel.h"

namespace aotwin::runtime::products {
namespace {

// std::complex's operator* looks for infinities in each product.
template <class T>
T times(T a, T b) {
  if constexpr (is_complex_v<T>) {
    return T(a.real() * b.real() - a.imag() * b.imag(), a.real() * b.imag() + a.imag() * b.real());
  } else {
    return static_cast<T>(a * b);
  }
}

// Integers wrap, which is defined for unsigned ones only.
template <class T>
struct SumOf {
  using type = T;
};
template <>
struct SumOf<int8_t> {
  using type = uint32_t;
};
template <>
struct SumOf<uint8_t> {
  using type = uint32_t;
};
template <>
struct SumOf<int16_t> {
  using type = uint32_t;
};
template <>
struct SumOf<uint16_t> {
  using type = uint32_t;
};
template <>
struct SumOf<int32_t> {
  using type = uint32_t;
};
template <>
struct SumOf<int64_t> {
  using type = uint64_t;
};

template <class S, class T>
S scalar(double value) {
  if constexpr (is_complex_v<T>) {
    return T(static_cast<typename T::value_type>(value));
  } else {
    return static_cast<S>(static_cast<int64_t>(value));
  }
}

template <class T>
void multiply_type(const Tensor& out, const Tensor& a, const Tensor& given_b, const Tensor* self, double beta, double alpha) {
  using S = typename SumOf<T>::type;
  // Rows of B contiguous: the inner loop runs along them.
  const Tensor b = given_b.stride(2) == 1 ? given_b : contiguous(given_b);
  const int64_t m = a.size(1);
  const int64_t k = a.size(2);
  const int64_t n = b.size(2);
  const S factor = scalar<S, T>(alpha);
  const S self_factor = scalar<S, T>(beta);
  constexpr int64_t columns = 256;
  const int64_t parts = (n + columns - 1) / columns;
  parallel_for(0, a.size(0) * m * parts, std::max<int64_t>(1, 32768 / (columns * std::max<int64_t>(k, 1))), [&](int64_t first, int64_t last) {
    S sums[columns];
    S totals[columns];
    for (; first < last; ++first) {
      const int64_t batch = first / (m * parts);
      const int64_t row = first / parts % m;
      const int64_t column = first % parts * columns;
      const int64_t count = std::min(columns, n - column);
      std::fill(sums, sums + count, S{});
      std::fill(totals, totals + count, S{});
      const T* const left = a.as<T>() + batch * a.stride(0) + row * a.stride(1);
      for (int64_t at = 0; at < k; ++at) {
        const T* const right = b.as<T>() + batch * b.stride(0) + at * b.stride(1) + column;
        const S value = static_cast<S>(left[at * a.stride(2)]);
        for (int64_t j = 0; j < count; ++j) {
          sums[j] += times<S>(value, static_cast<S>(right[j]));
        }
        // Short sums of floating point numbers round less than one long one.
        if (is_complex_v<T> && (at + 1) % 64 == 0) {
          for (int64_t j = 0; j < count; ++j) {
            totals[j] += sums[j];
            sums[j] = S{};
          }
        }
      }
      T* const to = out.as<T>() + batch * out.stride(0) + row * out.stride(1) + column * out.stride(2);
      for (int64_t j = 0; j < count; ++j) {
        S value = times<S>(factor, static_cast<S>(totals[j] + sums[j]));
        if (self != nullptr) {
          value += times<S>(self_factor, static_cast<S>(self->as<T>()[batch * self->stride(0) + row * self->stride(1) + (column + j) * self->stride(2)]));
        }
        to[j * out.stride(2)] = static_cast<T>(value);
      }
    }
  });
}

}  // namespace

void multiply_plain(const char* name, const Tensor& out, const Tensor& a, const Tensor& b, const Tensor* self, double beta, double alpha) {
  const Dtype dtype = out.dtype();
  if (dtype == Dtype::c64) {
    multiply_type<std::complex<float>>(out, a, b, self, beta, alpha);
  } else if (dtype == Dtype::c128) {
    multiply_type<std::complex<double>>(out, a, b, self, beta, alpha);
  } else {
    for_integral(dtype, name, [&]<class T>(TypeTag<T>) { multiply_type<T>(out, a, b, self, beta, alpha); });
  }
}

}  // namespace aotwin::runtime::products
