// The driver's modules and kernels. A module is a shared object that g++ made of CUDA C++ (cudacpu/compiler.py).

#include <dlfcn.h>

#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "state.h"
#include "streams.h"
#include "threads.h"

namespace {

struct Module {
  void* library;
};

struct Kernel {
  Entry entry;
  std::string name;
  bool barriers;
  std::vector<int> sizes;  // of its parameters, in bytes
};

template <class T>
T* symbol(const Module* module, const std::string& name) {
  return reinterpret_cast<T*>(dlsym(module->library, name.c_str()));
}

using Hook = void (*)(const char* kernel, unsigned grid, unsigned block, unsigned shared);
Hook hook = nullptr;

}  // namespace

// Call a function at each launch; a null pointer ends that.
API void cudacpu_set_hook(Hook function) { hook = function; }

// The "image" is what compiler.py returned: "CUDACPU\0", the length of a path (8 bytes), the path.
API int cuModuleLoadData(void** module, void* image) {
  const char* bytes = static_cast<char*>(image);
  if (memcmp(bytes, "CUDACPU", 8)) return INVALID_IMAGE;
  uint64_t length;
  memcpy(&length, bytes + 8, 8);
  const std::string path(bytes + 16, length);
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    fprintf(stderr, "cudacpu: %s\n", dlerror());
    return INVALID_IMAGE;
  }
  *module = new Module{library};
  return SUCCESS;
}

API int cuModuleLoad(void**, char*) { return INVALID_IMAGE; }
API int cuModuleUnload(void*) { return SUCCESS; }  // compiled kernels are kept until the process ends

API int cuModuleGetFunction(void** function, void* module_, char* name) {
  const auto* module = static_cast<Module*>(module_);
  // These symbols are made by EMU_ENTRY in device.h; the switch is written by compiler.py.
  const auto entry = reinterpret_cast<Entry>(symbol<void>(module, std::string("__emu_") + name));
  if (!entry) return NOT_FOUND;
  const int* barriers = symbol<int>(module, "__emu_needs_sync");
  const int* count = symbol<int>(module, std::string("__emu_np_") + name);
  const int* const* sizes = symbol<const int*>(module, std::string("__emu_psp_") + name);
  auto* kernel = new Kernel{entry, name, barriers ? *barriers != 0 : true, {}};
  if (count && sizes) kernel->sizes.assign(*sizes, *sizes + *count);
  *function = kernel;
  return SUCCESS;
}

API int cuModuleGetGlobal(void** pointer, size_t* size, void* module, char* name) {
  void* found = symbol<void>(static_cast<Module*>(module), name);
  if (!found) return NOT_FOUND;
  *pointer = found;
  if (size) *size = 0;
  return SUCCESS;
}

API int cuFuncGetAttribute(int* value, int attribute, void*) {
  *value = attribute == 0 ? MAX_THREADS : 0;  // 0: the largest block of the kernel
  return SUCCESS;
}

API int cuFuncSetAttribute(void*, int, int) { return SUCCESS; }

API int cuOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, void*, int, size_t) {
  *blocks = 2;
  return SUCCESS;
}

API int cuOccupancyMaxPotentialBlockSize(int* grid, int* block, void*, void*, size_t, int) {
  *grid = 8;
  *block = 256;
  return SUCCESS;
}

API int cuLaunchKernel(void* function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x,
                       unsigned block_y, unsigned block_z, unsigned shared, void* stream, void** arguments, void**) {
  const auto* kernel = static_cast<Kernel*>(function);
  const Dim3 grid = {grid_x, grid_y, grid_z}, block = {block_x, block_y, block_z};
  if (long(block_x) * block_y * block_z > MAX_THREADS || !grid_x || !block_x || shared > MAX_SHARED) {
    return INVALID_VALUE;
  }
  cudacpu_counters[LAUNCHES]++;
  if (hook) hook(kernel->name.c_str(), grid_x, block_x, shared);
  if (!is_capturing(stream)) {
    catch_up(stream);
    run_grid(kernel->entry, kernel->barriers, grid, block, arguments);
    return SUCCESS;
  }
  // A node of a graph keeps the values that the arguments have now, as on a device.
  std::vector<std::vector<char>> values;
  for (size_t i = 0; i < kernel->sizes.size(); i++) {
    const char* value = static_cast<char*>(arguments[i]);
    values.emplace_back(value, value + kernel->sizes[i]);
  }
  record([=]() mutable {
    std::vector<void*> pointers;
    for (auto& value : values) pointers.push_back(value.data());
    run_grid(kernel->entry, kernel->barriers, grid, block, pointers.data());
  });
  return SUCCESS;
}

API int cuLaunchCooperativeKernel(void*, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void*,
                                  void**) {
  return NOT_SUPPORTED;
}

API int cuLinkCreate(unsigned, void*, void**, void**) { return NOT_SUPPORTED; }
