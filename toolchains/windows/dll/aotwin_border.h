// The border between C++ and AOTInductor's C API: no exception crosses it.
#pragma once

#include <algorithm>
#include <cstring>
#include <exception>
#include <iostream>
#include <stdexcept>
#include <string>

#include <torch/csrc/inductor/aoti_runtime/interface.h>

#include "aotwin_binding.h"
#include "aotwin_older_interface.h"

namespace aotwin {

// `g_aoti_last_error` is the generated wrapper's own, or aotwin_older_interface.h's: AOTInductorGetLastError reads it.
//
// The message goes to stderr as well, as the generated code does it: torch's own runner asks for the last
// error only after a run, so that of a failed creation or update its users would see nothing.
inline void set_last_error(const char* message) noexcept {
  try {
    g_aoti_last_error = message;
    std::cerr << "Error: " << message << '\n';
  } catch (...) {
    g_aoti_last_error.clear();
  }
}

// What failed, and why: generated code tells only which function of the run time it was.
inline std::string with_reason(const char* message) {
  const char* reason = aotwin_failure_reason();
  const bool of_run_time = std::strstr(message, "API call failed") != nullptr;
  return of_run_time && reason != nullptr ? std::string(message) + ": " + reason : message;
}

template <typename Body>
AOTIRuntimeError guarded(Body&& body) noexcept {
  try {
    g_aoti_last_error.clear();
    body();
    return AOTI_RUNTIME_SUCCESS;
  } catch (const std::exception& error) {
    set_last_error(with_reason(error.what()).c_str());
  } catch (...) {
    set_last_error("unknown C++ exception");
  }
  return AOTI_RUNTIME_FAILURE;
}

inline void require(bool condition, const char* message) {
  if (!condition) {
    throw std::runtime_error(message);
  }
}

inline void require_count(size_t found, size_t expected, const char* what) {
  if (found != expected) {
    throw std::runtime_error(
        "expected " + std::to_string(expected) + " " + what + ", got " + std::to_string(found));
  }
}

// What a run gave that failed after all. A model may give one handle in several places.
inline void delete_outputs(AtenTensorHandle* outputs, size_t count) noexcept {
  for (size_t i = 0; i < count; ++i) {
    const AtenTensorHandle handle = outputs[i];
    if (handle != nullptr) {
      aoti_torch_delete_tensor_object(handle);
      std::replace(outputs + i, outputs + count, handle, AtenTensorHandle(nullptr));
    }
  }
}

// A run takes its inputs' handles over, also when it fails before the generated code has seen them:
// torch's own runner does not delete them. What was taken is nulled, as the generated code does it.
inline void delete_inputs(AtenTensorHandle* inputs, size_t count) noexcept {
  for (size_t i = 0; inputs != nullptr && i < count; ++i) {
    if (inputs[i] != nullptr) {
      aoti_torch_delete_tensor_object(inputs[i]);
      inputs[i] = nullptr;
    }
  }
}

} // namespace aotwin
