
#include <torch/csrc/inductor/aoti_include/cpu.h>
// Definition of AOTI runtime interface functions

#include <torch/csrc/inductor/aoti_runtime/interface.h>
#include <torch/csrc/inductor/aoti_runtime/model_container.h>

#include <iostream>
#include <vector>

#define CONVERT_EXCEPTION_TO_ERROR_CODE(...)      \
  try {                                           \
    __VA_ARGS__                                   \
  } catch (const std::exception& e) {             \
    std::cerr << "Error: " << e.what() << '\n';   \
    return AOTI_RUNTIME_FAILURE;                  \
  } catch (...) {                                 \
    std::cerr << "Unknown exception occurred.\n"; \
    return AOTI_RUNTIME_FAILURE;                  \
  }                                               \
  return AOTI_RUNTIME_SUCCESS;

#define AOTI_VECTOR_SIZE_CHECK(actual_size, expected_size, name)  \
  do {                                                            \
    AOTI_RUNTIME_CHECK(                                           \
        actual_size == expected_size,                             \
        "expected " + std::string(name) + " vector size to be " + \
            std::to_string(expected_size) + ", but got " +        \
            std::to_string(actual_size));                         \
  } while (0)

// AOTInductor uses at::addmm_out, which doesn't supports
// arguments that requires gradient. For this reason, we
// enforce no_grad context for run APIs.
//
// A RAII, thread local (!) guard that enables or disables grad mode upon
// construction, and sets it back to the original value upon destruction.
struct AOTINoGradGuard {
  AOTINoGradGuard() {
    aoti_torch_grad_mode_set_enabled(false);
  }
  AOTINoGradGuard(const AOTINoGradGuard&) = delete;
  AOTINoGradGuard(AOTINoGradGuard&&) noexcept = delete;
  ~AOTINoGradGuard() {
    aoti_torch_grad_mode_set_enabled(prev_mode);
  }
  AOTINoGradGuard& operator=(const AOTINoGradGuard&) = delete;
  AOTINoGradGuard& operator=(AOTINoGradGuard&&) noexcept = delete;
  bool prev_mode{aoti_torch_grad_mode_is_enabled()};
};

extern "C" {

AOTIRuntimeError AOTInductorModelContainerCreate(
    AOTInductorModelContainerHandle* container_handle,
    size_t num_models,
    bool is_cpu,
    const char* cubin_dir) {
      return AOTInductorModelContainerCreateWithDevice(
        container_handle,
        num_models,
        is_cpu ? "cpu" : "cuda",
        cubin_dir);
}

AOTIRuntimeError AOTInductorModelContainerCreateWithDevice(
    AOTInductorModelContainerHandle* container_handle,
    size_t num_models,
    const char* device_str,
    const char* cubin_dir) {

  if (num_models == 0) {
    std::cerr << "Error: num_models must be positive, but got 0\n";
    return AOTI_RUNTIME_FAILURE;
  }
  CONVERT_EXCEPTION_TO_ERROR_CODE({
    std::optional<std::string> cubin_dir_opt;
    if (cubin_dir != nullptr) {
      cubin_dir_opt.emplace(cubin_dir);
    }
    auto* container = new torch::aot_inductor::AOTInductorModelContainer(
        num_models, std::string(device_str), cubin_dir_opt);
    *container_handle =
        reinterpret_cast<AOTInductorModelContainerHandle>(container);
  })
}


AOTIRuntimeError AOTInductorModelContainerDelete(
    AOTInductorModelContainerHandle container_handle) {
  CONVERT_EXCEPTION_TO_ERROR_CODE({
    auto* container =
        reinterpret_cast<torch::aot_inductor::AOTInductorModelContainer*>(
            container_handle);
    delete container;
  });
}

AOTIRuntimeError AOTInductorModelContainerRun(
    AOTInductorModelContainerHandle container_handle,
    AtenTensorHandle* input_handles, // array of input AtenTensorHandle; handles
                                     // are stolen; the array itself is borrowed
    size_t num_inputs,
    AtenTensorHandle*
        output_handles, // array for writing output AtenTensorHandle; handles
                        // will be stolen by the caller; the array itself is
                        // borrowed
    size_t num_outputs,
    AOTInductorStreamHandle stream_handle,
    AOTIProxyExecutorHandle proxy_executor_handle) {
  auto* container =
      reinterpret_cast<torch::aot_inductor::AOTInductorModelContainer*>(
          container_handle);
  AOTI_VECTOR_SIZE_CHECK(num_inputs, container->num_inputs(), "inputs");
  AOTI_VECTOR_SIZE_CHECK(num_outputs, container->num_outputs(), "outputs");

  auto stream =
      reinterpret_cast<torch::aot_inductor::DeviceStreamType>(stream_handle);
  CONVERT_EXCEPTION_TO_ERROR_CODE({
    AOTINoGradGuard guard;
    container->run(
        input_handles, output_handles, stream, proxy_executor_handle);
  })
}

AOTIRuntimeError AOTInductorModelContainerRunSingleThreaded(
    AOTInductorModelContainerHandle container_handle,
    AtenTensorHandle* input_handles, // array of input AtenTensorHandle; handles
                                     // are stolen; the array itself is borrowed
    size_t num_inputs,
    AtenTensorHandle*
        output_handles, // array for writing output AtenTensorHandle; handles
                        // will be stolen by the caller; the array itself is
                        // borrowed
    size_t num_outputs,
    AOTInductorStreamHandle stream_handle,
    AOTIProxyExecutorHandle proxy_executor_handle) {
  auto* container =
      reinterpret_cast<torch::aot_inductor::AOTInductorModelContainer*>(
          container_handle);
  AOTI_VECTOR_SIZE_CHECK(num_inputs, container->num_inputs(), "inputs");
  AOTI_VECTOR_SIZE_CHECK(num_outputs, container->num_outputs(), "outputs");

  auto stream =
      reinterpret_cast<torch::aot_inductor::DeviceStreamType>(stream_handle);
  CONVERT_EXCEPTION_TO_ERROR_CODE({
    AOTINoGradGuard guard;
    container->run_single_threaded(
        input_handles, output_handles, stream, proxy_executor_handle);
  })
}

AOTIRuntimeError AOTInductorModelContainerGetNumConstants(
    AOTInductorModelContainerHandle container_handle,
    size_t* num_constants) {
  auto* container =
      reinterpret_cast<torch::aot_inductor::AOTInductorModelContainer*>(
          container_handle);
  CONVERT_EXCEPTION_TO_ERROR_CODE(
    { *num_constants = container->num_constants(); })
}

AOTIRuntimeError AOTInductorModelContainerGetConstantName(
    AOTInductorModelContainerHandle container_handle,
    size_t idx,
    const char** name) {
  auto* container =
      reinterpret_cast<torch::aot_inductor::AOTInductorModelContainer*>(
          container_handle);
  CONVERT_EXCEPTION_TO_ERROR_CODE(
    { *name = container->constant_name(idx); })
}

AOTIRuntimeError AOTInductorModelContainerGetConstantOriginalFQN(
    AOTInductorModelContainerHandle container_handle,
    size_t idx,
    const char** original_fqn) {
  auto* container =
      reinterpret_cast<torch::aot_inductor::AOTInductorModelContainer*>(
          container_handle);
  CONVERT_EXCEPTION_TO_ERROR_CODE(
    { *original_fqn = container->constant_original_fqn(idx); })
}

AOTIRuntimeError AOTInductorModelContainerGetConstantFromFolded(
    AOTInductorModelContainerHandle container_handle,
    size_t idx,
    bool* from_folded) {
  auto* container =
      reinterpret_cast<torch::aot_inductor::AOTInductorModelContainer*>(container_handle);
  CONVERT_EXCEPTION_TO_ERROR_CODE({ *from_folded = container->constant_from_folded(idx); })
}

AOTIRuntimeError AOTInductorModelContainerGetConstantType(
    AOTInductorModelContainerHandle container_handle,
    size_t idx,
    int32_t* type) {
  auto* container =
      reinterpret_cast<torch::aot_inductor::AOTInductorModelContainer*>(container_handle);
  CONVERT_EXCEPTION_TO_ERROR_CODE({ *type = container->constant_type(idx); })
}

AOTIRuntimeError AOTInductorModelContainerGetConstantDtype(
    AOTInductorModelContainerHandle container_handle,
    size_t idx,
    int32_t* dtype) {
  auto* container =
      reinterpret_cast<torch::aot_inductor::AOTInductorModelContainer*>(
          container_handle);
  CONVERT_EXCEPTION_TO_ERROR_CODE(
    { *dtype = container->constant_dtype(idx); })
}

AOTIRuntimeError AOTInductorModelContainerGetConstantDataSize(
  AOTInductorModelContainerHandle container_handle,
  size_t idx,
  size_t* data_size) {
  auto* container =
    reinterpret_cast<torch::aot_inductor::AOTInductorModelContainer*>(
        container_handle);
  CONVERT_EXCEPTION_TO_ERROR_CODE(
    { *data_size = container->constant_data_size(idx); })
}

AOTIRuntimeError AOTInductorModelContainerExtractConstantsMap(
    AOTInductorModelContainerHandle container_handle,
    AOTInductorConstantMapHandle constant_map_handle,
    bool use_inactive) {
  auto* container =
      reinterpret_cast<torch::aot_inductor::AOTInductorModelContainer*>(
          container_handle);
  auto constants_map = reinterpret_cast<std::unordered_map<std::string, AtenTensorHandle>*>(constant_map_handle);
  CONVERT_EXCEPTION_TO_ERROR_CODE(
    { const auto ret = container->extract_constants_map(use_inactive);
      for (const auto& pair: ret) {
        constants_map->emplace(pair.first, pair.second);
      }
    })
}

AOTIRuntimeError AOTInductorModelContainerUpdateUserManagedConstantBuffer(
    AOTInductorModelContainerHandle container_handle,
    AOTInductorConstantMapHandle constant_map_handle,
    bool use_inactive,
    bool validate_full_update) {
  auto* container =
      reinterpret_cast<torch::aot_inductor::AOTInductorModelContainer*>(
          container_handle);
  auto input_map = reinterpret_cast<std::unordered_map<std::string, AtenTensorHandle>*>(constant_map_handle);
  CONVERT_EXCEPTION_TO_ERROR_CODE({
    container->update_constant_buffer(
        *input_map, use_inactive, validate_full_update, /* user_managed = */ true);
  })
}

AOTIRuntimeError AOTInductorModelContainerUpdateUserManagedConstantBufferPairs(
    AOTInductorModelContainerHandle container_handle,
    const AOTInductorConstantMapEntry* pairs,
    size_t num_pairs,
    bool use_inactive,
    bool validate_full_update) {
  auto* container =
      reinterpret_cast<torch::aot_inductor::AOTInductorModelContainer*>(container_handle);
  // Build a local unordered_map inside
  std::unordered_map<std::string, AtenTensorHandle> input_map;
  input_map.reserve(num_pairs);
  for (size_t i = 0; i < num_pairs; ++i) {
      input_map.emplace(pairs[i].name, pairs[i].handle);
  }
  CONVERT_EXCEPTION_TO_ERROR_CODE({
    container->update_constant_buffer(
        input_map, use_inactive, validate_full_update, /*user_managed=*/true);
  })
}

AOTIRuntimeError AOTInductorModelContainerUpdateConstantBuffer(
    AOTInductorModelContainerHandle container_handle,
    AOTInductorConstantMapHandle constant_map_handle,
    bool use_inactive,
    bool validate_full_update) {
  auto* container =
      reinterpret_cast<torch::aot_inductor::AOTInductorModelContainer*>(
          container_handle);
  auto input_map = reinterpret_cast<std::unordered_map<std::string, AtenTensorHandle>*>(constant_map_handle);
  CONVERT_EXCEPTION_TO_ERROR_CODE({
    container->update_constant_buffer(
        *input_map, use_inactive, validate_full_update);
  })
}

AOTIRuntimeError AOTInductorModelContainerUpdateInactiveConstantBuffer(
    AOTInductorModelContainerHandle container_handle,
    AOTInductorConstantMapHandle constant_map_handle) {
  return AOTInductorModelContainerUpdateConstantBuffer(container_handle,
          constant_map_handle,
          /*use_inactive*/ true,
          /*validate_full_update*/ true);
}

AOTIRuntimeError AOTInductorModelContainerFreeInactiveConstantBuffer(
    AOTInductorModelContainerHandle container_handle) {
  auto* container =
      reinterpret_cast<torch::aot_inductor::AOTInductorModelContainer*>(
          container_handle);
  CONVERT_EXCEPTION_TO_ERROR_CODE({
    container->free_inactive_constant_buffer();
  })
}

AOTIRuntimeError AOTInductorModelContainerRunConstantFolding(
    AOTInductorModelContainerHandle container_handle,
    bool use_inactive,
    AOTInductorStreamHandle stream_handle,
    AOTIProxyExecutorHandle proxy_executor_handle) {
  auto* container =
      reinterpret_cast<torch::aot_inductor::AOTInductorModelContainer*>(
          container_handle);
  auto stream =
      reinterpret_cast<torch::aot_inductor::DeviceStreamType>(stream_handle);
  CONVERT_EXCEPTION_TO_ERROR_CODE({
    AOTINoGradGuard guard;
    container->run_const_fold(use_inactive, stream, proxy_executor_handle);
  })
}

AOTIRuntimeError AOTInductorModelContainerSwapConstantBuffer(
    AOTInductorModelContainerHandle container_handle) {
  auto* container =
      reinterpret_cast<torch::aot_inductor::AOTInductorModelContainer*>(
          container_handle);
  CONVERT_EXCEPTION_TO_ERROR_CODE({
    container->swap_constant_buffer();
  })
}

AOTIRuntimeError AOTInductorModelContainerGetNumInputs(
    AOTInductorModelContainerHandle container_handle,
    size_t* ret_num_inputs) {
  auto* container =
      reinterpret_cast<torch::aot_inductor::AOTInductorModelContainer*>(
          container_handle);
  CONVERT_EXCEPTION_TO_ERROR_CODE(
      { *ret_num_inputs = container->num_inputs(); })
}

AOTIRuntimeError AOTInductorModelContainerGetInputName(
    AOTInductorModelContainerHandle container_handle,
    size_t input_idx,
    const char** ret_input_names) {
  auto* container =
      reinterpret_cast<torch::aot_inductor::AOTInductorModelContainer*>(
          container_handle);
  CONVERT_EXCEPTION_TO_ERROR_CODE(
      { *ret_input_names = container->input_name(input_idx); })
}

AOTIRuntimeError AOTInductorModelContainerGetNumOutputs(
    AOTInductorModelContainerHandle container_handle,
    size_t* ret_num_outputs) {
  auto* container =
      reinterpret_cast<torch::aot_inductor::AOTInductorModelContainer*>(
          container_handle);
  CONVERT_EXCEPTION_TO_ERROR_CODE(
      { *ret_num_outputs = container->num_outputs(); })
}

AOTIRuntimeError AOTInductorModelContainerGetOutputName(
    AOTInductorModelContainerHandle container_handle,
    size_t output_idx,
    const char** ret_output_names) {
  auto* container =
      reinterpret_cast<torch::aot_inductor::AOTInductorModelContainer*>(
          container_handle);
  CONVERT_EXCEPTION_TO_ERROR_CODE(
      { *ret_output_names = container->output_name(output_idx); })
}

AOTIRuntimeError AOTInductorModelContainerGetCallSpec(
    AOTInductorModelContainerHandle container_handle,
    const char** in_spec,
    const char** out_spec) {
  auto* container =
      reinterpret_cast<torch::aot_inductor::AOTInductorModelContainer*>(
          container_handle);
  CONVERT_EXCEPTION_TO_ERROR_CODE({
    *in_spec = container->get_in_spec();
    *out_spec = container->get_out_spec();
  })
}

AOTIRuntimeError AOTInductorModelCreate(
    AOTInductorModelHandle* model_handle,
    AOTInductorConstantMapHandle constant_map_handle){
    CONVERT_EXCEPTION_TO_ERROR_CODE({
      auto constant_map = std::make_shared<torch::aot_inductor::ConstantMap>();
      auto constant_array = std::make_shared<std::vector<torch::aot_inductor::ConstantHandle>>();
      auto input_map = reinterpret_cast<std::unordered_map<std::string, AtenTensorHandle>*>(constant_map_handle);

      auto model = new torch::aot_inductor::AOTInductorModel(
          constant_map,
          constant_array,
          "cpu", // device_str is hardcoded, as AOTInductorModelCreate is only use for CPU models
          ""
      );

      if (input_map) {
        for (auto const& kv : *input_map) {
          constant_map->emplace(kv.first, kv.second);
        }
      } else {
        model->load_constants();
      }

      *model_handle = reinterpret_cast<AOTInductorModelHandle>(model);
    })}

AOTIRuntimeError AOTInductorModelRun(
    AOTInductorModelHandle model_handle,
    AtenTensorHandle* input_handles,
    AtenTensorHandle* output_handles) {
  auto model =
      reinterpret_cast<torch::aot_inductor::AOTInductorModel*>(model_handle);
  CONVERT_EXCEPTION_TO_ERROR_CODE({
    AOTINoGradGuard guard;
    model->run_impl(
        input_handles,
        output_handles,
        (torch::aot_inductor::DeviceStreamType) nullptr,
        nullptr);
  })
}

AOTIRuntimeError AOTInductorModelDelete(AOTInductorModelHandle model_handle){
    CONVERT_EXCEPTION_TO_ERROR_CODE({
      auto model = reinterpret_cast<torch::aot_inductor::AOTInductorModel*>(
          model_handle);
      delete model;
    })}

AOTIRuntimeError AOTInductorModelGetNumOutputs(
    AOTInductorModelHandle model_handle,
    size_t* ret_num_outputs) {
  CONVERT_EXCEPTION_TO_ERROR_CODE({
      auto model = reinterpret_cast<torch::aot_inductor::AOTInductorModel*>(model_handle);
      *ret_num_outputs = model->num_outputs();
  })
}

AOTIRuntimeError AOTInductorModelUpdateConstantsMap(
    AOTInductorModelHandle model_handle,
    AOTInductorConstantMapHandle constant_map_handle) {
  auto model =
      reinterpret_cast<torch::aot_inductor::AOTInductorModel*>(model_handle);
  CONVERT_EXCEPTION_TO_ERROR_CODE({
    auto constant_map = std::make_shared<torch::aot_inductor::ConstantMap>();
    auto input_map =
        reinterpret_cast<std::unordered_map<std::string, AtenTensorHandle>*>(
            constant_map_handle);

    for (auto const& kv : *input_map) {
      constant_map->emplace(kv.first, kv.second);
    }
    model->update_constants_map(std::move(constant_map));
  })
}

AOTIRuntimeError AOTInductorModelContainerGetConstantsBlobSize(
    AOTInductorModelContainerHandle container_handle,
    uint64_t* ret_size) {
  auto* container =
      reinterpret_cast<torch::aot_inductor::AOTInductorModelContainer*>(
          container_handle);
  CONVERT_EXCEPTION_TO_ERROR_CODE(
      { *ret_size = container->constant_blob_size(); })
}


// Load weights from a single blob in weight_blob_ptr
AOTIRuntimeError AOTInductorModelUpdateConstantsFromBlob(
    AOTInductorModelContainerHandle container_handle,
    const uint8_t* weight_blob_ptr){
    auto* container =
      reinterpret_cast<torch::aot_inductor::AOTInductorModelContainer*>(
          container_handle);
  CONVERT_EXCEPTION_TO_ERROR_CODE(
      {container->update_constants_from_blob(weight_blob_ptr); })
    }


} // extern "C"

