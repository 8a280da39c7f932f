// torch's C functions that copy, clone, assign and clear tensors.
#include "tensor.h"

using namespace aotwin::runtime;

extern "C" {

AOTITorchError AOTWIN_SHIM(aoti_torch_copy_)(AtenTensorHandle self, AtenTensorHandle src, int32_t) {
  return guarded([&] { copy_into(borrow(self), borrow(src)); });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_tensor_copy_)(AtenTensorHandle src, AtenTensorHandle dst) {
  return guarded([&] { copy_into(borrow(dst), borrow(src)); });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_clone)(AtenTensorHandle self, AtenTensorHandle* result) {
  return guarded([&] {
    require(result != nullptr, "clone: the pointer for the result is null");
    *result = give(clone(borrow(self)));
  });
}

// The storage is copied as it is, gaps too, and looked at in the same way.
AOTITorchError AOTWIN_SHIM(aoti_torch_clone_preserve_strides)(AtenTensorHandle self, AtenTensorHandle* result) {
  return guarded([&] {
    require(result != nullptr, "clone_preserve_strides: the pointer for the result is null");
    const Tensor& tensor = borrow(self);
    require(tensor.defined(), "clone_preserve_strides: the tensor is undefined");
    for (size_t i = 0; i < tensor.sizes().size(); ++i) {
      if (tensor.strides()[i] == 0 && tensor.sizes()[i] > 1) {
        // Elements that share memory cannot be kept apart by a copy of it: torch clones them.
        *result = give(clone(tensor));
        return;
      }
    }
    const int64_t nbytes = static_cast<int64_t>(tensor.storage()->nbytes);
    const Tensor bytes = view_as(tensor, {nbytes}, {1}, 0, Dtype::u8);
    const Tensor copy = empty({nbytes}, Dtype::u8);
    copy_into(copy, bytes);
    *result = give(view_as(copy, tensor.sizes(), tensor.strides(), tensor.storage_offset(), tensor.dtype()));
  });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_assign_tensors)(AtenTensorHandle src, AtenTensorHandle dst) {
  return guarded([&] { rebind(dst, Tensor(borrow(src))); });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_assign_tensors_out)(AtenTensorHandle src, AtenTensorHandle* result) {
  return guarded([&] {
    require(result != nullptr, "assign_tensors_out: the pointer for the result is null");
    *result = give(Tensor(borrow(src)));
  });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_zero_)(AtenTensorHandle self) {
  return guarded([&] { fill_zero(borrow(self)); });
}
}
