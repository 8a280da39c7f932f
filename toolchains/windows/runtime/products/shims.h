// Prototypes of the C functions of this folder: torch's names and meaning.
#pragma once

#include <cstdint>

#include "../core/shim.h"

extern "C" {
AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_mm_out)(AtenTensorHandle out, AtenTensorHandle self, AtenTensorHandle mat2);
AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_addmm_out)(AtenTensorHandle out, AtenTensorHandle self, AtenTensorHandle mat1, AtenTensorHandle mat2, double beta, double alpha);
AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_bmm_out)(AtenTensorHandle out, AtenTensorHandle self, AtenTensorHandle mat2);
AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_baddbmm_out)(AtenTensorHandle out, AtenTensorHandle self, AtenTensorHandle batch1, AtenTensorHandle batch2, double beta, double alpha);
AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_addbmm)(AtenTensorHandle self, AtenTensorHandle batch1, AtenTensorHandle batch2, double beta, double alpha, AtenTensorHandle* ret0);
AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_addmv)(AtenTensorHandle self, AtenTensorHandle mat, AtenTensorHandle vec, double beta, double alpha, AtenTensorHandle* ret0);
AOTITorchError AOTWIN_SHIM(aoti_torch_cpu__int_mm_out)(AtenTensorHandle out, AtenTensorHandle self, AtenTensorHandle mat2);
AOTITorchError AOTWIN_SHIM(aoti_torch_cpu__weight_int8pack_mm)(AtenTensorHandle self, AtenTensorHandle mat2, AtenTensorHandle scales, AtenTensorHandle* ret0);
AOTITorchError AOTWIN_SHIM(aoti_torch__mm_plus_mm_out)(AtenTensorHandle out, AtenTensorHandle a, AtenTensorHandle b, AtenTensorHandle c, AtenTensorHandle d);
AOTITorchError AOTWIN_SHIM(aoti_torch_mm_out)(AtenTensorHandle out, AtenTensorHandle self, AtenTensorHandle mat2);
AOTITorchError AOTWIN_SHIM(aoti_torch_bmm_out)(AtenTensorHandle out, AtenTensorHandle self, AtenTensorHandle mat2);
AOTITorchError AOTWIN_SHIM(aoti_torch_addmm_out)(AtenTensorHandle out, AtenTensorHandle self, AtenTensorHandle mat1, AtenTensorHandle mat2, float beta, float alpha);

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu__linear_pointwise)(AtenTensorHandle X, AtenTensorHandle W, AtenTensorHandle* B, const char* attr, const double** scalars, int64_t scalars_len_, const char** algorithm, AtenTensorHandle* ret0);
AOTITorchError AOTWIN_SHIM(aoti_torch_cpu__linear_pointwise_binary)(AtenTensorHandle X, AtenTensorHandle other, AtenTensorHandle W, AtenTensorHandle* B, const char* attr, AtenTensorHandle* ret0);

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_convolution)(AtenTensorHandle input, AtenTensorHandle weight, AtenTensorHandle* bias, const int64_t* stride, int64_t stride_len_, const int64_t* padding, int64_t padding_len_, const int64_t* dilation, int64_t dilation_len_, int32_t transposed, const int64_t* output_padding, int64_t output_padding_len_, int64_t groups, AtenTensorHandle* ret0);
AOTITorchError AOTWIN_SHIM(aoti_torch_convolution)(AtenTensorHandle input, AtenTensorHandle weight, AtenTensorHandle bias, const int64_t* stride_ptr, int64_t stride_size, const int64_t* padding_ptr, int64_t padding_size, const int64_t* dilation_ptr, int64_t dilation_size, int transposed, const int64_t* output_padding_ptr, int64_t output_padding_size, int64_t groups, AtenTensorHandle* ret);
AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_mkldnn__convolution_pointwise)(AtenTensorHandle X, AtenTensorHandle W, AtenTensorHandle* B, const int64_t* padding, int64_t padding_len_, const int64_t* stride, int64_t stride_len_, const int64_t* dilation, int64_t dilation_len_, int64_t groups, const char* attr, const double** scalars, int64_t scalars_len_, const char** algorithm, AtenTensorHandle* ret0);
AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_mkldnn__convolution_pointwise_binary)(AtenTensorHandle X, AtenTensorHandle other, AtenTensorHandle W, AtenTensorHandle* B, const int64_t* padding, int64_t padding_len_, const int64_t* stride, int64_t stride_len_, const int64_t* dilation, int64_t dilation_len_, int64_t groups, const char* binary_attr, double* alpha, const char** unary_attr, const double** unary_scalars, int64_t unary_scalars_len_, const char** unary_algorithm, AtenTensorHandle* ret0);
AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_mkldnn__convolution_pointwise_binary_)(AtenTensorHandle other, AtenTensorHandle X, AtenTensorHandle W, AtenTensorHandle* B, const int64_t* padding, int64_t padding_len_, const int64_t* stride, int64_t stride_len_, const int64_t* dilation, int64_t dilation_len_, int64_t groups, const char* binary_attr, double* alpha, const char** unary_attr, const double** unary_scalars, int64_t unary_scalars_len_, const char** unary_algorithm, AtenTensorHandle* ret0);
AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_mkldnn__convolution_transpose_pointwise)(AtenTensorHandle X, AtenTensorHandle W, AtenTensorHandle* B, const int64_t* padding, int64_t padding_len_, const int64_t* output_padding, int64_t output_padding_len_, const int64_t* stride, int64_t stride_len_, const int64_t* dilation, int64_t dilation_len_, int64_t groups, const char* attr, const double** scalars, int64_t scalars_len_, const char** algorithm, AtenTensorHandle* ret0);

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu__scaled_dot_product_flash_attention_for_cpu)(AtenTensorHandle query, AtenTensorHandle key, AtenTensorHandle value, double dropout_p, int32_t is_causal, AtenTensorHandle* attn_mask, double* scale, AtenTensorHandle* ret0, AtenTensorHandle* ret1);

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_mkldnn_rnn_layer)(AtenTensorHandle input, AtenTensorHandle weight0, AtenTensorHandle weight1, AtenTensorHandle weight2, AtenTensorHandle weight3, AtenTensorHandle hx_, AtenTensorHandle cx_, int32_t reverse, const int64_t* batch_sizes, int64_t batch_sizes_len_, int64_t mode, int64_t hidden_size, int64_t num_layers, int32_t has_biases, int32_t bidirectional, int32_t batch_first, int32_t train, AtenTensorHandle* ret0, AtenTensorHandle* ret1, AtenTensorHandle* ret2, AtenTensorHandle* ret3);
}
