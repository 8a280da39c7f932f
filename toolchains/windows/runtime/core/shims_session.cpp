// torch's C functions that are about neither tensors nor operators: checks, warnings, gradients, profiling, devices, debugging.
#include <cmath>
#include <cstdio>
#include <string>

#include "../threads/abandon.h"
#include "../threads/parallel.h"
#include "convert.h"
#include "tensor.h"

using namespace aotwin::runtime;

namespace {

// Gradients do not exist here; the flag is kept because generated code sets it and puts it back.
thread_local bool grad_mode = true;

// What opaque handles of things that do nothing point to.
char nothing;

template <class T>
AOTITorchError give_nothing(T** result) {
  return guarded([&] {
    require(result != nullptr, "the pointer for the result is null");
    *result = reinterpret_cast<T*>(&nothing);
  });
}

struct Summary {
  int64_t nans = 0;
  int64_t infinities = 0;
  double least = HUGE_VAL;
  double most = -HUGE_VAL;
  double sum = 0;
};

Summary summarize(const Tensor& tensor) {
  Summary summary;
  if (tensor.numel() == 0) {
    return summary;
  }
  const Tensor values = contiguous(is_complex(tensor.dtype()) ? to_dtype(tensor, Dtype::c128) : to_dtype(tensor, Dtype::f64));
  const double* const data = values.as<const double>();
  const int64_t count = values.numel() * (is_complex(tensor.dtype()) ? 2 : 1);
  for (int64_t i = 0; i < count; ++i) {
    summary.nans += std::isnan(data[i]);
    summary.infinities += std::isinf(data[i]);
    summary.least = std::fmin(summary.least, data[i]);
    summary.most = std::fmax(summary.most, data[i]);
    summary.sum += data[i];
  }
  return summary;
}

}  // namespace

