// DLLs loaded by full path, with a search for what they need that leaves out PATH and the current
// folder.
#pragma once

#include <windows.h>

#include <string>
#include <utility>

#include "aotwin_paths.h"
#include "aotwin_text.h"

namespace aotwin {

class Library {
 public:
  Library() = default;
  explicit Library(HMODULE module) : module_(module) {}
  Library(Library&& other) noexcept : module_(std::exchange(other.module_, nullptr)) {}
  Library& operator=(Library&& other) noexcept {
    std::swap(module_, other.module_);
    return *this;
  }
  ~Library() {
    if (module_ != nullptr) {
      FreeLibrary(module_);
    }
  }

  template <typename Function>
  Function* find(const char* name) const {
    return reinterpret_cast<Function*>(reinterpret_cast<void*>(GetProcAddress(module_, name)));
  }
  HMODULE get() const {
    return module_;
  }
  HMODULE release() {
    return std::exchange(module_, nullptr);
  }

 private:
  HMODULE module_ = nullptr;
};

// Windows' loader takes paths of more than MAX_PATH only in the verbatim form.
inline std::wstring loadable(const std::wstring& full) {
  return full.size() < MAX_PATH ? full : verbatim(full);
}

// `search`: LOAD_LIBRARY_SEARCH_* flags for what the DLL imports. No dialog appears on failure;
// `error` is then Windows' reason.
inline Library load_library(const std::wstring& full, DWORD search, DWORD& error) {
  DWORD mode = 0;
  SetThreadErrorMode(SEM_FAILCRITICALERRORS, &mode);
  const HMODULE module = LoadLibraryExW(loadable(full).c_str(), nullptr, search);
  error = module == nullptr ? GetLastError() : 0;
  SetThreadErrorMode(mode, nullptr);
  return Library(module);
}

inline bool is_file(const std::wstring& full) {
  const DWORD attributes = GetFileAttributesW(verbatim(full).c_str());
  return attributes != INVALID_FILE_ATTRIBUTES && (attributes & FILE_ATTRIBUTE_DIRECTORY) == 0;
}

inline bool is_folder(const std::wstring& full) {
  const DWORD attributes = GetFileAttributesW(verbatim(full).c_str());
  return attributes != INVALID_FILE_ATTRIBUTES && (attributes & FILE_ATTRIBUTE_DIRECTORY) != 0;
}

// The path of a loaded module; null: of the program.
inline std::wstring module_path(HMODULE module) {
  std::wstring path(MAX_PATH, L'\0');
  for (;;) {
    const DWORD length = GetModuleFileNameW(module, path.data(), static_cast<DWORD>(path.size()));
    if (length < path.size()) {
      path.resize(length);
      return path;
    }
    path.resize(2 * path.size());
  }
}

inline std::wstring joined(const std::wstring& folder, const std::wstring& name) {
  const bool ended = !folder.empty() && (folder.back() == L'\\' || folder.back() == L'/');
  return folder + (ended ? L"" : L"\\") + name;
}

} // namespace aotwin
