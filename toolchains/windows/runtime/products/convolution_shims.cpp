// aten::convolution and its fused forms.
#include "convolution.h"
#include "pointwise_attributes.h"
#include "shims.h"

using namespace aotwin::runtime;
using namespace aotwin::runtime::products;

namespace {

Dims list(const int64_t* values, int64_t count) {
  require(count >= 0 && (values != nullptr || count == 0), "convolution: a list is missing");
  return Dims(values, static_cast<size_t>(count));
}

ConvolutionArguments arguments_of(const int64_t* stride, int64_t stride_count, const int64_t* padding, int64_t padding_count, const int64_t* dilation,
                                  int64_t dilation_count, int64_t groups) {
  ConvolutionArguments arguments;
  arguments.stride = list(stride, stride_count);
  arguments.padding = list(padding, padding_count);
  arguments.dilation = list(dilation, dilation_count);
  arguments.groups = groups;
  return arguments;
}

// Those of the operators that the build puts in place of others.
ConvolutionArguments fusible_arguments(const int64_t* stride, int64_t stride_count, const int64_t* padding, int64_t padding_count, const int64_t* dilation,
                                       int64_t dilation_count, int64_t groups) {
  ConvolutionArguments arguments = arguments_of(stride, stride_count, padding, padding_count, dilation, dilation_count, groups);
  arguments.arranged = true;
  return arguments;
}

Tensor fused(AtenTensorHandle X, AtenTensorHandle W, AtenTensorHandle* B, const ConvolutionArguments& arguments, const Fused& after) {
  const std::optional<Tensor> bias = maybe(B);
  return convolve(borrow(X), borrow(W), bias ? &*bias : nullptr, arguments, after);
}

}  // namespace

extern "C" AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_convolution)(AtenTensorHandle input, AtenTensorHandle weight, AtenTensorHandle* bias, const int64_t* stride,
                                                                  int64_t stride_len_, const int64_t* padding, int64_t padding_len_, const int64_t* dilation,
                                                                  int64_t dilation_len_, int32_t transposed, const int64_t* output_padding,
                                                                  int64_t output_padding_len_, int64_t groups, AtenTensorHandle* ret0) {
  return guarded([&] {
    ConvolutionArguments arguments = arguments_of(stride, stride_len_, padding, padding_len_, dilation, dilation_len_, groups);
    arguments.transposed = transposed != 0;
    arguments.output_padding = list(output_padding, output_padding_len_);
    *ret0 = give(fused(input, weight, bias, arguments, {}));
  });
}

extern "C" AOTITorchError AOTWIN_SHIM(aoti_torch_convolution)(AtenTensorHandle input, AtenTensorHandle weight, AtenTensorHandle bias, const int64_t* stride_ptr,
                                                              int64_t stride_size, const int64_t* padding_ptr, int64_t padding_size,
                                                              const int64_t* dilation_ptr, int64_t dilation_size, int transposed,
                                                              const int64_t* output_padding_ptr, int64_t output_padding_size, int64_t groups,
                                                              AtenTensorHandle* ret) {
  return guarded([&] {
    ConvolutionArguments arguments = arguments_of(stride_ptr, stride_size, padding_ptr, padding_size, dilation_ptr, dilation_size, groups);
    arguments.transposed = transposed != 0;
    arguments.output_padding = list(output_padding_ptr, output_padding_size);
    *ret = give(fused(input, weight, bias == nullptr ? nullptr : &bias, arguments, {}));
  });
}

extern "C" AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_mkldnn__convolution_pointwise)(
    AtenTensorHandle X, AtenTensorHandle W, AtenTensorHandle* B, const int64_t* padding, int64_t padding_len_, const int64_t* stride, int64_t stride_len_,
    const int64_t* dilation, int64_t dilation_len_, int64_t groups, const char* attr, const double** scalars, int64_t scalars_len_, const char** algorithm,
    AtenTensorHandle* ret0) {
  return guarded([&] {
    Fused after;
    set_activation(after, "_convolution_pointwise", attr, scalars, scalars_len_, algorithm == nullptr ? nullptr : *algorithm);
    *ret0 = give(fused(X, W, B, fusible_arguments(stride, stride_len_, padding, padding_len_, dilation, dilation_len_, groups), after));
  });
}

