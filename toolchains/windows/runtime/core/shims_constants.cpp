// torch's numbers of dtypes, devices, layouts and memory formats, and of the version whose functions these are.
#include "tensor.h"

using aotwin::runtime::Dtype;

namespace {

constexpr int32_t number(Dtype dtype) {
  return static_cast<int32_t>(dtype);
}

}  // namespace

extern "C" {

int32_t AOTWIN_SHIM(aoti_torch_device_type_cpu)() {
  return 0;
}
int32_t AOTWIN_SHIM(aoti_torch_device_type_cuda)() {
  return 1;
}
int32_t AOTWIN_SHIM(aoti_torch_device_type_meta)() {
  return 14;
}
int32_t AOTWIN_SHIM(aoti_torch_device_type_xpu)() {
  return 12;
}
int32_t AOTWIN_SHIM(aoti_torch_device_type_mps)() {
  return 13;
}
int32_t AOTWIN_SHIM(aoti_torch_device_type_privateuse1)() {
  return 20;
}

int32_t AOTWIN_SHIM(aoti_torch_dtype_float8_e5m2)() {
  return number(Dtype::f8_e5m2);
}
int32_t AOTWIN_SHIM(aoti_torch_dtype_float8_e4m3fn)() {
  return number(Dtype::f8_e4m3fn);
}
int32_t AOTWIN_SHIM(aoti_torch_dtype_float8_e5m2fnuz)() {
  return number(Dtype::f8_e5m2fnuz);
}
int32_t AOTWIN_SHIM(aoti_torch_dtype_float8_e4m3fnuz)() {
  return number(Dtype::f8_e4m3fnuz);
}
int32_t AOTWIN_SHIM(aoti_torch_dtype_float8_e8m0fnu)() {
  return number(Dtype::f8_e8m0fnu);
}
int32_t AOTWIN_SHIM(aoti_torch_dtype_float4_e2m1fn_x2)() {
  return number(Dtype::f4_e2m1fn_x2);
}
int32_t AOTWIN_SHIM(torch_dtype_float8_e8m0fnu)() {
  return number(Dtype::f8_e8m0fnu);
}
int32_t AOTWIN_SHIM(torch_dtype_float4_e2m1fn_x2)() {
  return number(Dtype::f4_e2m1fn_x2);
}
int32_t AOTWIN_SHIM(aoti_torch_dtype_bfloat16)() {
  return number(Dtype::bf16);
}
int32_t AOTWIN_SHIM(aoti_torch_dtype_float16)() {
  return number(Dtype::f16);
}
int32_t AOTWIN_SHIM(aoti_torch_dtype_float32)() {
  return number(Dtype::f32);
}
int32_t AOTWIN_SHIM(aoti_torch_dtype_float64)() {
  return number(Dtype::f64);
}
int32_t AOTWIN_SHIM(aoti_torch_dtype_uint8)() {
  return number(Dtype::u8);
}
int32_t AOTWIN_SHIM(aoti_torch_dtype_uint16)() {
  return number(Dtype::u16);
}
int32_t AOTWIN_SHIM(aoti_torch_dtype_uint32)() {
  return number(Dtype::u32);
}
int32_t AOTWIN_SHIM(aoti_torch_dtype_uint64)() {
  return number(Dtype::u64);
}
int32_t AOTWIN_SHIM(aoti_torch_dtype_int8)() {
  return number(Dtype::i8);
}
int32_t AOTWIN_SHIM(aoti_torch_dtype_int16)() {
  return number(Dtype::i16);
}
int32_t AOTWIN_SHIM(aoti_torch_dtype_int32)() {
  return number(Dtype::i32);
}
int32_t AOTWIN_SHIM(aoti_torch_dtype_int64)() {
  return number(Dtype::i64);
}
int32_t AOTWIN_SHIM(aoti_torch_dtype_bool)() {
  return number(Dtype::boolean);
}
int32_t AOTWIN_SHIM(aoti_torch_dtype_complex32)() {
  return number(Dtype::c32);
}
int32_t AOTWIN_SHIM(aoti_torch_dtype_complex64)() {
  return number(Dtype::c64);
}
int32_t AOTWIN_SHIM(aoti_torch_dtype_complex128)() {
  return number(Dtype::c128);
}
size_t AOTWIN_SHIM(aoti_torch_dtype_element_size)(int32_t dtype) {
  // No way to tell of an error: 0 bytes for what is no dtype.
  const Dtype known = static_cast<Dtype>(dtype);
  return aotwin::runtime::is_known(known) ? aotwin::runtime::element_size(known) : 0;
}

int32_t AOTWIN_SHIM(aoti_torch_layout_strided)() {
  return 0;
}
int32_t AOTWIN_SHIM(aoti_torch_layout_sparse_coo)() {
  return 1;
}
int32_t AOTWIN_SHIM(aoti_torch_layout_sparse_csr)() {
  return 2;
}
int32_t AOTWIN_SHIM(aoti_torch_layout__mkldnn)() {
  return 3;
}
int32_t AOTWIN_SHIM(aoti_torch_layout_sparse_csc)() {
  return 4;
}
int32_t AOTWIN_SHIM(aoti_torch_layout_sparse_bsr)() {
  return 5;
}
int32_t AOTWIN_SHIM(aoti_torch_layout_sparse_bsc)() {
  return 6;
}
int32_t AOTWIN_SHIM(aoti_torch_layout_jagged)() {
  return 7;
}

int32_t AOTWIN_SHIM(aoti_torch_memory_format_contiguous_format)() {
  return 0;
}
int32_t AOTWIN_SHIM(aoti_torch_memory_format_preserve_format)() {
  return 1;
}
int32_t AOTWIN_SHIM(aoti_torch_memory_format_channels_last)() {
  return 2;
}
int32_t AOTWIN_SHIM(aoti_torch_memory_format_channels_last_3d)() {
  return 3;
}

// The torch whose header these functions follow: 2.13.0, as TORCH_ABI_VERSION is laid out.
uint64_t AOTWIN_SHIM(aoti_torch_abi_version)() {
  return uint64_t{2} << 56 | uint64_t{13} << 48;
}
}
