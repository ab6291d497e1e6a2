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

// Four sums at once: barriers cost more than adding.
shared vec4 reduce_parts4[kWorkgroupSize];

vec4 workgroup_sum4(vec4 value) {
  const vec4 part = subgroupAdd(value);
  barrier();
  if (subgroupElect()) reduce_parts4[gl_SubgroupID] = part;
  barrier();
  vec4 sum = vec4(0.0);
  for (uint i = 0; i < gl_NumSubgroups; ++i) sum += reduce_parts4[i];
  return sum;
}

float workgroup_max(float value) {
  share_parts(subgroupMax(value));
  float maximum = reduce_parts[0];
  for (uint i = 1; i < gl_NumSubgroups; ++i) maximum = max(maximum, reduce_parts[i]);
  return maximum;
}
