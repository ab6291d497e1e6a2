// Flags of the verbs that run a model in their own process: where it computes, and how exactly.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <CLI/App.hpp>

#include "daemon/base/result.h"
#include "inference/engine.h"
#include "inference/lora.h"

namespace kinglet::daemon {

/// Where compiled kernels and their tuning are kept; empty, nowhere, for somebody without a home.
std::filesystem::path cache_folder();

class ModelFlags {
 public:
  /// Adds MODEL, --backend, --device, --kv, --threads, --fast, --path, --tuning and --lora
  /// to a verb, with these defaults.
  void add_to(CLI::App& app, std::string backend, std::string kv_format);

  const std::string& model() const { return model_; }

  /// What was given, for Engine::load(); n_context is left open. Errors: kInvalidArgument names the
  /// flag.
  Result<inference::EngineOptions> engine_options() const;
  /// What was given, as Backend::create() takes it; n_kv_tokens is left open.
  Result<inference::ExecutorOptions> executor_options() const;
  /// Of --backend, which must not be "auto".
  Result<const inference::Backend*> backend() const;
  /// Of --lora, loaded for this model. Errors: kInvalidArgument for a scale that is no number, and
  /// those of Lora::load().
  Result<inference::Adapters> load_adapters(const inference::Model& model) const;

 private:
  Result<inference::KvFormat> kv_format() const;
  Result<inference::ProductPath> product_path() const;
  Result<inference::TuningUse> tuning() const;
  inference::Activations activations() const {
    return fast_ ? inference::Activations::kInt8 : inference::Activations::kF32;
  }

  std::string model_;
  std::string backend_;
  std::string device_;
  std::string kv_format_;
  std::uint32_t n_threads_ = 0;
  bool fast_ = false;
  std::string path_ = "auto";
  std::string tuning_ = "default";
  std::vector<std::string> loras_;
};

}  // namespace kinglet::daemon
