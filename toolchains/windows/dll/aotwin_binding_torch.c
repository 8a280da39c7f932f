// The binding of a DLL over torch: Windows' loader resolves its imports, nothing is left to fill in.
#include "aotwin_binding.h"

const AotwinBinding aotwin_binding = {.count = 0};

int32_t aotwin_mark_constant(void* tensor) {
  (void)tensor;
  return 0;
}

void aotwin_abandon_region(const char* message) {
  (void)message;
}

const char* aotwin_take_failure(void) {
  return 0;
}

const char* aotwin_failure_reason(void) {
  return 0;
}
