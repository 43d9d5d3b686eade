#pragma once

#include "effnetv2/run/training.h"

#include "commands.h"

namespace effnetv2::cli {

/// Runs a training with a live bar and prints the closing line; the exit code.
int train_with_display(const TrainingRequest& request, const CommonOptions& common);

}  // namespace effnetv2::cli
