// Sums of products of three tensors: _trilinear, which bilinear layers become.
#include <algorithm>

#include "arguments.h"
#include "layout.h"
#include "promotion.h"
#include "walk.h"

namespace aotwin::runtime {

namespace {

// Dimensions of size 1 put where the list says, counted in the result.
Tensor expanded(const Tensor& tensor, const Dims& places) {
  Tensor result = tensor;
  for (const int64_t place : places) {
    require(place >= 0 && place <= result.dim(), "_trilinear: a dimension is wanted at ", place, " of ", result.sizes());
    result = with_dim(result, place);
  }
  return result;
}

Tensor trilinear(const Tensor& i1, const Tensor& i2, const Tensor& i3, const Dims& summed) {
  const Dims shape = broadcast(broadcast(i1.sizes(), i2.sizes()), i3.sizes());
  const Dtype dtype = promoted(promoted(i1.dtype(), i2.dtype()), i3.dtype());
  const Tensor a = expand(to_dtype(i1, dtype), shape);
  const Tensor b = expand(to_dtype(i2, dtype), shape);
  const Tensor c = expand(to_dtype(i3, dtype), shape);
  Dims marked = Dims::filled(shape.size(), 0);
  for (const int64_t dim : summed) {
    marked[static_cast<size_t>(wrap_dim(dim, static_cast<int64_t>(shape.size())))] = 1;
  }
  // Sizes and strides of the dimensions that stay, and of those that are summed up; the longest run of the latter innermost.
  Dims kept, sums, outer[3], inner[3];
  const Tensor* const operands[3] = {&a, &b, &c};
  for (size_t d = 0; d < shape.size(); ++d) {
    (marked[d] != 0 ? sums : kept).push_back(shape[d]);
    for (int k = 0; k < 3; ++k) {
      (marked[d] != 0 ? inner[k] : outer[k]).push_back(operands[k]->strides()[d]);
    }
  }
  const int64_t length = sums.empty() ? 1 : sums.back();
  Dims leading = sums;
  int64_t step[3] = {0, 0, 0};
  for (int k = 0; k < 3 && !sums.empty(); ++k) {
    step[k] = inner[k].back();
    inner[k].pop_back();
  }
  if (!leading.empty()) {
    leading.pop_back();
  }
  const int64_t runs = product(leading);
  Tensor result = empty(kept, dtype);
  for_any(dtype, "_trilinear", [&]<class T>(TypeTag<T>) {
    if constexpr (std::is_same_v<T, bool>) {
      fail("_trilinear is not defined for bool");
    } else {
      using Math = opmath_t<T>;
      // Long sums of products: as accurate as torch's, which go through its matrix products.
      using Sum = std::conditional_t<std::is_same_v<Math, float>, double, Math>;
      const int64_t work = std::max<int64_t>(runs * length, 1);
      parallel_for(0, result.numel(), 8192 / work, [&](int64_t first, int64_t last) {
        Walk<3> place(kept, {&outer[0], &outer[1], &outer[2]}, first);
        for (int64_t i = first; i < last; ++i, place.next()) {
          Sum sum = Sum(0);
          Walk<3> run(leading, {&inner[0], &inner[1], &inner[2]}, 0);
          for (int64_t r = 0; r < runs && length > 0; ++r, run.next()) {
            const T* const x = a.as<T>() + place[0] + run[0];
            const T* const y = b.as<T>() + place[1] + run[1];
            const T* const z = c.as<T>() + place[2] + run[2];
            Sum part = Sum(0);
            for (int64_t k = 0; k < length; ++k) {
              part += static_cast<Sum>(cast<Math>(x[k * step[0]]) * cast<Math>(y[k * step[1]])) * static_cast<Sum>(cast<Math>(z[k * step[2]]));
            }
            sum += part;
          }
          result.as<T>()[i] = cast<T>(static_cast<Math>(sum));
        }
      });
    }
  });
  return result;
}

}  // namespace

}  // namespace aotwin::runtime

using namespace aotwin::runtime;

extern "C" AOTITorchError AOTWIN_SHIM(aoti_torch_cpu__trilinear)(AtenTensorHandle i1, AtenTensorHandle i2, AtenTensorHandle i3,
                                                                 const int64_t* expand1, int64_t expand1_len_, const int64_t* expand2,
                                                                 int64_t expand2_len_, const int64_t* expand3, int64_t expand3_len_,
                                                                 const int64_t* sumdim, int64_t sumdim_len_, int64_t,
                                                                 AtenTensorHandle* ret0) {
  return guarded([&] {
    answer(ret0, trilinear(expanded(borrow(i1), list_of(expand1, expand1_len_)), expanded(borrow(i2), list_of(expand2, expand2_len_)),
                           expanded(borrow(i3), list_of(expand3, expand3_len_)), list_of(sumdim, sumdim_len_)));
  });
}
