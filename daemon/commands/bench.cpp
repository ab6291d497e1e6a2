// `kinglet bench`: what models reach on this machine, beside what the machine allows.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "daemon/commands/bench_rows.h"
#include "daemon/commands/model_flags.h"
#include "daemon/commands/verbs.h"
#include "daemon/file_rate.h"
#include "daemon/model_bench.h"

namespace kinglet::daemon {

namespace {

struct BenchFlags {
  std::vector<std::string> models;
  std::string backend = "auto";
  std::string device;
  std::string kv = "f16";
  std::uint32_t n_threads = 0;
  bool fast = false;
  std::string path = "auto";
  std::string lowering = "fused";
  BenchOptions options;
  bool json = false;
};

/// The first backend that has a device; a software driver is nobody's choice.
Result<const inference::Backend*> backend_of(const BenchFlags& flags) {
  if (flags.backend != "auto") {
    if (const inference::Backend* backend = inference::find_backend(flags.backend)) return backend;
    return fail(ErrorCode::kInvalidArgument,
                "--backend \"" + flags.backend + "\" is none of auto, cpu and vulkan");
  }
  const inference::Backend* const vulkan = inference::find_backend("vulkan");
  const auto devices = vulkan->devices();
  const bool has_gpu = devices && std::ranges::any_of(*devices, [](const auto& device) {
                         return device.kind != inference::DeviceKind::kSoftwareGpu;
                       });
  return has_gpu ? vulkan : inference::find_backend("cpu");
}

/// With as much cache as the memory has room for, at most what the options say: the tests that want
/// more are then told.
Result<std::unique_ptr<inference::Executor>> place(
    const inference::Backend& backend,
    const std::shared_ptr<const inference::Model>& model,
    inference::ExecutorOptions options) {
  constexpr std::uint32_t kFewest = 1'024;
  auto executor = backend.create(model, options);
  while (!executor && executor.error().code == ErrorCode::kOutOfMemory &&
         options.n_kv_tokens > kFewest) {
    options.n_kv_tokens /= 2;
    executor = backend.create(model, options);
  }
  return executor;
}

/// A load as people have them: kernels compiled and tuned before, everything of it closed again.
Result<BenchRow> time_load(const inference::Backend& backend,
                           const inference::ExecutorOptions& options,
                           const std::string& path) {
  BenchRow row = {.test = BenchTest::kLoad, .n_rounds = 1};
  const auto start = std::chrono::steady_clock::now();
  const auto model = TRY(inference::Model::load(path));
  TRY(backend.create(model, options));
  row.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  row.bytes = model->weight_bytes();
  return row;
}

/// From the page cache and, where it can be emptied of the file, from the disk. REQUIRES that
/// nobody has the file mapped.
Result<std::vector<BenchRow>> time_loads(const inference::Backend& backend,
                                         const inference::ExecutorOptions& options,
                                         const std::string& path) {
  const FileRate rate = TRY(measure_file_rate(path));
  std::vector<BenchRow> rows;
  if (rate.cold && TRY(drop_from_page_cache(path))) {
    rows.push_back(TRY(time_load(backend, options, path)));
    rows.back().from_disk = true;
    rows.back().read_bytes_per_s = *rate.cold;
  }
  rows.insert(rows.begin(), TRY(time_load(backend, options, path)));
  rows.front().read_bytes_per_s = rate.warm;
  for (BenchRow& row : rows)
    row.least_seconds = static_cast<double>(row.bytes) / row.read_bytes_per_s;
  return rows;
}

/// The cache's room that there is memory for, after everything that first starts do once: kernels
/// are compiled, and tuned to the end, so that all rows are of the same ones.
Result<std::uint32_t> start_once(const inference::Backend& backend,
                                 const BenchOptions& options,
                                 inference::ExecutorOptions executor_options,
                                 const std::string& path) {
  const auto model = TRY(inference::Model::load(path));
  executor_options.n_kv_tokens = bench_tokens(*model, options);
  executor_options.tuning = inference::TuningUse::kUntilDone;
  const auto executor = TRY(place(backend, model, executor_options));
  return executor->n_pages() * inference::kPageTokens;
}

/// A list of rows in JSON, a line for each, written as soon as it is known: who stops the program
/// has those that were done, without the list's end.
class JsonRows {
 public:
  void add(const nlohmann::json& row) {
    const std::string text = (is_empty_ ? "[\n" : ",\n") + row.dump();
    is_empty_ = false;
    std::fputs(text.c_str(), stdout);
    std::fflush(stdout);
  }
  void end() const { std::puts(is_empty_ ? "[]" : "\n]"); }

