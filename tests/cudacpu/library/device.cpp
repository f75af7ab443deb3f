// Settings, errors, versions, and the devices with their attributes.

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "interface/cuda_runtime.h"
#include "state.h"
#include "streams.h"

static int from_environment(const char* name, int otherwise) {
  const char* text = getenv(name);
  return text ? atoi(text) : otherwise;
}

const Settings settings = {
    from_environment("CUDACPU_POISON", 1) != 0,
    from_environment("CUDACPU_ORDER", FORWARD),
    from_environment("CUDACPU_DEVICES", 1),
    from_environment("CUDACPU_NOEXEC", 0) == 0,
};
uint64_t cudacpu_counters[EVENTS];
thread_local int current_device = 0;

// ------------------------------------------------------------------------------------------ errors

API const char* cudaGetErrorName(int status) {
  switch (status) {
    case INVALID_VALUE: return "cudaErrorInvalidValue";
    case OUT_OF_MEMORY: return "cudaErrorMemoryAllocation";
    case INVALID_DEVICE: return "cudaErrorInvalidDevice";
    case NOT_READY: return "cudaErrorNotReady";
    case NOT_SUPPORTED: return "cudaErrorNotSupported";
    default: return "cudaErrorEmulated";
  }
}

API const char* cudaGetErrorString(int status) {
  switch (status) {
    case INVALID_VALUE: return "invalid argument";
    case OUT_OF_MEMORY: return "out of memory";
    case INVALID_DEVICE: return "invalid device ordinal";
    case NOT_READY: return "device not ready";
    case NOT_SUPPORTED: return "operation not supported (not implemented by the cudacpu emulation)";
    default: return "emulated error";
  }
}

API int cudaGetLastError() { return SUCCESS; }

API int cuGetErrorName(int, const char** name) {
  *name = "CUDA_ERROR_EMULATED";
  return SUCCESS;
}

API int cuGetErrorString(int, const char** text) {
  *text = "error in the cudacpu emulation";
  return SUCCESS;
}

// ---------------------------------------------------------------------------------------- versions

API int cudaDriverGetVersion(int* version) {
  *version = 13000;
  return SUCCESS;
}

API int cudaRuntimeGetVersion(int* version) {
  *version = 13000;
  return SUCCESS;
}

// ----------------------------------------------------------------------------------------- devices

API int cudaGetDeviceCount(int* count) {
  *count = settings.devices;
  return SUCCESS;
}

API int cudaGetDevice(int* device) {
  *device = current_device;
  return SUCCESS;
}

API int cudaSetDevice(int device) {
  if (!is_a_device(device)) return INVALID_DEVICE;
  current_device = device;
  return SUCCESS;
}

API int cudaDeviceSynchronize() {
  catch_up();
  cudacpu_counters[SYNCHRONIZATIONS]++;
  return SUCCESS;
}

// The numbers are those of the enumeration cudaDeviceAttr; the values are those of a small sm_80.
API int cudaDeviceGetAttribute(int* value, int attribute, int device) {
  if (!is_a_device(device)) return INVALID_DEVICE;
  // clang-format off
  switch (attribute) {
    case 1: *value = 1024; break;               // threads in a block
    case 2: case 3: *value = 1024; break;       // block dimensions x, y
    case 4: *value = 64; break;                 // block dimension z
    case 5: *value = 2147483647; break;         // grid dimension x
    case 6: case 7: *value = 65535; break;      // grid dimensions y, z
    case 8: *value = 49152; break;              // shared memory in a block
    case 10: *value = 32; break;                // threads in a warp
    case 12: *value = 65536; break;             // registers in a block
    case 16: *value = 4; break;                 // multiprocessors
    case 39: *value = 2048; break;              // threads in a multiprocessor
    case 75: *value = 8; break;                 // compute capability, major
    case 76: *value = 0; break;                 // and minor
    case 81: *value = 102400; break;            // shared memory in a multiprocessor
    case 97: *value = 101376; break;            // shared memory in a block, when asked for
    case 106: *value = 32; break;               // blocks in a multiprocessor
    case 115: *value = 1; break;                // memory pools
    default: *value = 0;
  }
  // clang-format on
  return SUCCESS;
}

// The properties themselves stand in the patched runtime.pyx, as a Python dictionary.
API int cudaGetDeviceProperties(void*, int device) { return is_a_device(device) ? SUCCESS : INVALID_DEVICE; }

API int cudaDeviceCanAccessPeer(int* can, int, int) {
  *can = 0;
  return SUCCESS;
}

API int cudaDeviceGetPCIBusId(char* text, int size, int device) {
  snprintf(text, size, "0000:%02x:00.0", device);
  return SUCCESS;
}

API int cudaDeviceGetLimit(size_t* value, int) {
  *value = 1024;
  return SUCCESS;
}

API int cudaDeviceSetLimit(int, size_t) { return SUCCESS; }

// ------------------------------------------------- contexts of the driver: one, always, for a device

API int cuDevicePrimaryCtxRelease(int) { return SUCCESS; }

API int cuCtxGetCurrent(void** context) {
  *context = reinterpret_cast<void*>(static_cast<uintptr_t>(current_device + 1));
  return SUCCESS;
}

API int cuCtxSetCurrent(void*) { return SUCCESS; }

API int cuCtxCreate(void** context, unsigned, int) {
  *context = reinterpret_cast<void*>(1);
  return SUCCESS;
}

API int cuCtxDestroy(void*) { return SUCCESS; }

API int cuCtxGetDevice(int* device) {
  *device = current_device;
  return SUCCESS;
}

API int cuStreamGetCtx(void*, void** context) {
  *context = reinterpret_cast<void*>(1);
  return SUCCESS;
}
