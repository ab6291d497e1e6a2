// `kinglet bench`: what models reach on this machine, beside what the machine allows.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "daemon/commands/model_flags.h"
#include "daemon/commands/verbs.h"
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
  BenchOptions options;
  bool json = false;
};

void print_device(const inference::ExecutorInfo& info, const inference::DeviceLimits& limits) {
  std::printf("device   %s (%s, %s)\n",
              info.device.name.c_str(),
              info.backend.c_str(),
              info.device.driver.c_str());
  std::printf("limits   reads %.1f GB/s, copies %.1f GB/s, %.0f GFLOP/s of f32",
              limits.read_bytes_per_s * 1e-9,
              limits.copy_bytes_per_s * 1e-9,
              limits.float_flops * 1e-9);
  if (limits.half_flops > 0) std::printf(", %.0f of f16", limits.half_flops * 1e-9);
  if (limits.matrix_flops > 0)
    std::printf(", %.0f of its matrix units", limits.matrix_flops * 1e-9);
  if (limits.dispatch_seconds > 0)
    std::printf(", %.1f us for an empty step", limits.dispatch_seconds * 1e6);
  std::puts("");
  for (const std::string& remark : info.remarks)
    std::printf("remark   %s\n", remark.c_str());
}

void print_pass(const BenchRow& row, const inference::DeviceLimits& limits) {
  const inference::PassRecord& pass = *row.pass;
  std::printf("%17s %u dispatches, %u stages (%.1f and %.1f a layer), %u submits",
              "",
              pass.n_dispatches,
              pass.n_stages,
              pass.dispatches_per_layer,
              pass.stages_per_layer,
              pass.n_submits);
  if (row.cpu_seconds) std::printf("; %.1f us of this thread", *row.cpu_seconds * 1e6);
  if (row.test == BenchTest::kDecode) {
    std::printf("; %.0f %% of the limit with stages", 100 * row.share_of_staged_limit(limits));
  }
  std::puts("");
  double all = 0;
  for (const inference::KernelUse& kernel : pass.kernels)
    all += kernel.seconds;
  if (all == 0) return;
  for (const inference::KernelUse& kernel : pass.kernels) {
    std::printf("%17s %-32s %5u times %10.1f us %4.0f %% %9.1f GB/s %9.1f GFLOP/s\n",
                "",
                std::string(kernel.name).c_str(),
                kernel.n_dispatches,
                kernel.seconds * 1e6,
                100 * kernel.seconds / all,
                static_cast<double>(kernel.bytes) / kernel.seconds * 1e-9,
                static_cast<double>(kernel.flops) / kernel.seconds * 1e-9);
  }
}

void print_row(const BenchRow& row, const inference::DeviceLimits& limits) {
  std::printf("%-8s %7u %8u ", std::string(name_of(row.test)).c_str(), row.n, row.depth);
  if (!row.skipped.empty()) {
    std::printf("%12s  %s\n", "-", row.skipped.c_str());
  } else if (row.test == BenchTest::kLoad) {
    std::printf("%12s  %.2f s, %.1f GB/s\n",
                "-",
                row.seconds,
                static_cast<double>(row.bytes) / row.seconds * 1e-9);
  } else {
    std::printf("%12.1f %8.0f %% %9.1f MB %7u\n",
                row.tokens_per_s(),
                100 * row.share_of_limit(),
                static_cast<double>(row.bytes) * 1e-6,
                row.n_rounds);
  }
  if (row.pass && row.skipped.empty()) print_pass(row, limits);
  std::fflush(stdout);
}

/// What the recording of a pass tells; nulls where there is none.
nlohmann::json json_of(const BenchRow& row, const inference::DeviceLimits& limits) {
  nlohmann::json json = {{"stages_per_layer", nullptr},
                         {"dispatches_per_layer", nullptr},
                         {"stages", nullptr},
                         {"dispatches", nullptr},
                         {"barriers", nullptr},
                         {"submits", nullptr},
                         {"cpu_us_per_token", nullptr},
                         {"share_of_staged_limit", nullptr}};
  if (row.cpu_seconds) json["cpu_us_per_token"] = *row.cpu_seconds * 1e6;
  if (!row.pass) return json;
  json["stages_per_layer"] = row.pass->stages_per_layer;
  json["dispatches_per_layer"] = row.pass->dispatches_per_layer;
  json["stages"] = row.pass->n_stages;
  json["dispatches"] = row.pass->n_dispatches;
  json["barriers"] = row.pass->n_stages - row.pass->n_submits;
  json["submits"] = row.pass->n_submits;
  if (row.test == BenchTest::kDecode && row.skipped.empty()) {
    json["share_of_staged_limit"] = row.share_of_staged_limit(limits);
  }
  for (const inference::KernelUse& kernel : row.pass->kernels) {
    json["kernels"].push_back({{"name", kernel.name},
                               {"dispatches", kernel.n_dispatches},
                               {"bytes", kernel.bytes},
                               {"flops", kernel.flops},
                               {"seconds", kernel.seconds}});
  }
  return json;
}

