#include <algorithm>
#include <utility>

#include "constant_cache.h"
#include "convolution_parts.h"

namespace aotwin::runtime::products {
namespace {

// A list has one number for each place dimension, or one for all.
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

Lists lists_of(const ConvolutionArguments& arguments, int64_t places) {
  Lists lists;
  spread_list("stride", arguments.stride, places, 1, lists.stride);
  spread_list("padding", arguments.padding, places, 0, lists.padding);
  spread_list("dilation", arguments.dilation, places, 1, lists.dilation);
  spread_list("output padding", arguments.output_padding, places, 0, lists.output_padding);
  return lists;
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

// Requires that all fit together. `sizes`: out, of the results.
Geometry geometry_of(const Tensor& input, const Tensor& weight, const Tensor* bias, const ConvolutionArguments& arguments, const Lists& lists, Dims& sizes) {
  const int64_t groups = arguments.groups;
  const bool transposed = arguments.transposed;
  const int64_t places = input.dim() - 2;
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
  sizes = {g.batch, all_out};
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
  return g;
}

// What is added to the results, dense as they are.
Tensor own_addend(const Tensor& given, const Tensor& out) {
  const Tensor other = expand(given, out.sizes());
  if (other.strides() == out.strides() && other.dtype() == out.dtype()) {
    return other;
  }
  Tensor copy = empty_strided(out.sizes(), out.strides(), out.dtype());
  copy_into(copy, other);
  return copy;
}

}  // namespace

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
  require(arguments.groups >= 1, "convolution: ", arguments.groups, " groups");
  const Lists lists = lists_of(arguments, places);
  Dims sizes;
  Geometry g = geometry_of(input, weight, bias, arguments, lists, sizes);
  const bool rows = g.by_terms() || ((places == 2 || (places == 3 && keeps_channels_last_3d(g, lists, arguments.transposed))) &&
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
  const Tensor* other = nullptr;
  if (fused.other != nullptr) {
    own_other = own_addend(*fused.other, out);
    other = &own_other;
  }
  if (arguments.transposed) {
    require(other == nullptr, "convolution: a transposed one with another addend is not supported");
    convolve_transposed(g, lists, as_rows(input), weight, bias, fused, out);
    return out;
  }
  add_taps(g, lists);
  const Tensor source = rows ? as_rows(input) : contiguous(input);
  if (has_own_form(g, rows)) {
    convolve_groups_into(g, rows, source, weight, bias, other, fused, out);
    return out;
  }
  const Tensor arranged = g.by_terms() || (rows ? is_rows(weight) : weight.is_contiguous())
                              ? weight
                              : derived_from_constant(weight, rows ? kind_channels_last : kind_contiguous, [&] { return rows ? as_rows(weight) : contiguous(weight); });
  convolve_into(g, rows, source, arranged, bias, other, fused, out);
  return out;
}

}  // namespace aotwin::runtime::products
