// Sum and maximum over a workgroup of kWorkgroupSize invocations, for any subgroup width: first in
// each subgroup, then over the subgroups through shared memory. Every invocation must call.
#extension GL_KHR_shader_subgroup_arithmetic : require
#extension GL_KHR_shader_subgroup_basic : require

shared float reduce_parts[kWorkgroupSize];

void share_parts(float part) {
  barrier();  // the last reduction has been read
  if (subgroupElect()) reduce_parts[gl_SubgroupID] = part;
  barrier();
}

float workgroup_sum(float value) {
  share_parts(subgroupAdd(value));
  float sum = 0.0;
  for (uint i = 0; i < gl_NumSubgroups; ++i) sum += reduce_parts[i];
  return sum;
}

float workgroup_max(float value) {
  share_parts(subgroupMax(value));
  float maximum = reduce_parts[0];
  for (uint i = 1; i < gl_NumSubgroups; ++i) maximum = max(maximum, reduce_parts[i]);
  return maximum;
}
