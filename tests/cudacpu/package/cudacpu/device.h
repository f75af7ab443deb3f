// What CUDA C++ has and C++ has not, so that g++ compiles the kernels that CuPy generates, and ours.
//
// A thread runs until it ends or reaches a barrier (library/threads.cpp), so that atomics are plain
// reads and writes, and fences do nothing.
#pragma once

#include <math.h>

#include <cassert>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <limits>
#include <type_traits>
#include <utility>

#ifdef CUDACPU_CUDA_HEADERS
#include <vector_functions.h>
#include <vector_types.h>
#endif

#define __CUDACPU__ 1

// ---------------------------------------------------------------------------------------- keywords

#undef __host__
#undef __device__
#undef __global__
#undef __shared__
#undef __constant__
#undef __forceinline__
#undef __noinline__
#undef __launch_bounds__
#define __host__
#define __device__
#define __global__
#define __shared__ static  // blocks run one after another, so one copy serves them all
#define __constant__ static
#define __forceinline__ inline
#define __noinline__
#define __launch_bounds__(...)

// ---------------------------------------------------------------------- threads, barriers, shuffles

struct emu_d3 {
  unsigned x, y, z;
};
extern "C" {
extern emu_d3 emu_threadIdx, emu_blockIdx, emu_blockDim, emu_gridDim;
extern char emu_dyn_shared[];
extern unsigned long emu_slots[];
void emu_syncthreads();
void emu_syncwarp();
}
#define threadIdx emu_threadIdx
#define blockIdx emu_blockIdx
#define blockDim emu_blockDim
#define gridDim emu_gridDim
#define warpSize 32

static inline void __syncthreads() { emu_syncthreads(); }
static inline void __syncwarp(unsigned = 0xffffffffu) { emu_syncwarp(); }
static inline void __threadfence() {}
static inline void __threadfence_block() {}

static inline unsigned emu_linear_index() {
  return emu_threadIdx.x + emu_blockDim.x * (emu_threadIdx.y + emu_blockDim.y * emu_threadIdx.z);
}

// The value of another thread of the warp: each writes its own, and after a barrier reads the other's.
template <class T>
static inline T emu_value_of(T value, int thread) {
  static_assert(sizeof(T) <= 8, "a shuffle moves at most 8 bytes");
  unsigned long slot = 0;
  memcpy(&slot, &value, sizeof value);
  emu_slots[emu_linear_index()] = slot;
  emu_syncwarp();
  T result;
  memcpy(&result, &emu_slots[thread], sizeof result);
  emu_syncwarp();
  return result;
}
template <class T>
static inline T __shfl_down_sync(unsigned, T value, unsigned delta, int width = 32) {
  const int me = emu_linear_index(), lane = me % width;
  return emu_value_of(value, lane + (int)delta < width ? me + (int)delta : me);
}
template <class T>
static inline T __shfl_up_sync(unsigned, T value, unsigned delta, int width = 32) {
  const int me = emu_linear_index(), lane = me % width;
  return emu_value_of(value, lane >= (int)delta ? me - (int)delta : me);
}
template <class T>
static inline T __shfl_xor_sync(unsigned, T value, int mask, int width = 32) {
  const int me = emu_linear_index();
  return emu_value_of(value, (me / width) * width + ((me % width) ^ mask));
}
template <class T>
static inline T __shfl_sync(unsigned, T value, int lane, int width = 32) {
  const int me = emu_linear_index();
  return emu_value_of(value, (me / width) * width + (lane % width));
}

// ----------------------------------------------------------------------------------------- atomics

template <class T>
static inline T emu_atomic_add(T* place, T value) {
  const T old = *place;
  *place = old + value;
  return old;
}
static inline int atomicAdd(int* p, int v) { return emu_atomic_add(p, v); }
static inline unsigned atomicAdd(unsigned* p, unsigned v) { return emu_atomic_add(p, v); }
static inline unsigned long atomicAdd(unsigned long* p, unsigned long v) { return emu_atomic_add(p, v); }
static inline unsigned long long atomicAdd(unsigned long long* p, unsigned long long v) { return emu_atomic_add(p, v); }
static inline float atomicAdd(float* p, float v) { return emu_atomic_add(p, v); }
static inline double atomicAdd(double* p, double v) { return emu_atomic_add(p, v); }

template <class T>
static inline T atomicCAS(T* place, T expected, T value) {
  const T old = *place;
  if (memcmp(&old, &expected, sizeof old) == 0) *place = value;
  return old;
}
template <class T>
static inline T atomicExch(T* place, T value) {
  const T old = *place;
  *place = value;
  return old;
}

template <class T>
static inline T emu_atomic_max(T* place, T value) {
  const T old = *place;
  if (value > old) *place = value;
  return old;
}
template <class T>
static inline T emu_atomic_min(T* place, T value) {
  const T old = *place;
  if (value < old) *place = value;
  return old;
}
static inline int atomicMax(int* p, int v) { return emu_atomic_max(p, v); }
static inline unsigned atomicMax(unsigned* p, unsigned v) { return emu_atomic_max(p, v); }
static inline unsigned long long atomicMax(unsigned long long* p, unsigned long long v) { return emu_atomic_max(p, v); }
static inline int atomicMin(int* p, int v) { return emu_atomic_min(p, v); }
static inline unsigned atomicMin(unsigned* p, unsigned v) { return emu_atomic_min(p, v); }
static inline unsigned long long atomicMin(unsigned long long* p, unsigned long long v) { return emu_atomic_min(p, v); }

// ----------------------------------------------------------------------------- bits and conversions

