// The seam below the model: a Backend is a way to compute (CPU, Vulkan), an Executor is one model
// placed on one of its devices. Everything that does not touch the device is done here once, for
// all backends: argument checks, pages, chunks, cancellation. A backend lowers the architecture's
// list of operations (models/architecture.h) in run(), and no more.
//
// To add a backend: derive from Executor, add a row to backends.cpp.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/result.h"
#include "inference/device_limits.h"
#include "inference/kv_cache.h"
#include "inference/lora.h"
#include "inference/model.h"
#include "inference/rope.h"
#include "inference/tokenizer/vocabulary.h"

namespace kinglet::inference {

enum class DeviceKind : std::uint8_t {
  kCpu,
  kIntegratedGpu,
  kDiscreteGpu,
  kVirtualGpu,
  kSoftwareGpu,  // a driver that computes on the CPU: used only when asked for
};

struct DeviceInfo {
  std::string name;
  std::string driver;  ///< name and version; for the CPU the SIMD target
  DeviceKind kind = DeviceKind::kCpu;
  std::uint64_t memory_bytes = 0;  ///< usable by Kinglet, as far as is known; 0: not known
};

/// What weights are multiplied with.
enum class Activations : std::uint8_t {
  kF32,   // precision class exact
  kInt8,  // on the CPU: rounded to 8 bits, in short blocks with scales of their own, so that
          // products are integers; the divergence from exact arithmetic is at most 1e-3
};

/// How a GPU multiplies weights, each with its precision class. kAuto: the fastest that the other
/// options allow.
enum class ProductPath : std::uint8_t {
  kAuto,
  kFloat,       // f32 throughout: exact
  kHalf,        // f16 in tiles: "f16 matrices", as near as an f16 cache
  kIntegerDot,  // 8-bit activations
  kMatrix,      // cooperative matrices of f16: "f16 matrices"
};
/// As people write it: "auto", "float", "half", "integer-dot", "matrix".
std::optional<ProductPath> find_product_path(std::string_view name);

/// Whether the kernels' shapes are found by trying them on the device (vulkan/operations/tune.h).
enum class TuningUse : std::uint8_t {
  kWhereKept,  // once for each device and driver, on GPUs, if there is a cache_folder
  kUntilDone,  // the same, however long it takes: before measuring
  kKept,       // what earlier starts found; nothing is tried
  kNever,
  kAlways,  // on software drivers, too; at each start, if there is no cache_folder
};
/// As people write it: "default" (kWhereKept), "off".
std::optional<TuningUse> find_tuning_use(std::string_view name);

/// What a backend makes of an architecture's operations.
enum class Lowering : std::uint8_t {
  kFused,    // groups of them in one kernel (fusion.h)
  kUnfused,  // one by one: to check the other with, and to time it beside
};
/// As people write it: "fused", "unfused".
std::optional<Lowering> find_lowering(std::string_view name);

struct ExecutorOptions {
  /// Index in the backend's list of devices, or part of a name. Empty: the first usable one.
  std::string device = {};
  KvFormat kv_format = KvFormat::kF16;
  Activations activations = Activations::kF32;
  /// Positions of all sequences together; rounded up to whole pages.
  std::uint32_t n_kv_tokens = 4096;
  /// The most tokens one run() gets. 0: the backend's choice. A cancelled prefill stops at a
  /// chunk's end, so a chunk should take tens of milliseconds.
  std::uint32_t chunk_tokens = 0;
  std::uint32_t n_threads = 0;                    ///< CPU; 0: one for each fast core it may use
  ProductPath product_path = ProductPath::kAuto;  ///< GPU
  Lowering lowering = Lowering::kFused;
  TuningUse tuning = TuningUse::kWhereKept;  ///< GPU
  /// GPU: a folder where compiled kernels and their tuning are kept between runs; empty: they are
  /// not.
  std::filesystem::path cache_folder = {};
  /// Called with 0..1 while weights are placed, on the calling thread.
  std::function<void(float)> progress = {};
};

/// What runs where; for doctor, status and logs.
struct ExecutorInfo {
  std::string backend;
  DeviceInfo device;
  KvFormat kv_format = KvFormat::kF32;
  Activations activations = Activations::kF32;
  std::uint32_t chunk_tokens = 0;
  std::uint32_t n_threads = 0;     ///< 0 where threads play no part
  std::uint64_t weight_bytes = 0;  ///< on the device; on the CPU of the matrices it multiplies,
                                   ///< packed or mapped from the file
  std::uint64_t kv_bytes = 0;      ///< of all pages
  std::uint64_t activation_bytes = 0;
  /// What is otherwise than one would expect of such a device, and why: a sentence each.
  std::vector<std::string> remarks = {};
};

struct SequenceOptions {
  /// The longest this sequence may grow; decides its rope factors, for good.
  std::uint32_t max_tokens = 0;
  /// Takes these rope factors instead, whatever the length: to compare with programs that choose
  /// otherwise. Without a meaning for models that have one factor set.
  std::optional<RopeFactorSet> rope_factor_set = std::nullopt;
  /// Whether it may grow beyond the context that the model was trained for: to time passes, their
  /// text is of no use.
  bool beyond_context = false;
};

/// The positions computed so far, as pages of one executor's cache, and with which adapters.
/// Move-only; must not outlive its executor. Which tokens they were is the caller's to remember.
class Sequence {
 public:
  std::uint32_t n_tokens() const { return table_.n_tokens(); }
  std::uint32_t max_tokens() const { return max_tokens_; }
  RopeFactorSet rope_factor_set() const { return rope_; }

