// What aotwin-run prints: lines for people, or one JSON object.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <numeric>
#include <string>
#include <vector>

#include "aotwin.hpp"

namespace run {

// Milliseconds of all calls.
struct Latency {
  double first = 0;
  double min = 0;
  double median = 0;
  double mean = 0;
  double max = 0;
  std::size_t calls = 0;
};

inline Latency latency_of(std::vector<double> milliseconds) {
  Latency result;
  result.calls = milliseconds.size();
  if (milliseconds.empty()) {
    return result;
  }
  result.first = milliseconds.front();
  std::sort(milliseconds.begin(), milliseconds.end());
  const std::size_t middle = milliseconds.size() / 2;
  result.min = milliseconds.front();
  result.max = milliseconds.back();
  result.median = milliseconds.size() % 2 == 1
      ? milliseconds[middle]
      : (milliseconds[middle - 1] + milliseconds[middle]) / 2;
  result.mean = std::accumulate(milliseconds.begin(), milliseconds.end(), 0.0) /
      static_cast<double>(milliseconds.size());
  return result;
}

struct Result {
  std::string name;
  std::int32_t dtype;
  std::vector<std::int64_t> sizes;
  std::int64_t numel;
  // "" where it was not written.
  std::string file;
};

inline std::string figure(double value) {
  char text[64];
  std::snprintf(text, sizeof(text), "%.3f", value);
  return text;
}

inline std::string dtype_text(std::int32_t dtype) {
  const char* name = aotwin_dtype_name(dtype);
  return name != nullptr ? name : "";
}

inline std::string quoted(const std::string& text) {
  std::string result = "\"";
  for (const char each : text) {
    char escape[8];
    const auto code = static_cast<unsigned char>(each);
    if (each == '"' || each == '\\') {
      result += '\\';
      result += each;
    } else if (code < 0x20) {
      std::snprintf(escape, sizeof(escape), "\\u%04x", code);
      result += escape;
    } else {
      result += each;
    }
  }
  return result + "\"";
}

inline std::string list(const std::vector<std::int64_t>& numbers) {
  std::string result;
  for (const std::int64_t number : numbers) {
    result += (result.empty() ? "" : ", ") + std::to_string(number);
  }
  return "[" + result + "]";
}

// [2, "batch", null]: a size, the name of one that differs from call to call, or neither.
inline std::string shape_json(const aotwin_tensor_info& info) {
  if (info.rank < 0) {
    return "null";
  }
  std::string result;
  for (std::int32_t i = 0; i < info.rank; ++i) {
    const bool named = info.sizes[i] < 0 && info.symbols[i] != nullptr && info.symbols[i][0] != 0;
    result += i == 0 ? "" : ", ";
    result += info.sizes[i] >= 0 ? std::to_string(info.sizes[i])
        : named                  ? quoted(info.symbols[i])
                                 : "null";
  }
  return "[" + result + "]";
}

inline std::string tensors_json(const std::vector<aotwin_tensor_info>& tensors) {
  std::string rows;
  for (const aotwin_tensor_info& each : tensors) {
    const std::string dtype = dtype_text(each.dtype);
    rows += rows.empty() ? "" : ", ";
    rows += "{\"name\": " + quoted(each.name) + ", \"dtype\": " +
        (dtype.empty() ? "null" : quoted(dtype)) + ", \"shape\": " + shape_json(each) + "}";
  }
  return "[" + rows + "]";
}

inline std::string model_json(const aotwin::model& model) {
  const aotwin_model_info info = model.info();
  return "\"version\": 1, \"model\": " + quoted(info.dll_path) + ", \"weights\": " +
      quoted(info.weights_path) + ", \"run_time\": " + quoted(info.run_time) + ", \"torch\": {\"version\": " + quoted(info.torch_version) +
      ", \"path\": " + quoted(info.torch_path) + "}, \"cpu\": " + quoted(info.cpu) +
      ", \"weights_nbytes\": " + std::to_string(info.weights_nbytes) + ", \"mapped_nbytes\": " +
      std::to_string(info.mapped_nbytes) + ", \"copied_nbytes\": " +
      std::to_string(info.copied_nbytes) + ", \"load_ms\": {\"torch\": " + figure(info.torch_ms) +
      ", \"dll\": " + figure(info.dll_ms) + ", \"weights\": " + figure(info.weights_ms) + "}";
}

inline std::string description_json(const aotwin::model& model) {
  return "{" + model_json(model) + ", \"inputs\": " + tensors_json(model.inputs()) +
      ", \"outputs\": " + tensors_json(model.outputs()) + "}\n";
}

inline std::string run_json(
    const aotwin::model& model, const Latency& latency, std::uint32_t threads,
    const std::vector<Result>& results) {
  std::string rows;
  for (const Result& each : results) {
    const std::string dtype = dtype_text(each.dtype);
    rows += rows.empty() ? "" : ", ";
    rows += "{\"name\": " + quoted(each.name) + ", \"dtype\": " +
        (dtype.empty() ? "null" : quoted(dtype)) + ", \"shape\": " + list(each.sizes) +
        ", \"numel\": " + std::to_string(each.numel) + ", \"file\": " +
        (each.file.empty() ? "null" : quoted(each.file)) + "}";
  }
  return "{" + model_json(model) + ", \"threads\": " + std::to_string(threads) +
      ", \"run_ms\": {\"calls\": " + std::to_string(latency.calls) + ", \"first\": " +
      figure(latency.first) + ", \"min\": " + figure(latency.min) + ", \"median\": " +
      figure(latency.median) + ", \"mean\": " + figure(latency.mean) + ", \"max\": " +
      figure(latency.max) + "}, \"outputs\": [" + rows + "]}\n";
}

// Over our own run time nothing of torch is loaded, and there is nothing to say of it.
inline bool is_over_torch(const aotwin_model_info& info) {
  return std::string(info.run_time) == "torch";
}

inline std::string load_text(const aotwin::model& model) {
  const aotwin_model_info info = model.info();
  return std::string("Loaded ") + info.dll_path + "\nLoading weights from " + info.weights_path +
      "\nLoad latency (ms): " + figure(info.torch_ms + info.dll_ms + info.weights_ms) +
      " (" + (is_over_torch(info) ? "torch: " + figure(info.torch_ms) + ", " : "") + "DLL: " +
      figure(info.dll_ms) + ", weights: " + figure(info.weights_ms) + ")\n";
}

inline std::string description_text(const aotwin::model& model) {
  std::string text = load_text(model);
  const auto add = [&](const char* role, const std::vector<aotwin_tensor_info>& tensors) {
    for (const aotwin_tensor_info& each : tensors) {
      const std::string dtype = dtype_text(each.dtype);
      text += std::string(role) + " " + each.name + ": " + (dtype.empty() ? "?" : dtype) + " " +
          shape_json(each) + "\n";
    }
  };
  add("input ", model.inputs());
  add("output", model.outputs());
  return text;
}

inline std::string run_text(
    const aotwin::model& model, const Latency& latency, const std::vector<Result>& results) {
  std::string text = load_text(model) + "Run latency (ms): " + figure(latency.median);
  if (latency.calls > 1) {
    text += " median of " + std::to_string(latency.calls) + " calls (first: " +
        figure(latency.first) + ", min: " + figure(latency.min) + ", mean: " +
        figure(latency.mean) + ", max: " + figure(latency.max) + ")";
  }
  text += "\n";
  for (const Result& each : results) {
    text += "  " + each.name + ": dtype " + dtype_text(each.dtype) + ", shape " + list(each.sizes) +
        ", numel " + std::to_string(each.numel) + (each.file.empty() ? "" : " -> " + each.file) + "\n";
  }
  return text;
}

} // namespace run