static inline int __popc(unsigned v) { return __builtin_popcount(v); }
static inline int __popcll(unsigned long long v) { return __builtin_popcountll(v); }
static inline int __clz(int v) { return v ? __builtin_clz(v) : 32; }
static inline int __ffs(int v) { return __builtin_ffs(v); }

template <class To, class From>
static inline To emu_reinterpret(From value) {
  static_assert(sizeof(To) == sizeof(From), "the same number of bytes");
  To result;
  memcpy(&result, &value, sizeof result);
  return result;
}
static inline int __float_as_int(float v) { return emu_reinterpret<int>(v); }
static inline unsigned __float_as_uint(float v) { return emu_reinterpret<unsigned>(v); }
static inline float __int_as_float(int v) { return emu_reinterpret<float>(v); }
static inline float __uint_as_float(unsigned v) { return emu_reinterpret<float>(v); }
static inline long long __double_as_longlong(double v) { return emu_reinterpret<long long>(v); }
static inline double __longlong_as_double(long long v) { return emu_reinterpret<double>(v); }

struct half;  // CuPy's own, in cupy/float16.cuh
static inline unsigned short __float2half_rn(float v) { return emu_reinterpret<unsigned short>((_Float16)v); }
static inline float __half2float(unsigned short bits) { return (float)emu_reinterpret<_Float16>(bits); }

template <class T>
static inline T __ldg(const T* place) {
  return *place;
}

// ------------------------------------------------------------------------------------- mathematics

template <class T>
using emu_if_number = typename std::enable_if<std::is_arithmetic<T>::value>::type;
template <class A, class B>
using emu_if_mixed = typename std::enable_if<std::is_arithmetic<A>::value && std::is_arithmetic<B>::value &&
                                             !std::is_same<A, B>::value>::type;

// With one NaN, CUDA's min and max give the other number.
template <class T, class = emu_if_number<T>>
static inline T min(T a, T b) {
  if constexpr (std::is_floating_point<T>::value)
    return std::fmin(a, b);
  else
    return b < a ? b : a;
}
template <class T, class = emu_if_number<T>>
static inline T max(T a, T b) {
  if constexpr (std::is_floating_point<T>::value)
    return std::fmax(a, b);
  else
    return a < b ? b : a;
}
template <class A, class B, class = emu_if_mixed<A, B>>
static inline typename std::common_type<A, B>::type min(A a, B b) {
  typedef typename std::common_type<A, B>::type C;
  return min((C)a, (C)b);
}
template <class A, class B, class = emu_if_mixed<A, B>>
static inline typename std::common_type<A, B>::type max(A a, B b) {
  typedef typename std::common_type<A, B>::type C;
  return max((C)a, (C)b);
}

static inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }
static inline float rsqrt(float x) { return 1.0f / sqrtf(x); }
static inline double rsqrt(double x) { return 1.0 / sqrt(x); }
static inline float rcbrtf(float x) { return 1.0f / cbrtf(x); }
static inline float fdividef(float a, float b) { return a / b; }
static inline float __fdividef(float a, float b) { return a / b; }
static inline float __saturatef(float x) { return x != x ? 0.f : x < 0 ? 0.f : x > 1 ? 1.f : x; }
static inline float saturate(float x) { return __saturatef(x); }
static inline float normcdff(float x) { return 0.5f * erfcf(-x * 0.70710678f); }
static inline double normcdf(double x) { return 0.5 * erfc(-x * 0.7071067811865476); }
// The fast approximations of a device; here the exact functions.
#define __expf(x) expf(x)
#define __logf(x) logf(x)
#define __sinf(x) sinf(x)
#define __cosf(x) cosf(x)
#define __tanf(x) tanf(x)
#define __powf(x, y) powf(x, y)
#define __isnan(x) isnan(x)

#ifndef CUDACPU_CUDA_HEADERS
struct float2 {
  float x, y;
};
struct double2 {
  double x, y;
};
struct float4 {
  float x, y, z, w;
};
struct int2 {
  int x, y;
};
#endif

// ------------------------------------------------------- the entry of a kernel, for library/kernels.cpp

// Call a kernel with the values that the pointers point to, by the types of its own parameters.
template <class... Parameters, size_t... I>
static inline void emu_unpack(void (*kernel)(Parameters...), void** arguments, std::index_sequence<I...>) {
  kernel(*reinterpret_cast<typename std::remove_reference<Parameters>::type*>(arguments[I])...);
}
template <class... Parameters>
static inline void emu_call(void (*kernel)(Parameters...), void** arguments) {
  emu_unpack(kernel, arguments, std::index_sequence_for<Parameters...>());
}

// The number of parameters and the size of each, in bytes.
template <class Kernel>
struct emu_signature;
template <class... Parameters>
struct emu_signature<void (*)(Parameters...)> {
  static constexpr int count = sizeof...(Parameters);
  static constexpr int sizes[sizeof...(Parameters) + 1] = {(int)sizeof(Parameters)..., 0};
};
template <class... Parameters>
constexpr int emu_signature<void (*)(Parameters...)>::sizes[sizeof...(Parameters) + 1];

#define EMU_EXPORT __attribute__((visibility("default")))
#define EMU_ENTRY(NAME, ...)                                                            \
  extern "C" {                                                                          \
  EMU_EXPORT void __emu_##NAME(void** arguments) { emu_call(__VA_ARGS__, arguments); }  \
  EMU_EXPORT int __emu_np_##NAME = emu_signature<decltype(__VA_ARGS__)>::count;         \
  EMU_EXPORT const int* __emu_psp_##NAME = emu_signature<decltype(__VA_ARGS__)>::sizes; \
  }
