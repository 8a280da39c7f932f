// What interface.h of torch before 2.13 does not have, and models of every version shall export.
#pragma once

#include <string>

#include <torch/csrc/inductor/aoti_runtime/interface.h>

#include "aotwin_torch_version.h"

#if AOTWIN_TORCH_BEFORE(2, 13)

// In later versions it is the generated wrapper's own.
static thread_local std::string g_aoti_last_error;

extern "C" AOTIRuntimeError AOTInductorGetLastError(const char** error_msg) {
  if (error_msg == nullptr) {
    return AOTI_RUNTIME_FAILURE;
  }
  *error_msg = g_aoti_last_error.c_str();
  return AOTI_RUNTIME_SUCCESS;
}

#endif
