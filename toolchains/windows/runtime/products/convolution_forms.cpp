// A convolution whose operands lie as one of the forms of products wants them: which one it is, and what follows the sums.
#include "constant_cache.h"
#include "convolution_parts.h"
#include "strassen.h"

namespace aotwin::runtime::products {
namespace {

// What a convolution's sums need on their way out, for the one form of product or the other.
void set_addends(Product& product, const Geometry& g, bool rows, const Tensor* bias, const Tensor* other, const Fused& fused) {
  const int64_t out = g.out_channels;
  product.finish.activation = fused.activation;
  product.finish.first = fused.first;
  product.finish.second = fused.second;
  if (bias != nullptr) {
    product.finish.addends[0] = {bias->data(), rows ? 0 : 1, rows ? 1 : 0, bias->dtype(), 1, false};
    product.addend_batch[0] = g.groups == 1 ? 0 : out;
  }
  if (other != nullptr) {
    product.finish.addends[1] = {other->data(), rows ? g.groups * out : g.places(), 1, other->dtype(), fused.other_scale, fused.other_multiplies};
    product.addend_batch[1] = rows ? out : out * g.places();
  }
  if (!rows && g.groups > 1 && other == nullptr) {
    product.addend_period = g.groups;
  }
}

void set_out(Product& product, const Geometry& g, bool rows, const Tensor& out) {
  product.finish.out = out.data();
  product.finish.dtype = out.dtype();
  product.finish.row = rows ? g.groups * g.out_channels : g.places();
  product.finish.column = 1;
  product.out_batch = rows ? g.out_channels : g.out_channels * g.places();
}

// Two addends whose batches count differently (a bias by group, the other by image and group) cannot both be told: the bias first.
void convolve_planes_with_both(const Geometry& g, const Tensor& input, const Tensor& weight, const Tensor& bias, const Tensor& other, const Fused& fused,
                               const Tensor& out) {
  const Tensor sum = empty_strided(out.sizes(), out.strides(), out.dtype());
  Product product;
  set_out(product, g, false, sum);
  set_addends(product, g, false, &bias, nullptr, {});
  convolve_planes(g, input.data(), weight.data(), product);
  Product second;
  set_out(second, g, false, out);
  set_addends(second, g, false, nullptr, &other, fused);
  second.finish.addends[0] = {sum.data(), g.places(), 1, sum.dtype(), 1, false};
  second.addend_batch[0] = g.out_channels * g.places();
  second.batch = g.batch * g.groups;
  second.m = g.out_channels;
  second.n = g.places();
  second.k = 0;
  second.dtype = g.dtype;
  second.b_dtype = g.dtype;
  run(second);
}

// Addend and activation on what is there already: a product without terms.
void finish_alone(const Tensor& out, const Tensor* other, const Fused& fused) {
  Product product;
  product.m = 1;
  product.n = out.numel();
  product.dtype = out.dtype();
  product.b_dtype = out.dtype();
  product.finish.out = out.data();
  product.finish.dtype = out.dtype();
  product.finish.addends[0] = {out.data(), 0, 1, out.dtype(), 1, false};
  if (other != nullptr) {
    product.finish.addends[1] = {other->data(), 0, 1, other->dtype(), fused.other_scale, fused.other_multiplies};
  }
  product.finish.activation = fused.activation;
  product.finish.first = fused.first;
  product.finish.second = fused.second;
  run(product);
}

}  // namespace

void convolve_into(const Geometry& g, bool rows, const Tensor& input, const Tensor& weight, const Tensor* bias, const Tensor* other, const Fused& fused,
                   const Tensor& out) {
  if (!rows && g.groups > 1 && other != nullptr && bias != nullptr) {
    convolve_planes_with_both(g, input, weight, *bias, *other, fused, out);
    return;
  }
  Product product;
  set_out(product, g, rows, out);
  set_addends(product, g, rows, bias, other, fused);
  if (rows && suits_winograd(g)) {
    convolve_winograd(g, input.data(), weight.data(), product.finish);
  } else if (rows && suits_lines(g)) {
    convolve_lines(g, input.data(), weight.data(), product.finish);
  } else if (rows) {
    const Tensor pairs = g.in_blocks() ? pairs_of_blocks(weight, g.batch * g.places(), g.out_channels) : Tensor();
    product.b_pairs = pairs.as<uint8_t>();
    convolve_rows(g, input.data(), weight.data(), product);
  } else {
    convolve_planes(g, input.data(), weight.data(), product);
  }
}

bool has_own_form(const Geometry& g, bool rows) {
  return rows ? has_small_groups(g) : is_depthwise(g);
}

void convolve_groups_into(const Geometry& g, bool rows, const Tensor& input, const Tensor& weight, const Tensor* bias, const Tensor* other, const Fused& fused,
                          const Tensor& out) {
  if (rows) {
    const Tensor by_taps = derived_from_constant(weight, kind_by_taps, [&] { return weights_by_taps(g, as_rows(weight).data()); });
    if (is_depthwise(g)) {
      Product product;
      set_out(product, g, true, out);
      set_addends(product, g, true, bias, other, fused);
      convolve_depthwise(g, input.data(), by_taps, product.finish);
      return;
    }
    convolve_small_groups(g, input.data(), by_taps, bias, out.data());
  } else {
    const Tensor kernel = derived_from_constant(weight, kind_contiguous, [&] { return contiguous(weight); });
    depthwise_planes(g, input.data(), kernel.data(), bias, out.data());
  }
  if (other != nullptr || fused.activation != Activation::none) {
    finish_alone(out, other, fused);
  }
}

}  // namespace aotwin::runtime::products