extern "C"  void  cpp_fused_0(float* out_ptr0);
extern "C"  void  cpp_fused_add_clone_embedding_relu_transpose_1(const float* in_ptr0,
                       const int64_t* in_ptr1,
                       const float* in_ptr2,
                       float* out_ptr0);
extern "C"  void  cpp_fused__scaled_dot_product_flash_attention_for_cpu__unsafe_view_add_clone_select_squeeze_transpose_unsqueeze_view_2(const float* in_ptr0,
                       const float* in_ptr1,
                       float* out_ptr0,
                       float* out_ptr1,
                       float* out_ptr2);
extern "C"  void  cpp_fused_3(float* out_ptr0);
extern "C"  void  cpp_fused_add_clone_embedding_relu_transpose_view_4(const float* in_ptr0,
                       const int64_t* in_ptr1,
                       const float* in_ptr2,
                       const float* in_ptr3,
                       float* out_ptr0);
extern "C"  void  cpp_fused__softmax__unsafe_view_add_argmax_5(const float* in_ptr0,
                       float* out_ptr0,
                       float* out_ptr1,
                       float* out_ptr2,
                       float* out_ptr3,
                       int64_t* out_ptr4);
CACHE_TORCH_DTYPE(float32);
CACHE_TORCH_DTYPE(int64);
CACHE_TORCH_DEVICE(cpu);
CACHE_TORCH_LAYOUT(strided);
namespace torch::aot_inductor {
namespace {
class AOTInductorModelKernels : public AOTInductorModelKernelsBase {
  public:
    void* cpp_fused_0{nullptr};
    void* cpp_fused_3{nullptr};
    void* cpp_fused__scaled_dot_product_flash_attention_for_cpu__unsafe_view_add_clone_select_squeeze_transpose_unsqueeze_view_2{nullptr};
    void* cpp_fused__softmax__unsafe_view_add_argmax_5{nullptr};
    void* cpp_fused_add_clone_embedding_relu_transpose_1{nullptr};
    void* cpp_fused_add_clone_embedding_relu_transpose_view_4{nullptr};
};
}  // namespace



AOTInductorModel::AOTInductorModel(std::shared_ptr<ConstantMap> constants_map,
                                   std::shared_ptr<std::vector<ConstantHandle>> constants_array,
                                   const std::string& device_str,
                                   std::optional<std::string> cubin_dir)
    : AOTInductorModelBase(2,
                           3,
                           6,
                           device_str,
                           std::move(cubin_dir),
                           false) {
    inputs_info_[0].name = "arg9_1";
    inputs_info_[1].name = "arg10_1";
    constants_info_[0].name = "convolution_weight";
    constants_info_[0].dtype = cached_torch_dtype_float32;
    constants_info_[0].device_type = cached_torch_device_type_cpu;
    constants_info_[0].offset = 0;
    constants_info_[0].data_size = 384;
    constants_info_[0].from_folded = false;
    constants_info_[0].type = static_cast<int32_t>(torch::aot_inductor::ConstantType::Parameter);
    constants_info_[0].shape = {8, 4, 3};
    constants_info_[0].stride = {12, 3, 1};
    constants_info_[0].layout = static_cast<int32_t>(cached_torch_layout_strided);
    constants_info_[0].original_fqn = "convolution.weight";
    constants_info_[1].name = "attention_in_proj_weight";
    constants_info_[1].dtype = cached_torch_dtype_float32;
    constants_info_[1].device_type = cached_torch_device_type_cpu;
    constants_info_[1].offset = 0;
    constants_info_[1].data_size = 768;
    constants_info_[1].from_folded = false;
    constants_info_[1].type = static_cast<int32_t>(torch::aot_inductor::ConstantType::Parameter);
    constants_info_[1].shape = {24, 8};
    constants_info_[1].stride = {8, 1};
    constants_info_[1].layout = static_cast<int32_t>(cached_torch_layout_strided);
    constants_info_[1].original_fqn = "attention.in_proj_weight";
    constants_info_[2].name = "attention_in_proj_bias";
    constants_info_[2].dtype = cached_torch_dtype_float32;
    constants_info_[2].device_type = cached_torch_device_type_cpu;
    constants_info_[2].offset = 0;
    constants_info_[2].data_size = 128;
    constants_info_[2].from_folded = false;
    constants_info_[2].type = static_cast<int32_t>(torch::aot_inductor::ConstantType::Parameter);
    constants_info_[2].shape = {24};
    constants_info_[2].stride = {1};
    constants_info_[2].layout = static_cast<int32_t>(cached_torch_layout_strided);
    constants_info_[2].original_fqn = "attention.in_proj_bias";
    constants_info_[3].name = "attention_out_proj_weight";
    constants_info_[3].dtype = cached_torch_dtype_float32;
    constants_info_[3].device_type = cached_torch_device_type_cpu;
    constants_info_[3].offset = 0;
    constants_info_[3].data_size = 256;
    constants_info_[3].from_folded = false;
    constants_info_[3].type = static_cast<int32_t>(torch::aot_inductor::ConstantType::Parameter);
    constants_info_[3].shape = {8, 8};
    constants_info_[3].stride = {8, 1};
    constants_info_[3].layout = static_cast<int32_t>(cached_torch_layout_strided);
    constants_info_[3].original_fqn = "attention.out_proj.weight";
    constants_info_[4].name = "head_weight";
    constants_info_[4].dtype = cached_torch_dtype_float32;
    constants_info_[4].device_type = cached_torch_device_type_cpu;
    constants_info_[4].offset = 0;
    constants_info_[4].data_size = 192;
    constants_info_[4].from_folded = false;
    constants_info_[4].type = static_cast<int32_t>(torch::aot_inductor::ConstantType::Parameter);
    constants_info_[4].shape = {5, 8};
    constants_info_[4].stride = {8, 1};
    constants_info_[4].layout = static_cast<int32_t>(cached_torch_layout_strided);
    constants_info_[4].original_fqn = "head.weight";
    constants_info_[5].name = "embedding_weight";
    constants_info_[5].dtype = cached_torch_dtype_float32;
    constants_info_[5].device_type = cached_torch_device_type_cpu;
    constants_info_[5].offset = 0;
    constants_info_[5].data_size = 384;
    constants_info_[5].from_folded = false;
    constants_info_[5].type = static_cast<int32_t>(torch::aot_inductor::ConstantType::Parameter);
    constants_info_[5].shape = {11, 8};
    constants_info_[5].stride = {8, 1};
    constants_info_[5].layout = static_cast<int32_t>(cached_torch_layout_strided);
    constants_info_[5].original_fqn = "embedding.weight";
    update_constants_map(std::move(constants_map));
    update_constants_array(std::move(constants_array));
    in_spec_ = R"([1, {"type": "builtins.tuple", "context": "null", "children_spec": [{"type": "builtins.tuple", "context": "null", "children_spec": [{"type": null, "context": null, "children_spec": []}, {"type": null, "context": null, "children_spec": []}]}, {"type": "builtins.dict", "context": "[]", "children_spec": []}]}])";
    out_spec_ = R"([1, {"type": "builtins.dict", "context": "[\"scores\", \"best\", \"sums\"]", "children_spec": [{"type": null, "context": null, "children_spec": []}, {"type": null, "context": null, "children_spec": []}, {"type": null, "context": null, "children_spec": []}]}])";
    outputs_info_[0].name = "output0";
    outputs_info_[1].name = "output1";
    outputs_info_[2].name = "output2";
    this->kernels_ = std::make_unique<AOTInductorModelKernels>();
}

