// How a C function of the run time is written:
//
//   extern "C" AOTITorchError AOTWIN_SHIM(aoti_torch_get_dim)(AtenTensorHandle tensor, int64_t* result) {
//     return guarded([&] { *result = borrow(tensor).dim(); });
//   }
//
// AOTWIN_SHIM exports the name, and it is also the mark by which tools read the list of exports from the sources
// (regular expression AOTWIN_SHIM\((\w+)\)): each name is written out in full, never pasted together by a macro.
#pragma once

#include <cstdint>

struct AtenTensorOpaque;
using AtenTensorHandle = AtenTensorOpaque*;
using AOTITorchError = int32_t;

#ifdef _WIN32
#define AOTWIN_SHIM(name) __declspec(dllexport) name
#else
#define AOTWIN_SHIM(name) __attribute__((visibility("default"))) name
#endif
