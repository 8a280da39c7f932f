// A model as AOTInductor generates it, as small as one can be: y = x + weight, two numbers each.
//
// `aotwin toolchain pin` compiles it against a new torch with the run-time part around it and that
// torch's own interface.cpp in front of it, which is how generated models begin.
#include <torch/csrc/inductor/aoti_include/cpu.h>
CACHE_TORCH_DTYPE(float32);
CACHE_TORCH_DEVICE(cpu);
CACHE_TORCH_LAYOUT(strided);
namespace torch::aot_inductor {
namespace {
class AOTInductorModelKernels : public AOTInductorModelKernelsBase {
  public:
};
}  // namespace

AOTInductorModel::AOTInductorModel(std::shared_ptr<ConstantMap> constants_map,
                                   std::shared_ptr<std::vector<ConstantHandle>> constants_array,
                                   const std::string& device_str,
                                   std::optional<std::string> cubin_dir)
    : AOTInductorModelBase(1,
                           1,
                           1,
                           device_str,
                           std::move(cubin_dir),
                           false) {
    inputs_info_[0].name = "x";
    constants_info_[0].name = "weight";
    constants_info_[0].dtype = cached_torch_dtype_float32;
    constants_info_[0].offset = 0;
    constants_info_[0].data_size = 64;
    constants_info_[0].from_folded = false;
    constants_info_[0].type = static_cast<int32_t>(torch::aot_inductor::ConstantType::Parameter);
    constants_info_[0].shape = {2};
    constants_info_[0].stride = {1};
    constants_info_[0].layout = static_cast<int32_t>(cached_torch_layout_strided);
    constants_info_[0].original_fqn = "weight";
    update_constants_map(std::move(constants_map));
    update_constants_array(std::move(constants_array));
    in_spec_ = R"([1, {"type": "builtins.tuple", "context": "null", "children_spec": [{"type": "builtins.tuple", "context": "null", "children_spec": [{"type": null, "context": null, "children_spec": []}]}, {"type": "builtins.dict", "context": "[]", "children_spec": []}]}])";
    out_spec_ = R"([1, {"type": null, "context": null, "children_spec": []}])";
    outputs_info_[0].name = "output0";
    this->kernels_ = std::make_unique<AOTInductorModelKernels>();
}

std::unordered_map<std::string, AtenTensorHandle> AOTInductorModel::const_run_impl(
    DeviceStreamType stream,
    AOTIProxyExecutorHandle proxy_executor,
    bool initialization
) {
    return {};
}

void AOTInductorModel::_const_run_impl(
    std::vector<AtenTensorHandle>& output_handles,
    DeviceStreamType stream,
    AOTIProxyExecutorHandle proxy_executor
) {}

AOTI_NOINLINE static void check_input_0(
    AtenTensorHandle* input_handles
) {
    ConstantHandle x = ConstantHandle(input_handles[0]);
    int32_t x_dtype;
    AOTI_TORCH_ERROR_CODE_CHECK(aoti_torch_get_dtype(x, &x_dtype));

    int32_t x_expected_dtype = aoti_torch_dtype_float32();
    if (x_expected_dtype != x_dtype) {
        throw std::runtime_error("input_handles[0]: unmatched dtype");
    }
    auto x_size = x.sizes();

    if (2 != x_size[0]) {
        throw std::runtime_error("input_handles[0]: unmatched dim value at 0");
    }
    auto x_stride = x.strides();

    if (1 != x_stride[0]) {
        throw std::runtime_error("input_handles[0]: unmatched stride value at 0");
    }
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
    check_input_0(input_handles);
    auto inputs = steal_from_raw_handles_to_raii_handles(input_handles, 1);
    auto x = std::move(inputs[0]);
    [[maybe_unused]] auto& weight = constants_->at(0);
    static constexpr int64_t int_array_0[] = {2L};
    static constexpr int64_t int_array_1[] = {1L};
    AtenTensorHandle buf0_handle;
    AOTI_TORCH_ERROR_CODE_CHECK(aoti_torch_empty_strided(1, int_array_0, int_array_1, cached_torch_dtype_float32, cached_torch_device_type_cpu, this->device_idx_, &buf0_handle));
    RAIIAtenTensorHandle buf0(buf0_handle);
    const float* left = static_cast<const float*>(x.data_ptr());
    const float* right = static_cast<const float*>(weight.data_ptr());
    float* sum = static_cast<float*>(buf0.data_ptr());
    for (int64_t i = 0L; i < 2L; ++i) {
        sum[i] = left[i] + right[i];
    }
    output_handles[0] = buf0.release();
} // AOTInductorModel::run_impl
} // namespace torch::aot_inductor
