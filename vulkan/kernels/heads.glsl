// Heads in shared memory, kHeadStride floats each, of which those after kHeadDim are 0. The
// including file says how many there are (kHeadRows) and how wide its workgroup is.
const uint kHeadStride = (kHeadDim + 31) / 32 * 32;

shared float heads[kHeadRows * kHeadStride];