extern "C" {

// torch throws a C++ exception here, through the caller. Inside of a parallel region neither that nor a return is possible: the region
// is left. Elsewhere the only way to stop generated code is torch's own; a model's DLL that replaces this function by one of its own
// (its exception then stays inside of it) never comes here.
void AOTWIN_SHIM(aoti_torch_check)(bool condition, const char* function, const char* file, uint32_t line, const char* message) {
  if (condition) [[likely]] {
    return;
  }
  std::string text;
  append_part(text, message != nullptr ? message : "a check failed");
  append_part(text, " (");
  append_part(text, function != nullptr ? function : "?");
  append_part(text, ", ");
  append_part(text, file != nullptr ? file : "?");
  append_part(text, ":");
  append_part(text, line);
  append_part(text, ")");
  keep_message(text);
  {
    char copy[512];
    std::snprintf(copy, sizeof(copy), "%s", text.c_str());
    text = std::string();  // what follows may not come back
    abandon_region(copy);
    fail(copy);
  }
}

// For a model's DLL that has a check of its own: leaves the parallel region if the caller is in one, else returns.
void AOTWIN_SHIM(aotwin_abandon_region)(const char* message) {
  abandon_region(message != nullptr ? message : "a check failed");
}

void AOTWIN_SHIM(aoti_torch_warn)(const char* function, const char* file, uint32_t line, const char* message) {
  std::fprintf(
      stderr, "warning: %s (%s, %s:%u)\n", message != nullptr ? message : "", function != nullptr ? function : "?",
      file != nullptr ? file : "?", line);
}

AOTITorchError AOTWIN_SHIM(aoti_torch_check_inf_and_nan)(const char* tensor_name, AtenTensorHandle handle) {
  return guarded([&] {
    const Tensor& tensor = borrow(handle);
    require(tensor.defined(), "check_inf_and_nan: the tensor is undefined");
    if (is_integral(tensor.dtype(), true)) {
      return;
    }
    const Summary summary = summarize(tensor);
    const char* const name = tensor_name != nullptr ? tensor_name : "a tensor";
    require(summary.nans == 0, "at least one NaN in ", name, ": ", summary.nans, " of ", tensor.numel());
    require(summary.infinities == 0, "at least one infinity in ", name, ": ", summary.infinities, " of ", tensor.numel());
  });
}

bool AOTWIN_SHIM(aoti_torch_grad_mode_is_enabled)() {
  return grad_mode;
}

void AOTWIN_SHIM(aoti_torch_grad_mode_set_enabled)(bool enabled) {
  grad_mode = enabled;
}

AOTITorchError AOTWIN_SHIM(torch_set_requires_grad)(AtenTensorHandle tensor, bool requires_grad) {
  return guarded([&] {
    borrow(tensor);
    require(!requires_grad, "set_requires_grad: this run time has no gradients");
  });
}

struct AtenRecordFunctionOpaque;
struct IValueMapOpaque;
struct C10IValueOpaque;

AOTITorchError AOTWIN_SHIM(aoti_record_function_start)(
    const char*, IValueMapOpaque*, C10IValueOpaque* const*, const uint64_t, AtenRecordFunctionOpaque** guard) {
  return give_nothing(guard);
}

AOTITorchError AOTWIN_SHIM(aoti_record_function_end)(AtenRecordFunctionOpaque*) {
  return 0;
}

// Values for the profiler, which nobody reads here.
AOTITorchError AOTWIN_SHIM(aoti_torch_int64_to_ivalue)(int64_t, C10IValueOpaque** ivalue) {
  return give_nothing(ivalue);
}
AOTITorchError AOTWIN_SHIM(aoti_torch_strlist_to_ivalue)(const char**, int64_t, C10IValueOpaque** ivalue) {
  return give_nothing(ivalue);
}
AOTITorchError AOTWIN_SHIM(aoti_torch_str_to_ivalue)(const char*, C10IValueOpaque** ivalue) {
  return give_nothing(ivalue);
}
AOTITorchError AOTWIN_SHIM(aoti_torch_tensor_to_ivalue)(AtenTensorHandle, C10IValueOpaque** ivalue) {
  return give_nothing(ivalue);
}
AOTITorchError AOTWIN_SHIM(aoti_torch_delete_c10_value_object)(C10IValueOpaque*) {
  return 0;
}

struct DeviceGuardOpaque;
struct StreamOpaque;

AOTITorchError AOTWIN_SHIM(aoti_torch_create_device_guard)(int32_t, DeviceGuardOpaque** guard) {
  return give_nothing(guard);
}
AOTITorchError AOTWIN_SHIM(aoti_torch_delete_device_guard)(DeviceGuardOpaque*) {
  return 0;
}
AOTITorchError AOTWIN_SHIM(aoti_torch_device_guard_set_index)(DeviceGuardOpaque*, int32_t) {
  return 0;
}
AOTITorchError AOTWIN_SHIM(aoti_torch_get_current_stream)(int32_t, StreamOpaque** stream) {
  return give_nothing(stream);
}
AOTITorchError AOTWIN_SHIM(aoti_torch_delete_stream)(StreamOpaque*) {
  return 0;
}
AOTITorchError AOTWIN_SHIM(aoti_torch_stream_id)(StreamOpaque*, int64_t* stream_id) {
  return guarded([&] {
    require(stream_id != nullptr, "the pointer for the result is null");
    *stream_id = 0;
  });
}
AOTITorchError AOTWIN_SHIM(aoti_torch_get_current_device_index)(int32_t* device_index) {
  return guarded([&] {
    require(device_index != nullptr, "the pointer for the result is null");
    *device_index = 0;
  });
}

AOTITorchError AOTWIN_SHIM(torch_get_num_threads)(uint32_t* count) {
  return guarded([&] {
    require(count != nullptr, "the pointer for the result is null");
    *count = static_cast<uint32_t>(thread_count());
  });
}

AOTITorchError AOTWIN_SHIM(torch_get_thread_idx)(uint32_t* index) {
  return guarded([&] {
    require(index != nullptr, "the pointer for the result is null");
    *index = static_cast<uint32_t>(thread_index());
  });
}

AOTITorchError AOTWIN_SHIM(torch_parallel_for)(
    int64_t begin, int64_t end, int64_t grain_size, void (*function)(int64_t begin, int64_t end, void* context), void* context) {
  return guarded([&] {
    require(function != nullptr, "parallel_for: the function is null");
    parallel_for(begin, end, grain_size, [&](int64_t first, int64_t last) { function(first, last, context); });
  });
}

void AOTWIN_SHIM(aoti_torch_print_tensor_handle)(AtenTensorHandle handle, const char* message) {
  guarded([&] {
    const Tensor& tensor = borrow(handle);
    std::string text = "[";
    append_part(text, message != nullptr ? message : "");
    append_part(text, "] ");
    if (tensor.defined()) {
      append_part(text, tensor.dtype());
      append_part(text, " ");
      append_part(text, tensor.sizes());
      append_part(text, " strides ");
      append_part(text, tensor.strides());
      if (tensor.numel() != 0) {
        const Summary summary = summarize(tensor);
        append_part(text, " mean ");
        append_part(text, summary.sum / static_cast<double>(tensor.numel()));
        append_part(text, " least ");
        append_part(text, summary.least);
        append_part(text, " most ");
        append_part(text, summary.most);
        append_part(text, " NaN ");
        append_part(text, summary.nans);
        append_part(text, " infinite ");
        append_part(text, summary.infinities);
      }
    } else {
      append_part(text, "undefined");
    }
    std::fprintf(stderr, "%s\n", text.c_str());
  });
}

// torch pickles the tensor; here it is printed.
void AOTWIN_SHIM(aoti_torch_save_tensor_handle)(
    AtenTensorHandle self, const char* tensor_name, const char*, const char*) {
  aoti_torch_print_tensor_handle(self, tensor_name);
}
}
