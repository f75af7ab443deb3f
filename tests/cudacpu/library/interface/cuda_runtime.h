// The functions of the CUDA runtime that are emulated. patch_cupy.py puts these declarations into CuPy's stub
// headers, in the place of the empty functions there; every handle is a void*, every enumeration an int.
#pragma once

#include <stddef.h>

extern "C" {

// Errors and versions
const char* cudaGetErrorName(int);
const char* cudaGetErrorString(int);
int cudaGetLastError();
int cudaDriverGetVersion(int*);
int cudaRuntimeGetVersion(int*);

// Devices
int cudaGetDevice(int*);
int cudaSetDevice(int);
int cudaGetDeviceCount(int*);
int cudaDeviceGetAttribute(int*, int, int);
int cudaGetDeviceProperties(void*, int);
int cudaDeviceCanAccessPeer(int*, int, int);
int cudaDeviceGetPCIBusId(char*, int, int);
int cudaDeviceGetLimit(size_t*, int);
int cudaDeviceSetLimit(int, size_t);
int cudaDeviceSynchronize();

// Memory
int cudaMalloc(void**, size_t);
int cudaMallocAsync(void**, size_t, void*);
int cudaMallocManaged(void**, size_t, unsigned);
int cudaMallocFromPoolAsync(void**, size_t, void*, void*);
int cudaHostAlloc(void**, size_t, unsigned);
int cudaFree(void*);
int cudaFreeAsync(void*, void*);
int cudaFreeHost(void*);
int cudaMemGetInfo(size_t*, size_t*);
int cudaPointerGetAttributes(void*, const void*);

// Copies
int cudaMemcpy(void*, const void*, size_t, int);
int cudaMemcpyAsync(void*, const void*, size_t, int, void*);
int cudaMemcpyPeer(void*, int, const void*, int, size_t);
int cudaMemcpyPeerAsync(void*, int, const void*, int, size_t, void*);
int cudaMemset(void*, int, size_t);
int cudaMemsetAsync(void*, int, size_t, void*);

// Memory pools
int cudaMemPoolCreate(void*, void*);
int cudaMemPoolDestroy(void*);
int cudaMemPoolTrimTo(void*, size_t);
int cudaMemPoolGetAttribute(void*, int, void*);
int cudaMemPoolSetAttribute(void*, int, void*);
int cudaDeviceGetDefaultMemPool(void*, int);
int cudaDeviceGetMemPool(void*, int);
int cudaDeviceSetMemPool(int, void*);

// Streams
int cudaStreamCreate(void*);
int cudaStreamCreateWithFlags(void*, unsigned);
int cudaStreamCreateWithPriority(void*, unsigned, int);
int cudaStreamGetFlags(void*, unsigned*);
int cudaStreamGetPriority(void*, int*);
int cudaStreamDestroy(void*);
int cudaStreamSynchronize(void*);
int cudaStreamQuery(void*);
int cudaStreamWaitEvent(void*, void*, unsigned);
int cudaLaunchHostFunc(void*, void (*)(void*), void*);

// Events
int cudaEventCreate(void*);
int cudaEventCreateWithFlags(void*, unsigned);
int cudaEventDestroy(void*);
int cudaEventElapsedTime(float*, void*, void*);
int cudaEventQuery(void*);
int cudaEventRecord(void*, void*);
int cudaEventSynchronize(void*);

// Graphs
int cudaStreamBeginCapture(void*, int);
int cudaStreamEndCapture(void*, void*);
int cudaStreamIsCapturing(void*, void*);
int cudaGraphInstantiate(void*, void*, unsigned long long);
int cudaGraphDestroy(void*);
int cudaGraphExecDestroy(void*);
int cudaGraphLaunch(void*, void*);
int cudaGraphUpload(void*, void*);
}
