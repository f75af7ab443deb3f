// Running the threads of a kernel.
#pragma once

struct Dim3 {
  unsigned x, y, z;
};

using Entry = void (*)(void** arguments);  // a kernel as one thread calls it (EMU_ENTRY in device.h)

// The largest block, and the largest dynamic shared memory, of a launch.
constexpr int MAX_THREADS = 1024;
constexpr int MAX_SHARED = 256 * 1024;

// Run every thread of the grid, block after block. With `barriers`, the threads of a block can wait for each other.
void run_grid(Entry kernel, bool barriers, Dim3 grid, Dim3 block, void** arguments);
