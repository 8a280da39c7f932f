// aotwin-run: opens a model on Windows, runs it with .npy files, and tells how long that took.
#include <chrono>
#include <cstdio>
#include <exception>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "npy.h"
#include "options.h"
#include "report.h"

namespace {

using run::Options;
namespace fs = std::filesystem;

npy::Array read_input(const fs::path& path, const aotwin_tensor_info& info) {
  npy::Array array;
  try {
    array = npy::read(path);
  } catch (const std::exception& error) {
    throw std::runtime_error(path.u8string() + " cannot be used: " + error.what());
  }
  if (array.dtype == AOTWIN_DTYPE_NONE) {
    // Raw bytes: they are what the model expects, if that has no type in NumPy.
    const bool nameless = npy::descr_of(info.dtype) == "|V" + std::to_string(array.raw_nbytes);
    if (!nameless) {
      throw std::runtime_error(
          path.u8string() + " cannot be used: its elements are raw bytes, input " + info.name +
          " is " + run::dtype_text(info.dtype));
    }
    array.dtype = info.dtype;
  }
  return array;
}

std::vector<npy::Array> read_inputs(const Options& options, const aotwin::model& model) {
  const auto infos = model.inputs();
  if (options.inputs.size() != infos.size()) {
    std::string names;
    for (const aotwin_tensor_info& info : infos) {
      names += (names.empty() ? "" : ", ") + std::string(info.name);
    }
    throw run::UsageError(
        "the model takes " + std::to_string(infos.size()) + " inputs (" + names + "), given are " +
        std::to_string(options.inputs.size()));
  }
  std::vector<npy::Array> arrays;
  for (std::size_t i = 0; i < infos.size(); ++i) {
    arrays.push_back(read_input(options.inputs[i], infos[i]));
  }
  return arrays;
}

// All calls; results are those of the very first, which no other call had changed buffers before.
struct Calls {
  std::vector<double> milliseconds;
  aotwin::results results;
};

aotwin::results timed_call(
    const aotwin::model& model, const std::vector<aotwin::tensor>& inputs, std::vector<double>& times) {
  const auto start = std::chrono::steady_clock::now();
  aotwin::results results = model.run(inputs);
  times.push_back(
      std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
  return results;
}

std::vector<aotwin::tensor> tensors_over(std::vector<npy::Array>& arrays) {
  std::vector<aotwin::tensor> tensors;
  for (npy::Array& array : arrays) {
    tensors.emplace_back(
        array.bytes.data(), array.bytes.size(), array.dtype, array.sizes, array.strides);
  }
  return tensors;
}

// Every thread has inputs of its own, as a model may write them.
Calls call(const Options& options, const aotwin::model& model, const std::vector<npy::Array>& arrays) {
  std::mutex mutex;
  std::exception_ptr failure;
  std::vector<double> times;
  std::vector<npy::Array> own = arrays;
  aotwin::results results = timed_call(model, tensors_over(own), times);
  const auto work = [&](std::uint32_t repeat) {
    try {
      std::vector<double> mine;
      std::vector<npy::Array> copies = arrays;
      for (std::uint32_t i = 0; i < repeat; ++i) {
        timed_call(model, tensors_over(copies), mine);
      }
      const std::lock_guard<std::mutex> lock(mutex);
      times.insert(times.end(), mine.begin(), mine.end());
    } catch (...) {
      const std::lock_guard<std::mutex> lock(mutex);
      failure = std::current_exception();
    }
  };
  std::vector<std::thread> threads;
  for (std::uint32_t i = 0; i < options.threads; ++i) {
    threads.emplace_back(work, options.repeat - (i == 0 ? 1 : 0));
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  if (failure) {
    std::rethrow_exception(failure);
  }
  return {std::move(times), std::move(results)};
}

std::string file_name(std::uint32_t index, const std::string& name) {
  std::string safe = std::to_string(index) + "_";
  for (const char each : name) {
    const bool plain = (each >= '0' && each <= '9') || (each >= 'a' && each <= 'z') ||
        (each >= 'A' && each <= 'Z') || each == '_' || each == '-';
    safe += plain ? each : '_';
  }
  return safe + ".npy";
}

// A result's elements one after the other, whatever its strides are.
std::vector<char> dense(const aotwin::result& result) {
  const std::uint64_t nbytes = aotwin_dtype_nbytes(result.dtype());
  const auto sizes = result.sizes();
  const auto strides = result.strides();
  std::vector<char> bytes(static_cast<std::size_t>(result.numel()) * nbytes);
  const char* const start = static_cast<const char*>(result.data());
  std::vector<std::int64_t> at(sizes.size(), 0);
  for (std::size_t done = 0; done < bytes.size(); done += nbytes) {
    std::int64_t offset = 0;
    for (std::size_t i = 0; i < at.size(); ++i) {
      offset += at[i] * strides[i];
    }
    std::memcpy(bytes.data() + done, start + offset * static_cast<std::int64_t>(nbytes), nbytes);
    for (std::size_t i = at.size(); i-- > 0 && ++at[i] == sizes[i];) {
      at[i] = 0;
    }
  }
  return bytes;
}

std::vector<run::Result> describe_results(
    const Options& options, const aotwin::model& model, const aotwin::results& results) {
  const auto infos = model.outputs();
  std::vector<run::Result> rows;
  if (!options.output.empty()) {
    fs::create_directories(options.output);
  }
  for (std::uint32_t i = 0; i < results.size(); ++i) {
    const aotwin::result each = results[i];
    run::Result row{infos[i].name, each.dtype(), each.sizes(), each.numel(), ""};
    if (each.dtype() == AOTWIN_DTYPE_NONE) {
      row.numel = 0;
    } else if (!options.output.empty()) {
      const fs::path path = options.output / file_name(i, infos[i].name);
      try {
        npy::write(path, each.dtype(), each.sizes(), dense(each));
      } catch (const std::exception& error) {
        throw std::runtime_error(path.u8string() + ": " + error.what());
      }
      row.file = path.u8string();
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

void print(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
}

int run_model(const Options& options) {
  const aotwin::model model(options.model, options.torch, options.threads);
  if (options.describe) {
    print(options.json ? run::description_json(model) : run::description_text(model));
    return 0;
  }
  const std::vector<npy::Array> inputs = read_inputs(options, model);
  const Calls calls = call(options, model, inputs);
  const auto results = describe_results(options, model, calls.results);
  const run::Latency latency = run::latency_of(calls.milliseconds);
  print(
      options.json ? run::run_json(model, latency, options.threads, results)
                   : run::run_text(model, latency, results));
  return 0;
}

} // namespace

int wmain(int count, wchar_t** words) {
  try {
    const Options options = run::parse(count, words);
    if (options.help) {
      print(run::usage);
      return 0;
    }
    return run_model(options);
  } catch (const run::UsageError& error) {
    std::fprintf(stderr, "aotwin-run: error: %s\naotwin-run --help tells more.\n", error.what());
    return 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "aotwin-run: error: %s\n", error.what());
    return 1;
  }
}
