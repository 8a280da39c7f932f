// aotwin-prove: runs models on Windows for the proof of a build, several in one process.
//
//     aotwin-prove JOBS
//
// JOBS is a text of lines, a word first: see plugin/aotwin/stages/proof/host.py, which writes it and
// reads what is printed here. Inputs are read from, and results appended to, plain files in the
// current folder. The library that opens the models is named in the jobs: of a model over aotwin's
// own run time it is the one in its package.
#include <windows.h>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#define AOTWIN_BUILDING_LIBRARY
#include "aotwin.h"

namespace {

namespace fs = std::filesystem;

// A job cannot go on; the others can.
struct Failure {
  const char* stage;
  std::int32_t code;
  std::string message;
};

void say(const std::string& line) {
  std::fwrite(line.data(), 1, line.size(), stdout);
  std::fputc('\n', stdout);
  // Whatever is said last tells where a crash was.
  std::fflush(stdout);
}

std::string one_line(std::string text) {
  for (char& each : text) {
    if (each == '\n' || each == '\r') {
      each = ' ';
    }
  }
  return text;
}

// The functions of aotwin.h that are called here.
class Library {
 public:
  explicit Library(const fs::path& path) {
    module_ = LoadLibraryExW(
        path.c_str(), nullptr, LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR | LOAD_LIBRARY_SEARCH_SYSTEM32);
    if (module_ == nullptr) {
      throw Failure{"load", 0, path.u8string() + ": error " + std::to_string(GetLastError())};
    }
    resolve(open, "aotwin_open_w");
    resolve(close, "aotwin_close");
    resolve(run, "aotwin_run_results");
    resolve(get, "aotwin_results_get");
    resolve(free, "aotwin_results_free");
    resolve(last_message, "aotwin_last_message");
    resolve(element_nbytes, "aotwin_dtype_nbytes");
  }

  void check(const char* stage, std::int32_t code) const {
    if (code != AOTWIN_OK) {
      throw Failure{stage, code, last_message()};
    }
  }

  decltype(&aotwin_open_w) open = nullptr;
  decltype(&aotwin_close) close = nullptr;
  decltype(&aotwin_run_results) run = nullptr;
  decltype(&aotwin_results_get) get = nullptr;
  decltype(&aotwin_results_free) free = nullptr;
  decltype(&aotwin_last_message) last_message = nullptr;
  decltype(&aotwin_dtype_nbytes) element_nbytes = nullptr;

 private:
  template <typename Function>
  void resolve(Function& function, const char* name) {
    function = reinterpret_cast<Function>(
        reinterpret_cast<void*>(GetProcAddress(module_, name)));
    if (function == nullptr) {
      throw Failure{"load", 0, std::string("the library has no ") + name};
    }
  }

  HMODULE module_ = nullptr;
};

// One tensor with its elements.
struct Input {
  std::vector<char> bytes;
  std::vector<std::int64_t> sizes;
  std::int32_t dtype = 0;

  aotwin_tensor view() {
    return {
        bytes.data(), bytes.size(), dtype, static_cast<std::int32_t>(sizes.size()), sizes.data(),
        nullptr};
  }
};

// "DTYPE OFFSET NBYTES RANK SIZE...", the elements in `file`.
Input read_input(std::istringstream& words, const fs::path& file) {
  Input input;
  std::uint64_t offset = 0;
  std::uint64_t nbytes = 0;
  std::size_t rank = 0;
  words >> input.dtype >> offset >> nbytes >> rank;
  input.sizes.resize(rank);
  for (std::int64_t& size : input.sizes) {
    words >> size;
  }
  input.bytes.resize(nbytes);
  std::ifstream stream(file, std::ios::binary);
  stream.seekg(static_cast<std::streamoff>(offset));
  stream.read(input.bytes.data(), static_cast<std::streamsize>(nbytes));
  if (!words || !stream) {
    throw Failure{"read", 0, file.u8string() + " cannot be read"};
  }
  return input;
}

bool is_dense(const aotwin_tensor& tensor) {
  std::int64_t step = 1;
  for (std::int32_t i = tensor.rank; tensor.strides != nullptr && i-- > 0;) {
    if (tensor.sizes[i] != 1 && tensor.strides[i] != step) {
      return false;
    }
    step *= tensor.sizes[i];
  }
  return true;
}

// The elements one after the other, whatever the strides are.
std::vector<char> dense(const aotwin_tensor& tensor, std::uint64_t nbytes) {
  std::uint64_t count = 1;
  for (std::int32_t i = 0; i < tensor.rank; ++i) {
    count *= static_cast<std::uint64_t>(tensor.sizes[i]);
  }
  std::vector<char> bytes(count * nbytes);
  const char* const start = static_cast<const char*>(tensor.data);
  if (is_dense(tensor)) {
    std::memcpy(bytes.data(), start, count == 0 ? 0 : bytes.size());
    return bytes;
  }
  std::vector<std::int64_t> at(static_cast<std::size_t>(tensor.rank), 0);
  for (std::size_t done = 0; done < bytes.size(); done += nbytes) {
    std::int64_t offset = 0;
    for (std::size_t i = 0; i < at.size(); ++i) {
      offset += at[i] * tensor.strides[i];
    }
    std::memcpy(bytes.data() + done, start + offset * static_cast<std::int64_t>(nbytes), nbytes);
    for (std::size_t i = at.size(); i-- > 0 && ++at[i] == tensor.sizes[i];) {
      at[i] = 0;
    }
  }
  return bytes;
}

// One DLL, from its opening to its closing.
class Job {
 public:
  Job(const Library& library, const fs::path& dll, const fs::path& torch, const fs::path& results)
      : library_(library), results_(results, std::ios::binary | std::ios::trunc) {
    aotwin_open_options options{};
    options.struct_size = sizeof(options);
    options.torch_directory_w = torch.empty() ? nullptr : torch.c_str();
    library_.check("open", library_.open(dll.c_str(), &options, &model_));
  }
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;
  ~Job() {
    library_.close(model_);
  }