 private:
  friend class Executor;
  Sequence(PageTable table, RopeFactorSet rope, std::uint32_t max_tokens)
      : table_(std::move(table)), rope_(rope), max_tokens_(max_tokens) {}

  PageTable table_;
  RopeFactorSet rope_;
  std::uint32_t max_tokens_;
  std::shared_ptr<const Adapters> adapters_;  // meaningless while there are no positions
};

/// Logits of which of the tokens given to forward().
enum class LogitsWanted : std::uint8_t { kNone, kLast, kAll };

/// Consecutive tokens of one sequence.
struct Segment {
  std::uint32_t position;         ///< of the first one; all before it are in the cache
  std::uint32_t n_tokens;         ///< at least 1
  std::span<const PageId> pages;  ///< of the sequence, with room for position + n_tokens
};

/// What run() computes.
struct Batch {
  std::span<const TokenId> tokens;    ///< 1 to chunk_tokens, each below n_vocabulary
  std::span<const Segment> segments;  ///< whose they are, in order; of different sequences, no two
                                      ///< of which write to one page; 1 to kMaxSequences
  RopeFactorSet rope;
  std::span<float> logits;  ///< (n, n_vocabulary) for the last n tokens; n may be 0
  std::stop_token stop;     ///< may be looked at between layers; a cancelled run() fails kCancelled
};

/// A kernel's share of a pass.
struct KernelUse {
  std::string_view name;
  std::uint32_t n_dispatches = 0;
  std::uint64_t bytes = 0;  ///< that it must read and write
  std::uint64_t flops = 0;
  double seconds = 0;  ///< on the device; 0: not timed
};

/// A pass as it was given to the device, by backends that record theirs.
struct PassRecord {
  std::uint32_t n_submits = 0;
  std::uint32_t n_dispatches = 0;
  std::uint32_t n_stages = 0;  ///< that wait for each other: barriers and submits part them
  double dispatches_per_layer = 0;
  double stages_per_layer = 0;
  std::vector<KernelUse> kernels;  ///< those that take longest first, else that move most
};

/// A model on a device. One thread at a time; stop tokens may be triggered from any.
class Executor {
 public:
  virtual ~Executor() = default;
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  const Model& model() const { return *model_; }
  const ExecutorInfo& info() const { return info_; }
  std::uint32_t n_free_pages() const { return pool_.n_free(); }
  std::uint32_t n_pages() const { return pool_.n_pages(); }

  /// Changes what the model computes, from the next forward() on; an empty list is the model alone.
  /// What the backend has to place for an adapter is placed once and kept until a list lacks it.
  /// Errors leave things as they were: kInvalidArgument for an adapter of another model, or a scale
  /// that is no usable number; kUnsupported for a block format without a kernel; the device's own.
  Result<void> set_adapters(Adapters adapters);
  const Adapters& adapters() const { return *adapters_; }
  /// Whether a sequence's positions were computed with the adapters now in use: forward() takes no
  /// others.
  bool can_continue(const Sequence& sequence) const;

  /// What the last pass consisted of; nothing where passes are not recorded.
  virtual std::optional<PassRecord> last_pass() const { return std::nullopt; }
  /// From the next pass on, its kernels are timed: they run one by one then, and so slower. Nothing
  /// where last_pass() says nothing.
  virtual void time_kernels(bool on) { (void)on; }

  /// An empty sequence. Takes no pages yet. Errors: kInvalidArgument when max_tokens is 0, above
  /// the model's context length or above the cache's size.
  Result<Sequence> new_sequence(const SequenceOptions& options);
  /// A sequence that begins with the first `n_tokens` of `origin` (at most all of them), shares its
  /// pages and has its max_tokens.
  Sequence fork(const Sequence& origin, std::uint32_t n_tokens);
  /// Forgets the positions from `n_tokens` on.
  void truncate(Sequence& sequence, std::uint32_t n_tokens);

