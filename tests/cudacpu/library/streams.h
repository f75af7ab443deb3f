// Streams, as far as launches and copies have to know of them.
#pragma once

#include <functional>

// Whether launches on this stream are being recorded instead of run.
bool is_capturing(void* stream);

// Append a launch to the graph that is being recorded.
void record(std::function<void()> launch);

// Keep a copy waiting in the stream until something waits for it; false where copies on this stream run at once.
bool postpone(void* stream, std::function<void()> copy);

// Run what waits in this stream, or in all of them.
void catch_up(void* stream);
void catch_up();