  // Prints a line for each result.
  void run(std::vector<Input>& inputs, std::uint32_t count) {
    std::vector<aotwin_tensor> views;
    for (Input& input : inputs) {
      views.push_back(input.view());
    }
    aotwin_results* results = nullptr;
    library_.check(
        "run",
        library_.run(model_, views.data(), static_cast<std::uint32_t>(views.size()), &results));
    for (std::uint32_t i = 0; i < count; ++i) {
      aotwin_tensor tensor{};
      library_.check("run", library_.get(results, i, &tensor));
      write(tensor);
    }
    library_.free(results);
    results_.flush();
    if (!results_) {
      throw Failure{"write", 0, "results cannot be written: is the disk full?"};
    }
  }

 private:
  void write(const aotwin_tensor& tensor) {
    std::string line = "result " + std::to_string(tensor.dtype);
    std::vector<char> bytes;
    if (tensor.dtype != AOTWIN_DTYPE_NONE) {
      bytes = dense(tensor, library_.element_nbytes(tensor.dtype));
    }
    line += " " + std::to_string(written_) + " " + std::to_string(bytes.size()) + " " +
        std::to_string(tensor.rank);
    for (std::int32_t i = 0; i < tensor.rank; ++i) {
      line += " " + std::to_string(tensor.sizes[i]);
    }
    results_.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    written_ += bytes.size();
    say(line);
  }

  const Library& library_;
  aotwin_model* model_ = nullptr;
  std::ofstream results_;
  std::uint64_t written_ = 0;
};

// What a job's lines have said so far.
struct State {
  std::unique_ptr<Library> library;
  std::unique_ptr<Job> job;
  fs::path torch;
  fs::path inputs_file;
  std::vector<Input> inputs;
  bool failed = false;
};

fs::path rest_of(std::istringstream& words) {
  std::string text;
  std::getline(words >> std::ws, text);
  return fs::u8path(text);
}

void obey(const std::string& word, std::istringstream& words, State& state) {
  if (word == "library") {
    state.library = std::make_unique<Library>(rest_of(words));
  } else if (word == "torch") {
    state.torch = rest_of(words);
  } else if (word == "inputs") {
    state.inputs_file = rest_of(words);
  } else if (word == "open") {
    std::string results;
    words >> results;
    state.job = std::make_unique<Job>(
        *state.library, rest_of(words), state.torch, fs::u8path(results));
    say("opened");
  } else if (word == "input") {
    state.inputs.push_back(read_input(words, state.inputs_file));
  } else if (word == "run") {
    std::uint32_t count = 0;
    words >> count;
    state.job->run(state.inputs, count);
    state.inputs.clear();
    say("ran");
  } else if (word == "end") {
    state.job.reset();
    say("closed");
  } else {
    throw Failure{"read", 0, "unknown word " + word};
  }
}

LONG WINAPI tell_crash(EXCEPTION_POINTERS* pointers) {
  char line[32];
  std::snprintf(line, sizeof(line), "crashed 0x%08lx", pointers->ExceptionRecord->ExceptionCode);
  say(line);
  return EXCEPTION_EXECUTE_HANDLER;
}

// A job that fails is left; the next begins with the word "job".
int work(const fs::path& jobs) {
  std::ifstream stream(jobs, std::ios::binary);
  if (!stream) {
    std::fprintf(stderr, "%s cannot be read\n", jobs.u8string().c_str());
    return 1;
  }
  State state;
  for (std::string line; std::getline(stream, line);) {
    std::istringstream words(line);
    std::string word;
    words >> word;
    if (word == "job") {
      state.job.reset();
      state = State();
      say("job");
      continue;
    }
    if (state.failed) {
      continue;
    }
    try {
      obey(word, words, state);
    } catch (const Failure& failure) {
      state.failed = true;
      say("failed " + std::string(failure.stage) + " " + std::to_string(failure.code) + " " +
          one_line(failure.message));
    } catch (const std::exception& error) {
      state.failed = true;
      say("failed run 0 " + one_line(error.what()));
    }
  }
  state.job.reset();
  say("done");
  return 0;
}

} // namespace

int wmain(int count, wchar_t** words) {
  SetUnhandledExceptionFilter(tell_crash);
  if (count != 2) {
    std::fputs("usage: aotwin-prove JOBS\n", stderr);
    return 2;
  }
  return work(words[1]);
}
