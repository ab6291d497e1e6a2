// A forward pass as recorded command streams. The architecture's operations are lowered in groups
// (fusion.h), or one by one, to calls of the Vulkan library; a barrier stands only where a group
// touches what an earlier one wrote. Cut into parts of limited work, so that no submit takes long
// (submit_budget.h).
//
// All that varies between passes of one shape lies in buffers (token ids, positions, page table):
// a decode step is recorded once and replayed for every token.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "inference/gpu/workspace.h"
#include "vulkan/operations.h"

namespace kinglet::inference::gpu {

struct Part {
  vulkan::Stream stream;
  std::uint64_t work = 0;  // multiplications
};

/// Of a recording, or a stretch of it. A part's end separates stages, too.
struct Extent {
  std::uint32_t n_stages = 0;
  std::uint32_t n_dispatches = 0;
};
Extent extent_of(std::span<const Part> parts);

struct Recording {
  std::vector<Part> parts;
  Extent layers;  // without what comes before the first layer and after the last
};

/// Records a pass in parts of about `work_limit` multiplications each, at least one. The logits of
/// the wanted tokens end in workspace.host_logits, (n_logits, n_vocabulary), or in the next pass's
/// ids and positions. What is one part can run in a chain. The dispatches' traffic is that of a
/// pass whose last token sees `n_positions`, however many positions the shape has room for.
Result<Recording> record_pass(const vulkan::Device& device,
                              const vulkan::Operations& operations,
                              const Workspace& workspace,
                              const PassShape& shape,
                              std::uint32_t n_positions,
                              std::uint64_t work_limit);

/// For which the kernels that work on heads are compiled.
vulkan::HeadShape head_shape(const HyperParameters& hyper_parameters);

/// Bytes of scratch for any pass of at most this many tokens.
std::uint64_t scratch_bytes(const HyperParameters& hyper_parameters,
                            vulkan::CacheType cache_type,
                            std::uint32_t chunk_tokens,
                            std::uint32_t max_context);
/// Bytes of attention's counters, likewise.
std::uint64_t counter_bytes(const HyperParameters& hyper_parameters, std::uint32_t chunk_tokens);

}  // namespace kinglet::inference::gpu
