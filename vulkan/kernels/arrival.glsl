// How workgroups hand each other what they computed without waiting: each writes to coherent buffers,
// and counts itself as arrived; who is the last sees all of it. By the letter of Vulkan's memory model:
// a workgroup's writes come before its count because of the barrier between, and one's count comes
// before the next because each both releases and acquires.
#extension GL_KHR_memory_scope_semantics : require

layout(buffer_reference, scalar, buffer_reference_align = 4) coherent buffer Counter {
  uint arrived;  // 0 before and after
};

// What the workgroup's invocations wrote to coherent buffers and shared memory before, all of them see
// after.
void buffer_barrier() {
  controlBarrier(gl_ScopeWorkgroup, gl_ScopeDevice, gl_StorageSemanticsBuffer | gl_StorageSemanticsShared,
                 gl_SemanticsAcquireRelease);
}

// How many came before.
uint arrive(Counter counter) {
  return atomicAdd(counter.arrived, 1, gl_ScopeDevice, gl_StorageSemanticsBuffer,
                   gl_SemanticsAcquireRelease);
}
