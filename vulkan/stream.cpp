#include "vulkan/stream.h"

#include <algorithm>
#include <cassert>

#include "vulkan/error.h"

namespace kinglet::vulkan {

namespace {

constexpr VkPipelineStageFlags kWorkStages =
    VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT;
constexpr VkAccessFlags kWrites = VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_WRITE_BIT;
// Of the timestamps: a run's begin and end, then the end of each dispatch and copy.
constexpr std::uint32_t kBegin = 0;
constexpr std::uint32_t kEnd = 1;
constexpr std::uint32_t kFirstSpan = 2;
constexpr VkAccessFlags kReads = VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_TRANSFER_READ_BIT;

void memory_barrier(const DeviceTable& table,
                    VkCommandBuffer commands,
                    VkPipelineStageFlags before,
                    VkPipelineStageFlags after,
                    VkAccessFlags wrote,
                    VkAccessFlags accesses) {
  VkMemoryBarrier barrier = {};
  barrier.sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER;
  barrier.srcAccessMask = wrote;
  barrier.dstAccessMask = accesses;
  table.vkCmdPipelineBarrier(commands, before, after, 0, 1, &barrier, 0, nullptr, 0, nullptr);
}

}  // namespace

Result<Stream> Stream::create(const Device& device, Timing timing) {
  const DeviceTable& table = device.table();
  Stream stream(device, timing);

  stream.pool_ = TRY(make_command_pool(device, device.info().queue_family));
  TRY(allocate_commands(device, stream.pool_.get(), {&stream.commands_, 1}));
  stream.timeline_.emplace(TRY(Timeline::create(device)));
  if (device.info().timestamp_period_ns > 0) {
    VkQueryPoolCreateInfo query_info = {};
    query_info.sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO;
    query_info.queryType = VK_QUERY_TYPE_TIMESTAMP;
    query_info.queryCount = stream.n_timestamps();
    VkQueryPool queries = VK_NULL_HANDLE;
    TRY_VK(table.vkCreateQueryPool(device.handle(), &query_info, nullptr, &queries),
           "creating timestamps");
    stream.timestamps_ = Unique<VkQueryPool>(table, device.handle(), queries);
  }
  return stream;
}

Stream::~Stream() {
  // A run that never ends (device lost, hang) must not keep the process: it is about to give up.
  if (timeline_ && !timeline_->is_idle()) (void)wait(std::chrono::seconds(5));
}

Result<void> Stream::begin(Runs runs) {
  if (!timeline_->is_idle()) return still_running();
  const DeviceTable& table = device_->table();
  TRY_VK(table.vkResetCommandPool(device_->handle(), pool_.get(), 0), "resetting a command pool");
  VkCommandBufferBeginInfo info = {};
  info.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO;
  if (runs == Runs::kChained) info.flags = VK_COMMAND_BUFFER_USAGE_SIMULTANEOUS_USE_BIT;
  runs_ = runs;
  TRY_VK(table.vkBeginCommandBuffer(commands_, &info), "recording a command buffer");
  dispatches_.clear();
  n_barriers_ = 0;
  spans_.clear();
  dispatch_seconds_.clear();
  if (timestamps_) {
    table.vkCmdResetQueryPool(commands_, timestamps_.get(), 0, n_timestamps());
    // When all that came before is done: at the top of the pipe nothing orders it behind the
    // barrier that the run before ends with, and it would count that run, too.
    table.vkCmdWriteTimestamp(
        commands_, VK_PIPELINE_STAGE_ALL_COMMANDS_BIT, timestamps_.get(), kBegin);
  }
  return {};
}

void Stream::dispatch(const Pipeline& pipeline,
                      std::span<const std::byte> push,
                      Groups groups,
                      std::uint64_t loop_iterations,
                      const Traffic& traffic) {
  [[maybe_unused]] const std::uint32_t limit = device_->info().max_group_count;
  assert(push.size() == pipeline.shader().push_bytes);
  assert(loop_iterations < kMaxLoopIterations);
  assert(groups.x > 0 && groups.x <= limit);
  assert(groups.y > 0 && groups.y <= limit);
  assert(groups.z > 0 && groups.z <= limit);
  const DeviceTable& table = device_->table();
  table.vkCmdBindPipeline(commands_, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline.handle());
  table.vkCmdPushConstants(commands_,
                           pipeline.layout(),
                           VK_SHADER_STAGE_COMPUTE_BIT,
                           0,
                           static_cast<std::uint32_t>(push.size()),
                           push.data());
  table.vkCmdDispatch(commands_, groups.x, groups.y, groups.z);
  dispatches_.push_back({&pipeline.kernel(), n_barriers_, traffic});
  close_span(Span::kDispatch);
}

void Stream::copy(const Buffer& from,
                  std::uint64_t from_offset,
                  const Buffer& to,
                  std::uint64_t to_offset,
                  std::uint64_t bytes) {
  assert(from_offset <= from.size() && bytes <= from.size() - from_offset);
  assert(to_offset <= to.size() && bytes <= to.size() - to_offset);
  const VkBufferCopy region = {from_offset, to_offset, bytes};
  device_->table().vkCmdCopyBuffer(commands_, from.handle(), to.handle(), 1, &region);
  close_span(Span::kCopy);
}

std::uint32_t Stream::n_timestamps() const {
  return timing_ == Timing::kEach ? kFirstSpan + kMaxTimed : kFirstSpan;
}

void Stream::close_span(Span span) {
  if (timing_ != Timing::kEach || !timestamps_ || spans_.size() == kMaxTimed) return;
  const DeviceTable& table = device_->table();
  memory_barrier(table, commands_, kWorkStages, kWorkStages, kWrites, kReads | kWrites);
  table.vkCmdWriteTimestamp(commands_,
                            VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT,
                            timestamps_.get(),
                            kFirstSpan + static_cast<std::uint32_t>(spans_.size()));
  spans_.push_back(span);
}

void Stream::barrier() {
  memory_barrier(device_->table(), commands_, kWorkStages, kWorkStages, kWrites, kReads | kWrites);
  ++n_barriers_;
}

Result<void> Stream::end() {
  const DeviceTable& table = device_->table();
  // Also orders this run before the next one, which overwrites what it reads.
  memory_barrier(table,
                 commands_,
                 kWorkStages,
                 kWorkStages | VK_PIPELINE_STAGE_HOST_BIT,
                 kWrites,
                 kReads | kWrites | VK_ACCESS_HOST_READ_BIT);
  if (timestamps_) {
    table.vkCmdWriteTimestamp(
        commands_, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, timestamps_.get(), kEnd);
  }
  TRY_VK(table.vkEndCommandBuffer(commands_), "recording a command buffer");
  return {};
}

Result<void> Stream::submit_chain(std::uint32_t n_runs, const Stream* before) {
  assert(n_runs == 1 || (n_runs > 1 && runs_ == Runs::kChained));
  if (!timeline_->is_idle()) return still_running();
  command_buffers_.clear();
  if (before != nullptr) command_buffers_.push_back(before->commands_);
  command_buffers_.insert(command_buffers_.end(), n_runs, commands_);
  submit_time_ = std::chrono::steady_clock::now();
  TRY(timeline_->submit(device_->queue(), command_buffers_, "submitting work"));
  n_runs_ = n_runs;
  return {};
}

tl::unexpected<Error> Stream::still_running() const {
  return fail(ErrorCode::kDeviceLost,
              "the last run on " + device_->info().name +
                  " has not ended; the GPU hangs or was lost, and the engine has to be started "
                  "again");
}

Result<double> Stream::wait(std::chrono::nanoseconds timeout) {
  assert(!timeline_->is_idle());
  TRY(timeline_->wait_for(timeline_->n_submitted(), timeout, "waiting for"));
  const std::chrono::duration<double> host = std::chrono::steady_clock::now() - submit_time_;
  if (!timestamps_) return host.count() / n_runs_;
  return read_timestamps();
}

Result<double> Stream::read_timestamps() {
  std::vector<std::uint64_t> ticks(kFirstSpan + spans_.size());
  TRY_VK(device_->table().vkGetQueryPoolResults(device_->handle(),
                                                timestamps_.get(),
                                                0,
                                                static_cast<std::uint32_t>(ticks.size()),
                                                ticks.size() * sizeof(ticks[0]),
                                                ticks.data(),
                                                sizeof(ticks[0]),
                                                VK_QUERY_RESULT_64_BIT),
         "reading timestamps");
  // Counters of fewer than 64 bits start again at zero: of 36 bits and 52 ns each hour.
  const std::uint32_t n_bits = device_->info().timestamp_bits;
  const std::uint64_t mask = n_bits < 64 ? (std::uint64_t{1} << n_bits) - 1 : ~std::uint64_t{0};
  const auto seconds_between = [&](std::uint64_t begin, std::uint64_t end) {
    return static_cast<double>((end - begin) & mask) * device_->info().timestamp_period_ns * 1e-9;
  };
  dispatch_seconds_.clear();
  std::uint64_t before = ticks[kBegin];
  for (std::size_t i = 0; i < spans_.size(); ++i) {
    const std::uint64_t end = ticks[kFirstSpan + i];
    if (spans_[i] == Span::kDispatch) dispatch_seconds_.push_back(seconds_between(before, end));
    before = end;
  }
  return seconds_between(ticks[kBegin], ticks[kEnd]);
}

}  // namespace kinglet::vulkan