std::unordered_map<std::string, AtenTensorHandle> AOTInductorModel::const_run_impl(
    DeviceStreamType stream,
    AOTIProxyExecutorHandle proxy_executor,
    bool initialization
) {

    if (!initialization) {
        std::cerr << "[WARNING] Calling constant_folding in model, but compiled with config: "
                  << "aot_inductor.use_runtime_constant_folding=False\n";
    }
    return {};
}
} // namespace torch::aot_inductor
using namespace torch::aot_inductor;
namespace torch::aot_inductor {

void AOTInductorModel::_const_run_impl(
    std::vector<AtenTensorHandle>& output_handles,
    DeviceStreamType stream,
    AOTIProxyExecutorHandle proxy_executor
) {}

AOTI_NOINLINE static void check_input_0(
    AtenTensorHandle* input_handles
) {
    ConstantHandle arg9_1 = ConstantHandle(input_handles[0]);
    int32_t arg9_1_dtype;
    AOTI_TORCH_ERROR_CODE_CHECK(aoti_torch_get_dtype(arg9_1, &arg9_1_dtype));

    int32_t arg9_1_expected_dtype = aoti_torch_dtype_float32();
    if (arg9_1_expected_dtype != arg9_1_dtype) {
        std::stringstream ss;
        ss << "input_handles[0]: unmatched dtype, "
           << "expected: " << arg9_1_expected_dtype << "(at::kFloat), "
           << "but got: " << arg9_1_dtype << "\n";
        throw std::runtime_error(ss.str());
    }
    auto arg9_1_size = arg9_1.sizes();

    if (2 != arg9_1_size[0]) {
        std::stringstream ss;
        ss << "input_handles[0]: unmatched dim value at 0, "
           << "expected: 2, " << "but got: " << arg9_1_size[0]
           << "\n";
        throw std::runtime_error(ss.str());
    }

    if (4 != arg9_1_size[1]) {
        std::stringstream ss;
        ss << "input_handles[0]: unmatched dim value at 1, "
           << "expected: 4, " << "but got: " << arg9_1_size[1]
           << "\n";
        throw std::runtime_error(ss.str());
    }

    if (6 != arg9_1_size[2]) {
        std::stringstream ss;
        ss << "input_handles[0]: unmatched dim value at 2, "
           << "expected: 6, " << "but got: " << arg9_1_size[2]
           << "\n";
        throw std::runtime_error(ss.str());
    }
    auto arg9_1_stride = arg9_1.strides();

    if (24 != arg9_1_stride[0]) {
        std::stringstream ss;
        ss << "input_handles[0]: unmatched stride value at 0, "
           << "expected: 24, " << "but got: " << arg9_1_stride[0]
           << "\n";
        throw std::runtime_error(ss.str());
    }

    if (6 != arg9_1_stride[1]) {
        std::stringstream ss;
        ss << "input_handles[0]: unmatched stride value at 1, "
           << "expected: 6, " << "but got: " << arg9_1_stride[1]
           << "\n";
        throw std::runtime_error(ss.str());
    }

    if (1 != arg9_1_stride[2]) {
        std::stringstream ss;
        ss << "input_handles[0]: unmatched stride value at 2, "
           << "expected: 1, " << "but got: " << arg9_1_stride[2]
           << "\n";
        throw std::runtime_error(ss.str());
    }
    int32_t arg9_1_device_type;
    AOTI_TORCH_ERROR_CODE_CHECK(aoti_torch_get_device_type(arg9_1, &arg9_1_device_type));

    int32_t arg9_1_expected_device_type = 0;
    if (arg9_1_expected_device_type != arg9_1_device_type) {
        std::stringstream ss;
        ss << "input_handles[0]: unmatched device type, "
        << "expected: " << arg9_1_expected_device_type << "0(cpu), "
        << "but got: " << arg9_1_device_type << "\n";
        throw std::runtime_error(ss.str());
    }
}

AOTI_NOINLINE static void check_input_1(
    AtenTensorHandle* input_handles
) {
    ConstantHandle arg10_1 = ConstantHandle(input_handles[1]);
    int32_t arg10_1_dtype;
    AOTI_TORCH_ERROR_CODE_CHECK(aoti_torch_get_dtype(arg10_1, &arg10_1_dtype));

    int32_t arg10_1_expected_dtype = aoti_torch_dtype_int64();
    if (arg10_1_expected_dtype != arg10_1_dtype) {
        std::stringstream ss;
        ss << "input_handles[1]: unmatched dtype, "
           << "expected: " << arg10_1_expected_dtype << "(at::kLong), "
           << "but got: " << arg10_1_dtype << "\n";
        throw std::runtime_error(ss.str());
    }
    auto arg10_1_size = arg10_1.sizes();

    if (2 != arg10_1_size[0]) {
        std::stringstream ss;
        ss << "input_handles[1]: unmatched dim value at 0, "
           << "expected: 2, " << "but got: " << arg10_1_size[0]
           << "\n";
        throw std::runtime_error(ss.str());
    }

    if (6 != arg10_1_size[1]) {
        std::stringstream ss;
        ss << "input_handles[1]: unmatched dim value at 1, "
           << "expected: 6, " << "but got: " << arg10_1_size[1]
           << "\n";
        throw std::runtime_error(ss.str());
    }
    auto arg10_1_stride = arg10_1.strides();

    if (6 != arg10_1_stride[0]) {
        std::stringstream ss;
        ss << "input_handles[1]: unmatched stride value at 0, "
           << "expected: 6, " << "but got: " << arg10_1_stride[0]
           << "\n";
        throw std::runtime_error(ss.str());
    }

    if (1 != arg10_1_stride[1]) {
        std::stringstream ss;
        ss << "input_handles[1]: unmatched stride value at 1, "
           << "expected: 1, " << "but got: " << arg10_1_stride[1]
           << "\n";
        throw std::runtime_error(ss.str());
    }
    int32_t arg10_1_device_type;
    AOTI_TORCH_ERROR_CODE_CHECK(aoti_torch_get_device_type(arg10_1, &arg10_1_device_type));

    int32_t arg10_1_expected_device_type = 0;
    if (arg10_1_expected_device_type != arg10_1_device_type) {
        std::stringstream ss;
        ss << "input_handles[1]: unmatched device type, "
        << "expected: " << arg10_1_expected_device_type << "0(cpu), "
        << "but got: " << arg10_1_device_type << "\n";
        throw std::runtime_error(ss.str());
    }
}

static bool _check_aoti_runtime_check_inputs_env() {
    const static char* env_var_value = getenv("AOTI_RUNTIME_CHECK_INPUTS");
    const static bool result = env_var_value != nullptr && env_var_value[0] != '0';
    return result;
}

AOTI_NOINLINE static void __check_inputs_outputs(
    AtenTensorHandle* input_handles,
    AtenTensorHandle* output_handles) {
    if (!_check_aoti_runtime_check_inputs_env()){
        return;
    }
    check_input_0(input_handles);
    check_input_1(input_handles);
}

void AOTInductorModel::run_impl(
    AtenTensorHandle*
        input_handles, // array of input AtenTensorHandle; handles
                        // are stolen; the array itself is borrowed
    AtenTensorHandle*
        output_handles, // array for writing output AtenTensorHandle; handles
                        // will be stolen by the caller; the array itself is
                        // borrowed
    DeviceStreamType stream,
    AOTIProxyExecutorHandle proxy_executor
) {
    __check_inputs_outputs(input_handles, output_handles);

    auto inputs = steal_from_raw_handles_to_raii_handles(input_handles, 2);
    auto arg9_1 = std::move(inputs[0]);
    auto arg10_1 = std::move(inputs[1]);
    [[maybe_unused]] auto& convolution_weight = constants_->at(0);
    [[maybe_unused]] auto& attention_in_proj_weight = constants_->at(1);
    [[maybe_unused]] auto& attention_in_proj_bias = constants_->at(2);
    [[maybe_unused]] auto& attention_out_proj_weight = constants_->at(3);
    [[maybe_unused]] auto& head_weight = constants_->at(4);
    [[maybe_unused]] auto& embedding_weight = constants_->at(5);
    inputs.clear();
    [[maybe_unused]] auto& kernels = static_cast<AOTInductorModelKernels&>(*this->kernels_.get());
    static constexpr int64_t int_array_0[] = {8L, };
    static constexpr int64_t int_array_1[] = {1L, };
    AtenTensorHandle buf0_handle;
    AOTI_TORCH_ERROR_CODE_CHECK(aoti_torch_empty_strided(1, int_array_0, int_array_1, cached_torch_dtype_float32, cached_torch_device_type_cpu, this->device_idx_, &buf0_handle));
    RAIIAtenTensorHandle buf0(buf0_handle);
    cpp_fused_0((float*)(buf0.data_ptr()));
    // Topologically Sorted Source Nodes: [conv1d], Original ATen: [aten.convolution]
    AtenTensorHandle buf1_handle;
    AOTI_TORCH_ERROR_CODE_CHECK(aoti_torch_cpu_convolution(arg9_1, convolution_weight, &temporary_reference(buf0.get()), std::array<int64_t, 1>{1L}.cbegin(), 1, std::array<int64_t, 1>{1L}.cbegin(), 1, std::array<int64_t, 1>{1L}.cbegin(), 1, 0, std::array<int64_t, 1>{0L}.cbegin(), 1, 1L, &buf1_handle));
    RAIIAtenTensorHandle buf1(buf1_handle);
    arg9_1.reset();
    buf0.reset();
    static constexpr int64_t int_array_2[] = {6L, 2L, 8L};
    static constexpr int64_t int_array_3[] = {16L, 8L, 1L};
    AtenTensorHandle buf2_handle;
    AOTI_TORCH_ERROR_CODE_CHECK(aoti_torch_empty_strided(3, int_array_2, int_array_3, cached_torch_dtype_float32, cached_torch_device_type_cpu, this->device_idx_, &buf2_handle));
    RAIIAtenTensorHandle buf2(buf2_handle);
    cpp_fused_add_clone_embedding_relu_transpose_1((const float*)(buf1.data_ptr()), (const int64_t*)(arg10_1.data_ptr()), (const float*)(embedding_weight.data_ptr()), (float*)(buf2.data_ptr()));
    static constexpr int64_t int_array_4[] = {12L, 24L};
    static constexpr int64_t int_array_5[] = {24L, 1L};
    AtenTensorHandle buf3_handle;
    AOTI_TORCH_ERROR_CODE_CHECK(aoti_torch_empty_strided(2, int_array_4, int_array_5, cached_torch_dtype_float32, cached_torch_device_type_cpu, this->device_idx_, &buf3_handle));
    RAIIAtenTensorHandle buf3(buf3_handle);
    // Topologically Sorted Source Nodes: [relu, transpose, embedding, add, transpose_1, linear], Original ATen: [aten.relu, aten.transpose, aten.embedding, aten.add, aten.clone, aten._unsafe_view, aten.t, aten.mm]
    static constexpr int64_t int_array_6[] = {12L, 8L};
    static constexpr int64_t int_array_7[] = {8L, 1L};
    static constexpr int64_t int_array_8[] = {8L, 24L};
    static constexpr int64_t int_array_9[] = {1L, 8L};
    AOTI_TORCH_ERROR_CODE_CHECK(aoti_torch_cpu_mm_out(buf3, wrap_with_raii_handle_if_needed(reinterpret_tensor_wrapper(buf2, 2, int_array_6, int_array_7, 0L)), wrap_with_raii_handle_if_needed(reinterpret_tensor_wrapper(attention_in_proj_weight, 2, int_array_8, int_array_9, 0L))));
    static constexpr int64_t int_array_10[] = {2L, 2L, 6L, 4L};
    static constexpr int64_t int_array_11[] = {8L, 4L, 16L, 1L};
    auto buf4 = wrap_with_raii_handle_if_needed(reinterpret_tensor_wrapper(buf2, 4, int_array_10, int_array_11, 0L)); buf2.reset();  // reuse
    AtenTensorHandle buf5_handle;
    AOTI_TORCH_ERROR_CODE_CHECK(aoti_torch_empty_strided(4, int_array_10, int_array_11, cached_torch_dtype_float32, cached_torch_device_type_cpu, this->device_idx_, &buf5_handle));
    RAIIAtenTensorHandle buf5(buf5_handle);
    AtenTensorHandle buf6_handle;
    AOTI_TORCH_ERROR_CODE_CHECK(aoti_torch_empty_strided(4, int_array_10, int_array_11, cached_torch_dtype_float32, cached_torch_device_type_cpu, this->device_idx_, &buf6_handle));
    RAIIAtenTensorHandle buf6(buf6_handle);
    cpp_fused__scaled_dot_product_flash_attention_for_cpu__unsafe_view_add_clone_select_squeeze_transpose_unsqueeze_view_2((const float*)(buf3.data_ptr()), (const float*)(attention_in_proj_bias.data_ptr()), (float*)(buf4.data_ptr()), (float*)(buf5.data_ptr()), (float*)(buf6.data_ptr()));
    buf3.reset();
    // Topologically Sorted Source Nodes: [linear, unflatten, unsqueeze, transpose_2, squeeze, contiguous, select, view, transpose_3, view_3, select_1, view_1, transpose_4, view_4, select_2, view_2, transpose_5, view_5, scaled_dot_product_attention], Original ATen: [aten._unsafe_view, aten.add, aten.view, aten.unsqueeze, aten.transpose, aten.squeeze, aten.clone, aten.select, aten._scaled_dot_product_flash_attention_for_cpu]
    AtenTensorHandle buf8_handle;
    AtenTensorHandle buf9_handle;
    AOTI_TORCH_ERROR_CODE_CHECK(aoti_torch_cpu__scaled_dot_product_flash_attention_for_cpu(buf4, buf5, buf6, 0.0, 0, nullptr, nullptr, &buf8_handle, &buf9_handle));
    RAIIAtenTensorHandle buf8(buf8_handle);
    RAIIAtenTensorHandle buf9(buf9_handle);
    buf4.reset();
    buf5.reset();

    static constexpr int64_t int_array_12[] = {8L, };
    static constexpr int64_t int_array_13[] = {1L, };
    AtenTensorHandle buf10_handle;
    AOTI_TORCH_ERROR_CODE_CHECK(aoti_torch_empty_strided(1, int_array_12, int_array_13, cached_torch_dtype_float32, cached_torch_device_type_cpu, this->device_idx_, &buf10_handle));
    RAIIAtenTensorHandle buf10(buf10_handle);
    cpp_fused_3((float*)(buf10.data_ptr()));
    static constexpr int64_t int_array_14[] = {12L, 8L};
    static constexpr int64_t int_array_15[] = {8L, 1L};
    auto buf11 = wrap_with_raii_handle_if_needed(reinterpret_tensor_wrapper(buf6, 2, int_array_14, int_array_15, 0L)); buf6.reset();  // reuse
    // Topologically Sorted Source Nodes: [permute, view_6, linear_1], Original ATen: [aten.permute, aten.view, aten.t, aten.addmm]
    static constexpr int64_t int_array_16[] = {8L, 8L};
    AOTI_TORCH_ERROR_CODE_CHECK(aoti_torch_cpu_addmm_out(buf11, buf10, wrap_with_raii_handle_if_needed(reinterpret_tensor_wrapper(buf8, 2, int_array_6, int_array_7, 0L)), wrap_with_raii_handle_if_needed(reinterpret_tensor_wrapper(attention_out_proj_weight, 2, int_array_16, int_array_9, 0L)), 1L, 1L));
    buf10.reset();
    static constexpr int64_t int_array_17[] = {2L, 6L, 8L};
    static constexpr int64_t int_array_18[] = {48L, 8L, 1L};
    auto buf12 = wrap_with_raii_handle_if_needed(reinterpret_tensor_wrapper(buf8, 3, int_array_17, int_array_18, 0L)); buf8.reset();  // reuse
    cpp_fused_add_clone_embedding_relu_transpose_view_4((const float*)(buf1.data_ptr()), (const int64_t*)(arg10_1.data_ptr()), (const float*)(embedding_weight.data_ptr()), (const float*)(buf11.data_ptr()), (float*)(buf12.data_ptr()));
    buf1.reset();
    buf11.reset();
    static constexpr int64_t int_array_19[] = {12L, 5L};
    static constexpr int64_t int_array_20[] = {5L, 1L};
    AtenTensorHandle buf13_handle;
    AOTI_TORCH_ERROR_CODE_CHECK(aoti_torch_empty_strided(2, int_array_19, int_array_20, cached_torch_dtype_float32, cached_torch_device_type_cpu, this->device_idx_, &buf13_handle));
    RAIIAtenTensorHandle buf13(buf13_handle);
    // Topologically Sorted Source Nodes: [relu, transpose, embedding, add, view_7, transpose_6, add_1, linear_2], Original ATen: [aten.relu, aten.transpose, aten.embedding, aten.add, aten.view, aten.clone, aten._unsafe_view, aten.t, aten.mm]
    static constexpr int64_t int_array_21[] = {8L, 5L};
    AOTI_TORCH_ERROR_CODE_CHECK(aoti_torch_cpu_mm_out(buf13, wrap_with_raii_handle_if_needed(reinterpret_tensor_wrapper(buf12, 2, int_array_6, int_array_7, 0L)), wrap_with_raii_handle_if_needed(reinterpret_tensor_wrapper(head_weight, 2, int_array_21, int_array_9, 0L))));
    buf12.reset();
    static constexpr int64_t int_array_22[] = {2L, 6L, 1L};
    static constexpr int64_t int_array_23[] = {6L, 1L, 12L};
    AtenTensorHandle buf14_handle;
    AOTI_TORCH_ERROR_CODE_CHECK(aoti_torch_empty_strided(3, int_array_22, int_array_23, cached_torch_dtype_float32, cached_torch_device_type_cpu, this->device_idx_, &buf14_handle));
    RAIIAtenTensorHandle buf14(buf14_handle);
    static constexpr int64_t int_array_24[] = {2L, 6L, 5L};
    static constexpr int64_t int_array_25[] = {30L, 5L, 1L};
    AtenTensorHandle buf15_handle;
    AOTI_TORCH_ERROR_CODE_CHECK(aoti_torch_empty_strided(3, int_array_24, int_array_25, cached_torch_dtype_float32, cached_torch_device_type_cpu, this->device_idx_, &buf15_handle));
    RAIIAtenTensorHandle buf15(buf15_handle);
    static constexpr int64_t int_array_26[] = {2L, 6L, 1L};
    static constexpr int64_t int_array_27[] = {6L, 1L, 12L};
    AtenTensorHandle buf16_handle;
    AOTI_TORCH_ERROR_CODE_CHECK(aoti_torch_empty_strided(3, int_array_26, int_array_27, cached_torch_dtype_float32, cached_torch_device_type_cpu, this->device_idx_, &buf16_handle));
    RAIIAtenTensorHandle buf16(buf16_handle);
    AtenTensorHandle buf17_handle;
    AOTI_TORCH_ERROR_CODE_CHECK(aoti_torch_empty_strided(3, int_array_24, int_array_25, cached_torch_dtype_float32, cached_torch_device_type_cpu, this->device_idx_, &buf17_handle));
    RAIIAtenTensorHandle buf17(buf17_handle);
    static constexpr int64_t int_array_28[] = {2L, 6L};
    static constexpr int64_t int_array_29[] = {6L, 1L};
    AtenTensorHandle buf18_handle;
    AOTI_TORCH_ERROR_CODE_CHECK(aoti_torch_empty_strided(2, int_array_28, int_array_29, cached_torch_dtype_int64, cached_torch_device_type_cpu, this->device_idx_, &buf18_handle));
    RAIIAtenTensorHandle buf18(buf18_handle);
    cpp_fused__softmax__unsafe_view_add_argmax_5((const float*)(buf13.data_ptr()), (float*)(buf14.data_ptr()), (float*)(buf15.data_ptr()), (float*)(buf16.data_ptr()), (float*)(buf17.data_ptr()), (int64_t*)(buf18.data_ptr()));
    buf13.reset();
    buf14.reset();
    buf15.reset();
    buf16.reset();
    // Topologically Sorted Source Nodes: [cumsum], Original ATen: [aten.cumsum]
    int32_t var_0 = cached_torch_dtype_int64;
    AtenTensorHandle buf20_handle;
    AOTI_TORCH_ERROR_CODE_CHECK(aoti_torch_cpu_cumsum(arg10_1, -1L, &var_0, &buf20_handle));
    RAIIAtenTensorHandle buf20(buf20_handle);
    arg10_1.reset();
    output_handles[0] = buf17.release();
    output_handles[1] = buf18.release();
    output_handles[2] = buf20.release();
} // AOTInductorModel::run_impl
} // namespace torch::aot_inductor





