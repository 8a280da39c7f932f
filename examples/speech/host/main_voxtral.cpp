// Loads the three speech models on Windows, says how long that took, and answers a recording.
//
//     main_voxtral.exe MODELS AUDIO.wav [--dlls FOLDER]... [--tokens N] [--ask TEXT]
//                      [--blobs FOLDER] [--dump FOLDER]
//
// MODELS   the folder with audio_encoder, token_embedding and text_decoder (the installed package)
// --dlls   for models over torch, folders of torch_cpu.dll and what it needs; the first is torch's.
//          Default: the program's own. Models over aotwin's own run time have it beside them.
// --tokens how many tokens to generate at most (default 10)
// --ask    what to ask about the recording (default "Describe.")
// --blobs  copy the weights from the blobs in this folder, for DLLs that have none beside them
// --dump   write the log-mel frames (mel.f32) and each step's logits (logits.bf16) into this folder
#include <windows.h>

#include <cstdio>
#include <cstring>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

#include "log_mel.h"
#include "model.h"

namespace speech {
namespace {

// Ids of the published models' tokenizer; below 1000 are its control tokens, then come the 256 bytes.
enum Token : int64_t { begin = 1, end = 2, ask = 3, asked = 4, audio = 24, begin_audio = 25, bytes = 1000 };

struct Options {
  std::filesystem::path models, recording;
  std::vector<std::filesystem::path> dlls;
  size_t tokens = 10;
  std::string question = "Describe.";
  std::optional<std::filesystem::path> blobs, dump;
};

std::filesystem::path own_folder() {
  std::wstring path(32768, L'\0');
  path.resize(GetModuleFileNameW(nullptr, path.data(), static_cast<DWORD>(path.size())));
  return std::filesystem::path(path).parent_path();
}

Options parse(int argc, wchar_t** argv) {
  Options options;
  std::vector<std::filesystem::path> places;
  for (int i = 1; i < argc; ++i) {
    const std::wstring word = argv[i];
    if (!word.starts_with(L"--")) {
      places.emplace_back(word);
      continue;
    }
    if (i + 1 == argc) {
      throw std::invalid_argument(utf8(word) + " needs a value");
    }
    const std::wstring value = argv[++i];
    if (word == L"--dlls") {
      options.dlls.emplace_back(value);
    } else if (word == L"--tokens") {
      options.tokens = std::stoul(value);
    } else if (word == L"--ask") {
      options.question = utf8(value);
    } else if (word == L"--blobs") {
      options.blobs = value;
    } else if (word == L"--dump") {
      options.dump = value;
    } else {
      throw std::invalid_argument("there is no option " + utf8(word));
    }
  }
  if (places.size() != 2) {
    throw std::invalid_argument("name the folder of the models and a .wav");
  }
  options.models = places[0];
  options.recording = places[1];
  if (options.dlls.empty()) {
    options.dlls.push_back(own_folder());
  }
  return options;
}

std::string spelled(const std::vector<int64_t>& numbers) {
  std::string result = "[";
  for (const int64_t number : numbers) {
    result += (result.size() > 1 ? ", " : "") + std::to_string(number);
  }
  return result + "]";
}

void print_loaded(const Model& model) {
  std::printf("Loaded %s\n", utf8(model.path.wstring()).c_str());
  std::printf(
      "Loading weights from %s (%llu bytes mapped, %llu copied)\n", model.weights_path.c_str(),
      static_cast<unsigned long long>(model.weights.mapped_bytes),
      static_cast<unsigned long long>(model.weights.copied_bytes));
}

void print_load_latency(const Model& model) {
  std::printf("  %s: %.1f\n", model.name.c_str(), model.load_milliseconds);
  std::printf("    archive extraction: 0.0 (there is no archive)\n");
  std::printf("    .so loading: %.1f\n", model.load_milliseconds);
}

void print_run_latency(const Torch& torch, const Model& model, const Tensor& output) {
  const char* dtype = output.dtype == torch.dtype_bfloat16() ? "bfloat16" : "unexpected";
  std::printf("  %s: %.1f\n", model.name.c_str(), model.run_milliseconds);
  std::printf(
      "    output 0: dtype %s, shape %s, numel %lld\n", dtype, spelled(output.shape).c_str(),
      static_cast<long long>(output.numel));
}

// The prompt around the audio's placeholders. The question goes in byte by byte: the longer tokens of a
// tokenizer are shorter to write, these mean the same.
std::vector<int64_t> prompt(const std::string& question, size_t audio_tokens) {
  std::vector<int64_t> ids{Token::begin, Token::ask, Token::begin_audio};
  ids.insert(ids.end(), audio_tokens, Token::audio);
  for (const char letter : question) {
    ids.push_back(Token::bytes + static_cast<unsigned char>(letter));
  }
  ids.push_back(Token::asked);
  return ids;
}

// A bfloat16 is the upper half of a float.
float to_float(uint16_t value) {
  const uint32_t wide = static_cast<uint32_t>(value) << 16;
  float result;
  std::memcpy(&result, &wide, sizeof(result));
  return result;
}

// The last position of [1, tokens, vocabulary].
const uint16_t* last_row(const Tensor& logits) {
  return static_cast<const uint16_t*>(logits.data) + (logits.shape[1] - 1) * logits.shape[2];
}

int64_t best_token(const Tensor& logits) {
  const uint16_t* row = last_row(logits);
  int64_t best = 0;
  for (int64_t token = 1; token < logits.shape[2]; ++token) {
    if (to_float(row[token]) > to_float(row[best])) {
      best = token;
    }
  }
  return best;
}

void append(const std::optional<std::filesystem::path>& folder, const char* name, const void* data, size_t size) {
  if (folder) {
    std::ofstream file(*folder / name, std::ios::binary | std::ios::app);
    if (!file.write(static_cast<const char*>(data), static_cast<std::streamsize>(size))) {
      throw std::runtime_error(utf8(folder->wstring()) + " cannot be written to");
    }
  }
}

class Voxtral {
 public:
  Voxtral(const Torch& torch, const Options& options)
      : torch_(torch),
        options_(options),
        audio_encoder_(torch, options.models, "audio_encoder", options.blobs),
        token_embedding_(torch, options.models, "token_embedding", options.blobs),
        text_decoder_(torch, options.models, "text_decoder", options.blobs) {
    for (const Model* model : models()) {
      print_loaded(*model);
    }
    std::printf("Load latency (ms)\n");
    for (const Model* model : models()) {
      print_load_latency(*model);
    }
  }

