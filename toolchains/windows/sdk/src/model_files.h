// Which DLL of a model folder to load.
#pragma once

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "cpu_level.h"
#include "library.h"
#include "status.h"

namespace aotwin {

inline std::vector<std::wstring> names_in(const std::wstring& folder, const wchar_t* pattern) {
  std::vector<std::wstring> result;
  WIN32_FIND_DATAW found;
  const HANDLE search = FindFirstFileW(verbatim(joined(folder, pattern)).c_str(), &found);
  if (search == INVALID_HANDLE_VALUE) {
    return result;
  }
  do {
    if ((found.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) == 0) {
      result.emplace_back(found.cFileName);
    }
  } while (FindNextFileW(search, &found) != 0);
  FindClose(search);
  std::sort(result.begin(), result.end());
  return result;
}

// The stem of a folder's one model: `<stem>.dll` beside `<stem>_weights.blob` or
// `<stem>_metadata.json`. Other DLLs (torch's, say) may lie there too.
inline std::wstring model_stem(const std::wstring& folder) {
  std::set<std::wstring> stems;
  for (const std::wstring& name : names_in(folder, L"*.dll")) {
    const std::wstring stem = name.substr(0, name.size() - 4);
    if (is_file(joined(folder, stem + L"_weights.blob"))) {
      stems.insert(stem);
    }
  }
  if (stems.empty()) {
    for (const std::wstring& name : names_in(folder, L"*.dll")) {
      const std::wstring stem = name.substr(0, name.size() - 4);
      const bool further = stem.ends_with(L".x86-64-v3") || stem.ends_with(L".x86-64-v4");
      if (!further && is_file(joined(folder, stem + L"_metadata.json"))) {
        stems.insert(stem);
      }
    }
  }
  if (stems.empty()) {
    throw Failure(
        AOTWIN_ERROR_NOT_FOUND,
        utf8(folder) + " holds no built model: no DLL with a weights file beside it");
  }
  if (stems.size() > 1) {
    throw Failure(
        AOTWIN_ERROR_NOT_FOUND,
        utf8(folder) + " holds several models (" + utf8(*stems.begin()) + ", " +
            utf8(*stems.rbegin()) + "): open one of the DLLs by its path");
  }
  return *stems.begin();
}

// DLLs to try, best first: one for a higher CPU level than this machine has is left out, as far as
// its name tells.
inline std::vector<std::wstring> candidate_dlls(const std::wstring& path) {
  if (is_file(path)) {
    return {path};
  }
  if (!is_folder(path)) {
    throw Failure(AOTWIN_ERROR_NOT_FOUND, "there is no " + utf8(path));
  }
  const std::wstring stem = model_stem(path);
  std::vector<std::wstring> result;
  const auto add = [&](const wchar_t* ending) {
    const std::wstring dll = joined(path, stem + ending);
    if (is_file(dll)) {
      result.push_back(dll);
    }
  };
  // The DLL without a suffix is of the level that no suffix names: of the other one, if there are two.
  if (cpu_level() >= 4) {
    add(L".x86-64-v4.dll");
    add(L".dll");
    add(L".x86-64-v3.dll");
  } else {
    add(L".x86-64-v3.dll");
    add(L".dll");
  }
  return result;
}

} // namespace aotwin
