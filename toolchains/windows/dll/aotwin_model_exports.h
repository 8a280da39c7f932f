// Entry points for bare models (no queue, no second buffer) that replace generated ones.
#pragma once

#include <memory>
#include <utility>

#include "aotwin_constants_exports.h"

namespace aotwin {

// Handles of the C API point to the AOTInductorModel within.
class Model : private WeightsState, public AOTInductorModel {
 public:
  // Without tensors: the constants of the blob; where there is none, the model waits for a map.
  Model()
      : AOTInductorModel(
            std::make_shared<torch::aot_inductor::ConstantMap>(),
            std::make_shared<std::vector<ConstantHandle>>(),
            "cpu",
            ""),
        layout_(*this) {
    sets_[0].constants.resize(num_constants());
    if (blob() != nullptr) {
      for (NewConstant& each :
           constants_over(*this, layout_, blob()->data(), /* copy_all = */ false)) {
        put(each.index, same_tensor(each.constant.tensor));
        sets_[0].constants[each.index] = std::move(each.constant);
      }
    }
    finish();
  }

  // The model takes the handles over, all of them or, when it throws, none.
  void take(const UserTensors& given) {
    for (const auto& [name, tensor] : given) {
      if (const Layout::Entry* entry = layout_.find(name)) {
        check_user_tensor(*this, *entry, tensor, /* used_as_it_lies = */ true);
      }
    }
    for (const auto& [name, tensor] : given) {
      RAIIAtenTensorHandle owned(tensor);
      if (const Layout::Entry* entry = layout_.find(name)) {
        sets_[0].constants[entry->index] = user_managed_constant(owned);
        put(entry->index, std::move(owned));
      }
    }
    finish();
  }

  void run_checked(AtenTensorHandle* inputs, AtenTensorHandle* outputs) {
    require_complete(sets_[0], layout_, *this);
    if (!folded_ && num_folded_constants() != 0) {
      for (const auto& [name, tensor] :
           run_const_fold(nullptr, nullptr, /* initialization = */ true)) {
        constants_map_->insert_or_assign(name, ConstantMap::mapped_type(tensor));
      }
      update_constants_array_from_map();
    }
    folded_ = true;
    run_impl(inputs, outputs, nullptr, nullptr);
  }

 private:
  void put(size_t index, RAIIAtenTensorHandle&& handle) {
    constants_map_->insert_or_assign(
        constant_name(static_cast<int64_t>(index)), ConstantMap::mapped_type(std::move(handle)));
  }

  // The generated code looks constants up with bounds checks: while some are missing it gets an empty
  // array, so that entry points which we do not replace fail rather than follow null handles.
  void finish() {
    refresh(sets_[0], layout_);
    folded_ = false;
    if (sets_[0].complete) {
      update_constants_array_from_map();
    }
  }

  Layout layout_;
  bool folded_ = false;
};

inline Model& model_of(AOTInductorModelHandle handle) {
  require(handle != nullptr, "the model's handle is null");
  return *static_cast<Model*>(reinterpret_cast<AOTInductorModel*>(handle));
}

inline void create_model(AOTInductorModelHandle* result, const UserTensors& given) {
  require(result != nullptr, "there is no place for the model's handle");
  *result = nullptr;
  require_cpu();
  RunTime::require();
  auto model = std::make_unique<Model>();
  model->take(given);
  *result = reinterpret_cast<AOTInductorModelHandle>(
      static_cast<AOTInductorModel*>(model.release()));
}

} // namespace aotwin

extern "C" {

AOTIRuntimeError AOTWIN_OURS(AOTInductorModelCreateV2)(
    AOTInductorModelHandle* model,
    const AOTInductorConstantMapEntry* pairs,
    size_t num_pairs) {
  return aotwin::guarded([&] {
    aotwin::create_model(
        model, pairs == nullptr ? aotwin::UserTensors() : aotwin::tensors_of(pairs, num_pairs));
  });
}

AOTIRuntimeError AOTWIN_OURS(AOTInductorModelCreate)(
    AOTInductorModelHandle* model,
    AOTInductorConstantMapHandle map) {
  return aotwin::guarded([&] {
    aotwin::create_model(
        model,
        map == nullptr ? aotwin::UserTensors()
                       : aotwin::MsvcMapReader("AOTInductorModelCreateV2").read(map));
  });
}

AOTIRuntimeError AOTWIN_OURS(AOTInductorModelRun)(
    AOTInductorModelHandle handle,
    AtenTensorHandle* inputs,
    AtenTensorHandle* outputs) {
  const AOTIRuntimeError error = aotwin::guarded([&] {
    aotwin::Model& model = aotwin::model_of(handle);
    aotwin::require(inputs != nullptr || model.num_inputs() == 0, "the array of inputs is null");
    aotwin::require(outputs != nullptr || model.num_outputs() == 0, "the array of outputs is null");
    const AOTINoGradGuard no_grad;
    model.run_checked(inputs, outputs);
  });
  if (error != AOTI_RUNTIME_SUCCESS && handle != nullptr) {
    aotwin::delete_inputs(inputs, aotwin::model_of(handle).num_inputs());
  }
  return error;
}

AOTIRuntimeError AOTWIN_OURS(AOTInductorModelDelete)(AOTInductorModelHandle model) {
  return aotwin::guarded([&] { delete &aotwin::model_of(model); });
}

AOTIRuntimeError AOTWIN_OURS(AOTInductorModelUpdateConstantsMap)(
    AOTInductorModelHandle model,
    AOTInductorConstantMapHandle map) {
  return aotwin::guarded([&] {
    aotwin::model_of(model).take(
        aotwin::MsvcMapReader("AOTInductorModelUpdateConstantsMapV2").read(map));
  });
}

AOTIRuntimeError AOTWIN_OURS(AOTInductorModelUpdateConstantsMapV2)(
    AOTInductorModelHandle model,
    const AOTInductorConstantMapEntry* pairs,
    int32_t num_pairs) {
  return aotwin::guarded([&] {
    aotwin::require(num_pairs >= 0, "the number of constants is negative");
    aotwin::model_of(model).take(aotwin::tensors_of(pairs, static_cast<size_t>(num_pairs)));
  });
}

} // extern "C"
