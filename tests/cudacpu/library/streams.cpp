// Streams, events and graphs. Kernels run at once and in order. A copy from pinned memory on a stream that does
// not block (cudaStreamNonBlocking) runs as late as CUDA allows: when something waits for it. So whoever forgets
// to wait, or writes to the memory too early, computes with wrong numbers.

#include "streams.h"

#include <time.h>

#include <deque>
#include <mutex>
#include <set>
#include <vector>

#include "interface/cuda_runtime.h"
#include "state.h"

namespace {

constexpr unsigned NON_BLOCKING = 1;

struct Stream {
  unsigned flags;
  int priority;
  std::deque<std::function<void()>> waiting;
  uint64_t issued = 0;  // how many copies ever waited; the last ones of them still do
};
struct Moment {
  timespec time;
  Stream* stream = nullptr;
  uint64_t issued = 0;  // of the stream, when the event was recorded
};
std::set<Stream*> streams;
std::recursive_mutex mutex;  // of the streams and what waits in them
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
  auto* made = new Stream{flags, priority, {}};
  const std::lock_guard<std::recursive_mutex> lock(mutex);
  streams.insert(made);
  *static_cast<Stream**>(stream) = made;
  return SUCCESS;
}

// Run what waits in the stream, up to the copy of this number.
void catch_up(Stream* stream, uint64_t number) {
  const std::lock_guard<std::recursive_mutex> lock(mutex);
  if (!streams.count(stream)) return;
  while (!stream->waiting.empty() && stream->issued - stream->waiting.size() < number) {
    stream->waiting.front()();
    stream->waiting.pop_front();
  }
}

void catch_up(const Moment* event) {
  if (event->stream) catch_up(event->stream, event->issued);
}

bool is_behind(Stream* stream, uint64_t number) {
  const std::lock_guard<std::recursive_mutex> lock(mutex);
  return streams.count(stream) && !stream->waiting.empty() && stream->issued - stream->waiting.size() < number;
}

}  // namespace

bool postpone(void* stream_, std::function<void()> copy) {
  Stream* stream = made_by_us(stream_);
  if (!stream || stream->flags != NON_BLOCKING) return false;
  const std::lock_guard<std::recursive_mutex> lock(mutex);
  stream->waiting.push_back(std::move(copy));
  stream->issued++;
  return true;
}

void catch_up(void* stream) {
  if (made_by_us(stream)) catch_up(made_by_us(stream), UINT64_MAX);
}

void catch_up() {
  const std::lock_guard<std::recursive_mutex> lock(mutex);
  for (Stream* stream : streams) catch_up(stream, UINT64_MAX);
}

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
  catch_up(stream);
  const std::lock_guard<std::recursive_mutex> lock(mutex);
  streams.erase(made_by_us(stream));
  delete made_by_us(stream);
  return SUCCESS;
}

API int cudaStreamSynchronize(void* stream) {
  if (capture) return NOT_WHILE_CAPTURING;
  catch_up(stream);
  cudacpu_counters[SYNCHRONIZATIONS]++;
  return SUCCESS;
}

API int cudaLaunchHostFunc(void*, void (*function)(void*), void* data) {
  function(data);
  return SUCCESS;
}

// What has not run is not ready when it is asked for the first time, and runs then.
API int cudaStreamQuery(void* stream) {
  if (!made_by_us(stream) || !is_behind(made_by_us(stream), UINT64_MAX)) return SUCCESS;
  catch_up(stream);
  return NOT_READY;
}

API int cudaStreamWaitEvent(void*, void* event, unsigned) {
  catch_up(static_cast<Moment*>(event));
  return SUCCESS;
}

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

API int cudaEventRecord(void* event_, void* stream) {
  auto* event = static_cast<Moment*>(event_);
  clock_gettime(CLOCK_MONOTONIC, &event->time);
  event->stream = made_by_us(stream);
  event->issued = event->stream ? event->stream->issued : 0;
  return SUCCESS;
}

API int cudaEventElapsedTime(float* milliseconds, void* start, void* end) {
  const timespec &from = static_cast<Moment*>(start)->time, &to = static_cast<Moment*>(end)->time;
  *milliseconds = (to.tv_sec - from.tv_sec) * 1e3f + (to.tv_nsec - from.tv_nsec) * 1e-6f;
  return SUCCESS;
}

API int cudaEventQuery(void* event_) {
  const auto* event = static_cast<Moment*>(event_);
  if (!is_behind(event->stream, event->issued)) return SUCCESS;
  catch_up(event);
  return NOT_READY;
}

API int cudaEventSynchronize(void* event) {
  catch_up(static_cast<Moment*>(event));
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
