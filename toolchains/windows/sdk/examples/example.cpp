// Opens a model, runs it once on ones, and prints what it gave.
//
//     example_cpp C:\models\classifier C:\path\to\torch\lib
#include <cstdio>
#include <deque>
#include <exception>
#include <string>
#include <vector>

#include "aotwin.hpp"

namespace {

// Ones of the input's type, where that is float; else zeros. A size that differs from call to call is
// taken as 1.
aotwin::tensor some_input(const aotwin_tensor_info& info, std::vector<char>& memory) {
  std::vector<std::int64_t> sizes;
  std::size_t count = 1;
  for (std::int32_t i = 0; i < info.rank; ++i) {
    sizes.push_back(info.sizes[i] >= 0 ? info.sizes[i] : 1);
    count *= static_cast<std::size_t>(sizes.back());
  }
  memory.assign(count * aotwin_dtype_nbytes(info.dtype), 0);
  if (info.dtype == AOTWIN_FLOAT32) {
    for (std::size_t i = 0; i < count; ++i) {
      reinterpret_cast<float*>(memory.data())[i] = 1.0F;
    }
  }
  return {memory.data(), memory.size(), info.dtype, sizes};
}

void run(const aotwin::model& model) {
  const aotwin_model_info info = model.info();
  if (std::string(info.run_time) == "torch") {
    std::printf("%s, over torch %s\n", info.dll_path, info.torch_version);
  } else {
    std::printf("%s, without torch\n", info.dll_path);
  }

  std::deque<std::vector<char>> memory;
  std::vector<aotwin::tensor> inputs;
  for (const aotwin_tensor_info& each : model.inputs()) {
    inputs.push_back(some_input(each, memory.emplace_back()));
  }

  const aotwin::results results = model.run(inputs);
  for (std::uint32_t i = 0; i < results.size(); ++i) {
    const aotwin::result result = results[i];
    std::printf("result %u: %lld elements", i, static_cast<long long>(result.numel()));
    if (result.dtype() == AOTWIN_FLOAT32 && result.numel() > 0) {
      std::printf(", the first is %g", static_cast<double>(*result.data_as<float>()));
    }
    std::puts("");
  }
}

} // namespace

int wmain(int argc, wchar_t** argv) {
  if (argc < 2) {
    std::fputs("usage: example_cpp MODEL_FOLDER [TORCH_FOLDER]\n", stderr);
    return 2;
  }
  try {
    // Without a second argument, torch's DLLs lie beside this program.
    run(argc > 2 ? aotwin::model(argv[1], argv[2]) : aotwin::model(argv[1]));
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
