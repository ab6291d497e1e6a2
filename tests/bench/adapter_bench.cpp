// usage: adapter_bench MODEL.gguf [cpu|vulkan] [RANK] [ROUNDS]
// What a change of adapters costs beside a decode step: from one adapter to another, and to none.
// An adapter changes every matrix of the model; on a GPU it is uploaded anew when it comes back,
// so that time is measured alone, too. Medians.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <unistd.h>

#include "inference/backend.h"
#include "inference/gguf.h"
#include "tests/inference/synthetic_lora.h"
#include "vulkan/buffer.h"
#include "vulkan/instance.h"

namespace {

using namespace kinglet;  // NOLINT(google-build-using-namespace): a program
using namespace kinglet::inference;
using Clock = std::chrono::steady_clock;

template <class T>
T value_of(Result<T>&& result) {
  if (!result) throw std::runtime_error(result.error().message);
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}

template <class Work>
double milliseconds_of(const Work& work) {
  const auto start = Clock::now();
  work();
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

/// Where adapter files lie while they are measured.
class Folder {
 public:
  Folder() { std::filesystem::create_directories(path_); }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::filesystem::path operator/(const char* name) const { return path_ / name; }

 private:
  std::filesystem::path path_ = std::filesystem::temp_directory_path() /
                                ("kinglet_adapter_bench_" + std::to_string(::getpid()));
};

std::uint64_t uploaded_bytes(const Lora& lora) {
  std::uint64_t bytes = 0;
  for (const Weight* weight : lora.weights())
    bytes += std::uint64_t{weight->n_rows} * weight->n_columns * sizeof(float);
  return bytes;
}

/// The upload of so many bytes alone, into a buffer of its own on the device that computes.
double upload_milliseconds(const std::string& device_name, std::uint64_t bytes, int n_rounds) {
  const auto instance = value_of(vulkan::Instance::create());
  const auto devices = instance->ranked_devices();
  const auto found = std::ranges::find(devices, device_name, &vulkan::DeviceInfo::name);
  if (found == devices.end()) throw std::runtime_error("the device is gone");
  const auto device = value_of(vulkan::Device::create(instance, *found));
  const std::vector<std::byte> source(bytes, std::byte{1});
  std::vector<double> times;
  for (int round = 0; round < n_rounds; ++round) {
    times.push_back(milliseconds_of([&] {
      const auto buffer = value_of(
          vulkan::Buffer::create(*device, bytes, vulkan::MemoryUse::kDevice, "an adapter"));
      value_of(vulkan::upload(*device, buffer, 0, source));
    }));
  }
  return median(times);
}

void run(const std::string& model_path,
         const std::string& backend,
         std::uint32_t rank,
         int n_rounds) {
  const Folder folder;
  const auto model = value_of(Model::load(model_path));
  const auto make = [&](const char* name, std::uint64_t seed) {
    test::SyntheticLora shape = {.seed = seed, .rank = rank};
    // One of a tied model changes no embedding.
    for (const TensorInfo& tensor : model->gguf().tensors()) {
      if (tensor.n_dims == 2 && tensor.name.starts_with("blk."))
        shape.targets.emplace_back(tensor.name);
    }
    test::write_file(folder / name, test::synthetic_lora(model->gguf(), shape).bytes());
    return value_of(Lora::load(folder / name, *model));
  };
  const auto first = make("first.gguf", 1);
  const auto second = make("second.gguf", 2);

  constexpr std::uint32_t kDepth = 64;
  const auto executor = value_of(find_backend(backend)->create(model, {.n_kv_tokens = 1024}));
  std::vector<float> logits(model->hyper_parameters().n_vocabulary);
  const std::vector<TokenId> prompt(kDepth, 5);
  // Time of the switch, of the first decode step behind it and of a later one.
  struct Times {
    std::vector<double> change;
    std::vector<double> first_step;
    std::vector<double> step;
  };
  const auto measure = [&](const Adapters& adapters, Times& times) {
    times.change.push_back(milliseconds_of([&] { value_of(executor->set_adapters(adapters)); }));
    auto sequence = value_of(executor->new_sequence({.max_tokens = kDepth + 8}));
    value_of(executor->forward(sequence, prompt, LogitsWanted::kNone, {}));
    const auto step = [&] {
      value_of(
          executor->forward(sequence, std::span(prompt).first(1), LogitsWanted::kLast, logits));
    };
    times.first_step.push_back(milliseconds_of(step));
    for (int i = 0; i < 3; ++i)
      times.step.push_back(milliseconds_of(step));
  };
  Times unused;
  for (const Adapters& adapters : {Adapters{}, Adapters{{first, 1}}})
    measure(adapters, unused);  // kernels are compiled, files read
  Times none;
  Times other;
  Times back;
  for (int round = 0; round < n_rounds; ++round) {
    measure({}, none);
    measure({{first, 1}}, other);
    measure({{second, 1}}, back);
  }
  std::printf("model    %s, %.1f MB of weights; adapters of rank %u, %.1f MB as f32\n",
              model->name().c_str(),
              static_cast<double>(executor->info().weight_bytes) * 1e-6,
              rank,
              static_cast<double>(uploaded_bytes(*first)) * 1e-6);
  std::printf("device   %s\n", executor->info().device.name.c_str());
  const auto row = [](const char* what, const Times& times) {
    std::printf("%-24s %9.3f ms; then a decode step: first %8.3f ms, later %8.3f ms\n",
                what,
                median(times.change),
                median(times.first_step),
                median(times.step));
  };
  row("to none", none);
  row("from none to one", other);
  row("from one to another", back);
  if (backend == "vulkan") {
    std::printf(
        "upload of as many bytes  %9.3f ms\n",
        upload_milliseconds(executor->info().device.name, uploaded_bytes(*first), n_rounds));
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: %s MODEL.gguf [cpu|vulkan] [RANK] [ROUNDS]\n", argv[0]);
    return 2;
  }
  try {
    run(argv[1],
        argc > 2 ? argv[2] : "cpu",
        argc > 3 ? static_cast<std::uint32_t>(std::max(1, std::atoi(argv[3]))) : 16,
        argc > 4 ? std::max(1, std::atoi(argv[4])) : 15);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
