#include "matmul.h"

#include <algorithm>
#include <utility>

#include "plain_sums.h"
#include "strassen.h"

namespace aotwin::runtime::products {
namespace {

std::pair<const char*, const char*> span_of(const Tensor& tensor) {
  const auto size = static_cast<int64_t>(element_size(tensor.dtype()));
  int64_t low = 0;
  int64_t high = 0;
  for (int64_t i = 0; i < tensor.dim(); ++i) {
    const int64_t reach = (tensor.size(i) - 1) * tensor.stride(i);
    (reach < 0 ? low : high) += reach;
  }
  const char* const data = tensor.as<char>();
  return {data + low * size, data + (high + 1) * size};
}

// The same elements at the same indices: reading one before writing it is all that is needed.
bool same_places(const Tensor& a, const Tensor& b) {
  return a.data() == b.data() && a.sizes() == b.sizes() && a.strides() == b.strides() && a.dtype() == b.dtype();
}

Tensor with_batch(const Tensor& tensor) {
  if (tensor.dim() == 3) {
    return tensor;
  }
  Dims sizes = tensor.sizes();
  Dims strides = tensor.strides();
  sizes.insert(0, 1);
  strides.insert(0, 0);
  return Tensor(tensor.storage(), std::move(sizes), std::move(strides), tensor.storage_offset(), tensor.dtype());
}

Operand operand_of(const Tensor& tensor) {
  return {tensor.data(), tensor.stride(0), tensor.stride(1), tensor.stride(2)};
}

// Strides of sizes of 1 are never walked; as those of a contiguous tensor they choose the better kernel.
Tensor tidy(const Tensor& tensor) {
  Dims strides = tensor.strides();
  bool changed = false;
  for (int i = 2; i >= 1; --i) {
    const int64_t wanted = i == 2 ? 1 : tensor.size(2);
    const int64_t other = tensor.size(i == 2 ? 1 : 2);
    const int64_t other_stride = tensor.stride(i == 2 ? 1 : 2);
    if (tensor.size(i) == 1 && strides[static_cast<size_t>(i)] != wanted && !(other_stride == 1 && other != 1 && i == 2)) {
      strides[static_cast<size_t>(i)] = wanted;
      changed = true;
    }
  }
  return changed ? Tensor(tensor.storage(), tensor.sizes(), std::move(strides), tensor.storage_offset(), tensor.dtype()) : tensor;
}

}  // namespace

bool overlap(const Tensor& a, const Tensor& b) {
  if (a.numel() == 0 || b.numel() == 0) {
    return false;
  }
  const auto one = span_of(a);
  const auto two = span_of(b);
  return one.first < two.second && two.first < one.second;
}

void multiply_tensors(const char* name, const Tensor& given_out, const Tensor& given_a, const Tensor& given_b, const Tensor* given_self, double beta,
                      double alpha, const Fused& fused) {
  const int64_t dim = given_a.dim();
  require((dim == 2 || dim == 3) && given_b.dim() == dim && given_out.dim() == dim, name, ": operands of shapes ", given_a.sizes(), " and ", given_b.sizes(),
          " and result of shape ", given_out.sizes(), " must all be matrices or all be batches of matrices");
  require(given_a.dtype() == given_b.dtype() && given_a.dtype() == given_out.dtype(), name, ": operands of dtypes ", given_a.dtype(), " and ",
          given_b.dtype(), " and result of dtype ", given_out.dtype(), " must have one dtype");
  const Tensor a = with_batch(given_a);
  const Tensor b = with_batch(given_b);
  require(a.size(0) == b.size(0) && a.size(2) == b.size(1), name, ": shapes ", given_a.sizes(), " and ", given_b.sizes(), " cannot be multiplied");
  const Dims shape = {a.size(0), a.size(1), b.size(2)};
  const Tensor out3 = with_batch(given_out);
  require(out3.sizes() == shape, name, ": the result of ", given_a.sizes(), " and ", given_b.sizes(), " does not fit into ", given_out.sizes());
  if (out3.numel() == 0) {
    return;
  }
  const Tensor* self = given_self != nullptr && beta != 0 ? given_self : nullptr;
  Tensor wide_self;
  bool clash = overlap(given_out, given_a) || overlap(given_out, given_b);
  if (self != nullptr) {
    require(self->dtype() == given_out.dtype(), name, ": the addend of dtype ", self->dtype(), " and the result of dtype ", given_out.dtype(),
            " must have one dtype");
    wide_self = expand(*self, shape);
    clash = clash || (overlap(*self, given_out) && !same_places(wide_self, out3));
  }
  Tensor wide_other;
  if (fused.other != nullptr) {
    wide_other = expand(*fused.other, shape);
    clash = clash || (overlap(*fused.other, given_out) && !same_places(wide_other, out3));
  }
  const Tensor out = clash ? empty(shape, given_out.dtype()) : out3;
  switch (out.dtype()) {
    case Dtype::f32:
    case Dtype::f64:
    case Dtype::f16:
    case Dtype::bf16: {
      Product product;
      Tensor pairs;
      product.batch = shape[0];
      product.m = shape[1];
      product.n = shape[2];
      product.k = a.size(2);
      product.dtype = a.dtype();
      product.b_dtype = a.dtype();
      product.a = operand_of(tidy(a));
      product.b = operand_of(tidy(b));
      if (fused.in_blocks) {
        product.b = {b.data(), 0, block_columns, 1};
        product.b_block = block_columns * product.k;
        pairs = pairs_of_blocks(given_b, product.m, product.n);
        product.b_pairs = pairs.as<uint8_t>();
      }
      product.out_batch = out.stride(0);
      Finish& finish = product.finish;
      finish.out = out.data();
      finish.row = out.stride(1);
      finish.column = out.size(2) == 1 && out.stride(1) != 1 ? 1 : out.stride(2);
      finish.dtype = out.dtype();
      finish.alpha = alpha;
      finish.activation = fused.activation;
      finish.first = fused.first;
      finish.second = fused.second;
      if (self != nullptr) {
        finish.addends[0] = {wide_self.data(), wide_self.stride(1), wide_self.stride(2), wide_self.dtype(), beta, false};
        product.addend_batch[0] = wide_self.stride(0);
      }
      if (fused.other != nullptr) {
        finish.addends[1] = {wide_other.data(), wide_other.stride(1), wide_other.stride(2), wide_other.dtype(), fused.other_scale, fused.other_multiplies};
        product.addend_batch[1] = wide_other.stride(0);
      }
      run(product);
      break;
    }
    default:
      multiply_plain(name, out, a, b, self != nullptr ? &wide_self : nullptr, beta, alpha);
  }
  if (clash) {
    copy_into(out3, out);
  }
}

}  // namespace aotwin::runtime::products
