// torch's numbers of dtypes, devices, layouts and memory formats, for a DLL over our own run time.
//
// Generated code asks for them while the DLL is loaded, when its run time is not bound yet. They are
// part of torch's ABI (c10/core/ScalarType.h, DeviceType.h, Layout.h, MemoryFormat.h).
#include <stdint.h>

int32_t aoti_torch_device_type_cpu(void) {
  return 0;
}
int32_t aoti_torch_device_type_cuda(void) {
  return 1;
}
int32_t aoti_torch_device_type_meta(void) {
  return 14;
}
int32_t aoti_torch_device_type_mps(void) {
  return 13;
}
int32_t aoti_torch_device_type_privateuse1(void) {
  return 20;
}
int32_t aoti_torch_device_type_xpu(void) {
  return 12;
}
int32_t aoti_torch_dtype_bfloat16(void) {
  return 15;
}
int32_t aoti_torch_dtype_bool(void) {
  return 11;
}
int32_t aoti_torch_dtype_complex128(void) {
  return 10;
}
int32_t aoti_torch_dtype_complex32(void) {
  return 8;
}
int32_t aoti_torch_dtype_complex64(void) {
  return 9;
}
int32_t aoti_torch_dtype_float16(void) {
  return 5;
}
int32_t aoti_torch_dtype_float32(void) {
  return 6;
}
int32_t aoti_torch_dtype_float4_e2m1fn_x2(void) {
  return 45;
}
int32_t aoti_torch_dtype_float64(void) {
  return 7;
}
int32_t aoti_torch_dtype_float8_e4m3fn(void) {
  return 24;
}
int32_t aoti_torch_dtype_float8_e4m3fnuz(void) {
  return 26;
}
int32_t aoti_torch_dtype_float8_e5m2(void) {
  return 23;
}
int32_t aoti_torch_dtype_float8_e5m2fnuz(void) {
  return 25;
}
int32_t aoti_torch_dtype_float8_e8m0fnu(void) {
  return 44;
}
int32_t aoti_torch_dtype_int16(void) {
  return 2;
}
int32_t aoti_torch_dtype_int32(void) {
  return 3;
}
int32_t aoti_torch_dtype_int64(void) {
  return 4;
}
int32_t aoti_torch_dtype_int8(void) {
  return 1;
}
int32_t aoti_torch_dtype_uint16(void) {
  return 27;
}
int32_t aoti_torch_dtype_uint32(void) {
  return 28;
}
int32_t aoti_torch_dtype_uint64(void) {
  return 29;
}
int32_t aoti_torch_dtype_uint8(void) {
  return 0;
}
int32_t aoti_torch_layout__mkldnn(void) {
  return 3;
}
int32_t aoti_torch_layout_jagged(void) {
  return 7;
}
int32_t aoti_torch_layout_sparse_bsc(void) {
  return 6;
}
int32_t aoti_torch_layout_sparse_bsr(void) {
  return 5;
}
int32_t aoti_torch_layout_sparse_coo(void) {
  return 1;
}
int32_t aoti_torch_layout_sparse_csc(void) {
  return 4;
}
int32_t aoti_torch_layout_sparse_csr(void) {
  return 2;
}
int32_t aoti_torch_layout_strided(void) {
  return 0;
}
int32_t aoti_torch_memory_format_channels_last(void) {
  return 2;
}
int32_t aoti_torch_memory_format_channels_last_3d(void) {
  return 3;
}
int32_t aoti_torch_memory_format_contiguous_format(void) {
  return 0;
}
int32_t aoti_torch_memory_format_preserve_format(void) {
  return 1;
}