#include <torch/csrc/inductor/cpp_prefix.h>
extern "C"  void  cpp_fused_0(float* out_ptr0)
{
    #pragma omp parallel
    {
        int tid = omp_get_thread_num();
        {
            #pragma omp for
            for(int64_t x0=static_cast<int64_t>(0L); x0<static_cast<int64_t>(8L); x0+=static_cast<int64_t>(8L))
            {
                {
                    if(C10_LIKELY(x0 >= static_cast<int64_t>(0) && x0 < static_cast<int64_t>(8L)))
                    {
                        auto tmp0 = x0;
                        auto tmp1 = c10::convert<int64_t>(tmp0);
                        auto tmp2 = at::vec::VectorizedN<int64_t,2>::arange(tmp1, 1);
                        auto tmp3 = static_cast<int64_t>(4);
                        auto tmp4 = at::vec::VectorizedN<int64_t,2>(tmp3);
                        auto tmp5 = at::vec::VecMask<int64_t,2>(tmp2 < tmp4);
                        auto tmp6 = static_cast<int64_t>(2);
                        auto tmp7 = at::vec::VectorizedN<int64_t,2>(tmp6);
                        auto tmp8 = at::vec::VecMask<int64_t,2>(tmp2 < tmp7);
                        auto tmp9 = static_cast<int64_t>(1);
                        auto tmp10 = at::vec::VectorizedN<int64_t,2>(tmp9);
                        auto tmp11 = at::vec::VecMask<int64_t,2>(tmp2 < tmp10);
                        auto tmp12 = static_cast<float>(0.18976281583309174);
                        auto tmp13 = static_cast<float>(0.10218706727027893);
                        auto tmp14 = at::vec::Vectorized<float>(tmp12);
                        auto tmp15 = at::vec::Vectorized<float>(tmp13);
                        auto tmp16 = decltype(tmp14)::blendv(tmp15, tmp14, tmp11.template cast<float,1>());
                        auto tmp17 = static_cast<int64_t>(3);
                        auto tmp18 = at::vec::VectorizedN<int64_t,2>(tmp17);
                        auto tmp19 = at::vec::VecMask<int64_t,2>(tmp2 < tmp18);
                        auto tmp20 = static_cast<float>(0.049507156014442444);
                        auto tmp21 = static_cast<float>(-0.08521785587072372);
                        auto tmp22 = at::vec::Vectorized<float>(tmp20);
                        auto tmp23 = at::vec::Vectorized<float>(tmp21);
                        auto tmp24 = decltype(tmp22)::blendv(tmp23, tmp22, tmp19.template cast<float,1>());
                        auto tmp25 = decltype(tmp16)::blendv(tmp24, tmp16, tmp8.template cast<float,1>());
                        auto tmp26 = static_cast<int64_t>(6);
                        auto tmp27 = at::vec::VectorizedN<int64_t,2>(tmp26);
                        auto tmp28 = at::vec::VecMask<int64_t,2>(tmp2 < tmp27);
                        auto tmp29 = static_cast<int64_t>(5);
                        auto tmp30 = at::vec::VectorizedN<int64_t,2>(tmp29);
                        auto tmp31 = at::vec::VecMask<int64_t,2>(tmp2 < tmp30);
                        auto tmp32 = static_cast<float>(0.03629874810576439);
                        auto tmp33 = static_cast<float>(0.020638637244701385);
                        auto tmp34 = at::vec::Vectorized<float>(tmp32);
                        auto tmp35 = at::vec::Vectorized<float>(tmp33);
                        auto tmp36 = decltype(tmp34)::blendv(tmp35, tmp34, tmp31.template cast<float,1>());
                        auto tmp37 = static_cast<int64_t>(7);
                        auto tmp38 = at::vec::VectorizedN<int64_t,2>(tmp37);
                        auto tmp39 = at::vec::VecMask<int64_t,2>(tmp2 < tmp38);
                        auto tmp40 = static_cast<float>(-0.16865964233875275);
                        auto tmp41 = static_cast<float>(0.004130838438868523);
                        auto tmp42 = at::vec::Vectorized<float>(tmp40);
                        auto tmp43 = at::vec::Vectorized<float>(tmp41);
                        auto tmp44 = decltype(tmp42)::blendv(tmp43, tmp42, tmp39.template cast<float,1>());
                        auto tmp45 = decltype(tmp36)::blendv(tmp44, tmp36, tmp28.template cast<float,1>());
                        auto tmp46 = decltype(tmp25)::blendv(tmp45, tmp25, tmp5.template cast<float,1>());
                        tmp46.store(out_ptr0 + static_cast<int64_t>(x0));
                    }
                }
            }
        }
    }
}