  // Greedily: the best token each time, until the end token or as many as wanted.
  std::vector<int64_t> answer(const std::vector<float>& mel) {
    append(options_.dump, "mel.f32", mel.data(), mel.size() * sizeof(float));
    const Tensor audio = audio_encoder_.run({Tensor::view(
        torch_, mel.data(), {num_chunks, mel_bins, frames_per_chunk}, torch_.dtype_float32())});
    const std::vector<int64_t> ids = prompt(options_.question, static_cast<size_t>(audio.shape[1]));
    const Tensor embeddings = embed(ids);
    place_audio(audio, ids, embeddings);
    int64_t position = 0;
    Tensor logits = decode(embeddings, position);
    std::printf("Run latency (ms)\n");
    print_run_latency(torch_, audio_encoder_, audio);
    print_run_latency(torch_, token_embedding_, embeddings);
    print_run_latency(torch_, text_decoder_, logits);
    std::fflush(stdout);
    std::vector<int64_t> tokens;
    while (true) {
      append(options_.dump, "logits.bf16", last_row(logits), static_cast<size_t>(logits.shape[2]) * 2);
      tokens.push_back(best_token(logits));
      if (tokens.back() == Token::end || tokens.size() >= options_.tokens) {
        return tokens;
      }
      logits = decode(embed({tokens.back()}), position);
    }
  }

 private:
  std::vector<const Model*> models() const { return {&audio_encoder_, &token_embedding_, &text_decoder_}; }

  Tensor embed(const std::vector<int64_t>& ids) {
    return token_embedding_.run(
        {Tensor::view(torch_, ids.data(), {1, static_cast<int64_t>(ids.size())}, torch_.dtype_int64())});
  }

  // The encoder's rows go where the prompt has placeholders, in order.
  static void place_audio(const Tensor& audio, const std::vector<int64_t>& ids, const Tensor& embeddings) {
    if (audio.shape[2] != embeddings.shape[2]) {
      throw std::runtime_error("the three models do not belong together");
    }
    const size_t row = static_cast<size_t>(audio.shape[2]) * sizeof(uint16_t);
    const char* from = static_cast<const char*>(audio.data);
    for (size_t i = 0; i < ids.size(); ++i) {
      if (ids[i] == Token::audio) {
        std::memcpy(static_cast<char*>(embeddings.data) + i * row, from, row);
        from += row;
      }
    }
  }

  // Continues at `position`, which it moves on. The decoder keeps what it has seen in its own buffers.
  Tensor decode(const Tensor& embeddings, int64_t& position) {
    std::vector<int64_t> places;
    for (int64_t i = 0; i < embeddings.shape[1]; ++i) {
      places.push_back(position++);
    }
    return text_decoder_.run(
        {Tensor::view(torch_, embeddings.data, embeddings.shape, torch_.dtype_bfloat16()),
         Tensor::view(torch_, places.data(), {embeddings.shape[1]}, torch_.dtype_int64())});
  }

  const Torch& torch_;
  const Options& options_;
  Model audio_encoder_, token_embedding_, text_decoder_;
};

int run(const Options& options) {
  for (const std::filesystem::path& folder : options.dlls) {
    AddDllDirectory(std::filesystem::absolute(folder).c_str());
  }
  const Torch torch(own_run_time(options.models).value_or(options.dlls.front() / L"torch_cpu.dll"));
  Voxtral voxtral(torch, options);
  const std::vector<int64_t> tokens = voxtral.answer(log_mel_frames(read_wave(options.recording)));
  std::printf("Tokens\n  %s\n", spelled(tokens).c_str());
  return 0;
}

}  // namespace
}  // namespace speech

int wmain(int argc, wchar_t** argv) {
  try {
    return speech::run(speech::parse(argc, argv));
  } catch (const std::invalid_argument& error) {
    std::fprintf(stderr, "main_voxtral: %s\n", error.what());
    return 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "main_voxtral: %s\n", error.what());
    return 1;
  }
}
