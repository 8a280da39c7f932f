// A place in a thread's stack that can be gone back to past frames of generated code: setjmp and longjmp without the unwinding that
// Windows' longjmp does, which would run handlers that end the process. (clang's builtins for this do not work on Windows.)
#pragma once

#include <cstdint>

namespace aotwin::runtime {

struct alignas(16) Place {
  uint64_t registers[12];
  uint64_t vectors[20];  // xmm6 to xmm15, which are the callee's to keep on Windows
};

}  // namespace aotwin::runtime

extern "C" {
// 0, and 1 when aotwin_go_back(place) has been called, from a function that the caller of this has called and that has not returned.
__attribute__((returns_twice)) int aotwin_mark_place(aotwin::runtime::Place* place);
[[noreturn]] void aotwin_go_back(const aotwin::runtime::Place* place);
}
