#include "promotion.h"

#include <utility>

#include "arguments.h"

namespace aotwin::runtime {

namespace {

int kind(Dtype dtype) {
  return dtype == Dtype::boolean ? 0 : is_integral(dtype) ? 1 : is_floating(dtype) ? 2 : 3;
}

bool is_unsigned(Dtype dtype) {
  return dtype == Dtype::u8 || dtype == Dtype::u16 || dtype == Dtype::u32 || dtype == Dtype::u64;
}

Dtype promoted_integers(Dtype a, Dtype b) {
  if (is_unsigned(a) == is_unsigned(b)) {
    return element_size(a) >= element_size(b) ? a : b;
  }
  const Dtype without_sign = is_unsigned(a) ? a : b;
  const Dtype with_sign = is_unsigned(a) ? b : a;
  require(without_sign == Dtype::u8, "promotion of ", without_sign, " with ", with_sign, " is not defined");
  return element_size(with_sign) > 1 ? with_sign : Dtype::i16;
}

Dtype complex_of(Dtype dtype) {
  return dtype == Dtype::f64 || dtype == Dtype::c128 ? Dtype::c128 : dtype == Dtype::f16 || dtype == Dtype::c32 ? Dtype::c32 : Dtype::c64;
}

}  // namespace

Dtype promoted(Dtype a, Dtype b) {
  if (a == b) {
    return a;
  }
  if (kind(a) < kind(b)) {
    std::swap(a, b);
  }
  switch (kind(a)) {
    case 1:
      return kind(b) == 0 ? a : promoted_integers(a, b);
    case 2:
      if (kind(b) < 2) {
        return a;
      }
      // float16 with bfloat16 meet in float32
      return element_size(a) == element_size(b) ? Dtype::f32 : element_size(a) > element_size(b) ? a : b;
    default: {
      if (kind(b) < 2) {
        return a;
      }
      const Dtype other = complex_of(b);
      return element_size(a) >= element_size(other) ? a : other;
    }
  }
}

Dtype result_dtype(const Tensor& a, const Tensor& b) {
  if ((a.dim() == 0) == (b.dim() == 0)) {
    return promoted(a.dtype(), b.dtype());
  }
  const Dtype shaped = a.dim() > 0 ? a.dtype() : b.dtype();
  const Dtype single = a.dim() > 0 ? b.dtype() : a.dtype();
  if (kind(single) <= kind(shaped)) {
    return shaped;
  }
  return promoted(shaped, single);
}

Dtype result_dtype_with_number(const Tensor& a) {
  return floating_result(a.dtype());
}

}  // namespace aotwin::runtime
