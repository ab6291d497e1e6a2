#include "vulkan/spirv.h"

#include <algorithm>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include <spirv/unified1/spirv.hpp>

namespace kinglet::vulkan {

namespace {

constexpr std::size_t kHeaderWords = 5;
constexpr int kMaxTypeDepth = 16;

tl::unexpected<Error> corrupt(const std::string& what) {
  return fail(ErrorCode::kCorrupt, "SPIR-V: " + what + "; the kernel was not compiled as ours are");
}

struct Instruction {
  spv::Op op;
  std::span<const std::uint32_t> operands;
};

// What of the module bears on the push block: types and constants by id, layout decorations.
struct Module {
  std::unordered_map<std::uint32_t, Instruction> results;
  std::unordered_map<std::uint32_t, std::uint32_t> array_strides;
  std::unordered_map<std::uint64_t, std::uint32_t> member_offsets;  // struct id << 32 | member
};

std::optional<std::uint32_t> constant(const Module& module, std::uint32_t id) {
  const auto found = module.results.find(id);
  if (found == module.results.end() || found->second.op != spv::OpConstant) return std::nullopt;
  // Result type, result id, literal.
  return found->second.operands[2];
}

std::optional<std::uint32_t> type_bytes(const Module& module, std::uint32_t id, int depth) {
  const auto found = module.results.find(id);
  if (found == module.results.end() || depth > kMaxTypeDepth) return std::nullopt;
  const auto operands = found->second.operands;
  switch (found->second.op) {
    case spv::OpTypeInt:
    case spv::OpTypeFloat:
      return operands[1] / 8;
    case spv::OpTypePointer:
      if (operands[1] != spv::StorageClassPhysicalStorageBuffer) return std::nullopt;
      return 8;
    case spv::OpTypeVector: {
      const auto element = type_bytes(module, operands[1], depth + 1);
      if (!element || operands[2] > 16) return std::nullopt;
      return *element * operands[2];
    }
    case spv::OpTypeArray: {
      const auto length = constant(module, operands[2]);
      const auto stride = module.array_strides.find(operands[0]);
      if (!length || stride == module.array_strides.end() || *length > 65'536 ||
          stride->second > 65'536) {
        return std::nullopt;
      }
      return *length * stride->second;
    }
    case spv::OpTypeStruct: {
      std::uint32_t end = 0;
      for (std::uint32_t member = 0; member + 1 < operands.size(); ++member) {
        const auto offset = module.member_offsets.find((std::uint64_t{operands[0]} << 32) | member);
        const auto bytes = type_bytes(module, operands[member + 1], depth + 1);
        if (offset == module.member_offsets.end() || !bytes) return std::nullopt;
        end = std::max(end, offset->second + *bytes);
      }
      return end;
    }
    default:
      return std::nullopt;
  }
}

// How many operands an instruction must have before we look at them; 0: we never look.
std::size_t least_operands(spv::Op op) {
  switch (op) {
    case spv::OpTypeFloat:
    case spv::OpExecutionMode:
    case spv::OpDecorate:
    case spv::OpEntryPoint:
      return 2;
    case spv::OpTypeStruct:
      return 1;
    case spv::OpTypeInt:
    case spv::OpTypePointer:
    case spv::OpTypeVector:
    case spv::OpTypeArray:
    case spv::OpConstant:
    case spv::OpVariable:
    case spv::OpMemberDecorate:
      return 3;
    default:
      return 0;
  }
}

}  // namespace

Result<ShaderInfo> reflect(std::span<const std::uint32_t> spirv) {
  if (spirv.size() < kHeaderWords || spirv[0] != spv::MagicNumber) {
    return corrupt("the header is missing");
  }
  ShaderInfo info;
  Module module;
  std::vector<Instruction> variables;
  bool is_compute = false;
  bool has_size = false;
  for (std::size_t at = kHeaderWords; at < spirv.size();) {
    const std::size_t words = spirv[at] >> spv::WordCountShift;
    if (words == 0 || words > spirv.size() - at) {
      return corrupt("an instruction runs past the end at word " + std::to_string(at));
    }
    const Instruction instruction = {static_cast<spv::Op>(spirv[at] & spv::OpCodeMask),
                                     spirv.subspan(at + 1, words - 1)};
    at += words;
    const auto operands = instruction.operands;
    if (operands.size() < least_operands(instruction.op)) {
      return corrupt("an instruction is too short at word " + std::to_string(at - words));
    }
    switch (instruction.op) {
      case spv::OpEntryPoint:
        is_compute = is_compute || operands[0] == spv::ExecutionModelGLCompute;
        break;
      case spv::OpExecutionMode:
        if (operands[1] == spv::ExecutionModeLocalSize && operands.size() == 5) {
          std::copy_n(operands.begin() + 2, 3, info.workgroup_size.begin());
          has_size = true;
        }
        break;
      case spv::OpDecorate:
        if (operands[1] == spv::DecorationArrayStride && operands.size() == 3) {
          module.array_strides[operands[0]] = operands[2];
        }
        if (operands[1] == spv::DecorationDescriptorSet) {
          return corrupt("a descriptor is used; buffers come as addresses in push constants");
        }
        break;
      case spv::OpMemberDecorate:
        if (operands[2] == spv::DecorationOffset && operands.size() == 4) {
          module.member_offsets[(std::uint64_t{operands[0]} << 32) | operands[1]] = operands[3];
        }
        break;
      case spv::OpTypeInt:
      case spv::OpTypeFloat:
      case spv::OpTypePointer:
      case spv::OpTypeVector:
      case spv::OpTypeArray:
      case spv::OpTypeStruct:
        module.results[operands[0]] = instruction;
        break;
      case spv::OpConstant:
        module.results[operands[1]] = instruction;
        break;
      case spv::OpVariable:
        variables.push_back(instruction);
        break;
      default:
        break;
    }
  }
  if (!is_compute || !has_size) return corrupt("there is no compute entry point of a fixed size");
  for (const Instruction& variable : variables) {
    if (variable.operands[2] != spv::StorageClassPushConstant) continue;
    const auto pointer = module.results.find(variable.operands[0]);
    const auto bytes = pointer != module.results.end() && pointer->second.op == spv::OpTypePointer
                           ? type_bytes(module, pointer->second.operands[2], 0)
                           : std::nullopt;
    if (!bytes) return corrupt("the push constant block has no layout");
    info.push_bytes = *bytes;
  }
  return info;
}

}  // namespace kinglet::vulkan
