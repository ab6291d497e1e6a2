// The sum of the products of four signed bytes each: OpSDotKHR of SPV_KHR_integer_dot_product, by its
// number, because glslc does not know the GLSL extension. The last operand is always 0: packed.
#extension GL_EXT_spirv_intrinsics : require

spirv_instruction(extensions = ["SPV_KHR_integer_dot_product"],
                  capabilities = [6018, 6019],  // packed 4 × 8 bits; dot products
                  id = 4450) int packed_dot(uint a, uint b, spirv_literal int packing);
