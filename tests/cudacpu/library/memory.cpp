// Device memory: host memory that the emulation remembers, filled with a pattern when fresh and when freed.

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>

#include "interface/cuda_runtime.h"
#include "state.h"
#include "streams.h"

namespace {

constexpr size_t CAPACITY = size_t(8) << 30;  // of each device
constexpr size_t ALIGNMENT = 512;  // of every address that the real cudaMalloc returns
constexpr int FRESH = 0xFF;        // NaN in floats, -1 in integers: a read before the first write shows
constexpr int FREED = 0xFE;

struct Allocation {
  size_t size;
  int device;
};
std::map<uintptr_t, Allocation> allocations;
std::map<uintptr_t, size_t> pinned;  // memory of the host, from cudaHostAlloc, with its size
std::mutex mutex;                    // of the maps

// The allocation that holds this address; call it with the mutex locked.
std::map<uintptr_t, Allocation>::iterator find(const void* pointer) {
  const auto address = reinterpret_cast<uintptr_t>(pointer);
  auto after = allocations.upper_bound(address);
  if (after == allocations.begin()) return allocations.end();
  const auto candidate = std::prev(after);
  const size_t size = std::max<size_t>(candidate->second.size, 1);
  return address < candidate->first + size ? candidate : allocations.end();
}

bool on_device(const void* pointer) {
  const std::lock_guard<std::mutex> lock(mutex);
  return find(pointer) != allocations.end();
}

bool is_pinned(const void* pointer) {
  const auto address = reinterpret_cast<uintptr_t>(pointer);
  const std::lock_guard<std::mutex> lock(mutex);
  const auto after = pinned.upper_bound(address);
  return after != pinned.begin() && address < std::prev(after)->first + std::prev(after)->second;
}

// The bytes that are taken of the current device.
size_t used() {
  size_t sum = 0;
  const std::lock_guard<std::mutex> lock(mutex);
  for (const auto& entry : allocations) sum += entry.second.device == current_device ? entry.second.size : 0;
  return sum;
}

int allocate(void** pointer, size_t size) {
  void* memory = nullptr;
  if (size > CAPACITY - used()) return OUT_OF_MEMORY;
  if (posix_memalign(&memory, ALIGNMENT, size ? size : 1)) return OUT_OF_MEMORY;
  if (settings.poison) memset(memory, FRESH, size);
  const std::lock_guard<std::mutex> lock(mutex);
  allocations[reinterpret_cast<uintptr_t>(memory)] = {size, current_device};
  cudacpu_counters[ALLOCATIONS]++;
  *pointer = memory;
  return SUCCESS;
}

int release(void* pointer) {
  if (!pointer) return SUCCESS;
  catch_up();  // a device waits before it frees
  const std::lock_guard<std::mutex> lock(mutex);
  const auto found = allocations.find(reinterpret_cast<uintptr_t>(pointer));
  if (found == allocations.end()) return INVALID_VALUE;
  if (settings.poison) memset(pointer, FREED, found->second.size);
  allocations.erase(found);
  free(pointer);
  cudacpu_counters[FREES]++;
  return SUCCESS;
}

enum Direction { HOST_TO_HOST, TO_DEVICE, TO_HOST, WITHIN_DEVICE, ANY };

// A copy; one that is called by the wrong direction is an error, as it would be on a device.
int copy(void* to, const void* from, size_t size, int direction, void* stream = nullptr) {
  const bool to_device = on_device(to), from_device = on_device(from);
  const bool wrong = (direction == TO_DEVICE && !to_device) || (direction == TO_HOST && !from_device) ||
                     (direction == WITHIN_DEVICE && !(to_device && from_device));
  if (size && wrong) return INVALID_VALUE;
  const bool late = to_device && is_pinned(from) && postpone(stream, [=] { memmove(to, from, size); });
  if (!late) {
    catch_up(stream);
    memmove(to, from, size);
  }
  if (to_device && from_device) {
    cudacpu_counters[DEVICE_TO_DEVICE]++;
  } else if (from_device) {
    cudacpu_counters[DEVICE_TO_HOST]++;
    cudacpu_counters[DEVICE_TO_HOST_BYTES] += size;
  } else if (to_device) {
    cudacpu_counters[HOST_TO_DEVICE]++;
    cudacpu_counters[HOST_TO_DEVICE_BYTES] += size;
  }
  return SUCCESS;
}

}  // namespace

