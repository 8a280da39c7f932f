// Leaving a parallel region of generated code before its end.
#pragma once

namespace aotwin::runtime {

// Inside of a region that generated code started: keeps the message with the region and does not return; the thread's part is over.
// The code that started the region goes on after it, and its next C function fails with the message (see keep_failure).
// Outside of one: returns.
void abandon_region(const char* message);

}  // namespace aotwin::runtime
