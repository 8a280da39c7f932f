// Fourier transforms of many lines in memory, several at once and spread over threads. T: float or double.
#pragma once

#include <complex>
#include <cstdint>

namespace aotwin::runtime {

// In place, memory [outer][length][inner] along `length`; results are multiplied by `factor`.
template <class T>
void transform_lines(std::complex<T>* data, int64_t outer, int64_t length, int64_t inner, bool forward, double factor);

// Rows of `length` real elements to rows of length / 2 + 1 complex ones.
template <class T>
void transform_real_rows(const T* from, std::complex<T>* to, int64_t rows, int64_t length, double factor);

extern template void transform_lines(std::complex<float>*, int64_t, int64_t, int64_t, bool, double);
extern template void transform_lines(std::complex<double>*, int64_t, int64_t, int64_t, bool, double);
extern template void transform_real_rows(const float*, std::complex<float>*, int64_t, int64_t, double);
extern template void transform_real_rows(const double*, std::complex<double>*, int64_t, int64_t, double);

}  // namespace aotwin::runtime