nlohmann::json json_of(const std::string& model,
                       const inference::ExecutorInfo& info,
                       const inference::DeviceLimits& limits,
                       const BenchRow& row) {
  nlohmann::json json = {{"model", model},
                         {"backend", info.backend},
                         {"device", info.device.name},
                         {"test", name_of(row.test)},
                         {"n", row.n},
                         {"depth", row.depth},
                         {"kv", name_of(info.kv_format)},
                         {"seconds", row.seconds},
                         {"rounds", row.n_rounds},
                         {"bytes_per_token",
                          row.test == BenchTest::kPrefill ? static_cast<double>(row.bytes) / row.n
                                                          : static_cast<double>(row.bytes)}};
  const bool has_speed = row.skipped.empty() && row.test != BenchTest::kLoad;
  json["tokens_per_s"] = has_speed ? nlohmann::json(row.tokens_per_s()) : nlohmann::json();
  json["share_of_limit"] = has_speed ? nlohmann::json(row.share_of_limit()) : nlohmann::json();
  json.update(json_of(row, limits));
  if (!row.skipped.empty()) json["skipped"] = row.skipped;
  return json;
}

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

Result<nlohmann::json> bench(const BenchFlags& flags,
                             const inference::Backend& backend,
                             const inference::ExecutorOptions& wished,
                             const inference::DeviceLimits& limits,
                             const std::string& path) {
  const auto start = std::chrono::steady_clock::now();
  auto model = TRY(inference::Model::load(path));
  inference::ExecutorOptions executor_options = wished;
  executor_options.n_kv_tokens = bench_tokens(*model, flags.options);
  const auto executor = TRY(place(backend, model, executor_options));
  BenchRow load = {.test = BenchTest::kLoad};
  load.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  load.bytes = model->weight_bytes();
  load.n_rounds = 1;

  nlohmann::json rows = nlohmann::json::array();
  BenchOptions options = flags.options;
  options.on_row = [&](const BenchRow& row) {
    if (!flags.json) print_row(row, limits);
    rows.push_back(json_of(model->name(), executor->info(), limits, row));
  };
  if (!flags.json) {
    print_device(executor->info(), limits);
    std::printf("model    %s, %.1f M parameters, %.1f MB of weights, %s cache\n",
                model->name().c_str(),
                static_cast<double>(model->n_parameters()) * 1e-6,
                static_cast<double>(model->weight_bytes()) * 1e-6,
                std::string(name_of(executor->info().kv_format)).c_str());
    std::printf("%-8s %7s %8s %12s %10s %12s %7s\n",
                "test",
                "tokens",
                "depth",
                "tokens/s",
                "of limit",
                "a token reads",
                "rounds");
  }
  options.on_row(load);
  TRY(bench_model(*executor, limits, options));
  return rows;
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
  const inference::ExecutorOptions options = {
      .device = flags.device,
      .kv_format = *kv_format,
      .activations = flags.fast ? inference::Activations::kInt8 : inference::Activations::kF32,
      .n_threads = flags.n_threads,
      .product_path = *path,
  };
  const inference::DeviceLimits limits = TRY(backend->limits(options));
  nlohmann::json rows = nlohmann::json::array();
  for (const std::string& model : flags.models) {
    const nlohmann::json measured = TRY(bench(flags, *backend, options, limits, model));
    rows.insert(rows.end(), measured.begin(), measured.end());
  }
  if (flags.json) std::puts(rows.dump(2).c_str());
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
  app.add_option("--kv", flags->kv, "How keys and values are stored: f32, f16, q8, q4")
      ->capture_default_str();
  app.add_option("--threads", flags->n_threads, "Of the CPU backend; 0: one for each fast core")
      ->capture_default_str();
  app.add_flag("--fast", flags->fast, "Multiply weights with activations rounded to 8 bits");
  app.add_option("--path",
                 flags->path,
                 "How a GPU multiplies weights: auto, float, half, integer-dot or matrix")
      ->capture_default_str();
  app.add_option("--seconds", flags->options.seconds_per_row, "That a row may take, about")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_flag("--kernels",
               flags->options.time_kernels,
               "Time each kernel of a pass, where the device runs kernels");
  app.add_flag("--json", flags->json, "A list of rows, for scripts");
  return [flags] { return run(*flags); };
}

}  // namespace kinglet::daemon
