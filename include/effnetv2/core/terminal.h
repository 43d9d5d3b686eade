#pragma once

namespace effnetv2 {

/// True if stderr is a terminal that understands carriage returns (isatty and TERM is not "dumb").
bool stderr_is_terminal();
/// Columns of that terminal, 80 if unknown.
int terminal_width();

}  // namespace effnetv2
