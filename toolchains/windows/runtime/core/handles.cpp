// Handles: what an AtenTensorHandle of ours points to.
#include <cstring>

#include "objects.h"
#include "tensor.h"

namespace aotwin::runtime {
namespace {

// "aotwinTs": no address of a 64-bit process begins like that (bits 47 to 63 of an address are equal).
constexpr uint64_t live = 0x7354'6e69'7774'6f61;

struct Handle {
  explicit Handle(Tensor&& value) : magic(live), tensor(std::move(value)) {}
  volatile uint64_t magic;
  Tensor tensor;
};

Handle& check(AtenTensorHandle handle) {
  require(handle != nullptr, "a tensor handle is null");
  Handle* const object = reinterpret_cast<Handle*>(handle);
  if (object->magic != live) [[unlikely]] {
    if (object->magic == 0) {
      fail("a tensor handle was deleted before");
    }
    fail(
        "a tensor handle is not of aotwin's run time. This model was built over aotwin's own run time: load it with the loader of "
        "its package or with aotwin.dll, not with torch's runner");
  }
  return *object;
}

}  // namespace

const Tensor& borrow(AtenTensorHandle handle) {
  return check(handle).tensor;
}

std::optional<Tensor> maybe(const AtenTensorHandle* handle) {
  return handle != nullptr ? maybe_handle(*handle) : std::nullopt;
}

std::optional<Tensor> maybe_handle(AtenTensorHandle handle) {
  if (handle == nullptr || !borrow(handle).defined()) {
    return std::nullopt;
  }
  return borrow(handle);
}

AtenTensorHandle give(Tensor&& tensor) {
  return reinterpret_cast<AtenTensorHandle>(objects<Handle>().make(std::move(tensor)));
}

void rebind(AtenTensorHandle handle, Tensor&& tensor) {
  check(handle).tensor = std::move(tensor);
}

uint64_t handles_in_use() {
  return objects<Handle>().used();
}

}  // namespace aotwin::runtime

extern "C" AOTITorchError AOTWIN_SHIM(aoti_torch_delete_tensor_object)(AtenTensorHandle handle) {
  using namespace aotwin::runtime;
  // Called by destructors, where a failure would end the process: a handle that is not ours stays what it is (the call before has told
  // why), and a failure of a region before is left for the next function that can tell it.
  if (handle == nullptr) {
    return 0;
  }
  Handle* const object = reinterpret_cast<Handle*>(handle);
  if (object->magic != live) {
    if (object->magic != 0) {
      return 0;
    }
    keep_message("a tensor handle was deleted before");
    return 1;
  }
  object->magic = 0;
  objects<Handle>().destroy(object);
  return 0;
}

// Whose memory a tensor lies in: which storage it is, and how many tensors share it; 0 where it is the caller's own, such as a constant
// or a host's input. For the SDK, which may let only unshared memory out to be written.
extern "C" AOTITorchError AOTWIN_SHIM(aotwin_tensor_storage)(AtenTensorHandle handle, const void** storage, int64_t* references) {
  using namespace aotwin::runtime;
  return guarded([&] {
    const Tensor& tensor = borrow(handle);
    require(tensor.defined() && storage != nullptr && references != nullptr, "aotwin_tensor_storage: nothing to tell");
    *storage = tensor.storage().get();
    *references = tensor.storage()->pooled ? tensor.storage()->references.load(std::memory_order_relaxed) : 0;
  });
}
