#include "vulkan/operations/argmax.h"

#include <algorithm>
#include <cassert>

#include "vulkan/operations.h"
#include "vulkan/operations/support.h"

namespace kinglet::vulkan {

namespace {

#pragma pack(push, 4)
struct ArgmaxPush {
  DeviceAddress rows, scratch, ids, positions, history;
  std::uint32_t n_columns, n_rows, n_history;
};
#pragma pack(pop)

constexpr std::uint32_t kWorkgroup = 256;  // as in the kernel

// Enough to read a vocabulary at more than one compute unit's speed, few enough to be joined by one
// invocation.
std::uint32_t groups_of(std::uint32_t n_columns) {
  constexpr std::uint32_t kColumns = 4'096;
  constexpr std::uint32_t kMost = 64;
  return std::clamp<std::uint32_t>(n_columns / kColumns, 1, kMost);
}

}  // namespace

std::uint64_t argmax_scratch_bytes(std::uint32_t n_rows, std::uint32_t n_columns) {
  const std::uint64_t partials = std::uint64_t{n_rows} * groups_of(n_columns);
  return partials * 2 * sizeof(std::uint32_t) + n_rows * sizeof(std::uint32_t);
}

void add_argmax_kernels(std::vector<KernelUse>& uses) {
  uses.push_back({"argmax"});
}

void Operations::argmax(Stream& stream, const Argmax& op) const {
  assert(op.n_rows > 0 && op.n_rows <= kMaxTokens && op.n_columns > 0);
  assert(op.history == 0 || (op.positions != 0 && op.n_history > 0));
  const std::uint32_t n_groups = groups_of(op.n_columns);
  const std::uint64_t n_numbers = std::uint64_t{op.n_rows} * op.n_columns;
  stream.dispatch(pipeline("argmax"),
                  ArgmaxPush{op.rows,
                             op.scratch,
                             op.ids,
                             op.positions,
                             op.history,
                             op.n_columns,
                             op.n_rows,
                             op.n_history},
                  {n_groups, op.n_rows, 1},
                  divide_up(divide_up(op.n_columns, n_groups), kWorkgroup) + n_groups + 10,
                  {n_numbers * sizeof(float), op.n_rows * sizeof(std::uint32_t), n_numbers});
}

}  // namespace kinglet::vulkan
