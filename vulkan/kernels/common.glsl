// What every kernel uses: buffers by address, and where a workgroup finds its work.
#extension GL_EXT_buffer_reference : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_EXT_scalar_block_layout : require
#extension GL_EXT_shader_16bit_storage : require
#extension GL_EXT_shader_explicit_arithmetic_types_int64 : require

layout(buffer_reference, scalar, buffer_reference_align = 4) buffer Floats { float at[]; };
layout(buffer_reference, scalar, buffer_reference_align = 4) readonly buffer ConstFloats {
  float at[];
};
layout(buffer_reference, scalar, buffer_reference_align = 4) readonly buffer ConstUints {
  uint at[];
};

// Grids longer than a device's limit along x are folded over y.
uint folded_group() { return gl_WorkGroupID.x + gl_WorkGroupID.y * gl_NumWorkGroups.x; }

// Address of element (row, 0) of a row-major f32 matrix; 64-bit, since a matrix may pass 4 GiB.
uint64_t float_row(uint64_t base, uint row, uint stride) {
  return base + uint64_t(row) * uint64_t(stride) * 4ul;
}
