#include "daemon/commands/bench_rows.h"

#include <cstdio>

#include <nlohmann/json.hpp>

namespace kinglet::daemon {

namespace {

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
  if (limits.byte_ops > 0) std::printf(", %.0f Gop/s of bytes", limits.byte_ops * 1e-9);
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

/// What the device does at best; nulls where it has no such units.
nlohmann::json json_of(const inference::DeviceLimits& limits) {
  const auto known = [](double value) {
    return value > 0 ? nlohmann::json(value) : nlohmann::json();
  };
  return {{"read_bytes_per_s", known(limits.read_bytes_per_s)},
          {"copy_bytes_per_s", known(limits.copy_bytes_per_s)},
          {"float_flops", known(limits.float_flops)},
          {"half_flops", known(limits.half_flops)},
          {"byte_ops", known(limits.byte_ops)},
          {"matrix_flops", known(limits.matrix_flops)},
          {"dispatch_seconds", known(limits.dispatch_seconds)}};
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

}  // namespace

void print_bench_head(const inference::Model& model,
                      const inference::ExecutorInfo& info,
                      const inference::DeviceLimits& limits) {
  print_device(info, limits);
  std::printf("model    %s, %.1f M parameters, %.1f MB of weights, %s cache\n",
              model.name().c_str(),
              static_cast<double>(model.n_parameters()) * 1e-6,
              static_cast<double>(model.weight_bytes()) * 1e-6,
              std::string(name_of(info.kv_format)).c_str());
  std::printf("%-8s %7s %8s %12s %10s %12s %7s\n",
              "test",
              "tokens",
              "depth",
              "tokens/s",
              "of limit",
              "a token reads",
              "rounds");
}

void print_bench_row(const BenchRow& row, const inference::DeviceLimits& limits) {
  std::printf("%-8s %7u %8u ", std::string(name_of(row.test)).c_str(), row.n, row.depth);
  if (!row.skipped.empty()) {
    std::printf("%12s  %s\n", "-", row.skipped.c_str());
  } else if (row.test == BenchTest::kLoad) {
    std::printf("%12s  %.3f s, %.2f GB/s, %s",
                "-",
                row.seconds,
                row.bytes_per_s() * 1e-9,
                row.from_disk ? "from the disk" : "from the page cache");
    if (row.read_bytes_per_s > 0) {
      std::printf("; %.0f %% of reading, %.2f GB/s",
                  100 * row.share_of_limit(),
                  row.read_bytes_per_s * 1e-9);
    }
    std::puts("");
  } else {
    std::printf("%12.1f %8.0f %% %9.1f MB %7u%s\n",
                row.tokens_per_s(),
                100 * row.share_of_limit(),
                static_cast<double>(row.bytes) * 1e-6,
                row.n_rounds,
                row.beyond_context ? "  beyond the trained context" : "");
  }
  if (row.pass && row.skipped.empty()) print_pass(row, limits);
  std::fflush(stdout);
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
                                                          : static_cast<double>(row.bytes)},
                         {"limits", json_of(limits)}};
  const bool has_speed = row.skipped.empty() && row.test != BenchTest::kLoad;
  const bool has_share = row.skipped.empty() && row.least_seconds > 0;
  json["tokens_per_s"] = has_speed ? nlohmann::json(row.tokens_per_s()) : nlohmann::json();
  json["share_of_limit"] = has_share ? nlohmann::json(row.share_of_limit()) : nlohmann::json();
  if (row.test == BenchTest::kLoad) {
    json["bytes_per_s"] = row.bytes_per_s();
    json["read_bytes_per_s"] = row.read_bytes_per_s;
    json["from_disk"] = row.from_disk;
  }
  if (row.beyond_context) json["beyond_context"] = true;
  json.update(json_of(row, limits));
  if (!row.skipped.empty()) json["skipped"] = row.skipped;
  return json;
}

}  // namespace kinglet::daemon
