// A C++ program over aotwin.hpp: threads, and two models of which one is closed.
//
//   threads MODEL TORCH            8 threads, 200 runs each, of one model with 4 runners
//   two MODEL OTHER TORCH          run both, close the first, run the other
//   layer MODEL TORCH              what the C++ layer itself refuses
//
// MODEL takes x [2, 64] and gives [2, 4]; OTHER takes x [2, 4] and gives relu(x) + 1.
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cwchar>
#include <exception>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "aotwin.hpp"

namespace {

std::vector<float> run_first(const aotwin::model& model, float value) {
  const std::vector<float> x(2 * 64, value);
  std::vector<float> y(2 * 4);
  model.run({aotwin::tensor(x, {2, 64})}, {aotwin::tensor(y, {2, 4})});
  return y;
}

void print(const char* name, const std::vector<float>& values) {
  std::printf("%s\t", name);
  for (const float value : values) {
    std::printf(" %.9g", static_cast<double>(value));
  }
  std::puts("");
}

// Every thread has inputs of its own, so that results which are mixed up are seen.
int threads(const aotwin::model& model) {
  constexpr int count = 8;
  constexpr int runs = 200;
  std::vector<std::vector<float>> expected;
  for (int i = 0; i < count; ++i) {
    expected.push_back(run_first(model, static_cast<float>(i) / count));
  }
  std::atomic<int> right{0};
  std::atomic<int> refused{0};
  std::vector<std::thread> all;
  for (int i = 0; i < count; ++i) {
    all.emplace_back([&, i] {
      for (int run = 0; run < runs; ++run) {
        right += run_first(model, static_cast<float>(i) / count) == expected[i];
        // Errors are each thread's own.
        const std::vector<float> x(static_cast<std::size_t>(i) + 1);
        try {
          model.run({aotwin::tensor(x, {i + 1})});
        } catch (const aotwin::error& error) {
          refused += error.code() == AOTWIN_ERROR_RANK &&
              std::string(error.what()).find("got 1") != std::string::npos;
        }
      }
    });
  }
  for (std::thread& thread : all) {
    thread.join();
  }
  std::printf("right\t%d\nrefused\t%d\n", right.load(), refused.load());
  print("last", expected.back());
  return 0;
}

int two(const wchar_t* first_path, const wchar_t* other_path, const wchar_t* torch) {
  auto first = std::make_unique<aotwin::model>(first_path, torch);
  const aotwin::model other(other_path, torch);
  std::vector<float> x{-1, 0, 1, 2, -1, 0, 1, 2};
  // A thread that has run the first model ends after that is gone.
  std::atomic<bool> ran{false};
  std::atomic<bool> closed{false};
  std::thread survivor([&] {
    print("first", run_first(*first, 1.0F));
    ran = true;
    ran.notify_one();
    closed.wait(false);
    std::vector<float> y(8);
    other.run({aotwin::tensor(x, {2, 4})}, {aotwin::tensor(y, {2, 4})});
    print("thread", y);
  });
  ran.wait(false);
  first.reset();
  closed = true;
  closed.notify_one();
  survivor.join();
  const aotwin::results results = other.run({aotwin::tensor(x, {2, 4})});
  const float* y = results[0].data_as<float>();
  print("other", {y, y + results[0].numel()});
  return 0;
}

int layer(const aotwin::model& model) {
  const auto expect = [](const char* name, auto&& body) {
    try {
      body();
      std::printf("%s\t0\t\n", name);
    } catch (const aotwin::error& error) {
      std::printf("%s\t%d\t%s\n", name, error.code(), error.what());
    }
  };
  const std::vector<float> x(2 * 64, 1.0F);
  expect("strides", [&] { aotwin::tensor(x, {2, 64}, {1}); });
  expect("type", [&] { model.run({aotwin::tensor(x, {2, 64})})[0].data_as<double>(); });
  expect("index", [&] { model.run({aotwin::tensor(x, {2, 64})})[1]; });
  expect("missing", [&] { aotwin::model("Z:\\there is no such folder"); });
  aotwin::model moved(std::move(const_cast<aotwin::model&>(model)));
  expect("moved", [&] { print("y", run_first(moved, 1.0F)); });
  expect("moved from", [&] { model.info(); });
  return 0;
}

} // namespace

int wmain(int argc, wchar_t** argv) {
  try {
    const std::wstring command = argc > 3 ? argv[1] : L"";
    if (command == L"threads") {
      return threads(aotwin::model(argv[2], argv[3], 4));
    }
    if (command == L"two" && argc > 4) {
      return two(argv[2], argv[3], argv[4]);
    }
    return command == L"layer" ? layer(aotwin::model(argv[2], argv[3])) : 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