#include <torch/csrc/inductor/cpp_prefix.h>
extern "C"  void  cpp_fused_add_clone_embedding_relu_transpose_1(const float* in_ptr0,
                       const int64_t* in_ptr1,
                       const float* in_ptr2,
                       float* out_ptr0)
{
    #pragma omp parallel
    {
        int tid = omp_get_thread_num();
        {
            #pragma omp for
            for(int64_t x0=static_cast<int64_t>(0L); x0<static_cast<int64_t>(2L); x0+=static_cast<int64_t>(1L))
            {
                for(int64_t x1=static_cast<int64_t>(0L); x1<static_cast<int64_t>(6L); x1+=static_cast<int64_t>(8L))
                {
                    for(int64_t x2=static_cast<int64_t>(0L); x2<static_cast<int64_t>(8L); x2+=static_cast<int64_t>(8L))
                    {
                        {
                            if(C10_LIKELY(x1 >= static_cast<int64_t>(0L) && x1 < static_cast<int64_t>(6L) && x2 >= static_cast<int64_t>(0) && x2 < static_cast<int64_t>(8L)))
                            {
                                alignas(std::max(std::size_t(8), alignof(float))) float tmp0[8*8];
                                transpose_mxn<float,static_cast<int64_t>(8),static_cast<int64_t>(6L),false>(in_ptr0 + static_cast<int64_t>(x1 + 6L*x2 + 48L*x0), static_cast<int64_t>(6L), tmp0, static_cast<int64_t>(8));
                                for (long x1_inner = 0; x1_inner < static_cast<int64_t>(6L); x1_inner++)
                                {
                                    auto tmp1 = at::vec::Vectorized<float>::loadu(tmp0 + static_cast<int64_t>(8L*x1_inner), static_cast<int64_t>(8));
                                    auto tmp3 = in_ptr1[static_cast<int64_t>(x1 + x1_inner + 6L*x0)];
                                    auto tmp2 = at::vec::clamp_min(tmp1, decltype(tmp1)(0));
                                    auto tmp4 = 11L;
                                    auto tmp5 = c10::convert<int64_t>(tmp4);
                                    auto tmp6 = int64_t(tmp3 + tmp5);
                                    auto tmp7 = tmp3 < 0;
                                    auto tmp8 = tmp7 ? tmp6 : tmp3;
                                    auto tmp9 = tmp8;
                                    auto tmp10 = c10::convert<int64_t>(tmp9);
                                    AOTI_TORCH_CHECK((0 <= tmp10) & (tmp10 < 11L), "index out of bounds: 0 <= tmp10 < 11L");
                                    auto tmp12 = at::vec::Vectorized<float>::loadu(in_ptr2 + static_cast<int64_t>(x2 + 8L*tmp8), static_cast<int64_t>(8));
                                    auto tmp13 = tmp2 + tmp12;
                                    tmp13.store(out_ptr0 + static_cast<int64_t>(x2 + 8L*x0 + 16L*x1 + 16L*x1_inner));
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

#include <torch/csrc/inductor/cpp_prefix.h>
extern "C"  void  cpp_fused__scaled_dot_product_flash_attention_for_cpu__unsafe_view_add_clone_select_squeeze_transpose_unsqueeze_view_2(const float* in_ptr0,
                       const float* in_ptr1,
                       float* out_ptr0,
                       float* out_ptr1,
                       float* out_ptr2)
{
    #pragma omp parallel
    {
        int tid = omp_get_thread_num();
        {
            #pragma omp for
            for(int64_t x0=static_cast<int64_t>(0L); x0<static_cast<int64_t>(12L); x0+=static_cast<int64_t>(1L))
            {
                for(int64_t x1=static_cast<int64_t>(0L); x1<static_cast<int64_t>(8L); x1+=static_cast<int64_t>(8L))
                {
                    {
                        if(C10_LIKELY(x1 >= static_cast<int64_t>(0) && x1 < static_cast<int64_t>(8L)))
                        {
                            auto tmp0 = at::vec::Vectorized<float>::loadu(in_ptr0 + static_cast<int64_t>(x1 + 24L*x0), static_cast<int64_t>(8));
                            auto tmp1 = at::vec::Vectorized<float>::loadu(in_ptr1 + static_cast<int64_t>(x1), static_cast<int64_t>(8));
                            auto tmp2 = tmp0 + tmp1;
                            tmp2.store(out_ptr0 + static_cast<int64_t>(x1 + 8L*x0));
                        }
                    }
                }
            }
        }
        {
            #pragma omp for
            for(int64_t x0=static_cast<int64_t>(0L); x0<static_cast<int64_t>(12L); x0+=static_cast<int64_t>(1L))
            {
                for(int64_t x1=static_cast<int64_t>(0L); x1<static_cast<int64_t>(8L); x1+=static_cast<int64_t>(8L))
                {
                    {
                        if(C10_LIKELY(x1 >= static_cast<int64_t>(0) && x1 < static_cast<int64_t>(8L)))
                        {
                            auto tmp0 = at::vec::Vectorized<float>::loadu(in_ptr0 + static_cast<int64_t>(8L + x1 + 24L*x0), static_cast<int64_t>(8));
                            auto tmp1 = at::vec::Vectorized<float>::loadu(in_ptr1 + static_cast<int64_t>(8L + x1), static_cast<int64_t>(8));
                            auto tmp2 = tmp0 + tmp1;
                            tmp2.store(out_ptr1 + static_cast<int64_t>(x1 + 8L*x0));
                        }
                    }
                }
            }
        }
        {
            #pragma omp for
            for(int64_t x0=static_cast<int64_t>(0L); x0<static_cast<int64_t>(12L); x0+=static_cast<int64_t>(1L))
            {
                for(int64_t x1=static_cast<int64_t>(0L); x1<static_cast<int64_t>(8L); x1+=static_cast<int64_t>(8L))
                {
                    {
                        if(C10_LIKELY(x1 >= static_cast<int64_t>(0) && x1 < static_cast<int64_t>(8L)))
                        {
                            auto tmp0 = at::vec::Vectorized<float>::loadu(in_ptr0 + static_cast<int64_t>(16L + x1 + 24L*x0), static_cast<int64_t>(8));
                            auto tmp1 = at::vec::Vectorized<float>::loadu(in_ptr1 + static_cast<int64_t>(16L + x1), static_cast<int64_t>(8));
                            auto tmp2 = tmp0 + tmp1;
                            tmp2.store(out_ptr2 + static_cast<int64_t>(x1 + 8L*x0));
                        }
                    }
                }
            }
        }
    }
}

#include <torch/csrc/inductor/cpp_prefix.h>
extern "C"  void  cpp_fused_3(float* out_ptr0)
{
    #pragma omp parallel
    {
        int tid = omp_get_thread_num();
        {
            #pragma omp for
            for(int64_t x0=static_cast<int64_t>(0L); x0<static_cast<int64_t>(8L); x0+=static_cast<int64_t>(8L))
            {
                {
                    if(C10_LIKELY(x0 >= static_cast<int64_t>(0) && x0 < static_cast<int64_t>(8L)))
                    {
                        auto tmp0 = x0;
                        auto tmp1 = c10::convert<int64_t>(tmp0);
                        auto tmp2 = at::vec::VectorizedN<int64_t,2>::arange(tmp1, 1);
                        auto tmp3 = static_cast<int64_t>(4);
                        auto tmp4 = at::vec::VectorizedN<int64_t,2>(tmp3);
                        auto tmp5 = at::vec::VecMask<int64_t,2>(tmp2 < tmp4);
                        auto tmp6 = static_cast<int64_t>(2);
                        auto tmp7 = at::vec::VectorizedN<int64_t,2>(tmp6);
                        auto tmp8 = at::vec::VecMask<int64_t,2>(tmp2 < tmp7);
                        auto tmp9 = static_cast<int64_t>(1);
                        auto tmp10 = at::vec::VectorizedN<int64_t,2>(tmp9);
                        auto tmp11 = at::vec::VecMask<int64_t,2>(tmp2 < tmp10);
                        auto tmp12 = static_cast<float>(0.0);
                        auto tmp13 = at::vec::Vectorized<float>(tmp12);
                        auto tmp14 = decltype(tmp13)::blendv(tmp13, tmp13, tmp11.template cast<float,1>());
                        auto tmp15 = static_cast<int64_t>(3);
                        auto tmp16 = at::vec::VectorizedN<int64_t,2>(tmp15);
                        auto tmp17 = at::vec::VecMask<int64_t,2>(tmp2 < tmp16);
                        auto tmp18 = decltype(tmp13)::blendv(tmp13, tmp13, tmp17.template cast<float,1>());
                        auto tmp19 = decltype(tmp14)::blendv(tmp18, tmp14, tmp8.template cast<float,1>());
                        auto tmp20 = static_cast<int64_t>(6);
                        auto tmp21 = at::vec::VectorizedN<int64_t,2>(tmp20);
                        auto tmp22 = at::vec::VecMask<int64_t,2>(tmp2 < tmp21);
                        auto tmp23 = static_cast<int64_t>(5);
                        auto tmp24 = at::vec::VectorizedN<int64_t,2>(tmp23);
                        auto tmp25 = at::vec::VecMask<int64_t,2>(tmp2 < tmp24);
                        auto tmp26 = decltype(tmp13)::blendv(tmp13, tmp13, tmp25.template cast<float,1>());
                        auto tmp27 = static_cast<int64_t>(7);
                        auto tmp28 = at::vec::VectorizedN<int64_t,2>(tmp27);
                        auto tmp29 = at::vec::VecMask<int64_t,2>(tmp2 < tmp28);
                        auto tmp30 = decltype(tmp13)::blendv(tmp13, tmp13, tmp29.template cast<float,1>());
                        auto tmp31 = decltype(tmp26)::blendv(tmp30, tmp26, tmp22.template cast<float,1>());
                        auto tmp32 = decltype(tmp19)::blendv(tmp31, tmp19, tmp5.template cast<float,1>());
                        tmp32.store(out_ptr0 + static_cast<int64_t>(x0));
                    }
                }
            }
        }
    }
}

#include <torch/csrc/inductor/cpp_prefix.h>
extern "C"  void  cpp_fused_add_clone_embedding_relu_transpose_view_4(const float* in_ptr0,
                       const int64_t* in_ptr1,
                       const float* in_ptr2,
                       const float* in_ptr3,
                       float* out_ptr0)
{
    #pragma omp parallel
    {
        int tid = omp_get_thread_num();
        {
            #pragma omp for
            for(int64_t x0=static_cast<int64_t>(0L); x0<static_cast<int64_t>(2L); x0+=static_cast<int64_t>(1L))
            {
                for(int64_t x1=static_cast<int64_t>(0L); x1<static_cast<int64_t>(6L); x1+=static_cast<int64_t>(8L))
                {
                    for(int64_t x2=static_cast<int64_t>(0L); x2<static_cast<int64_t>(8L); x2+=static_cast<int64_t>(8L))
                    {
                        {
                            if(C10_LIKELY(x1 >= static_cast<int64_t>(0L) && x1 < static_cast<int64_t>(6L) && x2 >= static_cast<int64_t>(0) && x2 < static_cast<int64_t>(8L)))
                            {
                                alignas(std::max(std::size_t(8), alignof(float))) float tmp0[8*8];
                                transpose_mxn<float,static_cast<int64_t>(8),static_cast<int64_t>(6L),false>(in_ptr0 + static_cast<int64_t>(x1 + 6L*x2 + 48L*x0), static_cast<int64_t>(6L), tmp0, static_cast<int64_t>(8));
                                for (long x1_inner = 0; x1_inner < static_cast<int64_t>(6L); x1_inner++)
                                {
                                    auto tmp1 = at::vec::Vectorized<float>::loadu(tmp0 + static_cast<int64_t>(8L*x1_inner), static_cast<int64_t>(8));
                                    auto tmp3 = in_ptr1[static_cast<int64_t>(x1 + x1_inner + 6L*x0)];
                                    auto tmp14 = at::vec::Vectorized<float>::loadu(in_ptr3 + static_cast<int64_t>(x2 + 8L*x0 + 16L*x1 + 16L*x1_inner), static_cast<int64_t>(8));
                                    auto tmp2 = at::vec::clamp_min(tmp1, decltype(tmp1)(0));
                                    auto tmp4 = 11L;
                                    auto tmp5 = c10::convert<int64_t>(tmp4);
                                    auto tmp6 = int64_t(tmp3 + tmp5);
                                    auto tmp7 = tmp3 < 0;
                                    auto tmp8 = tmp7 ? tmp6 : tmp3;
                                    auto tmp9 = tmp8;
                                    auto tmp10 = c10::convert<int64_t>(tmp9);
                                    AOTI_TORCH_CHECK((0 <= tmp10) & (tmp10 < 11L), "index out of bounds: 0 <= tmp10 < 11L");
                                    auto tmp12 = at::vec::Vectorized<float>::loadu(in_ptr2 + static_cast<int64_t>(x2 + 8L*tmp8), static_cast<int64_t>(8));
                                    auto tmp13 = tmp2 + tmp12;
                                    auto tmp15 = tmp13 + tmp14;
                                    tmp15.store(out_ptr0 + static_cast<int64_t>(x2 + 8L*x1 + 8L*x1_inner + 48L*x0));
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

#include <torch/csrc/inductor/cpp_prefix.h>
extern "C"  void  cpp_fused__softmax__unsafe_view_add_argmax_5(const float* in_ptr0,
                       float* out_ptr0,
                       float* out_ptr1,
                       float* out_ptr2,
                       float* out_ptr3,
                       int64_t* out_ptr4)
{
    #pragma omp parallel
    {
        int tid = omp_get_thread_num();
        {
            #pragma omp for
            for(int64_t x0=static_cast<int64_t>(0L); x0<static_cast<int64_t>(12L); x0+=static_cast<int64_t>(8L))
            {
                {
                    if(C10_LIKELY(x0 >= static_cast<int64_t>(0) && x0 < static_cast<int64_t>(8L)))
                    {
                        auto tmp0 =
                        [&]
                        {
                            __at_align__ std::array<float, 8> tmpbuf;
                            #pragma unroll 8
                            for (long x0_inner = 0; x0_inner < static_cast<int64_t>(8); x0_inner++)
                            {
                                tmpbuf[x0_inner] = in_ptr0[static_cast<int64_t>(5L*x0 + 5L*x0_inner)];
                            }
                            return at::vec::Vectorized<float>::loadu(tmpbuf.data(), static_cast<int64_t>(8));
                        }
                        ()
                        ;
                        auto tmp21 =
                        [&]
                        {
                            __at_align__ std::array<float, 8> tmpbuf;
                            #pragma unroll 8
                            for (long x0_inner = 0; x0_inner < static_cast<int64_t>(8); x0_inner++)
                            {
                                tmpbuf[x0_inner] = in_ptr0[static_cast<int64_t>(1L + 5L*x0 + 5L*x0_inner)];
                            }
                            return at::vec::Vectorized<float>::loadu(tmpbuf.data(), static_cast<int64_t>(8));
                        }
                        ()
                        ;
                        auto tmp33 =
                        [&]
                        {
                            __at_align__ std::array<float, 8> tmpbuf;
                            #pragma unroll 8
                            for (long x0_inner = 0; x0_inner < static_cast<int64_t>(8); x0_inner++)
                            {
                                tmpbuf[x0_inner] = in_ptr0[static_cast<int64_t>(2L + 5L*x0 + 5L*x0_inner)];
                            }
                            return at::vec::Vectorized<float>::loadu(tmpbuf.data(), static_cast<int64_t>(8));
                        }
                        ()
                        ;
                        auto tmp45 =
                        [&]
                        {
                            __at_align__ std::array<float, 8> tmpbuf;
                            #pragma unroll 8
                            for (long x0_inner = 0; x0_inner < static_cast<int64_t>(8); x0_inner++)
                            {
                                tmpbuf[x0_inner] = in_ptr0[static_cast<int64_t>(3L + 5L*x0 + 5L*x0_inner)];
                            }
                            return at::vec::Vectorized<float>::loadu(tmpbuf.data(), static_cast<int64_t>(8));
                        }
                        ()
                        ;
                        auto tmp57 =
                        [&]
                        {
                            __at_align__ std::array<float, 8> tmpbuf;
                            #pragma unroll 8
                            for (long x0_inner = 0; x0_inner < static_cast<int64_t>(8); x0_inner++)
                            {
                                tmpbuf[x0_inner] = in_ptr0[static_cast<int64_t>(4L + 5L*x0 + 5L*x0_inner)];
                            }
                            return at::vec::Vectorized<float>::loadu(tmpbuf.data(), static_cast<int64_t>(8));
                        }
                        ()
                        ;
                        auto tmp1 = static_cast<int64_t>(0);
                        auto tmp2 = static_cast<int64_t>(2);
                        auto tmp3 = tmp1 < tmp2;
                        auto tmp4 = static_cast<int64_t>(1);
                        auto tmp5 = tmp1 < tmp4;
                        auto tmp6 = static_cast<float>(0.31393733620643616);
                        auto tmp7 = static_cast<float>(0.2439737766981125);
                        auto tmp8 = tmp5 ? tmp6 : tmp7;
                        auto tmp9 = static_cast<int64_t>(3);
                        auto tmp10 = tmp1 < tmp9;
                        auto tmp11 = static_cast<int64_t>(4);
                        auto tmp12 = tmp1 < tmp11;
                        auto tmp13 = static_cast<float>(0.2440001517534256);
                        auto tmp14 = static_cast<float>(-0.07620381563901901);
                        auto tmp15 = tmp12 ? tmp13 : tmp14;
                        auto tmp16 = static_cast<float>(0.024790987372398376);
                        auto tmp17 = tmp10 ? tmp16 : tmp15;
                        auto tmp18 = tmp3 ? tmp8 : tmp17;
                        auto tmp19 = at::vec::Vectorized<float>(tmp18);
                        auto tmp20 = tmp0 + tmp19;
                        auto tmp22 = tmp4 < tmp2;
                        auto tmp23 = tmp4 < tmp4;
                        auto tmp24 = tmp23 ? tmp6 : tmp7;
                        auto tmp25 = tmp4 < tmp9;
                        auto tmp26 = tmp4 < tmp11;
                        auto tmp27 = tmp26 ? tmp13 : tmp14;
                        auto tmp28 = tmp25 ? tmp16 : tmp27;
                        auto tmp29 = tmp22 ? tmp24 : tmp28;
                        auto tmp30 = at::vec::Vectorized<float>(tmp29);
                        auto tmp31 = tmp21 + tmp30;
                        auto tmp32 = at::vec::maximum(tmp20, tmp31);
                        auto tmp34 = tmp2 < tmp2;
                        auto tmp35 = tmp2 < tmp4;
                        auto tmp36 = tmp35 ? tmp6 : tmp7;
                        auto tmp37 = tmp2 < tmp9;
                        auto tmp38 = tmp2 < tmp11;
                        auto tmp39 = tmp38 ? tmp13 : tmp14;
                        auto tmp40 = tmp37 ? tmp16 : tmp39;
                        auto tmp41 = tmp34 ? tmp36 : tmp40;
                        auto tmp42 = at::vec::Vectorized<float>(tmp41);
                        auto tmp43 = tmp33 + tmp42;
                        auto tmp44 = at::vec::maximum(tmp32, tmp43);
                        auto tmp46 = tmp9 < tmp2;
                        auto tmp47 = tmp9 < tmp4;
                        auto tmp48 = tmp47 ? tmp6 : tmp7;
                        auto tmp49 = tmp9 < tmp9;
                        auto tmp50 = tmp9 < tmp11;
                        auto tmp51 = tmp50 ? tmp13 : tmp14;
                        auto tmp52 = tmp49 ? tmp16 : tmp51;
                        auto tmp53 = tmp46 ? tmp48 : tmp52;
                        auto tmp54 = at::vec::Vectorized<float>(tmp53);
                        auto tmp55 = tmp45 + tmp54;
                        auto tmp56 = at::vec::maximum(tmp44, tmp55);
                        auto tmp58 = tmp11 < tmp2;
                        auto tmp59 = tmp11 < tmp4;
                        auto tmp60 = tmp59 ? tmp6 : tmp7;
                        auto tmp61 = tmp11 < tmp9;
                        auto tmp62 = tmp11 < tmp11;
                        auto tmp63 = tmp62 ? tmp13 : tmp14;
                        auto tmp64 = tmp61 ? tmp16 : tmp63;
                        auto tmp65 = tmp58 ? tmp60 : tmp64;
                        auto tmp66 = at::vec::Vectorized<float>(tmp65);
                        auto tmp67 = tmp57 + tmp66;
                        auto tmp68 = at::vec::maximum(tmp56, tmp67);
                        tmp68.store(out_ptr0 + static_cast<int64_t>(x0));
                    }
                    if(C10_UNLIKELY(x0 >= static_cast<int64_t>(8L) && x0 < static_cast<int64_t>(12L)))
                    {
                        auto tmp0 =
                        [&]
                        {
                            __at_align__ std::array<float, 8> tmpbuf;
                            #pragma unroll 8
                            for (long x0_inner = 0; x0_inner < static_cast<int64_t>(4L); x0_inner++)
                            {
                                tmpbuf[x0_inner] = in_ptr0[static_cast<int64_t>(5L*x0 + 5L*x0_inner)];
                            }
                            return at::vec::Vectorized<float>::loadu(tmpbuf.data(), static_cast<int64_t>(4L));
                        }
                        ()
                        ;
                        auto tmp21 =
                        [&]
                        {
                            __at_align__ std::array<float, 8> tmpbuf;
                            #pragma unroll 8
                            for (long x0_inner = 0; x0_inner < static_cast<int64_t>(4L); x0_inner++)
                            {
                                tmpbuf[x0_inner] = in_ptr0[static_cast<int64_t>(1L + 5L*x0 + 5L*x0_inner)];
                            }
                            return at::vec::Vectorized<float>::loadu(tmpbuf.data(), static_cast<int64_t>(4L));
                        }
                        ()
                        ;
                        auto tmp33 =
                        [&]
                        {
                            __at_align__ std::array<float, 8> tmpbuf;
                            #pragma unroll 8
                            for (long x0_inner = 0; x0_inner < static_cast<int64_t>(4L); x0_inner++)
                            {
                                tmpbuf[x0_inner] = in_ptr0[static_cast<int64_t>(2L + 5L*x0 + 5L*x0_inner)];
                            }
                            return at::vec::Vectorized<float>::loadu(tmpbuf.data(), static_cast<int64_t>(4L));
                        }
                        ()
                        ;
                        auto tmp45 =
                        [&]
                        {
                            __at_align__ std::array<float, 8> tmpbuf;
                            #pragma unroll 8
                            for (long x0_inner = 0; x0_inner < static_cast<int64_t>(4L); x0_inner++)
                            {
                                tmpbuf[x0_inner] = in_ptr0[static_cast<int64_t>(3L + 5L*x0 + 5L*x0_inner)];
                            }
                            return at::vec::Vectorized<float>::loadu(tmpbuf.data(), static_cast<int64_t>(4L));
                        }
                        ()
                        ;
                        auto tmp57 =
                        [&]
                        {
                            __at_align__ std::array<float, 8> tmpbuf;
                            #pragma unroll 8
                            for (long x0_inner = 0; x0_inner < static_cast<int64_t>(4L); x0_inner++)
                            {
                                tmpbuf[x0_inner] = in_ptr0[static_cast<int64_t>(4L + 5L*x0 + 5L*x0_inner)];
                            }
                            return at::vec::Vectorized<float>::loadu(tmpbuf.data(), static_cast<int64_t>(4L));
                        }
                        ()
                        ;
                        auto tmp1 = static_cast<int64_t>(0);
                        auto tmp2 = static_cast<int64_t>(2);
                        auto tmp3 = tmp1 < tmp2;
                        auto tmp4 = static_cast<int64_t>(1);
                        auto tmp5 = tmp1 < tmp4;
                        auto tmp6 = static_cast<float>(0.31393733620643616);
                        auto tmp7 = static_cast<float>(0.2439737766981125);
                        auto tmp8 = tmp5 ? tmp6 : tmp7;
                        auto tmp9 = static_cast<int64_t>(3);
                        auto tmp10 = tmp1 < tmp9;
                        auto tmp11 = static_cast<int64_t>(4);
                        auto tmp12 = tmp1 < tmp11;
                        auto tmp13 = static_cast<float>(0.2440001517534256);
                        auto tmp14 = static_cast<float>(-0.07620381563901901);
                        auto tmp15 = tmp12 ? tmp13 : tmp14;
                        auto tmp16 = static_cast<float>(0.024790987372398376);
                        auto tmp17 = tmp10 ? tmp16 : tmp15;
                        auto tmp18 = tmp3 ? tmp8 : tmp17;
                        auto tmp19 = at::vec::Vectorized<float>(tmp18);
                        auto tmp20 = tmp0 + tmp19;
                        auto tmp22 = tmp4 < tmp2;
                        auto tmp23 = tmp4 < tmp4;
                        auto tmp24 = tmp23 ? tmp6 : tmp7;
                        auto tmp25 = tmp4 < tmp9;
                        auto tmp26 = tmp4 < tmp11;
                        auto tmp27 = tmp26 ? tmp13 : tmp14;
                        auto tmp28 = tmp25 ? tmp16 : tmp27;
                        auto tmp29 = tmp22 ? tmp24 : tmp28;
                        auto tmp30 = at::vec::Vectorized<float>(tmp29);
                        auto tmp31 = tmp21 + tmp30;
                        auto tmp32 = at::vec::maximum(tmp20, tmp31);
                        auto tmp34 = tmp2 < tmp2;
                        auto tmp35 = tmp2 < tmp4;
                        auto tmp36 = tmp35 ? tmp6 : tmp7;
                        auto tmp37 = tmp2 < tmp9;
                        auto tmp38 = tmp2 < tmp11;
                        auto tmp39 = tmp38 ? tmp13 : tmp14;
                        auto tmp40 = tmp37 ? tmp16 : tmp39;
                        auto tmp41 = tmp34 ? tmp36 : tmp40;
                        auto tmp42 = at::vec::Vectorized<float>(tmp41);
                        auto tmp43 = tmp33 + tmp42;
                        auto tmp44 = at::vec::maximum(tmp32, tmp43);
                        auto tmp46 = tmp9 < tmp2;
                        auto tmp47 = tmp9 < tmp4;
                        auto tmp48 = tmp47 ? tmp6 : tmp7;
                        auto tmp49 = tmp9 < tmp9;
                        auto tmp50 = tmp9 < tmp11;
                        auto tmp51 = tmp50 ? tmp13 : tmp14;
                        auto tmp52 = tmp49 ? tmp16 : tmp51;
                        auto tmp53 = tmp46 ? tmp48 : tmp52;
                        auto tmp54 = at::vec::Vectorized<float>(tmp53);
                        auto tmp55 = tmp45 + tmp54;
                        auto tmp56 = at::vec::maximum(tmp44, tmp55);
                        auto tmp58 = tmp11 < tmp2;
                        auto tmp59 = tmp11 < tmp4;
                        auto tmp60 = tmp59 ? tmp6 : tmp7;
                        auto tmp61 = tmp11 < tmp9;
                        auto tmp62 = tmp11 < tmp11;
                        auto tmp63 = tmp62 ? tmp13 : tmp14;
                        auto tmp64 = tmp61 ? tmp16 : tmp63;
                        auto tmp65 = tmp58 ? tmp60 : tmp64;
                        auto tmp66 = at::vec::Vectorized<float>(tmp65);
                        auto tmp67 = tmp57 + tmp66;
                        auto tmp68 = at::vec::maximum(tmp56, tmp67);
                        tmp68.store(out_ptr0 + static_cast<int64_t>(x0), static_cast<int64_t>(4L));
                    }
                }
            }
        }
        {
            #pragma omp for
            for(int64_t x0=static_cast<int64_t>(0L); x0<static_cast<int64_t>(12L); x0+=static_cast<int64_t>(1L))
            {
                for(int64_t x1=static_cast<int64_t>(0L); x1<static_cast<int64_t>(5L); x1+=static_cast<int64_t>(8L))
                {
                    {
                        if(C10_LIKELY(x1 >= static_cast<int64_t>(0L) && x1 < static_cast<int64_t>(5L)))
                        {
                            auto tmp0 = at::vec::Vectorized<float>::loadu(in_ptr0 + static_cast<int64_t>(x1 + 5L*x0), static_cast<int64_t>(5L));
                            auto tmp31 = out_ptr0[static_cast<int64_t>(x0)];
                            auto tmp1 = x1;
                            auto tmp2 = c10::convert<int64_t>(tmp1);
                            auto tmp3 = at::vec::VectorizedN<int64_t,2>::arange(tmp2, 1);
                            auto tmp4 = static_cast<int64_t>(2);
                            auto tmp5 = at::vec::VectorizedN<int64_t,2>(tmp4);
                            auto tmp6 = at::vec::VecMask<int64_t,2>(tmp3 < tmp5);
                            auto tmp7 = static_cast<int64_t>(1);
                            auto tmp8 = at::vec::VectorizedN<int64_t,2>(tmp7);
                            auto tmp9 = at::vec::VecMask<int64_t,2>(tmp3 < tmp8);
                            auto tmp10 = static_cast<float>(0.31393733620643616);
                            auto tmp11 = static_cast<float>(0.2439737766981125);
                            auto tmp12 = at::vec::Vectorized<float>(tmp10);
                            auto tmp13 = at::vec::Vectorized<float>(tmp11);
                            auto tmp14 = decltype(tmp12)::blendv(tmp13, tmp12, tmp9.template cast<float,1>());
                            auto tmp15 = static_cast<int64_t>(3);
                            auto tmp16 = at::vec::VectorizedN<int64_t,2>(tmp15);
                            auto tmp17 = at::vec::VecMask<int64_t,2>(tmp3 < tmp16);
                            auto tmp18 = static_cast<int64_t>(4);
                            auto tmp19 = at::vec::VectorizedN<int64_t,2>(tmp18);
                            auto tmp20 = at::vec::VecMask<int64_t,2>(tmp3 < tmp19);
                            auto tmp21 = static_cast<float>(0.2440001517534256);
                            auto tmp22 = static_cast<float>(-0.07620381563901901);
                            auto tmp23 = at::vec::Vectorized<float>(tmp21);
                            auto tmp24 = at::vec::Vectorized<float>(tmp22);
                            auto tmp25 = decltype(tmp23)::blendv(tmp24, tmp23, tmp20.template cast<float,1>());
                            auto tmp26 = static_cast<float>(0.024790987372398376);
                            auto tmp27 = at::vec::Vectorized<float>(tmp26);
                            auto tmp28 = decltype(tmp27)::blendv(tmp25, tmp27, tmp17.template cast<float,1>());
                            auto tmp29 = decltype(tmp14)::blendv(tmp28, tmp14, tmp6.template cast<float,1>());
                            auto tmp30 = tmp0 + tmp29;
                            auto tmp32 = at::vec::Vectorized<float>(tmp31);
                            auto tmp33 = tmp30 - tmp32;
                            auto tmp34 = tmp33.exp();
                            tmp34.store(out_ptr1 + static_cast<int64_t>(x1 + 5L*x0), static_cast<int64_t>(5L));
                        }
                    }
                }
            }
        }
        {
            #pragma omp for
            for(int64_t x0=static_cast<int64_t>(0L); x0<static_cast<int64_t>(12L); x0+=static_cast<int64_t>(1L))
            {
                {
                    {
                        auto tmp0 = out_ptr1[static_cast<int64_t>(5L*x0)];
                        auto tmp1 = out_ptr1[static_cast<int64_t>(1L + 5L*x0)];
                        auto tmp3 = out_ptr1[static_cast<int64_t>(2L + 5L*x0)];
                        auto tmp5 = out_ptr1[static_cast<int64_t>(3L + 5L*x0)];
                        auto tmp7 = out_ptr1[static_cast<int64_t>(4L + 5L*x0)];
                        auto tmp2 = float(tmp0 + tmp1);
                        auto tmp4 = float(tmp2 + tmp3);
                        auto tmp6 = float(tmp4 + tmp5);
                        auto tmp8 = float(tmp6 + tmp7);
                        out_ptr2[static_cast<int64_t>(x0)] = tmp8;
                    }
                }
                for(int64_t x1=static_cast<int64_t>(0L); x1<static_cast<int64_t>(5L); x1+=static_cast<int64_t>(8L))
                {
                    {
                        if(C10_LIKELY(x1 >= static_cast<int64_t>(0L) && x1 < static_cast<int64_t>(5L)))
                        {
                            auto tmp0 = at::vec::Vectorized<float>::loadu(out_ptr1 + static_cast<int64_t>(x1 + 5L*x0), static_cast<int64_t>(5L));
                            auto tmp1 = out_ptr2[static_cast<int64_t>(x0)];
                            auto tmp2 = at::vec::Vectorized<float>(tmp1);
                            auto tmp3 = tmp0 / tmp2;
                            tmp3.store(out_ptr3 + static_cast<int64_t>(x1 + 5L*x0), static_cast<int64_t>(5L));
                        }
                    }
                }
            }
        }
        {
            #pragma omp for
            for(int64_t x0=static_cast<int64_t>(0L); x0<static_cast<int64_t>(12L); x0+=static_cast<int64_t>(8L))
            {
                {
                    if(C10_LIKELY(x0 >= static_cast<int64_t>(0) && x0 < static_cast<int64_t>(8L)))
                    {
                        auto tmp0 =
                        [&]
                        {
                            __at_align__ std::array<float, 8> tmpbuf;
                            #pragma unroll 8
                            for (long x0_inner = 0; x0_inner < static_cast<int64_t>(8); x0_inner++)
                            {
                                tmpbuf[x0_inner] = out_ptr3[static_cast<int64_t>(5L*x0 + 5L*x0_inner)];
                            }
                            return at::vec::Vectorized<float>::loadu(tmpbuf.data(), static_cast<int64_t>(8));
                        }
                        ()
                        ;
                        auto tmp1 =
                        [&]
                        {
                            __at_align__ std::array<float, 8> tmpbuf;
                            #pragma unroll 8
                            for (long x0_inner = 0; x0_inner < static_cast<int64_t>(8); x0_inner++)
                            {
                                tmpbuf[x0_inner] = out_ptr3[static_cast<int64_t>(1L + 5L*x0 + 5L*x0_inner)];
                            }
                            return at::vec::Vectorized<float>::loadu(tmpbuf.data(), static_cast<int64_t>(8));
                        }
                        ()
                        ;
                        auto tmp30 =
                        [&]
                        {
                            __at_align__ std::array<float, 8> tmpbuf;
                            #pragma unroll 8
                            for (long x0_inner = 0; x0_inner < static_cast<int64_t>(8); x0_inner++)
                            {
                                tmpbuf[x0_inner] = out_ptr3[static_cast<int64_t>(2L + 5L*x0 + 5L*x0_inner)];
                            }
                            return at::vec::Vectorized<float>::loadu(tmpbuf.data(), static_cast<int64_t>(8));
                        }
                        ()
                        ;
                        auto tmp56 =
                        [&]
                        {
                            __at_align__ std::array<float, 8> tmpbuf;
                            #pragma unroll 8
                            for (long x0_inner = 0; x0_inner < static_cast<int64_t>(8); x0_inner++)
                            {
                                tmpbuf[x0_inner] = out_ptr3[static_cast<int64_t>(3L + 5L*x0 + 5L*x0_inner)];
                            }
                            return at::vec::Vectorized<float>::loadu(tmpbuf.data(), static_cast<int64_t>(8));
                        }
                        ()
                        ;
                        auto tmp82 =
                        [&]
                        {
                            __at_align__ std::array<float, 8> tmpbuf;
                            #pragma unroll 8
                            for (long x0_inner = 0; x0_inner < static_cast<int64_t>(8); x0_inner++)
                            {
                                tmpbuf[x0_inner] = out_ptr3[static_cast<int64_t>(4L + 5L*x0 + 5L*x0_inner)];
                            }
                            return at::vec::Vectorized<float>::loadu(tmpbuf.data(), static_cast<int64_t>(8));
                        }
                        ()
                        ;
                        auto tmp2 = at::vec::VecMask<float,1>(tmp0 > tmp1);
                        auto tmp3 = at::vec::VecMask<float,1>(tmp0 == tmp1);
                        auto tmp4 = at::vec::VecMask<float,1>(tmp0 != tmp0);
                        auto tmp5 = at::vec::VecMask<float,1>(tmp1 != tmp1);
                        auto tmp6 = (tmp4 > tmp5);
                        auto tmp7 = tmp2.template cast<int32_t,1>();
                        auto tmp8 = tmp6.template cast<int32_t,1>();
                        auto tmp9 = tmp7 | tmp8;
                        auto tmp10 = tmp4.template cast<int32_t,1>();
                        auto tmp11 = tmp5.template cast<int32_t,1>();
                        auto tmp12 = tmp10 & tmp11;
                        auto tmp13 = tmp3.template cast<int32_t,1>();
                        auto tmp14 = tmp12.template cast<int32_t,1>();
                        auto tmp15 = tmp13 | tmp14;
                        auto tmp16 = static_cast<int64_t>(0);
                        auto tmp17 = static_cast<int64_t>(1);
                        auto tmp18 = tmp16 < tmp17;
                        auto tmp19 = at::vec::VecMask<float,1>::from(tmp18);
                        auto tmp20 = tmp15.template cast<int32_t,1>();
                        auto tmp21 = tmp19.template cast<int32_t,1>();
                        auto tmp22 = tmp20 & tmp21;
                        auto tmp23 = tmp9.template cast<int32_t,1>();
                        auto tmp24 = tmp22.template cast<int32_t,1>();
                        auto tmp25 = tmp23 | tmp24;
                        auto tmp26 = decltype(tmp0)::blendv(tmp1, tmp0, tmp25.template cast<float,1>());
                        auto tmp27 = at::vec::VectorizedN<int64_t,2>(tmp16);
                        auto tmp28 = at::vec::VectorizedN<int64_t,2>(tmp17);
                        auto tmp29 = decltype(tmp27)::blendv(tmp28, tmp27, tmp25.template cast<int64_t,2>());
                        auto tmp31 = at::vec::VecMask<float,1>(tmp26 > tmp30);
                        auto tmp32 = at::vec::VecMask<float,1>(tmp26 == tmp30);
                        auto tmp33 = at::vec::VecMask<float,1>(tmp26 != tmp26);
                        auto tmp34 = at::vec::VecMask<float,1>(tmp30 != tmp30);
                        auto tmp35 = (tmp33 > tmp34);
                        auto tmp36 = tmp31.template cast<int32_t,1>();
                        auto tmp37 = tmp35.template cast<int32_t,1>();
                        auto tmp38 = tmp36 | tmp37;
                        auto tmp39 = tmp33.template cast<int32_t,1>();
                        auto tmp40 = tmp34.template cast<int32_t,1>();
                        auto tmp41 = tmp39 & tmp40;
                        auto tmp42 = tmp32.template cast<int32_t,1>();
                        auto tmp43 = tmp41.template cast<int32_t,1>();
                        auto tmp44 = tmp42 | tmp43;
                        auto tmp45 = static_cast<int64_t>(2);
                        auto tmp46 = at::vec::VectorizedN<int64_t,2>(tmp45);
                        auto tmp47 = at::vec::VecMask<int64_t,2>(tmp29 < tmp46);
                        auto tmp48 = tmp44.template cast<int32_t,1>();
                        auto tmp49 = tmp47.template cast<int32_t,1>();
                        auto tmp50 = tmp48 & tmp49;
                        auto tmp51 = tmp38.template cast<int32_t,1>();
                        auto tmp52 = tmp50.template cast<int32_t,1>();
                        auto tmp53 = tmp51 | tmp52;
                        auto tmp54 = decltype(tmp26)::blendv(tmp30, tmp26, tmp53.template cast<float,1>());
                        auto tmp55 = decltype(tmp29)::blendv(tmp46, tmp29, tmp53.template cast<int64_t,2>());
                        auto tmp57 = at::vec::VecMask<float,1>(tmp54 > tmp56);
                        auto tmp58 = at::vec::VecMask<float,1>(tmp54 == tmp56);
                        auto tmp59 = at::vec::VecMask<float,1>(tmp54 != tmp54);
                        auto tmp60 = at::vec::VecMask<float,1>(tmp56 != tmp56);
                        auto tmp61 = (tmp59 > tmp60);
                        auto tmp62 = tmp57.template cast<int32_t,1>();
                        auto tmp63 = tmp61.template cast<int32_t,1>();
                        auto tmp64 = tmp62 | tmp63;
                        auto tmp65 = tmp59.template cast<int32_t,1>();
                        auto tmp66 = tmp60.template cast<int32_t,1>();
                        auto tmp67 = tmp65 & tmp66;
                        auto tmp68 = tmp58.template cast<int32_t,1>();
                        auto tmp69 = tmp67.template cast<int32_t,1>();
                        auto tmp70 = tmp68 | tmp69;
                        auto tmp71 = static_cast<int64_t>(3);
                        auto tmp72 = at::vec::VectorizedN<int64_t,2>(tmp71);
                        auto tmp73 = at::vec::VecMask<int64_t,2>(tmp55 < tmp72);
                        auto tmp74 = tmp70.template cast<int32_t,1>();
                        auto tmp75 = tmp73.template cast<int32_t,1>();
                        auto tmp76 = tmp74 & tmp75;
                        auto tmp77 = tmp64.template cast<int32_t,1>();
                        auto tmp78 = tmp76.template cast<int32_t,1>();
                        auto tmp79 = tmp77 | tmp78;
                        auto tmp80 = decltype(tmp54)::blendv(tmp56, tmp54, tmp79.template cast<float,1>());
                        auto tmp81 = decltype(tmp55)::blendv(tmp72, tmp55, tmp79.template cast<int64_t,2>());
                        auto tmp83 = at::vec::VecMask<float,1>(tmp80 > tmp82);
                        auto tmp84 = at::vec::VecMask<float,1>(tmp80 == tmp82);
                        auto tmp85 = at::vec::VecMask<float,1>(tmp80 != tmp80);
                        auto tmp86 = at::vec::VecMask<float,1>(tmp82 != tmp82);
                        auto tmp87 = (tmp85 > tmp86);
                        auto tmp88 = tmp83.template cast<int32_t,1>();
                        auto tmp89 = tmp87.template cast<int32_t,1>();
                        auto tmp90 = tmp88 | tmp89;
                        auto tmp91 = tmp85.template cast<int32_t,1>();
                        auto tmp92 = tmp86.template cast<int32_t,1>();
                        auto tmp93 = tmp91 & tmp92;
                        auto tmp94 = tmp84.template cast<int32_t,1>();
                        auto tmp95 = tmp93.template cast<int32_t,1>();
                        auto tmp96 = tmp94 | tmp95;
                        auto tmp97 = static_cast<int64_t>(4);
                        auto tmp98 = at::vec::VectorizedN<int64_t,2>(tmp97);
                        auto tmp99 = at::vec::VecMask<int64_t,2>(tmp81 < tmp98);
                        auto tmp100 = tmp96.template cast<int32_t,1>();
                        auto tmp101 = tmp99.template cast<int32_t,1>();
                        auto tmp102 = tmp100 & tmp101;
                        auto tmp103 = tmp90.template cast<int32_t,1>();
                        auto tmp104 = tmp102.template cast<int32_t,1>();
                        auto tmp105 = tmp103 | tmp104;
                        auto tmp106 = decltype(tmp80)::blendv(tmp82, tmp80, tmp105.template cast<float,1>());
                        auto tmp107 = decltype(tmp81)::blendv(tmp98, tmp81, tmp105.template cast<int64_t,2>());
                        tmp107.store(out_ptr4 + static_cast<int64_t>(x0), static_cast<int64_t>(8));
                    }
                    if(C10_UNLIKELY(x0 >= static_cast<int64_t>(8L) && x0 < static_cast<int64_t>(12L)))
                    {
                        auto tmp0 =
                        [&]
                        {
                            __at_align__ std::array<float, 8> tmpbuf;
                            #pragma unroll 8
                            for (long x0_inner = 0; x0_inner < static_cast<int64_t>(4L); x0_inner++)
                            {
                                tmpbuf[x0_inner] = out_ptr3[static_cast<int64_t>(5L*x0 + 5L*x0_inner)];
                            }
                            return at::vec::Vectorized<float>::loadu(tmpbuf.data(), static_cast<int64_t>(4L));
                        }
                        ()
                        ;
                        auto tmp1 =
                        [&]
                        {
                            __at_align__ std::array<float, 8> tmpbuf;
                            #pragma unroll 8
                            for (long x0_inner = 0; x0_inner < static_cast<int64_t>(4L); x0_inner++)
                            {
                                tmpbuf[x0_inner] = out_ptr3[static_cast<int64_t>(1L + 5L*x0 + 5L*x0_inner)];
                            }
                            return at::vec::Vectorized<float>::loadu(tmpbuf.data(), static_cast<int64_t>(4L));
                        }
                        ()
                        ;
                        auto tmp30 =
                        [&]
                        {
                            __at_align__ std::array<float, 8> tmpbuf;
                            #pragma unroll 8
                            for (long x0_inner = 0; x0_inner < static_cast<int64_t>(4L); x0_inner++)
                            {
                                tmpbuf[x0_inner] = out_ptr3[static_cast<int64_t>(2L + 5L*x0 + 5L*x0_inner)];
                            }
                            return at::vec::Vectorized<float>::loadu(tmpbuf.data(), static_cast<int64_t>(4L));
                        }
                        ()
                        ;
                        auto tmp56 =
                        [&]
                        {
                            __at_align__ std::array<float, 8> tmpbuf;
                            #pragma unroll 8
                            for (long x0_inner = 0; x0_inner < static_cast<int64_t>(4L); x0_inner++)
                            {
                                tmpbuf[x0_inner] = out_ptr3[static_cast<int64_t>(3L + 5L*x0 + 5L*x0_inner)];
                            }
                            return at::vec::Vectorized<float>::loadu(tmpbuf.data(), static_cast<int64_t>(4L));
                        }
                        ()
                        ;
                        auto tmp82 =
                        [&]
                        {
                            __at_align__ std::array<float, 8> tmpbuf;
                            #pragma unroll 8
                            for (long x0_inner = 0; x0_inner < static_cast<int64_t>(4L); x0_inner++)
                            {
                                tmpbuf[x0_inner] = out_ptr3[static_cast<int64_t>(4L + 5L*x0 + 5L*x0_inner)];
                            }
                            return at::vec::Vectorized<float>::loadu(tmpbuf.data(), static_cast<int64_t>(4L));
                        }
                        ()
                        ;
                        auto tmp2 = at::vec::VecMask<float,1>(tmp0 > tmp1);
                        auto tmp3 = at::vec::VecMask<float,1>(tmp0 == tmp1);
                        auto tmp4 = at::vec::VecMask<float,1>(tmp0 != tmp0);
                        auto tmp5 = at::vec::VecMask<float,1>(tmp1 != tmp1);
                        auto tmp6 = (tmp4 > tmp5);
                        auto tmp7 = tmp2.template cast<int32_t,1>();
                        auto tmp8 = tmp6.template cast<int32_t,1>();
                        auto tmp9 = tmp7 | tmp8;
                        auto tmp10 = tmp4.template cast<int32_t,1>();
                        auto tmp11 = tmp5.template cast<int32_t,1>();
                        auto tmp12 = tmp10 & tmp11;
                        auto tmp13 = tmp3.template cast<int32_t,1>();
                        auto tmp14 = tmp12.template cast<int32_t,1>();
                        auto tmp15 = tmp13 | tmp14;
                        auto tmp16 = static_cast<int64_t>(0);
                        auto tmp17 = static_cast<int64_t>(1);
                        auto tmp18 = tmp16 < tmp17;
                        auto tmp19 = at::vec::VecMask<float,1>::from(tmp18);
                        auto tmp20 = tmp15.template cast<int32_t,1>();
                        auto tmp21 = tmp19.template cast<int32_t,1>();
                        auto tmp22 = tmp20 & tmp21;
                        auto tmp23 = tmp9.template cast<int32_t,1>();
                        auto tmp24 = tmp22.template cast<int32_t,1>();
                        auto tmp25 = tmp23 | tmp24;
                        auto tmp26 = decltype(tmp0)::blendv(tmp1, tmp0, tmp25.template cast<float,1>());
                        auto tmp27 = at::vec::VectorizedN<int64_t,2>(tmp16);
                        auto tmp28 = at::vec::VectorizedN<int64_t,2>(tmp17);
                        auto tmp29 = decltype(tmp27)::blendv(tmp28, tmp27, tmp25.template cast<int64_t,2>());
                        auto tmp31 = at::vec::VecMask<float,1>(tmp26 > tmp30);
                        auto tmp32 = at::vec::VecMask<float,1>(tmp26 == tmp30);
                        auto tmp33 = at::vec::VecMask<float,1>(tmp26 != tmp26);
                        auto tmp34 = at::vec::VecMask<float,1>(tmp30 != tmp30);
                        auto tmp35 = (tmp33 > tmp34);
                        auto tmp36 = tmp31.template cast<int32_t,1>();
                        auto tmp37 = tmp35.template cast<int32_t,1>();
                        auto tmp38 = tmp36 | tmp37;
                        auto tmp39 = tmp33.template cast<int32_t,1>();
                        auto tmp40 = tmp34.template cast<int32_t,1>();
                        auto tmp41 = tmp39 & tmp40;
                        auto tmp42 = tmp32.template cast<int32_t,1>();
                        auto tmp43 = tmp41.template cast<int32_t,1>();
                        auto tmp44 = tmp42 | tmp43;
                        auto tmp45 = static_cast<int64_t>(2);
                        auto tmp46 = at::vec::VectorizedN<int64_t,2>(tmp45);
                        auto tmp47 = at::vec::VecMask<int64_t,2>(tmp29 < tmp46);
                        auto tmp48 = tmp44.template cast<int32_t,1>();
                        auto tmp49 = tmp47.template cast<int32_t,1>();
                        auto tmp50 = tmp48 & tmp49;
                        auto tmp51 = tmp38.template cast<int32_t,1>();
                        auto tmp52 = tmp50.template cast<int32_t,1>();
                        auto tmp53 = tmp51 | tmp52;
                        auto tmp54 = decltype(tmp26)::blendv(tmp30, tmp26, tmp53.template cast<float,1>());
                        auto tmp55 = decltype(tmp29)::blendv(tmp46, tmp29, tmp53.template cast<int64_t,2>());
                        auto tmp57 = at::vec::VecMask<float,1>(tmp54 > tmp56);
                        auto tmp58 = at::vec::VecMask<float,1>(tmp54 == tmp56);
                        auto tmp59 = at::vec::VecMask<float,1>(tmp54 != tmp54);
                        auto tmp60 = at::vec::VecMask<float,1>(tmp56 != tmp56);
                        auto tmp61 = (tmp59 > tmp60);
                        auto tmp62 = tmp57.template cast<int32_t,1>();
                        auto tmp63 = tmp61.template cast<int32_t,1>();
                        auto tmp64 = tmp62 | tmp63;
                        auto tmp65 = tmp59.template cast<int32_t,1>();
                        auto tmp66 = tmp60.template cast<int32_t,1>();
                        auto tmp67 = tmp65 & tmp66;
                        auto tmp68 = tmp58.template cast<int32_t,1>();
                        auto tmp69 = tmp67.template cast<int32_t,1>();
                        auto tmp70 = tmp68 | tmp69;
                        auto tmp71 = static_cast<int64_t>(3);
                        auto tmp72 = at::vec::VectorizedN<int64_t,2>(tmp71);
                        auto tmp73 = at::vec::VecMask<int64_t,2>(tmp55 < tmp72);
                        auto tmp74 = tmp70.template cast<int32_t,1>();
                        auto tmp75 = tmp73.template cast<int32_t,1>();
                        auto tmp76 = tmp74 & tmp75;
                        auto tmp77 = tmp64.template cast<int32_t,1>();
                        auto tmp78 = tmp76.template cast<int32_t,1>();
                        auto tmp79 = tmp77 | tmp78;
                        auto tmp80 = decltype(tmp54)::blendv(tmp56, tmp54, tmp79.template cast<float,1>());
                        auto tmp81 = decltype(tmp55)::blendv(tmp72, tmp55, tmp79.template cast<int64_t,2>());
                        auto tmp83 = at::vec::VecMask<float,1>(tmp80 > tmp82);
                        auto tmp84 = at::vec::VecMask<float,1>(tmp80 == tmp82);
                        auto tmp85 = at::vec::VecMask<float,1>(tmp80 != tmp80);
                        auto tmp86 = at::vec::VecMask<float,1>(tmp82 != tmp82);
                        auto tmp87 = (tmp85 > tmp86);
                        auto tmp88 = tmp83.template cast<int32_t,1>();
                        auto tmp89 = tmp87.template cast<int32_t,1>();
                        auto tmp90 = tmp88 | tmp89;
                        auto tmp91 = tmp85.template cast<int32_t,1>();
                        auto tmp92 = tmp86.template cast<int32_t,1>();
                        auto tmp93 = tmp91 & tmp92;
                        auto tmp94 = tmp84.template cast<int32_t,1>();
                        auto tmp95 = tmp93.template cast<int32_t,1>();
                        auto tmp96 = tmp94 | tmp95;
                        auto tmp97 = static_cast<int64_t>(4);
                        auto tmp98 = at::vec::VectorizedN<int64_t,2>(tmp97);
                        auto tmp99 = at::vec::VecMask<int64_t,2>(tmp81 < tmp98);
                        auto tmp100 = tmp96.template cast<int32_t,1>();
                        auto tmp101 = tmp99.template cast<int32_t,1>();
                        auto tmp102 = tmp100 & tmp101;
                        auto tmp103 = tmp90.template cast<int32_t,1>();
                        auto tmp104 = tmp102.template cast<int32_t,1>();
                        auto tmp105 = tmp103 | tmp104;
                        auto tmp106 = decltype(tmp80)::blendv(tmp82, tmp80, tmp105.template cast<float,1>());
                        auto tmp107 = decltype(tmp81)::blendv(tmp98, tmp81, tmp105.template cast<int64_t,2>());
                        tmp107.store(out_ptr4 + static_cast<int64_t>(x0), static_cast<int64_t>(4L));
                    }
                }
            }
        }
    }
}
