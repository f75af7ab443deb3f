// Running the threads of a kernel, one at a time, in an order that the tests may change.
//
// A kernel without barriers is a plain function call for each thread. In a kernel with barriers each
// thread of the block is a fiber with a stack of its own: at a barrier it switches back to the
// scheduler below, which goes on with the next thread. All blocks run one after another.

#include "threads.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <numeric>
#include <random>
#include <vector>

#include "state.h"

#ifndef __x86_64__
#error "the fibers of the emulated device are written for x86-64"
#endif

// What the compiled kernels see (declared in device.h).
API Dim3 emu_threadIdx, emu_blockIdx, emu_blockDim, emu_gridDim;
Dim3 emu_threadIdx, emu_blockIdx, emu_blockDim, emu_gridDim;
API char emu_dyn_shared[MAX_SHARED] __attribute__((aligned(128)));
char emu_dyn_shared[MAX_SHARED] __attribute__((aligned(128)));
API uint64_t emu_slots[2 * MAX_THREADS];  // one value a thread, for the shuffles within a warp
uint64_t emu_slots[2 * MAX_THREADS];

// How often only a part of a warp or block reached a barrier: undefined behavior in CUDA C++.
API int cudacpu_divergent;
int cudacpu_divergent = 0;

// Save the registers that a call must keep, and the stack pointer in *save; go on at the stack pointer `load`.
extern "C" void emu_switch(void** save, void* load);
asm(R"(.text
.globl emu_switch
.type emu_switch,@function
emu_switch:
 pushq %rbp; pushq %rbx; pushq %r12; pushq %r13; pushq %r14; pushq %r15
 movq %rsp,(%rdi)
 movq %rsi,%rsp
 popq %r15; popq %r14; popq %r13; popq %r12; popq %rbx; popq %rbp
 ret
)");

namespace {

constexpr size_t STACK = 256 * 1024;
constexpr int WARP = 32;
constexpr size_t POISONED_SHARED = 64 * 1024;  // more than a block may have without asking

enum State : unsigned char { RUNNABLE, AT_WARP_BARRIER, AT_BLOCK_BARRIER, DONE };

char* stacks = nullptr;
void* stack_pointers[MAX_THREADS];
State states[MAX_THREADS];
Dim3 indices[MAX_THREADS];
void* scheduler;  // its stack pointer while a fiber runs
int current;
bool in_fiber = false;
Entry running;
void** running_arguments;
std::mt19937 shuffler(1);

Dim3 index_of(int thread, Dim3 block) {
  return {unsigned(thread % block.x), unsigned(thread / block.x % block.y), unsigned(thread / block.x / block.y)};
}

std::vector<int> ordered(int threads) {
  std::vector<int> order(threads);
  std::iota(order.begin(), order.end(), 0);
  if (settings.order == REVERSED) std::reverse(order.begin(), order.end());
  if (settings.order == SHUFFLED) std::shuffle(order.begin(), order.end(), shuffler);
  return order;
}

void leave_fiber(State state) {
  const int me = current;
  states[me] = state;
  emu_switch(&stack_pointers[me], scheduler);
}

void fiber() {
  running(running_arguments);
  leave_fiber(DONE);
  abort();  // a finished fiber is never resumed
}

// A stack for each thread, on which the first switch "returns" into fiber().
void prepare_fibers(int threads, Dim3 block) {
  if (!stacks) {
    stacks = static_cast<char*>(
        mmap(nullptr, STACK * MAX_THREADS, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
  }
  for (int t = 0; t < threads; t++) {
    indices[t] = index_of(t, block);
    states[t] = RUNNABLE;
    auto** top = reinterpret_cast<void**>(stacks + STACK * (t + 1) - 64);
    *--top = nullptr;                              // where fiber() would return to
    *--top = reinterpret_cast<void*>(fiber);       // where the switch returns to
    for (int r = 0; r < 6; r++) *--top = nullptr;  // the six saved registers
    stack_pointers[t] = top;
  }
}

// Run one warp until each of its threads is done or waits for the whole block.
void run_warp(const std::vector<int>& warp) {
  for (;;) {
    for (int t : warp) {
      if (states[t] != RUNNABLE) continue;
      current = t;
      emu_threadIdx = indices[t];
      emu_switch(&scheduler, stack_pointers[t]);
    }
    int at_warp = 0, at_block = 0;
    for (int t : warp) {
      at_warp += states[t] == AT_WARP_BARRIER;
      at_block += states[t] == AT_BLOCK_BARRIER;
    }
    if (!at_warp) return;
    if (at_block) cudacpu_divergent++;
    for (int t : warp) {
      if (states[t] == AT_WARP_BARRIER) states[t] = RUNNABLE;
    }
  }
}

void run_block_with_barriers(const std::vector<int>& order, Dim3 block) {
  const int threads = order.size();
  if (settings.poison) memset(emu_dyn_shared, 0xFF, POISONED_SHARED);
  prepare_fibers(threads, block);
  // The warps in the order in which their first thread appears, and their threads in the order given.
  std::vector<std::vector<int>> warps((threads + WARP - 1) / WARP);
  std::vector<int> warp_order;
  for (int t : order) {
    if (warps[t / WARP].empty()) warp_order.push_back(t / WARP);
    warps[t / WARP].push_back(t);
  }
  in_fiber = true;
  for (;;) {
    for (int w : warp_order) run_warp(warps[w]);
    const int done = std::count(states, states + threads, DONE);
    const int waiting = std::count(states, states + threads, AT_BLOCK_BARRIER);
    if (!waiting) break;
    if (done) cudacpu_divergent++;
    std::replace(states, states + threads, AT_BLOCK_BARRIER, RUNNABLE);
  }
  in_fiber = false;
}

void run_block(const std::vector<int>& order, Dim3 block) {
  if (settings.order == FORWARD) {  // without a division for each thread
    for (unsigned z = 0; z < block.z; z++)
      for (unsigned y = 0; y < block.y; y++)
        for (unsigned x = 0; x < block.x; x++) {
          emu_threadIdx = {x, y, z};
          running(running_arguments);
        }
    return;
  }
  for (int t : order) {
    emu_threadIdx = index_of(t, block);
    running(running_arguments);
  }
}

}  // namespace

API void emu_syncthreads() {
  if (in_fiber) leave_fiber(AT_BLOCK_BARRIER);
}

API void emu_syncwarp() {
  if (in_fiber) leave_fiber(AT_WARP_BARRIER);
}

void run_grid(Entry kernel, bool barriers, Dim3 grid, Dim3 block, void** arguments) {
  if (!settings.execute) return;
  emu_blockDim = block;
  emu_gridDim = grid;
  running = kernel;
  running_arguments = arguments;
  const std::vector<int> order = ordered(block.x * block.y * block.z);
  const long blocks = long(grid.x) * grid.y * grid.z;
  for (long i = 0; i < blocks; i++) {
    const long b = settings.order == REVERSED ? blocks - 1 - i : i;
    emu_blockIdx = {unsigned(b % grid.x), unsigned(b / grid.x % grid.y), unsigned(b / grid.x / grid.y)};
    if (barriers) {
      run_block_with_barriers(order, block);
    } else {
      run_block(order, block);
    }
  }
}
