// Streams, events and graphs. Everything runs at once and in order, so that there is nothing to wait for.

#include "streams.h"

#include <time.h>

#include <vector>

#include "interface/cuda_runtime.h"
#include "state.h"

namespace {

struct Stream {
  unsigned flags;
  int priority;
};
struct Moment {
  timespec time;
};
struct Graph {
  std::vector<std::function<void()>> launches;
};

Graph* capture = nullptr;  // what is being recorded
void* captured_stream = nullptr;

// CUDA's default streams are small numbers instead of addresses.
Stream* made_by_us(void* stream) {
  return reinterpret_cast<uintptr_t>(stream) > 16 ? static_cast<Stream*>(stream) : nullptr;
}

int create_stream(void* stream, unsigned flags, int priority) {
  *static_cast<Stream**>(stream) = new Stream{flags, priority};
  return SUCCESS;
}

}  // namespace

// ----------------------------------------------------------------------------------------- streams

API int cudaStreamCreate(void* stream) { return create_stream(stream, 0, 0); }
API int cudaStreamCreateWithFlags(void* stream, unsigned flags) { return create_stream(stream, flags, 0); }
API int cudaStreamCreateWithPriority(void* stream, unsigned flags, int priority) {
  return create_stream(stream, flags, priority);
}

API int cudaStreamGetFlags(void* stream, unsigned* flags) {
  *flags = made_by_us(stream) ? made_by_us(stream)->flags : 0;
  return SUCCESS;
}

API int cudaStreamGetPriority(void* stream, int* priority) {
  *priority = made_by_us(stream) ? made_by_us(stream)->priority : 0;
  return SUCCESS;
}

API int cudaStreamDestroy(void* stream) {
  delete made_by_us(stream);
  return SUCCESS;
}

API int cudaStreamSynchronize(void*) {
  if (capture) return NOT_WHILE_CAPTURING;
  cudacpu_counters[SYNCHRONIZATIONS]++;
  return SUCCESS;
}

API int cudaLaunchHostFunc(void*, void (*function)(void*), void* data) {
  function(data);
  return SUCCESS;
}

API int cudaStreamQuery(void*) { return SUCCESS; }
API int cudaStreamWaitEvent(void*, void*, unsigned) { return SUCCESS; }

// ------------------------------------------------------------------------------------------ events

API int cudaEventCreate(void* event) {
  *static_cast<Moment**>(event) = new Moment();
  return SUCCESS;
}

API int cudaEventCreateWithFlags(void* event, unsigned) { return cudaEventCreate(event); }

API int cudaEventDestroy(void* event) {
  delete static_cast<Moment*>(event);
  return SUCCESS;
}

API int cudaEventRecord(void* event, void*) {
  clock_gettime(CLOCK_MONOTONIC, &static_cast<Moment*>(event)->time);
  return SUCCESS;
}

API int cudaEventElapsedTime(float* milliseconds, void* start, void* end) {
  const timespec &from = static_cast<Moment*>(start)->time, &to = static_cast<Moment*>(end)->time;
  *milliseconds = (to.tv_sec - from.tv_sec) * 1e3f + (to.tv_nsec - from.tv_nsec) * 1e-6f;
  return SUCCESS;
}

API int cudaEventQuery(void*) { return SUCCESS; }

API int cudaEventSynchronize(void*) {
  cudacpu_counters[SYNCHRONIZATIONS]++;
  return SUCCESS;
}

// ------------------------------------------------------------------------------------------ graphs

bool is_capturing(void* stream) { return capture && stream == captured_stream; }

void record(std::function<void()> launch) { capture->launches.push_back(std::move(launch)); }

API int cudaStreamBeginCapture(void* stream, int) {
  if (capture || reinterpret_cast<uintptr_t>(stream) <= 2) return NOT_WHILE_CAPTURING;  // the default streams cannot
  capture = new Graph;
  captured_stream = stream;
  return SUCCESS;
}

API int cudaStreamIsCapturing(void* stream, void* status) {
  *static_cast<int*>(status) = is_capturing(stream);
  return SUCCESS;
}

API int cudaStreamEndCapture(void*, void* graph) {
  if (!capture) return NOT_WHILE_CAPTURING;
  *static_cast<Graph**>(graph) = capture;
  capture = nullptr;
  captured_stream = nullptr;
  return SUCCESS;
}

API int cudaGraphInstantiate(void* executable, void* graph, unsigned long long) {
  *static_cast<Graph**>(executable) = new Graph(*static_cast<Graph*>(graph));
  return SUCCESS;
}

API int cudaGraphLaunch(void* graph, void*) {
  for (auto& launch : static_cast<Graph*>(graph)->launches) launch();
  return SUCCESS;
}

API int cudaGraphDestroy(void* graph) {
  delete static_cast<Graph*>(graph);
  return SUCCESS;
}

API int cudaGraphExecDestroy(void* graph) { return cudaGraphDestroy(graph); }
API int cudaGraphUpload(void*, void*) { return SUCCESS; }
