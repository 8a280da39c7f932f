// AOTInductor's model container, with weights that it finds and maps by itself.
#pragma once

#include <array>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "aotwin_access.h"
#include "aotwin_border.h"
#include "aotwin_memory.h"
#include "aotwin_user_tensors.h"
#include "aotwin_weights_state.h"

namespace aotwin {

using torch::aot_inductor::DeviceStreamType;

using UserTensors = std::unordered_map<std::string, AtenTensorHandle>;

// Handles of the C API point to the AOTInductorModelContainer within, so that generated entry points
// which we leave alone work on them.
class Container : private WeightsState, public AOTInductorModelContainer {
 public:
  Container(size_t num_models, const std::string& device, std::optional<std::string> cubin_dir)
      : AOTInductorModelContainer(num_models, device, std::move(cubin_dir)), layout_(model()) {
    for (ConstantSet& set : sets_) {
      set.constants.resize(model().num_constants());
      refresh(set, layout_);
    }
    if (blob() != nullptr) {
      place_mapping();
    }
  }

  void run_checked(
      AtenTensorHandle* inputs,
      AtenTensorHandle* outputs,
      DeviceStreamType stream,
      AOTIProxyExecutorHandle proxy_executor,
      bool single_threaded) {
    require_complete(sets_[active_index()], layout_, model());
    fold_if_needed(stream, proxy_executor);
    // Of an earlier call on this thread that nobody asked about.
    aotwin_take_failure();
    if (single_threaded) {
      require_idle_model();
      run_single_threaded(inputs, outputs, stream, proxy_executor);
    } else {
      run(inputs, outputs, stream, proxy_executor);
    }
    if (const char* failure = aotwin_take_failure()) {
      const std::string message = failure;
      delete_outputs(outputs, num_outputs());
      throw std::runtime_error(message);
    }
  }

  // The caller keeps his handles, also of user-managed tensors: we hold others of the same tensors.
  void update(
      const UserTensors& given,
      bool use_inactive,
      bool validate_full_update,
      bool user_managed) {
    const std::lock_guard lock(update_mutex_);
    if (validate_full_update) {
      assert_all_constants(given);
    }
    const size_t target = use_inactive ? 1 - active_index() : active_index();
    const AOTINoGradGuard no_grad;
    std::vector<NewConstant> fresh;
    for (const Layout::Entry& entry : layout_.entries()) {
      const auto found = given.find(model().constant_name(static_cast<int64_t>(entry.index)));
      if (found != given.end()) {
        check_user_tensor(model(), entry, found->second, user_managed);
        fresh.push_back(
            {entry.index,
             user_managed ? user_managed_constant(found->second)
                          : copied_constant(model(), entry, found->second)});
        continue;
      }
      // As AOTInductor does: what hosts cannot name goes over from the other buffer.
      const Constant& source = sets_[1 - target].constants[entry.index];
      if (use_inactive && source.origin != Origin::missing &&
          _is_tensor_constant_or_buffer_type_or_empty_parameter(entry.index)) {
        fresh.push_back(
            {entry.index, constant_for_other_set(model(), entry, source, user_managed)});
      }
    }
    place(target, std::move(fresh));
  }

  // Constants that the caller owns, before the first run: complete, and folded, at once.
  void take_external(const UserTensors& given) {
    update(given, /* use_inactive = */ false, /* validate_full_update = */ false,
           /* user_managed = */ true);
    require_complete(sets_[active_index()], layout_, model());
    const AOTINoGradGuard no_grad;
    fold_if_needed(nullptr, nullptr);
  }

#if AOTWIN_TORCH_BEFORE(2, 13)
  // Names and handles of a set, until it is asked for again or changes.
  const std::vector<AOTInductorConstantMapEntry>& entries_of(bool use_inactive) {
    const std::lock_guard lock(update_mutex_);
    const size_t index = use_inactive ? 1 - active_index() : active_index();
    const BufferView buffer = buffer_of(*this, index);
    entries_.clear();
    for (const Layout::Entry& entry : layout_.entries()) {
      const auto at = static_cast<int64_t>(entry.index);
      const auto found = buffer.map.find(model().constant_name(at));
      if (found != buffer.map.end()) {
        entries_.push_back({model().constant_original_fqn(at), found->second.get()});
      }
    }
    return entries_;
  }
#endif

  void update_from_blob(const uint8_t* bytes) {
    const std::lock_guard lock(update_mutex_);
    if (blob() != nullptr && blob()->is_viewed_at(bytes)) {
      if (!uses_blob()) {
        place_mapping();
      }
      return;
    }
    const uint64_t expected = aotwin_pairing.constants_size;
    if (const uint64_t found = readable_bytes(bytes, expected); found != expected) {
      throw std::runtime_error(
          "the weights handed over are too short: expected " + std::to_string(expected) +
          " readable bytes, found " + std::to_string(found));
    }
    place(active_index(), constants_over(model(), layout_, bytes, /* copy_all = */ true));
  }

  void swap_checked() {
    const std::lock_guard lock(update_mutex_);
    swap_constant_buffer();
  }

  void free_inactive() {
    const std::lock_guard lock(update_mutex_);
    const size_t inactive = 1 - active_index();
    const BufferView buffer = buffer_of(*this, inactive);
    for (const Layout::Entry& entry : layout_.entries()) {
      buffer.map.erase(model().constant_name(static_cast<int64_t>(entry.index)));
      sets_[inactive].constants[entry.index] = Constant();
    }
    refresh(sets_[inactive], layout_);
    free_inactive_constant_buffer();
  }

