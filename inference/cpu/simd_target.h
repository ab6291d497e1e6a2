#pragma once

namespace kinglet::inference::cpu {

/// The instruction set the kernels run with on this machine, as Highway names it: "AVX2".
const char* simd_target();

}  // namespace kinglet::inference::cpu