 private:
  bool is_empty_ = true;
};

Result<void> bench(const BenchFlags& flags,
                   const inference::Backend& backend,
                   const inference::ExecutorOptions& wished,
                   const inference::DeviceLimits& limits,
                   const std::string& path,
                   JsonRows* json) {
  inference::ExecutorOptions executor_options = wished;
  executor_options.n_kv_tokens = TRY(start_once(backend, flags.options, wished, path));
  executor_options.tuning = inference::TuningUse::kKept;
  const std::vector<BenchRow> loads = TRY(time_loads(backend, executor_options, path));

  const auto model = TRY(inference::Model::load(path));
  const auto executor = TRY(backend.create(model, executor_options));
  BenchOptions options = flags.options;
  options.on_row = [&](const BenchRow& row) {
    if (json != nullptr) {
      json->add(json_of(model->name(), executor->info(), limits, row));
    } else {
      print_bench_row(row, limits);
    }
  };
  if (json == nullptr) print_bench_head(*model, executor->info(), limits);
  for (const BenchRow& load : loads)
    options.on_row(load);
  TRY(bench_model(*executor, limits, options));
  return {};
}

Result<int> run(const BenchFlags& flags) {
  const inference::Backend* const backend = TRY(backend_of(flags));
  const auto kv_format = inference::find_kv_format(flags.kv);
  if (!kv_format) {
    return fail(ErrorCode::kInvalidArgument,
                "--kv \"" + flags.kv + "\" is not a cache format; there are f32, f16, q8, q4");
  }
  const auto path = inference::find_product_path(flags.path);
  if (!path) {
    return fail(ErrorCode::kInvalidArgument,
                "--path \"" + flags.path + "\" is none of auto, float, half, integer-dot, matrix");
  }
  const auto lowering = inference::find_lowering(flags.lowering);
  if (!lowering) {
    return fail(ErrorCode::kInvalidArgument,
                "--lowering \"" + flags.lowering + "\" is none of fused and unfused");
  }
  const inference::ExecutorOptions options = {
      .device = flags.device,
      .kv_format = *kv_format,
      .activations = flags.fast ? inference::Activations::kInt8 : inference::Activations::kF32,
      .n_threads = flags.n_threads,
      .product_path = *path,
      .lowering = *lowering,
      .cache_folder = cache_folder(),
  };
  const inference::DeviceLimits limits = TRY(backend->limits(options));
  JsonRows json;
  Result<void> done;
  for (const std::string& model : flags.models) {
    if (done) done = bench(flags, *backend, options, limits, model, flags.json ? &json : nullptr);
  }
  if (flags.json) json.end();
  TRY(std::move(done));
  return 0;
}

}  // namespace

Action bench_command(CLI::App& app) {
  auto flags = std::make_shared<BenchFlags>();
  app.add_option("model", flags->models, "GGUF files")->required();
  app.add_option("--backend", flags->backend, "What computes: auto, cpu or vulkan")
      ->capture_default_str();
  app.add_option("--device", flags->device, "Part of the name of the Vulkan device to use");
  app.add_option("--prefill", flags->options.prefills, "Lengths of prompts")
      ->delimiter(',')
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--decode", flags->options.n_decoded, "Tokens to decode at each depth")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  app.add_option("--depth", flags->options.depths, "Positions in the cache before them")
      ->delimiter(',')
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_flag("--beyond-context",
               flags->options.beyond_context,
               "Time passes beyond the context that the model was trained for, too");
  app.add_option("--kv", flags->kv, "How keys and values are stored: f32, f16, q8, q4")
      ->capture_default_str();
  app.add_option("--threads", flags->n_threads, "Of the CPU backend; 0: one for each fast core")
      ->capture_default_str();
  app.add_flag("--fast",
               flags->fast,
               "Multiply weights with activations rounded to 8 bits, as the daemon does on a CPU");
  app.add_option("--path",
                 flags->path,
                 "How a GPU multiplies weights: auto, float, half, integer-dot or matrix")
      ->capture_default_str();
  app.add_option("--lowering",
                 flags->lowering,
                 "Whether operations share kernels: fused, or unfused, as the effect is measured")
      ->capture_default_str();
  app.add_option("--seconds", flags->options.seconds_per_row, "That a row may take, about")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--patience",
                 flags->options.patience,
                 "How many times these seconds a row may take before it is skipped")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_flag("--kernels",
               flags->options.time_kernels,
               "Time each kernel of a pass, where the device runs kernels");
  app.add_flag("--json",
               flags->json,
               "A list of rows, for scripts: a line for each, as soon as it is known");
  return [flags] { return run(*flags); };
}

}  // namespace kinglet::daemon
