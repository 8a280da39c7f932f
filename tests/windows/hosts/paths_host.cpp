// Prints what the run-time part makes of paths: each argument in the form that has no length limit.
#include <windows.h>

#include <cstdio>

#include "aotwin_paths.h"

int wmain(int argc, wchar_t** argv) {
  for (int i = 1; i < argc; ++i) {
    std::printf("%s\n", aotwin::utf8(aotwin::verbatim(aotwin::full_path(argv[i]))).c_str());
  }
  return 0;
}
