#pragma once

namespace effnetv2 {

/// The first SIGINT or SIGTERM asks for a stop after the current step; a second one ends the process at once
/// (exit code 130). Call once, at program start.
void install_stop_handlers();

/// True once a signal (or request_stop) asked for a stop. Safe from any thread.
bool stop_requested() noexcept;
/// The same request made by the program itself or a test.
void request_stop() noexcept;
void clear_stop_request() noexcept;

}  // namespace effnetv2
