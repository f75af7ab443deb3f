// Graph capture, as far as a kernel launch has to know of it.
#pragma once

#include <functional>

// Whether launches on this stream are being recorded instead of run.
bool is_capturing(void* stream);

// Append a launch to the graph that is being recorded.
void record(std::function<void()> launch);
