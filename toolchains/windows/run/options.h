// The command line of aotwin-run.
#pragma once

#include <cstdint>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

namespace run {

inline constexpr char usage[] =
    "usage: aotwin-run MODEL [--input FILE.npy]... [options]\n"
    "\n"
    "Opens a model folder (or one of its DLLs), runs it, and prints how long that took.\n"
    "\n"
    "  -i, --input FILE.npy   one of the model's inputs, in its order\n"
    "  -o, --output DIR       write each result into DIR as <number>_<name>.npy\n"
    "      --torch DIR        the folder of torch_cpu.dll (default: that of this program)\n"
    "      --repeat N         calls of each thread (default 1)\n"
    "      --threads N        threads that call the model at the same time (default 1)\n"
    "      --describe         print inputs and outputs, and run nothing\n"
    "      --json             print one JSON object\n"
    "\n"
    "bfloat16 and float8 are read and written as raw bytes (V2, V1), as NumPy has no such types.\n";

// The command line is wrong: exit code 2.
class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct Options {
  std::filesystem::path model;
  std::vector<std::filesystem::path> inputs;
  std::filesystem::path output;
  std::filesystem::path torch;
  std::uint32_t repeat = 1;
  std::uint32_t threads = 1;
  bool describe = false;
  bool json = false;
  bool help = false;
};

inline std::uint32_t positive(const std::wstring& name, const std::wstring& text, std::uint32_t limit) {
  std::uint64_t value = 0;
  for (const wchar_t digit : text) {
    value = digit >= L'0' && digit <= L'9' && value <= limit ? 10 * value + (digit - L'0') : ~0ULL;
    if (value > limit) {
      break;
    }
  }
  if (text.empty() || value == 0 || value > limit) {
    throw UsageError(
        std::filesystem::path(name).u8string() + " takes a number from 1 to " + std::to_string(limit));
  }
  return static_cast<std::uint32_t>(value);
}

inline Options parse(int count, wchar_t** words) {
  Options options;
  for (int i = 1; i < count; ++i) {
    const std::wstring word = words[i];
    const auto value = [&]() -> std::wstring {
      if (i + 1 >= count) {
        throw UsageError(std::filesystem::path(word).u8string() + " takes a value");
      }
      return words[++i];
    };
    if (word == L"--input" || word == L"-i") {
      options.inputs.emplace_back(value());
    } else if (word == L"--output" || word == L"-o") {
      options.output = value();
    } else if (word == L"--torch") {
      options.torch = value();
    } else if (word == L"--repeat") {
      options.repeat = positive(word, value(), 1000000);
    } else if (word == L"--threads") {
      options.threads = positive(word, value(), 1024);
    } else if (word == L"--describe") {
      options.describe = true;
    } else if (word == L"--json") {
      options.json = true;
    } else if (word == L"--help" || word == L"-h") {
      options.help = true;
    } else if (word.rfind(L"-", 0) == 0 || !options.model.empty()) {
      throw UsageError("unknown argument " + std::filesystem::path(word).u8string());
    } else {
      options.model = word;
    }
  }
  if (options.model.empty() && !options.help) {
    throw UsageError("no model is named");
  }
  return options;
}

} // namespace run
