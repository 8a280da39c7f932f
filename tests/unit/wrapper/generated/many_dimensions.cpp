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
    inputs_info_[0].name = "arg1_1";
    constants_info_[0].name = "weight";
    constants_info_[0].dtype = cached_torch_dtype_float32;
    constants_info_[0].device_type = cached_torch_device_type_cpu;
    constants_info_[0].offset = 0;
    constants_info_[0].data_size = 16384;
    constants_info_[0].from_folded = false;
    constants_info_[0].type = static_cast<int32_t>(torch::aot_inductor::ConstantType::Parameter);
    constants_info_[0].shape = {1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2};
    constants_info_[0].stride = {4096, 2048, 2048, 1024, 1024, 512, 512, 256, 256, 128, 128, 64, 64, 32, 32, 16, 16, 8, 8, 4, 4, 2, 2, 1};
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
    ConstantHandle arg1_1 = ConstantHandle(input_handles[0]);
    int32_t arg1_1_dtype;
    AOTI_TORCH_ERROR_CODE_CHECK(aoti_torch_get_dtype(arg1_1, &arg1_1_dtype));

    int32_t arg1_1_expected_dtype = aoti_torch_dtype_float32();
    if (arg1_1_expected_dtype != arg1_1_dtype) {
        std::stringstream ss;
        ss << "input_handles[0]: unmatched dtype, "
           << "expected: " << arg1_1_expected_dtype << "(at::kFloat), "
           << "but got: " << arg1_1_dtype << "\n";
        throw std::runtime_error(std::move(ss).str());
    }
    auto arg1_1_size = arg1_1.sizes();

    if (1 != arg1_1_size[0]) {
        std::stringstream ss;
        ss << "input_handles[0]: unmatched dim value at 0, "
           << "expected: 1, " << "but got: " << arg1_1_size[0]
           << "\n";
        throw std::runtime_error(std::move(ss).str());
    }

    if (2 != arg1_1_size[1]) {
        std::stringstream ss;
        ss << "input_handles[0]: unmatched dim value at 1, "
           << "expected: 2, " << "but got: " << arg1_1_size[1]
           << "\n";
        throw std::runtime_error(std::move(ss).str());
    }

    if (1 != arg1_1_size[2]) {
        std::stringstream ss;
        ss << "input_handles[0]: unmatched dim value at 2, "
           << "expected: 1, " << "but got: " << arg1_1_size[2]
           << "\n";
        throw std::runtime_error(std::move(ss).str());
    }

    if (2 != arg1_1_size[3]) {
        std::stringstream ss;
        ss << "input_handles[0]: unmatched dim value at 3, "
           << "expected: 2, " << "but got: " << arg1_1_size[3]
           << "\n";
        throw std::runtime_error(std::move(ss).str());
    }

    if (1 != arg1_1_size[4]) {
        std::stringstream ss;
        ss << "input_handles[0]: unmatched dim value at 4, "
           << "expected: 1, " << "but got: " << arg1_1_size[4]
           << "\n";
        throw std::runtime_error(std::move(ss).str());
    }

    if (2 != arg1_1_size[5]) {
        std::stringstream ss;
        ss << "input_handles[0]: unmatched dim value at 5, "
           << "expected: 2, " << "but got: " << arg1_1_size[5]
           << "\n";
        throw std::runtime_error(std::move(ss).str());
    }

    if (1 != arg1_1_size[6]) {
        std::stringstream ss;
        ss << "input_handles[0]: unmatched dim value at 6, "
           << "expected: 1, " << "but got: " << arg1_1_size[6]
           << "\n";
        throw std::runtime_error(std::move(ss).str());
    }

    if (2 != arg1_1_size[7]) {
        std::stringstream ss;
        ss << "input_handles[0]: unmatched dim value at 7, "
           << "expected: 2, " << "but got: " << arg1_1_size[7]
           << "\n";
        throw std::runtime_error(std::move(ss).str());
    }

    if (1 != arg1_1_size[8]) {
        std::stringstream ss;
        ss << "input_handles[0]: unmatched dim value at 8, "
           << "expected: 1, " << "but got: " << arg1_1_size[8]
           << "\n";
        throw std::runtime_error(std::move(ss).str());
    }

    if (2 != arg1_1_size[9]) {
        std::stringstream ss;
        ss << "input_handles[0]: unmatched dim value at 9, "
           << "expected: 2, " << "but got: " << arg1_1_size[9]
           << "\n";
        throw std::runtime_error(std::move(ss).str());
    }

    if (1 != arg1_1_size[10]) {
        std::stringstream ss;
        ss << "input_handles[0]: unmatched dim value at 10, "
           << "expected: 1, " << "but got: " << arg1_1_size[10]
           << "\n";
        throw std::runtime_error(std::move(ss).str());
    }

    if (2 != arg1_1_size[11]) {
        std::stringstream ss;
        ss << "input_handles[0]: unmatched dim value at 11, "
           << "expected: 2, " << "but got: " << arg1_1_size[11]
           << "\n";
        throw std::runtime_error(std::move(ss).str());
    }

    if (1 != arg1_1_size[12]) {
        std::stringstream ss;
        ss << "input_handles[0]: unmatched dim value at 12, "
           << "expected: 1, " << "but got: " << arg1_1_size[12]
           << "\n";
        throw std::runtime_error(std::move(ss).str());
    }

    if (2 != arg1_1_size[13]) {
        std::stringstream ss;
        ss << "input_handles[0]: unmatched dim value at 13, "
           << "expected: 2, " << "but got: " << arg1_1_size[13]
           << "\n";
        throw std::runtime_error(std::move(ss).str());
    }

    if (1 != arg1_1_size[14]) {
        std::stringstream ss;
        ss << "input_handles[0]: unmatched dim value at 14, "
           << "expected: 1, " << "but got: " << arg1_1_size[14]
           << "\n";
        throw std::runtime_error(std::move(ss).str());
    }

    if (2 != arg1_1_size[15]) {
        std::stringstream ss;
        ss << "input_handles[0]: unmatched dim value at 15, "
           << "expected: 2, " << "but got: " << arg1_1_size[15]
           << "\n";
        throw std::runtime_error(std::move(ss).str());
    }

    if (1 != arg1_1_size[16]) {
        std::stringstream ss;
        ss << "input_handles[0]: unmatched dim value at 16, "
           << "expected: 1, " << "but got: " << arg1_1_size[16]
           << "\n";
        throw std::runtime_error(std::move(ss).str());
    }

    if (2 != arg1_1_size[17]) {
        std::stringstream ss;
        ss << "input_handles[0]: unmatched dim value at 17, "
           << "expected: 2, " << "but got: " << arg1_1_size[17]
           << "\n";
        throw std::runtime_error(std::move(ss).str());
    }

    if (1 != arg1_1_size[18]) {
        std::stringstream ss;
        ss << "input_handles[0]: unmatched dim value at 18, "
           << "expected: 1, " << "but got: " << arg1_1_size[18]
           << "\n";
        throw std::runtime_error(std::move(ss).str());
    }

    if (2 != arg1_1_size[19]) {
        std::stringstream ss;
        ss << "input_handles[0]: unmatched dim value at 19, "
           << "expected: 2, " << "but got: " << arg1_1_size[19]
           << "\n";
        throw std::runtime_error(std::move(ss).str());
    }

    if (1 != arg1_1_size[20]) {
        std::stringstream ss;
        ss << "input_handles[0]: unmatched dim value at 20, "
           << "expected: 1, " << "but got: " << arg1_1_size[20]
           << "\n";
        throw std::runtime_error(std::move(ss).str());
    }

    if (2 != arg1_1_size[21]) {
        std::stringstream ss;
        ss << "input_handles[0]: unmatched dim value at 21, "
           << "expected: 2, " << "but got: " << arg1_1_size[21]
           << "\n";
        throw std::runtime_error(std::move(ss).str());
    }

    if (1 != arg1_1_size[22]) {
        std::stringstream ss;
        ss << "input_handles[0]: unmatched dim value at 22, "
           << "expected: 1, " << "but got: " << arg1_1_size[22]
           << "\n";
        throw std::runtime_error(std::move(ss).str());
    }

    if (2 != arg1_1_size[23]) {
        std::stringstream ss;
        ss << "input_handles[0]: unmatched dim value at 23, "
           << "expected: 2, " << "but got: " << arg1_1_size[23]
           << "\n";
        throw std::runtime_error(std::move(ss).str());
    }
    auto arg1_1_stride = arg1_1.strides();

    if (4096 != arg1_1_stride[0]) {
        std::stringstream ss;
        ss << "input_handles[0]: unmatched stride value at 0, "
           << "expected: 4096, " << "but got: " << arg1_1_stride[0]
           << "\n";
        throw std::runtime_error(std::move(ss).str());
    }

    if (2048 != arg1_1_stride[1]) {
        std::stringstream ss;
        ss << "input_handles[0]: unmatched stride value at 1, "
           << "expected: 2048, " << "but got: " << arg1_1_stride[1]
           << "\n";
        throw std::runtime_error(std::move(ss).str());
    }

    if (2048 != arg1_1_stride[2]) {
        std::stringstream ss;
        ss << "input_handles[0]: unmatched stride value at 2, "
           << "expected: 2048, " << "but got: " << arg1_1_stride[2]
           << "\n";
        throw std::runtime_error(std::move(ss).str());
    }

    if (1024 != arg1_1_stride[3]) {
        std::stringstream ss;
        ss << "input_handles[0]: unmatched stride value at 3, "
           << "expected: 1024, " << "but got: " << arg1_1_stride[3]
           << "\n";
        throw std::runtime_error(std::move(ss).str());
    }

    if (1024 != arg1_1_stride[4]) {
        std::stringstream ss;
        ss << "input_handles[0]: unmatched stride value at 4, "
           << "expected: 1024, " << "but got: " << arg1_1_stride[4]
           << "\n";
        throw std::runtime_error(std::move(ss).str());
    }

    if (512 != arg1_1_stride[5]) {
        std::stringstream ss;
        ss << "input_handles[0]: unmatched stride value at 5, "
           << "expected: 512, " << "but got: " << arg1_1_stride[5]
           << "\n";
        throw std::runtime_error(std::move(ss).str());
    }

    if (512 != arg1_1_stride[6]) {
        std::stringstream ss;
        ss << "input_handles[0]: unmatched stride value at 6, "
           << "expected: 512, " << "but got: " << arg1_1_stride[6]
           << "\n";
        throw std::runtime_error(std::move(ss).str());
    }

    if (256 != arg1_1_stride[7]) {
        std::stringstream ss;
        ss << "input_handles[0]: unmatched stride value at 7, "
           << "expected: 256, " << "but got: " << arg1_1_stride[7]
           << "\n";
        throw std::runtime_error(std::move(ss).str());
    }

    if (256 != arg1_1_stride[8]) {
        std::stringstream ss;
        ss << "input_handles[0]: unmatched stride value at 8, "
           << "expected: 256, " << "but got: " << arg1_1_stride[8]
           << "\n";
        throw std::runtime_error(std::move(ss).str());
    }

    if (128 != arg1_1_stride[9]) {
        std::stringstream ss;
        ss << "input_handles[0]: unmatched stride value at 9, "
           << "expected: 128, " << "but got: " << arg1_1_stride[9]
           << "\n";
        throw std::runtime_error(std::move(ss).str());
    }

    if (128 != arg1_1_stride[10]) {
        std::stringstream ss;
        ss << "input_handles[0]: unmatched stride value at 10, "
           << "expected: 128, " << "but got: " << arg1_1_stride[10]
           << "\n";
        throw std::runtime_error(std::move(ss).str());
    }

    if (64 != arg1_1_stride[11]) {
        std::stringstream ss;
        ss << "input_handles[0]: unmatched stride value at 11, "
           << "expected: 64, " << "but got: " << arg1_1_stride[11]
           << "\n";
        throw std::runtime_error(std::move(ss).str());
    }

    if (64 != arg1_1_stride[12]) {
        std::stringstream ss;
        ss << "input_handles[0]: unmatched stride value at 12, "
           << "expected: 64, " << "but got: " << arg1_1_stride[12]
           << "\n";
        throw std::runtime_error(std::move(ss).str());
    }

    if (32 != arg1_1_stride[13]) {
        std::stringstream ss;
        ss << "input_handles[0]: unmatched stride value at 13, "
           << "expected: 32, " << "but got: " << arg1_1_stride[13]
           << "\n";
        throw std::runtime_error(std::move(ss).str());
    }

    if (32 != arg1_1_stride[14]) {
        std::stringstream ss;
        ss << "input_handles[0]: unmatched stride value at 14, "
           << "expected: 32, " << "but got: " << arg1_1_stride[14]
           << "\n";
        throw std::runtime_error(std::move(ss).str());
    }

    if (16 != arg1_1_stride[15]) {
        std::stringstream ss;
        ss << "input_handles[0]: unmatched stride value at 15, "
           << "expected: 16, " << "but got: " << arg1_1_stride[15]
           << "\n";
        throw std::runtime_error(std::move(ss).str());
    }

    if (16 != arg1_1_stride[16]) {
        std::stringstream ss;
        ss << "input_handles[0]: unmatched stride value at 16, "
           << "expected: 16, " << "but got: " << arg1_1_stride[16]
           << "\n";
        throw std::runtime_error(std::move(ss).str());
    }

    if (8 != arg1_1_stride[17]) {
        std::stringstream ss;
        ss << "input_handles[0]: unmatched stride value at 17, "
           << "expected: 8, " << "but got: " << arg1_1_stride[17]
           << "\n";
        throw std::runtime_error(std::move(ss).str());
    }

    if (8 != arg1_1_stride[18]) {
        std::stringstream ss;
        ss << "input_handles[0]: unmatched stride value at 18, "
           << "expected: 8, " << "but got: " << arg1_1_stride[18]
           << "\n";
        throw std::runtime_error(std::move(ss).str());
    }

    if (4 != arg1_1_stride[19]) {
        std::stringstream ss;
        ss << "input_handles[0]: unmatched stride value at 19, "
           << "expected: 4, " << "but got: " << arg1_1_stride[19]
           << "\n";
        throw std::runtime_error(std::move(ss).str());
    }

    if (4 != arg1_1_stride[20]) {
        std::stringstream ss;
        ss << "input_handles[0]: unmatched stride value at 20, "
           << "expected: 4, " << "but got: " << arg1_1_stride[20]
           << "\n";
        throw std::runtime_error(std::move(ss).str());
    }

    if (2 != arg1_1_stride[21]) {
        std::stringstream ss;
        ss << "input_handles[0]: unmatched stride value at 21, "
           << "expected: 2, " << "but got: " << arg1_1_stride[21]
           << "\n";
        throw std::runtime_error(std::move(ss).str());
    }

    if (2 != arg1_1_stride[22]) {
        std::stringstream ss;
        ss << "input_handles[0]: unmatched stride value at 22, "
           << "expected: 2, " << "but got: " << arg1_1_stride[22]
           << "\n";
        throw std::runtime_error(std::move(ss).str());
    }

    if (1 != arg1_1_stride[23]) {
        std::stringstream ss;
        ss << "input_handles[0]: unmatched stride value at 23, "
           << "expected: 1, " << "but got: " << arg1_1_stride[23]
           << "\n";
        throw std::runtime_error(std::move(ss).str());
    }
    int32_t arg1_1_device_type;
    AOTI_TORCH_ERROR_CODE_CHECK(aoti_torch_get_device_type(arg1_1, &arg1_1_device_type));

    int32_t arg1_1_expected_device_type = 0;
    if (arg1_1_expected_device_type != arg1_1_device_type) {
        std::stringstream ss;
        ss << "input_handles[0]: unmatched device type, "
        << "expected: " << arg1_1_expected_device_type << "0(cpu), "
        << "but got: " << arg1_1_device_type << "\n";
        throw std::runtime_error(std::move(ss).str());
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
    auto inputs = steal_from_raw_handles_to_raii_handles(input_handles, 1);
    auto arg1_1 = std::move(inputs[0]);
    [[maybe_unused]] auto& weight = constants_->at(0);
    inputs.clear();
    [[maybe_unused]] auto& kernels = static_cast<AOTInductorModelKernels&>(*this->kernels_.get());
    if (_check_aoti_runtime_check_inputs_env()) { assert_size_stride(arg1_1, {1L, 2L, 1L, 2L, 1L, 2L, 1L, 2L, 1L, 2L, 1L, 2L, 1L, 2L, 1L, 2L, 1L, 2L, 1L, 2L, 1L, 2L, 1L, 2L}, {4096L, 2048L, 2048L, 1024L, 1024L, 512L, 512L, 256L, 256L, 128L, 128L, 64L, 64L, 32L, 32L, 16L, 16L, 8L, 8L, 4L, 4L, 2L, 2L, 1L}, "input"); }
    static constexpr int64_t int_array_0[] = {1L, 2L, 1L, 2L, 1L, 2L, 1L, 2L, 1L, 2L, 1L, 2L, 1L, 2L, 1L, 2L, 1L, 2L, 1L, 2L, 1L, 2L, 1L, 2L};
    static constexpr int64_t int_array_1[] = {4096L, 2048L, 2048L, 1024L, 1024L, 512L, 512L, 256L, 256L, 128L, 128L, 64L, 64L, 32L, 32L, 16L, 16L, 8L, 8L, 4L, 4L, 2L, 2L, 1L};
    AtenTensorHandle buf0_handle;
    AOTI_TORCH_ERROR_CODE_CHECK(aoti_torch_empty_strided(24, int_array_0, int_array_1, cached_torch_dtype_float32, cached_torch_device_type_cpu, this->device_idx_, &buf0_handle));
    RAIIAtenTensorHandle buf0(buf0_handle);
    cpp_fused_add_0((const float*)(arg1_1.data_ptr()), (const float*)(weight.data_ptr()), (float*)(buf0.data_ptr()));
    arg1_1.reset();
    output_handles[0] = buf0.release();
} // AOTInductorModel::run_impl