// -------------------------------------------------------------------------------------- allocation

API int cudaMalloc(void** pointer, size_t size) { return allocate(pointer, size); }
API int cudaMallocAsync(void** pointer, size_t size, void*) { return allocate(pointer, size); }
API int cudaMallocFromPoolAsync(void** pointer, size_t size, void*, void*) { return allocate(pointer, size); }
API int cudaMallocManaged(void** pointer, size_t size, unsigned) { return allocate(pointer, size); }
API int cudaFree(void* pointer) { return release(pointer); }
API int cudaFreeAsync(void* pointer, void*) { return release(pointer); }

API int cudaHostAlloc(void** pointer, size_t size, unsigned) {
  if (posix_memalign(pointer, ALIGNMENT, size ? size : 1)) return OUT_OF_MEMORY;
  const std::lock_guard<std::mutex> lock(mutex);
  pinned[reinterpret_cast<uintptr_t>(*pointer)] = size;
  return SUCCESS;
}

API int cudaFreeHost(void* pointer) {
  catch_up();
  const std::lock_guard<std::mutex> lock(mutex);
  pinned.erase(reinterpret_cast<uintptr_t>(pointer));
  free(pointer);
  return SUCCESS;
}

API int cudaMemGetInfo(size_t* available, size_t* total) {
  *total = CAPACITY;
  *available = CAPACITY - used();
  return SUCCESS;
}

// What the real function fills in begins so; CuPy's stub declares no more.
struct PointerAttributes {
  int device;
  void* device_pointer;
  void* host_pointer;
};

API int cudaPointerGetAttributes(void* attributes, const void* pointer) {
  auto* result = static_cast<PointerAttributes*>(attributes);
  void* address = const_cast<void*>(pointer);
  const std::lock_guard<std::mutex> lock(mutex);
  const auto found = find(pointer);
  if (found != allocations.end()) {
    *result = {found->second.device, address, nullptr};
  } else {
    *result = {0, nullptr, address};
  }
  return SUCCESS;
}

// Called by the patched runtime.pyx: does the address lie in device memory?
API int cudacpu_is_device(void* pointer) { return on_device(pointer); }

// ------------------------------------------------------------------------------------------ copies

API int cudaMemcpy(void* to, const void* from, size_t size, int direction) { return copy(to, from, size, direction); }

API int cudaMemcpyAsync(void* to, const void* from, size_t size, int direction, void* stream) {
  return copy(to, from, size, direction, stream);
}

API int cudaMemcpyPeer(void* to, int, const void* from, int, size_t size) {
  return copy(to, from, size, WITHIN_DEVICE);
}

API int cudaMemcpyPeerAsync(void* to, int, const void* from, int, size_t size, void*) {
  return copy(to, from, size, WITHIN_DEVICE);
}

API int cudaMemset(void* pointer, int value, size_t size) {
  if (!on_device(pointer)) return INVALID_VALUE;
  cudacpu_counters[MEMSETS]++;
  memset(pointer, value, size);
  return SUCCESS;
}

API int cudaMemsetAsync(void* pointer, int value, size_t size, void*) { return cudaMemset(pointer, value, size); }

// --------------------------------------------- memory pools of the driver: accepted, without effect

static int one_pool(void* pool) {
  *static_cast<void**>(pool) = reinterpret_cast<void*>(0x10);
  return SUCCESS;
}

API int cudaMemPoolCreate(void* pool, void*) { return one_pool(pool); }
API int cudaMemPoolDestroy(void*) { return SUCCESS; }
API int cudaDeviceGetDefaultMemPool(void* pool, int) { return one_pool(pool); }
API int cudaDeviceGetMemPool(void* pool, int) { return one_pool(pool); }
API int cudaDeviceSetMemPool(int, void*) { return SUCCESS; }
API int cudaMemPoolTrimTo(void*, size_t) { return SUCCESS; }
API int cudaMemPoolSetAttribute(void*, int, void*) { return SUCCESS; }

API int cudaMemPoolGetAttribute(void*, int, void* value) {
  *static_cast<uint64_t*>(value) = 0;
  return SUCCESS;
}