extern "C" AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_mkldnn__convolution_transpose_pointwise)(
    AtenTensorHandle X, AtenTensorHandle W, AtenTensorHandle* B, const int64_t* padding, int64_t padding_len_, const int64_t* output_padding,
    int64_t output_padding_len_, const int64_t* stride, int64_t stride_len_, const int64_t* dilation, int64_t dilation_len_, int64_t groups, const char* attr,
    const double** scalars, int64_t scalars_len_, const char** algorithm, AtenTensorHandle* ret0) {
  return guarded([&] {
    Fused after;
    set_activation(after, "_convolution_transpose_pointwise", attr, scalars, scalars_len_, algorithm == nullptr ? nullptr : *algorithm);
    ConvolutionArguments arguments = arguments_of(stride, stride_len_, padding, padding_len_, dilation, dilation_len_, groups);
    arguments.transposed = true;
    arguments.output_padding = list(output_padding, output_padding_len_);
    *ret0 = give(fused(X, W, B, arguments, after));
  });
}

extern "C" AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_mkldnn__convolution_pointwise_binary)(
    AtenTensorHandle X, AtenTensorHandle other, AtenTensorHandle W, AtenTensorHandle* B, const int64_t* padding, int64_t padding_len_, const int64_t* stride,
    int64_t stride_len_, const int64_t* dilation, int64_t dilation_len_, int64_t groups, const char* binary_attr, double* alpha, const char** unary_attr,
    const double** unary_scalars, int64_t unary_scalars_len_, const char** unary_algorithm, AtenTensorHandle* ret0) {
  return guarded([&] {
    Fused after;
    set_binary(after, "_convolution_pointwise_binary", binary_attr, borrow(other), alpha);
    set_activation(after, "_convolution_pointwise_binary", unary_attr == nullptr ? nullptr : *unary_attr, unary_scalars, unary_scalars_len_,
                   unary_algorithm == nullptr ? nullptr : *unary_algorithm);
    *ret0 = give(fused(X, W, B, fusible_arguments(stride, stride_len_, padding, padding_len_, dilation, dilation_len_, groups), after));
  });
}

// In place: `other` is the addend and receives the result.
extern "C" AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_mkldnn__convolution_pointwise_binary_)(
    AtenTensorHandle other, AtenTensorHandle X, AtenTensorHandle W, AtenTensorHandle* B, const int64_t* padding, int64_t padding_len_, const int64_t* stride,
    int64_t stride_len_, const int64_t* dilation, int64_t dilation_len_, int64_t groups, const char* binary_attr, double* alpha, const char** unary_attr,
    const double** unary_scalars, int64_t unary_scalars_len_, const char** unary_algorithm, AtenTensorHandle* ret0) {
  return guarded([&] {
    Fused after;
    const Tensor into = borrow(other);
    set_binary(after, "_convolution_pointwise_binary_", binary_attr, into, alpha);
    set_activation(after, "_convolution_pointwise_binary_", unary_attr == nullptr ? nullptr : *unary_attr, unary_scalars, unary_scalars_len_,
                   unary_algorithm == nullptr ? nullptr : *unary_algorithm);
    const std::optional<Tensor> bias = maybe(B);
    const ConvolutionArguments arguments = fusible_arguments(stride, stride_len_, padding, padding_len_, dilation, dilation_len_, groups);
    const Tensor result = convolve(borrow(X), borrow(W), bias ? &*bias : nullptr, arguments, after, &into);
    if (result.data() != into.data()) {
      copy_into(into, result);
    }
    *ret0 = give(Tensor(into));
  });
}
