// One number of any dtype.
#pragma once

#include <complex>
#include <cstdint>

#include "tensor.h"

namespace aotwin::runtime {

// The value of a tensor of one element, in the widest type of its kind.
struct Scalar {
  enum class Kind { boolean, integer, unsigned_integer, real, complex };
  Kind kind = Kind::integer;
  int64_t integer = 0;  // boolean too
  uint64_t unsigned_integer = 0;
  double real = 0;
  std::complex<double> complex;
};

// Throws where the tensor has not just one element.
Scalar item(const Tensor& tensor);

// torch's rule of Scalar::to: throws where the value is out of the range of T; infinities and NaN go to floating types.
template <class T>
T scalar_to(const Scalar& scalar, const char* name);

}  // namespace aotwin::runtime
