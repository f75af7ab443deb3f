// What the parts of the emulated device share: its settings, what it counts, and where its memory is.
#pragma once

#include <cstddef>
#include <cstdint>

#define API extern "C" __attribute__((visibility("default")))

// Status codes of the CUDA runtime and driver that the emulation returns.
enum Status {
  SUCCESS = 0,
  INVALID_VALUE = 1,
  OUT_OF_MEMORY = 2,
  INVALID_DEVICE = 101,
  INVALID_IMAGE = 200,
  NOT_FOUND = 500,
  NOT_READY = 600,
  NOT_SUPPORTED = 801,
  NOT_WHILE_CAPTURING = 900,
};

// Settings come from the environment, once, when the library is loaded.
enum Order { FORWARD = 0, REVERSED = 1, SHUFFLED = 2 };

struct Settings {
  bool poison;   // CUDACPU_POISON: fill fresh and freed memory with a pattern (the default)
  int order;     // CUDACPU_ORDER: the order in which the threads of a block run
  int devices;   // CUDACPU_DEVICES: how many devices there are
  bool execute;  // not CUDACPU_NOEXEC: run the kernels, instead of only counting them
};
extern const Settings settings;

// What is counted, in the order of NAMES in cudacpu/counting.py.
enum Event {
  LAUNCHES,
  MATRIX_PRODUCTS,
  DEVICE_TO_HOST,
  HOST_TO_DEVICE,
  DEVICE_TO_DEVICE,
  ALLOCATIONS,
  FREES,
  SYNCHRONIZATIONS,
  DEVICE_TO_HOST_BYTES,
  HOST_TO_DEVICE_BYTES,
  RANDOM_FILLS,
  SORTS,
  MEMSETS,
  OTHER_BLAS_CALLS,
  EVENTS,
};
API uint64_t cudacpu_counters[EVENTS];

// The current device of the calling thread.
extern thread_local int current_device;

inline bool is_a_device(int device) { return 0 <= device && device < settings.devices; }
