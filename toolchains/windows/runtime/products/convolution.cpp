#include "convolution.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "constant_cache.h"
#include "geometry.h"
#include "strassen.h"

namespace aotwin::runtime::products {
namespace {

struct Lists {
  int64_t stride[3] = {1, 1, 1};
  int64_t padding[3] = {0, 0, 0};
  int64_t dilation[3] = {1, 1, 1};
  int64_t output_padding[3] = {0, 0, 0};
};

// A list has one number for each place dimension, or one for all. The first of fewer than three dimensions are those of size 1.
void spread_list(const char* what, const Dims& list, int64_t places, int64_t least, int64_t (&to)[3]) {
  if (list.empty() && least == 0) {
    return;
  }
  require(list.size() == static_cast<size_t>(places) || list.size() == 1, "convolution: ", what, " ", list, " has not the ", places, " numbers of its input");
  for (int64_t i = 0; i < places; ++i) {
    const int64_t value = list[list.size() == 1 ? 0 : static_cast<size_t>(i)];
    require(value >= least, "convolution: ", what, " ", list, " has a number below ", least);
    to[3 - places + i] = value;
  }
}

// Dense in the order batch, places, channels; strides of sizes of 1 do not matter.
bool is_rows(const Tensor& tensor) {
  int64_t wanted = 1;
  const int64_t dim = tensor.dim();
  for (int64_t i = 0; i < dim; ++i) {
    const int64_t at = i == 0 ? 1 : i == dim - 1 ? 0 : dim - i;
    if (tensor.size(at) != 1 && tensor.stride(at) != wanted) {
      return false;
    }
    wanted *= tensor.size(at);
  }
  return true;
}

// Whether a weight is dense in the order kernel, channels, out channels, with `term` elements from one channel to the next.
bool is_by_terms(const Tensor& weight, int64_t term) {
  int64_t wanted = term;
  const int64_t dim = weight.dim();
  if (weight.size(0) != 1 && weight.stride(0) != 1) {
    return false;
  }
  for (int64_t i = 1; i < dim; ++i) {
    const int64_t at = i < 2 ? i : dim + 1 - i;
    if (weight.size(at) != 1 && weight.stride(at) != wanted) {
      return false;
    }
    wanted *= weight.size(at);
  }
  return true;
}

// How a weight lies that lies by terms. In blocks of results its strides are those of the first: no other weight has elements in one place.
void find_terms(const Tensor& weight, Geometry& g) {
  if (is_by_terms(weight, g.out_channels)) {
    g.term = g.out_channels;
    g.block = block_columns;
  } else if (g.out_channels % block_columns == 0 && is_by_terms(weight, block_columns)) {
    g.term = block_columns;
    g.block = block_columns * (weight.numel() / g.out_channels);
  }
}

Dims row_strides(const Dims& sizes) {
  Dims strides = Dims::filled(sizes.size(), 1);
  int64_t step = sizes[1];
  for (size_t i = sizes.size(); i-- > 2;) {
    strides[i] = step;
    step *= sizes[i];
  }
  strides[0] = step;
  return strides;
}

Tensor as_rows(const Tensor& tensor) {
  if (is_rows(tensor)) {
    return tensor;
  }
  Tensor result = empty_strided(tensor.sizes(), row_strides(tensor.sizes()), tensor.dtype());
  copy_into(result, tensor);
  return result;
}

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

void convolve_into(const Geometry& g, bool rows, const Tensor& input, const Tensor& weight, const Tensor* bias, const Tensor* other, const Fused& fused,
                   const Tensor& out) {
  Product product;
  set_out(product, g, rows, out);
  // Two addends whose batches count differently (a bias by group, the other by image and group) cannot both be told: the bias first.
  Tensor sum;
  if (!rows && g.groups > 1 && other != nullptr && bias != nullptr) {
    Dims sizes = Dims::filled(static_cast<size_t>(out.dim()), 1);
    sizes[1] = out.size(1);
    sum = empty_strided(out.sizes(), out.strides(), out.dtype());
    Fused none;
    set_addends(product, g, rows, bias, nullptr, none);
    product.finish.out = sum.data();
    convolve_planes(g, input.data(), weight.data(), product);
    Product second;
    set_out(second, g, rows, out);
    set_addends(second, g, rows, nullptr, other, fused);
    second.finish.addends[0] = {sum.data(), g.places(), 1, sum.dtype(), 1, false};
    second.addend_batch[0] = g.out_channels * g.places();
    second.batch = g.batch * g.groups;
    second.m = g.out_channels;
    second.n = g.places();
    second.k = 0;
    second.dtype = g.dtype;
    second.b_dtype = g.dtype;
    run(second);
    return;
  }
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

void add_taps(Geometry& g, const Lists& lists) {
  for (int64_t d = 0; d < g.kernel[0]; ++d) {
    for (int64_t h = 0; h < g.kernel[1]; ++h) {
      for (int64_t w = 0; w < g.kernel[2]; ++w) {
        g.taps.push_back({static_cast<int32_t>(d * lists.dilation[0] - lists.padding[0]), static_cast<int32_t>(h * lists.dilation[1] - lists.padding[1]),
                          static_cast<int32_t>(w * lists.dilation[2] - lists.padding[2]), static_cast<int32_t>(g.taps.size())});
      }
    }
  }
  g.row_taps = lists.dilation[2] == 1;
}

// [channels, out channels of a group, kernel] as [groups * out channels, kernel, channels of a group].
Tensor arrange_transposed(const Tensor& given, const Geometry& g) {
  const Tensor weight = contiguous(given);
  const int64_t taps = g.kernel[0] * g.kernel[1] * g.kernel[2];
  const Tensor source = view(weight, {g.groups, g.out_channels, taps, g.channels}, {g.channels * g.out_channels * taps, taps, 1, g.out_channels * taps},
                             weight.storage_offset());
  Tensor result = empty(source.sizes(), weight.dtype());
  copy_into(result, source);
  return result;
}

// A phase is the results whose places have one remainder by the stride: they have the same taps, and are an ordinary convolution.
void convolve_transposed(const Geometry& whole, const Lists& lists, const Tensor& input, const Tensor& weight, const Tensor* bias, const Fused& fused,
                         const Tensor& out) {
  const auto size = element_size(whole.dtype);
  const int64_t all_taps = whole.kernel[0] * whole.kernel[1] * whole.kernel[2];
  const int64_t row = whole.channels * static_cast<int64_t>(size);
  const int64_t places = out.dim() - 2;
  for (int64_t phase = 0; phase < whole.stride[0] * whole.stride[1] * whole.stride[2]; ++phase) {
    const int64_t at[3] = {phase / (whole.stride[1] * whole.stride[2]), phase / whole.stride[2] % whole.stride[1], phase % whole.stride[2]};
    Geometry g = whole;
    g.taps.clear();
    g.row_taps = false;
    for (int i = 0; i < 3; ++i) {
      g.stride[i] = 1;
      g.out[i] = (whole.out[i] - at[i] + whole.stride[i] - 1) / whole.stride[i];
    }
    if (g.places() == 0) {
      continue;
    }
    for (int64_t tap = 0; tap < all_taps; ++tap) {
      const int64_t in_kernel[3] = {tap / (whole.kernel[1] * whole.kernel[2]), tap / whole.kernel[2] % whole.kernel[1], tap % whole.kernel[2]};
      int64_t reads[3];
      bool meets = true;
      for (int i = 0; i < 3; ++i) {
        const int64_t distance = at[i] + lists.padding[i] - in_kernel[i] * lists.dilation[i];
        meets = meets && distance % whole.stride[i] == 0;
        reads[i] = distance / whole.stride[i];
      }
      if (meets) {
        g.taps.push_back({static_cast<int32_t>(reads[0]), static_cast<int32_t>(reads[1]), static_cast<int32_t>(reads[2]), static_cast<int32_t>(tap)});
      }
    }
    Tensor used = weight;
    if (g.taps.size() != static_cast<size_t>(all_taps)) {
      const auto taps = static_cast<int64_t>(g.taps.size());
      used = empty({whole.groups * whole.out_channels, taps, whole.channels}, weight.dtype());
      for (int64_t o = 0; o < whole.groups * whole.out_channels; ++o) {
        for (int64_t t = 0; t < taps; ++t) {
          std::memcpy(used.as<char>() + (o * taps + t) * row, weight.as<char>() + (o * all_taps + g.taps[static_cast<size_t>(t)].weight) * row, static_cast<size_t>(row));
        }
      }
    }
    Dims sizes = out.sizes();
    Dims strides = out.strides();
    int64_t offset = out.storage_offset();
    for (int64_t i = 0; i < places; ++i) {
      const auto dimension = static_cast<size_t>(2 + i);
      sizes[dimension] = g.out[3 - places + i];
      offset += at[3 - places + i] * strides[dimension];
      strides[dimension] *= whole.stride[3 - places + i];
    }
    const Tensor part = view(out, sizes, strides, offset);
    const Tensor result = is_rows(part) ? part : empty_strided(sizes, row_strides(sizes), out.dtype());
    convolve_into(g, true, input, used, bias, nullptr, fused, result);
    if (result.data() != part.data()) {
      copy_into(part, result);
    }
  }
}

// With three place dimensions torch keeps channels last only where it calls its library, which it does not for small inputs.
bool keeps_channels_last_3d(const Geometry& g, const Lists& lists, bool transposed) {
  if (g.dtype != Dtype::f32 && g.dtype != Dtype::bf16) {
    return false;
  }
  if (transposed) {
    bool big = false;
    for (int i = 0; i < 3; ++i) {
      big = big || lists.output_padding[i] >= lists.stride[i];
    }
    if (big) {
      return false;
    }
  }
  return g.dtype == Dtype::bf16 || g.groups > 1 || g.batch > 1 || (g.kernel[1] > 3 && g.kernel[2] > 3) ||
         g.batch * g.channels * g.groups * g.in[0] * g.in[1] > 20480;
}

}  // namespace

bool looks_channels_last(const Tensor& tensor) {
  const int64_t dim = tensor.dim();
  if ((dim != 4 && dim != 5) || tensor.stride(1) == 0) {
    return false;
  }
  // From the channels over the places, last one first, to the batch strides may not fall, and none is less than what lies inside of it.
  int64_t least = 0;
  for (int64_t i = 0; i < dim; ++i) {
    const int64_t at = i == 0 ? 1 : i == dim - 1 ? 0 : dim - i;
    if (tensor.size(at) == 0 || tensor.stride(at) < least) {
      return false;
    }
    // Neither order shows where all but the batch is of size 1: that counts as contiguous.
    if (at == 0 && least == tensor.stride(1)) {
      return false;
    }
    least = tensor.stride(at) * std::max<int64_t>(1, tensor.size(at));
  }
  return true;
}

Tensor convolve(const Tensor& input, const Tensor& weight, const Tensor* bias, const ConvolutionArguments& arguments, const Fused& fused, const Tensor* into) {
  const int64_t places = input.dim() - 2;
  require(places >= 1 && places <= 3 && weight.dim() == input.dim(), "convolution: an input of shape ", input.sizes(), " and a weight of shape ",
          weight.sizes(), " do not fit; both need three to five dimensions");
  require(input.dtype() == weight.dtype() && (bias == nullptr || bias->dtype() == input.dtype()), "convolution: input of dtype ", input.dtype(),
          ", weight of dtype ", weight.dtype(), bias == nullptr ? "" : " and bias of another", " must have one dtype");
  for_float(input.dtype(), "convolution", [](auto) {});
  const int64_t groups = arguments.groups;
  require(groups >= 1, "convolution: ", groups, " groups");
  Lists lists;
  spread_list("stride", arguments.stride, places, 1, lists.stride);
  spread_list("padding", arguments.padding, places, 0, lists.padding);
  spread_list("dilation", arguments.dilation, places, 1, lists.dilation);
  spread_list("output padding", arguments.output_padding, places, 0, lists.output_padding);
  const bool transposed = arguments.transposed;
  Geometry g;
  g.dtype = input.dtype();
  g.batch = input.size(0);
  g.groups = groups;
  g.channels = input.size(1) / groups;
  const int64_t all_out = transposed ? weight.size(1) * groups : weight.size(0);
  g.out_channels = all_out / groups;
  require(input.size(1) % groups == 0 && all_out % groups == 0 && (transposed ? weight.size(0) == input.size(1) : weight.size(1) == g.channels),
          "convolution: a weight of shape ", weight.sizes(), " and ", groups, " groups do not fit an input of shape ", input.sizes());
  require(bias == nullptr || (bias->dim() == 1 && bias->size(0) == all_out), "convolution: the bias does not fit ", all_out, " channels");
  Dims sizes = {g.batch, all_out};
  for (int64_t i = 0; i < places; ++i) {
    const int64_t at = 3 - places + i;
    g.in[at] = input.size(2 + i);
    g.kernel[at] = weight.size(2 + i);
    g.stride[at] = lists.stride[at];
    const int64_t reach = lists.dilation[at] * (g.kernel[at] - 1) + 1;
    g.out[at] = transposed ? (g.in[at] - 1) * lists.stride[at] - 2 * lists.padding[at] + reach + lists.output_padding[at]
                           : (g.in[at] + 2 * lists.padding[at] - reach) / lists.stride[at] + 1;
    require(g.kernel[at] > 0 && (transposed ? g.out[at] >= 0 : g.in[at] + 2 * lists.padding[at] >= reach), "convolution: a kernel of shape ", weight.sizes(),
            " is larger than the padded input of shape ", input.sizes());
    sizes.push_back(g.out[at]);
  }
  if (arguments.arranged && places == 2 && groups == 1 && !transposed && !is_rows(weight)) {
    find_terms(weight, g);
  }
  const bool rows = g.by_terms() || ((places == 2 || (places == 3 && keeps_channels_last_3d(g, lists, transposed))) &&
                                   (looks_channels_last(input) || looks_channels_last(weight)));
  const bool in_place = into != nullptr && into->dtype() == g.dtype && into->sizes() == sizes &&
                        (rows ? is_rows(*into) : into->is_contiguous()) && !has_small_groups(g) && !overlap(*into, input) && !overlap(*into, weight);
  Tensor out = in_place ? *into : rows ? empty_like_channels_last(sizes, g.dtype) : empty(sizes, g.dtype);
  if (out.numel() == 0) {
    return out;
  }
  Tensor own_bias;
  if (bias != nullptr) {
    own_bias = contiguous(*bias);
    bias = &own_bias;
  }
  Tensor own_other;
  const Tensor* other = fused.other;
  if (other != nullptr) {
    own_other = expand(*other, sizes);
    if (own_other.strides() != out.strides() || own_other.dtype() != out.dtype()) {
      const Tensor copy = empty_strided(sizes, out.strides(), out.dtype());
      copy_into(copy, own_other);
      own_other = copy;
    }
    other = &own_other;
  }
  if (transposed) {
    require(other == nullptr, "convolution: a transposed one with another addend is not supported");
    const Tensor arranged = derived_from_constant(weight, kind_transposed, [&] { return arrange_transposed(weight, g); });
    convolve_transposed(g, lists, as_rows(input), arranged, bias, fused, out);
    return out;
  }
  add_taps(g, lists);
  const Tensor source = rows ? as_rows(input) : contiguous(input);
  if (rows ? has_small_groups(g) : is_depthwise(g)) {
    if (rows) {
      const Tensor by_taps = derived_from_constant(weight, kind_by_taps, [&] { return weights_by_taps(g, as_rows(weight).data()); });
      if (is_depthwise(g)) {
        Product product;
        set_out(product, g, true, out);
        set_addends(product, g, true, bias, other, fused);
        convolve_depthwise(g, source.data(), by_taps, product.finish);
        return out;
      }
      convolve_small_groups(g, source.data(), by_taps, bias, out.data());
    } else {
      const Tensor kernel = derived_from_constant(weight, kind_contiguous, [&] { return contiguous(weight); });
      depthwise_planes(g, source.data(), kernel.data(), bias, out.data());
    }
    if (other != nullptr || fused.activation != Activation::none) {
      finish_alone(out, other, fused);
    }
    return out;
  }
  const Tensor arranged = g.by_terms() || (rows ? is_rows(weight) : weight.is_contiguous())
                              ? weight
                              : derived_from_constant(weight, rows ? kind_channels_last : kind_contiguous, [&] { return rows ? as_rows(weight) : contiguous(weight); });
  convolve_into(g, rows, source, arranged, bias, other, fused, out);
  return out;
}

}  // namespace aotwin::runtime::products
