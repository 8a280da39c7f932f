// Paths of any length: where this DLL lies, and the file beside it.
#pragma once

#include <windows.h>

#include <stdexcept>
#include <string>

#include "aotwin_text.h"

namespace aotwin {

// Longest path that Windows knows, in UTF-16 units (UNICODE_STRING's limit).
inline constexpr size_t longest_path = 32767;

// True for `\\?\...` and `\\.\...`, which Windows takes as they are.
inline bool is_verbatim(const std::wstring& path) {
  return path.size() >= 4 && path[0] == L'\\' && path[1] == L'\\' &&
      (path[2] == L'?' || path[2] == L'.') && path[3] == L'\\';
}

// A full path in the form that is free of the 260 character limit:
// `C:\x` -> `\\?\C:\x`, `\\server\share\x` -> `\\?\UNC\server\share\x`.
inline std::wstring verbatim(const std::wstring& full) {
  if (is_verbatim(full)) {
    return full;
  }
  if (full.size() >= 2 && full[0] == L'\\' && full[1] == L'\\') {
    return L"\\\\?\\UNC" + full.substr(1);
  }
  return L"\\\\?\\" + full;
}

// Full, with backslashes and without `.` and `..`; verbatim paths stay as they are.
inline std::wstring full_path(const std::wstring& path) {
  if (is_verbatim(path)) {
    return path;
  }
  std::wstring result(path.size() + 64, L'\0');
  for (;;) {
    const DWORD length = GetFullPathNameW(
        path.c_str(), static_cast<DWORD>(result.size()), result.data(), nullptr);
    if (length == 0) {
      throw std::runtime_error(
          "cannot make a full path of " + utf8(path) + ": " + windows_error(GetLastError()));
    }
    if (length < result.size()) {
      result.resize(length);
      return result;
    }
    result.resize(length);
  }
}

// A file in the folder of another file, or from there on. `file` is full; `name` may begin with
// `..\`, which is resolved here, as Windows does not do it in verbatim paths.
inline std::wstring beside(const std::wstring& file, const std::wstring& name) {
  std::wstring folder = file.substr(0, file.find_last_of(L"\\/") + 1);
  size_t start = 0;
  while (name.compare(start, 3, L"..\\") == 0) {
    start += 3;
    // The folder's own separator is its last character; a root has none before that one.
    const size_t parent = folder.size() < 2 ? std::wstring::npos
                                            : folder.find_last_of(L"\\/", folder.size() - 2);
    if (parent == std::wstring::npos) {
      break;
    }
    folder.resize(parent + 1);
  }
  return folder + name.substr(start);
}

// The last part of a path.
inline std::wstring file_name(const std::wstring& path) {
  return path.substr(path.find_last_of(L"\\/") + 1);
}

// The full path of the module that this function is compiled into.
inline std::wstring this_module() {
  static const char anchor = 0;
  HMODULE module = nullptr;
  if (!GetModuleHandleExW(
          GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT,
          reinterpret_cast<LPCWSTR>(&anchor),
          &module)) {
    throw std::runtime_error("cannot find the model's own DLL: " + windows_error(GetLastError()));
  }
  std::wstring path(MAX_PATH, L'\0');
  for (;;) {
    const DWORD length =
        GetModuleFileNameW(module, path.data(), static_cast<DWORD>(path.size()));
    if (length == 0) {
      throw std::runtime_error(
          "cannot tell the path of the model's DLL: " + windows_error(GetLastError()));
    }
    if (length < path.size()) {
      path.resize(length);
      return full_path(path);
    }
    if (path.size() > longest_path) {
      throw std::runtime_error("the path of the model's DLL is longer than Windows allows");
    }
    path.resize(2 * path.size());
  }
}

} // namespace aotwin