  /// Appends `tokens` to the sequence and writes the wanted logits, f32, (n_vocabulary) for kLast,
  /// (tokens.size(), n_vocabulary) for kAll; `logits` must have exactly that size.
  ///
  /// Works in chunks; `stop` is checked before each. When it fails, finished chunks stay in the
  /// sequence (their logits are written), the rest leaves no trace: n_tokens() says how far it got.
  /// The split into chunks does not change any result beyond the precision class.
  ///
  /// Errors: kCancelled; kInvalidArgument for no tokens, a token outside the vocabulary, more than
  /// max_tokens, a wrong size of `logits`, a sequence computed with other adapters; kOutOfMemory
  /// when no pages are free; and the device's own (kDeviceLost).
  Result<void> forward(Sequence& sequence,
                       std::span<const TokenId> tokens,
                       LogitsWanted wanted,
                       std::span<float> logits,
                       const std::stop_token& stop = {});

  /// The most sequences of one forward_each().
  static constexpr std::uint32_t kMaxSequences = 16;
  /// Appends tokens[i] to *sequences[i] and writes the logits after it to row i of `logits`, f32,
  /// (tokens.size(), n_vocabulary): all in one pass over the weights. As forward() with one token
  /// for each, to the precision class; when it fails, no sequence has gained its token.
  ///
  /// Errors besides forward()'s: kInvalidArgument for more sequences than kMaxSequences or than a
  /// chunk has tokens, and for sequences with different rope factors or given twice.
  Result<void> forward_each(std::span<Sequence* const> sequences,
                            std::span<const TokenId> tokens,
                            std::span<float> logits,
                            const std::stop_token& stop = {});

  /// Greedy decoding: appends `token`, writes the likeliest token after it to next[0], appends
  /// that, and so on, with nobody asked in between. Returns how many were written: at least one, at
  /// most next.size(), as many as the device computes in some 50 ms. The last one written is not in
  /// the sequence. Only tokens of the vocabulary are chosen, of equal logits the lowest.
  ///
  /// Errors: forward()'s; kNumeric for logits that are not finite numbers. The sequence is then as
  /// before, or holds `token`.
  Result<std::uint32_t> decode_greedy(Sequence& sequence,
                                      TokenId token,
                                      std::span<TokenId> next,
                                      const std::stop_token& stop = {});

 protected:
  /// `info` complete; pages for `n_kv_tokens`, in storage the derived class makes.
  Executor(std::shared_ptr<const Model> model, ExecutorInfo info, std::uint32_t n_kv_tokens);

  /// Positions below `n_positions` will be used with this factor set: extend the rope table.
  virtual Result<void> prepare_rope(RopeFactorSet factor_set, std::uint32_t n_positions) = 0;
  /// Copies keys and values of all layers.
  virtual Result<void> copy_page(const PageCopy& copy) = 0;
  /// One forward pass. The batch is checked. May leave anything in the pages from `position` on
  /// when it fails.
  virtual Result<void> run(const Batch& batch) = 0;
  /// Greedy decoding from the batch's one token on: what decode_greedy() says, there being room for
  /// `next.size()` positions. Logits are not asked for. By default one token, by run().
  virtual Result<std::uint32_t> run_greedy(const Batch& batch, std::span<TokenId> next);
  /// run() is to compute with these from now on; adapters() still are the ones before. They are
  /// checked and their scales not 0.
  virtual Result<void> place_adapters(const Adapters& adapters) = 0;

 private:
  /// What forward(), forward_each() and decode_greedy() demand of a sequence and its next tokens.
  Result<void> check(const Sequence& sequence, std::span<const TokenId> tokens) const;
  Result<void> check_logits(std::size_t n_given, std::size_t n_rows) const;
  /// Room for `n` more tokens, and nobody else's page under them.
  Result<void> make_room(Sequence& sequence, std::uint32_t n);
  Result<void> run_chunk(Sequence& sequence,
                         std::span<const TokenId> tokens,
                         std::span<float> logits,
                         const std::stop_token& stop);

  std::shared_ptr<const Model> model_;
  ExecutorInfo info_;
  PagePool pool_;
  std::shared_ptr<const Adapters> adapters_;
  std::vector<float> greedy_logits_;  // of run_greedy() as it is by default
};

/// A way to compute.
struct Backend {
  std::string_view name;  ///< "cpu", "vulkan"
  /// Devices in the order they are preferred. Errors say why the backend cannot be used at all.
  Result<std::vector<DeviceInfo>> (*devices)();
  /// Reads all weights once: kNumeric names a tensor with numbers that are Inf or NaN.
  Result<std::unique_ptr<Executor>> (*create)(std::shared_ptr<const Model> model,
                                              const ExecutorOptions& options);
  /// Measures the device that create() would take with these options; about a second.
  Result<DeviceLimits> (*limits)(const ExecutorOptions& options);
};

/// The table of backends (backends.cpp), the CPU last.
std::span<const Backend> all_backends();
const Backend* find_backend(std::string_view name);

}  // namespace kinglet::inference
