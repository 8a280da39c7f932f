// The border between C++ and AOTInductor's C API: no exception crosses it.
#pragma once

#include <exception>
#include <iostream>
#include <stdexcept>
#include <string>

#include <torch/csrc/inductor/aoti_runtime/interface.h>

namespace aotwin {

// `g_aoti_last_error` is the generated wrapper's own: AOTInductorGetLastError reads it.
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

template <typename Body>
AOTIRuntimeError guarded(Body&& body) noexcept {
  try {
    g_aoti_last_error.clear();
    body();
    return AOTI_RUNTIME_SUCCESS;
  } catch (const std::exception& error) {
    set_last_error(error.what());
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
