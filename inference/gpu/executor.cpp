#include "inference/gpu/executor.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <map>
#include <string>

#include "daemon/base/trace.h"
#include "inference/gpu/formats.h"

namespace kinglet::inference::gpu {

namespace {

using vulkan::Buffer;
using vulkan::MemoryUse;

constexpr Slot kWholeSlots[] = {
    Slot::kResidual,
    Slot::kNormed,
    Slot::kQkv,
    Slot::kAttended,
    Slot::kGateUp,
    Slot::kGated,
    Slot::kProjected,
};

// Recordings are made for contexts rounded up to powers of two, so that decoding goes on for long
// with one.
constexpr std::uint32_t kLeastContext = 256;
// Rope tables grow by this many positions at least.
constexpr std::uint32_t kRopeStep = 4096;

std::uint64_t page_bytes(const HyperParameters& h, KvFormat format) {
  return std::uint64_t{kPageTokens} * h.n_kv_heads * kv_row_bytes(format, h.head_dim);
}

std::uint32_t capacity(std::uint32_t n_kv_tokens) {
  return pages_for(n_kv_tokens) * kPageTokens;
}

std::string mebibytes(std::uint64_t bytes) {
  return std::to_string(bytes >> 20) + " MiB";
}

/// Better refused at once than after a minute of copying, or than pushing the desktop out.
Result<void> check_room(const Model& model, const vulkan::Device& device, std::uint64_t needed) {
  const std::uint64_t there = device.info().device_local_bytes();
  if (device.info().type == vulkan::DeviceType::kSoftware || needed <= there / 20 * 19) return {};
  return fail(ErrorCode::kOutOfMemory,
              model.name() + " needs " + mebibytes(needed) + " with its KV cache; " +
                  device.info().name + " has " + mebibytes(there) +
                  ". Take a smaller model or context, a smaller cache format, or the CPU backend");
}

/// The last run of a chain, kernel by kernel, and those before it as one. The device's clock is not
/// the host's: the run's end is taken to be now, and is some tens of microseconds earlier.
void trace_run(const vulkan::Stream& stream, trace::Clock::time_point begin, double seconds) {
  constexpr std::string_view kRow = "GPU";
  const auto ticks = [](double s) {
    return std::chrono::duration_cast<trace::Clock::duration>(std::chrono::duration<double>(s));
  };
  trace::Clock::time_point at = trace::Clock::now() - ticks(seconds);
  if (at > begin) trace::record(kRow, "before", begin, at - begin);
  for (std::size_t i = 0; i < stream.dispatch_seconds().size(); ++i) {
    const trace::Clock::duration length = ticks(stream.dispatch_seconds()[i]);
    trace::record(kRow, stream.dispatches()[i].kernel->name, at, length);
    at += length;
  }
}

/// What the last token sees, or tokens of several sequences in the mean.
std::uint32_t positions_of(const Batch& batch) {
  if (batch.segments.size() == 1)
    return batch.segments.front().position + batch.segments.front().n_tokens;
  std::uint64_t sum = 0;
  for (const Segment& segment : batch.segments)
    sum += std::uint64_t{segment.position + segment.n_tokens} * segment.n_tokens;
  return static_cast<std::uint32_t>((sum + batch.tokens.size() - 1) / batch.tokens.size());
}

}  // namespace

Result<std::unique_ptr<GpuExecutor>> GpuExecutor::create(
    std::shared_ptr<const Model> model,
    std::unique_ptr<const vulkan::Device> device,
    const ExecutorInfo& info,
    const ExecutorOptions& options) {
  Placed placed = TRY(place(*model, std::move(device), info, options));
  ExecutorInfo complete = info;
  complete.weight_bytes = placed.weights.n_bytes();
  complete.kv_bytes = placed.kv_bytes;
  complete.activation_bytes = placed.activation_bytes;
  if (const std::string& why = placed.operations->without_matrices(); !why.empty()) {
    complete.remarks.push_back("prompts are computed without its cooperative matrices: " + why);
  }
  std::unique_ptr<GpuExecutor> executor(new GpuExecutor(
      std::move(model), std::move(complete), options.n_kv_tokens, std::move(placed)));
  executor->workspace_.lowering = options.lowering;
  TRY(executor->reserve_logits(1));
  TRY(executor->record_uploads());
  return executor;
}

Result<GpuExecutor::Placed> GpuExecutor::place(const Model& model,
                                               std::unique_ptr<const vulkan::Device> owned,
                                               const ExecutorInfo& info,
                                               const ExecutorOptions& options) {
  const trace::Span span("place model");
  const HyperParameters& h = model.hyper_parameters();
  const vulkan::Device& device = *owned;
  Placed placed;
  placed.device = std::move(owned);
  placed.pipelines = TRY(vulkan::Pipelines::create(
      device, device_file(options.cache_folder, "pipelines", device.info())));
  vulkan::Formats formats = TRY(formats_of(model, info.kv_format, options.product_path));
  formats.tuning = tuning_of(device, formats, options);
  placed.operations = std::make_unique<const vulkan::Operations>(
      TRY(vulkan::Operations::create(*placed.pipelines, formats)));
  // What could not be written is compiled again next time, and that is all.
  (void)placed.pipelines->save();

  const std::uint64_t layer_bytes = pages_for(options.n_kv_tokens) * page_bytes(h, info.kv_format);
  placed.kv_bytes = 2 * layer_bytes * h.n_layers;
  TRY(check_room(model, device, model.weight_bytes() + placed.kv_bytes));
  for (std::uint32_t layer = 0; layer < h.n_layers; ++layer) {
    placed.keys.push_back(
        TRY(Buffer::create(device, layer_bytes, MemoryUse::kDevice, "a layer's keys")));
    placed.values.push_back(
        TRY(Buffer::create(device, layer_bytes, MemoryUse::kDevice, "a layer's values")));
  }
  for (const Slot slot : kWholeSlots) {
    const std::uint64_t bytes = std::uint64_t{place_of(slot, h).size} * info.chunk_tokens * 4;
    placed.slots.push_back(TRY(Buffer::create(device, bytes, MemoryUse::kDevice, "activations")));
    placed.activation_bytes += bytes;
  }
  const std::uint64_t scratch = scratch_bytes(
      h, cache_type(info.kv_format), info.chunk_tokens, capacity(options.n_kv_tokens));
  placed.scratch = TRY(Buffer::create(device, scratch, MemoryUse::kDevice, "attention's scratch"));
  placed.split_scratch = TRY(Buffer::create(
      device, vulkan::kSplitScratchBytes, MemoryUse::kDevice, "the scratch of products"));
  placed.activation_bytes += scratch + vulkan::kSplitScratchBytes;
  const std::vector<std::byte> zeros(counter_bytes(h, info.chunk_tokens) +
                                     vulkan::argmax_scratch_bytes(1, h.n_vocabulary));
  placed.counters = TRY(Buffer::create(device, zeros.size(), MemoryUse::kDevice, "counters"));
  TRY(vulkan::upload(device, *placed.counters, 0, zeros));
  const std::uint64_t input_bytes =
      sizeof(std::uint32_t) * (2 * std::uint64_t{info.chunk_tokens} +
                               std::uint64_t{kMaxSequences} * pages_for(options.n_kv_tokens));
  constexpr const char* kInputs = "token ids and pages";
  placed.inputs = TRY(Buffer::create(device, input_bytes, MemoryUse::kDevice, kInputs));
  placed.staging = TRY(Buffer::create(device, input_bytes, MemoryUse::kUpload, kInputs));
  placed.history = TRY(Buffer::create(
      device, kHistory * sizeof(std::uint32_t), MemoryUse::kReadback, "chosen tokens"));
  placed.weights = TRY(Weights::place(device, model, options.progress));
  return placed;
}

GpuExecutor::GpuExecutor(std::shared_ptr<const Model> model,
                         ExecutorInfo info,
                         std::uint32_t n_kv_tokens,
                         Placed placed)
    : Executor(std::move(model), std::move(info), n_kv_tokens),
      placed_(std::move(placed)),
      few_tokens_(placed_.device->info().type, PassKind::kFewTokens),
      many_tokens_(placed_.device->info().type, PassKind::kManyTokens) {
  const std::uint32_t chunk_tokens = this->info().chunk_tokens;
  workspace_.model = &this->model();
  workspace_.weights = &placed_.weights;
  workspace_.cache_type = cache_type(this->info().kv_format);
  for (const Buffer& buffer : placed_.keys)
    workspace_.keys.push_back(buffer.address());
  for (const Buffer& buffer : placed_.values)
    workspace_.values.push_back(buffer.address());
  for (std::size_t i = 0; i < placed_.slots.size(); ++i) {
    workspace_.slots[static_cast<std::size_t>(kWholeSlots[i])] = placed_.slots[i].address();
  }
  workspace_.ids = placed_.inputs->address();
  workspace_.positions = workspace_.ids + chunk_tokens * sizeof(std::uint32_t);
  workspace_.pages = workspace_.positions + chunk_tokens * sizeof(std::uint32_t);
  workspace_.scratch = placed_.scratch->address();
  workspace_.scratch_bytes = placed_.scratch->size();
  workspace_.split_scratch = placed_.split_scratch->address();
  workspace_.counters = placed_.counters->address();
  workspace_.choosing =
      workspace_.counters + counter_bytes(this->model().hyper_parameters(), chunk_tokens);
  workspace_.history = placed_.history->address();
  if (trace::enabled()) workspace_.timing = vulkan::Timing::kEach;
}

Result<void> GpuExecutor::extend_rope(RopeFactorSet factor_set, std::uint32_t n_positions) {
  const auto set = static_cast<std::size_t>(factor_set);
  if (n_positions <= n_rope_positions_[set]) return {};
  const std::uint32_t context = model().hyper_parameters().context_length;
  const std::uint32_t rounded = n_positions + (kRopeStep - n_positions % kRopeStep) % kRopeStep;
  const std::uint32_t n = std::clamp(rounded, n_positions, std::max(n_positions, context));
  const std::vector<float> table = rope_table(model().rope_spec(factor_set), 0, n);
  const auto bytes = std::as_bytes(std::span(table));
  Buffer buffer =
      TRY(Buffer::create(*placed_.device, bytes.size(), MemoryUse::kDevice, "the rope table"));
  TRY(vulkan::upload(*placed_.device, buffer, 0, bytes));
  recordings_.clear();  // they refer to the old table
  rope_[set] = std::move(buffer);
  workspace_.rope[set] = rope_[set]->address();
  n_rope_positions_[set] = n;
  return {};
}

Result<void> GpuExecutor::copy_on_device(const PageCopy& copy) {
  const std::uint64_t bytes = page_bytes(model().hyper_parameters(), info().kv_format);
  auto stream = TRY(vulkan::Stream::create(*placed_.device));
  TRY(stream.begin());
  for (const std::vector<Buffer>* layers : {&placed_.keys, &placed_.values}) {
    for (const Buffer& buffer : *layers) {
      stream.copy(buffer, index_of(copy.from) * bytes, buffer, index_of(copy.to) * bytes, bytes);
    }
  }
  TRY(stream.end());
  TRY(stream.run());
  return {};
}

template <class T>
Result<T> GpuExecutor::on_device(const std::function<Result<T>()>& work) {
  if (device_is_lost_) {
    return fail(ErrorCode::kDeviceLost,
                info().device.name + " was lost; the engine has to be started again");
  }
  Result<T> result = work();
  if (result) return result;
  // What is not done in time may still be under way, on buffers that go now.
  device_is_lost_ =
      result.error().code == ErrorCode::kDeviceLost || result.error().code == ErrorCode::kTimeout;
  return result;
}

Result<void> GpuExecutor::prepare_rope(RopeFactorSet factor_set, std::uint32_t n_positions) {
  return on_device<void>([&] { return extend_rope(factor_set, n_positions); });
}

Result<void> GpuExecutor::copy_page(const PageCopy& copy) {
  return on_device<void>([&] { return copy_on_device(copy); });
}

Result<void> GpuExecutor::place_adapters(const Adapters& adapters) {
  return on_device<void>([&] { return replace_adapters(adapters); });
}

Result<void> GpuExecutor::run(const Batch& batch) {
  return on_device<void>([&] { return compute(batch); });
}

Result<std::uint32_t> GpuExecutor::run_greedy(const Batch& batch, std::span<TokenId> next) {
  return on_device<std::uint32_t>([&] { return choose(batch, next); });
}

PassShape GpuExecutor::shape_of(const Batch& batch) const {
  std::uint32_t n_positions = 0;
  for (const Segment& segment : batch.segments)
    n_positions = std::max(n_positions, segment.position + segment.n_tokens);
  const std::uint32_t capacity = n_pages() * kPageTokens;
  return {.n_tokens = static_cast<std::uint32_t>(batch.tokens.size()),
          .n_logits = static_cast<std::uint32_t>(batch.logits.size() /
                                                 model().hyper_parameters().n_vocabulary),
          .max_context = std::min(std::max(std::bit_ceil(n_positions), kLeastContext), capacity),
          .rope = batch.rope,
          .page_stride = batch.segments.size() > 1 ? n_pages() : 0,
          .end = PassEnd::kLogits};
}

Result<void> GpuExecutor::compute(const Batch& batch) {
  const PassShape shape = shape_of(batch);
  TRY(reserve_logits(shape.n_logits));
  Kept& recording = *TRY(record(shape, positions_of(batch)));
  write_inputs(batch);
  for (Part& part : recording.parts) {
    if (batch.stop.stop_requested()) return fail(ErrorCode::kCancelled, "forward pass cancelled");
    TRY(run_part(shape, part, &part == &recording.parts.front(), 1));
  }
  if (shape.n_logits > 0) {
    std::memcpy(batch.logits.data(), host_logits_->mapped().data(), batch.logits.size_bytes());
  }
  return {};
}

Result<std::uint32_t> GpuExecutor::choose(const Batch& batch, std::span<TokenId> next) {
  PassShape shape = shape_of(batch);
  shape.n_logits = 1;
  shape.end = PassEnd::kNextToken;
  Kept& recording = *TRY(record(shape, positions_of(batch)));
  write_inputs(batch);
  const std::uint32_t position = batch.segments.front().position;
  std::uint64_t n = 1;
  if (recording.parts.size() == 1) {
    // As many steps as a submit may hold, and as this recording is good for.
    Part& step = recording.parts.front();
    n = std::min<std::uint64_t>({std::max<std::uint64_t>(budget(shape).limit() / step.work, 1),
                                 next.size(),
                                 shape.max_context - position,
                                 kHistory});
    TRY(run_part(shape, step, true, static_cast<std::uint32_t>(n)));
  } else {
    for (Part& part : recording.parts) {
      if (batch.stop.stop_requested()) return fail(ErrorCode::kCancelled, "decoding cancelled");
      TRY(run_part(shape, part, &part == &recording.parts.front(), 1));
    }
  }
  for (std::uint32_t i = 0; i < n; ++i) {
    std::uint32_t id = 0;
    const std::size_t at = (position + i) % kHistory * sizeof(id);
    std::memcpy(&id, placed_.history->mapped().data() + at, sizeof(id));
    if (id == vulkan::Argmax::kNotFinite) {
      // What comes before is good; who goes on from there is told again.
      if (i > 0) return i;
      return fail(ErrorCode::kNumeric,
                  "logits after position " + std::to_string(position) +
                      " are infinite or not numbers: the model file is damaged or a kernel is "
                      "wrong");
    }
    next[i] = static_cast<TokenId>(id);
  }
  return static_cast<std::uint32_t>(n);
}

Result<void> GpuExecutor::replace_adapters(const Adapters& adapters) {
  const vulkan::Device& device = *placed_.device;
  std::vector<PlacedAdapter> placed;
  std::uint64_t most = 0;
  for (const Adapter& adapter : adapters) {
    const auto same = std::find_if(
        workspace_.adapters.begin(), workspace_.adapters.end(), [&](const PlacedAdapter& old) {
          return &old.lora->lora() == adapter.lora.get();
        });
    auto lora = same != workspace_.adapters.end() ? same->lora
                                                  : TRY(PlacedLora::place(device, adapter.lora));
    placed.push_back({std::move(lora), adapter.scale});
    most = std::max<std::uint64_t>(most, adapter.lora->max_rank());
  }
  if (!placed.empty() && !adapter_operations_) {
    adapter_operations_ = std::make_unique<const vulkan::Operations>(TRY(vulkan::Operations::create(
        *placed_.pipelines,
        {.weights = {vulkan::WeightType::kF32},
         .caches = {},
         // Exact in every class of precision, and narrow matrices cost little.
         .product_path = vulkan::ProductPath::kFloat})));
    (void)placed_.pipelines->save();  // as in place()
  }
  const std::uint64_t bytes = most * info().chunk_tokens * sizeof(float);
  std::optional<Buffer> narrow;
  if (bytes > (narrow_ ? narrow_->size() : 0)) {
    narrow = TRY(Buffer::create(device, bytes, MemoryUse::kDevice, "adapters' activations"));
  }
  recordings_.clear();  // they refer to what is replaced now
  if (narrow) narrow_ = std::move(narrow);
  workspace_.adapters = std::move(placed);
  workspace_.adapter_operations = adapter_operations_.get();
  workspace_.narrow = narrow_ ? narrow_->address() : 0;
  return {};
}

void GpuExecutor::write_inputs(const Batch& batch) {
  const auto words = placed_.staging->mapped();
  std::size_t at = 0;
  const auto put = [&](std::uint32_t word) {
    std::memcpy(words.data() + at, &word, sizeof(word));
    at += sizeof(word);
  };
  for (const TokenId token : batch.tokens)
    put(static_cast<std::uint32_t>(token));
  at = workspace_.positions - workspace_.ids;
  for (const Segment& segment : batch.segments) {
    for (std::uint32_t i = 0; i < segment.n_tokens; ++i)
      put(segment.position + i);
  }
  const std::size_t tables = workspace_.pages - workspace_.ids;
  std::size_t n_tables = 0;
  for (const Segment& segment : batch.segments) {
    // One for the tokens of a single sequence, else one for each token.
    const std::uint32_t n = batch.segments.size() > 1 ? segment.n_tokens : 1;
    for (std::uint32_t i = 0; i < n; ++i) {
      at = tables + n_tables++ * n_pages() * sizeof(std::uint32_t);
      for (const PageId page : segment.pages)
        put(index_of(page));
    }
  }
}

Result<void> GpuExecutor::record_uploads() {
  const std::uint64_t tables = workspace_.pages - workspace_.ids;
  const std::uint64_t table_bytes = n_pages() * sizeof(std::uint32_t);
  for (std::size_t many = 0; many < uploads_.size(); ++many) {
    vulkan::Stream stream = TRY(vulkan::Stream::create(*placed_.device));
    TRY(stream.begin());
    const std::uint64_t bytes = tables + table_bytes * (many != 0 ? kMaxSequences : 1);
    stream.copy(*placed_.staging, 0, *placed_.inputs, 0, bytes);
    TRY(stream.end());
    uploads_[many].emplace(std::move(stream));
  }
  return {};
}

Result<void> GpuExecutor::reserve_logits(std::uint32_t n_rows) {
  const std::uint64_t bytes =
      std::uint64_t{n_rows} * model().hyper_parameters().n_vocabulary * sizeof(float);
  if (logits_ && bytes <= logits_->size()) return {};
  if (bytes == 0) return {};
  Buffer logits = TRY(Buffer::create(*placed_.device, bytes, MemoryUse::kDevice, "logits"));
  Buffer host = TRY(Buffer::create(*placed_.device, bytes, MemoryUse::kReadback, "logits"));
  recordings_.clear();  // they refer to the old buffers
  logits_ = std::move(logits);
  host_logits_ = std::move(host);
  workspace_.logits = &*logits_;
  workspace_.host_logits = &*host_logits_;
  return {};
}

Result<GpuExecutor::Kept*> GpuExecutor::record(const PassShape& shape, std::uint32_t n_positions) {
  // Decoding at two depths, prefill chunks, the last chunk: those of one request.
  constexpr std::size_t kMostRecordings = 6;
  const std::uint64_t limit = budget(shape).limit();
  const auto same = std::find_if(recordings_.begin(), recordings_.end(), [&](const Kept& kept) {
    return kept.shape == shape;
  });
  if (same != recordings_.end()) {
    // A recording cut for another speed than the device turned out to have is cut anew.
    const bool too_coarse = limit < same->work_limit / 2;
    const bool too_fine = same->parts.size() > 1 && limit / 2 > same->work_limit;
    std::rotate(recordings_.begin(), same, same + 1);
    if (!too_coarse && !too_fine) return &recordings_.front();
    recordings_.erase(recordings_.begin());
  }
  if (recordings_.size() == kMostRecordings) recordings_.pop_back();
  Recording recording =
      TRY(record_pass(*placed_.device, *placed_.operations, workspace_, shape, n_positions, limit));
  return &*recordings_.insert(recordings_.begin(),
                              {shape, limit, std::move(recording.parts), recording.layers});
}

void GpuExecutor::time_kernels(bool on) {
  recordings_.clear();  // they have the timestamps they have
  workspace_.timing = on ? vulkan::Timing::kEach : vulkan::Timing::kWhole;
}

std::optional<PassRecord> GpuExecutor::last_pass() const {
  if (recordings_.empty()) return std::nullopt;
  const Kept& last = recordings_.front();
  const Extent extent = extent_of(last.parts);
  const double n_layers = model().hyper_parameters().n_layers;
  PassRecord record = {.n_submits = static_cast<std::uint32_t>(last.parts.size()),
                       .n_dispatches = extent.n_dispatches,
                       .n_stages = extent.n_stages,
                       .dispatches_per_layer = last.layers.n_dispatches / n_layers,
                       .stages_per_layer = last.layers.n_stages / n_layers,
                       .kernels = {}};
  std::map<std::string_view, KernelUse> kernels;
  for (const Part& part : last.parts) {
    const auto seconds = part.stream.dispatch_seconds();
    for (std::size_t i = 0; i < part.stream.dispatches().size(); ++i) {
      const vulkan::Dispatch& dispatch = part.stream.dispatches()[i];
      KernelUse& use = kernels[dispatch.kernel->name];
      use.name = dispatch.kernel->name;
      ++use.n_dispatches;
      use.bytes += dispatch.traffic.bytes();
      use.flops += dispatch.traffic.flops;
      if (i < seconds.size()) use.seconds += seconds[i];
    }
  }
  for (const auto& [name, use] : kernels)
    record.kernels.push_back(use);
  std::ranges::sort(record.kernels, [](const KernelUse& a, const KernelUse& b) {
    return a.seconds != b.seconds ? a.seconds > b.seconds : a.bytes > b.bytes;
  });
  return record;
}

Result<void> GpuExecutor::run_part(const PassShape& shape,
                                   Part& part,
                                   bool is_first,
                                   std::uint32_t n_runs) {
  const vulkan::Stream* upload = is_first ? &*uploads_[shape.page_stride != 0] : nullptr;
  const trace::Span span("submit and wait");
  const trace::Clock::time_point begin = trace::Clock::now();
  const Result<void> submitted = part.stream.submit_chain(n_runs, upload);
  const Result<double> ran = submitted ? part.stream.wait() : tl::unexpected(submitted.error());
  if (!ran) {
    // Whatever it was, a run may still be in flight on buffers of ours: as good as lost.
    return fail(ErrorCode::kDeviceLost, ran.error().message);
  }
  budget(shape).record(part.work, *ran);
  if (trace::enabled()) trace_run(part.stream, begin, *ran);
  return {};
}

}  // namespace kinglet::inference::gpu
