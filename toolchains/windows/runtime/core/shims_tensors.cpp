// torch's C functions that make tensors, ask them, and look at them otherwise.
#include "tensor.h"

using namespace aotwin::runtime;

namespace {

const Tensor& defined(AtenTensorHandle handle) {
  const Tensor& tensor = borrow(handle);
  require(tensor.defined(), "the tensor is undefined");
  return tensor;
}

template <class T, class V>
void answer(T* result, V value) {
  require(result != nullptr, "the pointer for the result is null");
  *result = static_cast<T>(value);
}

Dims dims(const int64_t* values, int64_t count) {
  require(count >= 0 && (count == 0 || values != nullptr), "sizes or strides are a null pointer with ", count, " entries");
  return Dims(values, static_cast<size_t>(count));
}

Dtype checked(int32_t dtype) {
  element_size(static_cast<Dtype>(dtype));
  return static_cast<Dtype>(dtype);
}

void require_cpu(int32_t device_type) {
  require(device_type == 0, "device type ", device_type, ": this run time has tensors of the CPU (0) only");
}

AOTITorchError empty_strided(
    int64_t ndim, const int64_t* sizes, const int64_t* strides, int32_t dtype, int32_t device_type, AtenTensorHandle* result) {
  return guarded([&] {
    require_cpu(device_type);
    answer(result, give(aotwin::runtime::empty_strided(dims(sizes, ndim), dims(strides, ndim), checked(dtype))));
  });
}

AOTITorchError from_blob(
    void* data,
    int64_t ndim,
    const int64_t* sizes,
    const int64_t* strides,
    int64_t storage_offset,
    int32_t dtype,
    int32_t device_type,
    int32_t layout,
    AtenTensorHandle* result) {
  return guarded([&] {
    require_cpu(device_type);
    require(layout == 0, "layout ", layout, ": this run time has strided tensors (0) only");
    answer(result, give(from_memory(data, dims(sizes, ndim), dims(strides, ndim), storage_offset, checked(dtype))));
  });
}

}  // namespace

