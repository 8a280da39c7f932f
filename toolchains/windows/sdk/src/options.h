// What a host asks for when it opens a model.
#pragma once

#include <windows.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "aotwin.h"
#include "aotwin_paths.h"
#include "status.h"

namespace aotwin {

inline std::wstring wide(const char* text, const char* what) {
  if (text[0] == 0) {
    throw Failure(AOTWIN_ERROR_ARGUMENT, std::string(what) + " is empty");
  }
  const int size = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text, -1, nullptr, 0);
  if (size <= 0) {
    throw Failure(AOTWIN_ERROR_ARGUMENT, std::string(what) + " is no UTF-8");
  }
  std::wstring result(static_cast<size_t>(size) - 1, L'\0');
  MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text, -1, result.data(), size);
  return result;
}

struct Options {
  uint32_t num_runners = 1;
  // 0: as many as the process has.
  int num_threads = 0;
  // Full, or "" for the program's own.
  std::wstring torch_directory;
};

inline Options read_options(const aotwin_open_options* given) {
  Options options;
  if (given == nullptr) {
    return options;
  }
  // Of an earlier version: the fields behind its end are not there.
  aotwin_open_options known{};
  require(given->struct_size >= 2 * sizeof(uint32_t), "aotwin_open_options.struct_size is not set");
  std::memcpy(&known, given, std::min<size_t>(given->struct_size, sizeof(known)));
  require(known.num_runners <= 4096, "aotwin_open_options.num_runners is above 4096");
  require(
      known.torch_directory == nullptr || known.torch_directory_w == nullptr,
      "torch_directory and torch_directory_w are both set: one of them is enough");
  require(known.num_threads <= 4096, "aotwin_open_options.num_threads is above 4096");
  options.num_runners = known.num_runners == 0 ? 1 : known.num_runners;
  options.num_threads = static_cast<int>(known.num_threads);
  if (known.torch_directory != nullptr) {
    options.torch_directory = full_path(wide(known.torch_directory, "torch_directory"));
  } else if (known.torch_directory_w != nullptr) {
    require(known.torch_directory_w[0] != 0, "torch_directory_w is empty");
    options.torch_directory = full_path(known.torch_directory_w);
  }
  return options;
}

} // namespace aotwin
