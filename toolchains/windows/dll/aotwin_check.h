// Checks of generated code that fail, such as an index out of range: an error of the run, in whichever
// part of it they fail.
#pragma once

#include <cstdint>
#include <cstdio>
#include <stdexcept>

#include "aotwin_binding.h"

// aotwin_before.h gives calls and torch's declaration the name below; parentheses keep torch's own.
extern "C" void(aoti_torch_check)(
    bool condition, const char* function, const char* file, uint32_t line, const char* message);

// Our own run time must not throw through this DLL's border, so the exception is made here. It may not
// leave a parallel region either: there aotwin_abandon_region does not return, and the run asks
// aotwin_take_failure in the end. Torch's own function does what it does.
extern "C" void aotwin_generated_check(
    bool condition, const char* function, const char* file, uint32_t line, const char* message) {
  if (condition) {
    return;
  }
  if (aotwin_binding.count == 0) {
    (aoti_torch_check)(condition, function, file, line, message);
    return;
  }
  // No object with a destructor: the region may be left from here.
  char text[512];
  std::snprintf(text, sizeof(text), "%s (%s, line %u)", message, function, line);
  aotwin_abandon_region(text);
  throw std::runtime_error(text);
}
