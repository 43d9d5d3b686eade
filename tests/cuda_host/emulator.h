#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

// CUDA's language on a CPU: the kernels of src/ops/cuda compiled as C++ and run thread by thread, so that the very same
// sources are tested where there is no card. The headers of this folder stand in for CUDA's own of the same names.
//
// Blocks run one after another, the threads of one as fibers: each goes on until it ends or waits for others, in an
// order that is shuffled anew every time, so that a forgotten barrier gives other numbers. What a card does not promise
// is an error, not a guess: a barrier that part of a block never reaches, a shuffle with a lane that has ended.
//
// A program holds kernels twice: for the card, and compiled with EFFNETV2_CUDA_EMULATED in the namespace that
// EFFNETV2_CUDA_NAMESPACE names (src/ops/cuda/launch.h). __shared__ variables are static and keep what the block before
// left there, as on a card.
namespace effnetv2::cuda_host {

struct Index {
  unsigned x = 0, y = 0, z = 0;
};

/// Of the fiber that runs.
extern Index thread_index, block_index, block_size, grid_size;

/// Whether bindings are told that the current stream is captured. Kernels run all the same.
extern bool capturing;

/// One call for each thread of the grid. Not reentrant; calls from several threads wait for each other. Throws
/// std::logic_error for what a card would not finish.
void run(Index grid, Index block, std::size_t dynamic_shared_bytes, const std::function<void()>& thread);

/// The block's dynamic shared memory, filled with NaN's bits at its start.
void* dynamic_shared();

/// __syncthreads().
void block_barrier();
/// __syncwarp(lanes).
void warp_barrier(std::uint32_t lanes);
/// What lane `from` of the same warp passes in as `value` (of at most 8 bytes) in its call of this.
std::uint64_t exchange(std::uint32_t lanes, std::uint64_t value, unsigned from);
/// 0 to 31.
unsigned lane();

}  // namespace effnetv2::cuda_host