extern "C" {

AOTITorchError AOTWIN_SHIM(aoti_torch_empty_strided)(
    int64_t ndim,
    const int64_t* sizes_ptr,
    const int64_t* strides_ptr,
    int32_t dtype,
    int32_t device_type,
    int32_t,
    AtenTensorHandle* result) {
  return empty_strided(ndim, sizes_ptr, strides_ptr, dtype, device_type, result);
}

// Pinned memory is for copies to other devices: here it is memory as any other.
AOTITorchError AOTWIN_SHIM(aoti_torch_empty_strided_pinned)(
    int64_t ndim,
    const int64_t* sizes_ptr,
    const int64_t* strides_ptr,
    int32_t dtype,
    int32_t device_type,
    int32_t,
    AtenTensorHandle* result) {
  return empty_strided(ndim, sizes_ptr, strides_ptr, dtype, device_type, result);
}

AOTITorchError AOTWIN_SHIM(aoti_torch_create_tensor_from_blob)(
    void* data,
    int64_t ndim,
    const int64_t* sizes_ptr,
    const int64_t* strides_ptr,
    int64_t storage_offset,
    int32_t dtype,
    int32_t device_type,
    int32_t,
    AtenTensorHandle* result) {
  return from_blob(data, ndim, sizes_ptr, strides_ptr, storage_offset, dtype, device_type, 0, result);
}

AOTITorchError AOTWIN_SHIM(aoti_torch_create_tensor_from_blob_v2)(
    void* data,
    int64_t ndim,
    const int64_t* sizes_ptr,
    const int64_t* strides_ptr,
    int64_t storage_offset,
    int32_t dtype,
    int32_t device_type,
    int32_t,
    AtenTensorHandle* result,
    int32_t layout,
    const uint8_t*,
    int64_t) {
  return from_blob(data, ndim, sizes_ptr, strides_ptr, storage_offset, dtype, device_type, layout, result);
}

AOTITorchError AOTWIN_SHIM(aoti_torch_new_uninitialized_tensor)(AtenTensorHandle* result) {
  return guarded([&] { answer(result, give(Tensor())); });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_new_tensor_handle)(AtenTensorHandle tensor, AtenTensorHandle* result) {
  return guarded([&] { answer(result, give(Tensor(borrow(tensor)))); });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_is_defined)(AtenTensorHandle tensor, bool* result) {
  return guarded([&] { answer(result, borrow(tensor).defined()); });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_get_data_ptr)(AtenTensorHandle tensor, void** result) {
  return guarded([&] { answer(result, borrow(tensor).data()); });
}

AOTITorchError AOTWIN_SHIM(torch_get_mutable_data_ptr)(AtenTensorHandle tensor, void** result) {
  return guarded([&] { answer(result, borrow(tensor).data()); });
}

AOTITorchError AOTWIN_SHIM(torch_get_const_data_ptr)(AtenTensorHandle tensor, const void** result) {
  return guarded([&] { answer(result, borrow(tensor).data()); });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_get_storage_size)(AtenTensorHandle tensor, int64_t* result) {
  return guarded([&] { answer(result, defined(tensor).storage()->nbytes); });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_get_storage_numel)(AtenTensorHandle handle, int64_t* result) {
  return guarded([&] {
    const Tensor& tensor = defined(handle);
    answer(result, tensor.storage()->nbytes / element_size(tensor.dtype()));
  });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_get_dim)(AtenTensorHandle tensor, int64_t* result) {
  return guarded([&] { answer(result, borrow(tensor).dim()); });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_get_numel)(AtenTensorHandle handle, int64_t* result) {
  return guarded([&] {
    const Tensor& tensor = borrow(handle);
    answer(result, tensor.defined() ? tensor.numel() : 0);
  });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_get_sizes)(AtenTensorHandle tensor, int64_t** result) {
  return guarded([&] { answer(result, const_cast<int64_t*>(borrow(tensor).sizes().data())); });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_get_size)(AtenTensorHandle tensor, int64_t dimension, int64_t* result) {
  return guarded([&] { answer(result, borrow(tensor).size(dimension)); });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_get_strides)(AtenTensorHandle tensor, int64_t** result) {
  return guarded([&] { answer(result, const_cast<int64_t*>(borrow(tensor).strides().data())); });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_get_stride)(AtenTensorHandle tensor, int64_t dimension, int64_t* result) {
  return guarded([&] { answer(result, borrow(tensor).stride(dimension)); });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_get_dtype)(AtenTensorHandle tensor, int32_t* result) {
  return guarded([&] { answer(result, defined(tensor).dtype()); });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_get_device_type)(AtenTensorHandle tensor, int32_t* result) {
  return guarded([&] {
    borrow(tensor);
    answer(result, 0);
  });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_get_device_index)(AtenTensorHandle tensor, int32_t* result) {
  return guarded([&] {
    borrow(tensor);
    answer(result, -1);  // torch's CPU tensors have no index
  });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_get_layout)(AtenTensorHandle tensor, int32_t* result) {
  return guarded([&] {
    borrow(tensor);
    answer(result, 0);
  });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_get_storage_offset)(AtenTensorHandle tensor, int64_t* result) {
  return guarded([&] { answer(result, borrow(tensor).storage_offset()); });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_is_contiguous)(AtenTensorHandle tensor, bool* result) {
  return guarded([&] { answer(result, borrow(tensor).is_contiguous()); });
}

AOTITorchError AOTWIN_SHIM(aoti_torch__reinterpret_tensor)(
    AtenTensorHandle self,
    int64_t ndim,
    const int64_t* sizes_ptr,
    const int64_t* strides_ptr,
    int64_t storage_offset,
    AtenTensorHandle* result) {
  return guarded([&] {
    // The offset is from where the tensor itself begins in its storage.
    const Tensor& tensor = defined(self);
    answer(
        result,
        give(view(tensor, dims(sizes_ptr, ndim), dims(strides_ptr, ndim), tensor.storage_offset() + storage_offset)));
  });
}

AOTITorchError AOTWIN_SHIM(aoti_torch__alloc_from_pool)(
    AtenTensorHandle self,
    int64_t offset_bytes,
    int32_t dtype,
    int64_t ndim,
    const int64_t* sizes_ptr,
    const int64_t* strides_ptr,
    AtenTensorHandle* result) {
  return guarded([&] {
    const Tensor& tensor = defined(self);
    const int64_t item = static_cast<int64_t>(element_size(checked(dtype)));
    require(tensor.storage_offset() == 0, "_alloc_from_pool: the pool has the storage offset ", tensor.storage_offset());
    require(offset_bytes >= 0 && offset_bytes % item == 0, "_alloc_from_pool: offset ", offset_bytes, " for items of ", item);
    answer(
        result,
        give(view_as(
            tensor, dims(sizes_ptr, ndim), dims(strides_ptr, ndim), offset_bytes / item, static_cast<Dtype>(dtype))));
  });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_as_strided)(
    AtenTensorHandle self, const int64_t* sizes_ptr, const int64_t* strides_ptr, AtenTensorHandle* result) {
  return guarded([&] {
    // As many entries as the tensor has dimensions: there is no count among the arguments.
    const Tensor& tensor = defined(self);
    answer(
        result,
        give(view(
            tensor, dims(sizes_ptr, tensor.dim()), dims(strides_ptr, tensor.dim()), tensor.storage_offset())));
  });
}
}
