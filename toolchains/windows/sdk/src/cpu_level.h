// CPU levels by their names.
#pragma once

#include <string_view>

#include "aotwin_cpu.h"

namespace aotwin {

inline int cpu_level() {
  static const int level = aotwin_cpu_level();
  return level;
}

// What models can be built for at least.
inline constexpr int lowest_level = 3;

// 3 for "x86-64-v3"; 0 where the name is no level.
inline int level_of(std::string_view name) {
  return name == "x86-64-v3" ? 3 : name == "x86-64-v4" ? 4 : 0;
}

} // namespace aotwin
