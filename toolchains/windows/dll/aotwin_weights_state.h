// The weights of one container (or one bare model): its blob, and which constants it has by now.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "aotwin_blob.h"
#include "aotwin_constants.h"
#include "aotwin_weights.h"

namespace aotwin {

// One set of constants: a container has two of them, the active one and the one for swapping.
struct ConstantSet {
  // By position in the generated `constants_info_`.
  std::vector<Constant> constants;
  // Read by runs without a lock.
  std::atomic<bool> complete{false};
};

inline void refresh(ConstantSet& set, const Layout& layout) {
  bool complete = true;
  for (const Layout::Entry& entry : layout.entries()) {
    complete = complete && set.constants[entry.index].origin != Origin::missing;
  }
  set.complete = complete;
}

// The first base of what holds tensors over the blob: bases are destroyed last to first, so that
// constants and mapping outlive AOTInductor's own handles of them.
class WeightsState {
 public:
  WeightsState() {
    const std::wstring module = this_module();
    const std::wstring name(reinterpret_cast<const wchar_t*>(aotwin_pairing.blob_name));
    // Where the blob is another model's, a copy beside the DLL comes first: so a host program can
    // ship this model alone.
    const std::wstring copied = file_name(name);
    if (copied != name) {
      open(beside(module, copied));
    }
    if (!blob_) {
      open(beside(module, name));
    }
  }

  const MappedBlob* blob() const {
    return blob_.get();
  }

  const std::string& blob_path() const {
    return blob_path_;
  }

  // Throws, with what is missing and where it was looked for.
  void require_complete(
      const ConstantSet& set,
      const Layout& layout,
      const AOTInductorModel& model) const {
    if (set.complete) {
      return;
    }
    size_t missing = 0;
    std::string first;
    for (const Layout::Entry& entry : layout.entries()) {
      if (set.constants[entry.index].origin == Origin::missing) {
        if (missing++ == 0) {
          first = model.constant_original_fqn(static_cast<int64_t>(entry.index));
        }
      }
    }
    throw std::runtime_error(
        std::to_string(missing) + " of the model's " + std::to_string(layout.entries().size()) +
        " constants are missing (the first is " + first + "): " +
        (blob_ ? "the buffer in use was not filled"
               : "there is no weights file " + blob_path_) +
        ", and they were not given through AOTInductorModelUpdateConstantsFromBlob or an update of "
        "the constants");
  }

 private:
  void open(const std::wstring& path) {
    blob_path_ = utf8(path);
    blob_ = MappedBlob::open(path);
  }

  std::string blob_path_;
  std::unique_ptr<MappedBlob> blob_;

 protected:
  // After the blob, so that they go before it. Bare models use the first one only.
  std::array<ConstantSet, 2> sets_;
};

} // namespace aotwin
