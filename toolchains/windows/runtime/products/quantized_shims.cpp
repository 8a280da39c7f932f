// Products of bytes, and of floating point numbers with weights that are bytes.
#include "matmul.h"
#include "shims.h"

using namespace aotwin::runtime;
using namespace aotwin::runtime::products;

extern "C" AOTITorchError AOTWIN_SHIM(aoti_torch_cpu__int_mm_out)(AtenTensorHandle out, AtenTensorHandle self, AtenTensorHandle mat2) {
  return guarded([&] {
    const Tensor& given = borrow(out);
    const Tensor& a = borrow(self);
    const Tensor& b = borrow(mat2);
    require(a.dim() == 2 && b.dim() == 2 && a.size(1) == b.size(0), "_int_mm: shapes ", a.sizes(), " and ", b.sizes(), " cannot be multiplied");
    require((a.dtype() == Dtype::i8 || a.dtype() == Dtype::u8) && b.dtype() == Dtype::i8 && given.dtype() == Dtype::i32, "_int_mm: operands of dtypes ", a.dtype(),
            " and ", b.dtype(), " and a result of dtype ", given.dtype(), "; int8 (or uint8), int8 and int32 are needed");
    require(given.sizes() == Dims({a.size(0), b.size(1)}), "_int_mm: the result of ", a.sizes(), " and ", b.sizes(), " does not fit into ", given.sizes());
    const bool clash = overlap(given, a) || overlap(given, b);
    const Tensor result = clash ? empty(given.sizes(), Dtype::i32) : given;
    Product product;
    product.m = a.size(0);
    product.n = b.size(1);
    product.k = a.size(1);
    product.dtype = a.dtype();
    product.b_dtype = b.dtype();
    product.a = {a.data(), 0, a.stride(0), a.stride(1)};
    product.b = {b.data(), 0, b.stride(0), b.stride(1)};
    product.finish.out = result.data();
    product.finish.row = result.stride(0);
    product.finish.column = result.stride(1);
    product.finish.dtype = Dtype::i32;
    run(product);
    if (clash) {
      copy_into(given, result);
    }
  });
}

// x [M, K], weights [N, K] of int8, a scale for each of their rows: each row is a product of its own, scaled when it is done.
extern "C" AOTITorchError AOTWIN_SHIM(aoti_torch_cpu__weight_int8pack_mm)(AtenTensorHandle self, AtenTensorHandle mat2, AtenTensorHandle scales,
                                                                          AtenTensorHandle* ret0) {
  return guarded([&] {
    const Tensor& x = borrow(self);
    const Tensor& weight = borrow(mat2);
    const Tensor& scale = borrow(scales);
    require(x.dim() == 2 && weight.dim() == 2 && x.size(1) == weight.size(1), "_weight_int8pack_mm: shapes ", x.sizes(), " and ", weight.sizes(),
            " do not fit; the last sizes must be equal");
    require((x.dtype() == Dtype::f32 || x.dtype() == Dtype::bf16 || x.dtype() == Dtype::f16) && weight.dtype() == Dtype::i8 && scale.dtype() == x.dtype(),
            "_weight_int8pack_mm: operands of dtypes ", x.dtype(), ", ", weight.dtype(), " and scales of dtype ", scale.dtype());
    require(scale.dim() == 1 && scale.size(0) == weight.size(0), "_weight_int8pack_mm: scales of shape ", scale.sizes(), " do not fit weights of shape ",
            weight.sizes());
    Tensor result = empty({x.size(0), weight.size(0)}, x.dtype());
    Product product;
    product.m = x.size(0);
    product.n = weight.size(0);
    product.k = x.size(1);
    product.dtype = x.dtype();
    product.b_dtype = Dtype::i8;
    product.a = {x.data(), 0, x.stride(0), x.stride(1)};
    product.b = {weight.data(), 0, weight.stride(1), weight.stride(0)};
    product.finish.out = result.data();
    product.finish.row = result.stride(0);
    product.finish.column = 1;
    product.finish.dtype = x.dtype();
    product.finish.addends[1] = {scale.data(), 0, scale.stride(0), scale.dtype(), 1, true};
    run(product);
    *ret0 = give(std::move(result));
  });
}