  void fold(bool use_inactive, DeviceStreamType stream, AOTIProxyExecutorHandle proxy_executor) {
    const std::lock_guard lock(update_mutex_);
    const size_t target = use_inactive ? 1 - active_index() : active_index();
    require_complete(sets_[target], layout_, model());
    if (use_inactive) {
      // AOTInductor clones tensor constants from the active buffer while it folds.
      require_complete(sets_[active_index()], layout_, model());
    }
    run_const_fold(use_inactive, stream, proxy_executor);
    if (use_inactive) {
      put_handles(target, tensor_constants());
    }
  }

  void describe(AotwinWeights& info) {
    const std::lock_guard lock(update_mutex_);
    const ConstantSet& set = sets_[active_index()];
    info.state = set.complete ? AOTWIN_WEIGHTS_READY : AOTWIN_WEIGHTS_WAITING;
    info.constants_size = aotwin_pairing.constants_size;
    info.mapped_bytes = info.copied_bytes = info.user_managed_bytes = 0;
    for (const Layout::Entry& entry : layout_.entries()) {
      switch (set.constants[entry.index].origin) {
        case Origin::mapped:
          info.mapped_bytes += entry.size;
          break;
        case Origin::copied:
          info.copied_bytes += entry.size;
          break;
        case Origin::user_managed:
          info.user_managed_bytes += entry.size;
          break;
        case Origin::missing:
          break;
      }
    }
    std::memcpy(info.sha256, aotwin_pairing.sha256, sizeof(info.sha256));
    info.blob_path = blob_path().c_str();
  }

 private:
  AOTInductorModel& model() {
    return *private_member(Models(), *this)[0];
  }

  size_t active_index() {
    return active_index_of(*this);
  }

  void place_mapping() {
    place(
        active_index(),
        constants_over(model(), layout_, blob()->data(), /* copy_all = */ false));
  }

  bool uses_blob() {
    const ConstantSet& set = sets_[active_index()];
    for (const Layout::Entry& entry : layout_.entries()) {
      if (!entry.may_be_written && set.constants[entry.index].origin != Origin::mapped) {
        return false;
      }
    }
    return set.complete;
  }

  std::vector<size_t> tensor_constants() {
    std::vector<size_t> result;
    for (const Layout::Entry& entry : layout_.entries()) {
      if (_is_tensor_constant_type(entry.index)) {
        result.push_back(entry.index);
      }
    }
    return result;
  }

  // All runners of the container see a set through the same map and array.
  void place(size_t set_index, std::vector<NewConstant>&& fresh) {
    ConstantSet& set = sets_[set_index];
    std::vector<size_t> indices;
    indices.reserve(fresh.size());
    // Waits for running models; from here to the end nobody reads constants.
    const std::unique_lock lock(private_member(ExecutionMutex(), *this));
    for (NewConstant& each : fresh) {
      std::swap(set.constants[each.index], each.constant);
      indices.push_back(each.index);
    }
    put_handles_locked(set_index, indices);
    buffer_of(*this, set_index).fold_state = ConstantState::INITIALIZED;
    refresh(set, layout_);
    // `fresh` holds the former constants by now and frees them after the map's handles are gone.
  }

  void put_handles(size_t set_index, const std::vector<size_t>& indices) {
    const std::unique_lock lock(private_member(ExecutionMutex(), *this));
    put_handles_locked(set_index, indices);
  }

  void put_handles_locked(size_t set_index, const std::vector<size_t>& indices) {
    const BufferView buffer = buffer_of(*this, set_index);
    buffer.array.resize(model().num_constants());
    for (const size_t index : indices) {
      RAIIAtenTensorHandle handle = same_tensor(sets_[set_index].constants[index].tensor);
      buffer.array.at(index) = ConstantHandle(handle.get());
      buffer.map.insert_or_assign(
          model().constant_name(static_cast<int64_t>(index)),
          ConstantMap::mapped_type(std::move(handle)));
    }
  }

  // AOTInductor folds within the first run, and when that throws it loses the runner: the next run
  // waits for ever. Its explicit folding gives the runner back.
  void fold_if_needed(DeviceStreamType stream, AOTIProxyExecutorHandle proxy_executor) {
    if (model().num_folded_constants() == 0) {
      return;
    }
    const std::lock_guard lock(update_mutex_);
    if (buffer_of(*this, active_index()).fold_state == ConstantState::INITIALIZED) {
      run_const_fold(/* inactive_buffer = */ false, stream, proxy_executor);
    }
  }

  // The single-threaded run takes the first idle runner without looking whether there is one, and a
  // concurrent run leaves its runner among the pending ones.
  void require_idle_model() {
    const std::lock_guard lock(private_member(ModelsMutex(), *this));
    auto& available = private_member(AvailableModels(), *this);
    auto& pending = private_member(PendingModels(), *this);
    while (available.empty() && !pending.empty()) {
      available.push_back(pending.front());
      pending.pop_front();
    }
    if (available.empty()) {
      throw std::runtime_error(
          "all of the container's models are running: a single-threaded run cannot wait for one");
    }
  }

  Layout layout_;
#if AOTWIN_TORCH_BEFORE(2, 13)
  std::vector<AOTInductorConstantMapEntry> entries_;
#endif
  // Serialises what changes constants. Taken before the container's own execution mutex.
  std::mutex update_mutex_;
};

} // namespace aotwin
